//! Counters of one database that differ in a word only.

use std::{collections::BTreeMap, hash::Hash};

use parking_lot::Mutex;
use prometheus_client::metrics::{counter::Counter, family::Family};

/// The counters of one database that differ in a word. They move seldom, so that they are looked up.
#[derive(Debug)]
pub(super) struct Words<L> {
    family: Family<L, Counter>,
    labels: fn(&str, &'static str) -> L,
    counters: Mutex<BTreeMap<&'static str, Counter>>,
}

impl<L: Clone + Hash + Eq> Words<L> {
    pub(super) fn new(family: &Family<L, Counter>, labels: fn(&str, &'static str) -> L) -> Self {
        Self { family: family.clone(), labels, counters: Mutex::default() }
    }

    /// The counter of a word, which is shown from now on.
    pub(super) fn get(&self, database: &str, word: &'static str) -> Counter {
        let mut counters = self.counters.lock();
        let made = || self.family.get_or_create_owned(&(self.labels)(database, word));
        counters.entry(word).or_insert_with(made).clone()
    }

    /// Each word with its count, where that is not zero.
    pub(super) fn counts(&self) -> Vec<(&'static str, u64)> {
        let counters = self.counters.lock();
        let counts = counters.iter().map(|(word, counter)| (*word, counter.get()));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Shows none of them any more.
    pub(super) fn forget(&self, database: &str) {
        for word in self.counters.lock().keys() {
            self.family.remove(&(self.labels)(database, word));
        }
    }
}
