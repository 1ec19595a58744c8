//! What was counted in a while, by one proxy or by several, of one config or of an account's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::latency;
use crate::nodes::activity::{Latencies, Minute};

/// Cache statuses: there are fourteen.
const STATUSES_MAX: usize = 32;
/// Kinds of errors; those of which there is no room for count as `other` of their layer.
const ERRORS_MAX: usize = 64;
const WORD_MAX: usize = 48;

/// What was counted in a while.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Sums {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) queries: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) cached: Latencies,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) uncached: Latencies,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) round_trips_saved: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) transaction_reads: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) query_bytes: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) result_bytes: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) in_use: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) waiting: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) max_connections: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) errors: BTreeMap<String, u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Sums {
    /// What a proxy tells, as far as it makes sense.
    pub(super) fn of(minute: &Minute) -> Self {
        let told = Self {
            queries: minute.queries.clone(),
            cached: minute.cached.clone(),
            uncached: minute.uncached.clone(),
            round_trips_saved: minute.round_trips_saved,
            transaction_reads: minute.transaction_reads,
            query_bytes: minute.query_bytes,
            result_bytes: minute.result_bytes,
            in_use: minute.in_use,
            waiting: minute.waiting,
            max_connections: minute.max_connections,
            errors: minute.errors.clone(),
        };
        let mut sums = Self::default();
        sums.add_beside(&told);
        sums
    }

    /// As it was written; nothing where that cannot be read.
    pub(super) fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    pub(super) fn written(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Adds what was counted at the same time elsewhere: connections stand beside each other.
    pub(super) fn add_beside(&mut self, other: &Self) {
        self.add_counts(other);
        self.in_use = self.in_use.saturating_add(other.in_use);
        self.waiting = self.waiting.saturating_add(other.waiting);
        self.max_connections = self.max_connections.saturating_add(other.max_connections);
    }

    /// Adds what was counted at another time: of connections the most counts.
    pub(super) fn add_after(&mut self, other: &Self) {
        self.add_counts(other);
        self.in_use = self.in_use.max(other.in_use);
        self.waiting = self.waiting.max(other.waiting);
        self.max_connections = self.max_connections.max(other.max_connections);
    }

    fn add_counts(&mut self, other: &Self) {
        add_words(&mut self.queries, &other.queries, STATUSES_MAX);
        add_words(&mut self.errors, &other.errors, ERRORS_MAX);
        latency::add(&mut self.cached, &other.cached);
        latency::add(&mut self.uncached, &other.uncached);
        for (sum, count) in [
            (&mut self.round_trips_saved, other.round_trips_saved),
            (&mut self.transaction_reads, other.transaction_reads),
            (&mut self.query_bytes, other.query_bytes),
            (&mut self.result_bytes, other.result_bytes),
        ] {
            *sum = sum.saturating_add(count);
        }
    }

    /// How many statements.
    pub(super) fn total(&self) -> u64 {
        self.queries.values().fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// Of the statements that were looked up, how many the cache answered, from 0 to 1; `None` where none was.
    pub(super) fn hit_ratio(&self) -> Option<f64> {
        let of = |status: &str| latency::float(self.queries.get(status).copied().unwrap_or(0));
        let hits = of("hit") + of("stale");
        let looked_up = hits + of("miss");
        (looked_up > 0.0).then(|| (hits / looked_up * 10_000.0).round() / 10_000.0)
    }

    /// What failed in a layer.
    pub(super) fn errors_of(&self, layer: &str) -> u64 {
        let of_it = self.errors.iter().filter(|(kind, _)| layer_of(kind) == layer);
        of_it.fold(0, |sum, (_, &count)| sum.saturating_add(count))
    }
}

fn layer_of(kind: &str) -> &str {
    kind.split(':').next().unwrap_or(kind)
}

fn add_words(to: &mut BTreeMap<String, u64>, counts: &BTreeMap<String, u64>, most: usize) {
    for (word, &count) in counts.iter().filter(|(_, count)| **count > 0) {
        let is_good = word.len() <= WORD_MAX && !word.chars().any(char::is_control);
        let word = if is_good && (to.contains_key(word) || to.len() < most) {
            word.clone()
        } else {
            let layer = layer_of(word);
            let known = ["connect", "statement", "sql"].iter().find(|it| **it == layer);
            known.map_or_else(|| String::from("other"), |layer| format!("{layer}:other"))
        };
        let sum = to.entry(word).or_default();
        *sum = sum.saturating_add(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[(&str, u64)]) -> BTreeMap<String, u64> {
        words.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect()
    }

    #[test]
    fn connections_stand_beside_each_other_and_not_after_each_other() {
        let one = Sums {
            queries: words(&[("hit", 3), ("miss", 1)]),
            uncached: vec![0, 2],
            query_bytes: 10,
            in_use: 4,
            max_connections: 20,
            ..Sums::default()
        };
        let (mut beside, mut after) = (one.clone(), one.clone());
        beside.add_beside(&one);
        after.add_after(&one);
        assert_eq!((beside.in_use, beside.max_connections), (8, 40));
        assert_eq!((after.in_use, after.max_connections), (4, 20));
        for sums in [&beside, &after] {
            assert_eq!((sums.total(), sums.query_bytes, sums.hit_ratio()), (8, 20, Some(0.75)));
            assert_eq!(sums.uncached, [0, 4]);
            assert_eq!(Sums::read(&sums.written()), *sums);
        }
        assert_eq!(Sums::default().written(), "{}");
        assert_eq!(Sums::default().hit_ratio(), None);
    }

    #[test]
    fn words_without_end_are_not_kept() {
        let kinds = (0..100).map(|at| (format!("sql:{at:05}"), 1));
        let minute = Minute {
            queries: words(&[("hit", u64::MAX), (&"x".repeat(49), 1), ("a\nb", 1), ("no", 0)]),
            errors: kinds.chain([(String::from("connect:refused"), 2)]).collect(),
            ..Minute::default()
        };
        let mut sums = Sums::of(&minute);
        assert_eq!(sums.queries, words(&[("hit", u64::MAX), ("other", 2)]));
        assert_eq!(sums.errors.len(), ERRORS_MAX + 1);
        assert_eq!((sums.errors_of("connect"), sums.errors_of("sql")), (2, 100));
        sums.add_after(&sums.clone());
        assert_eq!((sums.total(), sums.errors_of("sql")), (u64::MAX, 200));
    }
}
