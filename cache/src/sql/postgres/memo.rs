//! Remembers what a text means, since applications send the same texts again and again.
//!
//! [`AnalysisMemo`] holds what the text alone says and lives as long as the process. [`Classifier`]
//! holds what the text means to one catalog, and is thrown away with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;

use super::analyse::analyse;
use super::catalog::Catalog;
use super::classify::{classify, only_reads};
use super::effects::Deeds;
use super::facts::{Analysis, Kind};
use super::shape::shape;
use super::writers;
use crate::sql::common::{
    Judge, MAX_TEXT_BYTES, Memory, NAME_WEIGHT, OVERHEAD, Parse, Verdict, is_memoisable,
    judged_memory, recall,
};

/// A bounded memory of analyses. Clones share it.
#[derive(Clone, Debug)]
pub struct AnalysisMemo(Memory<Analysis>);

impl AnalysisMemo {
    /// A memory of at most `capacity_bytes`.
    pub fn new(capacity_bytes: u64) -> Self {
        let weigher = |sql: &Arc<str>, analysis: &Arc<Analysis>| {
            u32::try_from(sql.len() + analysis.weight() + OVERHEAD).unwrap_or(u32::MAX)
        };
        let memory = moka::sync::Cache::builder().max_capacity(capacity_bytes).weigher(weigher);
        Self(memory.build_with_hasher(RandomState::default()))
    }

    /// What the text means: remembered, of this text or of another that differs in its constants only, or
    /// found by parsing it.
    pub fn analyse(&self, sql: &str) -> Arc<Analysis> {
        match shape(sql).and_then(|shape| self.of_shape(&shape)) {
            Some(analysis) if sql.len() <= MAX_TEXT_BYTES => analysis,
            // What it does is known, but the cache has no place for it.
            Some(analysis) => {
                Arc::new(Analysis { parse: Parse::Oversized, ..Analysis::clone(&analysis) })
            }
            None if is_memoisable(sql) => recall(&self.0, sql, analyse),
            None => Arc::new(analyse(sql)),
        }
    }

    /// What the text means, if it is remembered.
    pub fn known(&self, sql: &str) -> Option<Arc<Analysis>> {
        if !is_memoisable(sql) {
            return None;
        }
        let by_shape = shape(sql).and_then(|shape| self.0.get(shape.as_str()));
        by_shape.filter(|analysis| !is_of_its_text(analysis)).or_else(|| self.0.get(sql))
    }

    /// What the texts of a shape mean, unless each may mean something else.
    fn of_shape(&self, shape: &str) -> Option<Arc<Analysis>> {
        let analysis = match is_memoisable(shape) {
            true => recall(&self.0, shape, analyse),
            false => Arc::new(analyse(shape)),
        };
        (!is_of_its_text(&analysis)).then_some(analysis)
    }
}

/// Effects repeat constants, what a text asks stands at a place in it, and the block of a DO is a constant.
fn is_of_its_text(analysis: &Analysis) -> bool {
    analysis.effects().next().is_some()
        || analysis.asked().next().is_some()
        || analysis.statements.iter().any(|statement| statement.kind == Kind::Code)
}

/// What a text means to one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// What the text alone says.
    pub analysis: Arc<Analysis>,
    /// Whether its reply may be cached.
    pub verdict: Verdict,
    /// What it does besides answering, with what the catalog knows.
    pub deeds: Deeds,
    /// It names a function or a table that the catalog does not know: if the origin runs it, the catalog
    /// is old.
    pub lacks: bool,
    /// It does nothing but read, so that nobody can tell whether its transaction was committed.
    pub only_reads: bool,
}

/// A bounded memory of what texts mean to the catalogs of all origins. Clones share it.
#[derive(Clone, Debug)]
pub struct Verdicts {
    /// By the number of the classifier and the address of the analysis, which no other can have as long as it is held here.
    known: moka::sync::Cache<(u64, usize), Arc<Classified>, RandomState>,
    classifiers: Arc<AtomicU64>,
}

