//! Time and writes: nobody reads what a write through the proxy has replaced, and one miss asks once.

use std::time::Duration;

use e2e::{
    jumpgate::Setup,
    mysql::{
        flags::capability,
        reply::{code, rows},
        stage::{Place, Stage},
        wire::Wire,
    },
    stage::eventually,
};

const BALANCE: &str = "SELECT balance FROM account WHERE id = 1";

/// A read that waits while somebody has locked the table.
const LOCKED: &str = "SELECT balance FROM account WHERE id = 1 AND 'gated' = 'gated'";

/// A read whose snapshot is some tenths of a second older than its reply.
const SLOW: &str = "SELECT balance, (SELECT count(*) FROM digit a, digit b, digit c, digit d, digit e, digit f, digit g) AS n \
    FROM account WHERE id = 1";

/// Waits until a statement that contains `text` runs or waits.
async fn running(root: &mut Wire, text: &str) {
    let sql = format!(
        "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%{text}%' AND id <> connection_id()"
    );
    while root.value(&sql).await == "0" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn start(wire: &mut Wire, sql: &str) {
    let payload = wire.text_of(sql);
    wire.command(&payload).await;
}

/// The first value of what was started.
async fn result(wire: &mut Wire) -> String {
    let reply = wire.reply(false).await;
    rows(&reply).into_iter().flatten().next().flatten().unwrap_or_else(|| format!("{reply:?}"))
}

/// Waits until reads are kept: the catalog cannot be read while a table is locked.
async fn reads_are_kept(stage: &Stage) {
    eventually("reads are kept", async || {
        let mut client = stage.client().await;
        client.run("SELECT d FROM digit").await;
        stage.is_direct() || client.cache_status().await == "hit"
    })
    .await;
}

async fn every_kind_of_write_is_seen_by_everyone(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let mut writer = stage.client_with(capability::MULTI_STATEMENTS).await;
    let mut reader = stage.client().await;
    let read = "SELECT group_concat(id, ':', balance ORDER BY id SEPARATOR ' ') FROM account";
    let writes = [
        ("UPDATE account SET balance = 1 WHERE id = 1", "1:1 2:100"),
        ("INSERT INTO account VALUES (3, 3)", "1:1 2:100 3:3"),
        ("DELETE FROM account WHERE id = 3", "1:1 2:100"),
        ("REPLACE INTO account VALUES (1, 2)", "1:2 2:100"),
        ("BEGIN; UPDATE account SET balance = 3 WHERE id = 1; COMMIT", "1:3 2:100"),
        ("UPDATE account SET balance = 4 WHERE id = 1; SELECT 1", "1:4 2:100"),
        (
            "UPDATE item i JOIN account a ON a.id = i.id SET a.balance = 5 WHERE i.id = 1",
            "1:5 2:100",
        ),
        ("INSERT INTO account VALUES (1, 7) ON DUPLICATE KEY UPDATE balance = 7", "1:7 2:100"),
        ("INSERT INTO account SELECT 4, 4", "1:7 2:100 4:4"),
        ("DELETE a FROM account a JOIN item i ON i.id = a.id WHERE i.id = 4", "1:7 2:100"),
        (
            "PREPARE w FROM 'UPDATE account SET balance = 9 WHERE id = 1'; EXECUTE w; DEALLOCATE PREPARE w",
            "1:9 2:100",
        ),
        ("/*!40000 UPDATE account SET balance = 10 WHERE id = 1 */", "1:10 2:100"),
        ("UPDATE `app`.`account` SET balance = 11 WHERE id = 1", "1:11 2:100"),
        (
            "SET autocommit = 0; UPDATE account SET balance = 12 WHERE id = 1; COMMIT; SET autocommit = 1",
            "1:12 2:100",
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
    let statement = writer.prepare("UPDATE account SET balance = ? WHERE id = 1").await;
    for value in [55_i64, 56] {
        reader.run(read).await;
        writer.execute(statement.id, &[value.into()]).await;
        assert_eq!(reader.value(read).await, format!("1:{value}"), "after a prepared write");
    }
}

/// Writes by another path: what the statement does not name but the catalog does.
async fn writes_that_a_statement_does_not_name_are_seen(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut writer, mut reader) = (stage.client().await, stage.client().await);
    let cases = [
        (
            "a procedure",
            "SELECT name FROM item WHERE id = 50",
            "CALL rename_item(50, 'called')",
            "called",
        ),
        ("a trigger", "SELECT count(*) FROM audit", "INSERT INTO audited VALUES (1, 'x')", "1"),
        ("a function", "SELECT count(*) FROM audit", "SELECT noted(5)", "2"),
        ("a cascade", "SELECT count(*) FROM child", "DELETE FROM parent WHERE id = 1", "1"),
        (
            "a view's table",
            "SELECT count(*) FROM cheap",
            "UPDATE item SET price = 1000 WHERE id = 1",
            "5",
        ),
        (
            "a view",
            "SELECT price FROM item WHERE id = 2",
            "UPDATE cheap SET price = 9.5 WHERE id = 2",
            "9.50",
        ),
    ];
    for (name, read, write, expected) in cases {
        for _run in 0..2 {
            reader.run(read).await;
            writer.run(read).await;
        }
        writer.run(write).await;
        assert_eq!(writer.value(read).await, expected, "the writer, {name}");
        assert_eq!(reader.value(read).await, expected, "everyone, {name}");
    }
}

async fn a_loaded_file_is_seen(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let mut writer = stage.client_with(capability::LOCAL_FILES).await;
    let mut reader = stage.client().await;
    let read = "SELECT count(*) FROM account";
    for _run in 0..2 {
        assert_eq!(reader.value(read).await, "2");
    }
    writer.query("LOAD DATA LOCAL INFILE 'f' INTO TABLE account").await;
    writer.put(b"3\t3\n").await;
    writer.put(b"").await;
    assert_eq!(code(&writer.reply(false).await), 0);
    assert_eq!(writer.value(read).await, "3");
    assert_eq!(reader.value(read).await, "3");
}

/// FAULTS §4: a typing error is nobody's write.
async fn a_statement_that_never_ran_takes_nothing_out_of_the_cache(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut clumsy, mut reader) = (stage.client().await, stage.client().await);
    reader.run(BALANCE).await;
    reader.run(BALANCE).await;
    for text in [
        "selct 1",
        "select 'a",
        "explain selct",
        "call nosuch()",
        "select nosuch()",
        "create tabl t (a int)",
        "insert into account values (1",
        "insert into account set id 1",
        "replace account values 1",
        "update account set balance",
        "delete from account were id = 1",
        "call halfway(",
        "call halfway() 1",
        "do 1 +",
        "set global max_sort_length = = 5",
        "optimize table account account",
    ] {
        for begins in [false, true] {
            if begins {
                clumsy.run("START TRANSACTION").await;
            }
            assert_ne!(code(&clumsy.query(text).await), 0, "{text}");
            clumsy.run("ROLLBACK").await;
            reader.run(BALANCE).await;
            assert_eq!(reader.cache_status().await, "hit", "after {text}");
        }
    }
    // What ran before it failed has written.
    let body = "BEGIN UPDATE account SET balance = 7 WHERE id = 1; CALL nosuch(); END";
    clumsy.run(&format!("CREATE PROCEDURE halfway() {body}")).await;
    reader.run(BALANCE).await;
    assert_eq!(reader.value(BALANCE).await, "100");
    assert_ne!(code(&clumsy.query("CALL halfway()").await), 0);
    assert_eq!(reader.value(BALANCE).await, "7");
    // And what raises the like of an error of syntax has run.
    let looks = "SIGNAL SQLSTATE '42000' SET MYSQL_ERRNO = 1064, \
                 MESSAGE_TEXT = 'You have an error in your SQL syntax'";
    clumsy.run("CREATE TABLE counted (n int) ENGINE = MyISAM").await;
    clumsy.run("INSERT INTO counted VALUES (0)").await;
    clumsy.run("CREATE TABLE raises (a int)").await;
    clumsy
        .run(&format!(
            "CREATE TRIGGER raising BEFORE INSERT ON raises FOR EACH ROW \
             BEGIN UPDATE counted SET n = n + 1; {looks}; END"
        ))
        .await;
    clumsy
        .run(&format!("CREATE PROCEDURE raise() BEGIN UPDATE counted SET n = n + 1; {looks}; END"))
        .await;
    reader.run("SELECT n FROM counted").await;
    for (count, text) in [("1", "INSERT INTO raises VALUES (1)"), ("2", "CALL raise()")] {
        reader.run("SELECT n FROM counted").await;
        assert_eq!(code(&clumsy.query(text).await), 1064, "{text}");
        assert_eq!(reader.value("SELECT n FROM counted").await, count, "{text}");
    }
}

async fn data_definition_commits_what_was_open(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut writer, mut reader) = (stage.client().await, stage.client().await);
    assert_eq!(reader.value(BALANCE).await, "100");
    writer.run("BEGIN").await;
    writer.run("UPDATE account SET balance = 50 WHERE id = 1").await;
    assert_eq!(reader.value(BALANCE).await, "100", "not committed yet");
    writer.run("CREATE TABLE commits_all (id int)").await;
    for _turn in 0..2 {
        assert_eq!(reader.value(BALANCE).await, "50");
    }
}

