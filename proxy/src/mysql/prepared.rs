//! Prepared statements: what is shared between clients, and what one backend has prepared.
//!
//! A statement is what its text means: the same text in the same schema with the same settings is the
//! same statement, whoever prepared it. Once one backend has described it, the next client's
//! COM_STMT_PREPARE is answered without the origin, and a backend that lacks it prepares it when it is
//! executed there.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::{BufMut as _, Bytes, BytesMut};
use protocol::mysql::reply::PrepareOk;

use super::settings::Settings;

/// The most statements kept on one backend; the server's own limit over all connections is 16,382
/// (MySQL: `max_prepared_stmt_count`).
const MAX_PER_BACKEND: usize = 256;
/// The most statements one client may have open.
pub(super) const MAX_PER_CLIENT: usize = 10_000;
/// What the map itself needs for an entry, about.
const OVERHEAD: usize = 400;

/// A statement as the origin described it.
#[derive(Debug)]
pub(super) struct Statement {
    id: u64,
    /// Its text.
    pub(super) sql: Bytes,
    /// The schema it was prepared in, where there is one.
    pub(super) schema: Option<Box<str>>,
    /// The settings it was prepared with.
    pub(super) settings: Settings,
    /// How many parameters and columns it has.
    pub(super) shape: PrepareOk,
    /// The definitions of its parameters, then of its columns.
    pub(super) definitions: Vec<Bytes>,
}

/// What identifies a statement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Meaning(Bytes);

impl Meaning {
    /// The meaning of a text where `changes` changes of the schema have been seen.
    pub(super) fn new(sql: &[u8], schema: Option<&str>, settings: &Settings, changes: u64) -> Self {
        let mut bytes = BytesMut::with_capacity(sql.len() + 64);
        bytes.put_u64(changes);
        let schema = schema.unwrap_or_default();
        bytes.put_u64(schema.len() as u64);
        bytes.put_slice(schema.as_bytes());
        let settings = settings.fingerprint();
        bytes.put_u64(settings.len() as u64);
        bytes.put_slice(&settings);
        bytes.put_slice(sql);
        Self(bytes.freeze())
    }
}

/// The statements of one database, shared by its sessions.
#[derive(Debug)]
pub(super) struct Registry {
    known: moka::sync::Cache<Meaning, Arc<Statement>>,
    next_id: AtomicU64,
}

impl Registry {
    /// A memory of at most `capacity_bytes`.
    pub(super) fn new(capacity_bytes: u64) -> Self {
        let weigher = |meaning: &Meaning, statement: &Arc<Statement>| {
            let definitions: usize = statement.definitions.iter().map(|d| d.len() + 32).sum();
            u32::try_from(meaning.0.len() + definitions + OVERHEAD).unwrap_or(u32::MAX)
        };
        let known = moka::sync::Cache::builder().max_capacity(capacity_bytes).weigher(weigher).build();
        Self { known, next_id: AtomicU64::new(0) }
    }

    /// The statement of this meaning, if a backend has described it.
    pub(super) fn find(&self, meaning: &Meaning) -> Option<Arc<Statement>> {
        self.known.get(meaning)
    }

    /// Remembers what a backend said of a statement.
    pub(super) fn learn(&self, meaning: Meaning, described: Described) -> Arc<Statement> {
        let Described { sql, schema, settings, shape, definitions } = described;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let statement = Arc::new(Statement { id, sql, schema, settings, shape, definitions });
        self.known.insert(meaning, Arc::clone(&statement));
        statement
    }
}

/// A statement with its description.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) sql: Bytes,
    pub(super) schema: Option<Box<str>>,
    pub(super) settings: Settings,
    pub(super) shape: PrepareOk,
    pub(super) definitions: Vec<Bytes>,
}

/// The statements that one backend has prepared, by ours.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    ids: HashMap<u64, Known>,
    clock: u64,
}

#[derive(Debug)]
struct Known {
    id: u32,
    used: u64,
}

impl Prepared {
    /// The backend's id of a statement, if it has it.
    pub(super) fn find(&mut self, statement: &Statement) -> Option<u32> {
        self.clock += 1;
        let known = self.ids.get_mut(&statement.id)?;
        known.used = self.clock;
        Some(known.id)
    }

    /// Records a statement, and returns the id of one to close if there are too many.
    pub(super) fn insert(&mut self, statement: &Statement, id: u32) -> Option<u32> {
        self.clock += 1;
        self.ids.insert(statement.id, Known { id, used: self.clock });
        if self.ids.len() <= MAX_PER_BACKEND {
            return None;
        }
        let oldest = self.ids.iter().min_by_key(|(_, known)| known.used).map(|(ours, _)| *ours)?;
        self.ids.remove(&oldest).map(|known| known.id)
    }

    /// Forgets a statement and returns the backend's id of it.
    pub(super) fn remove(&mut self, statement: &Statement) -> Option<u32> {
        self.ids.remove(&statement.id).map(|known| known.id)
    }

    /// Forgets all of them: the backend has.
    pub(super) fn clear(&mut self) {
        self.ids.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(registry: &Registry, sql: &'static str) -> Arc<Statement> {
        let settings = Settings::default();
        let meaning = Meaning::new(sql.as_bytes(), None, &settings, 0);
        let shape = PrepareOk { statement: 1, columns: 0, params: 0, warnings: 0 };
        let sql = Bytes::from_static(sql.as_bytes());
        let described = Described { sql, schema: None, settings, shape, definitions: Vec::new() };
        registry.learn(meaning, described)
    }

    #[test]
    fn the_same_text_means_the_same_only_in_the_same_schema_with_the_same_settings() {
        let utf8 = Settings::of_collation("utf8mb4", "utf8mb4_bin");
        let meaning = |schema, settings: &Settings, changes| {
            Meaning::new(b"select 1", schema, settings, changes)
        };
        let none = Settings::default();
        assert_eq!(meaning(Some("a"), &none, 0), meaning(Some("a"), &none, 0));
        assert_ne!(meaning(Some("a"), &none, 0), meaning(Some("b"), &none, 0));
        assert_ne!(meaning(Some("a"), &none, 0), meaning(Some("a"), &utf8, 0));
        assert_ne!(meaning(Some("a"), &none, 0), meaning(Some("a"), &none, 1));
    }

    #[test]
    fn a_backend_closes_what_was_not_used_for_longest() {
        let registry = Registry::new(1 << 20);
        let mut prepared = Prepared::default();
        let first = statement(&registry, "select 0");
        assert_eq!(prepared.insert(&first, 1000), None);
        for id in 0..255 {
            assert_eq!(prepared.insert(&statement(&registry, "select 1"), id), None);
        }
        assert_eq!(prepared.find(&first), Some(1000));
        assert_eq!(prepared.insert(&statement(&registry, "select 2"), 2000), Some(0));
        assert_eq!(prepared.find(&first), Some(1000));
    }
}
