//! Session state that follows its client from backend to backend.
//!
//! The pool has one connection for several clients: nobody is pinned, and nobody sees the other's settings.

use std::time::Duration;

use e2e::{
    jumpgate::Setup,
    mysql::{
        Server,
        flags::{capability, command, status},
        reply::{code, done, error, rows},
        say,
        stage::{Place, Stage},
        wire::Wire,
    },
};

async fn two_on_one_backend(place: Place) -> (Stage, Wire, Wire) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (a, b) = (stage.client().await, stage.client().await);
    (stage, a, b)
}

/// Name, two values as they are set, and how they read.
const FOLLOWED: [(&str, &str, &str, &str); 20] = [
    ("time_zone", "'+09:00'", "+09:00", "'-03:30'"),
    ("sql_mode", "'ANSI_QUOTES'", "ANSI_QUOTES", "''"),
    ("character_set_results", "'latin1'", "latin1", "'utf8mb4'"),
    ("character_set_client", "'latin1'", "latin1", "'utf8mb4'"),
    ("collation_connection", "'utf8mb4_unicode_ci'", "utf8mb4_unicode_ci", "'utf8mb4_bin'"),
    ("lc_time_names", "'de_DE'", "de_DE", "'fr_FR'"),
    ("group_concat_max_len", "17", "17", "1000"),
    ("sql_select_limit", "7", "7", "DEFAULT"),
    ("foreign_key_checks", "0", "0", "1"),
    ("unique_checks", "0", "0", "1"),
    ("default_week_format", "3", "3", "0"),
    ("div_precision_increment", "9", "9", "4"),
    ("sql_safe_updates", "1", "1", "0"),
    ("wait_timeout", "4321", "4321", "28800"),
    ("max_sort_length", "1025", "1025", "1024"),
    ("sql_auto_is_null", "1", "1", "0"),
    ("lock_wait_timeout", "17", "17", "50"),
    ("innodb_lock_wait_timeout", "18", "18", "50"),
    ("autocommit", "0", "0", "1"),
    ("net_write_timeout", "77", "77", "60"),
];

async fn a_setting_follows_its_client(place: Place) {
    let (_stage, mut a, mut b) = two_on_one_backend(place).await;
    for (name, value, read, other) in FOLLOWED {
        let select = format!("SELECT @@session.{name}");
        let before = b.value(&select).await;
        a.run(&format!("SET SESSION {name} = {value}")).await;
        for _turn in 0..2 {
            assert_eq!(a.value(&select).await, read, "{name} of a");
            assert_eq!(b.value(&select).await, before, "{name} of b");
        }
        b.run(&format!("SET {name} = {other}")).await;
        let of_b = b.value(&select).await;
        assert_eq!(a.value(&select).await, read, "{name} of a");
        assert_eq!(b.value(&select).await, of_b, "{name} of b");
        a.run(&format!("SET {name} = DEFAULT")).await;
        b.run(&format!("SET @@session.{name} = DEFAULT")).await;
        assert_eq!(a.value(&select).await, b.value(&select).await, "{name}");
    }
}

async fn every_way_of_setting_is_understood(place: Place) {
    let (_stage, mut a, mut b) = two_on_one_backend(place).await;
    let ways = [
        "SET time_zone = '+01:00'",
        "SET SESSION time_zone = '+01:00'",
        "SET LOCAL time_zone = '+01:00'",
        "SET @@time_zone = '+01:00'",
        "SET @@session.time_zone := '+01:00'",
        "SET @@local.time_zone = \"+01:00\"",
        "set Time_Zone='+01:00', sql_mode=''",
        "SET time_zone = concat('+0', '1:00')",
        "SET /* a comment */ time_zone = '+01:00' -- another",
        "SET `time_zone` = '+01:00'",
        "/*!40103 SET TIME_ZONE='+01:00' */",
    ];
    for sql in ways {
        a.run(sql).await;
        assert_eq!(b.value("SELECT @@time_zone").await, "+00:00", "{sql}");
        assert_eq!(a.value("SELECT @@time_zone").await, "+01:00", "{sql}");
        a.run("SET time_zone = DEFAULT").await;
    }
    // What another statement computes from a setting.
    a.run("SET sql_mode = concat(@@sql_mode, ',PIPES_AS_CONCAT')").await;
    assert_eq!(b.value("SELECT 'a' || 'b'").await, "0");
    assert_eq!(a.value("SELECT 'a' || 'b'").await, "ab");
}

