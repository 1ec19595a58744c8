//! Origins and their accounts, with catalogs that are read in virtual time.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use cache::{CacheLimits, sql::TableName};
use origin::{net::tls, secret::Secret};
use tokio::time::sleep;
use tunnel::{
    access::ServiceToken,
    client::{Client, ClientConfig},
};

use super::*;
use crate::{
    capture::Covered,
    catalog::tests::Reading,
    config::{Dial, Engine, Fingerprint, Host, Hosts, SessionAttrs, sample},
    observe::Metrics,
};

/// A config whose origin has these keys.
fn config(origin: &str, caching: &str) -> Arc<DatabaseConfig> {
    let keys: HashMap<_, _> = sample::lines(origin).collect();
    let get = |key: &str| keys.get(key).copied().unwrap_or_default().to_owned();
    let engine = match &*get("scheme") {
        "postgres" => Engine::Postgres,
        _ => Engine::MySql,
    };
    let mut config = sample::database(engine, "a");
    let host = get("host");
    config.origin.dial = match keys.get("port") {
        Some(port) => Dial::Tcp { host, port: port.parse().unwrap() },
        None => Dial::Tunnel(Arc::new(tunnel(&keys, host))),
    };
    config.origin.database = get("database");
    config.origin.user = get("user");
    config.origin.password = Secret::new(get("password")).into();
    config.caching = Arc::new(sample::caching(caching));
    Arc::new(config)
}

/// The way to an origin that is guarded by a token.
fn tunnel(keys: &HashMap<&str, &str>, hostname: String) -> Client {
    let token = ServiceToken::new(
        keys["access_client_id"].to_owned(),
        keys["access_client_secret"].to_owned(),
    );
    Client::new(ClientConfig {
        hostname,
        address: keys.get("edge_address").map(|address| address.parse().unwrap()),
        token: Some(token.unwrap()),
        tls: tls::edge_client(None).unwrap(),
        connect_timeout: Duration::from_secs(15),
        ping_interval: Duration::from_secs(30),
    })
    .unwrap()
}

const PG: &str = "scheme = 'postgres'\nhost = 'h'\nport = 1\ndatabase = 'd'\nuser = 'u'";
const TUNNEL: &str = "scheme = 'postgres'\nhost = 'h.example'\ndatabase = 'd'\nuser = 'u'\n\
    access_client_id = 'i'\naccess_client_secret = 's'";

fn id(origin: &str) -> OriginId {
    OriginId::of(&config(origin, ""))
}

/// FAULTS rows 1 and 2: what is no part of the way to the tables makes no other origin.
#[test]
fn an_origin_is_its_engine_way_and_database_and_nothing_else() {
    let my = PG.replace("postgres", "mysql");
    let edge = "\nedge_address = '127.0.0.1:1'";
    for (other, is_same) in [
        (PG.replace("'u'", "'v'"), true),
        (PG.replace("'h'", "'H.'"), true),
        (format!("{PG}\npassword = 'p'"), true),
        (PG.replace("'h'", "'i'"), false),
        (PG.replace("port = 1", "port = 2"), false),
        (PG.replace("'d'", "'e'"), false),
        (my.clone(), false),
        (TUNNEL.to_owned(), false),
    ] {
        assert_eq!(id(PG) == id(&other), is_same, "{other}");
    }
    assert_eq!(id(&my), id(&my.replace("'d'", "'e'")), "a statement may name another schema");
    assert_ne!(id(&my), id(&my.replace("'h'", "'i'")));
    assert_eq!(id(TUNNEL), id(&TUNNEL.replace("h.example", "H.example:443/")));
    assert_eq!(id(TUNNEL), id(&TUNNEL.replace("'s'", "'t'")));
    assert_eq!(id(TUNNEL), id(&format!("{TUNNEL}{edge}")));
    assert_ne!(id(TUNNEL), id(&TUNNEL.replace("h.example", "i.example")));
    assert_eq!(id(PG).to_string(), "01f7bc51df315afb4ad75d8e5d143c74", "the same in every process");
}

