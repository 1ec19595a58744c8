//! The system variables that follow a client from backend to backend.
//!
//! Their values come from the server: session tracking reports each variable that a statement sets, with
//! the value it got (MySQL: "Session Tracker", `session_track_system_variables='*'`). So nothing here
//! interprets SET.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::{BufMut as _, Bytes, BytesMut};
use cache::sql::mysql::Modes;
use protocol::mysql::capabilities::CapabilityFlags;
use serving::intern::Interner;

use super::learnt::Collations;

/// Values by name, each written as SQL. Clones share them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings(Arc<Values>);

/// By name.
pub(super) type Values = BTreeMap<Box<str>, Box<str>>;

/// How the texts of a session are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Where their tokens end, if that is known.
    pub(super) modes: Option<Modes>,
    /// Whether they can be read byte by byte, and are in the language that we know.
    pub(super) is_readable: bool,
    /// Whether they are UTF-8.
    pub(super) is_utf8: bool,
}

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

/// Character sets that a client cannot have (MySQL: `is_supported_parser_charset`).
const UNUSABLE: [&str; 4] = ["ucs2", "utf16", "utf16le", "utf32"];
/// What CLIENT_IGNORE_SPACE does to a session.
const IGNORING_SPACE: &str = "CONCAT(@@GLOBAL.sql_mode,',IGNORE_SPACE')";

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

/// Set together: assigning one changes what another one says.
pub(super) const CHARACTER_SETS: [&str; 4] = [
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "collation_connection",
];

/// The collation of the texts in results, which columns are told with. No variable shows it: `SET NAMES … COLLATE` and
/// a login set it to theirs, `SET character_set_results` to the default of the character set.
pub(super) const OF_RESULTS: &str = "collation of results";

/// Asks for all of them: one may have become another without a report (`SET collation_connection`).
pub(super) const CHARSETS_QUESTION: &str = "SELECT @@character_set_client, @@character_set_connection, \
     @@character_set_results, @@collation_connection";

/// What no statement is bound to when it is prepared, and what cannot be changed for that in the middle of a transaction,
/// or would end it. Servers bind to any other (MySQL: `group_concat_max_len`, `default_week_format`).
const NOT_OF_PARSING: [&str; 6] = [
    "autocommit",
    "explicit_defaults_for_timestamp",
    "group_replication_consistency",
    "skip_replication",
    "sql_log_bin",
    "xa_detach_on_prepare",
];
/// How the names of others begin.
const NONE_OF_PARSING: [&str; 5] = ["binlog_", "gtid_", "transaction_", "tx_", "wsrep_"];

/// Whether a prepared statement keeps this setting as it was when it was prepared.
fn is_of_parsing(name: &str) -> bool {
    !NOT_OF_PARSING.contains(&name) && !NONE_OF_PARSING.iter().any(|part| name.starts_with(part))
}

/// Variables of sessions that may be NULL, which is reported as an empty text, and may not be that.
const NULLABLE: [&str; 4] = [
    "character_set_results",
    "enforce_storage_engine",
    "innodb_ft_user_stopword_table",
    "innodb_tmpdir",
];

/// Variables without a global value, whose default is nobody's setting.
const SESSION_ONLY: [&str; 8] = [
    "rbr_exec_mode",
    "resultset_metadata",
    "show_create_table_skip_secondary_engine",
    "skip_parallel_replication",
    "sql_log_bin",
    VERSIONING,
    "transaction_allow_batching",
    "use_secondary_engine",
];

/// Its default is a word that is no text (MariaDB).
const VERSIONING: &str = "system_versioning_asof";

/// Variables that are not restored: they are read only, belong to one statement, or are followed otherwise.
/// What a schema's tables are made with goes with the schema, and pins where it was set by itself.
/// `timestamp` is reported with the clock's value even when it is set to DEFAULT; the parse pins it.
/// MySQL 9 reports `statement_id` with every statement.
const NOT_FOLLOWED: [&str; 15] = [
    "character_set_database",
    "collation_database",
    "error_count",
    "gtid_next",
    "identity",
    "insert_id",
    "last_insert_id",
    "pseudo_thread_id",
    "rand_seed1",
    "rand_seed2",
    "server_id",
    "statement_id",
    "timestamp",
    "tx_read_only_once",
    "warning_count",
];

