//! Control nodes on one PostgreSQL: a rule holds for all of them, each knows what another has changed, and none ends with it.

use std::time::Duration;

use e2e::{
    certificates::Authority,
    control::Control,
    postgres::Postgres,
    stage::{Version, eventually},
};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::config;

#[tokio::test]
async fn two_control_nodes_write_to_one_postgresql_and_outlive_it() {
    let authority = Authority::new();
    let mut postgres = Postgres::start(Version::Fifteen, &authority, &[]).unwrap();
    let one =
        Control::start_on(&format!("{}?sslmode=require", postgres.superuser().url())).unwrap();
    let two = one.beside().unwrap();
    let configs = "/{a}/hyperdrive/configs";
    for round in 0..8 {
        let body = config(&format!("n{round}"));
        let (a, b) = tokio::join!(one.ask("POST", configs, &body), two.ask("POST", configs, &body));
        let mut statuses = [a.unwrap().0, b.unwrap().0];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400], "one of them has the name");
    }
    for control in [&one, &two] {
        let (_status, listed) = control.ask("GET", configs, &Value::Null).await.unwrap();
        assert_eq!(listed["result_info"]["total_count"], 8);
    }
    postgres.kill_9();
    let (status, refused) = one.ask("GET", configs, &Value::Null).await.unwrap();
    assert_eq!((status, &refused["success"]), (503, &Value::Bool(false)));
    postgres.restart().unwrap();
    let answers = async || one.ask("GET", configs, &Value::Null).await.unwrap().0 == 200;
    eventually("the store is used again", answers).await;
    let log = one.log() + &two.log();
    assert!(!log.contains("superuser-password") && !log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn a_control_node_that_is_killed_while_it_writes_has_kept_all_that_it_has_said() {
    let mut control = Control::start_without_tests().unwrap();
    let configs = "/{a}/hyperdrive/configs";
    let said = Mutex::new(Vec::new());
    let writing = async {
        for round in 0.. {
            let body = config(&format!("n{round}"));
            let made = control.ask("POST", configs, &body).await.unwrap();
            assert_eq!(made.0, 200);
            said.lock().push(made.1["result"]["id"].as_str().unwrap().to_owned());
        }
    };
    // It is at its work, wherever it is cut off.
    let _cut_off = tokio::time::timeout(Duration::from_secs(2), writing).await;
    control.kill();
    control.run().unwrap();
    let said = said.into_inner();
    assert!(!said.is_empty());
    for id in said {
        let (status, _) =
            control.ask("GET", &format!("{configs}/{id}"), &Value::Null).await.unwrap();
        assert_eq!(status, 200, "{id}");
    }
}

/// Each knows what was told to another, and a minute that is told to both counts once.
#[tokio::test]
async fn history_is_kept_in_a_postgresql_by_each_control_node() {
    let postgres = Postgres::start(Version::Fifteen, &Authority::new(), &[]).unwrap();
    let one =
        Control::start_on(&format!("{}?sslmode=require", postgres.superuser().url())).unwrap();
    let two = one.beside().unwrap();
    std::fs::copy(one.home().join("node.token"), two.home().join("node.token")).unwrap();
    let (status, made) = one.ask("POST", "/{a}/hyperdrive/configs", &config("app")).await.unwrap();
    assert_eq!(status, 200);
    let id = &made["result"]["id"];
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() / 60;
    let told = |node: &str, ago: std::ops::Range<u64>, hits: u64| {
        let minutes = ago.map(|ago| {
            json!({
                "database": "app", "id": id, "minute": now - ago, "queries": { "hit": hits },
                "uncached": [0, 1],
            })
        });
        let node = json!({ "instance": node, "name": node, "role": "proxy", "version": "1" });
        json!({ "node": node, "status": {}, "minutes": minutes.collect::<Vec<_>>() })
    };
    for control in [&one, &two, &one] {
        for report in [told("p", 1..451, 1), told("q", 2..5, 10)] {
            eventually("it knows the config", async || {
                let seen = control.ask("GET", "/{a}/hyperdrive/configs/app", &Value::Null).await;
                seen.unwrap().0 == 200
            })
            .await;
            let (status, answer) = control.report(&report).await.unwrap();
            assert_eq!(status, 200, "{answer}");
        }
    }
    // One proxy's minutes of the same hours, at both at once.
    for round in 0..20 {
        let at = 10 + 2 * round;
        let (first, second) = (told("r", at..at + 1, 1), told("r", at + 1..at + 2, 1));
        let (a, b) = tokio::join!(one.report(&first), two.report(&second));
        assert_eq!((a.unwrap().0, b.unwrap().0), (200, 200));
    }
    for control in [&one, &two] {
        for path in ["/{a}/hyperdrive/history", "/{a}/hyperdrive/configs/app/history"] {
            eventually("all of it is there", async || {
                let path = format!("{path}?period=week");
                let (_status, history) = control.ask("GET", &path, &Value::Null).await.unwrap();
                history["result"]["total"]["count"] == 520
            })
            .await;
            // What was told again is counted nowhere.
            let (_status, day) =
                control.ask("GET", &format!("{path}?period=day"), &Value::Null).await.unwrap();
            assert_eq!(day["result"]["total"]["count"], 520, "{path}");
        }
    }
    let (_status, account) = two.ask("GET", "/{a}/hyperdrive/history", &Value::Null).await.unwrap();
    assert_eq!(account["result"]["configs"][0]["name"], "app");
}