fn origins() -> (Origins<Reading, ()>, Cache, TaskTracker) {
    let cache = Cache::new(CacheLimits {
        capacity_bytes: 1 << 20,
        collecting_bytes: 1 << 20,
        max_entry_bytes: 1 << 10,
    });
    let tasks = TaskTracker::new();
    (Origins::new(cache.clone(), tasks.clone()), cache, tasks)
}

/// Why a catalog could not be read.
#[derive(Debug, thiserror::Error)]
#[error("no catalog")]
struct Failed;

async fn read(config: Arc<DatabaseConfig>, _learnt: Arc<()>) -> Result<Reading, Failed> {
    sleep(Duration::from_millis(10)).await;
    if config.origin.password.now().expose() == "wrong" { Err(Failed) } else { Ok(Reading(7)) }
}

/// FAULTS rows 1 and 2: keys hold who asks, the scope of writes is the origin's.
#[tokio::test(start_paused = true)]
async fn configs_of_one_origin_share_its_scope_and_each_user_has_a_view() {
    let (origins, _cache, _tasks) = origins();
    let one = origins.join(&config(PG, ""), read);
    let alike = origins.join(&config(PG, "disabled = true"), read);
    let other = origins.join(&config(&PG.replace("'u'", "'v'"), ""), read);
    assert!(Arc::ptr_eq(one.scope(), alike.scope()) && Arc::ptr_eq(one.scope(), other.scope()));
    assert_eq!(one.view(), alike.view());
    assert_ne!(one.view(), other.view());
    let edge = |port| config(&format!("{TUNNEL}\nedge_address = '127.0.0.1:{port}'"), "");
    let (here, there) = (origins.join(&edge(1), read), origins.join(&edge(2), read));
    assert_eq!(here.scope(), there.scope());
    assert_ne!(here.view(), there.view(), "another edge may lead elsewhere");
}

