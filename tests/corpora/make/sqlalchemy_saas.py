"""A multi-tenant service as SQLAlchemy 2 reads it: tenants, members and roles, projects, tasks, invoices, usage."""

import datetime as dt
import decimal
import enum
import os
import sys
import uuid

import sqlalchemy as sa
from sqlalchemy import (
    ForeignKey, String, Text, and_, case, cast, distinct, exists, extract, func, literal, or_, select, text, tuple_, union_all)
from sqlalchemy.orm import (
    DeclarativeBase, Mapped, Session, aliased, contains_eager, joinedload, mapped_column, raiseload, relationship,
    selectinload, subqueryload, with_loader_criteria)

POSTGRES = os.environ["ENGINE"] == "postgres"
URL = os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:").replace("mysql:", "mysql+pymysql:")
if POSTGRES:
    from sqlalchemy.dialects import postgresql as pg

    Json, Email, Address, Stamp = pg.JSONB, pg.CITEXT, pg.INET, sa.TIMESTAMP(timezone=True)
else:
    from sqlalchemy.dialects import mysql as my

    Json, Email, Address, Stamp = sa.JSON, String(190), String(45), my.DATETIME(fsp=6)


class Role(enum.Enum):
    owner = "owner"
    admin = "admin"
    member = "member"
    guest = "guest"


class State(enum.Enum):
    todo = "todo"
    doing = "doing"
    done = "done"


class Base(DeclarativeBase):
    pass


def utcnow():
    return dt.datetime.now(dt.timezone.utc)


class Tenant(Base):
    __tablename__ = "tenants"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    slug: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    plan: Mapped[str] = mapped_column(String(20), default="free")
    settings: Mapped[dict] = mapped_column(Json, default=dict)
    trial_ends: Mapped[dt.date | None]
    created_at: Mapped[dt.datetime] = mapped_column(Stamp, default=utcnow)
    members: Mapped[list["Member"]] = relationship(back_populates="tenant")
    projects: Mapped[list["Project"]] = relationship(back_populates="tenant")


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    email: Mapped[str] = mapped_column(Email, unique=True)
    full_name: Mapped[str] = mapped_column(String(120))
    last_ip: Mapped[str | None] = mapped_column(Address)
    last_seen: Mapped[dt.datetime | None] = mapped_column(Stamp)
    is_active: Mapped[bool] = mapped_column(default=True)
    memberships: Mapped[list["Member"]] = relationship(back_populates="user")


class Member(Base):
    __tablename__ = "members"
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    role: Mapped[Role]
    invited_at: Mapped[dt.datetime] = mapped_column(Stamp, default=utcnow)
    tenant: Mapped[Tenant] = relationship(back_populates="members")
    user: Mapped[User] = relationship(back_populates="memberships")


class Project(Base):
    __tablename__ = "projects"
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str] = mapped_column(String(160))
    archived_at: Mapped[dt.datetime | None] = mapped_column(Stamp)
    due: Mapped[dt.date | None]
    budget: Mapped[decimal.Decimal | None] = mapped_column(sa.Numeric(12, 2))
    tenant: Mapped[Tenant] = relationship(back_populates="projects")
    tasks: Mapped[list["Task"]] = relationship(back_populates="project")


class Task(Base):
    __tablename__ = "tasks"
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("tasks.id"))
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[State] = mapped_column(default=State.todo)
    priority: Mapped[int] = mapped_column(default=3)
    estimate: Mapped[dt.timedelta | None] = mapped_column(sa.Interval)
    labels: Mapped[list] = mapped_column(pg.ARRAY(String(30)) if POSTGRES else sa.JSON, default=list)
    due_at: Mapped[dt.datetime | None] = mapped_column(Stamp)
    created_at: Mapped[dt.datetime] = mapped_column(Stamp, default=utcnow)
    if POSTGRES:
        document: Mapped[str] = mapped_column(
            pg.TSVECTOR, sa.Computed("to_tsvector('english', title || ' ' || body)", persisted=True), deferred=True)
    project: Mapped[Project] = relationship(back_populates="tasks")
    assignee: Mapped[User | None] = relationship()
    comments: Mapped[list["Comment"]] = relationship(back_populates="task", order_by="Comment.created_at")
    children: Mapped[list["Task"]] = relationship()


