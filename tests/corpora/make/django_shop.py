"""A shop as Django reads it: catalogue, search, carts, orders, reports, the customer's account."""

import datetime as dt
import uuid
from decimal import Decimal

from django_setup import POSTGRES, configure, create, reads_begin, run

configure("shop")

from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import models
from django.db.models import (
    Avg, BooleanField, Case, CharField, Count, DecimalField, Exists, ExpressionWrapper, F, FilteredRelation, Max, Min,
    OuterRef, Prefetch, Q, StdDev, Subquery, Sum, Value, When, Window)
from django.db.models.functions import (
    Cast, Coalesce, Concat, DenseRank, Extract, ExtractHour, ExtractIsoWeekDay, ExtractYear, Greatest, Lag, Left, Length,
    Lower, NullIf, Now, Rank, Replace, Round, RowNumber, StrIndex, Substr, Trim, TruncDate, TruncDay, TruncHour,
    TruncMonth, TruncQuarter, TruncWeek, TruncYear, Upper, FirstValue, NthValue, LastValue, JSONObject, MD5, Abs, Mod, Ceil)
from django.core.paginator import Paginator
from django.utils import timezone


class Base(models.Model):
    class Meta:
        abstract = True
        app_label = "shop"


class Category(Base):
    name = models.CharField(max_length=80)
    slug = models.SlugField(unique=True)
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="children")
    position = models.PositiveSmallIntegerField(default=0)


class Brand(Base):
    name = models.CharField(max_length=80)
    country = models.CharField(max_length=2)


class Tag(Base):
    name = models.CharField(max_length=40, unique=True)


class Product(Base):
    class Status(models.TextChoices):
        DRAFT = "draft"
        ACTIVE = "active"
        RETIRED = "retired"

    sku = models.CharField(max_length=32, unique=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    brand = models.ForeignKey(Brand, null=True, on_delete=models.SET_NULL, related_name="products")
    categories = models.ManyToManyField(Category, related_name="products")
    tags = models.ManyToManyField(Tag, related_name="products")
    price = models.DecimalField(max_digits=10, decimal_places=2)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    stock = models.IntegerField(default=0)
    weight = models.FloatField(null=True)
    attributes = models.JSONField(default=dict)
    available_from = models.DateField(null=True)
    created = models.DateTimeField(default=timezone.now)
    updated = models.DateTimeField(auto_now=True)


class Customer(Base):
    user = models.OneToOneField(User, null=True, on_delete=models.CASCADE, related_name="customer")
    email = models.EmailField(unique=True)
    born = models.DateField(null=True)
    joined = models.DateTimeField(default=timezone.now)
    newsletter = models.BooleanField(default=False)


class Address(Base):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="addresses")
    street = models.CharField(max_length=120)
    city = models.CharField(max_length=80)
    postcode = models.CharField(max_length=12)
    country = models.CharField(max_length=2)
    is_default = models.BooleanField(default=False)


class Order(Base):
    number = models.UUIDField(default=uuid.uuid4)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="orders")
    address = models.ForeignKey(Address, null=True, on_delete=models.SET_NULL)
    status = models.CharField(max_length=12, default="pending")
    placed = models.DateTimeField(default=timezone.now)
    shipped = models.DateTimeField(null=True)
    currency = models.CharField(max_length=3, default="EUR")
    note = models.TextField(blank=True)


class Line(Base):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="lines")
    quantity = models.PositiveIntegerField()
    unit_price = models.DecimalField(max_digits=10, decimal_places=2)
    discount = models.DecimalField(max_digits=4, decimal_places=2, null=True)


class Review(Base):
    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="reviews")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="reviews")
    rating = models.PositiveSmallIntegerField()
    title = models.CharField(max_length=120)
    body = models.TextField()
    created = models.DateTimeField(default=timezone.now)
    approved = models.BooleanField(default=False)


class Opening(Base):
    """When a branch is open: a time without a date."""

    branch = models.CharField(max_length=40)
    weekday = models.PositiveSmallIntegerField()
    opens = models.TimeField()
    closes = models.TimeField()
    lead = models.DurationField(null=True)


