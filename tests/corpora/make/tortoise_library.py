"""A library as Tortoise reads it with asyncpg and asyncmy: books, copies, members, loans, fines, reservations."""

import asyncio
import datetime as dt
import os
import sys

from tortoise import Tortoise, connections, fields
from tortoise.expressions import Case, F, Q, RawSQL, Subquery, When
from tortoise.functions import Avg, Coalesce, Concat, Count, Length, Lower, Max, Min, Sum, Upper
from tortoise.models import Model
from tortoise.query_utils import Prefetch

POSTGRES = os.environ["ENGINE"] == "postgres"
URL = os.environ["DATABASE_URL"].replace("postgresql:", "asyncpg:")


class Author(Model):
    id = fields.IntField(primary_key=True)
    name = fields.CharField(120)
    born = fields.DateField(null=True)


class Genre(Model):
    id = fields.IntField(primary_key=True)
    name = fields.CharField(60, unique=True)


class Book(Model):
    id = fields.IntField(primary_key=True)
    isbn = fields.CharField(13, unique=True)
    title = fields.CharField(200)
    pages = fields.IntField(default=0)
    price = fields.DecimalField(8, 2, null=True)
    data = fields.JSONField(default=dict)
    added = fields.DatetimeField(auto_now_add=True)
    authors = fields.ManyToManyField("models.Author", related_name="books")
    genre = fields.ForeignKeyField("models.Genre", related_name="books", null=True)


class Copy(Model):
    id = fields.IntField(primary_key=True)
    book = fields.ForeignKeyField("models.Book", related_name="copies")
    shelf = fields.CharField(20)
    lost = fields.BooleanField(default=False)


class Member(Model):
    id = fields.UUIDField(primary_key=True)
    name = fields.CharField(120)
    email = fields.CharField(190, unique=True)
    joined = fields.DatetimeField(auto_now_add=True)
    closes = fields.TimeField(null=True)


class Loan(Model):
    id = fields.BigIntField(primary_key=True)
    copy_of = fields.ForeignKeyField("models.Copy", related_name="loans")
    member = fields.ForeignKeyField("models.Member", related_name="loans")
    taken = fields.DatetimeField()
    due = fields.DateField()
    back = fields.DatetimeField(null=True)
    fine = fields.DecimalField(6, 2, default=0)


def reads():
    now = dt.datetime.now(dt.timezone.utc)
    ago = lambda **units: now - dt.timedelta(**units)
    yield lambda: Book.get_or_none(isbn="9780000000001")
    yield lambda: Book.filter(title__icontains="sea").order_by("title").limit(20)
    yield lambda: Book.filter(Q(title__istartswith="the") | Q(authors__name__icontains="ada")).distinct()
    yield lambda: Book.all().prefetch_related("authors", "genre", "copies")
    yield lambda: Book.all().select_related("genre").offset(10).limit(10)
    yield lambda: Book.filter(genre__name="novel", pages__gte=100).count()
    yield lambda: Book.filter(id__in=[1, 2]).values("id", "title", "genre__name")
    yield lambda: Book.annotate(n=Count("copies")).filter(n__gte=0).order_by("-n").values("title", "n")
    yield lambda: Book.annotate(free=Count("copies", _filter=Q(copies__lost=False))).values("id", "free")
    yield lambda: Book.annotate(t=Upper("title"), l=Length("title")).values("t", "l")
    yield lambda: Book.annotate(label=Concat("title", " (", "isbn", ")")).values_list("label", flat=True)
    yield lambda: Book.annotate(price2=Coalesce("price", 0)).values("price2")
    yield lambda: Book.annotate(kind=Case(When(pages__gte=500, then="thick"), When(pages__gte=100, then="normal"), default="thin")).values("id", "kind")
    yield lambda: Book.annotate(least=Min("price"), most=Max("price"), mean=Avg("pages")).group_by("genre_id").values("genre_id", "least", "most", "mean")
    yield lambda: Book.filter(added__gte=ago(days=30)).exists()
    yield lambda: Book.filter(added__year=2026).count()
    yield lambda: Book.filter(data__contains={"lang": "de"}).count()
    yield lambda: Book.filter(price__gt=F("pages") * 0.1).values("id")
    yield lambda: Author.filter(books__genre__name="novel").annotate(n=Count("books")).order_by("name").values("name", "n")
    yield lambda: Author.filter(born__isnull=True).first()
    yield lambda: Author.all().prefetch_related(Prefetch("books", queryset=Book.filter(pages__gt=10)))
    yield lambda: Genre.annotate(n=Count("books", distinct=True)).order_by("-n").values("name", "n")
    yield lambda: Copy.filter(book_id=1, lost=False).order_by("shelf")
    yield lambda: Copy.filter(loans__back__isnull=True, loans__due__lt=now.date()).select_related("book").distinct()
    yield lambda: Copy.exclude(id__in=Subquery(Loan.filter(back__isnull=True).values("copy_of_id"))).count()
    yield lambda: Member.filter(email="a@example.test").first()
    yield lambda: Member.annotate(open=Count("loans", _filter=Q(loans__back__isnull=True))).order_by("-open").limit(10).values("name", "open")
    yield lambda: Member.annotate(low=Lower("email")).filter(low="a@example.test")
    yield lambda: Loan.filter(member__email="a@example.test", back=None).order_by("due").select_related("copy_of__book")
    yield lambda: Loan.filter(taken__range=(ago(days=7), now)).count()
    yield lambda: Loan.annotate(total=Sum("fine")).group_by("member_id").values("member_id", "total")
    yield lambda: Loan.annotate(day=RawSQL("DATE(taken)"), n=Count("id")).group_by("day").values("day", "n")
    yield lambda: Loan.filter(due__lte=dt.date.today(), back__isnull=True).values_list("id", "due")
    yield lambda: Loan.annotate(total=Sum("fine")).first().values("total")
    if POSTGRES:
        yield lambda: Loan.annotate(month=RawSQL("to_char(taken, 'YYYY-MM')"), n=Count("id")).group_by("month").values("month", "n")
        yield lambda: Loan.annotate(held=RawSQL("extract(day from coalesce(back, now()) - taken)")).values("id", "held")
        yield lambda: Loan.annotate(week=RawSQL("date_trunc('week', taken)"), n=Count("id")).group_by("week").values("week", "n")
    else:
        yield lambda: Loan.annotate(month=RawSQL("DATE_FORMAT(taken, '%%Y-%%m')"), n=Count("id")).group_by("month").values("month", "n")
        yield lambda: Loan.annotate(held=RawSQL("DATEDIFF(COALESCE(back, NOW()), taken)")).values("id", "held")


async def main():
    await Tortoise.init(db_url=URL, modules={"models": ["__main__"]})
    await Tortoise.generate_schemas()
    author = await Author.create(name="Ada", born=dt.date(1950, 1, 1))
    book = await Book.create(isbn="9780000000001", title="The Sea", pages=200, price="9.50", genre=await Genre.create(name="novel"), data={"lang": "de"})
    await book.authors.add(author)
    copy = await Copy.create(book=book, shelf="A1")
    member = await Member.create(name="Bob", email="a@example.test")
    await Loan.create(copy_of=copy, member=member, taken=dt.datetime.now(dt.timezone.utc), due=dt.date.today())
    await connections.get("default").execute_query(os.environ["MARK"])
    failed = 0
    for number, read in enumerate(reads()):
        try:
            await read()
        except Exception as error:
            print(f"read {number}: {error!r}"[:500], file=sys.stderr)
            failed = 1
    await connections.close_all()
    sys.exit(failed)


asyncio.run(main())
