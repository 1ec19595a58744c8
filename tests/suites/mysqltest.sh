#!/usr/bin/env bash
# MySQL's and MariaDB's own test suites, direct and through Jumpgate. Sourced by `suites.sh`.
#
# A test file is a script of `mysqltest`, which prints what the server answered. It runs against the server itself, and what does
# not run there is left out: it needs replication, a debug build, or a server that it may start anew. What it prints through
# Jumpgate must be the same; where it is not, it runs against the server once more, and what differs then is no fault of ours.

# Programs of the server's family, and where its tests are.
mysqltest_home() {
  FAMILY="$1"
  FAMILY_HOME="$BUILT/$FAMILY"
  [ -e "$FAMILY_HOME/built" ] || "unpack_$FAMILY"
  case "$FAMILY" in
    mariadb)
      TESTS="$FAMILY_HOME/usr/share/mysql/mysql-test" FILES=main NAMES=mariadb
      LOADER=() LIBRARIES="$FAMILY_HOME/usr/lib/x86_64-linux-gnu"
      SERVER=("$(mariadb_bin)") MYSQLTEST=("$FAMILY_HOME/usr/bin/mariadb-test") PROGRAMS="$FAMILY_HOME/usr/bin"
      SHARE=/usr/share/mysql
      ;;
    mysql)
      TESTS="$FAMILY_HOME/usr/lib/mysql-test" FILES=t NAMES=mysql LIBRARIES=""
      LOADER=("$FAMILY_HOME/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
        --library-path "$FAMILY_HOME/usr/lib/x86_64-linux-gnu")
      SERVER=("${LOADER[@]}" --argv0 "$FAMILY_HOME/usr/sbin/mysqld" "$FAMILY_HOME/usr/sbin/mysqld")
      MYSQLTEST=("${LOADER[@]}" "$TESTS/bin/mysqltest") PROGRAMS="$FAMILY_HOME/usr/bin"
      SHARE="$FAMILY_HOME/usr/share/mysql"
      connect_by_address "$TESTS"
      ;;
  esac
}

# MySQL's `mysqltest` forgets `--protocol=tcp` after its first `connect`, so that `localhost` would be a socket.
connect_by_address() {
  [ -e "$FAMILY_HOME/by-address" ] || find "$1/t" "$1/include" -type f \( -name '*.test' -o -name '*.inc' \) -exec sed -E -i \
    "s/^( *(-- *)?connect *\\(? *[^,]*, *)['\"]?localhost['\"]?( *,| *\\))/\\1127.0.0.1\\3/I" {} +
  touch "$FAMILY_HOME/by-address"
}

