//! Prepared statements: what is shared between clients, and what one backend has prepared.
//!
//! A statement is what its text means: the same text in the same schema with the same settings is the
//! same statement, whoever prepared it. Once one backend has described it, the next client's
//! COM_STMT_PREPARE is answered without the origin, and a backend that lacks it prepares it when it is
//! executed there.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{BufMut as _, Bytes, BytesMut};
use cache::{Budget, Held, Key, KeyBuilder, sql::behind_hint};
use foldhash::fast::RandomState;
use protocol::mysql::reply::PrepareOk;

use super::settings::Settings;

/// The most statements kept on one backend; the server's own limit over all connections is 16,382
/// (MySQL: `max_prepared_stmt_count`).
const MAX_PER_BACKEND: usize = 200;
/// The most bytes that the texts of one client's open statements may have.
pub(crate) const MAX_TEXTS: usize = 64 << 20;
/// A description is asked for again after this: the schema may be changed by others.
const DESCRIBED_FOR: Duration = Duration::from_secs(60);
/// The most statements one client may have open.
pub(crate) const MAX_PER_CLIENT: usize = 10_000;
/// What the map itself needs for an entry, about.
const OVERHEAD: usize = 400;

/// A statement as the origin described it.
#[derive(Debug)]
pub(crate) struct Statement {
    id: u64,
    /// Its text.
    pub(crate) sql: Bytes,
    /// The schema it was prepared in, where there is one.
    pub(crate) schema: Option<Arc<str>>,
    /// The settings it was prepared with.
    pub(crate) settings: Settings,
    /// How many parameters and columns it has.
    pub(crate) shape: PrepareOk,
    /// The definitions of its parameters, then of its columns.
    pub(crate) definitions: Vec<Bytes>,
    /// An execution had other columns: its tables have changed.
    is_outdated: AtomicBool,
    /// For the cache.
    key: OnceLock<Key>,
    held: Held,
}

/// What identifies a statement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Meaning(Bytes);

impl Meaning {
    /// The meaning of a text where `changes` changes of the schema have been seen.
    pub(crate) fn new(sql: &[u8], schema: Option<&str>, settings: &Settings, changes: u64) -> Self {
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

/// A bounded memory of the statements of all databases. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Memo {
    known: moka::sync::Cache<(u64, Meaning), Arc<Statement>>,
    registries: Arc<AtomicU64>,
    /// For all statements there are.
    budget: Budget,
}

impl Memo {
    /// A memory of at most `capacity_bytes`. Each statement that there is, remembered or not, counts in the budget.
    pub(crate) fn new(capacity_bytes: u64, budget: &Budget) -> Self {
        let weigher = |(_registry, meaning): &(u64, Meaning), statement: &Arc<Statement>| {
            let bytes = meaning.0.len() + statement.held.bytes();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let known = moka::sync::Cache::builder()
            .max_capacity(capacity_bytes)
            .weigher(weigher)
            .time_to_live(DESCRIBED_FOR)
            .build();
        Self { known, registries: Arc::default(), budget: budget.clone() }
    }
}

/// The statements of one database, shared by its sessions.
#[derive(Debug)]
pub(crate) struct Registry {
    memo: Memo,
    id: u64,
    next_id: AtomicU64,
}

impl Registry {
    /// An empty registry.
    pub(crate) fn new(memo: &Memo) -> Self {
        let id = memo.registries.fetch_add(1, Ordering::Relaxed);
        Self { memo: memo.clone(), id, next_id: AtomicU64::new(0) }
    }

    /// Whether there is room for a statement whose text is that long, beside all that clients have prepared.
    pub(crate) fn has_room(&self, text: usize) -> bool {
        self.memo.budget.has(text + OVERHEAD)
    }

    /// The same, after those were forgotten that no client has any more.
    pub(crate) fn makes_room(&self, text: usize) -> bool {
        self.memo.known.invalidate_all();
        self.memo.known.run_pending_tasks();
        self.has_room(text)
    }

    /// Counts a client's own copy of a text.
    pub(crate) fn hold(&self, text: usize) -> Arc<Held> {
        Arc::new(self.memo.budget.hold(text))
    }

    /// The statement of this meaning, if a backend has described it.
    pub(crate) fn find(&self, meaning: &Meaning) -> Option<Arc<Statement>> {
        let known = self.memo.known.get(&(self.id, meaning.clone()));
        known.filter(|known| !known.is_outdated.load(Ordering::Relaxed))
    }

