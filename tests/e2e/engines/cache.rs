//! What is kept, for whom, and what is said of it.

use e2e::{
    engine::{Client, Database as _, Place, Stage as _},
    jumpgate::Setup,
    stage::eventually,
};

const ITEM: &str = "SELECT name FROM item WHERE id = 1";

/// What is said of a statement the second time.
async fn second_status(client: &mut impl Client, sql: &str) -> String {
    for _run in 0..2 {
        client.query(sql).await;
    }
    client.cache_status().await
}

async fn a_config_without_caching_keeps_nothing(place: impl Place) {
    let stage = place.stage(Setup::caching("disabled = true")).await;
    let mut client = stage.client().await;
    assert_eq!(second_status(&mut client, ITEM).await, "disabled");
}

async fn a_kept_reply_needs_no_backend<P: Place>(place: P) {
    let mut stage = place.stage(Setup::pool_of(1)).await;
    let (mut holder, mut client) = (stage.client().await, stage.client().await);
    assert_eq!(client.value(ITEM).await, "item 1");
    holder.run("BEGIN").await;
    holder.run(HOLDS).await;
    for _run in 0..3 {
        assert_eq!(client.value(ITEM).await, "item 1", "the only backend is held by somebody else");
    }
    assert_eq!(stage.database().executions("WHERE id = 1"), 1);
    stage.database().kill_9();
    assert_eq!(client.value(ITEM).await, "item 1", "the database is gone");
}

/// Keeps a backend until the transaction ends.
const HOLDS: &str = "SELECT 1 FROM item /* jumpgate: no-cache */";

async fn hints_decide_for_one_statement(place: impl Place) {
    let stage = place.stage(Setup::default()).await;
    let mut client = stage.client().await;
    for sql in [
        "SELECT name FROM item WHERE id = 4 /* jumpgate: no-cache */",
        "SELECT name FROM item WHERE id = 4 -- jumpgate: no-cache",
    ] {
        assert_eq!(second_status(&mut client, sql).await, "hint", "{sql}");
    }
    let sql = "/* jumpgate: max_age=60, swr=0 */ SELECT name FROM item WHERE id = 5";
    assert_eq!(second_status(&mut client, sql).await, "hit");
    let sql = "/* jumpgate: max_age=0, swr=0 */ SELECT name FROM item WHERE id = 5";
    assert_eq!(second_status(&mut client, sql).await, "miss", "it is too old at once");
    assert_eq!(second_status(&mut client, "SELECT now()").await, "volatile");
    let sql = "SELECT now() /* jumpgate: max_age=60 */";
    assert_eq!(second_status(&mut client, sql).await, "hit", "the time may be so old");
    let sql = "SELECT name FROM item WHERE id = 5 FOR UPDATE /* jumpgate: max_age=60 */";
    assert_ne!(second_status(&mut client, sql).await, "hit", "a hint does not make it sure");
}

async fn every_status_is_counted(place: impl Place) {
    let stage = place.stage(Setup::default()).await;
    let mut client = stage.client_of_several().await;
    for sql in
        ["SELECT 1 FROM item", "SELECT 1 FROM item", "SELECT now()", "SELEKT", "SELECT 1; SELECT 2"]
    {
        client.query(sql).await;
    }
    eventually("all are counted", async || {
        let metrics = stage.metrics().await;
        let once = ["miss", "hit", "volatile", "parseerror", "multiplestatements"];
        once.iter().all(|status| metrics.queries(status) == 1.0)
            && metrics.sum("jumpgate_query_seconds_count", &[("database", "app")]) == 5.0
            && metrics.sum("jumpgate_round_trips_saved_total", &[("database", "app")]) == 1.0
            && metrics.sum("jumpgate_result_bytes_total", &[]) > 0.0
    })
    .await;
}

async fn a_client_that_leaves_while_it_fills_leaves_no_half_reply(place: impl Place) {
    let stage = place.stage(Setup::pool_of(2)).await;
    let sql = "SELECT id, filler FROM wide ORDER BY id";
    for _turn in 0..3 {
        let mut hasty = stage.client().await;
        hasty.start(sql).await;
        hasty.begin().await;
        drop(hasty);
        let mut client = stage.client().await;
        for _run in 0..2 {
            assert_eq!(client.run(sql).await.len(), 3000);
        }
    }
}

async fn every_byte_of_a_statement_counts(place: impl Place) {
    let stage = place.stage(Setup::default()).await;
    let mut client = stage.client().await;
    let statements = [
        ("SELECT name FROM item ORDER BY id LIMIT 1", 1),
        ("SELECT name FROM item ORDER BY id LIMIT 2", 2),
        ("SELECT id FROM item WHERE concat(id, 'a') = '1a'", 1),
        ("SELECT id FROM item WHERE concat(id, 'a') = '1b'", 0),
        ("SELECT id FROM item WHERE concat(id, 'a') = '1a1'", 0),
        ("SELECT name FROM item WHERE id IN (1, 2, 3)", 3),
        ("SELECT name FROM item WHERE id IN (1, 2)", 2),
    ];
    for _turn in 0..2 {
        for (sql, count) in statements {
            assert_eq!(client.run(sql).await.len(), count, "{sql}");
        }
    }
}

e2e::scenarios! {
    everywhere: [
        a_client_that_leaves_while_it_fills_leaves_no_half_reply,
    ],
    twice: [
        every_byte_of_a_statement_counts,
    ],
    jumpgate_twice: [
        a_kept_reply_needs_no_backend,
        hints_decide_for_one_statement,
        every_status_is_counted,
    ],
    jumpgate_once: [
        a_config_without_caching_keeps_nothing,
    ],
}

e2e::mysql_scenarios! {
    twice: [
        a_client_that_leaves_while_it_fills_leaves_no_half_reply,
        every_byte_of_a_statement_counts,
    ],
    jumpgate_twice: [
        a_kept_reply_needs_no_backend,
        hints_decide_for_one_statement,
        every_status_is_counted,
        a_config_without_caching_keeps_nothing,
    ],
}
