//! Time and writes: nobody reads what a write through the proxy has replaced, and one miss asks once.

use std::time::Duration;

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage},
    wire::{Wire, error, rows, say, tags},
};

const BALANCE: &str = "SELECT balance FROM account WHERE id = 1";

/// A read that is slow while somebody holds the lock 99 (see `gate` in the fixture).
const GATED: &str = "SELECT balance + gate(id) - id FROM account WHERE id = 1";

/// Waits until somebody stands before the gate.
async fn somebody_waits(superuser: &mut Wire) {
    while superuser
        .value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        .await
        == "0"
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn every_kind_of_write_is_seen_by_everyone(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut writer, mut reader) = (stage.client().await, stage.client().await);
    let read = "SELECT string_agg(id || ':' || balance, ' ' ORDER BY id) FROM account";
    let writes = [
        ("UPDATE account SET balance = 1 WHERE id = 1", "1:1 2:100"),
        ("INSERT INTO account VALUES (3, 3)", "1:1 2:100 3:3"),
        ("DELETE FROM account WHERE id = 3", "1:1 2:100"),
        (
            "WITH w AS (UPDATE account SET balance = 2 WHERE id = 1 RETURNING 1) SELECT count(*) FROM w",
            "1:2 2:100",
        ),
        ("BEGIN; UPDATE account SET balance = 3 WHERE id = 1; COMMIT", "1:3 2:100"),
        ("UPDATE account SET balance = 4 WHERE id = 1; SELECT 1", "1:4 2:100"),
        ("DO $$ BEGIN UPDATE account SET balance = 5 WHERE id = 1; END $$", "1:5 2:100"),
        (
            "MERGE INTO account a USING (VALUES (1)) v(id) ON a.id = v.id WHEN MATCHED THEN UPDATE SET balance = 6",
            "1:6 2:100",
        ),
        (
            "INSERT INTO account VALUES (1, 7) ON CONFLICT (id) DO UPDATE SET balance = 7",
            "1:7 2:100",
        ),
        ("EXPLAIN ANALYZE UPDATE account SET balance = 8 WHERE id = 1", "1:8 2:100"),
        (
            "PREPARE w AS UPDATE account SET balance = 9 WHERE id = 1; EXECUTE w; DEALLOCATE w",
            "1:9 2:100",
        ),
        ("TRUNCATE account; INSERT INTO account VALUES (1, 100)", "1:100"),
    ];
    for (write, expected) in writes {
        for client in [&mut reader, &mut writer] {
            client.run(read).await;
            client.run(read).await;
        }
        writer.run(write).await;
        assert_eq!(writer.value(read).await, expected, "the writer, after {write}");
        assert_eq!(reader.value(read).await, expected, "everyone, after {write}");
    }
    reader.run(read).await;
    let bind = say::bind("", "", &[], &[Some(b"55")], &[]);
    let update = say::parse("", "UPDATE account SET balance = $1::int WHERE id = 1", &[]);
    assert_eq!(tags(&writer.ask(&[update, bind, say::execute("", 0), say::sync()]).await), "12CZ");
    assert_eq!(reader.value(read).await, "1:55", "after an extended write");
    writer.send(say::query("COPY account FROM STDIN")).await;
    writer.until(b'G').await;
    assert_eq!(error(&writer.ask(&[say::copy_data("2\t2\n"), say::copy_done()]).await), "");
    assert_eq!(reader.value(read).await, "1:55 2:2", "after COPY");
}