class Comment(Base):
    __tablename__ = "comments"
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"))
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[dt.datetime] = mapped_column(Stamp, server_default=func.now())
    task: Mapped[Task] = relationship(back_populates="comments")
    author: Mapped[User] = relationship()


class Invoice(Base):
    __tablename__ = "invoices"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"))
    number: Mapped[str] = mapped_column(String(20))
    issued: Mapped[dt.date]
    paid_on: Mapped[dt.date | None]
    net: Mapped[decimal.Decimal] = mapped_column(sa.Numeric(12, 2))
    tax_rate: Mapped[decimal.Decimal] = mapped_column(sa.Numeric(4, 3), default=decimal.Decimal("0.19"))
    tenant: Mapped[Tenant] = relationship()


class Usage(Base):
    __tablename__ = "usage_events"
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"))
    kind: Mapped[str] = mapped_column(String(40))
    amount: Mapped[int] = mapped_column(sa.BigInteger)
    at: Mapped[dt.datetime] = mapped_column(Stamp)
    payload: Mapped[dict] = mapped_column(Json, default=dict)


class ApiKey(Base):
    __tablename__ = "api_keys"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list] = mapped_column(Json, default=list)
    expires_at: Mapped[dt.datetime | None] = mapped_column(Stamp)
    revoked: Mapped[bool] = mapped_column(default=False)


EXTRAS = """
CREATE TABLE bookings (id bigserial PRIMARY KEY, tenant_id uuid NOT NULL REFERENCES tenants, room text NOT NULL,
    during tstzrange NOT NULL, price money, seats int4range);
CREATE VIEW open_tasks AS SELECT t.id, t.title, p.tenant_id, t.due_at FROM tasks t JOIN projects p ON p.id = t.project_id
    WHERE t.state <> 'done';
CREATE VIEW overdue_tasks AS SELECT t.id, t.title, now() - t.due_at AS late FROM tasks t WHERE t.due_at < now();
CREATE VIEW my_invoices AS SELECT * FROM invoices WHERE tenant_id = current_setting('app.tenant')::uuid;
CREATE MATERIALIZED VIEW monthly_usage AS SELECT tenant_id, date_trunc('month', at) AS month, sum(amount) AS amount
    FROM usage_events GROUP BY 1, 2;
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON api_keys USING (tenant_id = current_setting('app.tenant', true)::uuid);
"""


def fill(session):
    acme = Tenant(slug="acme", name="Acme", settings={"theme": "dark", "limits": {"seats": 10}, "flags": ["beta"]})
    user = User(email="Ada@example.test", full_name="Ada L", last_ip="10.0.0.1", last_seen=utcnow())
    session.add(Member(tenant=acme, user=user, role=Role.owner))
    project = Project(tenant=acme, name="Launch", due=dt.date(2026, 1, 31), budget=decimal.Decimal("900.50"))
    task = Task(project=project, title="Write words", body="many", labels=["docs", "hot"], assignee=user,
                due_at=utcnow(), estimate=dt.timedelta(hours=3))
    session.add_all([task, Comment(task=task, author=user, body="Soon")])
    session.flush()
    session.add_all([
        Task(project=project, title="Proof-read", parent_id=task.id, state=State.done),
        Invoice(tenant=acme, number="2026-1", issued=dt.date(2026, 1, 2), net=decimal.Decimal("100.00")),
        Usage(tenant_id=acme.id, kind="api", amount=12, at=utcnow(), payload={"path": "/v1", "ms": 12}),
        ApiKey(tenant_id=acme.id, digest="d" * 64, scopes=["read", "write"], expires_at=utcnow())])
    session.commit()
    return acme.id


