//! Write generations: how the cache knows that a reply is older than a write.
//!
//! Every table has a generation, and so has every scope (origin) as a whole. A write raises the
//! generation of its tables; a reply carries the generations of the tables it read, taken **before**
//! its query was sent, and is worthless as soon as one of them has moved. This closes the race
//! between a fill and a write, which no timestamp can close.
//!
//! Between the moment at which a write can be seen at the origin and the moment at which its reply
//! arrives here, one reader may see it and another may not. So a table also knows how many writes of it
//! are under way: as long as there is one, no reply that reads the table is served or kept, and nobody
//! goes back in time.
//!
//! Memory is bounded: generations live in a fixed array indexed by a hash of scope and table, so two
//! tables may share a slot. Sharing invalidates too much, never too little. Nothing here knows who
//! writes; [`crate::sql`] finds that in the statement.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sql::{TableName, Writes};

/// The generations of every table of every scope.
#[derive(Debug)]
pub(crate) struct Generations {
    slots: Box<[Slot]>,
    hasher: foldhash::fast::RandomState,
}

/// What is known of the writes to one table, or to all tables of one scope at once.
#[derive(Debug, Default)]
struct Slot {
    generation: AtomicU64,
    under_way: AtomicU64,
}

/// The generations that some tables had at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamps(Box<[(usize, u64)]>);

impl Generations {
    pub(crate) fn new() -> Self {
        Self::with_slots(SLOTS)
    }

    fn with_slots(slots: usize) -> Self {
        let slots = (0..slots.max(1)).map(|_| Slot::default()).collect();
        Self { slots, hasher: foldhash::fast::RandomState::default() }
    }

    /// The present generations of the scope and of each table. `None` while one is being written.
    pub(crate) fn stamp(&self, scope: &str, tables: &[TableName]) -> Option<Stamps> {
        let slots = self.slots_of(scope, tables);
        slots.map(|slot| Some((slot, self.settled(slot)?))).collect::<Option<_>>().map(Stamps)
    }

    /// Whether stamping these tables now would give the same stamps. It allocates nothing, for every
    /// hit asks this.
    pub(crate) fn are_present(&self, stamps: &Stamps, scope: &str, tables: &[TableName]) -> bool {
        let present = self.slots_of(scope, tables).map(|slot| (slot, self.settled(slot)));
        present.eq(stamps.0.iter().map(|&(slot, generation)| (slot, Some(generation))))
    }

    /// Whether nothing was written since the stamps were taken, or is being written.
    pub(crate) fn is_current(&self, stamps: &Stamps) -> bool {
        stamps.0.iter().all(|&(slot, generation)| self.settled(slot) == Some(generation))
    }

