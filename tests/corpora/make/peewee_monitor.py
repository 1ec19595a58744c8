"""A monitoring service as peewee reads it: hosts, checks, samples, incidents, maintenance, rosters."""

import datetime as dt
import os
import sys
from urllib.parse import urlsplit

import peewee as pw
from peewee import JOIN, Case, SQL, fn

POSTGRES = os.environ["ENGINE"] == "postgres"
url = urlsplit(os.environ["DATABASE_URL"])
where = {"host": url.hostname, "port": url.port, "user": url.username, "password": url.password or ""}
if POSTGRES:
    from playhouse.postgres_ext import ArrayField, BinaryJSONField, PostgresqlExtDatabase, TSVectorField

    db = PostgresqlExtDatabase(url.path[1:], **where)
    Json = BinaryJSONField
else:
    from playhouse.mysql_ext import JSONField

    db = pw.MySQLDatabase(url.path[1:], **where)
    Json = JSONField


class Base(pw.Model):
    class Meta:
        database = db


class Team(Base):
    name = pw.CharField(unique=True)
    parent = pw.ForeignKeyField("self", null=True, backref="children")


class Host(Base):
    name = pw.CharField(unique=True)
    address = pw.CharField(max_length=45)
    team = pw.ForeignKeyField(Team, backref="hosts")
    enabled = pw.BooleanField(default=True)
    tags = ArrayField(pw.TextField) if POSTGRES else pw.TextField(null=True)
    facts = Json(default={})
    added = pw.DateTimeField(default=dt.datetime.now)


class Check(Base):
    host = pw.ForeignKeyField(Host, backref="checks")
    kind = pw.CharField()
    every = pw.IntegerField(default=60)
    state = pw.CharField(default="ok")
    last_run = pw.TimestampField(null=True, default=None)
    target = pw.CharField(null=True)


class Sample(Base):
    check_ref = pw.ForeignKeyField(Check, backref="samples")
    at = pw.DateTimeField(index=True)
    value = pw.DoubleField()


class Incident(Base):
    check_ref = pw.ForeignKeyField(Check, backref="incidents")
    opened = pw.DateTimeField()
    closed = pw.DateTimeField(null=True)
    severity = pw.SmallIntegerField(default=2)
    summary = pw.TextField()
    cost = pw.DecimalField(max_digits=10, decimal_places=2, null=True)
    if POSTGRES:
        words = TSVectorField(null=True)


class Shift(Base):
    team = pw.ForeignKeyField(Team, backref="shifts")
    person = pw.CharField()
    day = pw.DateField()
    begins = pw.TimeField()
    ends = pw.TimeField()


def fill():
    db.create_tables([Team, Host, Check, Sample, Incident, Shift])
    now = dt.datetime.now()
    team = Team.create(name="core")
    Team.create(name="web", parent=team)
    tags = {"tags": ["db", "prod"]} if POSTGRES else {}
    host = Host.create(name="db1", address="10.0.0.1", team=team, facts={"os": "debian", "cpus": 8}, **tags)
    check = Check.create(host=host, kind="ping", last_run=now)
    Sample.insert_many([(check, now - dt.timedelta(minutes=n), n / 2) for n in range(5)],
                       [Sample.check_ref, Sample.at, Sample.value]).execute()
    Incident.create(check_ref=check, opened=now, summary="Host is down")
    Shift.create(team=team, person="eva", day=now.date(), begins=dt.time(8), ends=dt.time(16))