def reads(s, tenant):
    now = utcnow()
    ago = lambda **units: now - dt.timedelta(**units)
    of_tenant = Project.tenant_id == tenant
    yield select(Tenant).where(Tenant.slug == "acme")
    yield select(User).where(User.email == "ada@example.test", User.is_active)
    yield select(User).where(func.lower(User.email) == "ada@example.test")
    yield select(Member).options(joinedload(Member.tenant)).where(Member.user_id == 1)
    yield select(Member.role).where(Member.user_id == 1, Member.tenant_id == tenant)
    yield select(Member).options(joinedload(Member.user)).where(Member.role.in_([Role.owner, Role.admin])).order_by(Member.invited_at)
    yield select(User).where(User.memberships.any(Member.role == Role.admin))
    yield select(Project).where(of_tenant, Project.archived_at.is_(None)).order_by(Project.name).limit(20).offset(40)
    yield select(Project).options(selectinload(Project.tasks).selectinload(Task.comments)).where(of_tenant)
    yield select(Project).options(subqueryload(Project.tasks)).where(of_tenant).limit(5)
    yield select(Task).options(joinedload(Task.project).joinedload(Project.tenant), joinedload(Task.assignee)).where(Task.id == 1)
    yield select(Task).join(Task.project).options(contains_eager(Task.project)).where(of_tenant, Task.state != State.done)
    yield select(func.count()).select_from(Task).join(Project).where(of_tenant)
    yield select(func.count()).select_from(select(Task).where(Task.priority > 2).subquery())
    yield select(Task.state, func.count().label("n")).group_by(Task.state)
    yield select(Task.state, func.count(Task.id), func.avg(Task.priority)).join(Project).where(of_tenant).group_by(Task.state).having(func.count(Task.id) > 0)
    yield select(Project.name, func.sum(case((Task.state == State.done, 1), else_=0))).outerjoin(Project.tasks).group_by(Project.name)
    yield select(Task).where(Task.title.ilike("%word%"))
    yield select(Task).where(Task.title.icontains("50%", autoescape=True))
    yield select(Task).where(or_(Task.title.startswith("Wri"), Task.body.contains("many"))).order_by(Task.priority.desc(), Task.created_at)
    yield select(Task).where(tuple_(Task.created_at, Task.id) < (now, 100)).order_by(Task.created_at.desc(), Task.id.desc()).limit(25)
    yield select(Task).where(Task.due_at < now, Task.state != State.done)
    yield select(Task).where(Task.due_at < func.now(), Task.state != State.done)
    yield select(Task).where(Task.due_at.between(now, now + dt.timedelta(days=7)))
    yield select(Task.id, func.coalesce(User.full_name, "nobody")).outerjoin(Task.assignee)
    yield select(Task.id, (User.full_name + " <" + cast(User.email, String(200)) + ">").label("who")).join(Task.assignee)
    yield select(func.concat(Project.name, ": ", Task.title)).join(Task.project)
    yield select(exists().where(Task.project_id == 1, Task.state == State.todo))
    yield select(Project).where(~Project.tasks.any())
    parent = aliased(Task)
    yield select(Task.title, parent.title).join(parent, Task.parent_id == parent.id)
    tree = select(Task.id, Task.parent_id, literal(0).label("depth")).where(Task.parent_id.is_(None)).cte("tree", recursive=True)
    tree = tree.union_all(select(Task.id, Task.parent_id, tree.c.depth + 1).join(tree, Task.parent_id == tree.c.id))
    yield select(tree.c.depth, func.count()).group_by(tree.c.depth)
    yield select(Task).join(tree, tree.c.id == Task.id).order_by(tree.c.depth)
    newest = select(Comment, func.row_number().over(partition_by=Comment.task_id, order_by=Comment.created_at.desc()).label("place")).subquery()
    yield select(newest).where(newest.c.place <= 3)
    yield select(Task.id, Task.title, func.rank().over(order_by=Task.priority), func.lag(Task.due_at).over(order_by=Task.due_at))
    yield select(Invoice.number, Invoice.net, func.sum(Invoice.net).over(order_by=Invoice.issued, rows=(None, 0)))
    yield select(Invoice).where(Invoice.paid_on.is_(None), Invoice.issued < dt.date.today() - dt.timedelta(days=30))
    yield select(Invoice).where(Invoice.paid_on.is_(None), Invoice.issued < func.current_date())
    yield select(func.sum(Invoice.net * (1 + Invoice.tax_rate)), func.max(Invoice.issued)).where(Invoice.tenant_id == tenant)
    yield select(extract("year", Invoice.issued), extract("month", Invoice.issued), func.sum(Invoice.net)).group_by(
        extract("year", Invoice.issued), extract("month", Invoice.issued))
    yield select(func.round(func.avg(Invoice.net), 2), func.count(distinct(Invoice.tenant_id)))
    yield select(cast(Usage.at, sa.Date).label("day"), func.sum(Usage.amount)).where(Usage.at >= ago(days=30)).group_by(cast(Usage.at, sa.Date))
    yield select(func.date(Usage.at), Usage.kind, func.sum(Usage.amount)).group_by(func.date(Usage.at), Usage.kind)
    yield select(extract("hour", Usage.at).label("hour"), func.count()).where(Usage.tenant_id == tenant).group_by(text("hour"))
    yield select(Usage.kind, func.sum(Usage.amount)).where(Usage.at >= ago(hours=1)).group_by(Usage.kind).order_by(func.sum(Usage.amount).desc())
    yield select(Usage.payload["path"].as_string().label("path"), func.count()).group_by(text("path"))
    yield select(Usage).where(Usage.payload["ms"].as_integer() > 10)
    yield select(Tenant).where(Tenant.settings["limits"]["seats"].as_integer() >= 5)
    yield select(Tenant.name).where(Tenant.trial_ends < dt.date.today())
    yield select(Tenant, select(func.count()).select_from(Member).where(Member.tenant_id == Tenant.id).correlate(Tenant).scalar_subquery())
    yield select(Tenant.slug).where(Tenant.id.in_(select(Invoice.tenant_id).where(Invoice.paid_on.is_(None))))
    yield select(ApiKey).where(ApiKey.digest == "d" * 64, ~ApiKey.revoked, or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now))
    yield select(ApiKey).where(ApiKey.digest == "d" * 64, or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()))
    yield union_all(select(literal("task").label("kind"), Task.id, Task.created_at), select(literal("comment"), Comment.id, Comment.created_at)).order_by(text("created_at DESC")).limit(20)
    yield select(User).where(User.last_seen > ago(minutes=5)).options(raiseload("*"))
    yield select(func.count(distinct(User.id))).where(User.last_seen >= ago(days=1))
    yield select(Task).options(with_loader_criteria(Project, Project.archived_at.is_(None)), selectinload(Task.project))
    yield select(func.nullif(Task.body, ""), func.length(Task.title), func.upper(Task.title))
    yield select(func.coalesce(func.sum(Usage.amount), 0)).where(Usage.tenant_id == tenant, Usage.kind == "api", Usage.at >= now.replace(day=1))
    yield text("SELECT p.name, count(*) AS open FROM projects p JOIN tasks t ON t.project_id = p.id WHERE t.priority >= :least GROUP BY p.name ORDER BY open DESC").bindparams(least=2)
    yield select(User.id, func.min(Comment.created_at), func.max(Comment.created_at)).join(Comment, Comment.author_id == User.id).group_by(User.id)
    if POSTGRES:
        yield from on_postgres(tenant, now)
    else:
        yield from on_mysql(tenant)


