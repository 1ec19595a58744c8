//! What a prepared statement is, and which clients share one.
//!
//! PostgreSQL settles a statement when it is parsed: the types of its parameters for good, the rows that it returns (other
//! ones are an error from then on), and its constants as the settings of that moment read them. What its names mean is looked
//! up again whenever the schema or the `search_path` changes (`RevalidateCachedQuery` in plancache.c). So two statements are
//! one, and a backend's may serve a client that prepared it elsewhere, if [`Source`], [`Meaning`] and [`Settled`] are equal,
//! and not else. A client's own Parse is always parsed by a backend: only that shows what it settles today.

use std::{
    ops::Range,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use cache::{Budget, Held, sql::postgres::Analysis};
use protocol::postgres::message::Parse;

use super::{described::Descriptions, meaning::Meaning, plan, said::Sayings, settled::Settled};

/// A statement that was not prepared for so long is forgotten.
const UNUSED: Duration = Duration::from_secs(3600);

/// The types of a Parse that names none.
const NO_TYPES: &[u8] = b"\0\0";

/// What a client prepares: a text in its encoding, and the parameter types that it fixed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Source {
    /// As on the wire: the text, a zero, the types.
    bytes: Bytes,
    query_len: usize,
}

impl Source {
    /// A copy, so that the client's buffer can go.
    pub(crate) fn of(parse: &Parse<'_>) -> Self {
        Self { bytes: Bytes::copy_from_slice(parse.rest), query_len: parse.query.len() }
    }

    fn new(query: &[u8], types: &[u8]) -> Self {
        Self { bytes: [query, b"\0", types].concat().into(), query_len: query.len() }
    }

    /// The text.
    pub(crate) fn query(&self) -> &[u8] {
        self.bytes.get(..self.query_len).unwrap_or_default()
    }

    /// The types, as on the wire.
    pub(crate) fn types(&self) -> &[u8] {
        self.bytes.get(self.query_len.saturating_add(1)..).unwrap_or_default()
    }

    /// All of it as it follows the name in a Parse.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// One statement as some client prepared it.
#[derive(Debug)]
pub(crate) struct Statement {
    /// Our name for it at a backend that gets it for this statement; empty for a client's unnamed one.
    pub(crate) name: Arc<str>,
    pub(crate) source: Source,
    /// What the text says.
    pub(crate) analysis: Arc<Analysis>,
    /// The settings that its constants were read with.
    pub(crate) meaning: Arc<Meaning>,
    /// Made for one message, in the place of the client's, which is settled already.
    pub(crate) is_for_once: bool,
    /// The settings that its constants were read with are not known, so that it is never parsed again.
    pub(crate) stays: bool,
    /// The PREPARE that made it, of one that SQL prepared.
    pub(crate) by_sql: Option<Bytes>,
    /// When its client prepared it.
    pub(crate) prepared_at: SystemTime,
    settled: OnceLock<Settled>,
    /// Of an EXECUTE, the statement that it would have run when it was parsed, which is no EXECUTE itself.
    meant: OnceLock<Arc<Self>>,
    /// The one that it is shared as, where that is another.
    shared: OnceLock<Arc<Self>>,
    taken_back: OnceLock<Option<Before>>,
    number: u64,
    held: Held,
}

/// What a name meant before a Parse, to which it goes back where that is skipped.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    pub(crate) statement: Arc<Statement>,
    /// Whether the backend has it, under the name that the Parse would have given to another.
    pub(crate) is_there: bool,
}

impl Before {
    /// The same, where what stood there was itself skipped: what that would have replaced.
    pub(crate) fn standing(mut before: Option<Self>) -> Option<Self> {
        while let Some(it) = &before
            && let Some(earlier) = it.statement.taken_back.get()
        {
            let is_there = it.is_there;
            before = earlier.clone().map(|at| Self { is_there: at.is_there && is_there, ..at });
        }
        before
    }
}

