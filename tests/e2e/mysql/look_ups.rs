//! Look-ups in the server's own schema: the second client's cost nothing, and nobody misses what was changed through the
//! proxy. The scenarios for PostgreSQL are in `look_ups.rs`.

use std::time::Duration;

use e2e::{
    jumpgate::Setup,
    mysql::{
        reply::code,
        stage::{Place, Stage},
        wire::Wire,
    },
};

const COLUMNS: &str = "SELECT group_concat(column_name ORDER BY ordinal_position) FROM information_schema.columns \
     WHERE table_schema = 'app' AND table_name = 'account'";
const TABLES: &str =
    "SELECT count(*) FROM information_schema.tables WHERE table_name = 'looked_at'";
const INDEXES: &str =
    "SELECT count(*) FROM information_schema.statistics WHERE table_name = 'account'";
const ROUTINES: &str =
    "SELECT count(*) FROM information_schema.routines WHERE routine_name = 'looked_for'";

async fn the_second_client_is_answered_from_the_cache(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut one, mut two) = (stage.client().await, stage.client().await);
    let more = [
        "SHOW TABLES",
        "SHOW FULL COLUMNS FROM account",
        "SHOW DATABASES",
        "SHOW CREATE TABLE account",
        "DESCRIBE item",
        "SELECT * FROM information_schema.key_column_usage WHERE table_schema = DATABASE()",
    ];
    for sql in [COLUMNS, TABLES, INDEXES, ROUTINES].iter().chain(&more) {
        let first = one.run(sql).await;
        assert_eq!(two.run(sql).await, first, "{sql}");
        assert_eq!(two.cache_status().await, "hit", "{sql}");
    }
    let statement = two.prepare("SHOW COLUMNS FROM account LIKE 'b%'").await;
    let first = two.execute(statement.id, &[]).await;
    assert_eq!(two.execute(statement.id, &[]).await, first);
    assert_eq!(two.cache_status().await, "hit");
    for moving in [
        "SHOW INDEX FROM account",
        "SHOW TABLE STATUS",
        "SELECT table_rows FROM information_schema.tables WHERE table_name = 'account'",
        "SELECT * FROM information_schema.tables WHERE table_name = 'account'",
        "SELECT count(*) FROM information_schema.processlist",
        // It counts.
        "SHOW CREATE TABLE counter",
    ] {
        for _turn in 0..2 {
            two.run(moving).await;
            assert_ne!(two.cache_status().await, "hit", "{moving}");
        }
    }
}

/// Reads until the cache answers, which is when the catalog has been read again; each time it must be this.
async fn reads(client: &mut Wire, sql: &str, expected: &str, after: &str) {
    loop {
        assert_eq!(client.value(sql).await, expected, "{sql} after {after}");
        if client.cache_status().await == "hit" {
            return;
        }
    }
}

async fn what_changes_the_schema_is_seen_by_everyone(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(4)).await;
    let mut root = stage.root().await;
    root.run("GRANT CREATE ROUTINE, ALTER ROUTINE ON *.* TO app@'%'").await;
    let (mut writer, mut reader) = (stage.client().await, stage.client().await);
    for (sql, before, change, after) in [
        (COLUMNS, "id,balance", "ALTER TABLE account ADD more INT", "id,balance,more"),
        (COLUMNS, "id,balance,more", "ALTER TABLE account DROP more", "id,balance"),
        (TABLES, "0", "CREATE TABLE looked_at (a INT)", "1"),
        (TABLES, "1", "RENAME TABLE looked_at TO looked_on", "0"),
        (TABLES, "0", "RENAME TABLE looked_on TO looked_at", "1"),
        (TABLES, "1", "DROP TABLE looked_at", "0"),
        (INDEXES, "1", "CREATE INDEX on_balance ON account (balance)", "2"),
        (INDEXES, "2", "DROP INDEX on_balance ON account", "1"),
        (ROUTINES, "0", "CREATE FUNCTION looked_for() RETURNS INT NO SQL RETURN 1", "1"),
        (ROUTINES, "1", "DROP FUNCTION looked_for", "0"),
    ] {
        for client in [&mut reader, &mut writer] {
            reads(client, sql, before, "nothing").await;
        }
        writer.run(change).await;
        for client in [&mut reader, &mut writer] {
            reads(client, sql, after, change).await;
        }
    }
}

/// What an account sees of the schema is what it may use.
async fn what_changes_rights_is_seen_by_everyone(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(4)).await;
    let mut root = stage.root().await;
    for sql in [
        "CREATE DATABASE aside",
        "CREATE TABLE aside.part (id INT)",
        "GRANT CREATE USER ON *.* TO app@'%'",
        "GRANT ALL ON aside.* TO app@'%' WITH GRANT OPTION",
    ] {
        root.run(sql).await;
    }
    let (mut writer, mut reader) = (stage.client().await, stage.client().await);
    let sees = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'aside'";
    reads(&mut reader, sees, "1", "nothing").await;
    writer.run("REVOKE ALL ON aside.* FROM app@'%'").await;
    reads(&mut reader, sees, "0", "REVOKE").await;
    assert_ne!(code(&reader.query("SHOW COLUMNS FROM aside.part").await), 0);
}

