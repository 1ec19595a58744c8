//! `[[database]]` and what is below it, but for its origin: from typed to meant.

use std::{num::NonZeroU32, time::Duration};

use serving::{
    config::{
        CachingConfig, ClientUser, DatabaseConfig, Engine, Fingerprint, PoolConfig, PoolMode,
    },
    salts::Salts,
};
use sha2::{Digest as _, Sha256};
use toml::Spanned;

use super::{
    document::{SecretKeys, Source, Span},
    error::{ConfigError, Mistakes},
    file::{CachingSection, DatabaseSection, OriginSection, PoolSection, Typed, UserSection},
    name::name,
    origin::origin_config,
};

const ID_LEN: usize = 32;
const MAX_AGE_MAX: Duration = Duration::from_secs(3600);
/// A wait shorter than this would fail for everybody.
const TIMEOUT_MIN: Duration = Duration::from_millis(10);

/// `plain` is another view of the same section, without places, comments or order.
pub(super) fn database_config(
    source: &Source,
    section: &Spanned<DatabaseSection>,
    plain: &toml::Table,
    salts: &Salts,
) -> Result<DatabaseConfig, ConfigError> {
    let (span, section) = (section.span(), section.get_ref());
    let origin = source.required(&section.origin, "origin", &span)?;
    // All else depends on it.
    let engine = engine(source, origin)?;
    let mut mistakes = Mistakes::default();
    let name = mistakes.keep(name(source, engine, &section.name, "name", &span));
    let pool = pool_config(source, section.pool.as_ref().map(Spanned::get_ref));
    let pool = mistakes.keep(pool).unwrap_or_default();
    let id = name.as_deref().and_then(|name| mistakes.keep(id(source, &section.id, name)));
    let users = mistakes.keep(users(source, engine, (&section.user, &span), salts));
    let of_users = source.take_read();
    let mtls = section.mtls.as_ref();
    let origin = origin_config(source, engine, origin, mtls, pool.connect_timeout);
    let origin = mistakes.keep(origin);
    let of_origin = source.take_read();
    let caching = caching_config(source, section.caching.as_ref().map(Spanned::get_ref));
    let caching = mistakes.keep(caching).unwrap_or_default();
    let made = match (name, id, users, origin) {
        (Some(name), Some(id), Some(users), Some(origin)) => Some(DatabaseConfig {
            id,
            name,
            engine,
            users,
            origin,
            pool,
            caching,
            fingerprint: Fingerprint::of(&plain.to_string(), &[of_users, of_origin]),
            connections: of_connections(plain, of_origin),
        }),
        _ => None,
    };
    mistakes.or(made)
}

/// Of what a section says of its connections to the origin. The rest is the sessions' business.
fn of_connections(plain: &toml::Table, read: [u8; 32]) -> Fingerprint {
    let mut plain = plain.clone();
    plain.retain(|key, _| matches!(key, "name" | "origin" | "mtls" | "pool"));
    if let Some(toml::Value::Table(pool)) = plain.get_mut("pool") {
        let of_sessions = ["mode", "statement_timeout", "idle_in_transaction_timeout"];
        pool.retain(|key, _| !of_sessions.contains(&key));
    }
    Fingerprint::of(&plain.to_string(), &[read])
}

/// What the origin speaks, which decides what everything else may be.
fn engine(source: &Source, origin: &Spanned<OriginSection>) -> Result<Engine, ConfigError> {
    let scheme = source.required(&origin.get_ref().scheme, "scheme", &origin.span())?;
    match scheme.get_ref().as_str() {
        "postgres" | "postgresql" => Ok(Engine::Postgres),
        "mysql" => Ok(Engine::MySql),
        "mariadb" => Err(source.error(&scheme.span(), "must be \"mysql\"", "for MariaDB too")),
        _ => Err(source.error(&scheme.span(), "must be \"postgres\" or \"mysql\"", "")),
    }
}

/// 32 hex digits: given, or made from the name, so that the same file always has the same ids.
fn id(source: &Source, value: &Typed<String>, name: &str) -> Result<String, ConfigError> {
    let Some(value) = value else {
        let mut id = hex::encode(Sha256::digest(name));
        id.truncate(ID_LEN);
        return Ok(id);
    };
    let id = value.get_ref();
    if id.len() != ID_LEN || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let problem = format!("must be {ID_LEN} hex digits");
        return Err(source.error(&value.span(), problem, "or leave it out"));
    }
    Ok(id.to_ascii_lowercase())
}

fn users(
    source: &Source,
    engine: Engine,
    (sections, database): (&[Spanned<UserSection>], &Span),
    salts: &Salts,
) -> Result<Vec<ClientUser>, ConfigError> {
    let mut users: Vec<ClientUser> = Vec::with_capacity(sections.len());
    let mut mistakes = Mistakes::default();
    for section in sections {
        let user = client_user(source, engine, section, salts);
        let Some(user) = mistakes.keep(user) else { continue };
        if users.iter().any(|known| known.name == user.name) {
            let problem = "another user of this database has the same name";
            let error = source.error(&section.span(), problem, "choose another");
            mistakes.keep::<()>(Err(error));
        }
        users.push(user);
    }
    if sections.is_empty() {
        let remedy = "add [[database.user]] with a name and a password";
        let error = source.error(database, "the database has no user", remedy);
        mistakes.keep::<()>(Err(error));
    }
    mistakes.or(Some(users))
}

