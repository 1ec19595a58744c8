#!/bin/bash
# The part of the official mysql image's entry point that docker-compose.yml uses, with Debian's
# MariaDB, for the local image that CONTRIBUTING.md shows how to make where no image registry is
# reachable.
set -euo pipefail
shift # The compose file says mysqld.
data=/var/lib/mysql/data
init=/run/secrets-of-mysql/init.sql
chown mysql: /var/lib/mysql
if [ ! -e "$data/mysql" ]; then
  log=/run/secrets-of-mysql/install.log
  mariadb-install-db --no-defaults --datadir="$data" --user=mysql --skip-test-db >$log ||
    { cat $log >&2; exit 1; }
  user="$MYSQL_USER@'%'"
  printf '%s;\n' "ALTER USER root@localhost IDENTIFIED BY '$(cat "$MYSQL_ROOT_PASSWORD_FILE")'" \
    "CREATE DATABASE IF NOT EXISTS $MYSQL_DATABASE" \
    "CREATE USER IF NOT EXISTS $user IDENTIFIED BY '$(cat "$MYSQL_PASSWORD_FILE")'" \
    "GRANT ALL ON $MYSQL_DATABASE.* TO $user" >"$init"
  chown mysql: "$init"
  set -- "$@" --init-file="$init"
fi
exec mariadbd --no-defaults --user=mysql --datadir="$data" --socket=/run/secrets-of-mysql/socket \
  --bind-address=0.0.0.0 "$@"
