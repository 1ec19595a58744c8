"""asyncpg, unmodified: a client that must look up types before it can read its rows."""

import asyncio
import os

import asyncpg


async def main():
    conn = await asyncpg.connect(os.environ["PGURL"])
    pair = await conn.fetchval("SELECT ROW(1, 'x')::pair /* jumpgate: no-cache */")
    assert (pair["a"], pair["b"]) == (1, "x"), pair
    await conn.close()


asyncio.run(main())
print("looked up")
