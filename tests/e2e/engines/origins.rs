//! An origin is a thing and a config a view of it: whichever config, or state of a config, a write came through, all of
//! them see it.

use std::time::Duration;

use e2e::{
    engine::{Client, Database, Place, Stage},
    jumpgate::Setup,
    stage::eventually,
};

const BALANCE: &str = "SELECT balance FROM account WHERE id = 1";

/// Another `[[database]]` of the same origin, by the same way, with whatever client may log in.
async fn add<S: Stage>(stage: &mut S, caching: &str) -> S::Client {
    let (scheme, port) = (S::Database::SCHEME, stage.database().port());
    let database = format!(
        "[[database]]\nname = \"second\"\n[[database.user]]\nname = \"writer\"\n\
         password_file = \"client-password\"\n[database.origin]\nscheme = \"{scheme}\"\n\
         host = \"127.0.0.1\"\nport = {port}\ndatabase = \"app\"\nuser = \"app\"\n\
         password_file = \"origin-password\"\n[database.caching]\n{caching}\n\
         [database.mtls]\nsslmode = \"verify-full\"\nca_certificate = \"ca.pem\"\n"
    );
    stage.jumpgate().reload(|setup| setup.more = database).expect("a reload");
    eventually("the second config is known", async || client(stage).await.is_some()).await;
    client(stage).await.expect("a login")
}

async fn client<S: Stage>(stage: &S) -> Option<S::Client> {
    stage.client_of("second", "writer", "client-password").await
}

/// Reads until it is a hit.
async fn keep(reader: &mut impl Client, sql: &str) -> String {
    let mut value = String::new();
    for _turn in 0..200 {
        value = reader.value(sql).await;
        if reader.cache_status().await == "hit" {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never kept: {value}")
}

/// FAULTS row 1: two configs of one origin, one that caches and one that does not.
async fn a_write_through_one_config_is_seen_through_the_other(place: impl Place) {
    let mut stage = place.stage(Setup::pool_of(3)).await;
    for (turn, caching) in ["disabled = true", "max_age = 60"].into_iter().enumerate() {
        let mut writer = add(&mut stage, caching).await;
        let mut reader = stage.client().await;
        keep(&mut reader, BALANCE).await;
        let balance = (turn * 10).to_string();
        writer.run(&format!("UPDATE account SET balance = {balance} WHERE id = 1")).await;
        assert_eq!(reader.value(BALANCE).await, balance, "{caching}");
        keep(&mut reader, BALANCE).await;
        writer.run("BEGIN").await;
        writer.run("UPDATE account SET balance = balance + 1 WHERE id = 1").await;
        writer.run("COMMIT").await;
        let balance = (turn * 10 + 1).to_string();
        assert_eq!(reader.value(BALANCE).await, balance, "{caching}: by commit");
        // The catalog is one as well.
        writer.run("CREATE OR REPLACE VIEW shown AS SELECT id AS n FROM item WHERE id = 1").await;
        assert_eq!(keep(&mut reader, "SELECT n FROM shown").await, "1");
        writer
            .run("CREATE OR REPLACE VIEW shown AS SELECT balance AS n FROM account WHERE id = 1")
            .await;
        assert_eq!(keep(&mut reader, "SELECT n FROM shown").await, balance);
        writer.run("UPDATE account SET balance = 5 WHERE id = 1").await;
        assert_eq!(reader.value("SELECT n FROM shown").await, "5", "{caching}");
    }
}

/// FAULTS row 2: the sessions from before a reload and those from after it see each other's writes.
async fn a_reload_parts_no_writer_from_its_readers(place: impl Place) {
    let mut stage = place.stage(Setup::pool_of(3)).await;
    for (turn, caching) in
        ["max_age = 50", "max_age = 40", "disabled = true", "max_age = 30"].into_iter().enumerate()
    {
        let mut old = stage.client().await;
        old.run(&format!("UPDATE account SET balance = {} WHERE id = 1", turn + 700)).await;
        stage.jumpgate().reload(|setup| setup.caching = caching.into()).expect("a reload");
        while stage.jumpgate().logs().matches("reloaded").count() <= turn {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut new = stage.client().await;
        assert_eq!(new.value(BALANCE).await, (turn + 700).to_string(), "{caching}, from before");
        new.run(BALANCE).await;
        old.run(&format!("UPDATE account SET balance = {} WHERE id = 1", turn + 7)).await;
        assert_eq!(new.value(BALANCE).await, (turn + 7).to_string(), "{caching}");
        old.run(BALANCE).await;
        old.run(BALANCE).await;
        new.run(&format!("UPDATE account SET balance = {} WHERE id = 1", turn + 70)).await;
        assert_eq!(old.value(BALANCE).await, (turn + 70).to_string(), "{caching}, back");
    }
}

e2e::scenarios! {
    jumpgate_once: [
        a_write_through_one_config_is_seen_through_the_other,
        a_reload_parts_no_writer_from_its_readers,
    ],
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        a_write_through_one_config_is_seen_through_the_other,
        a_reload_parts_no_writer_from_its_readers,
    ],
}
