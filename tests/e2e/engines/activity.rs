//! What a proxy says of what its clients do: statements by shape, who is there, and what they wait for.

use std::net::SocketAddr;

use e2e::{
    engine::{Client, Database, Place, Stage},
    jumpgate::Setup,
    metrics::get,
    stage::eventually,
};
use serde_json::Value;

/// What `/activity` says of the database, and the text of it.
async fn activity(admin: SocketAddr) -> (Value, String) {
    let path = "/activity?database=app&statements=500&sessions=500";
    let (status, text) = get(admin, path).await.expect("the page is there");
    assert_eq!(status, 200, "{text}");
    let told: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(told["databases"][0]["database"], "app", "{text}");
    (told["databases"][0].clone(), text)
}

/// What is told of the statements that are shown so.
fn statement<'a>(told: &'a Value, text: &str) -> &'a Value {
    let mut all = told["statements"].as_array().into_iter().flatten();
    all.find(|it| it["text"] == text).unwrap_or_else(|| panic!("{text} is not in {told:#}"))
}

async fn statements_are_counted_by_shape_and_without_their_constants(place: impl Place) {
    let mut stage = place.stage(Setup::default()).await;
    let admin = stage.jumpgate().admin();
    let mut client = stage.client().await;
    for id in [1, 2, 1, 1] {
        client.run(&format!("SELECT name FROM item WHERE id = {id}")).await;
    }
    client.run("SELECT name, now() FROM item WHERE id = 3").await;
    client.run("UPDATE account SET balance = balance + 1 WHERE id = 1").await;
    for secret in ["hunter2", "tr0ub4dor"] {
        client.query(&format!("SELECT nothing FROM item WHERE name = '{secret}'")).await;
        client.query(&format!("SET nothing = '{secret}'")).await;
        client.query(&format!("{secret} SELECT 47114711")).await;
    }
    let (told, text) = activity(admin).await;
    for secret in ["hunter2", "tr0ub4dor", "47114711"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    let read = statement(&told, "SELECT name FROM item WHERE id = ?");
    assert_eq!(read["queries"], serde_json::json!({ "hit": 2, "miss": 2 }));
    assert_eq!((&read["round_trips_saved"], &read["errors"]), (&2.into(), &0.into()));
    assert!(read["cached_micros"].as_u64() > Some(0), "{read}");
    let timed = |it: &Value| -> u64 {
        it["uncached"].as_array().into_iter().flatten().filter_map(Value::as_u64).sum()
    };
    assert_eq!((timed(read), &read["why_not_cached"]), (2, &Value::Null));
    let volatile = statement(&told, "SELECT name, now() FROM item WHERE id = ?");
    assert_eq!((&volatile["queries"]["volatile"], timed(volatile)), (&1.into(), 1));
    let why = volatile["why_not_cached"].as_str().unwrap_or_default();
    assert!(why.contains("now"), "{why}");
    let write = statement(&told, "UPDATE account SET balance = balance + ? WHERE id = ?");
    assert_eq!((&write["queries"]["notaquery"], &write["errors"]), (&1.into(), &0.into()));
    let failed = statement(&told, "SELECT nothing FROM item WHERE name = ?");
    assert_eq!((&failed["errors"], timed(failed)), (&2.into(), 2), "{failed}");
    assert_eq!(statement(&told, "SET …")["errors"], 2);
    assert_eq!(statement(&told, "…")["errors"], 2);
}

async fn clients_are_told_with_what_they_wait_for_and_why_they_are_pinned(place: impl Place) {
    let mut stage = place.stage(Setup::pool_of(1)).await;
    let admin = stage.jumpgate().admin();
    let mut first = stage.client().await;
    first.run("BEGIN").await;
    first.run("UPDATE account SET balance = 5 WHERE id = 1").await;
    let mut second = stage.client().await;
    second.start("UPDATE account SET balance = 7 WHERE id = 2").await;
    let states = |told: &Value| -> Vec<String> {
        let sessions = told["sessions"].as_array().into_iter().flatten();
        sessions.map(|it| it["state"].as_str().unwrap_or_default().to_owned()).collect()
    };
    eventually("one waits for the other", async || {
        let mut states = states(&activity(admin).await.0);
        states.sort();
        states == ["in transaction", "waiting"]
    })
    .await;
    let (told, text) = activity(admin).await;
    assert_eq!((&told["clients"], &told["pool"]["max"]), (&2.into(), &1.into()));
    assert_eq!((&told["pool"]["in_use"], &told["pool"]["waiting"]), (&1.into(), &1.into()));
    for session in told["sessions"].as_array().into_iter().flatten() {
        assert_eq!(session["user"], "app", "{text}");
        assert_eq!(session["statement"], "UPDATE account SET balance = ? WHERE id = ?");
        assert!(session["address"].as_str().is_some_and(|it| it.starts_with("127.0.0.1:")));
    }
    first.run("COMMIT").await;
    assert_eq!(second.end().await.error, "");
    let (pin, word) = match is_postgres(&stage) {
        true => ("LISTEN news", "listen"),
        false => ("SELECT get_lock('secret', 1)", "named_lock"),
    };
    first.run(pin).await;
    eventually("the pin is told", async || {
        let (told, text) = activity(admin).await;
        assert!(!text.contains("secret"), "{text}");
        let pins = told["sessions"].as_array().into_iter().flatten().map(|it| &it["pins"]);
        told["pinned"] == 1 && pins.filter(|pins| **pins == serde_json::json!([word])).count() == 1
    })
    .await;
    drop((first, second));
    eventually("who has left is not there", async || activity(admin).await.0["clients"] == 0).await;
}

/// What the pages and `top` say of statements is what `jumpgate why` says of them, by the same word.
async fn why_says_what_is_told_of_a_statement(place: impl Place) {
    for lines in ["", "clock_max_age = 5", "disabled = true"] {
        let mut stage = place.stage(Setup::caching(lines)).await;
        let admin = stage.jumpgate().admin();
        let mut client = stage.client().await;
        let statements = [
            ("SELECT name FROM item WHERE id = 1", "SELECT name FROM item WHERE id = ?"),
            ("SELECT name, now() FROM item", "SELECT name, now() FROM item"),
            ("SELECT now(), id FROM item /* jumpgate: max_age=5 */", "SELECT now(), id FROM item"),
            ("/* jumpgate: no-cache */ SELECT id FROM item", "SELECT id FROM item"),
            ("SELECT id FROM item FOR UPDATE", "SELECT id FROM item FOR UPDATE"),
            ("UPDATE account SET balance = 5", "UPDATE account SET balance = ?"),
        ];
        let in_block = ("SELECT 4, name FROM item", "SELECT ?, name FROM item");
        for (sql, _) in statements {
            client.run(sql).await;
        }
        for sql in ["BEGIN", in_block.0, "COMMIT"] {
            client.run(sql).await;
        }
        let (told, _) = activity(admin).await;
        for (sql, shape) in statements.into_iter().chain([in_block]) {
            let told = statement(&told, shape);
            let (code, said, problems) = stage.jumpgate().tool(&["why", "app", sql]).unwrap();
            assert_eq!(code, 0, "{said}{problems}");
            let first = said.lines().next().unwrap_or_default();
            let queries = told["queries"].as_object().unwrap();
            let [status] = queries.keys().collect::<Vec<_>>()[..] else { panic!("{told}") };
            if let Some(why) = told["why_not_cached"].as_str() {
                assert!(first.contains(&format!("({status}): {why}")), "{lines}: {said}{told}");
            } else {
                assert!(first.starts_with("cached outside of transactions"), "{lines}: {said}");
                let is_in_block = sql == in_block.0;
                assert_eq!(status, if is_in_block { "transaction" } else { "miss" }, "{told}");
            }
        }
    }
}

/// A reload that lets what tells the time be cached takes back that it is not.
async fn why_goes_by_the_config_that_is_served(place: impl Place) {
    let mut stage = place.stage(Setup::default()).await;
    let admin = stage.jumpgate().admin();
    let sql = "SELECT name, now() FROM item";
    stage.client().await.run(sql).await;
    assert!(statement(&activity(admin).await.0, sql)["why_not_cached"].is_string());
    stage.jumpgate().reload(|setup| setup.caching = "clock_max_age = 5".into()).unwrap();
    eventually("it is told of the new config", async || {
        stage.client().await.run(sql).await;
        statement(&activity(admin).await.0, sql)["why_not_cached"].is_null()
    })
    .await;
}

async fn activity_is_told_to_no_page_in_a_browser(place: impl Place) {
    let mut stage = place.stage(Setup::default()).await;
    let admin = stage.jumpgate().admin();
    let (status, _) = get(admin, "/activity?nothing=1").await.unwrap();
    assert_eq!(status, 400);
    let (status, text) = get(admin, "/activity?database=nobody").await.unwrap();
    assert_eq!((status, text.contains("\"databases\":[]")), (200, true), "{text}");
}

/// Whether a stage is PostgreSQL's.
fn is_postgres<S: Stage>(_stage: &S) -> bool {
    S::Database::SCHEME.starts_with("postgres")
}

e2e::scenarios! {
    jumpgate: [
        statements_are_counted_by_shape_and_without_their_constants,
    ],
    jumpgate_once: [
        activity_is_told_to_no_page_in_a_browser,
        why_goes_by_the_config_that_is_served,
        why_says_what_is_told_of_a_statement,
        clients_are_told_with_what_they_wait_for_and_why_they_are_pinned,
    ],
}

e2e::mysql_scenarios! {
    jumpgate: [
        clients_are_told_with_what_they_wait_for_and_why_they_are_pinned,
        statements_are_counted_by_shape_and_without_their_constants,
    ],
    jumpgate_both: [
        why_says_what_is_told_of_a_statement,
    ],
}