/// FAULTS §3 and §4: a typing error is nobody's write.
async fn a_statement_that_never_ran_takes_nothing_out_of_the_cache(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut clumsy, mut reader) = (stage.client().await, stage.client().await);
    let mut is_kept = async |after: &str| {
        reader.run(BALANCE).await;
        assert_eq!(reader.cache_status().await, "hit", "after {after}");
    };
    clumsy.run(BALANCE).await;
    clumsy.run(BALANCE).await;
    for text in [
        "selct 1",
        "select nosuch()",
        "explain selct",
        "call nosuch()",
        "select 'a' 'b'",
        "create tabl t",
    ] {
        assert_ne!(error(&clumsy.query(text).await), "", "{text}");
        is_kept(text).await;
        let batch = [
            say::parse("", text, &[]),
            say::bind("", "", &[], &[], &[]),
            say::execute("", 0),
            say::sync(),
        ];
        assert_ne!(error(&clumsy.ask(&batch).await), "", "{text}");
        is_kept(text).await;
        clumsy.run("BEGIN").await;
        assert_ne!(error(&clumsy.query(text).await), "", "{text}");
        clumsy.run("ROLLBACK").await;
        is_kept(text).await;
    }
    // What ran before it failed may have written.
    let writes = [
        "DO $$ BEGIN UPDATE account SET balance = 7 WHERE id = 1; COMMIT; PERFORM nosuch(); END $$",
        "DO $$ BEGIN UPDATE account SET balance = 7 WHERE id = 1; COMMIT; EXECUTE 'selct'; END $$",
        "BEGIN; UPDATE account SET balance = 7 WHERE id = 1; COMMIT; SELECT nosuch()",
    ];
    for write in writes {
        clumsy.run("UPDATE account SET balance = 100 WHERE id = 1").await;
        reader.run(BALANCE).await;
        assert_eq!(reader.value(BALANCE).await, "100");
        assert_ne!(error(&clumsy.query(write).await), "", "{write}");
        assert_eq!(reader.value(BALANCE).await, "7", "after {write}");
    }
    // And what is sent behind an error is another matter.
    clumsy.run("UPDATE account SET balance = 100 WHERE id = 1").await;
    reader.run(BALANCE).await;
    let both = [say::query("selct 1"), say::query("UPDATE account SET balance = 8 WHERE id = 1")];
    clumsy.send(both.concat()).await;
    clumsy.until_ready().await;
    clumsy.until_ready().await;
    assert_eq!(reader.value(BALANCE).await, "8");
}

async fn a_fill_that_a_write_overtook_is_not_kept(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(5)).await;
    let mut superuser = stage.superuser().await;
    let (mut slow, mut writer, mut reader) =
        (stage.client().await, stage.client().await, stage.client().await);
    superuser.run("SELECT pg_advisory_lock(99)").await;
    slow.send(say::query(GATED)).await;
    somebody_waits(&mut superuser).await;
    writer.run("UPDATE account SET balance = 1 WHERE id = 1").await;
    superuser.run("SELECT pg_advisory_unlock(99)").await;
    assert_eq!(
        rows(&slow.until_ready().await),
        [[Some("100".to_owned())]],
        "its snapshot is older"
    );
    for client in [&mut reader, &mut writer, &mut slow] {
        assert_eq!(client.value(GATED).await, "1", "nobody reads the overtaken reply");
    }
}

async fn a_reader_after_the_write_does_not_follow_an_older_leader(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(5)).await;
    let mut superuser = stage.superuser().await;
    let (mut leader, mut writer) = (stage.client().await, stage.client().await);
    superuser.run("SELECT pg_advisory_lock(99)").await;
    leader.send(say::query(GATED)).await;
    somebody_waits(&mut superuser).await;
    writer.run("UPDATE account SET balance = 1 WHERE id = 1").await;
    writer.send(say::query(GATED)).await;
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    while superuser.value(waiting).await != "2" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    superuser.run("SELECT pg_advisory_unlock(99)").await;
    assert_eq!(
        rows(&writer.until_ready().await),
        [[Some("1".to_owned())]],
        "it reads its own write"
    );
    leader.until_ready().await;
}

