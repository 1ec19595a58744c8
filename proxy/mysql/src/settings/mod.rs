//! The system variables that follow a client from backend to backend.
//!
//! Their values come from the server: session tracking reports each variable that a statement sets, with
//! the value it got (MySQL: "Session Tracker", `session_track_system_variables='*'`). So nothing here
//! interprets SET.

mod reading;
mod reports;
mod sql;
#[cfg(test)]
mod tests;
mod variables;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::{BufMut as _, Bytes, BytesMut};
use protocol::mysql::capabilities::CapabilityFlags;
use serving::intern::Interner;

pub use self::reading::modes_of;
pub(super) use self::{
    reading::Reading,
    reports::{Reports, TRACKED},
    sql::assigned_unscoped,
    variables::{CHARACTER_SETS, CHARSETS_QUESTION, OF_RESULTS},
};
use self::{
    reading::is_another_dialect,
    sql::literal,
    variables::{NOT_FOLLOWED, NULLABLE, SESSION_ONLY, UNUSABLE, VERSIONING, is_of_parsing},
};
use super::learnt::Collations;

/// Values by name, each written as SQL. Clones share them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Settings(Arc<Values>);

/// By name.
pub(super) type Values = BTreeMap<Box<str>, Box<str>>;

/// What a report of a variable meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reported {
    /// It follows.
    Followed,
    /// Session tracking itself was changed: backends are set back to ours.
    Tracking,
    /// A value that lives for one statement, or that the proxy follows by other means.
    Ignored,
}

/// What CLIENT_IGNORE_SPACE does to a session.
const IGNORING_SPACE: &str = "CONCAT(@@GLOBAL.sql_mode,',IGNORE_SPACE')";

/// Those of a client that logs in with this collation, at a server with these collations.
///
/// MySQL: a collation that the server does not know, or that is of a character set that no client may use,
/// leaves the server's own default (`acl_authenticate`, `THD::init_client_charset`).
pub(super) fn at_login(
    collation: u16,
    capabilities: CapabilityFlags,
    collations: &Collations,
) -> Settings {
    let mut settings = match collations.get(&collation) {
        Some((charset, _)) if UNUSABLE.contains(&charset.as_str()) => Settings::default(),
        Some((charset, name)) => Settings::of_collation(charset, name),
        None => Settings::default(),
    };
    if capabilities.contains(CapabilityFlags::CLIENT_IGNORE_SPACE) {
        settings.set("sql_mode", IGNORING_SPACE);
    }
    settings
}

impl Settings {
    /// Those of a connection that logged in with this character set and collation.
    pub(super) fn of_collation(charset: &str, collation: &str) -> Self {
        let mut values = BTreeMap::new();
        for name in CHARACTER_SETS {
            let value = if name == "collation_connection" { collation } else { charset };
            values.insert(name.into(), literal(value.as_bytes()).into());
        }
        values.insert(OF_RESULTS.into(), literal(collation.as_bytes()).into());
        Self(Arc::new(values))
    }

    /// Those of a session that the server has set back to its own character sets, which a reset does not do everywhere.
    pub(super) fn of_server() -> Self {
        let global = |name: &str| format!("@@GLOBAL.{name}");
        let values = CHARACTER_SETS.map(|name| (name.into(), global(name).into()));
        Self(Arc::new(values.into()))
    }

    /// Takes in what the server reported.
    pub(super) fn report(&mut self, name: &[u8], value: &[u8]) -> Reported {
        let Ok(name) = std::str::from_utf8(name) else { return Reported::Ignored };
        if name.starts_with("session_track_") {
            return Reported::Tracking;
        }
        if NOT_FOLLOWED.contains(&name) {
            return Reported::Ignored;
        }
        if name == OF_RESULTS && value.is_empty() {
            self.remove(name);
            return Reported::Followed;
        }
        let sql = match (name, value) {
            (name, b"") if NULLABLE.contains(&name) => String::from("NULL"),
            (VERSIONING, b"DEFAULT") => String::from("DEFAULT"),
            _ => literal(value),
        };
        if self.get(name) != Some(&sql) {
            self.set(name, &sql);
        }
        if name == "character_set_connection" {
            // MariaDB does not report that its collation has become another one.
            self.remove("collation_connection");
        }
        Reported::Followed
    }