    /// Remembers what a backend said of a statement.
    pub(crate) fn learn(&self, meaning: Meaning, described: Described) -> Arc<Statement> {
        let statement = self.private(described);
        self.memo.known.insert((self.id, meaning), Arc::clone(&statement));
        statement
    }

    /// A statement that is shared with nobody.
    pub(crate) fn private(&self, described: Described) -> Arc<Statement> {
        let Described { sql, schema, settings, shape, definitions } = described;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (is_outdated, key) = (AtomicBool::new(false), OnceLock::new());
        let described: usize = definitions.iter().map(|definition| definition.len() + 32).sum();
        let held = self.memo.budget.hold(sql.len() + described + OVERHEAD);
        Arc::new(Statement {
            id,
            sql,
            schema,
            settings,
            shape,
            definitions,
            is_outdated,
            key,
            held,
        })
    }
}

/// A statement with its description.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) sql: Bytes,
    pub(crate) schema: Option<Arc<str>>,
    pub(crate) settings: Settings,
    pub(crate) shape: PrepareOk,
    pub(crate) definitions: Vec<Bytes>,
}

impl Statement {
    /// Takes in how many columns its first result had, so that whoever prepares it next is not told of others
    /// (libmysql: CR_NEW_STMT_METADATA). The results of CALL are in no description.
    pub(crate) fn compare(&self, columns: u32) {
        if self.shape.columns != 0 && u32::from(self.shape.columns) != columns {
            self.is_outdated.store(true, Ordering::Relaxed);
        }
    }

    /// What stands for it in the keys of the cache: its text, and what it was prepared in and with.
    pub(crate) fn key(&self) -> &Key {
        self.key.get_or_init(|| {
            KeyBuilder::new("statement")
                .field("text", behind_hint(&self.sql))
                .field("schema", self.schema.as_deref().unwrap_or_default().as_bytes())
                .field("settings", &self.settings.fingerprint())
                .finish()
        })
    }

    /// What it is, for another one that is the same.
    pub(crate) fn described(&self) -> Described {
        Described {
            sql: self.sql.clone(),
            schema: self.schema.clone(),
            settings: self.settings.clone(),
            shape: self.shape,
            definitions: self.definitions.clone(),
        }
    }
}

/// The types that the parameters of a statement had, once it was executed.
pub(crate) type Types = Option<Arc<[u16]>>;

/// The statements that one backend has prepared, by ours and by the types that they were executed with: MySQL
/// keeps those of the first execution, where those of a later one can be converted to them.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    ids: HashMap<(u64, Types), Known, RandomState>,
    clock: u64,
}

#[derive(Debug)]
struct Known {
    id: u32,
    used: u64,
}

impl Prepared {
    /// The backend's id of a statement for these types, if it has it: executed with them before, or never.
    pub(crate) fn find(&mut self, statement: &Statement, types: &Types) -> Option<u32> {
        self.clock += 1;
        let key = (statement.id, types.clone());
        if let Some(known) = self.ids.get_mut(&key) {
            known.used = self.clock;
            return Some(known.id);
        }
        let Known { id, .. } = self.ids.remove(&(statement.id, None))?;
        self.ids.insert(key, Known { id, used: self.clock });
        Some(id)
    }

    /// Records a statement, and returns the id of one to close if there are too many. What is kept, with a cursor
    /// or long data, is not closed.
    pub(crate) fn insert(
        &mut self,
        statement: &Statement,
        types: Types,
        id: u32,
        is_kept: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        self.clock += 1;
        let known = Known { id, used: self.clock };
        let replaced = self.ids.insert((statement.id, types), known).map(|known| known.id);
        if self.ids.len() <= MAX_PER_BACKEND {
            return replaced;
        }
        let others = self.ids.iter().filter(|(_, known)| known.id != id && !is_kept(known.id));
        let oldest = others.min_by_key(|(_, known)| known.used);
        let oldest = oldest.map(|(ours, _)| ours.clone())?;
        self.ids.remove(&oldest).map(|known| known.id)
    }

    /// Forgets all but those that are kept, and returns their ids.
    pub(crate) fn take_unused(&mut self, is_kept: impl Fn(u32) -> bool) -> Vec<u32> {
        self.ids.extract_if(|_, known| !is_kept(known.id)).map(|(_, known)| known.id).collect()
    }