/// A table that only its session sees is in no other's answers, and no other's answer is in its.
async fn what_is_temporary_is_ones_own(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut one, mut two) = (stage.client().await, stage.client().await);
    let shows = "SHOW COLUMNS FROM account";
    let all = two.run(shows).await;
    two.run(shows).await;
    assert_eq!(two.cache_status().await, "hit");
    one.run("CREATE TEMPORARY TABLE account (other INT)").await;
    let own = one.run(shows).await;
    assert_ne!(own, all);
    for _turn in 0..2 {
        assert_eq!(one.run(shows).await, own);
        assert_eq!(two.run(shows).await, all);
    }
    one.run("DROP TEMPORARY TABLE account").await;
    assert_eq!(one.run(shows).await, all);
    one.run("SET ROLE reader").await;
    for _turn in 0..2 {
        one.run(shows).await;
        assert_ne!(one.cache_status().await, "hit", "a role of its own");
    }
    // What a procedure makes is seen as well.
    one.run("CALL keep_table()").await;
    assert_eq!(code(&two.query("SHOW COLUMNS FROM kept").await), 1146);
    one.run("SHOW COLUMNS FROM kept").await;
    assert_ne!(one.cache_status().await, "hit");
}

async fn where_it_is_switched_off_the_schema_is_asked(place: Place) {
    let setup = Setup { round_trips: "catalog = false".into(), ..Setup::default() };
    let stage = Stage::with(place, setup).await;
    let mut client = stage.client().await;
    for sql in [COLUMNS, "SHOW TABLES"] {
        client.run(sql).await;
        client.run(sql).await;
        assert_ne!(client.cache_status().await, "hit", "{sql}");
    }
    let table = "SELECT balance FROM account WHERE id = 1";
    client.run(table).await;
    client.run(table).await;
    assert_eq!(client.cache_status().await, "hit");
}

/// A read in a block that has done nothing may be a hit at READ COMMITTED where that is allowed, and only there.
async fn reads_of_a_block_come_from_the_cache_where_that_is_allowed(place: Place) {
    for (lines, expected) in [("in_transactions = \"read-only\"", "hit"), ("", "transaction")] {
        let stage = Stage::with(place, Setup::caching(lines)).await;
        let (mut client, mut other) = (stage.client().await, stage.client().await);
        let read = "SELECT balance FROM account WHERE id = 1";
        client.run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await;
        let warm = client.run(read).await;
        while {
            client.run(read).await;
            client.cache_status().await != "hit"
        } {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        client.run("BEGIN").await;
        client.run(read).await;
        assert_eq!(client.cache_status().await, expected);
        // What others write through here, a block sees that began before.
        other.run("UPDATE account SET balance = balance + 1 WHERE id = 1").await;
        assert_ne!(client.run(read).await, warm);
        client.run("UPDATE account SET balance = balance + 1 WHERE id = 1").await;
        client.run(read).await;
        assert_eq!(client.cache_status().await, "transaction", "it has written");
        client.run("ROLLBACK").await;
        client.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").await;
        client.run("BEGIN").await;
        client.run(read).await;
        client.run(read).await;
        assert_eq!(client.cache_status().await, "transaction", "it must see one state");
        client.run("COMMIT").await;
    }
}

/// Without autocommit and at REPEATABLE READ, as most drivers have it: the reads that come first are hits, of one moment.
async fn the_first_reads_of_a_transaction_are_of_one_moment(place: Place) {
    let stage = Stage::with(place, Setup::caching("writers = \"all through this proxy\"")).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    let (account, item) =
        ("SELECT balance FROM account WHERE id = 1", "SELECT name FROM item WHERE id = 1");
    for setting in ["autocommit = 0", "SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"] {
        client.run(&format!("SET {setting}")).await;
    }
    let mut statuses = Vec::new();
    for sql in [account, account, "COMMIT", account, account, item, account, "COMMIT", item] {
        client.run(sql).await;
        if sql != "COMMIT" {
            statuses.push(client.cache_status().await);
        }
    }
    assert_eq!(statuses, ["miss", "transaction", "hit", "hit", "miss", "transaction", "hit"]);
    // It has read `item`. What is written to `account` now is later than that.
    other.run("UPDATE account SET balance = 50 WHERE id = 1").await;
    other.run(account).await;
    other.run(account).await;
    assert_eq!(other.cache_status().await, "hit");
    client.run(account).await;
    assert_eq!(client.cache_status().await, "miss", "its entry is of another moment");
    client.run("ROLLBACK").await;
    let moment = client.run(account).await;
    assert_eq!(client.cache_status().await, "hit");
    client.run("UPDATE account SET balance = balance + 1 WHERE id = 1").await;
    assert_ne!(client.run(account).await, moment, "its own write");
    client.run("ROLLBACK").await;
    assert_eq!(client.run(account).await, moment);
    // At READ COMMITTED those that follow are, too.
    client.run("COMMIT").await;
    client.run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await;
    other.run("UPDATE account SET balance = 60 WHERE id = 1").await;
    for expected in ["miss", "hit", "hit"] {
        client.run(account).await;
        assert_eq!(client.cache_status().await, expected);
    }
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        the_second_client_is_answered_from_the_cache,
        what_changes_the_schema_is_seen_by_everyone,
        what_changes_rights_is_seen_by_everyone,
        what_is_temporary_is_ones_own,
        where_it_is_switched_off_the_schema_is_asked,
        reads_of_a_block_come_from_the_cache_where_that_is_allowed,
        the_first_reads_of_a_transaction_are_of_one_moment,
    ],
}
