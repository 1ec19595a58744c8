"""PostgreSQL and MySQL on loopback, in folders of their own, that keep every statement they are told."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

import pymysql

POSTGRES = pathlib.Path(os.environ.get("CORPORA_POSTGRES", "/usr/lib/postgresql/15/bin"))
MYSQL = pathlib.Path(os.environ["JUMPGATE_TEST_CACHE"]) / "mysql-9"
MARK = "corpora: reads begin"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(condition, what):
    for _attempt in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise SystemExit(f"{what} does not become ready")


class Postgres:
    """A cluster whose log is JSON, one statement a line."""

    name = "postgres"

    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="corpora-postgres-", dir="/tmp"))
        shutil.chown(self.home, "postgres", "postgres")
        self.port = free_port()
        self.as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        data = self.home / "data"
        subprocess.run(
            [*self.as_user, POSTGRES / "initdb", "-D", data, "-U", "postgres", "--auth=trust",
             "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"],
            check=True, cwd=self.home, stdout=subprocess.DEVNULL)
        settings = {
            "listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "",
            "fsync": "off", "shared_buffers": "32MB", "log_statement": "all", "TimeZone": "UTC",
            "logging_collector": "on", "log_destination": "jsonlog", "log_directory": self.home,
            "log_filename": "statements.log", "log_rotation_size": 0, "log_rotation_age": 0,
            "track_activity_query_size": 65536,
        }
        with open(data / "postgresql.conf", "a") as conf:
            conf.writelines(f"{key} = '{value}'\n" for key, value in settings.items())
        self.process = subprocess.Popen(
            [*self.as_user, POSTGRES / "postgres", "-D", data], cwd=self.home,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.log = self.home / "statements.json"
        ready = [POSTGRES / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        wait_for(lambda: subprocess.run(ready).returncode == 0, "PostgreSQL")

    def run(self, sql, database="postgres"):
        subprocess.run(
            ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-c", sql],
            check=True, stdout=subprocess.DEVNULL)

    def create(self, database):
        self.run(f"CREATE DATABASE {database}")

    def url(self, database):
        return f"postgresql://postgres:postgres@127.0.0.1:{self.port}/{database}"

    def said(self, database):
        """What the server was told in this database behind the mark, parameters as sent."""
        begun = False
        with open(self.log) as lines:
            for line in lines:
                entry = json.loads(line)
                if entry.get("dbname") != database or entry.get("error_severity") != "LOG":
                    continue
                kind, _colon, text = entry["message"].partition(": ")
                if MARK in text:
                    begun = True
                elif begun and (kind == "statement" or kind.startswith("execute ")):
                    yield text

    def schema(self, database):
        dump = subprocess.run(
            [POSTGRES / "pg_dump", "--schema-only", "--no-owner", "--no-privileges", "--no-comments",
             self.url(database)], check=True, capture_output=True, text=True).stdout
        lines = [line for line in dump.splitlines()
                 if line and not line.startswith(("--", "\\", "SET ", "SELECT pg_catalog.set_config"))]
        # Functions may name tables that follow.
        return "\n".join(["SET check_function_bodies = off;", *lines]) + "\n"

    def stop(self):
        self.process.send_signal(2)
        self.process.wait(30)
        shutil.rmtree(self.home)


class Mysql:
    """A server that logs into `mysql.general_log`, where texts keep their lines."""

    name = "mysql"

    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="corpora-mysql-", dir="/tmp"))
        self.port = free_port()
        libraries = MYSQL / "usr/lib/x86_64-linux-gnu"
        server = MYSQL / "usr/sbin/mysqld"
        command = [
            libraries / "ld-linux-x86-64.so.2", "--argv0", server, "--library-path", libraries, server,
            "--no-defaults", "--user=root", f"--datadir={self.home / 'data'}",
            f"--basedir={MYSQL / 'usr'}", f"--lc-messages-dir={MYSQL / 'usr/share/mysql'}",
            f"--plugin-dir={MYSQL / 'usr/lib/mysql/plugin'}", "--mysqlx=OFF", "--skip-log-bin",
            "--secure-file-priv=NULL",
        ]
        subprocess.run([*command, "--initialize-insecure"], check=True, cwd=self.home,
                       stderr=subprocess.DEVNULL)
        self.process = subprocess.Popen(
            [*command, "--bind-address=127.0.0.1", f"--port={self.port}", "--socket=socket",
             "--log-output=TABLE", "--general-log=ON", "--performance-schema=OFF",
             "--default-time-zone=+00:00", "--innodb-flush-log-at-trx-commit=0"],
            cwd=self.home, stderr=open(self.home / "log", "w"))
        wait_for(lambda: "ready for connections" in (self.home / "log").read_text(), "MySQL")
        program = MYSQL / "usr/bin/mysql_tzinfo_to_sql"
        for zone in ("UTC", "Europe/Berlin", "America/New_York"):
            made = subprocess.run(
                [libraries / "ld-linux-x86-64.so.2", "--library-path", libraries, program,
                 f"/usr/share/zoneinfo/{zone}", zone], check=True, capture_output=True, text=True)
            with self.connect("mysql") as connection, connection.cursor() as cursor:
                for statement in made.stdout.split(";\n"):
                    if statement.strip():
                        cursor.execute(statement)

    def connect(self, database=None):
        return pymysql.connect(host="127.0.0.1", port=self.port, user="root", database=database,
                               charset="utf8mb4", autocommit=True)

    def ask(self, sql, database=None):
        with self.connect(database) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def create(self, database):
        self.ask("TRUNCATE mysql.general_log")
        self.ask(f"CREATE DATABASE {database}")

    def url(self, database):
        return f"mysql://root@127.0.0.1:{self.port}/{database}"

    def said(self, _database):
        """What the server was told behind the mark: texts, and what was prepared, with its `?`."""
        begun = False
        for kind, text in self.ask("SELECT command_type, argument FROM mysql.general_log"):
            text = text.decode() if isinstance(text, bytes) else text
            if MARK in text and "general_log" not in text:
                begun = True
            elif begun and kind in ("Query", "Prepare"):
                yield text

    def schema(self, database):
        parts = ["SET foreign_key_checks = 0;"]
        for (name, kind) in self.ask("SHOW FULL TABLES", database):
            made = self.ask(f"SHOW CREATE TABLE `{name}`", database)[0][1]
            parts.append((kind, clean(made) + ";"))
        parts[1:] = [text for _kind, text in sorted(parts[1:], key=lambda part: part[0])]
        return "\n".join(parts) + "\n"

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        shutil.rmtree(self.home)


def clean(definition):
    """Without what only one server or one moment has: collations of MySQL 8, counters, the definer."""
    import re

    definition = re.sub(r" (DEFAULT )?(CHARSET|CHARACTER SET)[= ]\w+", "", definition)
    definition = re.sub(r" COLLATE[= ]\w*0900\w*", "", definition)
    definition = re.sub(r" AUTO_INCREMENT=\d+", "", definition)
    definition = re.sub(r" ALGORITHM=\w+ DEFINER=\S+ SQL SECURITY \w+", "", definition)
    return definition
