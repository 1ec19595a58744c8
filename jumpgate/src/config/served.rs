//! A config as a proxy serves it: its origin can be dialled, its passwords be checked, its defaults are filled in.

use std::{hash::Hash, sync::Arc, time::Duration};

use cache::sql::TableName;
use control::{
    Caching, Capture, Compression, Config, HostPort, Life, Mistake, Mtls, Origin, Pool, SslMode,
    Way,
};
use origin::{net::tls, secret::Secret};
use protocol::mysql::compress::Algorithm;
use rustls_pki_types::ServerName;
use serving::{
    config::{
        Ages, CachingConfig, CachingRule, CaptureConfig, DatabaseConfig, Dial, Engine, Fingerprint,
        Host, Hosts, InTransactions, OriginConfig, OriginTls, PoolConfig, PoolMode, RoundTrips,
        SessionAttrs,
    },
    salts::Salts,
};
use tunnel::{
    access::ServiceToken,
    client::{Client, ClientConfig},
};

use super::{client_user, contexts::Contexts};
use crate::report::chain;

/// How often an open tunnel stream is probed.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// The level at which zstd is asked for; the servers' own default.
const ZSTD_LEVEL: u8 = 3;

/// What a proxy needs to serve a config.
///
/// # Errors
///
/// What cannot be served although it keeps every rule: a certificate that is none, a hostname that nobody can have.
pub(super) fn served(
    config: &Config,
    fingerprint: Fingerprint,
    salts: &Salts,
    contexts: &mut Contexts,
) -> Result<DatabaseConfig, Mistake> {
    let (origin, password) = (&config.origin, config.origin.password.as_ref());
    let engine = if origin.scheme.is_mysql() { Engine::MySql } else { Engine::Postgres };
    let pool = pool(&config.pool);
    let users = config.users.iter().enumerate();
    let users = users.map(|user| client_user::served(engine, user, salts));
    let origin = OriginConfig {
        dial: dial(&origin.way, pool.connect_timeout, contexts)?,
        hosts: hosts(engine, origin, contexts)?,
        database: origin.database.clone(),
        user: origin.user.clone(),
        password: secret(password).into(),
        tls: origin_tls(engine, origin.way.host(), &origin.mtls, contexts)?,
        compression: origin.compression.map(|compression| match compression {
            Compression::Zlib => Algorithm::Zlib,
            Compression::Zstd => Algorithm::Zstd(ZSTD_LEVEL),
        }),
    };
    let of_capture = Fingerprint::of(&(&config.capture, &config.origin));
    Ok(DatabaseConfig {
        id: config.id.clone(),
        name: config.name.clone(),
        engine,
        users: users.collect::<Result<_, _>>()?,
        capture: config.capture.as_ref().map(|it| capture(it, &origin, of_capture)),
        origin,
        caching: Arc::new(caching(engine, &config.caching)),
        round_trips: round_trips(&config.round_trips),
        max_clients: config.pool.max_clients,
        fingerprint,
        connections: Fingerprint::of(&of_connections(config)),
        pool,
    })
}

/// Of what a config says of its connections to the origin. The rest is the sessions' business, and a password or a service
/// token that changes is for those that come: what is open stays.
fn of_connections(config: &Config) -> impl Hash {
    let of_sessions = Pool {
        mode: None,
        max_clients: None,
        statement_timeout: None,
        idle_in_transaction_timeout: None,
        ..config.pool
    };
    let mut origin = Origin { password: None, ..config.origin.clone() };
    if let Way::Tunnel { access, .. } = &mut origin.way {
        *access =
            control::Access { client_id: String::new(), client_secret: control::Secret::from("") };
    }
    (config.name.clone(), origin, of_sessions, config.restarted)
}

fn caching(engine: Engine, caching: &Caching) -> CachingConfig {
    let usual = CachingConfig::default();
    let mut served = CachingConfig {
        disabled: caching.disabled,
        max_age: caching.max_age.unwrap_or(usual.max_age),
        stale_while_revalidate: caching
            .stale_while_revalidate
            .unwrap_or(usual.stale_while_revalidate),
        in_transactions: match caching.in_transactions {
            control::InTransactions::Off => InTransactions::Off,
            control::InTransactions::Committed => InTransactions::Committed,
            control::InTransactions::Repeatable => InTransactions::Repeatable,
        },
        clock_max_age: caching.clock_max_age.unwrap_or(usual.clock_max_age),
        rules: Vec::new(),
    };
    // An analysis of a MySQL text has names in small letters.
    let folded = |name: &str| match engine {
        Engine::Postgres => name.to_owned(),
        Engine::MySql => name.to_lowercase(),
    };
    let ages = served.usual();
    let rules = caching.rules.iter().zip(1..).map(|(rule, number)| {
        let tables = rule.tables.iter().map(|control::Table { schema, name }| TableName {
            schema: schema.as_deref().map(folded),
            name: folded(name),
        });
        let ages = match rule.life {
            Life::Never => None,
            Life::Ages { max_age, stale_while_revalidate, clock_max_age } => Some(Ages {
                max_age: max_age.unwrap_or(ages.max_age),
                stale_while_revalidate: stale_while_revalidate
                    .unwrap_or(ages.stale_while_revalidate),
                clock_max_age: clock_max_age.unwrap_or(ages.clock_max_age),
            }),
        };
        Arc::new(CachingRule { number, tables: tables.collect(), user: rule.user.clone(), ages })
    });
    served.rules = rules.collect();
    served
}

