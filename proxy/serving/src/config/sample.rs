//! Configs for tests, made without a file.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use origin::secret::Secret;
use protocol::postgres::scram::Verifier;

use super::{
    CacheConfig, CachingConfig, ClientUser, Config, DatabaseConfig, Dial, Engine, Fingerprint,
    Hosts, InTransactions, ListenConfig, LogConfig, OriginConfig, OriginTls, PoolConfig,
    RoundTrips,
};
use crate::salts::Salts;

/// A proxy with a door of each engine, on free ports of loopback.
pub fn config(salts: &Salts, databases: impl IntoIterator<Item = DatabaseConfig>) -> Config {
    let any = Some(([127, 0, 0, 1], 0).into());
    Config {
        listen: ListenConfig { postgres: any, mysql: any, ..ListenConfig::default() },
        admin: None,
        cache: CacheConfig::default(),
        databases: databases.into_iter().map(Arc::new).collect(),
        log: LogConfig::default(),
        salts: salts.clone(),
        notes: Vec::new(),
    }
}

/// A database without a user, where nothing listens. Each is a change to a reload.
pub fn database(engine: Engine, name: &str) -> DatabaseConfig {
    DatabaseConfig {
        id: format!("{name:0>32}"),
        name: name.to_owned(),
        engine,
        users: Vec::new(),
        origin: OriginConfig {
            dial: Dial::Tcp { host: String::from("127.0.0.1"), port: 1 },
            database: String::from("d"),
            user: String::from("u"),
            password: Secret::new(String::new()).into(),
            tls: OriginTls::Plaintext,
            hosts: Hosts::default(),
            compression: None,
        },
        pool: PoolConfig::default(),
        caching: Arc::new(CachingConfig::default()),
        round_trips: RoundTrips::default(),
        capture: None,
        max_clients: None,
        fingerprint: Fingerprint::unique(),
        connections: Fingerprint::unique(),
    }
}

/// The user `name` of a database, by a password.
pub fn user(engine: Engine, name: &str, password: &str, salts: &Salts) -> ClientUser {
    let password = Secret::new(password.to_owned());
    ClientUser::with_password(engine, name.to_owned(), &password, salts, None)
}

/// The user `name` of a database, of whom a verifier alone is known.
pub fn verified(name: &str, verifier: &str) -> ClientUser {
    ClientUser {
        name: name.to_owned(),
        verifier: Verifier::parse(verifier).expect("a verifier"),
        mysql: None,
        later: None,
        statement_timeout: None,
        max_connections: None,
    }
}

/// The keys and values in lines of the form `key = value`, where texts are in single quotes.
pub fn lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter(|line| !line.trim().is_empty()).map(|line| {
        let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{line}"));
        (key.trim(), value.trim().trim_matches('\''))
    })
}

/// What lines of `[database.pool]` say, and what is for [`round_trips`].
pub fn pool(text: &str) -> PoolConfig {
    let mut pool = PoolConfig::default();
    for (key, value) in lines(text) {
        let limit = || Some(seconds(value)).filter(|limit| !limit.is_zero());
        match key {
            "origin_connection_limit" => {
                pool.max_size = value.parse::<NonZeroU32>().expect("at least 1");
            }
            "checkout_timeout" => pool.checkout_timeout = seconds(value),
            "idle_timeout" => pool.idle_timeout = limit(),
            "max_lifetime" => pool.max_lifetime = limit(),
            "statement_timeout" => pool.statement_timeout = limit(),
            "idle_in_transaction_timeout" => pool.idle_in_transaction_timeout = limit(),
            _ if key.starts_with(ROUND_TRIPS) => {}
            _ => panic!("no test needed {key} yet"),
        }
    }
    pool
}

/// What the lines say that begin with `round_trips.`.
pub fn round_trips(text: &str) -> RoundTrips {
    let mut switches = RoundTrips::default();
    for (key, value) in lines(text) {
        let Some(key) = key.strip_prefix(ROUND_TRIPS) else { continue };
        let switch = match key {
            "descriptions" => &mut switches.descriptions,
            "begin" => &mut switches.begin,
            "commit" => &mut switches.commit,
            "settings" => &mut switches.settings,
            "catalog" => &mut switches.catalog,
            _ => panic!("there is no {key}"),
        };
        *switch = value.parse().expect("true or false");
    }
    switches
}

/// In front of the keys of `[database.round_trips]`.
const ROUND_TRIPS: &str = "round_trips.";

/// What lines of `[database.caching]` say.
pub fn caching(text: &str) -> CachingConfig {
    let mut caching = CachingConfig::default();
    for (key, value) in lines(text) {
        match key {
            "disabled" => caching.disabled = value.parse().expect("true or false"),
            "max_age" => caching.max_age = seconds(value),
            "stale_while_revalidate" => caching.stale_while_revalidate = seconds(value),
            "clock_max_age" => caching.clock_max_age = seconds(value),
            "in_transactions" if value == "read-only" => {
                caching.in_transactions = InTransactions::Committed;
            }
            "writers" => caching.in_transactions = InTransactions::Repeatable,
            _ => panic!("no test needed {key} yet"),
        }
    }
    caching
}

fn seconds(value: &str) -> Duration {
    Duration::from_secs_f64(value.parse().expect("a number of seconds"))
}
