//! Remembers what a text means, since applications send the same texts again and again.
//!
//! As for PostgreSQL, but that a text's meaning also depends on the modes it is read in, and on the
//! session's schema.

use std::sync::Arc;

use super::super::classify::Verdict;
use super::super::memo::{NAME_WEIGHT, OVERHEAD, is_memoisable};
use super::super::tables::Writes;
use super::analyse::analyse;
use super::catalog::Catalog;
use super::classify::{classify, writes};
use super::facts::{Analysis, Modes};

/// A bounded memory of analyses. Clones share it.
#[derive(Clone, Debug)]
pub struct AnalysisMemo([moka::sync::Cache<Arc<str>, Arc<Analysis>>; MODES]);

impl AnalysisMemo {
    /// A memory of at most `capacity_bytes` for texts read in the default modes, and of a quarter of
    /// that for those of each other combination.
    pub fn new(capacity_bytes: u64) -> Self {
        let memory = |index: usize| {
            let capacity = if index == 0 { capacity_bytes } else { capacity_bytes / 4 };
            let weigher = |sql: &Arc<str>, analysis: &Arc<Analysis>| {
                u32::try_from(sql.len() + analysis.weight() + OVERHEAD).unwrap_or(u32::MAX)
            };
            moka::sync::Cache::builder().max_capacity(capacity).weigher(weigher).build()
        };
        Self(std::array::from_fn(memory))
    }

    /// What the text means: remembered, or found by reading it.
    pub fn analyse(&self, sql: &str, modes: Modes) -> Arc<Analysis> {
        let known = self.0.get(index(modes)).filter(|_| is_memoisable(sql));
        let Some(known) = known else { return Arc::new(analyse(sql, modes)) };
        known.get(sql).unwrap_or_else(|| {
            let analysis = Arc::new(analyse(sql, modes));
            known.insert(Arc::from(sql), Arc::clone(&analysis));
            analysis
        })
    }
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
}

/// A bounded memory of what texts mean to one catalog. Clones share it.
///
/// Make a new one with each new catalog: an old verdict must not outlive the DDL that changed it.
#[derive(Clone, Debug)]
pub struct Classifier {
    catalog: Arc<Catalog>,
    known: moka::sync::Cache<Arc<[u8]>, Arc<Classified>>,
}

impl Classifier {
    /// A memory of at most `capacity_bytes`.
    pub fn new(catalog: Arc<Catalog>, capacity_bytes: u64) -> Self {
        let weigher = |key: &Arc<[u8]>, classified: &Arc<Classified>| {
            let names = classified.table_count() * NAME_WEIGHT;
            u32::try_from(key.len() + names + OVERHEAD).unwrap_or(u32::MAX)
        };
        let known =
            moka::sync::Cache::builder().max_capacity(capacity_bytes).weigher(weigher).build();
        Self { catalog, known }
    }

    /// What the text means, whose analysis in these modes is at hand: remembered, or found. `schema` is
    /// the session's, empty when it has none.
    pub fn classify(
        &self,
        sql: &str,
        modes: Modes,
        schema: &str,
        analysis: &Arc<Analysis>,
    ) -> Arc<Classified> {
        if !is_memoisable(sql) {
            return Arc::new(self.judge(schema, analysis));
        }
        let key = key(sql, modes, schema);
        self.known.get(&key).unwrap_or_else(|| {
            let classified = Arc::new(self.judge(schema, analysis));
            self.known.insert(key, Arc::clone(&classified));
            classified
        })
    }

    /// The catalog that it judges by.
    pub const fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    fn judge(&self, schema: &str, analysis: &Arc<Analysis>) -> Classified {
        let verdict = classify(analysis, &self.catalog, schema);
        let writes = writes(analysis, &self.catalog, schema);
        Classified { analysis: Arc::clone(analysis), verdict, writes }
    }
}

impl Classified {
    fn table_count(&self) -> usize {
        self.verdict.table_count() + self.writes.table_count()
    }
}

/// The modes, then the schema, a byte that is in neither, and the text.
fn key(sql: &str, modes: Modes, schema: &str) -> Arc<[u8]> {
    let mut key = Vec::with_capacity(sql.len() + schema.len() + 2);
    key.push(u8::try_from(index(modes)).unwrap_or_default());
    key.extend_from_slice(schema.as_bytes());
    key.push(NEVER_IN_UTF8);
    key.extend_from_slice(sql.as_bytes());
    key.into()
}

fn index(modes: Modes) -> usize {
    usize::from(modes.ansi_quotes) | usize::from(modes.no_backslash_escapes) << 1
}

/// How many combinations of modes there are.
const MODES: usize = 4;

const NEVER_IN_UTF8: u8 = 0xFF;
