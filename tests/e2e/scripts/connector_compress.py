"""MySQL Connector/Python with compress=True, pure and in C."""

import os

import mysql.connector

OPTIONS = dict(
    host=os.environ["MYSQL_ADDRESS"],
    port=int(os.environ["MYSQL_PORT"]),
    user=os.environ["MYSQL_LOGIN"],
    password=os.environ["MYSQL_PWD"],
    database=os.environ["MYSQL_SCHEMA"],
    ssl_ca=os.environ["PGSSLROOTCERT"],
    charset="utf8mb4",
    collation="utf8mb4_general_ci",
    compress=True,
)

for pure in (True, False) if mysql.connector.HAVE_CEXT else (True,):
    for tls in (True, False):
        conn = mysql.connector.connect(**OPTIONS, use_pure=pure, ssl_disabled=not tls)
        for turn in range(2):
            cursor = conn.cursor()
            cursor.execute("SELECT id, filler FROM wide ORDER BY id")
            rows = cursor.fetchall()
            assert len(rows) == 3000 and rows[2999][1] == "J" * 1000
            text = "täxt " * 200_000
            cursor.execute("SELECT %s", (text,))
            assert cursor.fetchone()[0] == text
            cursor.close()
            prepared = conn.cursor(prepared=True)
            prepared.execute("SELECT name FROM item WHERE id = %s", (turn + 1,))
            assert prepared.fetchall() == [(f"item {turn + 1}",)]
            prepared.close()
        conn.cmd_reset_connection()
        conn.ping()
        conn.close()

print("compressed: ok")