def on_postgres(tenant, now):
    yield select(Project.id, Project.name, func.count(Task.id).filter(Task.state == State.done).label("done"),
                 func.count(Task.id).label("total")).outerjoin(Task).group_by(Project.id)
    yield select(Task).where(Task.document.bool_op("@@")(func.websearch_to_tsquery("english", "words")))
    yield select(Task).where(Task.document.bool_op("@@")(func.websearch_to_tsquery("words")))
    query = func.plainto_tsquery("english", "words")
    yield select(Task.id, func.ts_rank(Task.document, query).label("rank")).where(Task.document.bool_op("@@")(query)).order_by(text("rank DESC")).limit(10)
    yield select(func.ts_headline("english", Task.body, func.to_tsquery("english", "many"))).limit(5)
    yield select(Task).where(func.to_tsvector("english", Task.title).bool_op("@@")(func.plainto_tsquery("english", "words")))
    yield select(Task).where(Task.title.match("words"))
    yield select(Task).where(Task.labels.contains(["hot"]))
    yield select(Task).where(Task.labels.overlap(["hot", "docs"]))
    yield select(Task).where(literal("hot") == sa.any_(Task.labels))
    yield select(func.unnest(Task.labels).label("label"), func.count()).group_by(text("label")).order_by(func.count().desc())
    yield select(func.array_length(Task.labels, 1), func.array_to_string(Task.labels, ", "))
    yield select(Task.project_id, func.array_agg(pg.aggregate_order_by(Task.title, Task.priority))).group_by(Task.project_id)
    yield select(Project.id, func.string_agg(Task.title, ", ")).join(Task).group_by(Project.id)
    yield select(Project.id, func.json_agg(func.json_build_object("id", Task.id, "title", Task.title))).join(Task).group_by(Project.id)
    yield select(func.jsonb_agg(func.jsonb_build_object("id", Task.id, "due", Task.due_at)))
    yield select(func.to_jsonb(Project.budget), func.row_to_json(text("projects"))).select_from(Project)
    yield select(func.date_trunc("day", Usage.at).label("day"), func.sum(Usage.amount)).where(Usage.tenant_id == tenant).group_by(text("day")).order_by(text("day"))
    yield select(func.date_trunc("month", Invoice.issued), func.sum(Invoice.net)).group_by(text("1"))
    yield select(func.to_char(Invoice.issued, "YYYY-MM"), func.count()).group_by(text("1"))
    yield select(func.date_trunc("hour", func.timezone("Europe/Paris", Usage.at)), func.count()).group_by(text("1"))
    yield select(Usage).where(Usage.at > func.now() - text("interval '1 hour'"))
    yield select(Usage).where(Usage.at > func.now() - dt.timedelta(days=7)).limit(100)
    yield select(func.percentile_cont(0.95).within_group(Usage.amount)).where(Usage.kind == "api")
    yield select(func.mode().within_group(Usage.kind), func.width_bucket(Usage.amount, 0, 100, 10)).group_by(text("2"))
    yield select(Task).distinct(Task.project_id).order_by(Task.project_id, Task.created_at.desc())
    yield select(Tenant).where(Tenant.settings.contains({"theme": "dark"}))
    yield select(Tenant).where(Tenant.settings.has_key("flags"), Tenant.settings["flags"].contains(["beta"]))
    yield select(func.jsonb_path_query(Tenant.settings, cast("$.limits.seats", pg.JSONPATH)))
    yield select(func.jsonb_array_elements_text(Tenant.settings["flags"]))
    yield select(Task.estimate, func.justify_hours(func.sum(Task.estimate))).group_by(Task.estimate)
    yield select(func.age(Task.created_at), Task.id)
    yield select(func.extract("epoch", Task.due_at - Task.created_at))
    yield text("SELECT day::date, count(u.id) FROM generate_series(cast(:a AS date), cast(:b AS date), interval '1 day') AS day LEFT JOIN usage_events u ON u.at::date = day::date GROUP BY 1 ORDER BY 1").bindparams(a=dt.date(2026, 1, 1), b=dt.date(2026, 1, 31))
    yield text("SELECT id, room FROM bookings WHERE during && tstzrange(:a, :b) ORDER BY lower(during)").bindparams(a=now, b=now + dt.timedelta(hours=1))
    yield text("SELECT room, sum(price), max(upper(during)) FROM bookings WHERE during @> CAST(:at AS timestamptz) AND seats @> 2 GROUP BY room").bindparams(at=now)
    yield text("SELECT * FROM open_tasks WHERE tenant_id = :t ORDER BY due_at NULLS LAST").bindparams(t=tenant)
    yield text("SELECT * FROM overdue_tasks LIMIT 10")
    yield text("SELECT * FROM my_invoices")
    yield text("SELECT p.* FROM projects p WHERE p.tenant_id = current_setting('app.tenant')::uuid ORDER BY p.name")
    yield text("SELECT month, amount FROM monthly_usage WHERE tenant_id = :t").bindparams(t=tenant)
    yield text("SELECT t.slug, l.title FROM tenants t CROSS JOIN LATERAL (SELECT k.title FROM tasks k JOIN projects p ON p.id = k.project_id WHERE p.tenant_id = t.id ORDER BY k.created_at DESC LIMIT 3) l")
    yield text("SELECT kind, count(*) FILTER (WHERE at >= now() - interval '1 day') AS today, count(*) AS total FROM usage_events GROUP BY GROUPING SETS ((kind), ())")
    yield select(User).where(User.last_ip.op("<<")(cast("10.0.0.0/8", pg.INET)))
    yield select(Member.role, func.count()).group_by(Member.role).order_by(Member.role)


