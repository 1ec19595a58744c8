#!/bin/bash
# Tells the control node of docker-compose.yml what there is, once, with the tools that a person has: first the tunnel, whose
# token the connector needs; then, through it, the databases.
set -euo pipefail
umask 077

OUT="${OUT:-}"
JUMPGATE_API_TOKEN=$(cat "$OUT/setup/admin.token")
export JUMPGATE_API_URL="${JUMPGATE_API_URL:-http://control:8787}" JUMPGATE_API_TOKEN

# keep FILE KEY: keeps what a JSON answer has under this key.
keep() {
  sed -n "s/^ *\"$2\": *\"\([^\"]*\)\".*/\1/p" >"$1.new"
  test -s "$1.new"
  mv "$1.new" "$1"
}

# config NAME SCHEME HOST:PORT PASSWORD_FILE PUBLISHED_PORT
config() {
  local name="$1" scheme="$2" service="$3" password="$4" port="$5"
  if [ ! -e "$OUT/clients/$name" ]; then
    # One that was begun: its client's password is told only once.
    jumpgate delete "$name" >/dev/null 2>&1 || true
    jumpgate create "$name" --tunnel office --hostname "$name.jumpgate.test" --service "tcp://$service" \
      --scheme "$scheme" --database "$name" --user "$name" --password-file "$OUT/setup/$password" \
      --sslmode verify-ca --ca-certificate-id "$(cat "$OUT/setup/authority")" --min-idle 1 --json |
      keep "$OUT/clients/$name" connection_string
  fi
  # Where it is published this time.
  sed -i "s/@[^/]*/@127.0.0.1:$port/" "$OUT/clients/$name"
}

case "$1" in
tunnel)
  test -s "$OUT/connector/tunnel.token" || jumpgate tunnel create office --out "$OUT/connector/tunnel.token"
  ;;
databases)
  if [ ! -e "$OUT/setup/authority" ]; then
    jumpgate cert delete database-ca >/dev/null 2>&1 || true
    jumpgate cert upload database-ca --certificate "$OUT/setup/database-ca.crt" --json |
      keep "$OUT/setup/authority" id
  fi
  config app postgres database:5432 origin-password "${JUMPGATE_PORT:-6432}"
  config shop mysql mysql:3306 mysql-origin-password "${JUMPGATE_MYSQL_PORT:-6306}"
  ;;
esac
# For those who may know it.
chown -R 10001 "$OUT/connector" "$OUT/clients"
