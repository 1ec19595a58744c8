"""PyMySQL with its defaults, by which whatever is read is read in a transaction at REPEATABLE READ."""

import os

import pymysql

OPTIONS = dict(
    host=os.environ["MYSQL_ADDRESS"],
    port=int(os.environ["MYSQL_PORT"]),
    user=os.environ["MYSQL_LOGIN"],
    password=os.environ["MYSQL_PWD"],
    database=os.environ["MYSQL_SCHEMA"],
)


def read(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, balance FROM account ORDER BY id")
        return cursor.fetchall()


for turn in range(3):
    conn = pymysql.connect(**OPTIONS)
    for _read in range(5):
        assert read(conn) == ((1, 100), (2, 100)), read(conn)
    conn.commit()
    conn.close()
conn = pymysql.connect(**OPTIONS)
with conn.cursor() as cursor:
    cursor.execute("UPDATE account SET balance = 7 WHERE id = 1")
for _read in range(5):
    assert read(conn) == ((1, 7), (2, 100)), read(conn)
conn.rollback()
assert read(conn) == ((1, 100), (2, 100)), read(conn)

print("PyMySQL: ok")
