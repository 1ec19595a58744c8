//! Much data, slow readers: memory stays small and nobody waits for another.

use std::time::Duration;

use e2e::{
    certificates::Authority,
    edge::{Connector, Proxy, Walk},
    postgres::Postgres,
    process::Process,
    stage::Version,
    wire::{Wire, say},
};
use tokio::time::Instant;

use crate::edge_walk::{SHOP, client, way};

const MEGABYTE: u64 = 1 << 20;
/// The most that any process may ever take.
const MEMORY: u64 = 200 * MEGABYTE;
/// What a row of the large result has, besides its number.
const REPEATS: usize = 512;

/// PostgreSQL, an edge, a connector and a proxy.
struct World {
    proxy: Proxy,
    connector: Connector,
    walk: Walk,
    postgres: Postgres,
}

impl World {
    fn open() -> Self {
        let authority = Authority::new();
        let postgres = Postgres::start(Version::Fifteen, &authority, &[]).unwrap();
        let (walk, token) = Walk::with_routes(&authority, &[(SHOP, postgres.address())]).unwrap();
        let connector = walk.connector("connector", &[postgres.address()]).unwrap();
        let proxy = walk.proxy("proxy", &[way(&walk, "app", &token)]).unwrap();
        Self { proxy, connector, walk, postgres }
    }

    fn assert_small(&mut self) {
        let processes: [(&str, &Process); 3] = [
            ("proxy", &self.proxy.process),
            ("connector", &self.connector.process),
            ("edge", self.walk.edge()),
        ];
        for (name, process) in processes {
            let peak = process.peak_memory();
            eprintln!("{name} took at most {} MB", peak / MEGABYTE);
            assert!(peak < MEMORY, "{name} took {} MB", peak / MEGABYTE);
        }
    }
}

/// The row with this number.
fn row(number: u64) -> String {
    format!("{number:016}").repeat(REPEATS)
}

/// A query of so many of them.
fn query(count: u64) -> String {
    format!("SELECT repeat(lpad(n::text, 16, '0'), {REPEATS}) FROM generate_series(1, {count}) n")
}

async fn a_large_result_arrives_whole_and_in_order() {
    let mut world = World::open();
    let megabytes: u64 =
        std::env::var("JUMPGATE_LARGE_MB").ok().and_then(|text| text.parse().ok()).unwrap_or(1024);
    let count = megabytes * MEGABYTE / 16 / u64::try_from(REPEATS).unwrap();
    let mut client = client(&world.proxy, "app").await;
    let started = Instant::now();
    client.send(say::query(&query(count))).await;
    let mut seen = 0;
    loop {
        let frame = client.frame().await;
        match frame.tag {
            b'D' => {
                seen += 1;
                // Number of columns and length come before the text.
                assert_eq!(frame.body.get(6..), Some(row(seen).as_bytes()), "row {seen}");
            }
            b'C' => assert_eq!(frame.text(), format!("SELECT {count}")),
            b'Z' => break,
            b'T' | b'S' => {}
            _ => panic!("{frame:?}"),
        }
    }
    assert_eq!(seen, count);
    eprintln!("{megabytes} MB took {:?}", started.elapsed());
    world.assert_small();
}

async fn a_client_that_does_not_read_stops_nobody_else() {
    let mut world = World::open();
    let mut slow = Vec::new();
    for _client in 0..3 {
        let mut client = client(&world.proxy, "app").await;
        client.send(say::query(&query(20_000))).await;
        slow.push(client);
    }
    let mut superuser = Wire::connect(&world.postgres.superuser()).await;
    let stalled = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'ClientWrite'";
    let mut quiet_since: Option<Instant> = None;
    // The database waits, and goes on waiting: everything between is full.
    let give_up = Instant::now() + Duration::from_secs(60);
    while quiet_since.is_none_or(|since| since.elapsed() < Duration::from_millis(500)) {
        assert!(Instant::now() < give_up, "the database never waits");
        let is_stalled = superuser.value(stalled).await == "3";
        quiet_since = if is_stalled { quiet_since.or_else(|| Some(Instant::now())) } else { None };
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // On both connections of the connector.
    let mut others = Vec::new();
    for _client in 0..4 {
        let mut client = client(&world.proxy, "app").await;
        client.hold_a_backend().await;
        others.push(client);
    }
    let started = Instant::now();
    for n in 0..100 {
        for client in &mut others {
            assert_eq!(client.value(&format!("SELECT {n}")).await, n.to_string());
        }
    }
    eprintln!("400 queries beside 3 slow readers took {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(20), "they took {:?}", started.elapsed());
    world.assert_small();
    // Who reads at last gets everything.
    let mut first = slow.remove(0);
    let rows = first.until_ready().await.iter().filter(|frame| frame.tag == b'D').count();
    assert_eq!(rows, 20_000);
    drop(slow);
    let give_up = Instant::now() + Duration::from_secs(30);
    while superuser.value(stalled).await != "0" {
        assert!(Instant::now() < give_up, "who leaves does not let go");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

e2e::walks! {
    a_large_result_arrives_whole_and_in_order,
    a_client_that_does_not_read_stops_nobody_else,
}