    /// Sets one, as SQL.
    pub(super) fn set(&mut self, name: &str, sql: &str) {
        Arc::make_mut(&mut self.0).insert(name.into(), sql.into());
    }

    fn remove(&mut self, name: &str) {
        if self.get(name).is_some() {
            Arc::make_mut(&mut self.0).remove(name);
        }
    }

    /// The SQL of one.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|sql| &**sql)
    }

    /// How long whoever has these may say nothing, where that is set (MySQL, MariaDB: `wait_timeout`).
    pub(super) fn idle_limit(&self) -> Option<Duration> {
        self.get("wait_timeout")?.parse().ok().map(Duration::from_secs)
    }

    /// Whether both are the same, most often found without looking at them. If so they are one copy afterwards.
    pub(super) fn unite(&mut self, other: &Self) -> bool {
        if Arc::ptr_eq(&self.0, &other.0) {
            return true;
        }
        let is_same = self.0 == other.0;
        if is_same {
            self.0 = Arc::clone(&other.0);
        }
        is_same
    }

    /// The same, in the one copy that all share.
    pub(super) fn interned(&self, values: &Interner<Values>) -> Self {
        Self(values.intern(Arc::clone(&self.0)))
    }

    /// The time zone that was set: its name, or what is no name of one.
    pub(super) fn time_zone(&self) -> Option<&str> {
        let sql = self.get("time_zone")?;
        Some(sql.strip_prefix('\'').and_then(|name| name.strip_suffix('\'')).unwrap_or(sql))
    }

    /// Whether statements commit by themselves.
    pub(super) fn is_autocommit(&self) -> bool {
        self.get("autocommit").is_none_or(|sql| sql != "'OFF'" && sql != "0")
    }

    /// Those of them that may shape how a text is parsed, typed and bound, and so belong to a prepared statement.
    pub(super) fn of_parsing(&self) -> Self {
        if self.0.keys().all(|name| is_of_parsing(name)) {
            return self.clone();
        }
        let kept = self.0.iter().filter(|(name, _)| is_of_parsing(name));
        Self(Arc::new(kept.map(|(name, sql)| (name.clone(), sql.clone())).collect()))
    }

    /// These, with what shapes how a text is parsed, typed and bound as `other` has it.
    ///
    /// The rest stays: to change autocommit, say, would end a transaction.
    pub(super) fn with_parsing_of(&self, other: &Self) -> Self {
        let own = self.0.iter().filter(|(name, _)| !is_of_parsing(name));
        let theirs = other.0.iter().filter(|(name, _)| is_of_parsing(name));
        let values = own.chain(theirs).map(|(name, sql)| (name.clone(), sql.clone()));
        Self(Arc::new(values.collect()))
    }

    /// Whether `id IS NULL` may mean the last insert id (MySQL: `sql_auto_is_null`), which is the backend's.
    pub(super) fn has_auto_is_null(&self) -> bool {
        self.get("sql_auto_is_null").is_some_and(|sql| sql != "'OFF'" && sql != "0")
    }

    /// How texts are read at a server with this `sql_mode`, which is not known before it was asked.
    pub(super) fn reading(&self, default: Option<&str>) -> Reading {
        let sql_mode = match self.get("sql_mode") {
            // Of CLIENT_IGNORE_SPACE: the default and a mode that does not matter here.
            Some(IGNORING_SPACE) | None => default,
            own => own,
        };
        Reading {
            modes: sql_mode.map(modes_of),
            is_readable: self.has_readable_texts() && !sql_mode.is_some_and(is_another_dialect),
            is_utf8: self.is_utf8(),
        }
    }

    /// Whether a text can be read byte by byte: in some character sets the second byte of a character may
    /// look like a quote or a backslash.
    fn has_readable_texts(&self) -> bool {
        const UNREADABLE: [&str; 9] =
            ["big5", "cp932", "gb18030", "gb2312", "gbk", "sjis", "eucjpms", "euckr", "ujis"];
        let charset = self.get("character_set_client").unwrap_or_default();
        !UNREADABLE.contains(&charset.trim_matches('\''))
    }

    /// Whether texts of the client are UTF-8.
    pub(super) fn is_utf8(&self) -> bool {
        self.get("character_set_client").is_some_and(|charset| charset.contains("utf8"))
    }

    /// The assignments that turn `from` into these.
    pub(super) fn difference(&self, from: &Self) -> Option<String> {
        let differs = |name: &str| self.get(name) != from.get(name);
        let charset = differs(OF_RESULTS) || CHARACTER_SETS.iter().any(|name| differs(name));
        let mut sql = String::new();
        // Character sets by SET NAMES where that says it: assigned one by one, they come with default collations, which
        // the definitions of columns show.
        let names = self.names().filter(|_| charset);
        if let Some(names) = &names {
            sql.push_str(names);
        }
        let is_hidden = |name: &str| name == OF_RESULTS;
        let introducer = if from.misreads_literals() { "_latin1" } else { "" };
        let mut assign = |name: &str, value: &str| {
            let comma = if sql.is_empty() { "" } else { ", " };
            // Without the scope some count for the next transaction only (MySQL: "SET TRANSACTION").
            let introducer = if value.starts_with('\'') { introducer } else { "" };
            sql.push_str(&format!("{comma}@@session.{name}={introducer}{value}"));
        };
        // Those that go back to the default first: a default collation would undo a collation set before.
        for name in from.0.keys().filter(|name| self.get(name).is_none() && !is_hidden(name)) {
            if SESSION_ONLY.contains(&&**name) {
                assign(name, "DEFAULT");
            } else {
                // MySQL 9 takes DEFAULT of foreign_key_checks and unique_checks for OFF.
                assign(name, &format!("@@GLOBAL.{name}"));
            }
        }
        for (name, value) in self.0.iter().filter(|(name, _)| !is_hidden(name)) {
            let is_charset = CHARACTER_SETS.contains(&&**name);
            if if is_charset { charset && names.is_none() } else { differs(name) } {
                assign(name, value);
            }
        }
        (!sql.is_empty()).then_some(sql)
    }

    /// Whether the bytes of a literal are taken for characters of several bytes each, as they are.
    fn misreads_literals(&self) -> bool {
        let is = |name: &str, sets: &[&str]| {
            self.get(name).is_some_and(|sql| sets.contains(&sql.trim_matches('\'')))
        };
        is("character_set_client", &["binary"]) && is("character_set_connection", &UNUSABLE)
    }

    /// The character sets by SET NAMES, without the SET, and by what must follow it; `None` where SET NAMES cannot say
    /// what is known of the results.
    fn names(&self) -> Option<String> {
        let [client, _, results, collation] = CHARACTER_SETS.map(|name| self.get(name));
        let (client, results, collation) = (client?, results?, collation?);
        let of_results = self.get(OF_RESULTS)?;
        if results == "NULL" || UNUSABLE.contains(&results.trim_matches('\'')) {
            return None;
        }
        let mut sql = format!("NAMES {results} COLLATE {of_results}");
        if client != results {
            sql.push_str(&format!(", @@session.character_set_client={client}"));
        }
        if collation != of_results {
            // It takes the character set of the connection along.
            sql.push_str(&format!(", @@session.collation_connection={collation}"));
        }
        Some(sql)
    }

    /// All of them, for the keys of the cache.
    pub(super) fn fingerprint(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        for (name, value) in self.0.iter() {
            for text in [name, value] {
                bytes.put_u64(text.len() as u64);
                bytes.put_slice(text.as_bytes());
            }
        }
        bytes.freeze()
    }
}
