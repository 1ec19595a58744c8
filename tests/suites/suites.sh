#!/usr/bin/env bash
# The databases' own test suites, direct and through Jumpgate. Sourced by `./run`, whose functions it uses.
#
# The sources are those of the installed server, by apt, built in `.cache/suites`. Each suite runs against the database itself
# first: what fails there is no fault of ours. What differs then must stand in an allow-list (`NAME.allow`: a test, and why).

SUITES="$PWD/tests/suites"
BUILT="$PWD/.cache/suites"
SUITE_USERS=()
. "$SUITES/mysqltest.sh"

suites_help() {
  cat <<'TEXT'
./run suites [SUITE ...] [--only TEST,...] [--pool N] [--cache on|off] [--protocol text|ps] [--seconds N] [--seed N]
  regress     PostgreSQL's regression tests, one after the other on one backend's schedule
  isolation   its isolation tests
  pipeline    libpq's pipeline mode
  contrib     the tests of the extensions that Debian's package brings
  mysql       the main suite of MySQL 9, as far as it runs against a server from outside
  mariadb     the same of MariaDB
  expressions 10,000 random statements that may be cached, at PostgreSQL now and half a year later (JUMPGATE_EXPRESSIONS)
  scripts     20,000 random scripts of both protocols (JUMPGATE_SCRIPTS says how many)
  reads       100,000 random reads of MySQL and of MariaDB, with the clock elsewhere (JUMPGATE_READS says how many)
  model       the protocol of many nodes, searched in larger worlds than the tests'
  history     what clients see through three proxies that share a tier, while everything goes wrong that can; --seconds N
              (default: 600 for each engine), --seed N
Without --pool and --cache the databases' suites run with pools of 40 and 5, with the cache on and off; without --protocol
those of MySQL and MariaDB run with texts and with prepared statements. What must be installed is installed with apt; nothing
is kept but what was built. JUMPGATE_SUITES_OUT names a folder for what differs, JUMPGATE_SUITES_LIMIT the seconds that one
file of MySQL's and MariaDB's may take (240).
TEXT
}

suites() {
  local what=() only="" pools=(40 5) caches=(on off) protocols=(text ps)
  while [ $# -gt 0 ]; do
    case "$1" in
      -h | --help) suites_help; return ;;
      --only) only="${2:?--only needs the names of tests}"; shift ;;
      --pool) pools=("${2:?--pool needs a number}"); shift ;;
      --cache) caches=("${2:?--cache needs on or off}"); shift ;;
      --protocol) protocols=("${2:?--protocol needs text or ps}"); shift ;;
      --seconds) export JUMPGATE_HISTORY_SECONDS="${2:?--seconds needs a number}"; shift ;;
      --seed) export JUMPGATE_HISTORY_SEED="${2:?--seed needs a number}"; shift ;;
      regress | isolation | pipeline | contrib | mysql | mariadb | scripts | expressions | reads | model | history)
        what+=("$1")
        ;;
      *) die "suites does not know $1; ./run suites --help lists what there is" ;;
    esac
    shift
  done
  [ "${#what[@]}" -gt 0 ] ||
    what=(regress isolation pipeline contrib mysql mariadb scripts expressions reads model history)
  need "${TEST_PACKAGES[@]}"
  need_rust
  if [ -z "${JUMPGATE_BIN:-}" ]; then
    cargo build --release --locked -p jumpgate --bin jumpgate
    JUMPGATE_BIN="$(realpath "$TARGET")/release/jumpgate"
  fi
  mkdir -p "$BUILT"
  WORLD=$(mktemp -d "${TMPDIR:-/tmp}/jumpgate-suites.XXXXXX")
  trap suites_end EXIT
  chmod 711 "$WORLD"
  make_certificate "$WORLD"
  DIFFERENT=0
  local suite
  for suite in "${what[@]}"; do "suite_$suite"; done
  [ "$DIFFERENT" -eq 0 ] || die "$DIFFERENT differences that no allow-list explains"
  say "Nothing differs that no allow-list explains."
}