class Coupon(Base):
    code = models.CharField(max_length=20, unique=True)
    percent = models.DecimalField(max_digits=4, decimal_places=1)
    starts = models.DateTimeField()
    ends = models.DateTimeField()
    if POSTGRES:
        from django.contrib.postgres.fields import ArrayField, DateTimeRangeField

        countries = ArrayField(models.CharField(max_length=2), default=list)
        valid = DateTimeRangeField(null=True)


MODELS = [Category, Brand, Tag, Product, Customer, Address, Order, Line, Review, Opening, Coupon]


def fill():
    now = timezone.now()
    user = User.objects.create_user("ada", "ada@example.test", "secret")
    group = Group.objects.create(name="staff")
    user.groups.add(group)
    root = Category.objects.create(name="Home", slug="home")
    lamps = Category.objects.create(name="Lamps", slug="lamps", parent=root)
    brand = Brand.objects.create(name="Lumen", country="DE")
    tag = Tag.objects.create(name="new")
    product = Product.objects.create(
        sku="L-1", name="Desk lamp", brand=brand, price=Decimal("49.90"), stock=3,
        attributes={"colour": "red", "size": {"height": 40}, "labels": ["eco", "led"]},
        available_from=dt.date(2024, 5, 1))
    product.categories.add(lamps)
    product.tags.add(tag)
    customer = Customer.objects.create(user=user, email="ada@example.test", born=dt.date(1990, 4, 2))
    address = Address.objects.create(customer=customer, street="Main 1", city="Ulm", postcode="89073", country="DE",
                                     is_default=True)
    order = Order.objects.create(customer=customer, address=address)
    Line.objects.create(order=order, product=product, quantity=2, unit_price=Decimal("49.90"))
    Review.objects.create(product=product, customer=customer, rating=5, title="Bright", body="Very bright",
                          approved=True)
    Opening.objects.create(branch="Ulm", weekday=1, opens=dt.time(9), closes=dt.time(18, 30),
                           lead=dt.timedelta(minutes=30))
    extra = {"countries": ["DE"], "valid": (now, now + dt.timedelta(days=9))} if POSTGRES else {}
    Coupon.objects.create(code="MAY", percent=10, starts=now, ends=now + dt.timedelta(days=9), **extra)