impl Statement {
    fn new(
        name: Arc<str>,
        source: Source,
        meaning: Arc<Meaning>,
        analysis: Arc<Analysis>,
        number: u64,
        budget: &Budget,
    ) -> Self {
        let (settled, shared, taken_back) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        let held = budget.hold(weight(source.bytes.len()));
        Self {
            name,
            source,
            analysis,
            meaning,
            is_for_once: false,
            stays: false,
            by_sql: None,
            prepared_at: SystemTime::now(),
            meant: OnceLock::new(),
            settled,
            shared,
            taken_back,
            number,
            held,
        }
    }

    /// Records that no backend has read its Parse, and what its name means therefore.
    pub(crate) fn take_back(&self, before: Option<Before>) {
        self.taken_back.get_or_init(|| before);
    }

    /// Whether no backend has read its Parse, so that the client does not have it.
    pub(crate) fn is_taken_back(&self) -> bool {
        self.taken_back.get().is_some()
    }

    /// Whether it is a client's unnamed statement.
    pub(crate) fn is_unnamed(&self) -> bool {
        self.name.is_empty()
    }

    /// What a backend said of it when it was parsed for the first time, once that is known.
    pub(crate) fn settled(&self) -> Option<&Settled> {
        self.settled.get()
    }

    /// The one that it is shared as from when it was settled: itself, or an older one.
    pub(crate) fn shared(self: &Arc<Self>) -> Arc<Self> {
        Arc::clone(self.shared.get().unwrap_or(self))
    }

    /// Records which statement its text names, of an EXECUTE.
    pub(crate) fn means(&self, other: &Arc<Self>) {
        let meant = match plan::executes(&other.analysis) {
            Some(_) => other.meant(),
            None => Some(Arc::clone(other)),
        };
        if let Some(meant) = meant {
            self.meant.get_or_init(|| meant);
        }
    }

    /// What an EXECUTE meant when it was parsed.
    pub(crate) fn meant(&self) -> Option<Arc<Self>> {
        self.meant.get().map(Self::shared)
    }

    /// Its number, which no other has.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// What follows the name in a Parse at another backend: the text, with the types that the first one settled.
    pub(crate) fn parse_again(&self) -> [&[u8]; 3] {
        let types = self.settled().map_or(self.source.types(), |settled| settled.types());
        [self.source.query(), b"\0", types]
    }

    fn weight(&self) -> usize {
        let settled = self.settled().map_or(0, Settled::weight);
        self.held.bytes().saturating_add(settled)
    }
}

/// What a statement needs in memory whose text is that long, about.
const fn weight(text: usize) -> usize {
    text.saturating_add(500)
}

/// What makes two clients' statements one.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Shape {
    registry: u64,
    source: Source,
    by_sql: Option<Bytes>,
    meaning: Arc<Meaning>,
    settled: Settled,
}

/// A bounded memory of the statements of all databases. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Memo {
    shared: moka::sync::Cache<Shape, Arc<Statement>>,
    /// What they were described as.
    pub(crate) descriptions: Descriptions,
    /// What is answered to texts about a session, which are statements too.
    pub(crate) sayings: Sayings,
    registries: Arc<AtomicU64>,
    /// For all statements there are.
    budget: Budget,
}

impl Memo {
    /// A memory of at most `capacity_bytes`, half of it for what they are answered. Each statement that there is, remembered
    /// or not, counts in the budget.
    pub(crate) fn new(capacity_bytes: u64, budget: &Budget) -> Self {
        let (half, quarter) = (capacity_bytes / 2, capacity_bytes / 4);
        let weigher = |_shape: &Shape, statement: &Arc<Statement>| {
            u32::try_from(statement.weight()).unwrap_or(u32::MAX)
        };
        let shared = moka::sync::Cache::builder()
            .max_capacity(half)
            .weigher(weigher)
            // A registry may have gone.
            .time_to_idle(UNUSED)
            .build();
        let descriptions = Descriptions::new(quarter, budget);
        let sayings = Sayings::new(quarter, budget);
        Self { shared, descriptions, sayings, registries: Arc::default(), budget: budget.clone() }
    }