suites_end() {
  stop_jumpgate
  stop_databases
}

# Downloads the source of a Debian package in the installed version, or the nearest one, into a folder, and unpacks it.
fetch_source() {
  local package="$1" folder="$2" version apt options
  apt="$BUILT/apt"
  mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$folder"
  printf 'deb-src [signed-by=%s] http://deb.debian.org/debian %s main\n' \
    /usr/share/keyrings/debian-archive-keyring.gpg "$(. /etc/os-release && echo "$VERSION_CODENAME")" \
    >"$apt/sources.list"
  options=(-q -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=-
    -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt" -o "APT::Sandbox::User=$(id -un)")
  apt-get "${options[@]}" update >&2
  version=$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null || true)
  (cd "$folder" &&
    { apt-get "${options[@]}" source --download-only "$package${version:+=$version}" >&2 ||
      apt-get "${options[@]}" source --download-only "$package" >&2; } &&
    tar --strip-components=1 -xf "$package"_*.orig.tar.*)
}

# Builds what the suites of PostgreSQL need besides the server.
build_postgres() {
  SOURCE="$BUILT/postgres"
  [ -e "$SOURCE/built" ] && return
  say "Building PostgreSQL's test programs in $SOURCE; this takes some minutes."
  need bison flex make debian-archive-keyring
  rm -rf "$SOURCE"
  fetch_source "postgresql-$(basename "$(dirname "$(postgres_bin)")")" "$SOURCE"
  watch_by_name "$SOURCE/src/test/isolation/isolationtester.c"
  (cd "$SOURCE" && ./configure --quiet --without-readline --without-zlib --prefix="$SOURCE/none" >&2 &&
    make -s -C src/backend generated-headers &&
    make -s -C src/test/regress all && make -s -C src/test/isolation all &&
    make -s -C src/test/modules/libpq_pipeline all && touch built) >&2
}

# The isolation tester asks the server which of its sessions wait, by the process ids that it was told at their logins. Those
# are Jumpgate's; the application names that it gives its sessions follow them to any backend.
watch_by_name() {
  local query="SELECT coalesce(bool_or(pg_catalog.pg_isolation_test_session_is_blocked(pid, array(SELECT pid FROM \
pg_catalog.pg_stat_activity WHERE application_name LIKE 'isolation/%'))), false) FROM pg_catalog.pg_stat_activity \
WHERE state = 'active' AND application_name LIKE concat('isolation/%/', \$1::text)"
  sed -i -e "s|^\tres = PQprepare(conns\[0\].conn, PREP_WAITING.*|\tprintfPQExpBuffer(\&wait_query, \"%s\", \"$query\");\n&|" \
    -e 's|&conns\[step->session + 1\].backend_pid_str|\&conns[step->session + 1].sessionname|' "$1"
}

# A PostgreSQL as the suites expect it: superuser postgres, no locale.
start_suite_postgres() {
  [ -z "${SUITE_PORT:-}" ] || return 0
  local bin folder="$WORLD/postgres"
  bin=$(postgres_bin) || die "no PostgreSQL server under /usr/lib/postgresql"
  SUITE_PORT=$(free_port)
  # A step of an isolation test that waits unnoticed is given up after so long.
  export PGISOLATIONTIMEOUT=60
  export PGPASSWORD=suites PGUSER=postgres PGHOST=127.0.0.1 PGSSLMODE=disable
  database_folder "$folder"
  printf 'suites\n' >"$folder/password"
  give postgres "$folder"
  as_postgres "$bin/initdb" -D "$folder/data" --username=postgres --auth=scram-sha-256 \
    --pwfile="$folder/password" --encoding=UTF8 --no-locale >"$folder/initdb.log"
  printf '%s\n' "listen_addresses = '127.0.0.1'" "port = $SUITE_PORT" "fsync = off" \
    "unix_socket_directories = '$folder'" "ssl = on" "max_connections = 200" \
    "ssl_cert_file = '$folder/server.crt'" "ssl_key_file = '$folder/server.key'" \
    "max_prepared_transactions = 5" >>"$folder/data/postgresql.conf"
  as_postgres "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -s -w start ||
    die "PostgreSQL did not start: $(tail -n 5 "$folder/log")"
}