async fn a_fill_that_a_write_overtook_is_not_kept(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(5)).await;
    let mut root = stage.root().await;
    let (mut slow, mut writer, mut reader) =
        (stage.client().await, stage.client().await, stage.client().await);
    start(&mut slow, SLOW).await;
    running(&mut root, "digit g").await;
    writer.run("UPDATE account SET balance = 1 WHERE id = 1").await;
    let own = result(&mut slow).await;
    assert!(["100", "1"].contains(&own.as_str()), "what there was when it began: {own}");
    for client in [&mut reader, &mut writer, &mut slow] {
        assert_eq!(client.value(SLOW).await, "1", "nobody reads the overtaken reply");
    }
}

async fn a_reader_after_the_write_does_not_follow_an_older_leader(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(5)).await;
    let mut root = stage.root().await;
    let (mut leader, mut writer) = (stage.client().await, stage.client().await);
    start(&mut leader, SLOW).await;
    running(&mut root, "digit g").await;
    writer.run("UPDATE account SET balance = 1 WHERE id = 1").await;
    assert_eq!(writer.value(SLOW).await, "1", "it reads its own write");
    leader.reply(false).await;
}

async fn fifty_clients_ask_the_origin_once(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(10)).await;
    let mut root = stage.root().await;
    let mut clients = Vec::new();
    for _client in 0..50 {
        clients.push(stage.client().await);
    }
    reads_are_kept(&stage).await;
    root.run("LOCK TABLES app.account WRITE").await;
    for client in &mut clients {
        start(client, LOCKED).await;
    }
    running(&mut stage.root().await, "gated").await;
    root.run("UNLOCK TABLES").await;
    for client in &mut clients {
        assert_eq!(result(client).await, "100");
    }
    assert_eq!(stage.mysql.executions("'gated' = 'gated'"), 1);
}

