//! Transaction blocks whose beginning and end the proxy answers: what a client sees and what the database holds afterwards is
//! what a direct connection would have made of it.

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage, eventually},
    wire::{Endpoint, Wire, say, sqlstate, tags},
};

use crate::{
    corpus::{Case, End, Step},
    differential::{attempt, difference},
};

/// What one client says, statement by statement.
const CONVERSATIONS: [&[&str]; 52] = [
    &["BEGIN", "COMMIT"],
    &["BEGIN", "ROLLBACK"],
    &["START TRANSACTION READ ONLY", "END"],
    &["BEGIN", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "SELECT 1", "COMMIT"],
    &["BEGIN", "SELECT balance FROM account WHERE id = 1", "COMMIT", "SELECT 2"],
    &["BEGIN;", "SELECT 1;", "SELECT 2", "ABORT;"],
    &["BEGIN", "SELECT 1", "COMMIT", "BEGIN", "SELECT 2", "COMMIT", "COMMIT"],
    &["BEGIN ISOLATION LEVEL SERIALIZABLE", "SHOW transaction_isolation", "COMMIT"],
    &["BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", "SHOW transaction_isolation", "COMMIT"],
    &["BEGIN READ ONLY", "SHOW transaction_read_only", "UPDATE account SET balance = 0", "COMMIT"],
    &["BEGIN READ ONLY", "UPDATE account SET balance = 0", "SELECT 1", "ROLLBACK", "SELECT 2"],
    &["BEGIN", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SELECT 1", "COMMIT"],
    &["BEGIN", "selekt", "SELECT 1", "COMMIT", "SELECT 2"],
    &["BEGIN", "SELECT 1/0", "SELECT 1", "ROLLBACK", "SELECT 2"],
    &["BEGIN", "SELECT * FROM nosuch", "COMMIT", "SELECT 2"],
    &["BEGIN", "SELECT 1", "SELECT 1/0", "COMMIT"],
    &["BEGIN", "SELECT 1; SELECT 2", "COMMIT"],
    &["BEGIN", "SELECT 1; SELECT 1/0", "COMMIT"],
    &["BEGIN", "SELECT 1; COMMIT; SELECT 2", "SELECT 3"],
    &["BEGIN", "", "COMMIT"],
    &["BEGIN", "BEGIN", "SELECT 1", "COMMIT"],
    &["BEGIN", "INSERT INTO account VALUES (90, 1)", "COMMIT"],
    &["BEGIN", "INSERT INTO account VALUES (91, 1)", "ROLLBACK"],
    &["BEGIN", "INSERT INTO account VALUES (1, 1)", "COMMIT"],
    &["BEGIN", "UPDATE account SET balance = balance + 1 WHERE id = 1 RETURNING balance", "COMMIT"],
    &["BEGIN", "SELECT 1", "UPDATE account SET balance = balance + 1 WHERE id = 2", "COMMIT"],
    &["BEGIN", "SAVEPOINT a", "INSERT INTO account VALUES (92, 1)", "ROLLBACK TO a", "COMMIT"],
    &["BEGIN", "SAVEPOINT a", "SELECT 1", "RELEASE a", "COMMIT"],
    &["BEGIN", "SAVEPOINT a", "SELECT 1/0", "ROLLBACK TO a", "SELECT 1", "COMMIT"],
    &["BEGIN", "ROLLBACK TO a", "ROLLBACK"],
    &["BEGIN", "RELEASE a", "COMMIT"],
    &["BEGIN", "SET LOCAL TimeZone TO 'Asia/Tokyo'", "SHOW TimeZone", "COMMIT", "SHOW TimeZone"],
    &["BEGIN", "SET TimeZone TO 'Asia/Tokyo'", "SELECT 1", "ROLLBACK", "SHOW TimeZone"],
    &["BEGIN", "SET TimeZone TO 'Asia/Tokyo'", "COMMIT", "SHOW TimeZone"],
    &["BEGIN", "RESET TimeZone", "SHOW TimeZone", "COMMIT"],
    &["BEGIN", "SELECT set_config('TimeZone', 'Asia/Tokyo', true)", "COMMIT", "SHOW TimeZone"],
    &["BEGIN", "SELECT * FROM account WHERE id = 1 FOR UPDATE", "COMMIT"],
    &["BEGIN", "SELECT nextval('drawn')", "ROLLBACK", "SELECT nextval('drawn')"],
    &["BEGIN", "NOTIFY heard, 'so'", "COMMIT"],
    &[
        "BEGIN",
        "CREATE TABLE made (a int)",
        "COMMIT",
        "INSERT INTO made VALUES (1)",
        "DROP TABLE made",
    ],
    &["BEGIN", "CREATE TABLE unmade (a int)", "ROLLBACK", "INSERT INTO unmade VALUES (1)"],
    &["BEGIN", "PREPARE TRANSACTION 'x'", "ROLLBACK"],
    &["BEGIN", "VACUUM account", "ROLLBACK"],
    &["BEGIN", "DISCARD ALL", "ROLLBACK"],
    &["BEGIN", "LOCK TABLE account IN ACCESS SHARE MODE", "COMMIT"],
    &[
        "BEGIN",
        "DECLARE c CURSOR FOR SELECT * FROM account ORDER BY id",
        "FETCH 1 FROM c",
        "COMMIT",
    ],
    &["BEGIN", "EXPLAIN (COSTS OFF) SELECT 1", "COMMIT"],
    &["BEGIN", "PREPARE p AS SELECT 1", "EXECUTE p", "COMMIT", "EXECUTE p", "DEALLOCATE p"],
    &["BEGIN", "INSERT INTO said (id) VALUES (1)", "COMMIT", "SELECT current_query()"],
    &["BEGIN", "SELECT current_query()", "COMMIT"],
    &["SET default_transaction_isolation TO 'serializable'", "BEGIN", "SELECT 1", "COMMIT"],
    &[
        "SET default_transaction_read_only TO on",
        "BEGIN",
        "INSERT INTO account VALUES (93, 1)",
        "COMMIT",
    ],
];

/// Blocks that leave nothing, said again and again: by then what can be is answered from memory, and what is not plain must be
/// what it was.
const WAITING: [&[&str]; 49] = [
    &["BEGIN", "SAVEPOINT a", "RELEASE a", "ROLLBACK"],
    &["BEGIN", "SAVEPOINT a", "ROLLBACK TO a", "RELEASE a", "RELEASE a", "ROLLBACK"],
    &["BEGIN", "savepoint A", "RELEASE SAVEPOINT \"a\"", "COMMIT"],
    &["BEGIN", "SAVEPOINT \"A\"", "RELEASE a", "SELECT 1", "ROLLBACK TO \"A\"", "COMMIT"],
    &["BEGIN", "SAVEPOINT a", "SAVEPOINT b", "RELEASE a", "ROLLBACK TO b", "ROLLBACK"],
    &[
        "BEGIN",
        "SAVEPOINT a",
        "SAVEPOINT b",
        "ROLLBACK TO a",
        "RELEASE b",
        "ROLLBACK TO a",
        "COMMIT",
    ],
    &["BEGIN", "SAVEPOINT a", "SAVEPOINT a", "RELEASE a", "RELEASE a", "RELEASE a", "ROLLBACK"],
    &[
        "BEGIN",
        "SAVEPOINT a",
        "SAVEPOINT a",
        "SELECT 1/0",
        "ROLLBACK TO a",
        "RELEASE a",
        "RELEASE a",
    ],
    &["BEGIN", "SAVEPOINT a", "SELECT 1/0", "RELEASE a", "ROLLBACK TO a", "SELECT 1", "COMMIT"],
    &["BEGIN", "SAVEPOINT a", "SELECT 1/0", "SAVEPOINT b", "SHOW work_mem", "COMMIT"],
    &["BEGIN", "SAVEPOINT a", "COMMIT AND CHAIN", "ROLLBACK TO a", "ROLLBACK"],
    &["BEGIN", "SAVEPOINT a", "ROLLBACK AND CHAIN", "SAVEPOINT b", "RELEASE b", "COMMIT"],
    &["SAVEPOINT a", "RELEASE a", "ROLLBACK TO a", "SELECT 1"],
    &["BEGIN", "COMMIT", "SAVEPOINT a"],
    &["BEGIN", "SAVEPOINT a; SELECT 1", "ROLLBACK TO a", "COMMIT"],
    &["BEGIN", "SAVEPOINT a", "COPY account TO STDOUT", "RELEASE a", "COMMIT"],
    &["BEGIN", "SAVEPOINT a", "PREPARE TRANSACTION 'x'", "ROLLBACK"],
    &[
        "BEGIN",
        "SAVEPOINT a_name_that_is_longer_than_the_sixty_three_bytes_that_the_server_takes_of_one",
        "RELEASE a_name_that_is_longer_than_the_sixty_three_bytes_that_the_server_takes_of_another",
        "ROLLBACK",
    ],
    &["BEGIN", "SAVEPOINT \"\u{e9} \"\"x\"", "RELEASE \"\u{e9} \"\"x\"", "ROLLBACK"],
    &["BEGIN", "SAVEPOINT \"x\"\"y\"", "SELECT 1/0", "ROLLBACK TO \"x\"\"y\"", "COMMIT"],
    &["BEGIN", "SAVEPOINT a /* so */ -- it is", "RELEASE a", "COMMIT"],
    &["BEGIN", "SAVEPOINT", "SAVEPOINT a", "ROLLBACK"],
    &[
        "BEGIN",
        "SELECT 1 AS a_name_that_is_longer_than_the_sixty_three_bytes_that_the_server_takes_of_one",
        "ROLLBACK",
    ],
    &["BEGIN", "SHOW work_mem", "SHOW TimeZone", "SELECT current_schema()", "COMMIT"],
    &["BEGIN", "SELECT pg_catalog.version()", "SELECT current_schema()", "ROLLBACK"],
    &["BEGIN", "SHOW nosuch", "SHOW work_mem", "ROLLBACK"],
    &["BEGIN", "SHOW transaction_isolation", "SHOW transaction_read_only", "COMMIT"],
    &["BEGIN", "SHOW transaction isolation level", "SHOW transaction_deferrable", "COMMIT"],
    &["BEGIN ISOLATION LEVEL SERIALIZABLE", "SHOW transaction_isolation", "COMMIT"],
    &["BEGIN ISOLATION LEVEL READ UNCOMMITTED", "SHOW transaction_isolation", "COMMIT"],
    &[
        "START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE",
        "SHOW transaction_deferrable",
        "SHOW transaction_read_only",
        "SELECT current_setting('transaction_isolation')",
        "COMMIT AND CHAIN",
        "SHOW transaction_deferrable",
        "COMMIT",
    ],
    &["BEGIN READ ONLY", "SHOW transaction_read_only", "SHOW transaction_isolation", "COMMIT"],
    &[
        "SET default_transaction_isolation TO 'repeatable read'",
        "BEGIN",
        "SHOW transaction_isolation",
        "COMMIT",
    ],
    &["SET default_transaction_deferrable TO on", "BEGIN", "SHOW transaction_deferrable", "COMMIT"],
    &["BEGIN", "SET LOCAL work_mem TO '7MB'", "SHOW work_mem", "ROLLBACK", "SHOW work_mem"],
    &[
        "BEGIN",
        "SET LOCAL TimeZone TO 'Asia/Tokyo'",
        "SHOW TimeZone",
        "COMMIT",
        "BEGIN",
        "SHOW TimeZone",
        "COMMIT",
    ],
    &[
        "BEGIN",
        "SELECT set_config('work_mem', '9MB', true)",
        "SHOW work_mem",
        "COMMIT",
        "SHOW work_mem",
    ],
    &["BEGIN", "SELECT configures()", "SHOW work_mem", "COMMIT", "SHOW work_mem"],
    &["BEGIN", "SET work_mem TO '7MB'", "SHOW work_mem", "ROLLBACK", "SHOW work_mem"],
    &[
        "BEGIN",
        "SAVEPOINT a",
        "SET work_mem TO '7MB'",
        "ROLLBACK TO a",
        "SHOW work_mem",
        "COMMIT",
        "SHOW work_mem",
    ],
    &[
        "BEGIN",
        "SAVEPOINT a",
        "SET TimeZone TO 'Asia/Tokyo'",
        "RELEASE a",
        "COMMIT",
        "SHOW TimeZone",
    ],
    &[
        "BEGIN",
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SHOW transaction_isolation",
        "COMMIT",
    ],
    &["BEGIN", "SHOW work_mem", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "COMMIT"],
    &[
        "BEGIN",
        "SELECT current_schema()",
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "COMMIT",
    ],
    &[
        "BEGIN",
        "SELECT typname FROM pg_type WHERE oid = 25",
        "SET TRANSACTION READ WRITE",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "COMMIT",
    ],
    &["BEGIN", "SAVEPOINT a", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "ROLLBACK"],
    &[
        "BEGIN",
        "SAVEPOINT a",
        "RELEASE a",
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "ROLLBACK",
    ],
    &[
        "BEGIN ISOLATION LEVEL REPEATABLE READ",
        "SELECT version()",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "ROLLBACK",
    ],
    &[
        "BEGIN",
        "SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE",
        "SHOW TimeZone",
        "ROLLBACK",
        "SHOW TimeZone",
    ],
];

/// How the statements of a conversation are said.
const PROTOCOLS: [&str; 3] = ["simple", "extended", "named"];

fn case(number: usize, protocol: &str, statements: &[&str]) -> Case {
    let step = |(at, sql): (usize, &&str)| {
        let name = if protocol == "named" { format!("s{at}") } else { String::new() };
        let send = match protocol {
            "simple" => say::query(sql),
            _ => [
                say::parse(&name, sql, &[]),
                say::describe(b'S', &name),
                say::bind("", &name, &[], &[], &[]),
                say::describe(b'P', ""),
                say::execute("", 0),
                say::sync(),
            ]
            .concat(),
        };
        Step { send, end: End::Ready(1) }
    };
    let name = format!("{number}, {protocol}: {}", statements.join("; "));
    Case { name, steps: statements.iter().enumerate().map(step).collect(), repeatable: false }
}

/// A world with the tables of the conversations, and a database of the same server that is the same.
async fn prepared(place: Place, setup: Setup) -> (Stage, Endpoint) {
    let stage = Stage::with(place, setup).await;
    let mut owner = stage.direct().await;
    owner.run("CREATE SEQUENCE drawn").await;
    owner.run("CREATE TABLE said (id int, query text DEFAULT current_query())").await;
    owner
        .run(
            "CREATE FUNCTION configures() RETURNS text LANGUAGE plpgsql AS \
             $$ BEGIN RETURN set_config('work_mem', '8MB', true); END $$",
        )
        .await;
    owner.close().await;
    let mut superuser = Wire::connect(&stage.postgres.superuser().with_database("postgres")).await;
    superuser.run("CREATE DATABASE reference TEMPLATE app OWNER app").await;
    superuser.close().await;
    let reference = stage.postgres.endpoint().with_database("reference");
    (stage, reference)
}

/// What the conversations may have changed.
async fn state(endpoint: &Endpoint) -> Vec<String> {
    let mut wire = Wire::connect(endpoint).await;
    let mut state = Vec::new();
    for sql in [
        "SELECT string_agg(id || '=' || balance, ' ' ORDER BY id) FROM account",
        "SELECT coalesce(string_agg(id || '=' || query, ' ' ORDER BY query), '') FROM said",
        "SELECT last_value || ' ' || is_called FROM drawn",
        "SELECT count(*)::text FROM pg_class WHERE relname IN ('made', 'unmade')",
    ] {
        state.push(wire.value(sql).await);
    }
    wire.close().await;
    state
}

/// Plays every conversation on both, in each protocol, and holds what they showed and left against each other.
async fn compare(place: Place, setup: Setup) -> Stage {
    let (stage, reference) = prepared(place, setup).await;
    let (endpoint, through) = (stage.endpoint(), stage.postgres.endpoint());
    let mut differences = Vec::new();
    for (number, statements) in CONVERSATIONS.iter().enumerate() {
        for protocol in PROTOCOLS {
            let case = case(number, protocol, statements);
            let expected = attempt(&reference, &case).await;
            let found = attempt(&endpoint, &case).await;
            differences.extend(difference(&case.name, &expected, &found));
            let (expected, found) = (state(&reference).await, state(&through).await);
            if expected != found {
                differences.push(format!("{}\n  left {found:?}\n  not {expected:?}", case.name));
            }
            assert!(differences.len() < 40, "{}", differences.join("\n"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    stage
}

fn switched(pool_size: u32, lines: &str) -> Setup {
    Setup { round_trips: lines.to_owned(), ..Setup::pool_of(pool_size) }
}

async fn blocks_are_what_the_database_makes_of_them(place: Place) {
    let stage = compare(place, Setup::pool_of(3)).await;
    for kind in ["begin", "commit"] {
        let saved = stage.metrics().await.saved(kind);
        assert!(saved > 20.0, "{saved} of {kind}");
    }
}

async fn blocks_are_the_same_on_one_connection(place: Place) {
    compare(place, Setup::pool_of(1)).await;
}

async fn blocks_are_the_same_where_nothing_is_saved(place: Place) {
    let stage = compare(place, switched(2, "begin = false\ncommit = false")).await;
    assert_eq!(
        (stage.metrics().await.saved("begin"), stage.metrics().await.saved("commit")),
        (0.0, 0.0)
    );
}

async fn blocks_are_the_same_where_only_their_beginning_is_saved(place: Place) {
    compare(place, switched(2, "commit = false")).await;
}

/// Said three times in each protocol: one after the other, and all in one write.
async fn what_waits_in_a_block_is_what_the_database_makes_of_it(place: Place) {
    let (stage, reference) = prepared(place, Setup::pool_of(3)).await;
    let endpoint = stage.endpoint();
    let mut differences = Vec::new();
    for (number, statements) in WAITING.iter().enumerate() {
        for protocol in PROTOCOLS {
            let step_by_step = case(number, protocol, statements);
            for case in [at_once(&step_by_step), step_by_step] {
                let expected = attempt(&reference, &case).await;
                for _time in 0..3 {
                    let found = attempt(&endpoint, &case).await;
                    differences.extend(difference(&case.name, &expected, &found));
                }
            }
            assert!(differences.len() < 40, "{}", differences.join("\n"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    for (kind, least) in [("begin", 300.0), ("show", 100.0)] {
        let saved = stage.metrics().await.saved(kind);
        assert!(saved > least, "{saved} of {kind}");
    }
}

/// The same messages in one write.
fn at_once(case: &Case) -> Case {
    let send = case.steps.iter().flat_map(|step| step.send.clone()).collect();
    let steps = vec![Step { send, end: End::Ready(case.steps.len()) }];
    Case { name: format!("{}, at once", case.name), steps, repeatable: case.repeatable }
}

/// So many round trips are saved as there are waits less than statements.
async fn a_block_that_only_reads_saves_two_round_trips(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut client = stage.client().await;
    client.run("SELECT 1").await;
    stage.direct().await.run("CREATE SEQUENCE drawn").await;
    eventually("the catalog is known", || async {
        let mut other = stage.client().await;
        other.run("BEGIN").await;
        other.run("SELECT id FROM account").await;
        other.run("COMMIT").await;
        other.close().await;
        stage.metrics().await.saved("commit") > 0.0
    })
    .await;
    for (statements, begin, commit) in [
        (["BEGIN", "SELECT balance FROM account WHERE id = 1", "COMMIT"], 1.0, 1.0),
        (["BEGIN", "SELECT now()", "ROLLBACK"], 1.0, 1.0),
        (["BEGIN", "UPDATE account SET balance = 1 WHERE id = 1", "COMMIT"], 1.0, 0.0),
        (["BEGIN", "SELECT nextval('drawn')", "COMMIT"], 1.0, 0.0),
        (["BEGIN", "SELECT * FROM account FOR SHARE", "COMMIT"], 1.0, 0.0),
        (["BEGIN ISOLATION LEVEL SERIALIZABLE", "SELECT 1", "COMMIT"], 1.0, 0.0),
        (["BEGIN", "SELECT 1/0", "ROLLBACK"], 1.0, 0.0),
        (["BEGIN", "SET LOCAL TimeZone TO 'UTC'", "COMMIT"], 1.0, 0.0),
    ] {
        let before = (stage.metrics().await.saved("begin"), stage.metrics().await.saved("commit"));
        for sql in statements {
            client.query(sql).await;
        }
        let after = (stage.metrics().await.saved("begin"), stage.metrics().await.saved("commit"));
        assert_eq!((after.0 - before.0, after.1 - before.1), (begin, commit), "{statements:?}");
    }
}

/// The server may refuse to commit what has read at SERIALIZABLE, also where the database says so for all.
async fn a_database_that_is_serializable_is_waited_for(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut superuser = stage.superuser().await;
    superuser.run("ALTER DATABASE app SET default_transaction_isolation TO 'serializable'").await;
    let mut client = stage.client().await;
    for _time in 0..20 {
        client.run("BEGIN").await;
        client.run("SELECT balance FROM account WHERE id = 1").await;
        client.run("COMMIT").await;
    }
    assert_eq!(stage.metrics().await.saved("commit"), 0.0);
    assert!(stage.metrics().await.saved("begin") > 0.0);
}

/// A read in a block that has done nothing may be a hit where that is allowed, and only there.
async fn reads_of_a_block_come_from_the_cache_where_that_is_allowed(place: Place) {
    for (lines, expected) in [("in_transactions = \"read-only\"", "hit"), ("", "transaction")] {
        let stage = Stage::with(place, Setup::caching(lines)).await;
        let mut client = stage.client().await;
        let read = "SELECT balance FROM account WHERE id = 1";
        eventually("it is cached", || async {
            let mut other = stage.client().await;
            other.run(read).await;
            other.cache_status().await == "hit"
        })
        .await;
        client.run("BEGIN").await;
        let frames = client.run(read).await;
        assert_eq!(frames.last().unwrap().body, "T", "its block is open");
        assert_eq!(client.cache_status().await, expected);
        client.extended(read, &[]).await;
        client.run("SELECT now()").await;
        client.run(read).await;
        assert_eq!(client.cache_status().await, expected, "it has only read");
        client.run("SELECT id FROM account WHERE id = 2 FOR UPDATE").await;
        client.run(read).await;
        assert_eq!(client.cache_status().await, "transaction", "it has locked");
        client.run("COMMIT").await;
        client.run("BEGIN").await;
        client.run("SET LOCAL work_mem = '1MB'").await;
        client.run(read).await;
        assert_eq!(client.cache_status().await, "transaction", "it has set something");
        client.run("COMMIT").await;
        client.run("BEGIN ISOLATION LEVEL REPEATABLE READ").await;
        client.run(read).await;
        assert_eq!(client.cache_status().await, "transaction");
        client.run("COMMIT").await;
    }
}

/// A client that goes away in a block that has done nothing leaves nothing.
async fn a_block_that_never_began_ends_with_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut client = stage.client().await;
    let begun = client.run("BEGIN").await;
    assert_eq!(tags(&begun), "CZ");
    drop(client);
    let mut other = stage.client().await;
    let update = other.query("UPDATE account SET balance = 5 WHERE id = 1").await;
    assert_eq!(sqlstate(&update), "");
}

e2e::scenarios! {
    jumpgate_twice: [
        blocks_are_what_the_database_makes_of_them,
        what_waits_in_a_block_is_what_the_database_makes_of_it,
        blocks_are_the_same_on_one_connection,
        blocks_are_the_same_where_nothing_is_saved,
        blocks_are_the_same_where_only_their_beginning_is_saved,
        a_block_that_only_reads_saves_two_round_trips,
        a_database_that_is_serializable_is_waited_for,
        reads_of_a_block_come_from_the_cache_where_that_is_allowed,
        a_block_that_never_began_ends_with_its_client,
    ],
}