# A new database with what pg_regress sets when it makes one itself.
new_database() {
  local setting
  psql -qX -p "$SUITE_PORT" -d postgres -c "DROP DATABASE IF EXISTS $1 WITH (FORCE)" \
    -c "CREATE DATABASE $1 TEMPLATE template0"
  for setting in lc_messages lc_monetary lc_numeric lc_time; do
    psql -qX -p "$SUITE_PORT" -d postgres -c "ALTER DATABASE $1 SET $setting TO 'C'"
  done
  psql -qX -p "$SUITE_PORT" -d postgres -c "ALTER DATABASE $1 SET bytea_output TO 'hex'" \
    -c "ALTER DATABASE $1 SET timezone_abbreviations TO 'Default'"
}

# A database of the configuration: its name, that at the origin, user and password. Of `start_jumpgate`, whose variables it uses.
jumpgate_database() {
  printf '[[database]]\nname = "%s"\n[[database.user]]\nname = "%s"\npassword = "%s"\n' "$1" "$3" "$4"
  printf '[database.origin]\nscheme = "%s"\nhost = "127.0.0.1"\nport = %s\ndatabase = "%s"\n' "$scheme" "$port" "$2"
  printf 'user = "%s"\npassword = "%s"\n[database.mtls]\nsslmode = "verify-full"\n' "$3" "$4"
  printf 'ca_certificate = "%s"\n' "$WORLD/ca.crt"
  printf '[database.caching]\ndisabled = %s\n[database.pool]\norigin_connection_limit = %s\nstatement_timeout = 0\n' \
    "$disabled" "$pool"
}

# A user of a MySQL server, with a database of the configuration before that schema which everybody may use.
jumpgate_user() {
  local schema=information_schema
  [ "$1" != root ] || schema=test
  jumpgate_database "of $1" "$schema" "$1" "$2"
}

# Starts Jumpgate before the databases of these names, and for the users of SUITE_USERS: a pool's size, cache on or off.
start_jumpgate() {
  local pool="$1" cache="$2" scheme="$3" port="$4" name waited=0 disabled=false
  shift 4
  [ "$cache" = on ] || disabled=true
  JUMPGATE_PORT=$(free_port)
  {
    printf '[listen]\n%s = "127.0.0.1:%s"\n' "$scheme" "$JUMPGATE_PORT"
    printf 'tls_certificate = "%s"\ntls_key = "%s"\n' "$WORLD/server.crt" "$WORLD/server.key"
    for name in "$@"; do jumpgate_database "$name" "$name" "$SUITE_USER" suites; done
    for name in "${SUITE_USERS[@]}"; do jumpgate_user "${name%%:*}" "${name#*:}"; done
  } >"$WORLD/jumpgate.toml"
  "$JUMPGATE_BIN" proxy -c "$WORLD/jumpgate.toml" >"$WORLD/jumpgate.log" 2>&1 &
  JUMPGATE_PID=$!
  until (exec 3<>"/dev/tcp/127.0.0.1/$JUMPGATE_PORT") 2>/dev/null; do
    { kill -0 "$JUMPGATE_PID" 2>/dev/null && [ $((waited += 1)) -lt 100 ]; } ||
      die "jumpgate did not start: $(tail -n 5 "$WORLD/jumpgate.log")"
    sleep 0.1
  done
}

stop_jumpgate() {
  [ -n "${JUMPGATE_PID:-}" ] || return 0
  kill "$JUMPGATE_PID" 2>/dev/null || true
  wait "$JUMPGATE_PID" 2>/dev/null || true
  JUMPGATE_PID=""
}