async fn a_prepared_set_follows_too(place: Place) {
    let (_stage, mut a, mut b) = two_on_one_backend(place).await;
    let statement = a.prepare("SET time_zone = ?").await;
    assert_eq!(error(&a.execute(statement.id, &["+05:00".into()]).await), "");
    assert_eq!(b.value("SELECT @@time_zone").await, "+00:00");
    assert_eq!(a.value("SELECT @@time_zone").await, "+05:00");
}

async fn names_follow_their_client(place: Place) {
    let (_stage, mut a, mut b) = two_on_one_backend(place).await;
    a.run("SET NAMES latin1").await;
    b.run("SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci").await;
    for _turn in 0..2 {
        let text = a.run("SELECT v FROM kinds WHERE id = 1").await;
        let Some(e2e::mysql::reply::Outcome::Rows(set)) = text.first() else { panic!("{text:?}") };
        assert_eq!(set.rows[0].as_ref(), b"\x06stra\xdfe", "latin1");
        assert_eq!(set.columns[0].charset, 8, "latin1_swedish_ci");
        assert_eq!(b.value("SELECT v FROM kinds WHERE id = 1").await, "straße");
        assert_eq!(b.value("SELECT @@collation_connection").await, "utf8mb4_unicode_ci");
    }
    a.run("SET CHARACTER SET utf8mb4").await;
    assert_eq!(a.value("SELECT v FROM kinds WHERE id = 1").await, "straße");
}

async fn a_multi_byte_collation_of_a_query_is_kept(place: Place) {
    let (_stage, mut a, mut b) = two_on_one_backend(place).await;
    // Numbers over 255 fit no handshake.
    let collation =
        if place.server == Server::MySql { "utf8mb4_0900_as_cs" } else { "utf8mb4_nopad_bin" };
    a.run(&format!("SET NAMES utf8mb4 COLLATE {collation}")).await;
    for _turn in 0..2 {
        assert_eq!(a.value("SELECT @@collation_connection").await, collation);
        assert_eq!(a.value("SELECT 'a' = 'A'").await, "0");
        assert_eq!(b.value("SELECT 'a' = 'A'").await, "1");
    }
}

async fn autocommit_off_is_a_matter_of_one_client(place: Place) {
    let (stage, mut a, mut b) = two_on_one_backend(place).await;
    let told = done(&a.run("SET autocommit = 0").await);
    assert!(!told.has(status::AUTOCOMMIT), "{told:?}");
    assert!(done(&b.run("SELECT 1").await).has(status::AUTOCOMMIT));
    let mut root = stage.root().await;
    a.run("UPDATE account SET balance = 1 WHERE id = 1").await;
    root.run("USE app").await;
    assert_eq!(root.value("SELECT balance FROM account WHERE id = 1").await, "100");
    a.run("COMMIT").await;
    b.run("UPDATE account SET balance = 2 WHERE id = 2").await;
    assert_eq!(root.value("SELECT sum(balance) FROM account").await, "3", "b commits at once");
    a.run("UPDATE account SET balance = 50 WHERE id = 1").await;
    a.run("ROLLBACK").await;
    assert_eq!(b.value("SELECT balance FROM account WHERE id = 1").await, "1");
    assert!(done(&a.run("SET autocommit = 1").await).has(status::AUTOCOMMIT));
    a.run("UPDATE account SET balance = 60 WHERE id = 1").await;
    assert_eq!(b.value("SELECT balance FROM account WHERE id = 1").await, "60");
}

async fn autocommit_off_reads_from_one_snapshot(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    a.run("SET autocommit = 0").await;
    assert_eq!(a.value("SELECT balance FROM account WHERE id = 1").await, "100");
    b.run("UPDATE account SET balance = 5 WHERE id = 1").await;
    assert_eq!(a.value("SELECT balance FROM account WHERE id = 1").await, "100");
    a.run("COMMIT").await;
    assert_eq!(a.value("SELECT balance FROM account WHERE id = 1").await, "5");
    a.run("ROLLBACK").await;
}

