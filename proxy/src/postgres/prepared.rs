//! Prepared statements: the client's names, the names we share them under, and what each backend has.
//!
//! A client's named statement is shared with every other client that prepares the same text with the same
//! parameter types under the same settings that decide what names mean. The shared name is never used again
//! for anything else. A backend that lacks it is given it in the same write as the query.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use cache::sql::Analysis;
use protocol::postgres::message::Parse;

/// The most statements that one backend keeps; the one used longest ago goes.
const MAX_PER_BACKEND: usize = 512;
/// The most statements that one client may have at once.
pub(super) const MAX_PER_CLIENT: usize = 10_000;

/// What a client prepares: a text in its encoding, and the parameter types that it fixed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source {
    /// As on the wire: the text, a zero, the types.
    bytes: Bytes,
    query_len: usize,
}

impl Source {
    /// A copy, so that the client's buffer can go.
    pub(super) fn of(parse: &Parse<'_>) -> Self {
        Self { bytes: Bytes::copy_from_slice(parse.rest), query_len: parse.query.len() }
    }

    /// Another text with the same types.
    pub(super) fn with_query(&self, query: &[u8]) -> Self {
        let bytes = [query, b"\0", self.types()].concat().into();
        Self { bytes, query_len: query.len() }
    }

    /// The text.
    pub(super) fn query(&self) -> &[u8] {
        self.bytes.get(..self.query_len).unwrap_or_default()
    }

    /// The types, as on the wire.
    pub(super) fn types(&self) -> &[u8] {
        self.bytes.get(self.query_len.saturating_add(1)..).unwrap_or_default()
    }

    /// All of it as it follows the name in a Parse.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// One statement as some client prepared it.
#[derive(Debug)]
pub(super) struct Statement {
    /// Our name for it at the backends; empty for a client's unnamed statement, which is never shared.
    pub(super) name: Box<str>,
    pub(super) source: Source,
    /// What the text means.
    pub(super) analysis: Arc<Analysis>,
    number: u64,
}

impl Statement {
    /// Whether it is a client's unnamed statement.
    pub(super) fn is_unnamed(&self) -> bool {
        self.name.is_empty()
    }

    fn weight(&self) -> usize {
        self.source.bytes.len().saturating_add(400)
    }
}

/// What makes two clients' statements one.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Shape {
    source: Source,
    /// Settings that decide what names mean, and the origin's schema as far as we have seen it change.
    meaning: Bytes,
}

/// The statements of one database, by what they are. Bounded in bytes.
#[derive(Debug)]
pub(super) struct Registry {
    shared: moka::sync::Cache<Shape, Arc<Statement>>,
    numbers: AtomicU64,
    /// Makes our names differ from any that a client may think of.
    prefix: String,
}

impl Registry {
    /// An empty registry of at most `capacity_bytes`.
    pub(super) fn new(capacity_bytes: u64) -> Self {
        let weigher = |shape: &Shape, statement: &Arc<Statement>| {
            u32::try_from(statement.weight().saturating_add(shape.meaning.len()))
                .unwrap_or(u32::MAX)
        };
        Self {
            shared: moka::sync::Cache::builder()
                .max_capacity(capacity_bytes)
                .weigher(weigher)
                .build(),
            numbers: AtomicU64::new(1),
            prefix: format!("jumpgate_{:08x}", rand::random::<u32>()),
        }
    }

    /// The statement of this text, types and meaning, shared with whoever prepared it before.
    pub(super) fn share(
        &self,
        source: Source,
        meaning: Bytes,
        analysis: Arc<Analysis>,
    ) -> Arc<Statement> {
        let shape = Shape { source: source.clone(), meaning };
        self.shared.get_with(shape, || {
            let number = self.number();
            let name = format!("{}_{number}", self.prefix).into();
            Arc::new(Statement { name, source, analysis, number })
        })
    }

    /// A statement of one client's, whose names mean what they mean only in its present transaction.
    pub(super) fn private(&self, source: Source, analysis: Arc<Analysis>) -> Arc<Statement> {
        let number = self.number();
        let name = format!("{}_{number}", self.prefix).into();
        Arc::new(Statement { name, source, analysis, number })
    }

    /// Whether a text of the database's speaks of one of our names.
    pub(super) fn is_ours(&self, text: &[u8]) -> bool {
        memchr::memmem::find(text, self.prefix.as_bytes()).is_some()
    }

