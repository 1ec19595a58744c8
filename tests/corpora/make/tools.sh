#!/usr/bin/env bash
# Installs what `make.py` runs, into the folder that the tests keep their tools in; what is there already is left alone.
set -euo pipefail
: "${JUMPGATE_TEST_CACHE:?the folder of the tests, as in CONTRIBUTING.md}"
cd "$JUMPGATE_TEST_CACHE"

apt-get install -y --no-install-recommends postgresql postgresql-client python3-venv nodejs npm \
  ruby-activerecord ruby-sequel ruby-sequel-pg ruby-pg ruby-mysql2 php-cli php-doctrine-orm php-symfony-cache php-pgsql php-mysql

if [ ! -e corpora-python-1/bin/python ]; then
  python3 -m venv corpora-python-1
  corpora-python-1/bin/pip install -q django==5.2.* sqlalchemy==2.0.* peewee==4.5.* tortoise-orm==1.1.* \
    'psycopg[binary]==3.3.*' psycopg2-binary asyncpg==0.32.* asyncmy PyMySQL==1.2.* cryptography
fi

npm_into() {
  mkdir -p "$1"
  (cd "$1" && shift && npm install -E --no-audit --no-fund --loglevel=error --ignore-scripts "$@")
}
[ -e corpora-node-1/node_modules/prisma ] || npm_into corpora-node-1 \
  drizzle-orm@0.45.4 kysely@0.29.9 knex@3.2.9 objection@3.1.5 sequelize@6.37.8 typeorm@1.1.1 \
  reflect-metadata@0.2.2 pg@8.23.1 mysql2@3.24.6 prisma@7.10.0 @prisma/client@7.10.0 \
  @prisma/adapter-pg@7.10.0 @prisma/adapter-mariadb@7.10.0
# MikroORM 7 wants a newer Node.js than Debian's.
[ -e corpora-node-1/mikro/node_modules/@mikro-orm ] || npm_into corpora-node-1/mikro \
  @mikro-orm/core@6.6.16 @mikro-orm/knex@6.6.16 @mikro-orm/postgresql@6.6.16 @mikro-orm/mysql@6.6.16

# MySQL 9, as the tests themselves install it.
[ -e mysql-9.done ] || (cd "$OLDPWD" && ./run prepare)
