#!/bin/bash
# Makes what the parts of docker-compose.yml must know, once. Each volume gets only what its reader
# needs: the proxy never sees the tunnel's secret, nor the connector the service token.
set -euo pipefail
umask 077

OUT="${1:-/out}"
JUMPGATE_UID=10001
ACCOUNT=0123456789abcdef0123456789abcdef
TUNNEL=6f2d3a52-1c1f-4a39-9d4e-2f1c5b7a8e90

# What to connect with, at the ports that are published this time. It comes last: it says that all the rest is there.
connection_strings() {
  printf 'mysql://shop:%s@127.0.0.1:%s/shop\n' "$(cat "$OUT/proxy/mysql-client-password")" \
    "${JUMPGATE_MYSQL_PORT:-6306}" >"$OUT/proxy/mysql-connection-string"
  printf 'postgres://app:%s@127.0.0.1:%s/app\n' "$(cat "$OUT/proxy/client-password")" \
    "${JUMPGATE_PORT:-6432}" >"$OUT/proxy/connection-string"
  chown -R "$JUMPGATE_UID" "$OUT/proxy"
}

if [ -e "$OUT/proxy/connection-string" ]; then
  connection_strings
  echo "secrets: made before"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

new=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650)

# authority NAME: NAME-ca.crt and NAME-ca.key
authority() {
  "${new[@]}" -subj "/CN=jumpgate compose $1" -keyout "$1-ca.key" -out "$1-ca.crt" 2>/dev/null
}

# certificate AUTHORITY NAME ALTERNATIVE_NAMES: NAME.crt and NAME.key
certificate() {
  "${new[@]}" -subj "/CN=$2" -CA "$1-ca.crt" -CAkey "$1-ca.key" -addext "subjectAltName=$3" \
    -addext "basicConstraints=CA:FALSE" -keyout "$2.key" -out "$2.crt" 2>/dev/null
}

authority database
certificate database database "DNS:database"
certificate database mysql "DNS:mysql"
authority edge
# Connectors, cloudflared too, ask for the second name, whatever the edge is called.
certificate edge edge \
  "DNS:db.jumpgate.test,DNS:mysql.jumpgate.test,DNS:h2.cftunnel.com,DNS:quic.cftunnel.com,DNS:probe.cftunnel.com"

openssl rand -hex 24 >admin-password
openssl rand -hex 24 >origin-password
openssl rand -hex 24 >client-password
openssl rand -hex 24 >mysql-admin-password
openssl rand -hex 24 >mysql-origin-password
openssl rand -hex 24 >mysql-client-password
openssl rand -hex 32 >service-token
openssl rand -base64 32 >tunnel-secret
printf '{"a":"%s","t":"%s","s":"%s"}' "$ACCOUNT" "$TUNNEL" "$(cat tunnel-secret)" |
  openssl base64 -A >tunnel-token
printf "CREATE ROLE app LOGIN PASSWORD '%s';\nALTER DATABASE app OWNER TO app;\n" \
  "$(cat origin-password)" >role.sql
# Nobody reaches the database over a network without TLS and a password.
printf 'local all all trust\nhostssl all all all scram-sha-256\n' >pg_hba.conf

give() {
  local part="$1"
  shift
  cp "$@" "$OUT/$part/"
  chown -R "$JUMPGATE_UID" "$OUT/$part"
}

give database database.crt database.key admin-password role.sql pg_hba.conf
give mysql mysql.crt mysql.key database-ca.crt mysql-admin-password mysql-origin-password
give edge edge.crt edge.key service-token tunnel-secret
give connector tunnel-token edge-ca.crt
give proxy client-password origin-password mysql-client-password mysql-origin-password \
  service-token edge-ca.crt database-ca.crt
connection_strings
echo "secrets: made"
