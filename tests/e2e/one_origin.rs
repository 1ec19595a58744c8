//! An origin is a thing and a config a view of it: whichever config, or state of a config, a write came through, all of
//! them see it. What holds for every engine is in `engines/origins.rs`.

use e2e::{
    jumpgate::Setup,
    stage::{Place, SERVING_PROCESS, Stage, eventually},
    wire::Wire,
};

const BALANCE: &str = "SELECT balance FROM account WHERE id = 1";

/// Another `[[database]]` of the same origin, by the same way.
fn second(stage: &Stage, caching: &str, user: &str, password: &str) -> String {
    let port = stage.postgres.address().port();
    format!(
        "[[database]]\nname = \"second\"\n[[database.user]]\nname = \"app\"\n\
         password_file = \"client-password\"\n[database.origin]\nscheme = \"postgres\"\n\
         host = \"127.0.0.1\"\nport = {port}\ndatabase = \"app\"\nuser = \"{user}\"\n{password}\n\
         [database.caching]\n{caching}\n[database.mtls]\nsslmode = \"require\"\n"
    )
}

async fn add(stage: &mut Stage, database: String) -> Wire {
    stage.jumpgate().reload(|setup| setup.more = database).expect("a reload");
    let endpoint = stage.endpoint().with_database("second");
    eventually("the second config is known", async || {
        let mut wire = Wire::open(endpoint.address).await;
        wire.login(&endpoint, &[]).await.is_ok()
    })
    .await;
    Wire::connect(&endpoint).await
}

/// Reads until it is a hit.
async fn keep(reader: &mut Wire, sql: &str) -> String {
    let mut value = String::new();
    for _turn in 0..100 {
        value = reader.value(sql).await;
        if reader.cache_status().await == "hit" {
            return value;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("never kept: {value}")
}

/// FAULTS row 1: two configs of one origin that log in as two users.
async fn a_write_by_another_user_of_the_origin_is_seen(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(3)).await;
    stage.superuser().await.run("CREATE ROLE other LOGIN SUPERUSER PASSWORD 'other'").await;
    stage.client().await.run("CREATE VIEW shown AS SELECT 1 AS n").await;
    for (turn, (caching, user, password)) in [
        ("disabled = true", "other", "password = 'other'"),
        ("max_age = 60", "other", "password = 'other'"),
    ]
    .into_iter()
    .enumerate()
    {
        let database = second(&stage, caching, user, password);
        let mut writer = add(&mut stage, database).await;
        let mut reader = stage.client().await;
        keep(&mut reader, BALANCE).await;
        let balance = (turn * 10).to_string();
        writer.run(&format!("UPDATE account SET balance = {balance} WHERE id = 1")).await;
        assert_eq!(reader.value(BALANCE).await, balance, "{caching}, {user}");
        keep(&mut reader, BALANCE).await;
        writer.run("BEGIN").await;
        writer.run("UPDATE account SET balance = balance + 1 WHERE id = 1").await;
        writer.run("COMMIT").await;
        let balance = (turn * 10 + 1).to_string();
        assert_eq!(reader.value(BALANCE).await, balance, "{caching}, {user}: by commit");
        // The catalog is one as well.
        writer.run("CREATE OR REPLACE VIEW shown AS SELECT 1 AS n").await;
        assert_eq!(keep(&mut reader, "SELECT n FROM shown").await, "1");
        writer.run("CREATE OR REPLACE VIEW shown AS SELECT balance AS n FROM account").await;
        assert_eq!(keep(&mut reader, "SELECT n FROM shown ORDER BY n LIMIT 1").await, balance);
        writer.run("UPDATE account SET balance = 5 WHERE id = 1").await;
        assert_eq!(reader.value("SELECT n FROM shown ORDER BY n LIMIT 1").await, "5", "{caching}");
    }
}

/// FAULTS row 1: what one user may see is no answer for another.
async fn two_users_of_one_origin_share_no_reply(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(3)).await;
    let mut superuser = stage.superuser().await;
    superuser.run("CREATE ROLE other LOGIN PASSWORD 'other'").await;
    superuser.run("CREATE TABLE private (n int); INSERT INTO private VALUES (1)").await;
    superuser.run("ALTER TABLE private OWNER TO app").await;
    let database = second(&stage, "max_age = 60", "other", "password = 'other'");
    let mut other = add(&mut stage, database).await;
    let mut reader = stage.client().await;
    reader.run("COMMENT ON TABLE private IS ''").await;
    keep(&mut reader, "SELECT n FROM private").await;
    let refused = other.query("SELECT n FROM private").await;
    assert_eq!(e2e::wire::sqlstate(&refused), "42501");
}

/// FAULTS row 2: a pool of its own for each state of a config.
async fn a_reload_that_does_not_concern_the_connections_keeps_them(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(3)).await;
    let kept = stage.client().await.value(SERVING_PROCESS).await;
    for (turn, caching) in ["max_age = 50", "disabled = true"].into_iter().enumerate() {
        stage.jumpgate().reload(|setup| setup.caching = caching.into()).expect("a reload");
        while stage.jumpgate().logs().matches("reloaded").count() <= turn {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(stage.client().await.value(SERVING_PROCESS).await, kept, "{caching}");
    }
}

e2e::scenarios! {
    jumpgate_once: [
        a_write_by_another_user_of_the_origin_is_seen,
        two_users_of_one_origin_share_no_reply,
        a_reload_that_does_not_concern_the_connections_keeps_them,
    ],
}
