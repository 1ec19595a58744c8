//! What running something may do besides answering.

use std::collections::BTreeSet;

use super::tables::Writes;

/// What a statement may do, or code behind it. `P` is the engine's reason to pin a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deeds<P> {
    /// What it may change.
    pub writes: Writes,
    /// Why its session must keep its backend afterwards.
    pub pins: BTreeSet<P>,
    /// Part of it cannot be seen: it may leave anything behind on the backend.
    pub is_opaque: bool,
    /// It asks what its session drew from sequences last (`currval`, `lastval`).
    pub asks_sequences: bool,
}

impl<P> Default for Deeds<P> {
    fn default() -> Self {
        Self {
            writes: Writes::None,
            pins: BTreeSet::new(),
            is_opaque: false,
            asks_sequences: false,
        }
    }
}

impl<P: Copy + Ord> Deeds<P> {
    /// What cannot be seen may do anything.
    pub fn opaque() -> Self {
        Self { is_opaque: true, ..Self::everything() }
    }

    /// It may change anything, but leaves nothing behind on the backend.
    pub(crate) fn everything() -> Self {
        Self::of(Writes::Everything)
    }

    pub(crate) fn of(writes: Writes) -> Self {
        Self { writes, ..Self::default() }
    }

    /// Whether it does nothing but answer.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what another does. True when that is more than it was.
    pub(crate) fn absorb(&mut self, other: &Self) -> bool {
        let before = self.extent();
        if self.writes != other.writes {
            self.writes.merge(other.writes.clone());
        }
        if self.writes.table_count() > MAX_TABLES {
            self.writes = Writes::Everything;
        }
        self.pins.extend(&other.pins);
        self.is_opaque |= other.is_opaque;
        self.asks_sequences |= other.asks_sequences;
        self.extent() != before
    }

    /// How much it is: it only grows.
    fn extent(&self) -> (usize, usize, bool, bool) {
        (self.size(), self.pins.len(), self.is_opaque, self.asks_sequences)
    }

    /// How much it writes: it only grows.
    fn size(&self) -> usize {
        match &self.writes {
            Writes::Everything => usize::MAX,
            writes => writes.table_count(),
        }
    }
}

/// Code that writes more tables than this writes everything.
const MAX_TABLES: usize = 64;

#[cfg(test)]
mod tests {
    use super::super::tables::TableName;
    use super::*;

    #[test]
    fn deeds_only_grow_and_many_tables_are_all() {
        let one = Deeds::<u8>::of(Writes::table(TableName::bare("a")));
        let mut deeds = Deeds::default();
        assert!(deeds.is_none() && deeds.absorb(&one) && !deeds.absorb(&one));
        assert_eq!(deeds, one);
        for number in 0..MAX_TABLES {
            let name = TableName::bare(&number.to_string());
            assert!(deeds.absorb(&Deeds::of(Writes::table(name))));
        }
        assert_eq!(deeds, Deeds::everything());
        assert!(deeds.absorb(&Deeds::opaque()) && deeds.is_opaque);
    }
}
