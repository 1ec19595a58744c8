//! What an origin says of itself when somebody logs in, and how clients want it.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::RwLock;
use protocol::mysql::capabilities::MariaDbFlags;

use super::origin::asking::{Login, Row};

/// What MariaDB's version holds.
const MARIADB: &[u8] = b"MariaDB";

/// Of one origin, for all its configs.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    facts: RwLock<Option<Facts>>,
    found_rows: AtomicBool,
    is_mariadb: AtomicBool,
    /// Whether clients are told that a block has begun; 0 where that is not known.
    tells_blocks: AtomicU8,
    /// What is run for each connection that a user begins.
    initial: RwLock<HashMap<String, Initial>>,
}

/// What is run for each connection that begins in a generation.
#[derive(Debug)]
struct Initial {
    generation: u64,
    text: Option<Arc<str>>,
    transactions: Option<Transactions>,
    /// What drivers ask when they connect, and the answers; `None` where that was not asked.
    foretold: Option<Foretold>,
    zones: Zones,
}

/// In which time zone a session is.
#[derive(Debug)]
struct Zones {
    /// The `time_zone` of one that has set nothing.
    usual: Option<Arc<str>>,
    /// The server is at UTC. Another zone of its machine is known by an abbreviation only, as it was when the server began.
    is_utc: bool,
}

impl Zones {
    /// Those of a session that begins so.
    fn of(beginning: &[Row]) -> Self {
        let usual = value(beginning, b"time_zone").and_then(|zone| str::from_utf8(zone).ok());
        let is_utc = value(beginning, b"system_time_zone").is_some_and(|zone| zone == b"UTC");
        Self { usual: usual.map(Arc::from), is_utc }
    }
}

/// The value of a variable of this name.
fn value<'r>(beginning: &'r [Row], name: &[u8]) -> Option<&'r [u8]> {
    let mut rows = beginning.iter();
    let row = rows.find(|row| row.first().is_some_and(|it| it.as_deref() == Some(name)))?;
    row.get(1)?.as_deref()
}

/// Texts, and what a connection that had just begun answered.
pub(crate) type Foretold = Arc<[(&'static str, cache::Reply)]>;

/// How a transaction is isolated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// Each statement sees what others have committed by then.
    Committed,
    /// All see what was there at the first read.
    Repeatable,
    /// So that others may wait for what it reads, or as nobody here knows.
    Other,
}

impl Isolation {
    /// That of this name, as the variable has it.
    pub(crate) fn of(name: &[u8]) -> Self {
        match name {
            b"READ-COMMITTED" => Self::Committed,
            b"REPEATABLE-READ" => Self::Repeatable,
            _ => Self::Other,
        }
    }
}

/// What transactions of a session are like that has set nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transactions {
    /// They only read (`transaction_read_only`).
    pub(crate) are_read_only: bool,
    /// How they are isolated.
    pub(crate) isolation: Isolation,
    /// Their end begins another, or ends the connection (`completion_type`).
    pub(crate) chain: bool,
}

impl Transactions {
    /// Those of a session that begins so; `None` where that is not said.
    fn of(beginning: &[Row]) -> Option<Self> {
        let value = |name: &[u8]| value(beginning, name);
        let either = |name, other| value(name).or_else(|| value(other));
        if value(b"session_track_transaction_info").is_some_and(|info| info != b"OFF") {
            // Clients are told what their transactions do, which only the server knows.
            return None;
        }
        let isolation = either(b"transaction_isolation", b"tx_isolation")?;
        Some(Self {
            are_read_only: either(b"transaction_read_only", b"tx_read_only")? != b"OFF",
            isolation: Isolation::of(isolation),
            chain: value(b"completion_type")? != b"NO_CHAIN",
        })
    }
}

#[derive(Debug)]
struct Facts {
    version: Bytes,
    collation: u8,
    extended: MariaDbFlags,
    sql_mode: Option<Arc<str>>,
    /// Names of tables that differ in case only are one (`lower_case_table_names`).
    folds_tables: bool,
    collations: Option<Arc<Collations>>,
}

/// The character sets and names of the origin's collations, by their ids in the protocol.
pub(crate) type Collations = HashMap<u16, (String, String)>;

impl Learnt {
    /// The version in the origin's greeting, if it was ever reached.
    pub(crate) fn version(&self) -> Option<Bytes> {
        self.facts.read().as_ref().map(|facts| facts.version.clone())
    }

    /// The collation in the origin's greeting, if it was ever reached.
    pub(crate) fn collation(&self) -> Option<u8> {
        self.facts.read().as_ref().map(|facts| facts.collation)
    }

    /// What it can do as MariaDB, beyond 32 bits; nothing if it was never reached.
    pub(crate) fn extended(&self) -> MariaDbFlags {
        self.facts.read().as_ref().map(|facts| facts.extended).unwrap_or_default()
    }

    /// The `sql_mode` that a connection begins with, if one was ever asked.
    pub(crate) fn sql_mode(&self) -> Option<Arc<str>> {
        self.facts.read().as_ref().and_then(|facts| facts.sql_mode.clone())
    }

    /// Whether the origin is MariaDB, as far as it was ever reached.
    pub(crate) fn is_mariadb(&self) -> bool {
        self.is_mariadb.load(Ordering::Relaxed)
    }

    /// Whether clients that track their session are told that a block has begun, where one was seen to begin.
    pub(crate) fn tells_blocks(&self) -> Option<bool> {
        match self.tells_blocks.load(Ordering::Relaxed) {
            0 => None,
            told => Some(told == 2),
        }
    }

