"""psycopg 3, unmodified: automatic preparation, pipeline mode, COPY, server-side cursors, NOTIFY, errors."""

import datetime
import decimal
import os

import psycopg

URL = os.environ["PGURL"]

with psycopg.connect(URL, autocommit=True) as conn, psycopg.connect(URL, autocommit=True) as other:
    row = conn.execute(
        "SELECT %s::int, %s::text, %s::numeric, %s::timestamptz, %s::int[], %s::bytea",
        (7, "text", decimal.Decimal("1.50"), datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc), [1, 2], b"\0\xff"),
    ).fetchone()
    assert row[0] == 7 and row[2] == decimal.Decimal("1.50") and row[4] == [1, 2] and row[5] == b"\0\xff", row
    assert row[3] == datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc), row

    # psycopg prepares by itself at the sixth execution, and names statements per connection.
    for number in range(20):
        for connection in (conn, other):
            name = connection.execute("SELECT name FROM item WHERE id = %s", (number + 1,)).fetchone()[0]
            assert name == f"item {number + 1}", name
    for binary in (False, True):
        cursor = conn.cursor(binary=binary)
        cursor.execute("SELECT id, price, made, tags, extra FROM item WHERE id = %s", (3,), prepare=True)
        assert cursor.fetchone()[:2] == (3, decimal.Decimal("4.50"))

    with conn.transaction():
        conn.execute("UPDATE account SET balance = 10 WHERE id = 1")
        assert other.execute("SELECT balance FROM account WHERE id = 1").fetchone() == (100,)
        with conn.transaction(force_rollback=True):
            conn.execute("UPDATE account SET balance = 0 WHERE id = 1")
    assert other.execute("SELECT balance FROM account WHERE id = 1").fetchone() == (10,)
    conn.execute("UPDATE account SET balance = 100 WHERE id = 1")

    with conn.pipeline() as pipeline:
        cursors = [conn.execute("SELECT %s::int * 2", (n,)) for n in range(50)]
        pipeline.sync()
        assert [cursor.fetchone()[0] for cursor in cursors] == [n * 2 for n in range(50)]
    try:
        with conn.pipeline():
            conn.execute("SELECT 1")
            conn.execute("SELECT 1 / 0")
            conn.execute("SELECT 2")
        raise AssertionError("an error in the pipeline is raised")
    except psycopg.errors.DivisionByZero:
        pass
    assert conn.execute("SELECT 'alive'").fetchone() == ("alive",)

    with conn.cursor() as cursor:
        with cursor.copy("COPY account FROM STDIN") as copy:
            copy.write_row((201, 5))
            copy.write_row((202, 6))
        try:
            with cursor.copy("COPY account FROM STDIN") as copy:
                copy.write_row((203, 5))
                raise ValueError("on purpose")
        except ValueError:
            pass
        with cursor.copy("COPY (SELECT id FROM account WHERE id > 200 ORDER BY id) TO STDOUT") as copy:
            assert [row[0] for row in copy.rows()] == ["201", "202"]
        cursor.execute("DELETE FROM account WHERE id > 200")

    with conn.transaction():
        with conn.cursor(name="server_side") as cursor:
            cursor.itersize = 30
            cursor.execute("SELECT id FROM item ORDER BY id")
            assert [row[0] for row in cursor] == list(range(1, 101))

    conn.execute("LISTEN news")
    other.execute("SELECT pg_notify('news', 'hello')")
    assert next(conn.notifies(timeout=20, stop_after=1)).payload == "hello"
    conn.execute("UNLISTEN *")

    conn.execute("SET TimeZone = 'Asia/Tokyo'")
    assert other.execute("SHOW TimeZone").fetchone() == ("UTC",)
    assert conn.execute("SHOW TimeZone").fetchone() == ("Asia/Tokyo",)
    assert conn.info.timezone.key == "Asia/Tokyo"

    conn.cancel_safe()
    assert conn.info.transaction_status.name == "IDLE"

for mode in ("disable", "require", "verify-ca"):
    options = {"sslrootcert": os.environ["PGSSLROOTCERT"]} if mode == "verify-ca" else {}
    with psycopg.connect(URL, sslmode=mode, **options) as conn:
        assert conn.execute("SELECT count(*) FROM wide").fetchone() == (3000,)
        assert conn.pgconn.ssl_in_use == (mode != "disable")
with psycopg.connect(URL, sslmode="require", channel_binding="require") as conn:
    assert conn.execute("SELECT 1").fetchone() == (1,)
print("psycopg: ok")
