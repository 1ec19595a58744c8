#!/bin/bash
# Makes images under the names that docker-compose.yml uses, from Debian's packages, for a machine
# that reaches no image registry. Needs root, debootstrap and a running dockerd.
set -euo pipefail
cd "$(dirname "$0")"

debian="${DEBIAN_IMAGE:-debian:bookworm-slim}"
postgres="${POSTGRES_IMAGE:-postgres:18}"
mysql="${MYSQL_IMAGE:-mysql:9}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The mirror that this machine's apt uses.
# shellcheck disable=SC2016  # apt expands it.
mirror=$(apt-get indextargets --format '$(REPO_URI)' | awk '!/security/ && !found++')
packages=ca-certificates,openssl,postgresql,mariadb-server-core,mariadb-client-core
debootstrap --variant=minbase --include=$packages bookworm \
  "$work/root" "$mirror"
tar -C "$work/root" -c --exclude='./var/cache/apt/archives/*.deb' . | docker import - "$debian"

mkdir "$work/postgres" "$work/mysql"
cp postgres-stand-in.sh "$work/postgres/docker-entrypoint.sh"
cat >"$work/postgres/Dockerfile" <<DOCKERFILE
FROM $debian
COPY docker-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
RUN chmod 755 /usr/local/bin/docker-entrypoint.sh && mkdir -p /docker-entrypoint-initdb.d \
 && ln -s /usr/lib/postgresql/*/bin/postgres /usr/local/bin/postgres
DOCKERFILE
docker build -t "$postgres" "$work/postgres"

# Debian 12 has MariaDB and no MySQL; it reads the same options.
cp mysql-stand-in.sh "$work/mysql/docker-entrypoint.sh"
cat >"$work/mysql/Dockerfile" <<DOCKERFILE
FROM $debian
COPY docker-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
RUN chmod 755 /usr/local/bin/docker-entrypoint.sh \
 && useradd --system --home-dir /var/lib/mysql --shell /usr/sbin/nologin mysql \
 && install -d -o mysql -g mysql /var/lib/mysql
DOCKERFILE
docker build -t "$mysql" "$work/mysql"
