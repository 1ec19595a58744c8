#!/bin/bash
# The part of the official postgres image's entry point that docker-compose.yml uses, for the local
# image that CONTRIBUTING.md shows how to make where no image registry is reachable.
set -euo pipefail
if [ "$(id -u)" -eq 0 ]; then
  chown postgres: /var/lib/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
PGDATA=/var/lib/postgresql/data
if [ ! -e "$PGDATA/PG_VERSION" ]; then
  initdb -D "$PGDATA" -U postgres --pwfile="$POSTGRES_PASSWORD_FILE" --auth-host=scram-sha-256 >/dev/null
  pg_ctl -D "$PGDATA" -s -w -o "-c listen_addresses=''" start
  createdb -U postgres "$POSTGRES_DB"
  for script in /docker-entrypoint-initdb.d/*.sql; do
    psql -X -q -v ON_ERROR_STOP=1 -U postgres -d "$POSTGRES_DB" -f "$script"
  done
  pg_ctl -D "$PGDATA" -s -w stop
fi
exec "$@" -D "$PGDATA" -c listen_addresses='*'
