"""The jobs of Python drivers, unmodified: each time a new client, from before it connects until it has closed.

Arguments: how often each job is measured, then DRIVER/JOB=KEY for each, KEY the first row that it asks for. Each round
is done at both of LATENCY_PORTS, the near and the far one. Says one JSON object for each job, with its times or its error.
"""

import asyncio
import json
import os
import ssl
import sys
from time import perf_counter

CA = os.environ["LATENCY_CA"]
HOST = os.environ["LATENCY_HOST"]
NEAR, FAR = (int(port) for port in os.environ["LATENCY_PORTS"].split())
PORT = NEAR
USER = os.environ["LATENCY_USER"]
PASSWORD = os.environ["LATENCY_PASSWORD"]
DATABASE = os.environ["LATENCY_DATABASE"]

SELECT = "SELECT name FROM jumpgate_latency WHERE id = %s"
UPDATE = "UPDATE jumpgate_latency SET hits = hits + 1 WHERE id = %s"

# Until then modules are read; where the pool is behind, it has a connection.
WARM_UP = 2

JOBS = {}


def job(name):
    """The function is the job DRIVER/JOB; a module that it needs is read in its first, unmeasured, round."""

    def keep(function):
        JOBS[name] = function
        return function

    return keep


def named(key, row):
    assert row[0] == f"value of {key}", (key, row)


def one(count):
    assert count == 1, count


# psycopg 3


def psycopg(**options):
    import psycopg

    return psycopg.connect(
        host=HOST, port=PORT, user=USER, password=PASSWORD, dbname=DATABASE, sslmode="verify-full", sslrootcert=CA, **options
    )


@job("psycopg 3/autocommit, query")
def psycopg_autocommit(key):
    with psycopg(autocommit=True) as connection:
        named(key, connection.execute(SELECT, (key,)).fetchone())


@job("psycopg 3/transaction, select")
def psycopg_select(key):
    with psycopg() as connection:
        named(key, connection.execute(SELECT, (key,)).fetchone())


@job("psycopg 3/transaction, update")
def psycopg_update(key):
    with psycopg() as connection:
        one(connection.execute(UPDATE, (key,)).rowcount)


# asyncpg


def asyncpg_options():
    trusted = ssl.create_default_context(cafile=CA)
    return {"host": HOST, "port": PORT, "user": USER, "password": PASSWORD, "database": DATABASE, "ssl": trusted}


def asyncpg(work):
    import asyncpg

    async def run():
        connection = await asyncpg.connect(**asyncpg_options())
        await work(connection)
        await connection.close()

    LOOP.run_until_complete(run())


LOOP = asyncio.new_event_loop()
FETCH, WRITE = SELECT.replace("%s", "$1"), UPDATE.replace("%s", "$1")


@job("asyncpg/fetch, close")
def asyncpg_fetch(key):
    async def work(connection):
        named(key, (await connection.fetch(FETCH, key))[0])

    asyncpg(work)


@job("asyncpg/fetch of an enum, close")
def asyncpg_enum(key):
    async def work(connection):
        sql = "SELECT name, mood FROM jumpgate_latency WHERE id = $1"
        named(key, (await connection.fetch(sql, key))[0])

    asyncpg(work)


@job("asyncpg/transaction, select")
def asyncpg_select(key):
    async def work(connection):
        async with connection.transaction():
            named(key, (await connection.fetch(FETCH, key))[0])

    asyncpg(work)


@job("asyncpg/transaction, update")
def asyncpg_update(key):
    async def work(connection):
        async with connection.transaction():
            assert await connection.execute(WRITE, key) == "UPDATE 1"

    asyncpg(work)


@job("asyncpg/fetch, given back to its pool")
def asyncpg_pool(key):
    import asyncpg

    async def run():
        async with asyncpg.create_pool(**asyncpg_options(), min_size=1, max_size=1) as pool:
            async with pool.acquire() as connection:
                named(key, (await connection.fetch(FETCH, key))[0])

    LOOP.run_until_complete(run())


# SQLAlchemy: an engine of its own each time, as in a process that has just started


def sqlalchemy(driver, key, statement, **connect_args):
    from sqlalchemy import URL, create_engine, text
    from sqlalchemy.orm import Session

    url = URL.create(driver, USER, PASSWORD, HOST, PORT, DATABASE)
    engine = create_engine(url, connect_args=connect_args)
    with Session(engine) as session:
        result = session.execute(text(statement.replace("%s", ":key")), {"key": key})
        if statement is SELECT:
            named(key, result.one())
        else:
            one(result.rowcount)
            session.commit()
    engine.dispose()


@job("sqlalchemy (psycopg)/session, query")
def sqlalchemy_select(key):
    sqlalchemy("postgresql+psycopg", key, SELECT, sslmode="verify-full", sslrootcert=CA)


@job("sqlalchemy (psycopg)/session, update")
def sqlalchemy_update(key):
    sqlalchemy("postgresql+psycopg", key, UPDATE, sslmode="verify-full", sslrootcert=CA)


