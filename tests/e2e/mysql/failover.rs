//! An origin of several hosts with MariaDB and MySQL: a server that does not write any more is left for the one that does.

use std::time::Duration;

use e2e::{
    certificates::Authority,
    jumpgate::{Engine, Jumpgate, Setup},
    mysql::{
        Mysql,
        reply::{code, error, rows},
        say::Value,
        stage::Place,
        wire::Wire,
    },
};

/// From one look to the next.
const PAUSE: Duration = Duration::from_millis(20);
/// Which of the two it is. They are not replicas of one another, so that each says which it is.
const NAME: &str = "SELECT name FROM which /* jumpgate: no-cache */";

struct World {
    jumpgate: Jumpgate,
    a: Mysql,
    b: Mysql,
}

impl World {
    /// The second does not write.
    async fn open(place: Place) -> Self {
        let authority = Authority::new();
        let a = Mysql::start(place.server, &authority, &[]).expect("a server");
        let b = Mysql::start(place.server, &authority, &[]).expect("a server");
        for (server, name) in [(&a, "a"), (&b, "b")] {
            let mut root = Wire::connect(&server.root()).await;
            root.run("CREATE TABLE app.which (name varchar(9))").await;
            root.run(&format!("INSERT INTO app.which VALUES ('{name}')")).await;
        }
        writes(&b, false).await;
        let setup = Setup {
            engine: Engine::MySql,
            hosts: vec![a.address(), b.address()],
            ..Setup::pool_of(3)
        };
        let jumpgate = Jumpgate::start(&authority, a.address(), false, setup).expect("jumpgate");
        Self { jumpgate, a, b }
    }

    async fn client(&self) -> Wire {
        Wire::connect(&self.jumpgate.endpoint()).await
    }

    async fn failovers(&self) -> f64 {
        self.jumpgate.metrics().await.sum("jumpgate_origin_failovers_total", &[("database", "app")])
    }
}

/// Whether a server writes from now on.
async fn writes(server: &Mysql, does: bool) {
    let mut root = Wire::connect(&server.root()).await;
    root.run(&format!("SET GLOBAL read_only = {}", u8::from(!does))).await;
}

async fn what_a_demoted_server_refuses_is_done_on_its_successor(place: Place) {
    let world = World::open(place).await;
    let (mut text, mut prepared) = (world.client().await, world.client().await);
    let mut block = world.client().await;
    assert_eq!(text.value(NAME).await, "a");
    let insert = prepared.prepare("INSERT INTO counter (name) VALUES (?)").await;
    prepared.execute(insert.id, &[Value::Text("before".into())]).await;
    block.run("START TRANSACTION READ ONLY").await;
    let own = block.query("INSERT INTO counter (name) VALUES ('own')").await;
    assert_eq!((code(&own), world.failovers().await), (1792, 0.0), "its own wish");
    block.run("ROLLBACK").await;
    block.run("BEGIN").await;
    block.value("SELECT count(*) FROM counter FOR UPDATE").await;

    // The transaction has only read, which a server waits for.
    writes(&world.b, true).await;
    let mut root = Wire::connect(&world.a.root()).await;
    block.run("COMMIT").await;
    root.run("SET GLOBAL read_only = 1").await;
    block.run("SET autocommit = 0").await;
    let refused = block.query("INSERT INTO counter (name) VALUES ('block')").await;
    assert_eq!(code(&refused), 1290, "a transaction is not moved: {}", error(&refused));
    block.run("ROLLBACK").await;
    block.run("SET autocommit = 1").await;
    let reply = text.query("INSERT INTO counter (name) VALUES ('text')").await;
    assert_eq!(error(&reply), "");
    let reply = prepared.execute(insert.id, &[Value::Text("prepared".into())]).await;
    assert_eq!(error(&reply), "");
    block.run("INSERT INTO counter (name) VALUES ('block')").await;
    for client in [&mut text, &mut prepared, &mut block] {
        assert_eq!(client.value(NAME).await, "b");
    }
    assert_eq!(world.failovers().await, 1.0);
    let mut direct = Wire::connect(&world.b.endpoint()).await;
    let there = rows(&direct.run("SELECT name FROM counter ORDER BY id").await);
    assert_eq!(there.iter().flatten().flatten().collect::<Vec<_>>(), ["text", "prepared", "block"]);
}

async fn a_server_that_is_lost_has_a_successor_and_a_kill_goes_there(place: Place) {
    let mut world = World::open(place).await;
    let (mut client, mut killer) = (world.client().await, world.client().await);
    assert_eq!(client.value(NAME).await, "a");
    let refused = world.jumpgate.tool(&["check", "app"]).expect("a check").1;
    let b = world.b.address();
    assert!(refused.contains(&format!("{b} is a standby:")), "{refused}");
    writes(&world.b, true).await;
    world.a.kill_9();
    while rows(&client.query(NAME).await) != [[Some(String::from("b"))]] {
        tokio::time::sleep(PAUSE).await;
    }
    assert_eq!(world.failovers().await, 1.0);
    let sleep = client.text_of("SELECT sleep(60) /* of ours */");
    client.command(&sleep).await;
    let mut root = Wire::connect(&world.b.root()).await;
    let count = "SELECT count(*) FROM information_schema.processlist \
        WHERE info LIKE '%of ours%' AND id <> connection_id() AND state <> ''";
    while root.value(count).await == "0" {
        tokio::time::sleep(PAUSE).await;
    }
    killer.run(&format!("KILL QUERY {}", client.greeting.thread)).await;
    let reply = client.reply(false).await;
    let is_one = || rows(&reply).first().is_some_and(|row| row[0].as_deref() == Some("1"));
    assert!(code(&reply) == 1317 || is_one(), "{}", error(&reply));
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        what_a_demoted_server_refuses_is_done_on_its_successor,
        a_server_that_is_lost_has_a_successor_and_a_kill_goes_there,
    ],
}