async fn an_isolation_level_follows_and_the_next_transactions_does_not_leak(place: Place) {
    let (_stage, mut a, mut b) = two_on_one_backend(place).await;
    let variable =
        if place.server == Server::MySql { "transaction_isolation" } else { "tx_isolation" };
    let select = format!("SELECT @@{variable}");
    a.run("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE").await;
    assert_eq!(b.value(&select).await, "REPEATABLE-READ");
    assert_eq!(a.value(&select).await, "SERIALIZABLE");
    a.run("SET SESSION TRANSACTION READ ONLY").await;
    assert_eq!(error(&b.query("UPDATE account SET balance = 3").await), "");
    assert_eq!(code(&a.query("UPDATE account SET balance = 4").await), 1792);
    a.run("SET SESSION TRANSACTION READ WRITE").await;
    // Only for the next transaction, whoever uses the backend before it begins.
    a.run("SET TRANSACTION READ ONLY").await;
    a.run("START TRANSACTION").await;
    assert_eq!(code(&a.query("UPDATE account SET balance = 4").await), 1792);
    a.run("COMMIT").await;
    assert_eq!(error(&b.query("UPDATE account SET balance = 5").await), "");
    assert_eq!(error(&a.query("UPDATE account SET balance = 6").await), "");
    let begun = done(&a.run("START TRANSACTION READ ONLY").await);
    assert!(begun.has(status::IN_TRANS_READONLY), "{begun:?}");
    a.run("COMMIT").await;
}

async fn a_transaction_keeps_its_backend(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    for begin in ["BEGIN", "START TRANSACTION", "START TRANSACTION WITH CONSISTENT SNAPSHOT"] {
        assert!(done(&a.run(begin).await).has(status::IN_TRANS), "{begin}");
        a.run("UPDATE account SET balance = balance + 1 WHERE id = 1").await;
        for _turn in 0..3 {
            assert_eq!(b.value("SELECT balance FROM account WHERE id = 1").await, "100");
            assert_eq!(a.value("SELECT balance FROM account WHERE id = 1").await, "101");
        }
        assert!(!done(&a.run("ROLLBACK").await).has(status::IN_TRANS));
    }
    // Data definition commits on its own.
    a.run("BEGIN").await;
    a.run("UPDATE account SET balance = 7 WHERE id = 1").await;
    assert!(!done(&a.run("CREATE TABLE made (id int)").await).has(status::IN_TRANS));
    assert_eq!(b.value("SELECT balance FROM account WHERE id = 1").await, "7");
    a.run("BEGIN").await;
    a.run("SAVEPOINT s").await;
    a.run("UPDATE account SET balance = 8 WHERE id = 1").await;
    a.run("ROLLBACK TO s").await;
    assert!(done(&a.run("COMMIT AND CHAIN").await).has(status::IN_TRANS), "the next has begun");
    a.run("COMMIT").await;
    assert_eq!(b.value("SELECT balance FROM account WHERE id = 1").await, "7");
}

async fn a_transaction_that_is_left_is_rolled_back(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut a = stage.client().await;
    a.run("BEGIN").await;
    a.run("UPDATE account SET balance = 0").await;
    drop(a);
    let mut b = stage.client().await;
    assert_eq!(b.value("SELECT sum(balance) FROM account FOR UPDATE").await, "200");
}

async fn what_a_client_leaves_is_not_the_next_ones(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut a = stage.client().await;
    for sql in [
        "SET time_zone = '+09:00'",
        "SET sql_mode = ''",
        "USE other",
        "SET @left = 1",
        "SET autocommit = 0",
        "SET NAMES latin1",
    ] {
        a.run(sql).await;
    }
    a.close().await;
    let mut b = stage.client().await;
    assert_eq!(b.value("SELECT @@time_zone").await, "+00:00");
    assert_ne!(b.value("SELECT @@sql_mode").await, "");
    assert_eq!(b.value("SELECT database()").await, "app");
    assert_eq!(b.value("SELECT @left IS NULL").await, "1");
    assert_eq!(b.value("SELECT @@autocommit").await, "1");
    assert_eq!(b.value("SELECT @@character_set_client").await, "utf8mb4");
}

async fn a_refused_setting_changes_nothing(place: Place) {
    let (_stage, mut a, mut b) = two_on_one_backend(place).await;
    a.run("SET time_zone = '+02:00'").await;
    for (sql, expected) in [
        ("SET time_zone = 'Nowhere/Land'", 1298),
        ("SET no_such_variable = 1", 1193),
        ("SET SESSION port = 3306", 1238),
        ("SET character_set_client = 'ucs2'", 1231),
    ] {
        assert_eq!(code(&a.query(sql).await), expected, "{sql}");
        assert_eq!(b.value("SELECT @@time_zone").await, "+00:00", "{sql}");
        assert_eq!(a.value("SELECT @@time_zone").await, "+02:00", "{sql}");
    }
}