def reads():
    now = dt.datetime.now()
    ago = lambda **units: now - dt.timedelta(**units)
    latest = Sample.select(fn.MAX(Sample.at)).where(Sample.check_ref == Check.id)
    parent = Team.alias()
    yield Host.select().where(Host.name == "db1")
    yield Host.select(Host, Team).join(Team).where(Host.enabled).order_by(Host.name).paginate(2, 25)
    yield Host.select(fn.COUNT(Host.id)).where(Host.enabled)
    yield Host.select(Host.name, fn.COUNT(Check.id).alias("checks")).join(Check, JOIN.LEFT_OUTER).group_by(Host.name).order_by(SQL("checks").desc())
    yield Host.select().where(Host.name.contains("db") | Host.address.startswith("10."))
    yield Host.select().where(Host.name ** "DB%")
    yield Host.select().where(Host.id.in_(Check.select(Check.host).where(Check.state == "critical")))
    yield Host.select().where(~fn.EXISTS(Check.select().where(Check.host == Host.id)))
    yield Host.select(Host.team, fn.COUNT("*").alias("n")).group_by(Host.team).having(fn.COUNT("*") > 0)
    yield Host.select().where(Host.added > ago(days=30), Host.team << [1, 2])
    yield Host.select(fn.LOWER(Host.name), fn.COALESCE(Host.address, "-"))
    yield Team.select(Team.name, parent.name.alias("above")).join(parent, JOIN.LEFT_OUTER, on=(Team.parent == parent.id))
    base = Team.select(Team.id, Team.name, pw.Value(0).alias("depth")).where(Team.parent.is_null()).cte("tree", recursive=True)
    step = Team.select(Team.id, Team.name, (base.c.depth + 1).alias("depth")).join(base, on=(Team.parent == base.c.id))
    tree = base.union_all(step)
    yield tree.select_from(tree.c.name, tree.c.depth).order_by(tree.c.depth)
    yield Check.select(Check, Host, Team).join(Host).join(Team).where(Check.state != "ok").order_by(Check.id)
    yield Check.select(Check.state, fn.COUNT(Check.id)).group_by(Check.state)
    yield Check.select().where(Check.last_run.is_null() | (Check.last_run < ago(minutes=5)))
    yield Check.select(Check.id, latest.alias("at"))
    yield Check.select(Check.kind).distinct()
    yield Check.select(Case(None, [(Check.every < 60, "often"), (Check.every < 600, "normal")], "rare").alias("pace"), fn.COUNT(Check.id)).group_by(SQL("pace"))
    yield Sample.select().where(Sample.check_ref == 1, Sample.at.between(ago(hours=1), now)).order_by(Sample.at)
    yield Sample.select(fn.AVG(Sample.value), fn.MIN(Sample.value), fn.MAX(Sample.value)).where(Sample.check_ref == 1)
    yield Sample.select().where(Sample.check_ref == 1).order_by(Sample.at.desc()).limit(1)
    yield Sample.select(Sample.at.hour.alias("hour"), fn.AVG(Sample.value)).group_by(Sample.at.hour)
    yield Sample.select(fn.DATE(Sample.at).alias("day"), fn.COUNT(Sample.id)).group_by(fn.DATE(Sample.at)).order_by(SQL("day"))
    yield Sample.select(Sample.at.truncate("day") if POSTGRES else fn.DATE_FORMAT(Sample.at, "%Y-%m-%d %H:00"), fn.SUM(Sample.value)).group_by(SQL("1"))
    yield Sample.select(Sample.at, Sample.value, fn.AVG(Sample.value).over(partition_by=[Sample.check_ref], order_by=[Sample.at], start=pw.Window.preceding(5)))
    yield Sample.select(Sample.id, fn.ROW_NUMBER().over(partition_by=[Sample.check_ref], order_by=[Sample.at.desc()]).alias("place"))
    yield Sample.select(fn.STDDEV(Sample.value), fn.COUNT(Sample.id))
    yield Sample.select().where(Sample.at > fn.NOW() - SQL("INTERVAL '1' HOUR"))
    yield Incident.select().where(Incident.closed.is_null()).order_by(Incident.severity.desc(), Incident.opened)
    yield Incident.select(Incident, Check, Host).join(Check).join(Host).where(Incident.opened >= ago(days=7)).limit(20)
    yield Incident.select(Incident.severity, fn.COUNT("*"), fn.SUM(Incident.cost)).group_by(Incident.severity)
    yield Incident.select(Incident.opened.year, Incident.opened.month, fn.COUNT("*")).group_by(Incident.opened.year, Incident.opened.month)
    yield Incident.select().where(Incident.summary.contains("down")).order_by(Incident.id.desc())
    yield Incident.select(Incident.id).where(Incident.severity > 1) | Incident.select(Incident.id).where(Incident.closed.is_null())
    yield Incident.select(fn.COUNT(fn.DISTINCT(Incident.check_ref))).where(Incident.opened.year == 2026)
    yield Shift.select().where(Shift.day == now.date(), Shift.begins <= now.time(), Shift.ends > now.time())
    yield Shift.select(Shift.person, fn.MIN(Shift.begins), fn.MAX(Shift.ends)).group_by(Shift.person)
    yield Shift.select().where(Shift.day == SQL("CURRENT_DATE"))
    if POSTGRES:
        yield Host.select().where(Host.tags.contains("prod"))
        yield Host.select().where(Host.facts.contains({"os": "debian"}))
        yield Host.select(Host.facts["os"].alias("os"), fn.COUNT("*")).group_by(Host.facts["os"])
        yield Host.select(fn.ARRAY_LENGTH(Host.tags, 1), fn.ARRAY_TO_STRING(Host.tags, ","))
        yield Incident.select(fn.EXTRACT(SQL("EPOCH FROM AVG(closed - opened)")))
        yield Incident.select().where(SQL("to_tsvector('english', summary) @@ to_tsquery('english', %s)", ["host & down"]))
        yield Incident.select().where(Incident.words.match("down"))
        yield Incident.select(fn.TO_CHAR(Incident.opened, "YYYY-WW"), fn.COUNT("*")).group_by(SQL("1"))
        yield Incident.select(fn.STRING_AGG(Incident.summary, "; "))
        yield Sample.select(fn.date_trunc("minute", Sample.at).alias("minute"), fn.AVG(Sample.value)).group_by(SQL("minute")).order_by(SQL("minute"))
        yield Sample.select().distinct(Sample.check_ref).order_by(Sample.check_ref, Sample.at.desc())
        yield Check.select(SQL("now() - (SELECT max(at) FROM sample)"))
        yield Shift.select(Shift.person, fn.SUM(Shift.ends - Shift.begins)).group_by(Shift.person)
    else:
        yield Host.select(fn.JSON_EXTRACT(Host.facts, "$.os"))
        yield Incident.select(fn.AVG(fn.TIMESTAMPDIFF(SQL("MINUTE"), Incident.opened, Incident.closed)))
        yield Incident.select(fn.GROUP_CONCAT(Incident.summary))
        yield Incident.select(fn.YEARWEEK(Incident.opened), fn.COUNT("*")).group_by(SQL("1"))
        yield Shift.select(Shift.person, fn.SUM(fn.TIME_TO_SEC(fn.TIMEDIFF(Shift.ends, Shift.begins)))).group_by(Shift.person)
        yield Shift.select(fn.TIME_FORMAT(Shift.begins, "%H:%i"), Shift.person)
        yield Sample.select(fn.FLOOR(fn.UNIX_TIMESTAMP(Sample.at) / 300).alias("slot"), fn.AVG(Sample.value)).group_by(SQL("slot"))
        yield Check.select(fn.FROM_UNIXTIME(Check.last_run))


db.connect()
fill()
db.execute_sql(os.environ["MARK"])
failed = 0
for number, query in enumerate(reads()):
    try:
        list(query.tuples())
    except Exception as error:
        print(f"read {number}: {error}"[:600], file=sys.stderr)
        failed = 1
host = Host.get(Host.name == "db1")
list(host.checks), host.team.name, host.checks.count(), Host.get_or_none(Host.id == 99)
list(pw.prefetch(Host.select(), Check.select(), Sample.select()))
sys.exit(failed)