# The tests of the installed MariaDB, and its clients.
unpack_mariadb() {
  local package version downloads="$FAMILY_HOME/downloads"
  need mariadb-server-core mariadb-client-core
  say "Unpacking MariaDB's tests in $FAMILY_HOME."
  rm -rf "$FAMILY_HOME"
  mkdir -p "$downloads"
  version=$(dpkg-query -W -f '${Version}' mariadb-server-core)
  (cd "$downloads" &&
    apt-get -q -o "APT::Sandbox::User=$(id -un)" download libpcre2-posix3 \
      mariadb-{test,test-data,client,client-core}="$version") >&2
  for package in "$downloads"/*.deb; do dpkg-deb -x "$package" "$FAMILY_HOME"; done
  rm -r "$downloads"
  leave_sessions_uncounted "$FAMILY_HOME/usr/share/mysql/mysql-test/include"
  touch "$FAMILY_HOME/built"
}

# Many files wait in the end until the server has no more sessions than in the beginning. Those of a pool live on.
leave_sessions_uncounted() {
  local file
  for file in "$1"/*count_sessions.inc; do echo "# The sessions of a pool live on." >"$file"; done
}

# Server, clients and tests of MySQL from Debian's `sid`, with their libraries.
unpack_mysql() {
  local package apt="$FAMILY_HOME/apt"
  need debian-archive-keyring
  say "Unpacking MySQL and its tests in $FAMILY_HOME; this downloads 400 MB."
  rm -rf "$FAMILY_HOME"
  mkdir -p "$apt/lists/partial" "$apt/archives/partial"
  : >"$apt/status"
  printf 'deb [signed-by=%s] http://deb.debian.org/debian sid main\n' \
    /usr/share/keyrings/debian-archive-keyring.gpg >"$apt/sources.list"
  printf '%s;\n' "Dir::State \"$apt\"" "Dir::State::status \"$apt/status\"" "Dir::State::lists \"$apt/lists\"" \
    "Dir::Cache \"$apt\"" "Dir::Cache::archives \"$apt/archives\"" "Dir::Etc::sourcelist \"$apt/sources.list\"" \
    'Dir::Etc::sourceparts "/dev/null"' 'Dir::Etc::preferencesparts "/dev/null"' 'APT::Architecture "amd64"' \
    'APT::Install-Recommends "false"' "APT::Sandbox::User \"$(id -un)\"" 'Acquire::Languages "none"' >"$apt/apt.conf"
  (
    export APT_CONFIG="$apt/apt.conf"
    cd "$apt/archives"
    apt-get -q update && apt-get -q -y --download-only install mysql-server-core mysql-client-core &&
      apt-get -q download mysql-testsuite
  ) >&2
  for package in "$apt"/archives/*.deb; do
    case "$(basename "$package")" in
      perl* | libperl* | libgdbm* | libdb5* | systemd_*) ;;
      mysql-testsuite_*)
        dpkg-deb --fsys-tarfile "$package" |
          tar -x -C "$FAMILY_HOME" ./usr/lib/mysql-test/{bin,t,include,std_data}
        ;;
      *) dpkg-deb -x "$package" "$FAMILY_HOME" ;;
    esac
  done
  rm -r "$apt"
  leave_sessions_uncounted "$FAMILY_HOME/usr/lib/mysql-test/include"
  touch "$FAMILY_HOME/built"
}

# A program of the family's own: PROGRAM ARGUMENT...
family_program() {
  local program="$1"
  shift
  "${LOADER[@]}" "$PROGRAMS/$program" --no-defaults --host=127.0.0.1 --port="$SUITE_PORT" --user=root "$@"
}

# What mysql-test-run sets for every server, and what a server in a folder of its own needs.
server_settings() {
  VAR="$WORLD/$FAMILY"
  mkdir -p "$VAR"/{tmp,log,run,mysqld.1}
  cp -r "$TESTS/std_data" "$VAR/"
  {
    sed -e "s|@ENV.MYSQLTEST_VARDIR|$VAR|" -e "s|@ENV.MYSQL_TEST_DIR|$TESTS|" -e '/^open-files-limit/d' \
      -e '/^loose-ssl/d' -e '/^loose-performance-schema-\(instrument\|consumer\)/d' "$TESTS/include/default_mysqld.cnf"
    printf '%s\n' '[mysqld]' "user=$(id -un)" "datadir=$VAR/mysqld.1/data" "port=$SUITE_PORT" bind-address=127.0.0.1 \
      "socket=$VAR/run/s" "pid-file=$VAR/run/pid" "tmpdir=$VAR/tmp" "secure-file-priv=$VAR" local-infile=1 \
      "ssl-ca=$WORLD/ca.crt" "ssl-cert=$WORLD/server.crt" "ssl-key=$WORLD/server.key" \
      innodb-flush-log-at-trx-commit=0 max-connections=200 general-log=0
    if [ "$FAMILY" = mysql ]; then
      printf '%s\n' mysqlx=OFF "basedir=$FAMILY_HOME/usr" "lc-messages-dir=$SHARE" \
        "plugin-dir=$FAMILY_HOME/usr/lib/mysql/plugin" "character-sets-dir=$SHARE/charsets" \
        log-bin=binlog sync-binlog=0 gtid-mode=ON enforce-gtid-consistency=ON innodb-doublewrite=0 explain-format=TRADITIONAL_STRICT
    fi
  } >"$WORLD/$FAMILY.cnf"
}

# The data folder that all others are copies of.
make_server_template() {
  local data="$VAR/mysqld.1/data" file commands=() rights
  case "$FAMILY" in
    mariadb)
      mariadb-install-db --no-defaults --datadir="$data" --user="$(id -un)" --skip-test-db \
        --auth-root-authentication-method=normal >"$VAR/log/install" 2>&1
      ;;
    mysql) "${SERVER[@]}" --defaults-file="$WORLD/mysql.cnf" --initialize-insecure >"$VAR/log/install" 2>&1 ;;
  esac || die "$FAMILY could not be set up: $(tail -n 5 "$VAR/log/install")"
  OPTIONS=()
  start_family_server || server_died
  # Since 9.4 MySQL's client must be asked to know `delimiter` and `use`.
  [ "$FAMILY" = mariadb ] || commands=(--commands)
  family_program "$NAMES" -e "CREATE DATABASE test; CREATE DATABASE mtr"
  for file in "$(find "$TESTS/include" "$SHARE" -name '*test_data_timezone.sql' | head -n 1)" \
    "$TESTS"/include/mtr_{warnings,check}.sql; do
    sed -E 's/^delimiter \|\|;/delimiter ||/' "$file" |
      family_program "$NAMES" "${commands[@]}" --force --database=mysql 2>>"$VAR/log/template" || true
  done
  # Everybody may use the schema `test` in mysql-test-run's servers.
  rights=$(printf '%s_priv, ' Select Insert Update Delete Create Drop References Index Alter Create_tmp_table Lock_tables \
    Create_view Show_view Create_routine Event Trigger)
  family_program "$NAMES" -e "INSERT INTO mysql.db ($rights Host, Db, User) VALUES ($(printf "'Y', %.0s" {1..16}) '%', 'test', '');
    FLUSH PRIVILEGES"
  baseline_of_server
  stop_family_server TERM
  cp -r "$data" "$VAR/template"
}

# Fails where it does not start.
start_family_server() {
  local waited=0
  (cd "$VAR/mysqld.1" && exec setsid env TZ=GMT-3 "${SERVER[@]}" --defaults-file="$WORLD/$FAMILY.cnf" "${OPTIONS[@]}" \
    >>"$VAR/log/server" 2>&1) &
  MARIADB=$!
  until family_program "$NAMES" -e 'SELECT 1' >/dev/null 2>&1; do
    { kill -0 "$MARIADB" 2>/dev/null && [ $((waited += 1)) -lt 300 ]; } || return 1
    sleep 0.1
  done
}

server_died() { die "$FAMILY did not start: $(tail -n 5 "$VAR/log/server")"; }

stop_family_server() {
  kill "-$1" "$MARIADB" 2>/dev/null || true
  wait "$MARIADB" 2>/dev/null || true
  MARIADB=""
}

# A server as it was made.
renew_family_server() {
  stop_family_server KILL
  rm -rf "$VAR/mysqld.1/data" "$VAR"/tmp/*
  cp -r "$VAR/template" "$VAR/mysqld.1/data"
  start_family_server
}

# What a test must leave as it was: databases, users, rights, stored code, global variables.
state_of_server() {
  local variables=information_schema users=mysql.global_priv rights
  [ "$FAMILY" = mariadb ] || variables=performance_schema users=mysql.user
  rights="SELECT * FROM mysql.db; SELECT * FROM mysql.tables_priv; SELECT * FROM mysql.columns_priv;
    SELECT * FROM mysql.procs_priv; SELECT * FROM mysql.func; SELECT * FROM mysql.plugin; SELECT * FROM mysql.servers;"
  family_program "$NAMES" --batch -e "SET character_set_results=utf8mb4;
    SELECT * FROM $users; $rights
    SELECT * FROM $variables.global_variables WHERE variable_name NOT REGEXP 'gtid_(executed|purged|next|owned)|timestamp|innodb_buffer_pool_load|rand_seed';
    SELECT schema_name, default_character_set_name FROM information_schema.schemata;
    SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ('mysql', 'sys', 'mtr');
    SELECT routine_schema, routine_name FROM information_schema.routines;
    SELECT plugin_name, plugin_status FROM information_schema.plugins" 2>&1 | sort | md5sum
}

baseline_of_server() {
  BASE_STATE=$(state_of_server) &&
    BASE_DATABASES=$(family_program "$NAMES" --batch -N -e "SELECT schema_name FROM information_schema.schemata")
}

# Leaves the server as it was made: by dropping what is new, or else by a new one.
clean_family_server() {
  local name
  {
    echo "SET lock_wait_timeout=3, foreign_key_checks=0; DROP DATABASE IF EXISTS test; CREATE DATABASE test;"
    family_program "$NAMES" --batch -N -e "SELECT schema_name FROM information_schema.schemata" 2>/dev/null |
      grep -vxF -e "$BASE_DATABASES" | while read -r name; do echo "DROP DATABASE \`${name//\`/\`\`}\`;"; done
  } 2>/dev/null | timeout 20 "${LOADER[@]}" "$PROGRAMS/$NAMES" --no-defaults --host=127.0.0.1 --port="$SUITE_PORT" \
    --user=root >/dev/null 2>&1 || true
  rm -rf "$VAR"/tmp/*
  [ "$(state_of_server)" = "$BASE_STATE" ] || renew_family_server || server_died
}

# What mysql-test-run starts the server with for one file.
options_of_file() {
  local options="$TESTS/$FILES/$1-master.opt"
  [ ! -e "$options" ] || sed -e 's/#.*//' -e "s|[$]MYSQLTEST_VARDIR|$VAR|g; s|[$]MYSQL_TEST_DIR|$TESTS|g" "$options" |
    tr -s ' \t' '\n' | grep '^--' | grep -v -E '^--(initialize|force-restart|testcase-timeout|nowarnings|no-console|debug)'
}