def on_mysql(tenant):
    yield select(func.date_format(Invoice.issued, "%Y-%m"), func.sum(Invoice.net)).group_by(text("1"))
    yield select(func.year(Invoice.issued), func.month(Invoice.issued), func.count()).group_by(text("1, 2"))
    yield select(Project.id, func.group_concat(Task.title)).join(Task).group_by(Project.id)
    yield select(Task).where(func.json_contains(Task.labels, '"hot"'))
    yield select(func.json_arrayagg(func.json_object("id", Task.id, "title", Task.title))).where(Task.project_id == 1)
    yield select(func.json_unquote(func.json_extract(Tenant.settings, "$.theme")))
    yield select(func.ifnull(User.last_ip, "-"), func.concat_ws(" ", User.full_name, User.email))
    yield select(Task).where(Task.due_at < func.date_add(func.now(), text("INTERVAL 7 DAY")))
    yield select(Task).where(Task.due_at < func.utc_timestamp())
    yield select(func.datediff(Invoice.paid_on, Invoice.issued), func.dayofweek(Invoice.issued))
    yield select(func.timestampdiff(text("HOUR"), Task.created_at, Task.due_at))
    yield select(func.unix_timestamp(Usage.at), Usage.amount).limit(10)
    yield select(func.sum(func.if_(Task.state == State.done, 1, 0)))
    yield select(Task).where(Task.title.regexp_match("^Wr"))
    yield select(func.from_unixtime(func.floor(func.unix_timestamp(Usage.at) / 3600) * 3600).label("slot"), func.sum(Usage.amount)).group_by(text("slot"))
    yield text("SELECT DATE(at) AS day, COUNT(*) FROM usage_events WHERE at >= CURDATE() - INTERVAL 30 DAY GROUP BY day WITH ROLLUP")
    yield text("SELECT COUNT(*) FROM invoices WHERE YEARWEEK(issued, 1) = YEARWEEK(CURDATE(), 1)")


def statement_columns(statement):
    return statement.column_descriptions if isinstance(statement, sa.Select) else []


def is_entity(column):
    return isinstance(column["expr"], type)


engine = sa.create_engine(URL)
with engine.begin() as connection:
    if POSTGRES:
        connection.execute(text("CREATE EXTENSION citext"))
    Base.metadata.create_all(connection)
    if POSTGRES:
        connection.exec_driver_sql(EXTRAS)
with Session(engine) as session:
    tenant = fill(session)
with engine.connect() as connection:
    connection.exec_driver_sql(os.environ["MARK"])
if POSTGRES:
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(f"SET LOCAL app.tenant = '{tenant}'"))
failed = 0
for statement in reads(None, tenant):
    with Session(engine) as session:
        try:
            result = session.execute(statement)
            (result.unique() if any(map(is_entity, statement_columns(statement))) else result).all()
        except Exception as error:
            print(f"{error}"[:600], file=sys.stderr)
            failed = 1
with Session(engine) as session:
    session.get(Task, 1).comments
    session.get(Tenant, tenant).members[0].user.memberships
    session.get(Project, 1).tasks[0].assignee
    session.get(Task, 1).children
sys.exit(failed)