    /// Forgets what they are answered.
    pub(crate) fn forget_answers(&self) {
        self.descriptions.clear();
        self.sayings.clear();
    }
}

/// The statements of one database, by what they are.
#[derive(Debug)]
pub(crate) struct Registry {
    memo: Memo,
    id: u64,
    numbers: AtomicU64,
    /// Makes our names differ from any that a client may think of.
    prefix: String,
}

impl Registry {
    /// An empty registry.
    pub(crate) fn new(memo: &Memo) -> Self {
        Self {
            memo: memo.clone(),
            id: memo.registries.fetch_add(1, Ordering::Relaxed),
            numbers: AtomicU64::new(1),
            prefix: format!("jumpgate_{:08x}_", rand::random::<u32>()),
        }
    }

    /// A named statement that no backend has settled yet: its client's alone until then. Its name at the backends is never
    /// used again for anything else.
    pub(crate) fn named(
        &self,
        source: Source,
        meaning: Arc<Meaning>,
        analysis: Arc<Analysis>,
    ) -> Arc<Statement> {
        Arc::new(self.make(source, meaning, analysis))
    }

    /// A statement that is prepared by this text of SQL, of which `inner` is what it prepares.
    pub(crate) fn by_sql(
        &self,
        text: &str,
        inner: &str,
        meaning: Arc<Meaning>,
        analysis: Arc<Analysis>,
    ) -> Arc<Statement> {
        // It names no types as the protocol does: what the server makes of those that it names is settled by it.
        let source = Source::new(inner.as_bytes(), NO_TYPES);
        let by_sql = Some(Bytes::copy_from_slice(text.as_bytes()));
        let mut made = self.make(source, meaning, analysis);
        made.held.grow(text.len());
        Arc::new(Statement { by_sql, ..made })
    }

    fn make(&self, source: Source, meaning: Arc<Meaning>, analysis: Arc<Analysis>) -> Statement {
        let number = self.number();
        let name = format!("{}{number}", self.prefix).into();
        Statement::new(name, source, meaning, analysis, number, &self.memo.budget)
    }

    /// Whether there is room for a statement whose text is that long, beside all that clients have prepared.
    pub(crate) fn has_room(&self, text: usize) -> bool {
        self.memo.budget.has(weight(text))
    }

    /// The same, after those were forgotten that no client has any more.
    pub(crate) fn makes_room(&self, text: usize) -> bool {
        self.memo.shared.invalidate_all();
        self.memo.shared.run_pending_tasks();
        self.has_room(text)
    }

    /// A statement that stands in the place of another for one message, with this text.
    pub(crate) fn for_once(&self, statement: &Statement, query: &[u8]) -> Arc<Statement> {
        let [_, _, types] = statement.parse_again();
        let source = Source::new(query, types);
        let (meaning, analysis) = (Arc::clone(&statement.meaning), Arc::clone(&statement.analysis));
        Arc::new(Statement { is_for_once: true, ..self.make(source, meaning, analysis) })
    }

    /// A statement that runs itself, in the place of another that does.
    pub(crate) fn circle(&self, statement: &Statement) -> Arc<Statement> {
        let (meaning, analysis) = (Arc::clone(&statement.meaning), Arc::clone(&statement.analysis));
        let mut made = self.make(Source::new(b"", NO_TYPES), meaning, analysis);
        made.source = Source::new(plan::execution(&made.name).as_bytes(), NO_TYPES);
        Arc::new(Statement { is_for_once: true, ..made })
    }

    /// What is remembered of the statements of all databases.
    pub(crate) fn memo(&self) -> &Memo {
        &self.memo
    }