# Starts the server anew where a file wants other options than the last one. If it does not start so, the file has to do
# without.
server_for_file() {
  local wanted=()
  mapfile -t wanted < <(options_of_file "$1")
  [ "${wanted[*]}" != "${OPTIONS[*]}" ] || return 0
  OPTIONS=("${wanted[@]}")
  # One that starts may still be of no use, as without the folder that an option names.
  { renew_family_server && baseline_of_server; } ||
    { OPTIONS=() && renew_family_server && baseline_of_server; } || server_died
}

# Runs one file at a port: what it printed is in the file named last. Its status is mysqltest's.
mysqltest_once() {
  local name="$1" port="$2" out="$4" status=0 protocol=()
  [ "$3" = text ] || protocol=(--ps-protocol)
  local client=(--no-defaults --host=127.0.0.1 "--port=$port" --user=root)
  program() { echo "${LOADER[*]} $PROGRAMS/$1 ${client[*]} ${*:2}"; }
  (
    cd "$TESTS"
    export LC_ALL=C LC_CTYPE=C LC_COLLATE=C TZ=GMT-3 UMASK=0660 UMASK_DIR=0770 USE_RUNNING_SERVER=1 \
      MYSQL_TEST_DIR="$TESTS" MYSQLTEST_VARDIR="$VAR" MYSQLTEST_REAL_VARDIR="$VAR" MYSQL_TMP_DIR="$VAR/tmp" \
      MYSQL_BINDIR="$PROGRAMS" MASTER_MYPORT="$port" MASTER_MYSOCK="$VAR/run/s" DEFAULT_MASTER_PORT="$port" \
      SECURE_LOAD_PATH="$TESTS/std_data" MYSQL_TEST_ROOT=1 BIG_TEST=1 MTR_TEST_NAME="$name" MTR_SUITE_DIR="$TESTS/$FILES" \
      MYSQL_CHARSETSDIR="$SHARE/charsets" MYSQL_SHAREDIR="$SHARE" \
      MYSQL="$(program "$NAMES")" MYSQL_DUMP="$(program mysqldump)" EXE_MYSQL="${LOADER[*]} $PROGRAMS/$NAMES" \
      MYSQL_SHOW="$(program mysqlshow)" MYSQL_CHECK="$(program mysqlcheck)" MYSQL_IMPORT="$(program mysqlimport)" \
      MYSQLADMIN="$(program mysqladmin)" MYSQL_SLAP="$(program mysqlslap)" MY_PERROR="$PROGRAMS/perror" \
      MYSQL_TEST="${MYSQLTEST[*]} ${client[*]} --database=test --silent --tmpdir=$VAR/tmp"
    [ -z "$LIBRARIES" ] || export LD_LIBRARY_PATH="$LIBRARIES"
    exec timeout -k 2 "$LIMIT" "${MYSQLTEST[@]}" "${client[@]}" --protocol=tcp --database=test --tmpdir="$VAR/tmp" \
      --logdir="$VAR/log" "${protocol[@]}" --test-file="$TESTS/$FILES/$name.test"
  ) >"$out.raw" 2>"$out.error" </dev/null || status=$?
  # What EXPLAIN estimates depends on which pages are in memory.
  sed -E -e "s/\b$port\b/PORT/g" -e 's/\bcost=[0-9.e+]+/cost=N/g' "$out.raw" >"$out"
  rm "$out.raw"
  # What it died of, but for the lines that only say where.
  [ "$status" -eq 0 ] || echo "mysqltest ended with $status" >>"$out"
  clean_family_server
  return "$status"
}

