//! `[[database]]` and what is below it, but for its origin: from typed to meant.

use std::{num::NonZeroU32, time::Duration};

use sha2::{Digest, Sha256};
use toml::Spanned;

use super::{
    CachingConfig, ClientUser, ConfigError, DatabaseConfig, Engine, Fingerprint, PoolConfig,
    PoolMode,
    document::{SecretKeys, Source, Span},
    error::Mistakes,
    file::{CachingSection, DatabaseSection, OriginSection, PoolSection, Typed, UserSection},
    origin::origin_config,
};
use crate::salts::Salts;

/// PostgreSQL's names end here (`NAMEDATALEN` - 1).
const NAME_BYTES_MAX: usize = 63;
/// MySQL's names end here (`NAME_CHAR_LEN`).
const NAME_CHARS_MAX: usize = 64;
const ID_LEN: usize = 32;
const MAX_AGE: Duration = Duration::from_secs(60);
const MAX_AGE_MAX: Duration = Duration::from_secs(3600);
const STALE_WHILE_REVALIDATE: Duration = Duration::from_secs(15);
const ORIGIN_CONNECTION_LIMIT: NonZeroU32 = NonZeroU32::new(20).expect("20 is not zero");
const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
const MAX_LIFETIME: Duration = Duration::from_secs(3600);
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);
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
            connections: Fingerprint::of_connections(plain, of_origin),
        }),
        _ => None,
    };
    mistakes.or(made)
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

/// A name that the engine can hold.
pub(super) fn name(
    source: &Source,
    engine: Engine,
    value: &Typed<String>,
    key: &str,
    section: &Span,
) -> Result<String, ConfigError> {
    let value = source.required(value, key, section)?;
    let text = value.get_ref();
    if text.is_empty() || text.contains('\0') {
        return Err(source.error(&value.span(), "must not be empty or hold a zero byte", ""));
    }
    let (is_too_long, problem, remedy) = match engine {
        Engine::Postgres => (
            text.len() > NAME_BYTES_MAX,
            format!("is longer than {NAME_BYTES_MAX} bytes"),
            "PostgreSQL has no longer names",
        ),
        Engine::MySql => (
            text.chars().count() > NAME_CHARS_MAX,
            format!("is longer than {NAME_CHARS_MAX} characters"),
            "MySQL has no longer names",
        ),
    };
    if is_too_long {
        return Err(source.error(&value.span(), problem, remedy));
    }
    Ok(text.clone())
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

impl Default for CachingConfig {
    fn default() -> Self {
        Self { disabled: false, max_age: MAX_AGE, stale_while_revalidate: STALE_WHILE_REVALIDATE }
    }
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            mode: PoolMode::Transaction,
            max_size: ORIGIN_CONNECTION_LIMIT,
            min_idle: 0,
            checkout_timeout: CHECKOUT_TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            idle_timeout: Some(IDLE_TIMEOUT),
            max_lifetime: Some(MAX_LIFETIME),
            statement_timeout: Some(STATEMENT_TIMEOUT),
            idle_in_transaction_timeout: None,
        }
    }
}

fn caching_config(
    source: &Source,
    section: Option<&CachingSection>,
) -> Result<CachingConfig, ConfigError> {
    let Some(section) = section else { return Ok(CachingConfig::default()) };
    let mut mistakes = Mistakes::default();
    let max_age =
        source.seconds(&section.max_age, MAX_AGE, Duration::ZERO).and_then(
            |max_age| match &section.max_age {
                Some(typed) if max_age > MAX_AGE_MAX => {
                    let problem = format!("must be at most {}", MAX_AGE_MAX.as_secs());
                    Err(source.error(&typed.span(), problem, "times are in seconds"))
                }
                _ => Ok(max_age),
            },
        );
    let stale = &section.stale_while_revalidate;
    let stale = source.seconds(stale, STALE_WHILE_REVALIDATE, Duration::ZERO);
    let caching = CachingConfig {
        disabled: section.disabled.as_ref().is_some_and(|value| *value.get_ref()),
        max_age: mistakes.keep(max_age).unwrap_or_default(),
        stale_while_revalidate: mistakes.keep(stale).unwrap_or_default(),
    };
    mistakes.or(Some(caching))
}

fn pool_config(source: &Source, section: Option<&PoolSection>) -> Result<PoolConfig, ConfigError> {
    let Some(section) = section else { return Ok(PoolConfig::default()) };
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
        None => Ok(ORIGIN_CONNECTION_LIMIT),
        Some(limit) => NonZeroU32::new(*limit.get_ref())
            .ok_or_else(|| source.error(&limit.span(), "must be at least 1", "")),
    };
    let max_size = mistakes.keep(max_size).unwrap_or(ORIGIN_CONNECTION_LIMIT);
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
    let checkout_timeout = wait(&section.checkout_timeout, CHECKOUT_TIMEOUT);
    let connect_timeout = wait(&section.connect_timeout, CONNECT_TIMEOUT);
    let mut limit =
        |typed: &Typed<f64>, default| mistakes.keep(source.limit(typed, default)).flatten();
    let pool = PoolConfig {
        mode,
        max_size,
        min_idle,
        checkout_timeout,
        connect_timeout,
        idle_timeout: limit(&section.idle_timeout, IDLE_TIMEOUT),
        max_lifetime: limit(&section.max_lifetime, MAX_LIFETIME),
        statement_timeout: limit(&section.statement_timeout, STATEMENT_TIMEOUT),
        idle_in_transaction_timeout: limit(&section.idle_in_transaction_timeout, Duration::ZERO),
    };
    mistakes.or(Some(pool))
}
