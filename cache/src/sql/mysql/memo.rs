//! Remembers what a text means, since applications send the same texts again and again.
//!
//! As for PostgreSQL, but that a text's meaning also depends on the modes it is read in, and on the
//! session's schema.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;

use super::analyse::analyse;
use super::catalog::Catalog;
use super::classify::{is_plain_read, judge};
use super::facts::{Analysis, Rights, StatementFacts};
use super::left::Left;
use super::modes::Modes;
use super::shape::shape;
use super::writers::{lacks, left, statement_left, writes};
use crate::sql::common::{
    Judge, MAX_TEXT_BYTES, Memory, NAME_WEIGHT, OVERHEAD, Verdict, Writes, is_memoisable,
    judged_memory, recall,
};

/// A bounded memory of analyses. Clones share it.
#[derive(Clone, Debug)]
pub struct AnalysisMemo([Memory<Analysis>; MODES]);

impl AnalysisMemo {
    /// A memory of at most `capacity_bytes`: half of it for texts read in the default modes.
    pub fn new(capacity_bytes: u64) -> Self {
        let memory = |index: usize| {
            let others = (MODES as u64 - 1) * 2;
            let capacity = capacity_bytes / if index == 0 { 2 } else { others };
            let weigher = |sql: &Arc<str>, analysis: &Arc<Analysis>| {
                u32::try_from(sql.len() + analysis.weight() + OVERHEAD).unwrap_or(u32::MAX)
            };
            let memory = moka::sync::Cache::builder().max_capacity(capacity).weigher(weigher);
            memory.build_with_hasher(RandomState::default())
        };
        Self(std::array::from_fn(memory))
    }

    /// What the text means: remembered, of this text or of another that differs in its constants only, or
    /// found by reading it. In one of another text, [places](super::StatementFacts::text) are those of that.
    pub fn analyse(&self, sql: &str, modes: Modes) -> Arc<Analysis> {
        let analyse = |sql: &str| analyse(sql, modes);
        let memory = self.memory(modes);
        if sql.len() <= MAX_TEXT_BYTES
            && let Some(shape) = shape(sql, modes)
        {
            let analysis = match memory.filter(|_| is_memoisable(&shape)) {
                Some(memory) => recall(memory, &shape, analyse),
                None => Arc::new(analyse(&shape)),
            };
            if !repeats_its_text(&analysis) {
                return analysis;
            }
        }
        match memory.filter(|_| is_memoisable(sql)) {
            Some(memory) => recall(memory, sql, analyse),
            None => Arc::new(analyse(sql)),
        }
    }

    /// What the text means, if it is remembered.
    pub fn known(&self, sql: &str, modes: Modes) -> Option<Arc<Analysis>> {
        let memory = self.memory(modes).filter(|_| is_memoisable(sql))?;
        let by_shape = shape(sql, modes).and_then(|shape| memory.get(shape.as_str()));
        by_shape.filter(|analysis| !repeats_its_text(analysis)).or_else(|| memory.get(sql))
    }

    fn memory(&self, modes: Modes) -> Option<&Memory<Analysis>> {
        self.0.get(index(modes))
    }
}

/// Effects repeat constants, and mentions places.
fn repeats_its_text(analysis: &Analysis) -> bool {
    !analysis.mentions.is_empty() || analysis.effects().next().is_some()
}

/// What a text means to one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// What the text alone says.
    pub analysis: Arc<Analysis>,
    /// Whether its reply may be cached.
    pub verdict: Verdict,
    /// What it changes, with what the catalog knows.
    pub writes: Writes,
    /// It names a function or a table that the catalog does not know: if the origin runs it, the catalog
    /// is old.
    pub lacks: bool,
    /// The fingerprint of the catalog that it was judged by.
    pub judged_by: u64,
    /// What the stored code that it runs leaves in the session.
    pub left: Left,
    /// It does nothing but read.
    is_plain_read: bool,
    holds: Holds,
}

/// With which parameters a verdict holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Always,
    /// A TIME would be turned into a date, for a parameter that is one.
    WithoutDates,
}

/// A bounded memory of what texts mean to the catalogs of all origins. Clones share it.
#[derive(Clone, Debug)]
pub struct Verdicts {
    /// By the number of the classifier, the address of the analysis, which no other can have as long as it is held here,
    /// and the schema.
    known: moka::sync::Cache<Key, Arc<Classified>, RandomState>,
    classifiers: Arc<AtomicU64>,
}

type Key = (u64, usize, Arc<str>);

impl Verdicts {
    /// A memory of at most `capacity_bytes`.
    pub fn new(capacity_bytes: u64) -> Self {
        let weight = |(_number, _address, schema): &Key, classified: &Classified| {
            let names = classified.table_count() * NAME_WEIGHT;
            schema.len() + classified.analysis.weight() + names + OVERHEAD
        };
        Self { known: judged_memory(capacity_bytes, weight), classifiers: Arc::default() }
    }
}

/// What texts mean to one catalog. Clones share it.
///
/// Make a new one with each new catalog: an old verdict must not outlive the DDL that changed it.
#[derive(Clone, Debug)]
pub struct Classifier {
    catalog: Arc<Catalog>,
    /// No other has it.
    number: u64,
    verdicts: Verdicts,
}

impl Judge for Classifier {
    fn fingerprint(&self) -> u64 {
        self.catalog.fingerprint()
    }
}