    /// Forgets a statement and returns the backend's id of it.
    pub(crate) fn remove(&mut self, statement: &Statement, types: &Types) -> Option<u32> {
        self.ids.remove(&(statement.id, types.clone())).map(|known| known.id)
    }

    /// The statement of this id is executed with these types now.
    pub(crate) fn retype(&mut self, statement: &Statement, id: u32, types: &Types) {
        let is_it = |ours: &u64, known: &Known| *ours == statement.id && known.id == id;
        self.ids.retain(|(ours, _), known| !is_it(ours, known));
        self.clock += 1;
        self.ids.insert((statement.id, types.clone()), Known { id, used: self.clock });
    }

    /// Forgets all of them: the backend has.
    pub(crate) fn clear(&mut self) {
        self.ids.clear();
    }
}

/// A command with the id of its statement replaced.
pub(crate) fn with_id(payload: &[u8], id: u32) -> BytesMut {
    let mut payload = BytesMut::from(payload);
    if let Some(place) = payload.get_mut(1..5) {
        place.copy_from_slice(&id.to_le_bytes());
    }
    payload
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
        let registry = Registry::new(&Memo::new(1 << 20, &Budget::new(1 << 20)));
        let mut prepared = Prepared::default();
        let first = statement(&registry, "select 0");
        assert_eq!(prepared.insert(&first, None, 1000, |_| false), None);
        for id in 1..200 {
            assert_eq!(
                prepared.insert(&statement(&registry, "select 1"), None, id, |_| false),
                None
            );
        }
        assert_eq!(prepared.find(&first, &None), Some(1000));
        assert_eq!(
            prepared.insert(&statement(&registry, "select 2"), None, 2000, |_| false),
            Some(1)
        );
        assert_eq!(prepared.find(&first, &None), Some(1000));
    }

    #[test]
    fn a_statement_is_another_one_for_other_types() {
        let registry = Registry::new(&Memo::new(1 << 20, &Budget::new(1 << 20)));
        let mut prepared = Prepared::default();
        let one = statement(&registry, "select ?");
        let (number, text): (Types, Types) = (Some(Arc::new([8])), Some(Arc::new([253])));
        prepared.insert(&one, None, 7, |_| false);
        assert_eq!(prepared.find(&one, &number), Some(7));
        assert_eq!(prepared.find(&one, &text), None);
        prepared.insert(&one, text.clone(), 8, |_| false);
        assert_eq!((prepared.find(&one, &number), prepared.find(&one, &text)), (Some(7), Some(8)));
        prepared.retype(&one, 8, &number);
        assert_eq!(prepared.find(&one, &number), Some(8));
    }

    #[test]
    fn a_statement_with_a_cursor_is_not_closed_for_another_one() {
        let registry = Registry::new(&Memo::new(1 << 20, &Budget::new(1 << 20)));
        let mut prepared = Prepared::default();
        for id in 0..200 {
            let one = statement(&registry, "select 1");
            assert_eq!(prepared.insert(&one, None, id, |_| true), None);
        }
        let next = statement(&registry, "select 2");
        assert_eq!(prepared.insert(&next, None, 200, |id| id < 7), Some(7));
        let last = statement(&registry, "select 3");
        assert_eq!(prepared.insert(&last, None, 201, |_| true), None);
        assert_eq!(prepared.find(&last, &None), Some(201));
    }

    #[test]
    fn a_description_that_an_execution_contradicts_is_not_told_again() {
        let registry = Registry::new(&Memo::new(1 << 20, &Budget::new(1 << 20)));
        let settings = Settings::default();
        let meaning = Meaning::new(b"select * from t", None, &settings, 0);
        let shape = PrepareOk { statement: 1, columns: 2, params: 0, warnings: 0 };
        let sql = Bytes::from_static(b"select * from t");
        let described = Described { sql, schema: None, settings, shape, definitions: Vec::new() };
        let known = registry.learn(meaning.clone(), described);
        known.compare(2);
        assert!(registry.find(&meaning).is_some());
        known.compare(3);
        assert!(registry.find(&meaning).is_none());
        let again = registry.learn(meaning.clone(), known.described());
        assert!(registry.find(&meaning).is_some_and(|found| Arc::ptr_eq(&found, &again)));
    }
}