# Compares two lists of failed tests, and prints what differs and is not allowed.
compare_failures() {
  local suite="$1" label="$2" direct="$3" through="$4" total="$5" new allowed
  allowed=$(awk '{ sub(/#.*/, "") } NF { print $1 }' "$SUITES/$suite.allow" | sort)
  new=$(comm -13 <(sort "$direct") <(sort "$through") | comm -23 - <(echo "$allowed"))
  printf '%s %s: %s tests; %s fail direct, %s through Jumpgate\n' "$suite" "$label" "$total" \
    "$(wc -l <"$direct")" "$(wc -l <"$through")"
  [ -n "$new" ] || return 0
  # shellcheck disable=SC2086 # one line each
  printf '  not allowed: %s\n' $new
  DIFFERENT=$((DIFFERENT + $(wc -w <<<"$new")))
}

# Runs pg_regress or its like: a program, a folder, a port, a database, and the tests. Prints the names of those that fail.
regress_once() {
  local program="$1" folder="$2" port="$3" database="$4" out="$5"
  shift 5
  rm -rf "$out"
  mkdir -p "$out/results"
  # The server, which may be another user, writes into it too (COPY, lo_export).
  chmod 777 "$out/results"
  (cd "$folder" && "$program" --inputdir=. --outputdir="$out" --bindir="$(postgres_bin)" --dlpath=. \
    --host=127.0.0.1 --port="$port" --user=postgres --dbname="$database" --use-existing --max-connections=4 \
    "$@") >"$out/log" 2>&1 || true
  sed -n -E 's/^(test|    ) *([a-zA-Z0-9_./-]+) +\.\.\. +FAILED.*/\2/p; s/^not ok [0-9]+ +[-+] +([^ ]+).*/\1/p' \
    "$out/log" | sort -u
}

# Runs a suite direct, and through Jumpgate in each setting.
postgres_suite() {
  local suite="$1" program="$2" folder="$3" database="$4" pool cache total
  shift 4
  build_postgres
  start_suite_postgres
  SUITE_USER=postgres
  new_database "$database"
  regress_once "$program" "$folder" "$SUITE_PORT" "$database" "$WORLD/$suite.direct" "$@" >"$WORLD/direct"
  total=$(grep -c -E '^(test|    ) .*\.\.\.|^(not )?ok ' "$WORLD/$suite.direct/log" || true)
  for pool in "${pools[@]}"; do
    for cache in "${caches[@]}"; do
      new_database "$database"
      start_jumpgate "$pool" "$cache" postgres "$SUITE_PORT" "$database"
      regress_once "$program" "$folder" "$JUMPGATE_PORT" "$database" "$WORLD/$suite.through" "$@" >"$WORLD/through"
      stop_jumpgate
      compare_failures "$suite" "pool of $pool, cache $cache" "$WORLD/direct" "$WORLD/through" "$total"
      if [ -n "${JUMPGATE_SUITES_OUT:-}" ]; then
        mkdir -p "$JUMPGATE_SUITES_OUT"
        cp -r "$WORLD/$suite.through" "$JUMPGATE_SUITES_OUT/$suite.$pool.$cache"
      fi
    done
  done
}

# The tests named with --only, or the suite's own schedule.
chosen() {
  if [ -n "$only" ]; then tr ',' '\n' <<<"$only"; else printf '%s\n' "--schedule=$1"; fi
}

suite_regress() {
  build_postgres
  local tests
  mapfile -t tests < <(chosen ./parallel_schedule)
  postgres_suite regress ./pg_regress "$SOURCE/src/test/regress" regression "${tests[@]}"
}

suite_isolation() {
  build_postgres
  local tests
  mapfile -t tests < <(chosen ./isolation_schedule)
  postgres_suite isolation ./pg_isolation_regress "$SOURCE/src/test/isolation" isolation_regression "${tests[@]}"
}

