"""asyncpg, unmodified: its own statement cache, introspection of types, COPY, cursors, transactions, LISTEN."""

import asyncio
import datetime
import os
import ssl

import asyncpg

URL = os.environ["PGURL"]


async def main():
    conn, other = await asyncpg.connect(URL), await asyncpg.connect(URL)
    row = await conn.fetchrow(
        "SELECT $1::int, $2::text, $3::timestamptz, $4::int[], $5::bytea, $6::interval",
        7, "text", datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc), [1, 2], b"\0\xff", datetime.timedelta(hours=3),
    )
    assert row[0] == 7 and row[3] == [1, 2] and row[4] == b"\0\xff" and row[5] == datetime.timedelta(hours=3), row

    # Types that asyncpg must look up in the catalog first.
    pair = await conn.fetchval("SELECT ROW(1, 'x')::pair")
    assert (pair["a"], pair["b"]) == (1, "x"), pair
    assert await conn.fetchval("SELECT ARRAY['sad', 'ok']::mood[]") == ["sad", "ok"]
    assert await conn.fetchval("SELECT '[1,5)'::int4range") == asyncpg.Range(1, 5)
    await conn.set_type_codec("jsonb", encoder=str, decoder=lambda text: "decoded " + text, schema="pg_catalog")
    assert await conn.fetchval("SELECT '{}'::jsonb") == "decoded {}"

    for number in range(1, 21):
        for connection in (conn, other):
            assert await connection.fetchval("SELECT name FROM item WHERE id = $1", number) == f"item {number}"
    statement = await conn.prepare("SELECT $1::int + 1")
    assert [await statement.fetchval(n) for n in range(10)] == list(range(1, 11))
    assert statement.get_parameters()[0].name == "int4"

    transaction = conn.transaction()
    await transaction.start()
    await conn.execute("UPDATE account SET balance = 10 WHERE id = 2")
    assert await other.fetchval("SELECT balance FROM account WHERE id = 2") == 100
    await transaction.commit()
    assert await other.fetchval("SELECT balance FROM account WHERE id = 2") == 10
    await conn.execute("UPDATE account SET balance = 100 WHERE id = 2")
    try:
        async with conn.transaction():
            await conn.execute("SELECT 1 / 0")
    except asyncpg.DivisionByZeroError:
        pass
    assert await conn.fetchval("SELECT 'alive'") == "alive"

    await conn.copy_records_to_table("account", records=[(301, 5), (302, 6)])
    assert await conn.fetchval("SELECT count(*) FROM account WHERE id > 300") == 2
    await conn.execute("DELETE FROM account WHERE id > 300")
    await conn.executemany("INSERT INTO account VALUES ($1, $2)", [(n, n) for n in range(310, 330)])
    assert await conn.fetchval("SELECT count(*) FROM account WHERE id > 300") == 20
    await conn.execute("DELETE FROM account WHERE id > 300")

    async with conn.transaction():
        assert [row["id"] async for row in conn.cursor("SELECT id FROM item ORDER BY id", prefetch=30)] == list(range(1, 101))

    heard = asyncio.get_running_loop().create_future()
    await conn.add_listener("news", lambda _conn, _pid, _channel, payload: heard.set_result(payload))
    await other.execute("NOTIFY news, 'hello'")
    assert await asyncio.wait_for(heard, 20) == "hello"
    await conn.reset()

    try:
        await asyncio.wait_for(conn.execute("SELECT pg_sleep(60)"), 0.3)
        raise AssertionError("the timeout cancels")
    except asyncio.TimeoutError:
        pass
    assert await conn.fetchval("SELECT 'alive'") == "alive"

    pool = await asyncpg.create_pool(URL, min_size=2, max_size=8)
    values = await asyncio.gather(*(pool.fetchval("SELECT $1::int * 2", n) for n in range(100)))
    assert values == [n * 2 for n in range(100)]
    await pool.close()

    context = ssl.create_default_context(cafile=os.environ["PGSSLROOTCERT"])
    secure = await asyncpg.connect(URL, ssl=context)
    assert await secure.fetchval("SELECT count(*) FROM wide") == 3000
    for connection in (secure, other, conn):
        await connection.close()


asyncio.run(main())
print("asyncpg: ok")