async fn fifty_clients_ask_the_origin_once(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(10)).await;
    let mut superuser = stage.superuser().await;
    let mut clients = Vec::new();
    for _client in 0..50 {
        clients.push(stage.client().await);
    }
    superuser.run("SELECT pg_advisory_lock(99)").await;
    for client in &mut clients {
        client.send(say::query(GATED)).await;
    }
    somebody_waits(&mut superuser).await;
    superuser.run("SELECT pg_advisory_unlock(99)").await;
    for client in &mut clients {
        assert_eq!(rows(&client.until_ready().await), [[Some("100".to_owned())]]);
    }
    assert_eq!(stage.postgres.executions("gate(id)"), 1);
}

async fn a_leader_that_fails_does_not_fail_its_followers(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(5)).await;
    let mut superuser = stage.superuser().await;
    let mut leader = stage.client().await;
    superuser.run("SELECT pg_advisory_lock(99)").await;
    leader.send(say::query(GATED)).await;
    somebody_waits(&mut superuser).await;
    let mut followers = Vec::new();
    for _follower in 0..5 {
        let mut follower = stage.client().await;
        follower.send(say::query(GATED)).await;
        followers.push(follower);
    }
    let mut canceller = Wire::open(stage.endpoint().address).await;
    canceller.send(leader.cancel_request()).await;
    canceller.bytes_until_closed().await;
    drop(leader);
    superuser.run("SELECT pg_advisory_unlock(99)").await;
    for follower in &mut followers {
        assert_eq!(rows(&follower.until_ready().await), [[Some("100".to_owned())]]);
    }
}

async fn a_changed_table_changes_its_kept_replies(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut owner, mut reader) = (stage.client().await, stage.client().await);
    owner.run("CREATE TABLE shape (a int)").await;
    owner.run("INSERT INTO shape VALUES (1)").await;
    let columns = |frames: Vec<e2e::wire::Frame>| rows(&frames).first().map(Vec::len);
    for _run in 0..2 {
        assert_eq!(columns(reader.run("SELECT * FROM shape").await), Some(1));
    }
    owner.run("ALTER TABLE shape ADD b int DEFAULT 2").await;
    assert_eq!(columns(reader.run("SELECT * FROM shape").await), Some(2));
    owner.run("DROP TABLE shape").await;
    assert_eq!(e2e::wire::sqlstate(&reader.query("SELECT * FROM shape").await), "42P01");
    owner.run("CREATE TABLE shape (x text)").await;
    assert_eq!(rows(&reader.run("SELECT * FROM shape").await).len(), 0);
}

async fn a_function_that_becomes_volatile_is_not_kept_any_more(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let mut client = stage.client().await;
    client.run("CREATE FUNCTION answer() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 42'").await;
    for _run in 0..2 {
        assert_eq!(client.value("SELECT answer()").await, "42");
    }
    client
        .run("CREATE OR REPLACE FUNCTION answer() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 43'")
        .await;
    if stage.is_direct() {
        assert_eq!(client.value("SELECT answer()").await, "43");
        return;
    }
    // Until the catalog has been read again nothing is certain, so nothing is kept.
    let give_up = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        assert_eq!(client.value("SELECT answer()").await, "43");
        match client.cache_status().await.as_str() {
            "volatile" => break,
            other => assert_eq!(other, "uncacheable", "never a hit, stale or kept as a miss"),
        }
        assert!(tokio::time::Instant::now() < give_up, "the new catalog never arrives");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

e2e::scenarios! {
    everywhere: [
        a_fill_that_a_write_overtook_is_not_kept,
        a_reader_after_the_write_does_not_follow_an_older_leader,
    ],
    twice: [
        every_kind_of_write_is_seen_by_everyone,
        a_leader_that_fails_does_not_fail_its_followers,
        a_changed_table_changes_its_kept_replies,
        a_function_that_becomes_volatile_is_not_kept_any_more,
    ],
    jumpgate_twice: [
        a_statement_that_never_ran_takes_nothing_out_of_the_cache,
        fifty_clients_ask_the_origin_once,
    ],
}
