"""PyMySQL, unmodified: autocommit off as its default, cursors, many rows, files, errors, TLS."""

import datetime
import decimal
import os
import tempfile

import pymysql
import pymysql.constants.CLIENT as CLIENT

OPTIONS = dict(
    host=os.environ["MYSQL_ADDRESS"],
    port=int(os.environ["MYSQL_PORT"]),
    user=os.environ["MYSQL_LOGIN"],
    password=os.environ["MYSQL_PWD"],
    database=os.environ["MYSQL_SCHEMA"],
)


def one(connection, sql, values=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()


for extra in ({}, {"ssl": {"ca": os.environ["PGSSLROOTCERT"]}}):
    conn = pymysql.connect(**OPTIONS, **extra)
    other = pymysql.connect(**OPTIONS, autocommit=True, **extra)
    row = one(conn, "SELECT %s, %s, CAST(%s AS DECIMAL(5,2)), NULL, made FROM item WHERE id = 1", (7, "täxt", "1.50"))
    assert row == (7, "täxt", decimal.Decimal("1.50"), None, datetime.datetime(2026, 1, 1, 1)), row
    conn.commit()
    for number in range(10):
        for connection in (conn, other):
            assert one(connection, "SELECT name FROM item WHERE id = %s", (number + 1,)) == (f"item {number + 1}",)
    conn.commit()
    # autocommit is off: a statement opens a transaction.
    one(conn, "UPDATE account SET balance = 5 WHERE id = 1")
    assert one(other, "SELECT balance FROM account WHERE id = 1") == (100,)
    conn.rollback()
    one(conn, "UPDATE account SET balance = 6 WHERE id = 1")
    conn.commit()
    assert one(other, "SELECT balance FROM account WHERE id = 1") == (6,)
    one(other, "UPDATE account SET balance = 100 WHERE id = 1")
    with conn.cursor() as cursor:
        assert cursor.executemany("INSERT INTO counter (name) VALUES (%s)", [("a",), ("b",), ("c",)]) == 3
        cursor.callproc("two_sets")
        assert cursor.fetchall() == ((1,),)
        assert cursor.nextset() and len(cursor.fetchall()) == 2
    conn.commit()
    for sql, code in (("SELECT * FROM nothing", 1146), ("SELEKT 1", 1064), ("INSERT INTO account VALUES (1, 1)", 1062)):
        try:
            one(conn, sql)
            raise AssertionError("no error")
        except pymysql.err.MySQLError as error:
            assert error.args[0] == code, error
    conn.rollback()
    with conn.cursor(pymysql.cursors.SSCursor) as cursor:
        cursor.execute("SELECT filler FROM wide")
        assert sum(1 for _ in cursor) == 3000
    conn.select_db("other")
    assert one(conn, "SELECT name FROM thing") == ("from other",)
    conn.ping(reconnect=False)
    conn.close()
    other.close()

many = pymysql.connect(**OPTIONS, local_infile=True, client_flag=CLIENT.MULTI_STATEMENTS, autocommit=True)
with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file, many.cursor() as cursor:
    file.write("".join(f"{n}\tname {n}\n" for n in range(100, 1100)))
    file.flush()
    assert cursor.execute(f"LOAD DATA LOCAL INFILE '{file.name}' INTO TABLE legacy") == 1000
    cursor.execute("DELETE FROM legacy WHERE id >= 100; SELECT count(*) FROM legacy")
    assert cursor.nextset() and cursor.fetchone() == (2,)
many.close()

try:
    pymysql.connect(**{**OPTIONS, "password": "wrong"})
    raise AssertionError("a wrong password")
except pymysql.err.OperationalError as error:
    assert error.args[0] == 1045, error
print("PyMySQL: ok")
