//! Remembers what a text means, since applications send the same texts again and again.

use std::sync::Arc;

use super::facts::Analysis;
use super::postgres::analyse;

/// A bounded memory of analyses. Clones share it.
#[derive(Clone, Debug)]
pub struct AnalysisMemo(moka::sync::Cache<Arc<str>, Arc<Analysis>>);

impl AnalysisMemo {
    /// A memory of at most `capacity_bytes`.
    pub fn new(capacity_bytes: u64) -> Self {
        let weigher = |sql: &Arc<str>, analysis: &Arc<Analysis>| {
            u32::try_from(sql.len() + analysis.weight() + OVERHEAD).unwrap_or(u32::MAX)
        };
        Self(moka::sync::Cache::builder().max_capacity(capacity_bytes).weigher(weigher).build())
    }

    /// What the text means: remembered, or found by parsing it.
    pub fn analyse(&self, sql: &str) -> Arc<Analysis> {
        if !is_memoisable(sql) {
            return Arc::new(analyse(sql));
        }
        self.0.get(sql).unwrap_or_else(|| {
            let analysis = Arc::new(analyse(sql));
            self.0.insert(Arc::from(sql), Arc::clone(&analysis));
            analysis
        })
    }
}

/// Whether a text is short enough to remember. A longer one is likely a bulk write with values in it,
/// never seen again.
pub fn is_memoisable(sql: &str) -> bool {
    sql.len() <= MAX_MEMO_BYTES
}

const MAX_MEMO_BYTES: usize = 64 * 1024;

/// What the map itself needs for an entry, about.
const OVERHEAD: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_parsed_once() {
        let memo = AnalysisMemo::new(1 << 20);
        let first = memo.analyse("SELECT 1");
        assert!(Arc::ptr_eq(&first, &memo.analyse("SELECT 1")));
    }

    #[test]
    fn a_long_text_is_not_remembered() {
        let memo = AnalysisMemo::new(1 << 30);
        let sql = format!("SELECT '{}'", "x".repeat(MAX_MEMO_BYTES));
        let first = memo.analyse(&sql);
        assert!(!Arc::ptr_eq(&first, &memo.analyse(&sql)));
    }
}