@job("sqlalchemy (pymysql)/session, query")
def sqlalchemy_mysql_select(key):
    sqlalchemy("mysql+pymysql", key, SELECT, ssl_ca=CA)


@job("sqlalchemy (pymysql)/session, update")
def sqlalchemy_mysql_update(key):
    sqlalchemy("mysql+pymysql", key, UPDATE, ssl_ca=CA)


# Django, over psycopg


def django():
    """The model, its settings made the first time."""
    import django
    from django.conf import settings
    from django.db import models

    if not settings.configured:
        tls = {"sslmode": "verify-full", "sslrootcert": CA}
        place = {"ENGINE": "django.db.backends.postgresql", "NAME": DATABASE, "USER": USER, "OPTIONS": tls}
        place |= {"PASSWORD": PASSWORD, "HOST": HOST}
        places = {str(port): place | {"PORT": port} for port in (NEAR, FAR)}
        settings.configure(DATABASES=places | {"default": {}})
        django.setup()

        class Item(models.Model):
            id = models.IntegerField(primary_key=True)
            name = models.CharField(max_length=50)
            hits = models.IntegerField()

            class Meta:
                app_label = "latency"
                db_table = "jumpgate_latency"

        django.item = Item
    return django.item


@job("django/query")
def django_select(key):
    from django.db import connections

    item = django()
    named(key, [item.objects.using(str(PORT)).get(pk=key).name])
    connections[str(PORT)].close()


@job("django/ATOMIC_REQUESTS, select")
def django_atomic_select(key):
    from django.db import connections, transaction

    item = django()
    # What the setting puts around a view.
    with transaction.atomic(using=str(PORT)):
        named(key, [item.objects.using(str(PORT)).get(pk=key).name])
    connections[str(PORT)].close()


@job("django/ATOMIC_REQUESTS, update")
def django_atomic_update(key):
    from django.db import connections, models, transaction

    item = django()
    with transaction.atomic(using=str(PORT)):
        one(item.objects.using(str(PORT)).filter(pk=key).update(hits=models.F("hits") + 1))
    connections[str(PORT)].close()


# PyMySQL


def pymysql(work):
    import pymysql

    connection = pymysql.connect(host=HOST, port=PORT, user=USER, password=PASSWORD, database=DATABASE, ssl_ca=CA)
    with connection, connection.cursor() as cursor:
        work(connection, cursor)


def ask(cursor, key):
    cursor.execute(SELECT, (key,))
    named(key, cursor.fetchone())


def write(cursor, key):
    cursor.execute(UPDATE, (key,))
    one(cursor.rowcount)


def in_transaction(work, begin):
    def run(connection, cursor):
        begin(connection)
        work(cursor)
        connection.commit()

    return run


@job("pymysql/query")
def pymysql_query(key):
    pymysql(lambda _connection, cursor: ask(cursor, key))


@job("pymysql/transaction, select")
def pymysql_select(key):
    pymysql(in_transaction(lambda cursor: ask(cursor, key), lambda connection: connection.begin()))


@job("pymysql/transaction, update")
def pymysql_update(key):
    pymysql(in_transaction(lambda cursor: write(cursor, key), lambda connection: connection.begin()))


# MySQL Connector/Python


def connector(work, **cursor_options):
    import mysql.connector

    connection = mysql.connector.connect(
        host=HOST, port=PORT, user=USER, password=PASSWORD, database=DATABASE, ssl_ca=CA, ssl_verify_cert=True
    )
    cursor = connection.cursor(**cursor_options)
    work(connection, cursor)
    cursor.close()
    connection.close()


@job("mysql-connector-python/query")
def connector_query(key):
    connector(lambda _connection, cursor: ask(cursor, key))


@job("mysql-connector-python/prepared query")
def connector_prepared(key):
    connector(lambda _connection, cursor: ask(cursor, key), prepared=True)


@job("mysql-connector-python/transaction, select")
def connector_select(key):
    connector(in_transaction(lambda cursor: ask(cursor, key), lambda connection: connection.start_transaction()))


@job("mysql-connector-python/transaction, update")
def connector_update(key):
    connector(in_transaction(lambda cursor: write(cursor, key), lambda connection: connection.start_transaction()))


def time(port, work, key):
    global PORT
    PORT = port
    begun = perf_counter()
    work(key)
    return (perf_counter() - begun) * 1e3


def main():
    rounds = int(sys.argv[1])
    for asked in sys.argv[2:]:
        name, first = asked.rsplit("=", 1)
        driver, what = name.split("/", 1)
        try:
            keys = range(int(first), int(first) + WARM_UP + rounds)
            both = [(time(NEAR, JOBS[name], key), time(FAR, JOBS[name], key)) for key in keys][WARM_UP:]
            said = {"near": [near for near, _ in both], "far": [far for _, far in both]}
        except Exception as error:  # whatever a driver raises is what is to be told
            said = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({"driver": driver, "job": what} | said), flush=True)


if __name__ == "__main__":
    main()
