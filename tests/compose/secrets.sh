#!/bin/bash
# Makes what the parts of docker-compose.yml must know, once. Each volume gets only what its reader
# needs: the proxy never sees the tunnel's secret, nor the connector the service token.
set -euo pipefail
umask 077

OUT="${OUT:-/out}"
JUMPGATE_UID=10001

if [ -e "$OUT/setup/made" ]; then
  echo "secrets: made before"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

new=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650)
"${new[@]}" -subj "/CN=jumpgate compose database" -keyout database-ca.key -out database-ca.crt 2>/dev/null
for name in database mysql; do
  "${new[@]}" -subj "/CN=$name" -CA database-ca.crt -CAkey database-ca.key -addext "subjectAltName=DNS:$name" \
    -addext "basicConstraints=CA:FALSE" -keyout "$name.key" -out "$name.crt" 2>/dev/null
done
for password in admin-password origin-password mysql-admin-password mysql-origin-password; do
  openssl rand -hex 24 >"$password"
done
printf "CREATE ROLE app LOGIN PASSWORD '%s';\nALTER DATABASE app OWNER TO app;\n" \
  "$(cat origin-password)" >role.sql
# Nobody reaches the database over a network without TLS and a password.
printf 'local all all trust\nhostssl all all all scram-sha-256\n' >pg_hba.conf

# A control node, whose port is published on this machine alone, and what it gives to others.
jumpgate control init -c control.toml --listen 0.0.0.0:8787 --account compose >said
sed -i 's/^listen = .*/&\nplain_http = true/' control.toml
sed -n 's/^ *export CLOUDFLARE_API_TOKEN=\([^ ]*\).*/\1/p' said >admin.token
# An edge, with a certificate authority of its own.
jumpgate edge init -c edge.toml >said
cat >>edge.toml <<'TOML'

[control]
url = "http://control:8787"
plain_http = true
token_file = "node.token"
node = "edge"
TOML

give() {
  local part="$1"
  shift
  cp -r "$@" "$OUT/$part/"
  chown -R "$JUMPGATE_UID" "$OUT/$part"
}

give database database.crt database.key admin-password role.sql pg_hba.conf
give mysql mysql.crt mysql.key database-ca.crt mysql-admin-password mysql-origin-password
give control control.toml control.key control.db* node.token admin.token
give edge edge.toml edge node.token
give connector edge/ca.pem
give proxy node.token
# It comes last: it says that all the rest is there.
touch made
give setup admin.token origin-password mysql-origin-password database-ca.crt made
echo "secrets: made"