/// It goes the way of the origin, with a login of its own if it has one.
fn capture(capture: &Capture, origin: &OriginConfig, fingerprint: Fingerprint) -> CaptureConfig {
    let mut origin = origin.clone();
    if let Some(login) = &capture.login {
        origin.user.clone_from(&login.user);
        origin.password = secret(login.password.as_ref()).into();
    }
    let usual = CaptureConfig::usual(origin, fingerprint);
    CaptureConfig {
        slot: capture.slot.clone(),
        publication: capture.publication.clone().unwrap_or(usual.publication),
        max_lag: capture.max_lag.unwrap_or(usual.max_lag),
        until_changed: capture.until_changed,
        ..usual
    }
}

fn secret(password: Option<&control::Secret>) -> Secret<String> {
    Secret::new(password.map_or("", control::Secret::expose).to_owned())
}

fn round_trips(switches: &control::RoundTrips) -> RoundTrips {
    let control::RoundTrips { descriptions, begin, commit, settings, catalog } = *switches;
    RoundTrips { descriptions, begin, commit, settings, catalog }
}

fn pool(pool: &Pool) -> PoolConfig {
    let usual = PoolConfig::default();
    PoolConfig {
        mode: match pool.mode {
            None | Some(control::PoolMode::Transaction) => PoolMode::Transaction,
            Some(control::PoolMode::Session) => PoolMode::Session,
        },
        max_size: pool.origin_connection_limit.unwrap_or(usual.max_size),
        min_idle: pool.min_idle.unwrap_or(usual.min_idle),
        checkout_timeout: pool.checkout_timeout.unwrap_or(usual.checkout_timeout),
        connect_timeout: pool.connect_timeout.unwrap_or(usual.connect_timeout),
        idle_timeout: pool.idle_timeout.unwrap_or(usual.idle_timeout),
        max_lifetime: pool.max_lifetime.unwrap_or(usual.max_lifetime),
        statement_timeout: pool.statement_timeout.unwrap_or(usual.statement_timeout),
        idle_in_transaction_timeout: pool
            .idle_in_transaction_timeout
            .unwrap_or(usual.idle_in_transaction_timeout),
    }
}

fn dial(way: &Way, connect_timeout: Duration, contexts: &mut Contexts) -> Result<Dial, Mistake> {
    let (host, access, address, roots) = match way {
        Way::Direct { host, port } | Way::Several { first: HostPort { host, port }, .. } => {
            return Ok(Dial::Tcp { host: host.clone(), port: *port });
        }
        Way::Tunnel { host, access, edge_address, edge_ca_certificate } => {
            (host, access, *edge_address, edge_ca_certificate.as_deref())
        }
    };
    let tls = contexts.edge(roots).map_err(|error| {
        let remedy = "give a PEM file with the CA's certificate";
        Mistake::new("origin.edge_ca_certificate", chain(&error), remedy)
    })?;
    let (id, secret) = (access.client_id.clone(), access.client_secret.expose().to_owned());
    let token = ServiceToken::new(id, secret)
        .map_err(|error| Mistake::new("origin.access_client_id", error.to_string(), ""))?;
    let client = Client::new(ClientConfig {
        hostname: host.clone(),
        address,
        token: Some(token),
        tls,
        connect_timeout,
        ping_interval: PING_INTERVAL,
    })
    .map_err(|error| Mistake::new("origin.host", error.to_string(), ""))?;
    Ok(Dial::Tunnel(Arc::new(client)))
}

/// The hosts behind the first, and which will do.
fn hosts(engine: Engine, origin: &Origin, contexts: &mut Contexts) -> Result<Hosts, Mistake> {
    let wanted = match origin.session_attrs {
        control::SessionAttrs::Any => SessionAttrs::Any,
        control::SessionAttrs::ReadWrite => SessionAttrs::ReadWrite,
        control::SessionAttrs::ReadOnly => SessionAttrs::ReadOnly,
        control::SessionAttrs::Primary => SessionAttrs::Primary,
        control::SessionAttrs::Standby => SessionAttrs::Standby,
        control::SessionAttrs::PreferStandby => SessionAttrs::PreferStandby,
    };
    let Way::Several { others, .. } = &origin.way else {
        return Ok(Hosts::new(Vec::new(), wanted));
    };
    let others = others.iter().map(|HostPort { host, port }| {
        let dial = Dial::Tcp { host: host.clone(), port: *port };
        Ok(Host { dial, tls: origin_tls(engine, host, &origin.mtls, contexts)? })
    });
    Ok(Hosts::new(others.collect::<Result<_, Mistake>>()?, wanted))
}

fn origin_tls(
    engine: Engine,
    host: &str,
    mtls: &Mtls,
    contexts: &mut Contexts,
) -> Result<OriginTls, Mistake> {
    let mode = match mtls.sslmode {
        SslMode::Plaintext => return Ok(OriginTls::Plaintext),
        SslMode::Require => tls::SslMode::Require,
        SslMode::VerifyCa => tls::SslMode::VerifyCa,
        SslMode::VerifyFull => tls::SslMode::VerifyFull,
    };
    let client = contexts
        .database(engine, mode, mtls)
        .map_err(|error| Mistake::new("mtls", chain(&error), "give PEM files"))?;
    let server_name = server_name(host).ok_or_else(|| {
        let problem = "is neither a DNS name nor an address, so TLS cannot name it";
        Mistake::new("origin.host", problem, "")
    })?;
    Ok(OriginTls::Required { client, server_name, is_verified: mode.is_verified() })
}

/// The host without the path or port that a tunnel's hostname may carry.
fn server_name(host: &str) -> Option<ServerName<'static>> {
    let authority = host.split('/').next().unwrap_or(host);
    let name = |text: &str| ServerName::try_from(text.to_owned()).ok();
    name(authority.trim_matches(['[', ']']))
        .or_else(|| authority.rsplit_once(':').and_then(|(host, _)| name(host)))
}
