#!/usr/bin/env python3
"""Makes the corpora anew: runs each generator on a fresh database, and keeps the reads that the server was told.

`make.py [SOURCE ...]` makes those of the named sources only, and leaves the others as they are.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

import servers

HERE = pathlib.Path(__file__).resolve().parent
CORPORA = HERE.parent
CACHE = pathlib.Path(os.environ["JUMPGATE_TEST_CACHE"])
NODE = ["node"]
RUBY = ["ruby"]
PYTHON = [CACHE / "corpora-python-1/bin/python"]
PHP = ["php"]

# The source, its application, what runs it, and on which engines.
BOTH = ("postgres", "mysql")
GENERATORS = [
    ("django", "shop", [*PYTHON, HERE / "django_shop.py"], BOTH),
    ("sqlalchemy", "saas", [*PYTHON, HERE / "sqlalchemy_saas.py"], BOTH),
    ("knex", "warehouse", [*NODE, HERE / "knex_warehouse.js"], BOTH),
    ("activerecord", "forum", [*RUBY, HERE / "activerecord_forum.rb"], BOTH),
    ("sequel", "ledger", [*RUBY, HERE / "sequel_ledger.rb"], BOTH),
    ("drizzle", "social", [*NODE, HERE / "drizzle_social.js"], BOTH),
    ("sequelize", "tracker", [*NODE, HERE / "sequelize_tracker.js"], BOTH),
    ("typeorm", "school", [*NODE, HERE / "typeorm_school.js"], BOTH),
    ("kysely", "analytics", [*NODE, HERE / "kysely_analytics.js"], BOTH),
    ("prisma", "booking", [*NODE, HERE / "prisma_booking.js"], BOTH),
    ("mikro-orm", "crm", [*NODE, HERE / "mikro_crm.js"], BOTH),
    ("doctrine", "cms", [*PHP, HERE / "doctrine_cms.php"], BOTH),
    ("peewee", "monitor", [*PYTHON, HERE / "peewee_monitor.py"], BOTH),
    ("tortoise", "library", [*PYTHON, HERE / "tortoise_library.py"], BOTH),
    ("handwritten", "web", [*PYTHON, HERE / "handwritten.py"], BOTH),
]

FAILED = []
READ = re.compile(r"^[\s(]*(select|with|values|table)\b", re.IGNORECASE)
COMMENT = re.compile(r"^\s*(/\*.*?\*/|--[^\n]*\n)", re.DOTALL)
LOCK = re.compile(r"\bfor\s+(no\s+key\s+)?(update|share|key\s+share)\b|lock\s+in\s+share\s+mode", re.IGNORECASE)
WRITE = re.compile(r"\b(insert\s+into|update\s+\S+\s+set|delete\s+from)\b", re.IGNORECASE)
# What drivers and ORMs ask of the server itself is no read of an application.
INTROSPECTION = re.compile(
    r"\bpg_catalog\.pg_|\bpg_(class|type|namespace|attribute|index|constraint|enum|range|advisory\w*|try_advisory\w*)\b"
    r"|information_schema|@@|\bversion\(\)|^\s*select\s+(1|database\(\)|connection_id\(\)|current_schema\(?s?\)?)\s*;?\s*$"
    r"|get_lock|set_config|last_insert_id|currval|mysql\.general_log|row_count\(",
    re.IGNORECASE)


def shape(text):
    """What two texts have in common that differ in constants, parameters and lengths of lists only."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    text = re.sub(r"'(?:[^'\\]|''|\\.)*'", "?", text)
    text = re.sub(r"\$\d+|\b\d+(?:\.\d+)?\b|%s", "?", text)
    text = re.sub(r"\?(?:\s*,\s*\?)+", "?", text)
    text = re.sub(r"\(\s*\?\s*\)(?:\s*,\s*\(\s*\?\s*\))+", "(?)", text)
    return re.sub(r"\s+", " ", text).strip().rstrip(";").lower()


def is_read(text):
    bare = text
    while COMMENT.match(bare):
        bare = COMMENT.sub("", bare, count=1)
    return bool(READ.match(bare)) and not (
        LOCK.search(bare) or WRITE.search(bare) or INTROSPECTION.search(bare))


def generate(server, source, app, command):
    database = f"{source}_{app}".replace("-", "_")
    server.create(database)
    environment = {
        **os.environ,
        "ENGINE": server.name, "DATABASE_URL": server.url(database), "DATABASE": database,
        "DB_PORT": str(server.port), "MARK": f"SELECT '{servers.MARK}'",
        "NODE_PATH": str(CACHE / "corpora-node-1/node_modules"), "TZ": "UTC",
        "CORPORA_NODE": str(CACHE / "corpora-node-1"),
    }
    if subprocess.run(command, env=environment, cwd=HERE).returncode:
        FAILED.append(database)
    texts = [text for text in server.said(database) if is_read(text)]
    folder = CORPORA / "schemas" / server.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{database}.sql").write_text(server.schema(database))
    return [{"source": source, "app": app, "sql": text} for text in texts]


def main():
    wanted = set(sys.argv[1:])
    engines = {"postgres": servers.Postgres, "mysql": servers.Mysql}
    only = os.environ.get("ENGINES", "postgres mysql").split()
    for engine, start in engines.items():
        mine = [g for g in GENERATORS if engine in g[3] and (not wanted or g[0] in wanted)]
        if engine not in only or not mine:
            continue
        path = CORPORA / f"{engine}.jsonl"
        remade = {(source, app) for source, app, _command, _engines in mine}
        old = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        order = [(source, app) for source, app, _command, _engines in GENERATORS]
        entries = [entry for entry in old if (entry["source"], entry["app"]) in order
                   and (entry["source"], entry["app"]) not in remade]
        server = start()
        try:
            for source, app, command, _engines in mine:
                said = generate(server, source, app, command)
                entries.extend(said)
        finally:
            server.stop()
        entries.sort(key=lambda entry: order.index((entry["source"], entry["app"])))
        kept, seen, counts = [], set(), {}
        for entry in entries:
            key = shape(entry["sql"])
            if key not in seen:
                seen.add(key)
                kept.append(entry)
                counts[entry["source"]] = counts.get(entry["source"], 0) + 1
        path.write_text("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in kept))
        print(engine, len(kept), counts)
    if FAILED:
        raise SystemExit(f"not everything ran: {FAILED}")


if __name__ == "__main__":
    main()
