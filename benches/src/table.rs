//! The table that is read and written: its rows, and how one is known to be right.
//!
//! The text of a row follows from its key and its version, so a row that was mixed up, cut short or taken from
//! another answer shows. Versions are given out by this program and only ever grow.

use std::sync::atomic::{AtomicI64, Ordering};

/// Its name.
pub const NAME: &str = "jumpgate_bench";

/// One row as an answer carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key.
    pub id: i32,
    /// Which write made it.
    pub version: i64,
    /// What [`text_of`] says.
    pub text: String,
}

/// The text that belongs to a key and a version.
#[must_use]
pub fn text_of(id: i32, version: i64) -> String {
    let mut bits = (i64::from(id).cast_unsigned() << 40) ^ version.cast_unsigned();
    // SplitMix64: neighbours get texts that share nothing.
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    format!("{id}.{version}.{:016x}", bits ^ (bits >> 31))
}

/// Gives out the versions of one run, to all its clients.
#[derive(Debug)]
pub struct Versions(AtomicI64);

impl Versions {
    /// The first will be the one after `newest`.
    #[must_use]
    pub const fn after(newest: i64) -> Self {
        Self(AtomicI64::new(newest))
    }

    /// One that is larger than all before.
    pub fn next(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// What a target's table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// How many rows.
    pub rows: i64,
    /// The largest version.
    pub newest: i64,
}

/// The statement that [`State`] comes from.
pub const STATE: &str = "SELECT count(*), coalesce(max(version), 0) FROM jumpgate_bench";

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_key_and_version_has_a_text_of_its_own() {
        let texts: HashSet<_> = (1..100)
            .flat_map(|id| (0..100).map(move |version| text_of(id, version)))
            .map(|text| text.rsplit('.').next().unwrap().to_owned())
            .collect();
        assert_eq!(texts.len(), 99 * 100);
        assert!(text_of(i32::MAX, i64::MAX).len() <= 100, "the column holds it");
    }
}