    /// How all our names begin.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A client's unnamed statement, which is never shared.
    pub(crate) fn unnamed(
        &self,
        source: Source,
        meaning: Arc<Meaning>,
        analysis: Arc<Analysis>,
        stays: bool,
    ) -> Arc<Statement> {
        let (name, budget) = (Arc::default(), &self.memo.budget);
        let made = Statement::new(name, source, meaning, analysis, self.number(), budget);
        Arc::new(Statement { stays, ..made })
    }

    /// Records what a backend said of a statement, and returns the one that it is shared as from now on.
    pub(crate) fn settle(&self, statement: &Arc<Statement>, settled: Settled) -> Arc<Statement> {
        let settled = statement.settled.get_or_init(|| settled).clone();
        if statement.is_unnamed() {
            return Arc::clone(statement);
        }
        let shape = Shape {
            registry: self.id,
            source: statement.source.clone(),
            by_sql: statement.by_sql.clone(),
            meaning: Arc::clone(&statement.meaning),
            settled,
        };
        let shared = self.memo.shared.get_with(shape, || Arc::clone(statement));
        // Not in a circle.
        if !Arc::ptr_eq(&shared, statement) && shared.shared.get().is_none() {
            statement.shared.get_or_init(|| Arc::clone(&shared));
        }
        statement.shared()
    }

    /// Where a text of the database's speaks of one of our names.
    pub(crate) fn find_name(&self, text: &[u8]) -> Option<Range<usize>> {
        let start = memchr::memmem::find(text, self.prefix.as_bytes())?;
        let number = text.get(start + self.prefix.len()..)?;
        let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
        Some(start..start + self.prefix.len() + digits)
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(query: &str) -> Source {
        let body = format!("\0{query}\0\0\0");
        Source::of(&Parse::decode(body.as_bytes()).expect("a Parse"))
    }

    fn named(registry: &Registry, query: &str, meaning: &Arc<Meaning>) -> Arc<Statement> {
        registry.named(source(query), Arc::clone(meaning), Arc::default())
    }

    /// FAULTS rows 19f to 19h: text, settings, parameter types and rows must all be equal.
    #[test]
    fn statements_are_shared_if_all_that_they_are_is_equal() {
        let registry = Registry::new(&Memo::new(1 << 20, &Budget::new(1 << 20)));
        let (utc, tokyo) = (Arc::new(Meaning::of_tests("UTC")), Meaning::of_tests("Asia/Tokyo"));
        let tokyo = Arc::new(tokyo);
        let int8 = || Settled::new(b"\0\x01\0\0\0\x14", None);
        let first = registry.settle(&named(&registry, "select 1", &utc), int8());
        let table = [
            ("select 1", &utc, int8(), true),
            ("select 2", &utc, int8(), false),
            ("select 1", &tokyo, int8(), false),
            ("select 1", &utc, Settled::new(b"\0\x01\0\0\x02\xbd", None), false),
            ("select 1", &utc, Settled::new(b"\0\x01\0\0\0\x14", Some(b"\0\0")), false),
        ];
        for (query, meaning, settled, is_same) in table {
            let other = registry.settle(&named(&registry, query, meaning), settled);
            assert_eq!(Arc::ptr_eq(&first, &other), is_same, "{other:?}");
            assert_eq!(first.name == other.name, is_same);
        }
    }

    #[test]
    fn a_settled_statement_is_parsed_again_with_the_types_it_settled() {
        let registry = Registry::new(&Memo::new(1 << 20, &Budget::new(1 << 20)));
        let statement = named(&registry, "select $1", &Arc::default());
        assert_eq!(statement.parse_again().concat(), b"select $1\0\0\0");
        registry.settle(&statement, Settled::new(b"\0\x01\0\0\0\x19", None));
        assert_eq!(statement.parse_again().concat(), b"select $1\0\0\x01\0\0\0\x19");
    }
}
