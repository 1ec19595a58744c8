//! Write generations: how the cache knows that a reply is older than a write.
//!
//! Every table has a generation, and so has every scope (origin) as a whole. A write raises the
//! generation of its tables; a reply carries the generations of the tables it read, taken **before**
//! its query was sent, and is worthless as soon as one of them has moved. This closes the race
//! between a fill and a write, which no timestamp can close.
//!
//! Memory is bounded: generations live in a fixed array indexed by a hash of scope and table, so two
//! tables may share a slot. Sharing invalidates too much, never too little. Nothing here knows who
//! writes; [`crate::sql`] finds that in the statement.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sql::{TableName, Writes};

/// The generations of every table of every scope.
#[derive(Debug)]
pub(crate) struct Generations {
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

/// The generations that some tables had at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamps(Box<[(usize, u64)]>);

impl Generations {
    pub(crate) fn new() -> Self {
        Self::with_slots(SLOTS)
    }

    fn with_slots(slots: usize) -> Self {
        let slots = (0..slots.max(1)).map(|_| AtomicU64::new(0)).collect();
        Self { slots, hasher: RandomState::new() }
    }

    /// The present generations of the scope and of each table.
    pub(crate) fn stamp(&self, scope: &str, tables: &[TableName]) -> Stamps {
        let slots = self.slots_of(scope, tables);
        Stamps(slots.map(|slot| (slot, self.generation(slot))).collect())
    }

    /// Whether stamping these tables now would give the same stamps. It allocates nothing, for every
    /// hit asks this.
    pub(crate) fn are_present(&self, stamps: &Stamps, scope: &str, tables: &[TableName]) -> bool {
        let present = self.slots_of(scope, tables).map(|slot| (slot, self.generation(slot)));
        present.eq(stamps.0.iter().copied())
    }

    /// Whether nothing was written since the stamps were taken.
    pub(crate) fn is_current(&self, stamps: &Stamps) -> bool {
        stamps.0.iter().all(|&(slot, generation)| self.generation(slot) == generation)
    }

    /// Raises the generations of what was written.
    pub(crate) fn raise(&self, scope: &str, writes: &Writes) {
        match writes {
            Writes::None => {}
            Writes::Tables(tables) => {
                tables.iter().for_each(|table| self.bump(self.table_slot(scope, table)));
            }
            Writes::Everything => self.bump(self.scope_slot(scope)),
        }
    }

    /// The slot of the scope as a whole, then those of the tables.
    fn slots_of(&self, scope: &str, tables: &[TableName]) -> impl Iterator<Item = usize> {
        let tables = tables.iter().map(move |table| self.table_slot(scope, table));
        std::iter::once(self.scope_slot(scope)).chain(tables)
    }

    fn generation(&self, slot: usize) -> u64 {
        // A slot is always below the length: `slot` takes the remainder.
        self.slots.get(slot).map_or(0, |generation| generation.load(Ordering::SeqCst))
    }

    fn bump(&self, slot: usize) {
        if let Some(generation) = self.slots.get(slot) {
            generation.fetch_add(1, Ordering::SeqCst);
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

/// Half a megabyte of generations. Two of a thousand tables share a slot about seven times.
const SLOTS: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(names: &[&str]) -> Vec<TableName> {
        names.iter().map(|name| TableName::bare(name)).collect()
    }

    #[test]
    fn a_write_moves_the_stamps_of_its_own_tables_only() {
        let generations = Generations::new();
        let (a, b) =
            (generations.stamp("s", &tables(&["a"])), generations.stamp("s", &tables(&["b"])));
        generations.raise("s", &Writes::Tables(tables(&["a"])));
        assert!(!generations.is_current(&a));
        assert!(generations.is_current(&b));
    }

    #[test]
    fn a_write_to_everything_moves_the_stamps_of_its_scope_only() {
        let generations = Generations::new();
        let (mine, other) = (generations.stamp("s", &[]), generations.stamp("t", &[]));
        generations.raise("s", &Writes::Everything);
        assert!(!generations.is_current(&mine));
        assert!(generations.is_current(&other));
    }

    #[test]
    fn the_schema_of_a_written_table_does_not_matter() {
        let generations = Generations::new();
        let read = generations.stamp("s", &tables(&["a"]));
        let written = TableName { schema: Some("public".to_owned()), name: "a".to_owned() };
        generations.raise("s", &Writes::Tables(vec![written]));
        assert!(!generations.is_current(&read));
    }

    #[test]
    fn stamps_are_present_only_for_the_same_tables_and_generations() {
        let generations = Generations::new();
        let stamps = generations.stamp("s", &tables(&["a"]));
        assert!(generations.are_present(&stamps, "s", &tables(&["a"])));
        assert!(!generations.are_present(&stamps, "s", &tables(&["a", "b"])));
        assert!(!generations.are_present(&stamps, "t", &tables(&["a"])));
        generations.raise("s", &Writes::Everything);
        assert!(!generations.are_present(&stamps, "s", &tables(&["a"])));
    }

    #[test]
    fn tables_that_share_a_slot_are_invalidated_together() {
        let generations = Generations::with_slots(1);
        let read = generations.stamp("s", &tables(&["a"]));
        generations.raise("s", &Writes::Tables(tables(&["b"])));
        assert!(!generations.is_current(&read));
    }
}