def reads():
    now = timezone.now()
    day = dt.timedelta(days=1)
    active = Product.objects.filter(status=Product.Status.ACTIVE)
    amount = F("lines__quantity") * F("lines__unit_price")
    yield lambda: active.select_related("brand").order_by("-created")[:24]
    yield lambda: Product.objects.get(sku="L-1")
    yield lambda: Product.objects.filter(uid=uuid.UUID(int=7)).first()
    yield lambda: Product.objects.get(pk=1).categories.all()
    yield lambda: list(active.prefetch_related("categories", "tags", "reviews")[:10])
    yield lambda: list(Category.objects.filter(parent=None).order_by("position", "name").prefetch_related("children"))
    yield lambda: Category.objects.annotate(products_count=Count("products", filter=Q(products__status="active")))
    yield lambda: active.filter(categories__slug__in=["lamps", "home"]).distinct().count()
    yield lambda: active.filter(name__icontains="lamp")
    yield lambda: active.filter(Q(name__istartswith="desk") | Q(description__icontains="desk")).exclude(stock=0)
    yield lambda: active.filter(price__range=(10, 100), brand__country="DE").order_by("price", "-id")[20:40]
    yield lambda: active.filter(tags__name="new").filter(tags__name="sale")
    yield lambda: active.annotate(rating=Avg("reviews__rating"), votes=Count("reviews")).filter(votes__gte=1).order_by("-rating")
    yield lambda: active.annotate(last=Max("lines__order__placed")).filter(last__gte=now - 30 * day)
    yield lambda: active.aggregate(low=Min("price"), high=Max("price"), mean=Avg("price"), dev=StdDev("price"))
    yield lambda: active.filter(Exists(Review.objects.filter(product=OuterRef("pk"), rating=5)))
    yield lambda: active.filter(~Exists(Line.objects.filter(product=OuterRef("pk"))))
    yield lambda: active.annotate(newest=Subquery(
        Review.objects.filter(product=OuterRef("pk")).order_by("-created").values("title")[:1]))
    yield lambda: active.annotate(label=Concat("brand__name", Value(" "), "name")).values("id", "label")
    yield lambda: active.annotate(shown=Coalesce("brand__name", Value("no name"))).values_list("shown", flat=True)
    yield lambda: active.annotate(band=Case(
        When(price__lt=20, then=Value("cheap")), When(price__lt=100, then=Value("middle")), default=Value("dear"),
        output_field=CharField())).values("band").annotate(n=Count("id")).order_by("band")
    yield lambda: Product.objects.values("status").annotate(n=Count("id"), worth=Sum(F("price") * F("stock")))
    yield lambda: active.filter(attributes__colour="red")
    yield lambda: active.filter(attributes__size__height__gte=30)
    yield lambda: active.filter(attributes__has_key="labels")
    yield lambda: active.filter(attributes__contains={"colour": "red"})
    yield lambda: active.values("attributes__colour").annotate(n=Count("id")).order_by("-n")
    yield lambda: active.filter(available_from__lte=dt.date(2024, 6, 1))
    yield lambda: active.filter(available_from__year=2024, available_from__month__gte=3)
    yield lambda: active.filter(Q(available_from=None) | Q(available_from__lte=Now()))
    yield lambda: active.annotate(length=Length("name")).filter(length__gt=5)
    yield lambda: active.annotate(code=Upper(Left("sku", 3)), rest=Substr("sku", 3)).values("code", "rest")
    yield lambda: active.annotate(
        clean=Trim(Replace("name", Value("-"), Value(" "))), at=StrIndex("name", Value("l"))).values("clean", "at")
    yield lambda: active.annotate(gross=Round(F("price") * Decimal("1.19"), 2)).filter(gross__lte=60)
    yield lambda: active.annotate(place=Window(Rank(), order_by=F("price").desc(), partition_by=F("brand"))).values("sku", "place")
    yield lambda: active.annotate(place=Window(RowNumber(), partition_by="brand", order_by="price")).filter(place__lte=3)
    yield lambda: active.order_by("?")[:4]
    yield lambda: active.in_bulk([1, 2, 3])
    yield lambda: active.only("id", "name").exists()
    yield lambda: active.defer("description").filter(stock__lt=F("weight") + 5)
    yield lambda: list(Paginator(active.order_by("id"), 20).page(1))
    yield lambda: active.filter(pk__in=Line.objects.values("product").annotate(s=Sum("quantity")).filter(s__gt=1).values("product"))
    yield lambda: active.filter(price=active.order_by("-price").values("price")[:1])
    yield lambda: Product.objects.filter(status="draft").union(Product.objects.filter(stock=0)).order_by("name")
    yield lambda: list(Product.objects.raw("SELECT * FROM shop_product WHERE stock < %s ORDER BY stock", [5]))
    yield lambda: active.annotate(parity=Mod("id", Value(2)), whole=Ceil("price"), diff=Abs(F("stock") - 10)).values("parity", "whole", "diff")
    yield lambda: active.annotate(o=FilteredRelation("reviews", condition=Q(reviews__approved=True))).filter(o__rating__gte=4)
    yield lambda: active.annotate(search=Lower("name")).filter(search__contains="lamp").values_list("id", "name")
    yield lambda: active.filter(sku__regex=r"^L-[0-9]+$")
    yield lambda: active.annotate(sold=Coalesce(Sum("lines__quantity"), 0)).order_by("-sold")[:10]
    # The account.
    yield lambda: Customer.objects.select_related("user").get(email__iexact="Ada@example.test")
    yield lambda: User.objects.get(username="ada")
    yield lambda: User.objects.get(pk=1).get_all_permissions()
    yield lambda: User.objects.get(pk=1).groups.values_list("name", flat=True)
    yield lambda: Session.objects.filter(session_key="k", expire_date__gt=now).first()
    yield lambda: ContentType.objects.get_for_model(Product)
    yield lambda: Permission.objects.filter(content_type__app_label="auth").select_related("content_type").order_by("codename")
    yield lambda: Customer.objects.get(pk=1).orders.order_by("-placed")[:10]
    yield lambda: Customer.objects.get(pk=1).addresses.filter(is_default=True).first()
    yield lambda: Customer.objects.filter(born__month=4, born__day=2)
    yield lambda: Customer.objects.annotate(n=Count("orders"), spent=Sum(F("orders__lines__quantity") * F("orders__lines__unit_price"))).order_by("-spent")[:20]
    yield lambda: Customer.objects.filter(joined__date=dt.date(2024, 1, 1))
    yield lambda: Customer.objects.filter(orders__isnull=True, joined__lt=now - 90 * day)
    yield lambda: Customer.objects.dates("born", "year")
    yield lambda: Order.objects.datetimes("placed", "month", order="DESC")
    # Orders and reports.
    yield lambda: list(Order.objects.filter(status__in=["pending", "paid"]).select_related("customer__user", "address").prefetch_related(
        Prefetch("lines", queryset=Line.objects.select_related("product")))[:50])
    yield lambda: Order.objects.filter(placed__gte=now - 7 * day).aggregate(total=Sum(amount), n=Count("id", distinct=True))
    yield lambda: Order.objects.filter(placed__year=2024).annotate(month=TruncMonth("placed")).values("month").annotate(
        n=Count("id"), total=Sum(amount)).order_by("month")
    yield lambda: Order.objects.annotate(day=TruncDate("placed")).values("day").annotate(n=Count("id")).order_by("-day")[:30]
    yield lambda: Order.objects.annotate(week=TruncWeek("placed")).values("week").annotate(n=Count("id"))
    yield lambda: Order.objects.annotate(hour=ExtractHour("placed")).values("hour").annotate(n=Count("id")).order_by("hour")
    yield lambda: Order.objects.annotate(d=ExtractIsoWeekDay("placed"), y=ExtractYear("placed")).values("y", "d").annotate(n=Count("*"))
    yield lambda: Order.objects.annotate(q=TruncQuarter("placed"), h=TruncHour("placed")).values("q", "h").distinct()
    yield lambda: Order.objects.filter(placed__gt=Now() - dt.timedelta(hours=24)).count()
    yield lambda: Order.objects.filter(shipped=None, placed__lt=now - 3 * day).values_list("id", "number")
    yield lambda: Order.objects.annotate(took=ExpressionWrapper(F("shipped") - F("placed"), output_field=models.DurationField())).aggregate(
        mean=Avg("took"), most=Max("took"))
    yield lambda: Order.objects.values("status", "currency").annotate(n=Count("id")).filter(n__gt=0).order_by("status")
    yield lambda: Order.objects.annotate(first=Window(Min("placed"), partition_by=F("customer"))).values("id", "first")
    yield lambda: Order.objects.annotate(before=Window(Lag("placed"), partition_by=F("customer"), order_by="placed")).values("id", "before")
    yield lambda: Line.objects.values("product__brand__name").annotate(
        sold=Sum("quantity"), turnover=Sum(F("quantity") * F("unit_price") * (1 - Coalesce("discount", Decimal(0))),
                                           output_field=DecimalField())).order_by("-turnover")
    yield lambda: Line.objects.annotate(y=TruncYear("order__placed")).values("y", "product__sku").annotate(s=Sum("quantity")).order_by("y", "-s")
    yield lambda: Line.objects.filter(order__placed__date__gte=dt.date(2024, 1, 1), order__status="paid").aggregate(Sum("quantity"))
    yield lambda: Review.objects.filter(approved=True, product_id=1).select_related("customer").order_by("-created")[:5]
    yield lambda: Review.objects.filter(product_id=1).values("rating").annotate(n=Count("id")).order_by("-rating")
    yield lambda: Review.objects.filter(created__week=12).count()
    yield lambda: Review.objects.annotate(age=Now() - F("created")).values("id", "age")
    yield lambda: Review.objects.annotate(data=JSONObject(title="title", stars="rating")).values_list("data", flat=True)
    yield lambda: Review.objects.latest("created")
    yield lambda: Review.objects.annotate(text=Cast("rating", CharField(max_length=5))).values("text")
    yield lambda: Opening.objects.filter(branch="Ulm", weekday=now.isoweekday(), opens__lte=now.time(), closes__gt=now.time())
    yield lambda: Opening.objects.annotate(h=Extract("opens", "hour")).values("branch", "h")
    yield lambda: Opening.objects.filter(opens__hour__lt=10, lead__gte=dt.timedelta(minutes=15))
    yield lambda: Coupon.objects.filter(code__iexact="may", starts__lte=now, ends__gt=now).first()
    yield lambda: Coupon.objects.filter(starts__lte=Now(), ends__gt=Now())
    yield lambda: Coupon.objects.annotate(open=Case(When(ends__gt=Now(), then=True), default=False, output_field=BooleanField())).values("code", "open")
    if POSTGRES:
        yield from on_postgres(active)