    /// Takes in what was told of a block that has begun.
    pub(crate) fn of_block(&self, is_told: bool) {
        self.tells_blocks.store(1 + u8::from(is_told), Ordering::Relaxed);
    }

    /// Whether names of tables that differ in case only are one.
    pub(crate) fn folds_tables(&self) -> bool {
        self.facts.read().as_ref().is_some_and(|facts| facts.folds_tables)
    }

    /// Whether connections that are opened now should count the rows that an UPDATE found, and not those that it
    /// changed: as the last client wanted it.
    pub(crate) fn found_rows(&self) -> bool {
        self.found_rows.load(Ordering::Relaxed)
    }

    /// Takes in how the last client wanted rows counted.
    pub(crate) fn of_found_rows(&self, found_rows: bool) {
        self.found_rows.store(found_rows, Ordering::Relaxed);
    }

    /// The origin's collations, if it was ever asked.
    pub(crate) fn collations(&self) -> Option<Arc<Collations>> {
        self.facts.read().as_ref().and_then(|facts| facts.collations.clone())
    }

    /// What is run for each connection of a user that begins in this generation; `None` where that is not known.
    pub(crate) fn initial(&self, user: &str, generation: u64) -> Option<Option<Arc<str>>> {
        let initial = self.initial.read();
        let known = initial.get(user).filter(|known| known.generation == generation)?;
        Some(known.text.clone())
    }

    /// Takes in what is run for each connection of a user that begins.
    pub(crate) fn of_initial(
        &self,
        user: &str,
        (generation, beginning): (u64, &[Row]),
        (text, foretold): (Option<Arc<str>>, Option<Foretold>),
    ) {
        let transactions = Transactions::of(beginning);
        let foretold = foretold.or_else(|| self.foretold(user, generation));
        let zones = Zones::of(beginning);
        let initial = Initial { generation, text, transactions, foretold, zones };
        self.initial.write().insert(user.to_owned(), initial);
    }

    /// What connections of a user answer that begin in this generation, if one was asked.
    pub(crate) fn foretold(&self, user: &str, generation: u64) -> Option<Foretold> {
        let initial = self.initial.read();
        initial.get(user).filter(|known| known.generation == generation)?.foretold.clone()
    }

    /// What transactions of a user are like in this generation, if that is known.
    pub(crate) fn transactions(&self, user: &str, generation: u64) -> Option<Transactions> {
        let initial = self.initial.read();
        initial.get(user).filter(|known| known.generation == generation)?.transactions
    }

    /// The time zone of a user's session that has set this one, or none, in this generation; `None` where that is not known.
    pub(crate) fn time_zone(
        &self,
        user: &str,
        generation: u64,
        own: Option<&str>,
    ) -> Option<Arc<str>> {
        let initial = self.initial.read();
        let known = initial.get(user).filter(|known| known.generation == generation);
        let zones = known.map(|known| &known.zones);
        let zone = own.map(Arc::from).or_else(|| zones?.usual.clone())?;
        match &*zone {
            "SYSTEM" => zones.filter(|zones| zones.is_utc).map(|_| "UTC".into()),
            _ => Some(zone),
        }
    }

    /// Takes in the origin's collations.
    pub(crate) fn of_collations(&self, collations: Collations) {
        if let Some(facts) = &mut *self.facts.write() {
            facts.collations = Some(Arc::new(collations));
        }
    }

    /// Takes in what a login heard.
    pub(crate) fn of_login(&self, login: &Login) {
        let is_mariadb = login.version.windows(MARIADB.len()).any(|words| words == MARIADB);
        self.is_mariadb.store(is_mariadb, Ordering::Relaxed);
        let mut facts = self.facts.write();
        // Another server has other defaults.
        if facts.as_ref().is_none_or(|facts| facts.version != login.version) {
            let version = login.version.clone();
            let Login { collation, extended, .. } = *login;
            *facts = Some(Facts {
                version,
                collation,
                extended,
                sql_mode: None,
                folds_tables: false,
                collations: None,
            });
        }
    }

    /// Takes in what a fresh connection said of its `sql_mode`, and of `lower_case_table_names`.
    pub(crate) fn of_reading(&self, sql_mode: &str, folds_tables: bool) {
        if let Some(facts) = &mut *self.facts.write() {
            facts.folds_tables = folds_tables;
            if facts.sql_mode.as_deref() != Some(sql_mode) {
                facts.sql_mode = Some(sql_mode.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_where_it_says_or_where_its_server_is() {
        let row = |name: &'static str, value: &'static str| -> Row {
            vec![
                Some(Bytes::from_static(name.as_bytes())),
                Some(Bytes::from_static(value.as_bytes())),
            ]
        };
        for (usual, of_server, own, expected) in [
            ("+02:00", "CET", None, Some("+02:00")),
            ("+02:00", "CET", Some("Europe/Oslo"), Some("Europe/Oslo")),
            ("SYSTEM", "UTC", None, Some("UTC")),
            ("+02:00", "UTC", Some("SYSTEM"), Some("UTC")),
            ("SYSTEM", "CET", None, None),
            ("+02:00", "EST", Some("SYSTEM"), None),
        ] {
            let learnt = Learnt::default();
            assert_eq!(learnt.time_zone("app", 1, None), None);
            let beginning = [row("time_zone", usual), row("system_time_zone", of_server)];
            learnt.of_initial("app", (1, &beginning), (None, None));
            assert_eq!(learnt.time_zone("app", 1, own).as_deref(), expected, "{usual} {own:?}");
            assert_eq!(learnt.time_zone("app", 2, None), None);
        }
    }
}