async fn a_settings_change_within_a_procedure_stays(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    let mut root = stage.root().await;
    root.run("USE app").await;
    root.run("CREATE PROCEDURE far_away() BEGIN SET time_zone = '+07:00'; END").await;
    a.run("CALL far_away()").await;
    assert_eq!(b.value("SELECT @@time_zone").await, "+00:00");
    assert_eq!(a.value("SELECT @@time_zone").await, "+07:00");
}

async fn a_changed_lexer_is_followed(place: Place) {
    let (stage, mut a, mut b) = two_on_one_backend(place).await;
    let told = done(&a.run("SET sql_mode = 'NO_BACKSLASH_ESCAPES'").await);
    assert!(told.has(512), "NO_BACKSLASH_ESCAPES is a status flag: {told:?}");
    // To a, the text ends before the second quote.
    assert_eq!(a.value(r"SELECT 'back\'").await, r"back\");
    assert_eq!(b.value(r"SELECT 'quote\''").await, "quote'");
    // If the proxy read this as b reads it, it would miss that the time zone is set.
    let mut many = Wire::connect_with(
        &stage.endpoint(),
        &e2e::mysql::login::Options::with(capability::MULTI_STATEMENTS),
    )
    .await;
    many.run("SET sql_mode = 'NO_BACKSLASH_ESCAPES'").await;
    many.run(r"SELECT '\'; SET time_zone = '+08:00'; SELECT '\'").await;
    assert_eq!(b.value("SELECT @@time_zone").await, "+00:00");
    assert_eq!(many.value("SELECT @@time_zone").await, "+08:00");
    a.run("SET sql_mode = 'ANSI_QUOTES'").await;
    assert_eq!(a.value(r#"SELECT "name" FROM item WHERE id = 1"#).await, "item 1");
    assert_eq!(b.value(r#"SELECT "name" FROM item WHERE id = 1"#).await, "name");
}

async fn a_timestamp_that_is_set_stands_still(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    a.run("SET time_zone = '+00:00', timestamp = 1000000000").await;
    let now = "SELECT unix_timestamp(now())";
    assert_eq!(a.value(now).await, "1000000000");
    for _turn in 0..3 {
        assert_ne!(b.value(now).await, "1000000000");
        assert_eq!(a.value(now).await, "1000000000");
    }
    a.run("SET timestamp = DEFAULT").await;
    assert_ne!(a.value(now).await, "1000000000");
}

async fn a_reset_that_a_client_did_not_ask_for_does_not_happen(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    a.run("SET time_zone = '+09:00'").await;
    for _turn in 0..10 {
        a.run("SELECT 1 /* jumpgate: no-cache */").await;
        b.run("SELECT 2 /* jumpgate: no-cache */").await;
    }
    let resets =
        stage.mysql.general_log().lines().filter(|line| line.contains("Reset Connection")).count();
    assert!(resets <= 1, "{resets} resets for clients that only differ in their time zone");
    b.ask(&[command::RESET_CONNECTION]).await;
    assert_eq!(a.value("SELECT @@time_zone").await, "+09:00");
}

/// What a server says when it closes a connection, or nothing; and that it did.
async fn last_word(wire: &mut Wire) -> Option<u16> {
    let said = wire.bytes_until_closed().await;
    said.get(4..7).map(|bytes| u16::from_le_bytes([bytes[1], bytes[2]]))
}

/// FAULTS row 40: the time that a client sets for itself, without a backend, with one, and in a transaction.
async fn a_client_that_sets_its_wait_timeout_is_disconnected(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(6)).await;
    let expected = (place.server == Server::MySql).then_some(4031);
    for before in [&[][..], &["SET @a = 1"], &["BEGIN", "SELECT * FROM account"]] {
        let mut wire = stage.client().await;
        for sql in before {
            wire.run(sql).await;
        }
        wire.run("SET SESSION wait_timeout = 1").await;
        let began = tokio::time::Instant::now();
        assert_eq!(last_word(&mut wire).await, expected, "{before:?}");
        assert!(began.elapsed() >= Duration::from_millis(900), "{before:?}: {:?}", began.elapsed());
    }
    // What it says starts the time anew, and the statement itself does not count.
    let mut wire = stage.client().await;
    wire.run("SET wait_timeout = 2, interactive_timeout = 1").await;
    for _turn in 0..3 {
        assert_eq!(wire.value("SELECT sleep(1.2)").await, "0");
    }
    assert_eq!(last_word(&mut wire).await, expected);
    // Nobody else is.
    let mut other = stage.client().await;
    assert_eq!(other.value("SELECT @@wait_timeout").await, "28800");
    if place.server == Server::MariaDb {
        for name in ["transaction", "write_transaction", "readonly_transaction"] {
            let mut wire = stage.client().await;
            wire.run(&format!("SET idle_{name}_timeout = 1")).await;
            wire.run("BEGIN").await;
            let writes = name == "write_transaction";
            let sql =
                if writes { "UPDATE account SET balance = 7" } else { "SELECT * FROM account" };
            wire.run(sql).await;
            assert_eq!(last_word(&mut wire).await, None, "{name}");
        }
    }
    assert_eq!(other.value("SELECT sum(balance) FROM account").await, "200");
}

/// FAULTS row 33: MariaDB writes zeros in front of what changed where the schema's characters are wide.
async fn a_schema_of_wide_characters_can_be_used(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut root = stage.root().await;
    let mut other = stage.client().await;
    for charset in ["ucs2", "utf16", "utf16le", "utf32", "latin1"] {
        root.run(&format!("CREATE DATABASE of_{charset} CHARACTER SET {charset}")).await;
        root.run(&format!("GRANT ALL ON of_{charset}.* TO app@'%'")).await;
        for form in [0, capability::SESSION_TRACK | capability::DEPRECATE_EOF] {
            let mut wire = stage.client_with(form).await;
            for sql in [
                format!("USE of_{charset}"),
                String::from("SET time_zone = '+02:00'"),
                String::from("SET optimizer_switch = DEFAULT"),
                String::from("CREATE TABLE IF NOT EXISTS t (a TEXT)"),
                String::from("INSERT INTO t VALUES ('ä'), ('b')"),
                String::from("SET SESSION sql_mode = 'ANSI_QUOTES'"),
            ] {
                wire.run(&sql).await;
                assert_eq!(other.value("SELECT database()").await, "app");
            }
            assert_eq!(wire.value("SELECT database()").await, format!("of_{charset}"));
            assert_eq!(wire.value("SELECT @@time_zone").await, "+02:00");
            assert_eq!(error(&wire.ask(&say::init_db(&format!("of_{charset}"))).await), "");
        }
    }
}

async fn a_dropped_schema_is_told(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    let mut root = stage.root().await;
    root.run("CREATE DATABASE doomed").await;
    root.run("GRANT ALL ON doomed.* TO app@'%'").await;
    a.run("USE doomed").await;
    a.run("CREATE TABLE t (id int)").await;
    assert_eq!(b.value("SELECT database()").await, "app");
    a.run("DROP DATABASE doomed").await;
    assert_eq!(a.value("SELECT database()").await, "NULL");
    assert_eq!(b.value("SELECT database()").await, "app");
    assert_eq!(code(&a.query("SELECT * FROM thing").await), 1046);
    a.run("USE other").await;
    assert_eq!(a.value("SELECT name FROM thing").await, "from other");
}

async fn a_mariadb_statement_with_settings_of_its_own_leaves_none(place: Place) {
    let (_stage, mut a, mut b) = two_on_one_backend(place).await;
    let sql = "SET STATEMENT time_zone = '+04:00' FOR SELECT @@time_zone";
    assert_eq!(a.value(sql).await, "+04:00");
    assert_eq!(b.value("SELECT @@time_zone").await, "+00:00");
    assert_eq!(a.value("SELECT @@time_zone").await, "+00:00");
    assert_eq!(
        rows(&a.run("SHOW VARIABLES LIKE 'time_zone'").await)[0][1].as_deref(),
        Some("+00:00")
    );
}

e2e::mysql_scenarios! {
    both: [
        a_setting_follows_its_client,
        every_way_of_setting_is_understood,
        a_changed_lexer_is_followed,
        an_isolation_level_follows_and_the_next_transactions_does_not_leak,
        autocommit_off_is_a_matter_of_one_client,
        a_multi_byte_collation_of_a_query_is_kept,
        a_settings_change_within_a_procedure_stays,
        a_dropped_schema_is_told,
        a_client_that_sets_its_wait_timeout_is_disconnected,
        a_schema_of_wide_characters_can_be_used,
        a_transaction_keeps_its_backend,
    ],
    twice: [
        a_prepared_set_follows_too,
        names_follow_their_client,
        autocommit_off_reads_from_one_snapshot,
        a_transaction_that_is_left_is_rolled_back,
        what_a_client_leaves_is_not_the_next_ones,
        a_refused_setting_changes_nothing,
        a_timestamp_that_is_set_stands_still,
        a_reset_that_a_client_did_not_ask_for_does_not_happen,
    ],
    mariadb: [
        a_mariadb_statement_with_settings_of_its_own_leaves_none,
    ],
}