impl Classifier {
    /// What judges by a catalog, and remembers it there.
    pub fn new(catalog: Arc<Catalog>, verdicts: &Verdicts) -> Self {
        let number = verdicts.classifiers.fetch_add(1, Ordering::Relaxed);
        Self { catalog, number, verdicts: verdicts.clone() }
    }

    /// What the text means, whose analysis is at hand: remembered, or found. `schema` is the session's,
    /// empty when it has none.
    pub fn classify(
        &self,
        sql: &str,
        schema: &Arc<str>,
        analysis: &Arc<Analysis>,
    ) -> Arc<Classified> {
        if !is_memoisable(sql) {
            return Arc::new(self.judge(schema, analysis));
        }
        let key = (self.number, Arc::as_ptr(analysis).addr(), Arc::clone(schema));
        let known = &self.verdicts.known;
        known.get(&key).unwrap_or_else(|| {
            let classified = Arc::new(self.judge(schema, analysis));
            known.insert(key, Arc::clone(&classified));
            classified
        })
    }

    /// What a statement leaves in the session by the stored code that it runs.
    pub fn left(&self, statement: &StatementFacts) -> Left {
        statement_left(statement, &self.catalog)
    }

    /// The catalog that it judges by.
    pub const fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    fn judge(&self, schema: &str, analysis: &Arc<Analysis>) -> Classified {
        let (verdict, minds_dates) = judge(analysis, &self.catalog, schema);
        let writes = writes(analysis, &self.catalog, schema);
        let left = left(analysis, &self.catalog);
        let lacks = lacks(analysis, &self.catalog, schema);
        let is_plain_read = writes == Writes::None
            && !lacks
            && left.effects.is_empty()
            && left.rights == Rights::Kept
            && is_plain_read(analysis, &self.catalog, schema, &verdict);
        Classified {
            analysis: Arc::clone(analysis),
            verdict,
            writes,
            lacks,
            judged_by: self.catalog.fingerprint(),
            left,
            is_plain_read,
            holds: if minds_dates { Holds::WithoutDates } else { Holds::Always },
        }
    }
}

impl Classified {
    /// Whether it surely is one query that does nothing but read, whether or not its reply may be kept.
    pub const fn is_plain_read(&self) -> bool {
        self.is_plain_read
    }

    /// Whether the verdict does not hold where a parameter is a date: a TIME would be turned into one.
    pub const fn minds_dates(&self) -> bool {
        matches!(self.holds, Holds::WithoutDates)
    }

    fn table_count(&self) -> usize {
        self.verdict.table_count() + self.writes.table_count() + self.left.effects.len()
    }
}

fn index(modes: Modes) -> usize {
    usize::from(modes.ansi_quotes) | usize::from(modes.no_backslash_escapes) << 1
}

/// How many combinations of modes there are.
const MODES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_in_constants_are_read_once() {
        let memo = AnalysisMemo::new(1 << 20);
        let analyse = |sql: &str| memo.analyse(sql, Modes::default());
        assert!(Arc::ptr_eq(&analyse("SELECT a = 1"), &analyse("SELECT a = 22")));
        for (one, two) in [
            ("SELECT get_lock('a', 1)", "SELECT get_lock('b', 1)"),
            ("SELECT 1, row_count()", "SELECT 22, row_count()"),
        ] {
            assert_ne!(analyse(one), analyse(two));
            assert!(Arc::ptr_eq(&analyse(one), &analyse(one)));
        }
    }

    #[test]
    fn a_plain_read_takes_no_lock_and_runs_no_code() {
        let memo = AnalysisMemo::new(1 << 20);
        let classifier = Classifier::new(Arc::default(), &Verdicts::new(1 << 20));
        for (sql, is_plain) in [
            ("SELECT 1", true),
            ("SELECT now(), rand(), current_date", true),
            ("SELECT 1 FOR UPDATE", false),
            ("SELECT 1 LOCK IN SHARE MODE", false),
            ("SELECT 1 FOR SHARE SKIP LOCKED", false),
            ("SELECT get_lock('a', 1)", false),
            ("SELECT sleep(1)", false),
            ("SELECT benchmark(1, 1)", false),
            ("SELECT @a", false),
            ("SELECT @a := 1", false),
            ("SELECT 1 INTO @a", false),
            ("SELECT 1 INTO OUTFILE '/tmp/a'", false),
            ("SELECT last_insert_id(1)", false),
            ("SELECT f(1)", false),
            ("SELECT app.now()", false),
            ("SELECT 1 FROM t", false),
            ("SELECT 1; SELECT 2", false),
            ("CALL p()", false),
            ("DO 1", false),
            ("SHOW TABLES", true),
            ("SHOW TABLE STATUS", false),
            ("SELECT NEXT VALUE FOR s", false),
            ("HANDLER t READ FIRST", false),
            ("SELECT /*! SQL_NO_CACHE */ 1", false),
        ] {
            let analysis = memo.analyse(sql, Modes::default());
            let classified = classifier.classify(sql, &"app".into(), &analysis);
            assert_eq!(classified.is_plain_read(), is_plain, "{sql}");
        }
    }

    #[test]
    fn a_text_is_judged_once_per_catalog_and_schema() {
        let memo = AnalysisMemo::new(1 << 20);
        let analysis = memo.analyse("SELECT 1", Modes::default());
        let classifier = Classifier::new(Arc::default(), &Verdicts::new(1 << 20));
        let judged = |schema: &str| classifier.classify("SELECT 1", &schema.into(), &analysis);
        assert!(Arc::ptr_eq(&judged("a"), &judged("a")));
        assert!(!Arc::ptr_eq(&judged("a"), &judged("b")));
    }
}