fn client_user(
    source: &Source,
    engine: Engine,
    section: &Spanned<UserSection>,
    salts: &Salts,
) -> Result<ClientUser, ConfigError> {
    let (span, section) = (section.span(), section.get_ref());
    let name = name(source, engine, &section.name, "name", &span)?;
    let limit = source.limit(&section.statement_timeout, Duration::ZERO)?;
    let statement_timeout = section.statement_timeout.as_ref().map(|_| limit);
    let password = source.secret(&SecretKeys {
        key: "password",
        plain: &section.password,
        file: &section.password_file,
        environment: &section.password_env,
    })?;
    match (password, &section.verifier) {
        (Some(password), None) => {
            let user = ClientUser::with_password(engine, name, &password, salts);
            Ok(ClientUser { statement_timeout, ..user })
        }
        (None, Some(typed)) => {
            let verifier = source.text(typed)?;
            if !is_verifier(verifier.expose()) {
                let problem = "is no SCRAM-SHA-256 verifier";
                let remedy = "take it from pg_authid.rolpassword, or give a password";
                return Err(source.error(&typed.span(), problem, remedy));
            }
            Ok(ClientUser { name, verifier, mysql: None, statement_timeout })
        }
        (Some(_), Some(typed)) => {
            let problem = "verifier and password are both given";
            Err(source.error(&typed.span(), problem, "keep one"))
        }
        (None, None) => {
            let remedy = "add password_file, password_env, password or verifier";
            Err(source.error(&span, "the user has no password", remedy))
        }
    }
}

/// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, the keys 32 bytes in base64.
fn is_verifier(text: &str) -> bool {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let mut parts = text.split('$');
    let (Some("SCRAM-SHA-256"), Some(salting), Some(keys), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let is_key = |key| STANDARD.decode(key).is_ok_and(|key| key.len() == 32);
    salting.split_once(':').is_some_and(|(iterations, salt)| {
        iterations.parse::<u32>().is_ok_and(|count| count > 0) && STANDARD.decode(salt).is_ok()
    }) && keys.split_once(':').is_some_and(|(stored, server)| is_key(stored) && is_key(server))
}

fn caching_config(
    source: &Source,
    section: Option<&CachingSection>,
) -> Result<CachingConfig, ConfigError> {
    let usual = CachingConfig::default();
    let Some(section) = section else { return Ok(usual) };
    let mut mistakes = Mistakes::default();
    let max_age =
        source.seconds(&section.max_age, usual.max_age, Duration::ZERO).and_then(|max_age| {
            match &section.max_age {
                Some(typed) if max_age > MAX_AGE_MAX => {
                    let problem = format!("must be at most {}", MAX_AGE_MAX.as_secs());
                    Err(source.error(&typed.span(), problem, "times are in seconds"))
                }
                _ => Ok(max_age),
            }
        });
    let stale = &section.stale_while_revalidate;
    let stale = source.seconds(stale, usual.stale_while_revalidate, Duration::ZERO);
    let caching = CachingConfig {
        disabled: section.disabled.as_ref().is_some_and(|value| *value.get_ref()),
        max_age: mistakes.keep(max_age).unwrap_or_default(),
        stale_while_revalidate: mistakes.keep(stale).unwrap_or_default(),
    };
    mistakes.or(Some(caching))
}

fn pool_config(source: &Source, section: Option<&PoolSection>) -> Result<PoolConfig, ConfigError> {
    let usual = PoolConfig::default();
    let Some(section) = section else { return Ok(usual) };
    let mut mistakes = Mistakes::default();
    let mode = match section.mode.as_ref().map(|mode| (mode, mode.get_ref().as_str())) {
        None | Some((_, "transaction")) => Ok(PoolMode::Transaction),
        Some((_, "session")) => Ok(PoolMode::Session),
        Some((mode, _)) => {
            let problem = "must be \"transaction\" or \"session\"";
            Err(source.error(&mode.span(), problem, ""))
        }
    };
    let mode = mistakes.keep(mode).unwrap_or(PoolMode::Transaction);
    let max_size = match &section.origin_connection_limit {
        None => Ok(usual.max_size),
        Some(limit) => NonZeroU32::new(*limit.get_ref())
            .ok_or_else(|| source.error(&limit.span(), "must be at least 1", "")),
    };
    let max_size = mistakes.keep(max_size).unwrap_or(usual.max_size);
    let min_idle = section.min_idle.as_ref().map_or(0, |value| *value.get_ref());
    if let Some(typed) = &section.min_idle
        && min_idle > max_size.get()
    {
        let problem = format!("is more than origin_connection_limit ({max_size})");
        mistakes.keep::<()>(Err(source.error(&typed.span(), problem, "lower it")));
    }
    let mut wait = |typed: &Typed<f64>, default| {
        mistakes.keep(source.seconds(typed, default, TIMEOUT_MIN)).unwrap_or(default)
    };
    let checkout_timeout = wait(&section.checkout_timeout, usual.checkout_timeout);
    let connect_timeout = wait(&section.connect_timeout, usual.connect_timeout);
    let mut limit = |typed: &Typed<f64>, usual: Option<Duration>| {
        mistakes.keep(source.limit(typed, usual.unwrap_or_default())).flatten()
    };
    let pool = PoolConfig {
        mode,
        max_size,
        min_idle,
        checkout_timeout,
        connect_timeout,
        idle_timeout: limit(&section.idle_timeout, usual.idle_timeout),
        max_lifetime: limit(&section.max_lifetime, usual.max_lifetime),
        statement_timeout: limit(&section.statement_timeout, usual.statement_timeout),
        idle_in_transaction_timeout: limit(
            &section.idle_in_transaction_timeout,
            usual.idle_in_transaction_timeout,
        ),
    };
    mistakes.or(Some(pool))
}
