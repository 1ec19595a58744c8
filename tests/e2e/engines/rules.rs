//! Rules for the cache: by table, by user, for reads in transactions; and how old what is kept may be.

use std::time::Duration;

use e2e::{
    engine::{Client, Database, Place, Stage},
    jumpgate::Setup,
    stage::eventually,
};

const ACCOUNT: &str = "SELECT balance FROM account WHERE id = 1";
const ITEM: &str = "SELECT name FROM item WHERE id = 1";
const BOTH: &str =
    "SELECT balance FROM account JOIN item ON account.id = item.id WHERE item.id = 1";
const ALL_HERE: &str = "writers = \"all through this proxy\"";

/// What the cache makes of a statement that was run before.
async fn status(client: &mut impl Client, sql: &str) -> String {
    client.run(sql).await;
    client.run(sql).await;
    client.cache_status().await
}

/// A client of a proxy that knows the catalog: before that it keeps nothing.
async fn client_of<S: Stage>(stage: &S) -> S::Client {
    let mut client = stage.client().await;
    // No rule here is about what reads no table.
    while status(&mut client, "SELECT 1").await == "uncacheable" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    client
}

fn rule(lines: &str) -> String {
    format!("[[database.caching.rule]]\n{lines}\n")
}

async fn the_first_rule_about_a_table_counts(place: impl Place) {
    let rules = [
        rule("tables = [\"account\"]\nnever = true"),
        rule("tables = [\"item\", \"account\"]\nmax_age = 0\nstale_while_revalidate = 3600"),
        rule("tables = [\"item\"]\nnever = true"),
    ];
    let mut stage = place.stage(Setup::caching(&rules.concat())).await;
    let mut client = client_of(&stage).await;
    for (sql, expected) in [
        (ACCOUNT, "disabled"),
        (ITEM, "stale"),
        (BOTH, "disabled"),
        ("SELECT count(*) FROM parent", "hit"),
        ("SELECT 1", "hit"),
        ("SELECT name FROM item WHERE id = 2 /* jumpgate: max_age=60 */", "hit"),
        ("SELECT balance FROM account WHERE id = 2 /* jumpgate: max_age=60 */", "disabled"),
    ] {
        assert_eq!(status(&mut client, sql).await, expected, "{sql}");
    }
    let why = stage.jumpgate().tool(&["why", "app", BOTH]).unwrap().1;
    assert!(why.starts_with("not cached (disabled): a rule says never"), "{why}");
    let told = "by rule 2 of [database.caching]: tables = [\"item\", \"account\"], max_age = 0,";
    assert!(why.contains("by rule 1 of [database.caching]: ") && why.contains(told), "{why}");
    stage.jumpgate().reload(|setup| setup.caching = rules[2].clone()).expect("a reload");
    eventually("the new rules are in force", async || {
        let mut other = stage.client().await;
        status(&mut other, ACCOUNT).await == "hit" && status(&mut other, ITEM).await == "disabled"
    })
    .await;
}

async fn a_rule_about_a_user_is_about_nobody_else(place: impl Place) {
    let rules = [
        rule("tables = [\"account\"]\nuser = \"report\"\nmax_age = 3600"),
        rule("tables = [\"account\"]\nnever = true"),
        rule("user = \"report\"\nmax_age = 0\nstale_while_revalidate = 0"),
    ];
    let more = "[[database.user]]\nname = \"report\"\npassword = \"of-report\"\n".to_owned();
    let stage = place.stage(Setup { more, ..Setup::caching(&rules.concat()) }).await;
    let mut app = client_of(&stage).await;
    let mut report = stage.client_of("app", "report", "of-report").await.expect("it may log in");
    for (sql, of_app, of_report) in
        [(ACCOUNT, "disabled", "hit"), (ITEM, "hit", "miss"), (BOTH, "disabled", "miss")]
    {
        assert_eq!(status(&mut app, sql).await, of_app, "{sql}");
        assert_eq!(status(&mut report, sql).await, of_report, "{sql}");
    }
}

/// A session that keeps everybody from reading `account`.
async fn lock<S: Stage>(stage: &S) -> S::Client {
    let mut direct = stage.direct().await;
    match S::Database::SCHEME {
        "mysql" => direct.run("LOCK TABLES account WRITE").await,
        _ => {
            direct.run("BEGIN").await;
            direct.run("LOCK TABLE account IN ACCESS EXCLUSIVE MODE").await
        }
    };
    direct
}

async fn unlock<S: Stage>(direct: &mut S::Client) {
    direct
        .run(match S::Database::SCHEME {
            "mysql" => "UNLOCK TABLES",
            _ => "COMMIT",
        })
        .await;
}