# All files of the main suite, or those asked for; without those that stop or start the server, which is not theirs.
mysqltest_files() {
  if [ -n "$only" ]; then tr ',' '\n' <<<"$only"; return; fi
  (cd "$TESTS/$FILES" && grep -L -i -E \
    'restart_mysqld|shutdown_mysqld|kill_mysqld|start_mysqld|shutdown_server|kill_and_restart|include/restart|MYSQLD_BOOTSTRAP' \
    ./*.test) | sed -E 's|^\./(.*)\.test$|\1|' | sort
}

# Whom a file logs in as, and with which password: "user:password". Clients that name a schema of the server are led to its
# configuration by their user.
mysqltest_users() {
  local file="$TESTS/$FILES/$1.test"
  echo root:
  { cat "$file"; (cd "$TESTS" && sed -n -E 's/^ *(-- *)?source +([^; ]+).*/\2/ip' "$file" | xargs -r cat 2>/dev/null); } |
    sed -n -E "s/^ *(-- *)?connect *\(?[^,]*,[^,]*, *['\"]?([A-Za-z0-9_]{1,32})['\"]? *(, *['\"]?([A-Za-z0-9_]*)['\"]? *)?([,;)].*)?\$/\2:\4/ip" |
    grep -a -v -i '^root:' | sort -t : -k 1,1 -u
}

# Puts files together as one that outlives the run, where that is wanted.
keep() {
  [ -n "${JUMPGATE_SUITES_OUT:-}" ] || return 0
  local folder="$JUMPGATE_SUITES_OUT/$FAMILY.$1.$2.$3" name="$4"
  shift 4
  mkdir -p "$folder"
  cat "$@" >"$folder/$name"
}

# Whether a file ended where it logs in as a user that `mysqltest_users` did not find, and was as direct up to there. Who may
# come through Jumpgate is a matter of its configuration.
is_stopped_at_stranger() {
  local until
  grep -q -E "^(mysqltest: At line .*|.*)Access denied for user '" "$1.through.error" || return 1
  until=$(grep -n -m 1 -x -E 'not ok|exec of .*' "$1.through" | cut -d: -f1)
  cmp -s <(head -n "$((until - 1))" "$1.direct") <(head -n "$((until - 1))" "$1.through")
}

# One file through Jumpgate, once it is known what it prints direct: what it prints is beside that.
mysqltest_file() {
  local name="$1" protocol="$2" pool="$3" cache="$4" out="$5"
  server_for_file "$name"
  [ -e "$out.direct" ] || mysqltest_once "$name" "$SUITE_PORT" "$protocol" "$out.direct" || {
    touch "$out.left-out"
    keep "$protocol" "$pool" "$cache" "$name.left-out" "$out.direct.error"
  }
  [ ! -e "$out.left-out" ] || { echo "$name" >>"$WORLD/left-out"; return; }
  mapfile -t SUITE_USERS < <(mysqltest_users "$name")
  start_jumpgate "$pool" "$cache" mysql "$SUITE_PORT"
  mysqltest_once "$name" "$JUMPGATE_PORT" "$protocol" "$out.through" || true
  stop_jumpgate
  cmp -s "$out.direct" "$out.through" && { echo "$name" >>"$WORLD/equal"; return; }
  ! is_stopped_at_stranger "$out" || { echo "$name" >>"$WORLD/strangers"; return; }
  mysqltest_once "$name" "$SUITE_PORT" "$protocol" "$out.again" || true
  cmp -s "$out.direct" "$out.again" || { echo "$name" >>"$WORLD/unsteady"; return; }
  echo "$name" >>"$WORLD/through"
  { diff -U3 "$out.direct" "$out.through" || true; } >"$out.diff"
  keep "$protocol" "$pool" "$cache" "$name.diff" "$out.diff" "$out.through.error"
}

# Runs the files direct and through Jumpgate, in each setting.
mysqltest_suite() {
  local suite="$1" name protocol pool cache list
  mysqltest_home "$suite"
  SUITE_PORT=$(free_port) LIMIT="${JUMPGATE_SUITES_LIMIT:-240}"
  server_settings
  make_server_template
  renew_family_server || server_died
  mysqltest_files >"$WORLD/files"
  for protocol in "${protocols[@]}"; do
    mkdir "$WORLD/$suite.$protocol"
    for pool in "${pools[@]}"; do
      for cache in "${caches[@]}"; do
        for list in left-out equal unsteady strangers through; do : >"$WORLD/$list"; done
        while read -r name; do
          mysqltest_file "$name" "$protocol" "$pool" "$cache" "$WORLD/$suite.$protocol/$name"
        done <"$WORLD/files"
        mysqltest_told "$suite" "$protocol, pool of $pool, cache $cache"
      done
    done
  done
  stop_family_server KILL
  SUITE_USERS=()
  unset SUITE_PORT
}

mysqltest_told() {
  local suite="$1" label="$2"
  count() { wc -l <"$WORLD/$1"; }
  printf '%s %s: left out %s files that do not run against a server from outside, %s that differ direct from themselves,\n' \
    "$suite" "$label" "$(count left-out)" "$(count unsteady)"
  printf '  and %s, equal up to where they log in as a user that they made\n' "$(count strangers)"
  : >"$WORLD/direct"
  compare_failures "$suite" "$label" "$WORLD/direct" "$WORLD/through" "$(($(count equal) + $(count through)))"
}