/// FAULTS row 1: DDL through any config outdates the catalog of all.
#[tokio::test(start_paused = true)]
async fn a_change_of_the_schema_seen_by_one_config_is_known_to_all() {
    let (origins, _cache, _tasks) = origins();
    let cached = origins.join(&config(PG, ""), read);
    let uncached = origins.join(&config(&PG.replace("'u'", "'v'"), "disabled = true"), read);
    sleep(Duration::from_millis(20)).await;
    assert_eq!((cached.known(), uncached.known()), (Some(Reading(7)), Some(Reading(7))));
    uncached.outdate();
    assert_eq!((cached.known(), uncached.known()), (None, None));
    assert_eq!((cached.changes(), uncached.changes()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_origin_is_cached_while_a_config_of_it_caches() {
    let (origins, _cache, _tasks) = origins();
    let uncached = origins.join(&config(PG, "disabled = true"), read);
    sleep(Duration::from_secs(1)).await;
    assert_eq!((uncached.is_cached(), uncached.known()), (false, Some(Reading(7))));
    let cached = origins.join(&config(PG, ""), read);
    sleep(Duration::from_secs(1)).await;
    assert_eq!((uncached.is_cached(), uncached.known()), (true, Some(Reading(7))));
    drop(cached);
    sleep(Duration::from_secs(1)).await;
    assert_eq!((uncached.is_cached(), uncached.known()), (false, Some(Reading(7))));
    drop(origins.join(&config(PG, ""), read));
    let cached = origins.join(&config(PG, ""), read);
    sleep(Duration::from_secs(1)).await;
    assert_eq!((uncached.is_cached(), cached.known()), (true, Some(Reading(7))));
}

/// What stored code leaves in a session concerns also those who keep no replies.
#[tokio::test(start_paused = true)]
async fn a_catalog_is_read_where_nothing_is_cached_too() {
    let (origins, _cache, _tasks) = origins();
    let part = origins.join(&config(PG, "disabled = true"), read);
    part.begun().await;
    assert_eq!((part.is_cached(), part.known()), (false, Some(Reading(7))));
    part.outdate_tables();
    assert!(part.known().is_none() && matches!(part.code(), Code::Known(Reading(7))));
    part.outdate();
    assert!(matches!(part.code(), Code::Changing));
    assert_eq!(part.code_known().await, Reading(7));
}

#[tokio::test(start_paused = true)]
async fn a_config_that_cannot_read_leaves_it_to_the_others() {
    let (origins, _cache, _tasks) = origins();
    let right = origins.join(&config(PG, ""), read);
    let wrong = config(&format!("{PG}\npassword = 'wrong'"), "");
    let part = origins.join(&wrong, read);
    right.outdate();
    sleep(Duration::from_secs(5)).await;
    assert_eq!((right.known(), part.known()), (Some(Reading(7)), Some(Reading(7))));
}

#[tokio::test(start_paused = true)]
async fn reading_ends_with_the_last_config() {
    let (origins, _cache, tasks) = origins();
    let readings = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&readings);
    let part = origins.join(&config(PG, ""), move |config, learnt| {
        counted.fetch_add(1, Ordering::Relaxed);
        read(config, learnt)
    });
    sleep(Duration::from_secs(301)).await;
    assert_eq!(readings.load(Ordering::Relaxed), 2);
    drop(part);
    tasks.close();
    tasks.wait().await;
}

/// A config of these hosts.
fn of_hosts(hosts: &[&str], wanted: SessionAttrs) -> Arc<DatabaseConfig> {
    let mut config = sample::database(Engine::Postgres, "a");
    let mut dials = hosts.iter().map(|host| Dial::Tcp { host: (*host).to_owned(), port: 1 });
    config.origin.dial = dials.next().unwrap();
    let tls = &config.origin.tls;
    let others = dials.map(|dial| Host { dial, tls: tls.clone() }).collect();
    config.origin.hosts = Hosts::new(others, wanted);
    Arc::new(config)
}

#[test]
fn an_origin_of_several_hosts_is_one_in_whatever_order_and_what_is_asked_of_it_is_a_view() {
    let (wanted, standby) = (SessionAttrs::ReadWrite, SessionAttrs::PreferStandby);
    let [ab, ba, read] = [
        of_hosts(&["a", "b"], wanted),
        of_hosts(&["B.", "a"], wanted),
        of_hosts(&["a", "b"], standby),
    ];
    assert!(OriginId::of(&ab) == OriginId::of(&ba) && OriginId::of(&ab) == OriginId::of(&read));
    let one = of_hosts(&["a"], wanted);
    assert_ne!(OriginId::of(&ab), OriginId::of(&one));
    let names = [&ab, &ba, &read, &one].map(|config| id::account_name(config));
    assert_eq!(
        names,
        ["u@a:1,b:1?read-write", "u@B.:1,a:1?read-write", "u@a:1,b:1?prefer-standby", "u"]
    );
}

/// A config with a capture.
fn capturing(origin: &str, caching: &str) -> Arc<DatabaseConfig> {
    let mut config = Arc::into_inner(config(origin, caching)).unwrap();
    let usual = CaptureConfig::usual(config.origin.clone(), Fingerprint::of(&origin));
    config.capture = Some(CaptureConfig { until_changed: true, ..usual });
    Arc::new(config)
}

/// Why a capture ended.
#[derive(Debug, thiserror::Error)]
#[error("lost")]
struct Lost;

#[tokio::test(start_paused = true)]
async fn one_capture_serves_all_configs_of_an_origin_and_ends_with_the_last() {
    let (origins, cache, tasks) = origins();
    let (metrics, running) = (Metrics::new(), Arc::new(AtomicU32::new(0)));
    let tables: Arc<[TableName]> = [TableName::bare("a")].into();
    let fresh =
        |max_age| Freshness { max_age, stale_while_revalidate: Duration::ZERO, born_by: None };
    let usual = fresh(Duration::from_secs(60));
    let terms = Terms { tables: Arc::clone(&tables), fresh: usual, may_last: true };
    let lasts = |part: &Part<Reading, ()>| part.fresh(&terms) == fresh(UNTIL_CHANGED);
    let part = |name: &str, config: &Arc<DatabaseConfig>| {
        let mut part = origins.join(config, read);
        let running = Arc::clone(&running);
        origins.capture(&mut part, &metrics.database(name, "1"), move |_config, feed| {
            let running = Arc::clone(&running);
            async move {
                running.fetch_add(1, Ordering::Relaxed);
                feed.begun();
                feed.covers(Covered::Everything);
                sleep(Duration::from_secs(10)).await;
                Err::<Infallible, _>(Lost)
            }
        });
        part
    };
    let is_cached = |part: &Part<Reading, ()>| cache.renew(key(), part.scope(), &tables).is_some();
    let plain = part("plain", &config(PG, ""));
    assert!(is_cached(&plain));
    let config = capturing(PG, "");
    let [one, alike] = ["one", "alike"].map(|name| part(name, &config));
    assert!(!is_cached(&plain), "nobody listens yet");
    sleep(Duration::from_secs(1)).await;
    assert!(is_cached(&plain) && lasts(&one) && !lasts(&plain));
    assert!(part_fresh_of_a_rule(&one, &terms));
    assert_eq!(running.load(Ordering::Relaxed), 1);
    sleep(Duration::from_millis(9_100)).await;
    assert!(!is_cached(&plain), "it was lost, and is tried again after half a second");
    sleep(Duration::from_millis(500)).await;
    assert!(is_cached(&plain));
    let shown = |line: &str| metrics.render().unwrap().contains(line);
    assert!(shown("jumpgate_capture_up{database=\"one\"} 1"));
    assert!(shown("jumpgate_capture_restarts_total{database=\"alike\"} 1"));
    assert!(!shown("jumpgate_capture_up{database=\"plain\"}"));
    // As after a reload that changes its capture.
    let other = part("other", &capturing(&PG.replace("'u'", "'v'"), ""));
    sleep(Duration::from_millis(1)).await;
    assert_eq!(running.load(Ordering::Relaxed), 3, "it began anew with the config that came last");
    drop((one, alike, other));
    assert!(!metrics.render().unwrap().contains("jumpgate_capture_up{"));
    sleep(Duration::from_secs(60)).await;
    assert!(is_cached(&plain) && running.load(Ordering::Relaxed) == 3);
    drop(plain);
    tasks.close();
    tasks.wait().await;
}

#[tokio::test(start_paused = true)]
async fn a_capture_begins_anew_where_the_origin_is_when_that_moves() {
    let (origins, cache, _tasks) = origins();
    let mut part = origins.join(&capturing(PG, ""), read);
    let running = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&running);
    origins.capture(&mut part, &Metrics::new().database("a", "1"), move |_config, feed| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            sleep(Duration::from_secs(1)).await;
            feed.begun();
            std::future::pending::<Result<Infallible, Lost>>().await
        }
    });
    let is_cached = || cache.renew(key(), part.scope(), &[TableName::bare("a")]).is_some();
    sleep(Duration::from_secs(2)).await;
    assert!(is_cached() && part.known().is_some());
    origins.moved(&part)();
    assert!(!is_cached() && part.known().is_none(), "at once");
    sleep(Duration::from_millis(900)).await;
    assert!(!is_cached(), "nobody listens there yet");
    sleep(Duration::from_secs(1)).await;
    assert_eq!((is_cached(), running.load(Ordering::Relaxed)), (true, 2));
}

fn key() -> cache::Key {
    cache::KeyBuilder::new("k").finish()
}

/// What a rule or a hint says of its age counts, whatever is told of.
fn part_fresh_of_a_rule(part: &Part<Reading, ()>, terms: &Terms) -> bool {
    part.fresh(&Terms { may_last: false, ..terms.clone() }) == terms.fresh
}