async fn a_leader_that_fails_does_not_fail_its_followers(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(5)).await;
    let mut root = stage.root().await;
    let (mut leader, mut killer) = (stage.client().await, stage.client().await);
    reads_are_kept(&stage).await;
    root.run("LOCK TABLES app.account WRITE").await;
    start(&mut leader, LOCKED).await;
    running(&mut stage.root().await, "gated").await;
    let mut followers = Vec::new();
    for _follower in 0..5 {
        let mut follower = stage.client().await;
        start(&mut follower, LOCKED).await;
        followers.push(follower);
    }
    killer.run(&format!("KILL {}", leader.greeting.thread)).await;
    drop(leader);
    root.run("UNLOCK TABLES").await;
    for follower in &mut followers {
        assert_eq!(result(follower).await, "100");
    }
}

async fn a_changed_table_changes_its_kept_replies(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut owner, mut reader) = (stage.client().await, stage.client().await);
    owner.run("CREATE TABLE shape (a int)").await;
    owner.run("INSERT INTO shape VALUES (1)").await;
    for _run in 0..2 {
        assert_eq!(rows(&reader.run("SELECT * FROM shape").await)[0].len(), 1);
    }
    owner.run("ALTER TABLE shape ADD b int DEFAULT 2").await;
    assert_eq!(rows(&reader.run("SELECT * FROM shape").await)[0].len(), 2);
    owner.run("RENAME TABLE shape TO old_shape").await;
    assert_eq!(code(&reader.query("SELECT * FROM shape").await), 1146);
    owner.run("CREATE TABLE shape (x text)").await;
    assert_eq!(rows(&reader.run("SELECT * FROM shape").await).len(), 0);
    owner.run("DROP TABLE shape").await;
    assert_eq!(code(&reader.query("SELECT * FROM shape").await), 1146);
}

async fn a_function_that_becomes_volatile_is_not_kept_any_more(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let mut client = stage.client().await;
    client.run("CREATE FUNCTION answer() RETURNS int DETERMINISTIC NO SQL RETURN 42").await;
    let sql = "SELECT answer() FROM item WHERE id = 1";
    for _run in 0..2 {
        assert_eq!(client.value(sql).await, "42");
    }
    client.run("DROP FUNCTION answer").await;
    client.run("CREATE FUNCTION answer() RETURNS int NOT DETERMINISTIC NO SQL RETURN 43").await;
    // Until the catalog has been read again nothing is certain, so nothing is kept.
    let give_up = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        assert_eq!(client.value(sql).await, "43");
        if stage.is_direct() {
            return;
        }
        match client.cache_status().await.as_str() {
            "volatile" => return,
            other => assert_eq!(other, "uncacheable", "never a hit, stale or kept as a miss"),
        }
        assert!(tokio::time::Instant::now() < give_up, "the new catalog never arrives");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

e2e::mysql_scenarios! {
    everywhere: [
        a_fill_that_a_write_overtook_is_not_kept,
    ],
    both: [
        every_kind_of_write_is_seen_by_everyone,
        writes_that_a_statement_does_not_name_are_seen,
        a_function_that_becomes_volatile_is_not_kept_any_more,
    ],
    twice: [
        a_loaded_file_is_seen,
        a_reader_after_the_write_does_not_follow_an_older_leader,
        data_definition_commits_what_was_open,
        a_leader_that_fails_does_not_fail_its_followers,
        a_changed_table_changes_its_kept_replies,
    ],
    jumpgate_twice: [
        a_statement_that_never_ran_takes_nothing_out_of_the_cache,
        fifty_clients_ask_the_origin_once,
    ],
}