impl Verdicts {
    /// A memory of at most `capacity_bytes`.
    pub fn new(capacity_bytes: u64) -> Self {
        let known = judged_memory(capacity_bytes, |_key, classified: &Classified| {
            let names = classified.table_count() * NAME_WEIGHT;
            classified.analysis.weight() + names + OVERHEAD
        });
        Self { known, classifiers: Arc::default() }
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

    /// What the text means, whose analysis is at hand: remembered, or found.
    pub fn classify(&self, sql: &str, analysis: &Arc<Analysis>) -> Arc<Classified> {
        if !is_memoisable(sql) {
            return Arc::new(self.judge(analysis));
        }
        let key = (self.number, Arc::as_ptr(analysis).addr());
        let known = &self.verdicts.known;
        known.get(&key).unwrap_or_else(|| {
            let classified = Arc::new(self.judge(analysis));
            known.insert(key, Arc::clone(&classified));
            classified
        })
    }

    /// The catalog that it judges by.
    pub const fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    fn judge(&self, analysis: &Arc<Analysis>) -> Classified {
        let verdict = classify(analysis, &self.catalog);
        let (deeds, lacks) = writers::doing(analysis, &self.catalog);
        let is_read = deeds.is_none() && !lacks && only_reads(analysis, &self.catalog);
        Classified { analysis: Arc::clone(analysis), verdict, deeds, lacks, only_reads: is_read }
    }
}

impl Classified {
    fn table_count(&self) -> usize {
        self.verdict.table_count() + self.deeds.writes.table_count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::common::{MAX_MEMO_BYTES, TableName, Writes};

    #[test]
    fn a_text_is_parsed_once() {
        let memo = AnalysisMemo::new(1 << 20);
        let first = memo.analyse("SELECT 1");
        assert!(Arc::ptr_eq(&first, &memo.analyse("SELECT 1")));
    }

    #[test]
    fn texts_that_differ_in_constants_are_parsed_once() {
        let memo = AnalysisMemo::new(1 << 20);
        let analyse = |sql: &str| memo.analyse(sql);
        assert!(Arc::ptr_eq(&analyse("SELECT a = 1"), &analyse("SELECT a = 22")));
        let (one, two) =
            ("SELECT set_config('a.b', '1', false)", "SELECT set_config('a.b', '2', false)");
        assert_ne!(analyse(one), analyse(two));
        assert!(Arc::ptr_eq(&analyse(one), &analyse(one)));
    }

    #[test]
    fn a_long_text_is_remembered_by_its_shape_only() {
        let memo = AnalysisMemo::new(1 << 30);
        let twice = |sql: &str| Arc::ptr_eq(&memo.analyse(sql), &memo.analyse(sql));
        assert!(twice(&format!("SELECT '{}'", "x".repeat(MAX_MEMO_BYTES))));
        assert!(!twice(&format!("SELECT {}", "x".repeat(MAX_MEMO_BYTES))));
    }

    /// FAULTS row 51: however much data it carries.
    #[test]
    fn what_a_statement_of_more_than_a_megabyte_writes_is_known() {
        let memo = AnalysisMemo::new(1 << 20);
        let rows = "(1, 'a'), ".repeat(MAX_TEXT_BYTES / 10);
        let analysis = memo.analyse(&format!("INSERT INTO t VALUES {rows} (2, 'b')"));
        assert_eq!(analysis.parse, Parse::Oversized);
        assert_eq!(analysis.writes(), Writes::table(TableName::bare("t")));
        assert!(!is_of_its_text(&analysis));
        let analysis =
            memo.analyse(&format!("INSERT INTO t VALUES {rows} (set_config('a', 'b', false))"));
        assert_eq!((analysis.writes(), is_of_its_text(&analysis)), (Writes::Everything, true));
    }

    #[test]
    fn only_what_was_analysed_is_known() {
        let memo = AnalysisMemo::new(1 << 20);
        let (first, second) =
            ("SELECT set_config('a.b', '1', false)", "SELECT set_config('a.b', '2', false)");
        assert_eq!(memo.known(first), None);
        memo.analyse(first);
        assert!(memo.known(first).is_some());
        assert_eq!(memo.known(second), None);
        memo.analyse("SELECT 1");
        assert!(memo.known("SELECT 2").is_some());
    }

    #[test]
    fn a_text_is_judged_once_per_catalog() {
        let memo = AnalysisMemo::new(1 << 20);
        let analyse = || memo.analyse("SELECT 1");
        let classifier = Classifier::new(Arc::default(), &Verdicts::new(1 << 20));
        let first = classifier.classify("SELECT 1", &analyse());
        assert!(Arc::ptr_eq(&first, &classifier.classify("SELECT 1", &analyse())));
        let other = Classifier::new(Arc::default(), &Verdicts::new(1 << 20))
            .classify("SELECT 1", &analyse());
        assert!(!Arc::ptr_eq(&first, &other));
        assert!(Arc::ptr_eq(&first.analysis, &other.analysis));
    }
}