    /// Begins a write of what is in `writes` and not yet in `slots`, and adds it there.
    pub(crate) fn begin(&self, scope: &str, writes: &Writes, slots: &mut Vec<usize>) {
        for slot in self.slots_written(scope, writes) {
            // In order, for there may be many.
            if let Err(place) = slots.binary_search(&slot) {
                slots.insert(place, slot);
                if let Some(slot) = self.slots.get(slot) {
                    slot.under_way.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
    }

    /// Ends a write: what was read before is outdated.
    pub(crate) fn end(&self, slots: &[usize]) {
        // In this order: who sees no write under way sees its generation.
        slots.iter().for_each(|number| self.bump(*number));
        self.settle(slots);
    }

    /// Ends a write of which nothing came but what has been raised.
    pub(crate) fn settle(&self, slots: &[usize]) {
        for slot in slots.iter().filter_map(|number| self.slots.get(*number)) {
            slot.under_way.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Raises the generations of what was written.
    pub(crate) fn raise(&self, scope: &str, writes: &Writes) {
        self.slots_written(scope, writes).for_each(|slot| self.bump(slot));
    }

    /// Raises all generations of all scopes.
    pub(crate) fn raise_all(&self) {
        (0..self.slots.len()).for_each(|slot| self.bump(slot));
    }

    fn slots_written(&self, scope: &str, writes: &Writes) -> impl Iterator<Item = usize> {
        let (tables, everything) = match writes {
            Writes::None => (&[][..], None),
            Writes::Tables(tables) => (&tables[..], None),
            Writes::Everything => (&[][..], Some(self.scope_slot(scope))),
        };
        tables.iter().map(move |table| self.table_slot(scope, table)).chain(everything)
    }

    /// The slot of the scope as a whole, then those of the tables.
    fn slots_of(&self, scope: &str, tables: &[TableName]) -> impl Iterator<Item = usize> {
        let tables = tables.iter().map(move |table| self.table_slot(scope, table));
        std::iter::once(self.scope_slot(scope)).chain(tables)
    }

    /// The generation of a slot that nobody is writing.
    fn settled(&self, slot: usize) -> Option<u64> {
        // A slot is always below the length: `slot` takes the remainder.
        let slot = self.slots.get(slot)?;
        // In this order, against that of `end`.
        let is_settled = slot.under_way.load(Ordering::SeqCst) == 0;
        is_settled.then(|| slot.generation.load(Ordering::SeqCst))
    }

    fn bump(&self, slot: usize) {
        if let Some(slot) = self.slots.get(slot) {
            slot.generation.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn scope_slot(&self, scope: &str) -> usize {
        self.slot((0_u8, scope, ""))
    }

    /// By the bare name: which schema a bare name means depends on a search_path, and a write must
    /// never miss a reader because the two spelled the same table differently.
    fn table_slot(&self, scope: &str, table: &TableName) -> usize {
        self.slot((1_u8, scope, table.name.as_str()))
    }

    fn slot(&self, name: (u8, &str, &str)) -> usize {
        let slots = self.slots.len() as u64;
        usize::try_from(self.hasher.hash_one(name) % slots).unwrap_or_default()
    }
}

/// A megabyte of generations and counts. Two of a thousand tables share a slot about seven times.
const SLOTS: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(names: &[&str]) -> Vec<TableName> {
        names.iter().map(|name| TableName::bare(name)).collect()
    }

    fn stamp(generations: &Generations, scope: &str, names: &[&str]) -> Stamps {
        generations.stamp(scope, &tables(names)).unwrap()
    }

    #[test]
    fn while_a_table_is_written_nothing_that_reads_it_is_current() {
        let generations = Generations::new();
        let (a, b) = (stamp(&generations, "s", &["a"]), stamp(&generations, "s", &["b"]));
        let (mut one, mut two) = (Vec::new(), Vec::new());
        let writes = Writes::Tables(tables(&["a", "a"]));
        generations.begin("s", &writes, &mut one);
        generations.begin("s", &writes, &mut one);
        generations.begin("s", &writes, &mut two);
        assert!(!generations.is_current(&a) && generations.is_current(&b));
        assert!(!generations.are_present(&a, "s", &tables(&["a"])));
        assert_eq!(generations.stamp("s", &tables(&["b", "a"])), None);
        generations.end(&one);
        assert_eq!(generations.stamp("s", &tables(&["a"])), None, "the other goes on");
        generations.end(&two);
        assert!(!generations.is_current(&a), "what was read before is outdated");
        assert_ne!(stamp(&generations, "s", &["a"]), a);
    }

    /// FAULTS §4: a statement that never ran.
    #[test]
    fn a_write_that_came_to_nothing_outdates_nothing() {
        let generations = Generations::new();
        let read = stamp(&generations, "s", &["a"]);
        let mut slots = Vec::new();
        generations.begin("s", &Writes::Everything, &mut slots);
        assert!(!generations.is_current(&read), "until it is known");
        generations.settle(&slots);
        assert!(generations.is_current(&read));
        let mut again = Vec::new();
        generations.begin("s", &Writes::Everything, &mut again);
        generations.raise("s", &Writes::Tables(tables(&["a"])));
        generations.settle(&again);
        assert!(!generations.is_current(&read), "what was raised stays so");
    }

    #[test]
    fn a_write_moves_the_stamps_of_its_own_tables_only() {
        let generations = Generations::new();
        let (a, b) = (stamp(&generations, "s", &["a"]), stamp(&generations, "s", &["b"]));
        generations.raise("s", &Writes::Tables(tables(&["a"])));
        assert!(!generations.is_current(&a));
        assert!(generations.is_current(&b));
    }

    #[test]
    fn a_write_to_everything_moves_the_stamps_of_its_scope_only() {
        let generations = Generations::new();
        let (mine, other) = (stamp(&generations, "s", &[]), stamp(&generations, "t", &[]));
        generations.raise("s", &Writes::Everything);
        assert!(!generations.is_current(&mine));
        assert!(generations.is_current(&other));
        generations.raise_all();
        assert!(!generations.is_current(&other), "nothing at all is");
    }

    #[test]
    fn the_schema_of_a_written_table_does_not_matter() {
        let generations = Generations::new();
        let read = stamp(&generations, "s", &["a"]);
        let written = TableName { schema: Some("public".to_owned()), name: "a".to_owned() };
        generations.raise("s", &Writes::Tables(vec![written]));
        assert!(!generations.is_current(&read));
    }

    #[test]
    fn stamps_are_present_only_for_the_same_tables_and_generations() {
        let generations = Generations::new();
        let stamps = stamp(&generations, "s", &["a"]);
        assert!(generations.are_present(&stamps, "s", &tables(&["a"])));
        assert!(!generations.are_present(&stamps, "s", &tables(&["a", "b"])));
        assert!(!generations.are_present(&stamps, "t", &tables(&["a"])));
        generations.raise("s", &Writes::Everything);
        assert!(!generations.are_present(&stamps, "s", &tables(&["a"])));
    }

    #[test]
    fn tables_that_share_a_slot_are_invalidated_together() {
        let generations = Generations::with_slots(1);
        let read = stamp(&generations, "s", &["a"]);
        generations.raise("s", &Writes::Tables(tables(&["b"])));
        assert!(!generations.is_current(&read));
    }
}