def on_postgres(active):
    from django.contrib.postgres.aggregates import ArrayAgg, BoolOr, JSONBAgg, StringAgg
    from django.contrib.postgres.search import (
        SearchHeadline, SearchQuery, SearchRank, SearchVector, TrigramSimilarity, TrigramWordSimilarity)

    now = timezone.now()
    vector = SearchVector("name", weight="A") + SearchVector("description", weight="B")
    query = SearchQuery("desk lamp", search_type="websearch")
    yield lambda: active.annotate(search=vector).filter(search="lamp")
    yield lambda: active.annotate(rank=SearchRank(vector, query)).filter(rank__gte=0.1).order_by("-rank")[:20]
    yield lambda: active.annotate(search=SearchVector("name", config="english")).filter(search=SearchQuery("lamps", config="english"))
    yield lambda: active.annotate(head=SearchHeadline("description", query, start_sel="<b>", stop_sel="</b>")).values("head")[:5]
    yield lambda: active.filter(name__search="lamp")
    yield lambda: active.annotate(near=TrigramSimilarity("name", "lmap")).filter(near__gt=0.2).order_by("-near")
    yield lambda: active.filter(name__trigram_similar="lmap")
    yield lambda: active.annotate(near=TrigramWordSimilarity("lamp", "name")).order_by("-near")[:5]
    yield lambda: active.filter(brand__name__unaccent="Lumen")
    yield lambda: active.annotate(names=StringAgg("tags__name", ", ", ordering="tags__name"), ids=ArrayAgg("categories__id", distinct=True))
    yield lambda: Order.objects.annotate(items=JSONBAgg("lines__product__name"), cheap=BoolOr(Q(lines__unit_price__lt=5)))
    yield lambda: Order.objects.order_by("customer", "-placed").distinct("customer")
    yield lambda: Coupon.objects.filter(countries__contains=["DE"])
    yield lambda: Coupon.objects.filter(countries__overlap=["DE", "AT"], countries__len__gte=1)
    yield lambda: Coupon.objects.filter(valid__contains=now)
    yield lambda: Coupon.objects.filter(valid__overlap=(now, now + dt.timedelta(days=1)), valid__startswith__lte=now)
    yield lambda: active.filter(attributes__labels__contains=["eco"])


create_extensions = ["pg_trgm", "unaccent"]
if POSTGRES:
    from django.db import connection
    with connection.cursor() as cursor:
        for extension in create_extensions:
            cursor.execute(f"CREATE EXTENSION {extension}")
create(*MODELS)
fill()
reads_begin()
run(reads())