    /// A client's unnamed statement.
    pub(super) fn unnamed(&self, source: Source, analysis: Arc<Analysis>) -> Arc<Statement> {
        Arc::new(Statement { name: "".into(), source, analysis, number: self.number() })
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }
}

/// Statements by the names that their client gave them.
pub(super) type Named = foldhash::HashMap<Bytes, Arc<Statement>>;

/// What one backend has prepared, also what was sent and not yet confirmed.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    named: foldhash::HashMap<u64, (Arc<Statement>, u64)>,
    unnamed: Option<u64>,
    clock: u64,
}

impl Prepared {
    /// Whether the backend has it; if so, it counts as used now.
    pub(super) fn has(&mut self, statement: &Statement) -> bool {
        if statement.is_unnamed() {
            return self.unnamed == Some(statement.number);
        }
        self.clock += 1;
        self.named.get_mut(&statement.number).map(|(_, used)| *used = self.clock).is_some()
    }

    /// Records that it was sent. Returns the statement that should be closed to make room.
    pub(super) fn insert(&mut self, statement: &Arc<Statement>) -> Option<Arc<Statement>> {
        if statement.is_unnamed() {
            self.unnamed = Some(statement.number);
            return None;
        }
        self.clock += 1;
        self.named.insert(statement.number, (Arc::clone(statement), self.clock));
        if self.named.len() <= MAX_PER_BACKEND {
            return None;
        }
        let (oldest, _) = self.named.values().min_by_key(|(_, used)| *used)?;
        let oldest = Arc::clone(oldest);
        self.named.remove(&oldest.number);
        Some(oldest)
    }

    /// Records that the backend has it still.
    pub(super) fn restore(&mut self, statement: &Arc<Statement>) {
        self.named.insert(statement.number, (Arc::clone(statement), self.clock));
    }

    /// Records that the backend does not have it after all.
    pub(super) fn remove(&mut self, statement: &Statement) {
        if statement.is_unnamed() {
            if self.unnamed == Some(statement.number) {
                self.unnamed = None;
            }
        } else {
            self.named.remove(&statement.number);
        }
    }

    /// A simple query drops the unnamed statement (`exec_simple_query`).
    pub(super) fn forget_unnamed(&mut self) {
        self.unnamed = None;
    }

    /// DISCARD ALL and DEALLOCATE ALL leave nothing.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(query: &str) -> Source {
        let body = format!("\0{query}\0\0\0");
        Source::of(&Parse::decode(body.as_bytes()).expect("a Parse"))
    }

    fn share(registry: &Registry, query: &'static str, meaning: &'static str) -> Arc<Statement> {
        let meaning = Bytes::from_static(meaning.as_bytes());
        registry.share(source(query), meaning, Arc::default())
    }

    #[test]
    fn the_same_statement_is_shared_and_another_meaning_is_not() {
        let registry = Registry::new(1 << 20);
        let one = share(&registry, "select 1", "");
        assert!(Arc::ptr_eq(&one, &share(&registry, "select 1", "")));
        assert_ne!(one.name, share(&registry, "select 1", "search_path=x").name);
        assert_ne!(one.name, share(&registry, "select 2", "").name);
    }

    #[test]
    fn a_backend_closes_the_statement_used_longest_ago() {
        let registry = Registry::new(1 << 20);
        let mut prepared = Prepared::default();
        let all: Vec<_> = (0..=MAX_PER_BACKEND)
            .map(|n| registry.share(source(&n.to_string()), Bytes::new(), Arc::default()))
            .collect();
        for statement in &all[..MAX_PER_BACKEND] {
            assert!(prepared.insert(statement).is_none());
        }
        assert!(prepared.has(&all[0]));
        let closed = prepared.insert(&all[MAX_PER_BACKEND]).expect("one too many");
        assert!(Arc::ptr_eq(&closed, &all[1]));
        assert!(prepared.has(&all[0]) && !prepared.has(&all[1]));
    }

    #[test]
    fn only_the_last_unnamed_statement_is_there() {
        let registry = Registry::new(1 << 20);
        let mut prepared = Prepared::default();
        let make = || registry.unnamed(source("select 1"), Arc::default());
        let (one, two) = (make(), make());
        prepared.insert(&one);
        prepared.insert(&two);
        assert!(!prepared.has(&one) && prepared.has(&two));
        prepared.forget_unnamed();
        assert!(!prepared.has(&two));
    }
}
