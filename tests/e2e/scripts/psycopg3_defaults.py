"""psycopg 3 with its defaults, by which whatever is read is read in a transaction."""

import os

import psycopg

with psycopg.connect(os.environ["PGURL"]) as conn:
    for turn in range(2):
        for _read in range(5):
            rows = conn.execute("SELECT id, balance FROM account ORDER BY id").fetchall()
            assert rows == [(1, 100), (2, 100)], rows
        conn.commit()
    conn.execute("UPDATE account SET balance = 7 WHERE id = 1")
    for _read in range(5):
        rows = conn.execute("SELECT id, balance FROM account ORDER BY id").fetchall()
        assert rows == [(1, 7), (2, 100)], rows
    conn.rollback()
    assert conn.execute("SELECT balance FROM account WHERE id = 1").fetchone() == (100,)

print("psycopg: ok")