suite_contrib() {
  build_postgres
  local folder name tests
  for folder in "$SOURCE"/contrib/*/; do
    name=$(basename "$folder")
    [ -e "$folder/Makefile" ] || continue
    [ -z "$only" ] || [[ ",$only," == *",$name,"* ]] || continue
    tests=$(sed -n -E ':a; /\\$/ { N; s/\\\n//; ba }; s/^REGRESS *\+?= *(.*)$/\1/p' "$folder/Makefile" | tr -s ' \t\n' ' ')
    [ -n "${tests// /}" ] && [ -e "/usr/share/postgresql/$(basename "$(dirname "$(postgres_bin)")")/extension/$name.control" ] ||
      continue
    # shellcheck disable=SC2086 # a list of names
    only="" postgres_suite contrib "$SOURCE/src/test/regress/pg_regress" "$folder" contrib_regression $tests
  done
}

suite_pipeline() {
  build_postgres
  start_suite_postgres
  SUITE_USER=postgres
  local program="$SOURCE/src/test/modules/libpq_pipeline/libpq_pipeline" test pool cache total=0
  : >"$WORLD/direct"
  new_database pipeline
  for test in $("$program" tests); do
    total=$((total + 1))
    timeout 60 "$program" "$test" "host=127.0.0.1 port=$SUITE_PORT dbname=pipeline" >/dev/null 2>&1 || echo "$test" >>"$WORLD/direct"
  done
  for pool in "${pools[@]}"; do
    for cache in "${caches[@]}"; do
      new_database pipeline
      start_jumpgate "$pool" "$cache" postgres "$SUITE_PORT" pipeline
      : >"$WORLD/through"
      for test in $("$program" tests); do
        timeout 60 "$program" "$test" "host=127.0.0.1 port=$JUMPGATE_PORT dbname=pipeline" >/dev/null 2>&1 || echo "$test" >>"$WORLD/through"
      done
      stop_jumpgate
      compare_failures pipeline "pool of $pool, cache $cache" "$WORLD/direct" "$WORLD/through" "$total"
    done
  done
}

suite_mysql() { mysqltest_suite mysql; }

suite_mariadb() { mysqltest_suite mariadb; }

# In pieces: a scenario that takes longer than 100 seconds counts as one that hangs.
# What is judged the same at any time is asked at two; a piece is what a scenario has the time for.
suite_reads() {
  local all="${JUMPGATE_READS:-100000}" first="${JUMPGATE_READ_SEED:-1}" piece=2000 asked=0
  while [ "$asked" -lt "$all" ]; do
    JUMPGATE_READ_SEED=$((first + asked)) JUMPGATE_READS=$piece \
      cargo test --locked -q --workspace --features e2e/live --test e2e -- random_reads --nocapture ||
      DIFFERENT=$((DIFFERENT + 1))
    asked=$((asked + piece))
  done
}

suite_scripts() {
  local all="${JUMPGATE_SCRIPTS:-20000}" first="${JUMPGATE_SCRIPT_SEED:-1}" piece=250 played=0
  while [ "$played" -lt "$all" ]; do
    JUMPGATE_SCRIPT_SEED=$((first + played)) JUMPGATE_SCRIPTS=$piece play random_scripts
    played=$((played + piece))
  done
}

# A statement that may be cached and is no error takes some twenty seeds.
suite_expressions() {
  local all="${JUMPGATE_EXPRESSIONS:-10000}" first="${JUMPGATE_EXPRESSION_SEED:-1}" piece=250 played=0
  while [ "$played" -lt "$all" ]; do
    JUMPGATE_EXPRESSION_SEED=$((first + played * 100)) JUMPGATE_EXPRESSIONS=$piece play stable::two_clocks
    played=$((played + piece))
  done
}

suite_model() {
  JUMPGATE_MODEL=long cargo test --locked -q -p cluster --release --test model -- --nocapture ||
    DIFFERENT=$((DIFFERENT + 1))
}

suite_history() {
  export JUMPGATE_HISTORY_SECONDS="${JUMPGATE_HISTORY_SECONDS:-600}"
  FEATURES=e2e/history play whatever_befalls_three_proxies_that_share_a_tier
}

# Runs the scenarios of this name.
play() {
  JUMPGATE_BIN="$JUMPGATE_BIN" \
    cargo test --locked -q --workspace --features "${FEATURES:-e2e/live}" --test e2e -- "$1" --nocapture ||
    DIFFERENT=$((DIFFERENT + 1))
}
