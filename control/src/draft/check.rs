//! The rules about a config, but for its origin's: from written to meant.

use std::{num::NonZeroU32, time::Duration};

use sha2::{Digest as _, Sha256};

use super::{
    caching::caching,
    capture::capture,
    name::name,
    origin,
    password::{self, Forms},
    seconds::seconds,
    written::{Draft, PoolDraft, UserDraft},
};
use crate::{
    mistake::{Mistake, Mistakes},
    model::{Config, Pool, PoolMode, Scheme, User},
};

const ID_LEN: usize = 32;
/// A wait shorter than this would fail for everybody.
const TIMEOUT_MIN: Duration = Duration::from_millis(10);
/// `origin_connection_limit` where nobody said another.
const CONNECTIONS: u32 = 20;

impl Draft {
    /// The config that was meant.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn check(self) -> Result<Config, Mistakes> {
        let Some(written) = self.origin else { return Err(Mistake::missing("", "origin").into()) };
        // All else depends on it.
        let scheme = origin::scheme(written.scheme.as_deref())?;
        let mut mistakes = Mistakes::default();
        let name = mistakes.keep(name(scheme, self.name, "", "name"));
        let id = name.as_deref().and_then(|name| mistakes.keep(id(self.id, name)));
        let pool = pool(&self.pool, &mut mistakes);
        let caching = caching(&self.caching, &mut mistakes);
        let round_trips = self.round_trips;
        let capture = capture(scheme, self.capture, &mut mistakes);
        let users = users(scheme, self.users, &mut mistakes);
        let origin = origin::check(scheme, written, self.mtls, &mut mistakes);
        let made = match (id, name, origin) {
            (Some(id), Some(name), Some(origin)) => {
                let restarted = self.restarted;
                Some(Config {
                    id,
                    name,
                    origin,
                    users,
                    caching,
                    round_trips,
                    capture,
                    pool,
                    restarted,
                })
            }
            _ => None,
        };
        mistakes.or(made)
    }
}

/// 32 hex digits: given, or made from the name, so that the same config always has the same one.
fn id(id: Option<String>, name: &str) -> Result<String, Mistake> {
    let Some(id) = id else {
        let mut id = hex::encode(Sha256::digest(name));
        id.truncate(ID_LEN);
        return Ok(id);
    };
    if id.len() != ID_LEN || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let problem = format!("must be {ID_LEN} hex digits");
        return Err(Mistake::new("id", problem, "or leave it out"));
    }
    Ok(id.to_ascii_lowercase())
}

fn users(scheme: Scheme, drafts: Vec<UserDraft>, mistakes: &mut Mistakes) -> Vec<User> {
    let mut users: Vec<User> = Vec::with_capacity(drafts.len());
    for (index, draft) in drafts.into_iter().enumerate() {
        let table = format!("user.{index}");
        let Some(user) = mistakes.keep(user(scheme, draft, &table)) else { continue };
        if users.iter().any(|known| known.name == user.name) {
            let problem = "another user of this database has the same name";
            mistakes.add(Mistake::new(table, problem, "choose another"));
        }
        users.push(user);
    }
    users
}

fn user(scheme: Scheme, draft: UserDraft, table: &str) -> Result<User, Mistake> {
    let name = name(scheme, draft.name, table, "name")?;
    let statement_timeout = limit(draft.statement_timeout, &format!("{table}.statement_timeout"))?;
    let max_connections = draft.max_connections.and_then(NonZeroU32::new);
    let now = Forms {
        table,
        before: "",
        password: draft.password,
        verifier: draft.verifier,
        hashes: draft.hashes,
    };
    let previous = Forms {
        table,
        before: "previous_",
        password: draft.previous_password,
        verifier: draft.previous_verifier,
        hashes: draft.previous_hashes,
    };
    let previous_expires_at = draft.previous_expires_at;
    // Of a verifier alone, what was right once is remembered elsewhere, and would be so longer.
    if previous_expires_at.is_some() && (now.hashes.is_none() || previous.hashes.is_none()) {
        let problem = "is given without hashes and previous_hashes";
        return Err(Mistake::new(format!("{table}.previous_expires_at"), problem, ""));
    }
    let (password, previous_password) = password::both(now, previous)?;
    Ok(User {
        name,
        password,
        previous_password,
        previous_expires_at,
        statement_timeout,
        max_connections,
    })
}

fn pool(draft: &PoolDraft, mistakes: &mut Mistakes) -> Pool {
    let mode = match draft.mode.as_deref() {
        None => None,
        Some("transaction") => Some(PoolMode::Transaction),
        Some("session") => Some(PoolMode::Session),
        Some(_) => {
            let problem = "must be \"transaction\" or \"session\"";
            mistakes.add(Mistake::new("pool.mode", problem, ""));
            None
        }
    };
    let most = draft.origin_connection_limit.map(NonZeroU32::new);
    if most == Some(None) {
        let key = "pool.origin_connection_limit";
        mistakes.add(Mistake::new(key, "must be at least 1", ""));
    }
    let most = most.flatten();
    let all = most.map_or(CONNECTIONS, NonZeroU32::get);
    if draft.min_idle.is_some_and(|idle| idle > all) {
        let problem = format!("is more than origin_connection_limit ({all})");
        mistakes.add(Mistake::new("pool.min_idle", problem, "lower it"));
    }
    let mut wait = |value, key| mistakes.keep(seconds(value, TIMEOUT_MIN, key)).flatten();
    let checkout_timeout = wait(draft.checkout_timeout, "pool.checkout_timeout");
    let connect_timeout = wait(draft.connect_timeout, "pool.connect_timeout");
    let mut limit = |value, key| mistakes.keep(limit(value, key)).flatten();
    Pool {
        mode,
        origin_connection_limit: most,
        max_clients: draft.max_clients.and_then(NonZeroU32::new),
        min_idle: draft.min_idle,
        checkout_timeout,
        connect_timeout,
        idle_timeout: limit(draft.idle_timeout, "pool.idle_timeout"),
        max_lifetime: limit(draft.max_lifetime, "pool.max_lifetime"),
        statement_timeout: limit(draft.statement_timeout, "pool.statement_timeout"),
        idle_in_transaction_timeout: limit(
            draft.idle_in_transaction_timeout,
            "pool.idle_in_transaction_timeout",
        ),
    }
}

/// A number of seconds where 0 means without end.
fn limit(value: Option<f64>, key: &str) -> Result<Option<Option<Duration>>, Mistake> {
    let duration = seconds(value, Duration::ZERO, key)?;
    Ok(duration.map(|duration| Some(duration).filter(|duration| !duration.is_zero())))
}
