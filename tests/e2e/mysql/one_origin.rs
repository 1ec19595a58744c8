//! An origin is a thing and a config a view of it: whichever config, or state of a config, a write came through, all of
//! them see it. What holds for every engine is in `engines/origins.rs`.

use e2e::{
    jumpgate::Setup,
    mysql::{
        login::Options,
        reply::code,
        stage::{Place, Stage},
        wire::Wire,
    },
    stage::eventually,
};

const BALANCE: &str = "SELECT balance FROM app.account WHERE id = 1";

/// Another `[[database]]` of the same server, by the same way.
fn second(stage: &Stage, caching: &str, schema: &str, user: &str) -> String {
    let port = stage.mysql.address().port();
    format!(
        "[[database]]\nname = \"second\"\n[[database.user]]\nname = \"writer\"\n\
         password_file = \"client-password\"\n[database.origin]\nscheme = \"mysql\"\n\
         host = \"127.0.0.1\"\nport = {port}\ndatabase = \"{schema}\"\nuser = \"{user}\"\n\
         password = \"second\"\n[database.caching]\n{caching}\n[database.mtls]\nsslmode = \"verify-full\"\nca_certificate = \"ca.pem\"\n"
    )
}

async fn add(stage: &mut Stage, database: String) -> Wire {
    stage.jumpgate().reload(|setup| setup.more = database).expect("a reload");
    let endpoint = stage.endpoint().with_database("second").with_user("writer", "client-password");
    eventually("the second config is known", async || {
        let mut wire = Wire::greeted(endpoint.address).await;
        match wire.login(&endpoint, &Options::default()).await {
            Ok(_) => ![1044, 1049].contains(&code(&wire.query("DO 1").await)),
            Err(_refused) => false,
        }
    })
    .await;
    let mut wire = Wire::greeted(endpoint.address).await;
    wire.login(&endpoint, &Options::default()).await.expect("a login");
    wire
}

/// Reads until it is a hit.
async fn keep(reader: &mut Wire, sql: &str) {
    for _turn in 0..200 {
        reader.run(sql).await;
        if reader.cache_status().await == "hit" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("never kept: {sql}")
}

/// FAULTS row 1: two configs of one server that lead to two schemas of it.
async fn a_write_through_another_schema_is_seen(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(3)).await;
    let mut root = stage.root().await;
    root.run("CREATE DATABASE beside").await;
    root.run("CREATE USER scribe@'%' IDENTIFIED BY 'second'").await;
    root.run("GRANT ALL ON *.* TO scribe@'%'").await;
    for (turn, (caching, schema)) in
        [("disabled = true", "beside"), ("max_age = 60", "beside")].into_iter().enumerate()
    {
        let database = second(&stage, caching, schema, "scribe");
        let mut writer = add(&mut stage, database).await;
        let mut reader = stage.client().await;
        keep(&mut reader, BALANCE).await;
        let balance = (turn * 10).to_string();
        writer.run(&format!("UPDATE app.account SET balance = {balance} WHERE id = 1")).await;
        assert_eq!(reader.value(BALANCE).await, balance, "{caching}, {schema}");
        keep(&mut reader, BALANCE).await;
        writer.run("BEGIN").await;
        writer.run("UPDATE app.account SET balance = balance + 1 WHERE id = 1").await;
        writer.run("COMMIT").await;
        let balance = (turn * 10 + 1).to_string();
        assert_eq!(reader.value(BALANCE).await, balance, "{caching}, {schema}: by commit");
        writer.run("CREATE OR REPLACE VIEW app.shown AS SELECT balance AS n FROM app.account WHERE id = 1").await;
        keep(&mut reader, "SELECT n FROM app.shown").await;
        writer.run("UPDATE app.account SET balance = 5 WHERE id = 1").await;
        assert_eq!(reader.value("SELECT n FROM app.shown").await, "5", "{caching}, {schema}");
    }
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        a_write_through_another_schema_is_seen,
    ],
}
