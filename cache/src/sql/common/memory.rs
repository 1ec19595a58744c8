//! What both engines remember texts in: bounded maps of analyses and of what they mean to a catalog.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;

/// Texts and their analyses, of whichever engine.
pub(crate) type Memory<A> = moka::sync::Cache<Arc<str>, Arc<A>, RandomState>;

/// The analysis of a text: remembered, or made now.
pub(crate) fn recall<A: Send + Sync + 'static>(
    memory: &Memory<A>,
    sql: &str,
    analyse: impl FnOnce(&str) -> A,
) -> Arc<A> {
    memory.get(sql).unwrap_or_else(|| {
        let analysis = Arc::new(analyse(sql));
        memory.insert(Arc::from(sql), Arc::clone(&analysis));
        analysis
    })
}

/// A memory of what was judged, for whichever engine. What an outdated catalog said is asked for no more.
pub(crate) fn judged_memory<K, C>(
    capacity_bytes: u64,
    weight: impl Fn(&K, &C) -> usize + Send + Sync + 'static,
) -> moka::sync::Cache<K, Arc<C>, RandomState>
where
    K: Hash + Eq + Send + Sync + 'static,
    C: Send + Sync + 'static,
{
    let weigher =
        move |key: &K, judged: &Arc<C>| u32::try_from(weight(key, judged)).unwrap_or(u32::MAX);
    let memory = moka::sync::Cache::builder().max_capacity(capacity_bytes).weigher(weigher);
    memory.time_to_idle(UNUSED).build_with_hasher(RandomState::default())
}

/// Whether a text is short enough to remember. A longer one is likely a bulk write with values in it,
/// never seen again.
pub const fn is_memoisable(sql: &str) -> bool {
    sql.len() <= MAX_MEMO_BYTES
}

/// A longer text is not remembered.
pub(crate) const MAX_MEMO_BYTES: usize = 64 * 1024;

/// What was not asked for this long is forgotten.
const UNUSED: Duration = Duration::from_secs(600);

/// What the map itself needs for an entry, about.
pub(crate) const OVERHEAD: usize = 300;

/// What one table name costs to remember, about.
pub(crate) const NAME_WEIGHT: usize = 80;
