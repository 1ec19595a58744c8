//! Counters of one database that differ in a word only.

use std::{
    collections::BTreeMap,
    hash::Hash,
    sync::atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use prometheus_client::metrics::{counter::Counter, family::Family};

/// The counters of one database that differ in a word. They move seldom, so that they are looked up.
#[derive(Debug)]
pub(super) struct Words<L> {
    family: Family<L, Counter>,
    labels: fn(&str, &'static str) -> L,
    counters: Mutex<BTreeMap<&'static str, Counter>>,
    /// Written and read while `counters` is locked.
    is_forgotten: AtomicBool,
}

impl<L: Clone + Hash + Eq> Words<L> {
    pub(super) fn new(family: &Family<L, Counter>, labels: fn(&str, &'static str) -> L) -> Self {
        Self {
            family: family.clone(),
            labels,
            counters: Mutex::default(),
            is_forgotten: AtomicBool::new(false),
        }
    }

    /// The counter of a word, which is shown from now on, unless they were forgotten.
    pub(super) fn get(&self, database: &str, word: &'static str) -> Counter {
        let mut counters = self.counters.lock();
        let made = || match self.is_forgotten.load(Ordering::Relaxed) {
            false => self.family.get_or_create_owned(&(self.labels)(database, word)),
            true => Counter::default(),
        };
        counters.entry(word).or_insert_with(made).clone()
    }

    /// Each word with its count, where that is not zero.
    pub(super) fn counts(&self) -> Vec<(&'static str, u64)> {
        let counters = self.counters.lock();
        let counts = counters.iter().map(|(word, counter)| (*word, counter.get()));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Shows none of them any more; they count on for who has them.
    pub(super) fn forget(&self, database: &str) {
        let counters = self.counters.lock();
        self.is_forgotten.store(true, Ordering::Relaxed);
        for word in counters.keys() {
            self.family.remove(&(self.labels)(database, word));
        }
    }
}
