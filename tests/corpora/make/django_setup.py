"""Django without a project around it: settings from the environment, tables of models given."""

import os
import sys
import types
from urllib.parse import urlsplit

import django
from django.conf import settings

ENGINE = os.environ["ENGINE"]
POSTGRES = ENGINE == "postgres"


def configure(app, **options):
    """Settings with an application of this name, whose models its caller defines afterwards."""
    module = types.ModuleType(app)
    module.__path__ = [os.path.dirname(__file__)]
    sys.modules[app] = module
    if not POSTGRES:
        import pymysql

        pymysql.version_info = (2, 2, 4, "final", 0)
        pymysql.install_as_MySQLdb()
    url = urlsplit(os.environ["DATABASE_URL"])
    settings.configure(
        SECRET_KEY="corpora", USE_TZ=True, TIME_ZONE="Europe/Berlin",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", app,
                        *(["django.contrib.postgres"] if POSTGRES else [])],
        DATABASES={"default": {
            "ENGINE": f"django.db.backends.{'postgresql' if POSTGRES else 'mysql'}",
            "NAME": url.path[1:], "USER": url.username, "PASSWORD": url.password or "",
            "HOST": url.hostname, "PORT": url.port,
            "OPTIONS": options if POSTGRES else {"charset": "utf8mb4"},
        }})
    django.setup()


def create(*models):
    """The tables of Django's own applications and of these models."""
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        for model in models:
            editor.create_model(model)


def reads_begin():
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(os.environ["MARK"])


def run(reads):
    """Runs each read to its end; what it is about is its name."""
    failed = 0
    for number, read in enumerate(reads):
        try:
            result = read()
            if result is not None and not isinstance(result, (int, str, bool, dict, float)):
                if hasattr(result, "__iter__"):
                    list(result)
        except Exception as error:
            print(f"read {number}: {error!r}"[:600], file=sys.stderr)
            failed = 1
    sys.exit(failed)