/// What a client asked to be told of its session (MySQL: `session_track_system_variables` and its kin). The
/// backends are asked for all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reports {
    variables: Vec<Box<str>>,
    /// Of the schema.
    pub(super) schema: bool,
    /// That something changed.
    pub(super) state: bool,
}

impl Default for Reports {
    fn default() -> Self {
        let names = [
            "autocommit",
            "character_set_client",
            "character_set_connection",
            "character_set_results",
            "time_zone",
        ];
        Self { variables: names.map(Into::into).into(), schema: true, state: false }
    }
}

/// The variables by which a client says what it wants to be told.
pub(super) const TRACKED: [&str; 3] =
    ["session_track_system_variables", "session_track_schema", "session_track_state_change"];

impl Reports {
    /// Takes in what a client has set one of [`TRACKED`] to. False for another variable.
    pub(super) fn learn(&mut self, name: &str, value: &str) -> bool {
        let [variables, schema, state] = TRACKED;
        let is_on = matches!(value, "1" | "ON");
        if name == variables {
            let names = value.split(',').take(MAX_REPORTED);
            self.variables = names.map(|name| name.trim().to_ascii_lowercase().into()).collect();
        } else if name == schema {
            self.schema = is_on;
        } else if name == state {
            self.state = is_on;
        }
        TRACKED.contains(&name)
    }

    /// Whether the client is told of this variable.
    pub(super) fn wants(&self, name: &[u8]) -> bool {
        self.variables.iter().any(|known| &**known == "*" || known.as_bytes() == name)
    }
}

/// The most variables that a client is told of by name.
const MAX_REPORTED: usize = 1000;

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

/// The variables that a SET assigns as `@@name` without a scope: MariaDB does not report those.
pub(super) fn assigned_unscoped(sql: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in sql.match_indices("@@") {
        let rest = sql.get(at + 2..).unwrap_or_default();
        let length =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let (name, rest) = rest.split_at_checked(length).unwrap_or_default();
        let rest = rest.trim_start();
        let is_assigned = rest.starts_with('=') || rest.starts_with(":=");
        if is_assigned && !name.is_empty() && names.len() < MAX_ASSIGNED {
            names.push(name.to_ascii_lowercase());
        }
    }
    names
}

/// The most variables of one SET that are asked for.
const MAX_ASSIGNED: usize = 20;

/// What `sql_mode` says about how texts are read.
pub fn modes_of(sql_mode: &str) -> Modes {
    let has = |word: &str| sql_mode.split(&[',', '\''][..]).any(|m| m.eq_ignore_ascii_case(word));
    Modes { ansi_quotes: has("ANSI_QUOTES"), no_backslash_escapes: has("NO_BACKSLASH_ESCAPES") }
}

/// Whether `sql_mode` makes another language of it (MariaDB: `ORACLE`, `MSSQL`, …).
fn is_another_dialect(sql_mode: &str) -> bool {
    const DIALECTS: [&str; 5] = ["ORACLE", "MSSQL", "DB2", "MAXDB", "POSTGRESQL"];
    let mut modes = sql_mode.split(&[',', '\''][..]);
    modes.any(|mode| DIALECTS.iter().any(|dialect| mode.eq_ignore_ascii_case(dialect)))
}

/// A reported value as SQL that gives it again.
fn literal(value: &[u8]) -> String {
    let text = std::str::from_utf8(value).ok();
    let is_number = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && digits.bytes().filter(|byte| *byte == b'.').count() <= 1
    };
    match text {
        Some(text) if is_number(text) => text.to_owned(),
        // Read the same in every sql_mode and character set.
        Some(text)
            if text.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'\'' && b != b'\\') =>
        {
            format!("'{text}'")
        }
        _ => format!("CONVERT(0x{} USING utf8mb4)", hex::encode(value)),
    }
}

#[cfg(test)]
mod tests;
