"""MySQL Connector/Python, unmodified: pure and, where there is one, in C, prepared cursors, pools with session reset, errors."""

import datetime
import os

import mysql.connector
from mysql.connector import pooling

OPTIONS = dict(
    host=os.environ["MYSQL_ADDRESS"],
    port=int(os.environ["MYSQL_PORT"]),
    user=os.environ["MYSQL_LOGIN"],
    password=os.environ["MYSQL_PWD"],
    database=os.environ["MYSQL_SCHEMA"],
    ssl_ca=os.environ["PGSSLROOTCERT"],
    # MariaDB does not know the default of MySQL 9's connector.
    charset="utf8mb4",
    collation="utf8mb4_general_ci",
)


def one(connection, sql, values=(), **options):
    cursor = connection.cursor(**options)
    cursor.execute(sql, values)
    row = cursor.fetchone()
    cursor.fetchall()
    cursor.close()
    return row


# The C extension is not built for every platform.
for pure in (True, False) if mysql.connector.HAVE_CEXT else (True,):
    conn = mysql.connector.connect(**OPTIONS, use_pure=pure)
    other = mysql.connector.connect(**OPTIONS, use_pure=pure, autocommit=True)
    assert one(conn, "SELECT %s + 1, %s, made FROM item WHERE id = 1", (6, "täxt")) == (7, "täxt", datetime.datetime(2026, 1, 1, 1))
    for number in range(10):
        for connection in (conn, other):
            row = one(connection, "SELECT name FROM item WHERE id = %s", (number + 1,), prepared=True)
            assert row == (f"item {number + 1}",), row
    conn.rollback()
    cursor = conn.cursor(prepared=True)
    for number in range(3):
        cursor.execute("INSERT INTO counter (name) VALUES (?)", (f"row {number}",))
    conn.commit()
    assert cursor.lastrowid > 0
    cursor.close()
    conn.start_transaction(isolation_level="READ COMMITTED")
    cursor = conn.cursor()
    cursor.execute("UPDATE account SET balance = 7 WHERE id = 1")
    assert one(other, "SELECT balance FROM account WHERE id = 1") == (100,)
    conn.rollback()
    cursor.callproc("touch", (41,))
    cursor.close()
    try:
        one(conn, "SELECT * FROM nothing")
        raise AssertionError("no error")
    except mysql.connector.ProgrammingError as error:
        assert error.errno == 1146, error
    cursor = conn.cursor(buffered=False)
    cursor.execute("SELECT filler FROM wide")
    assert sum(1 for _ in cursor) == 3000
    cursor.close()
    conn.cmd_reset_connection()
    assert one(conn, "SELECT database()") == (OPTIONS["database"],)
    conn.ping()
    conn.close()
    other.close()

pool = pooling.MySQLConnectionPool(pool_size=3, pool_reset_session=True, use_pure=True, **OPTIONS)
for turn in range(6):
    connection = pool.get_connection()
    assert one(connection, "SELECT @kept IS NULL") == (1,), "the session is reset on its return"
    one(connection, "SELECT @kept := %s", (turn,))
    connection.close()
print("Connector/Python: ok")