/// Longer than what is kept here is fresh.
async fn grow_old() {
    tokio::time::sleep(Duration::from_millis(1_200)).await;
}

async fn a_reply_is_as_old_as_its_question<P: Place>(place: P) {
    let stage = place.stage(Setup::caching("max_age = 1\nstale_while_revalidate = 0")).await;
    let mut client = client_of(&stage).await;
    let mut direct = lock(&stage).await;
    client.start(ACCOUNT).await;
    grow_old().await;
    unlock::<P::Stage>(&mut direct).await;
    client.end().await;
    client.run(ACCOUNT).await;
    assert_eq!(client.cache_status().await, "miss");
}

async fn a_refreshed_reply_is_as_old_as_the_question_that_refreshed_it<P: Place>(place: P) {
    let stage = place.stage(Setup::caching("max_age = 1\nstale_while_revalidate = 3600")).await;
    let mut client = client_of(&stage).await;
    assert_eq!(client.value(ACCOUNT).await, "100");
    let mut direct = lock(&stage).await;
    grow_old().await;
    assert_eq!(client.value(ACCOUNT).await, "100");
    assert_eq!(client.cache_status().await, "stale");
    grow_old().await;
    direct.run("UPDATE account SET balance = 7 WHERE id = 1").await;
    unlock::<P::Stage>(&mut direct).await;
    while client.value(ACCOUNT).await != "7" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(client.cache_status().await, "stale", "it was asked for before it was fresh");
}

/// Has each statement of a transaction see what is committed then.
fn committed<S: Stage>() -> &'static str {
    match S::Database::SCHEME {
        "mysql" => "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        _ => "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
    }
}

/// How many of five reads of one transaction the cache answers.
async fn hits_of_five(client: &mut impl Client) -> usize {
    let mut hits = 0;
    for _read in 0..5 {
        client.run(ACCOUNT).await;
        hits += usize::from(client.cache_status().await == "hit");
    }
    hits
}

async fn reads_in_transactions_are_hits_where_all_write_through_the_proxy<P: Place>(place: P) {
    let stage = place.stage(Setup::caching(ALL_HERE)).await;
    let (mut client, mut other) = (client_of(&stage).await, stage.client().await);
    client.run(committed::<P::Stage>()).await;
    client.run("BEGIN").await;
    assert_eq!(hits_of_five(&mut client).await, 4, "the first is asked for");
    other.run("UPDATE account SET balance = 70 WHERE id = 1").await;
    assert_eq!(client.value(ACCOUNT).await, "70", "it is committed");
    client.run("UPDATE account SET balance = 80 WHERE id = 1").await;
    assert_eq!(client.value(ACCOUNT).await, "80");
    assert_eq!(hits_of_five(&mut client).await, 0, "it has written");
    assert_eq!(other.value(ACCOUNT).await, "70");
    client.run("ROLLBACK").await;
    assert_eq!(client.value(ACCOUNT).await, "70");
}

async fn what_the_cache_would_have_answered_in_transactions_is_counted<P: Place>(place: P) {
    for (lines, expected) in [("", 5.0), (ALL_HERE, 0.0)] {
        let stage = place.stage(Setup::caching(lines)).await;
        let mut client = client_of(&stage).await;
        client.run(committed::<P::Stage>()).await;
        client.run("BEGIN").await;
        hits_of_five(&mut client).await;
        client.run("UPDATE account SET balance = 80 WHERE id = 1").await;
        hits_of_five(&mut client).await;
        client.run("COMMIT").await;
        let metrics = stage.metrics().await;
        assert_eq!(metrics.sum("jumpgate_transaction_reads_total", &[]), expected, "{lines}");
    }
}

e2e::scenarios! {
    jumpgate_twice: [
        the_first_rule_about_a_table_counts,
        a_rule_about_a_user_is_about_nobody_else,
        a_reply_is_as_old_as_its_question,
        a_refreshed_reply_is_as_old_as_the_question_that_refreshed_it,
        reads_in_transactions_are_hits_where_all_write_through_the_proxy,
        what_the_cache_would_have_answered_in_transactions_is_counted,
    ],
}

e2e::mysql_scenarios! {
    jumpgate_twice: [
        the_first_rule_about_a_table_counts,
        a_rule_about_a_user_is_about_nobody_else,
        a_reply_is_as_old_as_its_question,
        a_refreshed_reply_is_as_old_as_the_question_that_refreshed_it,
        reads_in_transactions_are_hits_where_all_write_through_the_proxy,
        what_the_cache_would_have_answered_in_transactions_is_counted,
    ],
}
