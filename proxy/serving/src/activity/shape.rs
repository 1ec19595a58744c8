//! What is counted of the statements of one shape.

use std::{
    ptr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    times::{Times, trimmed},
    told::StatementActivity,
};
use crate::{config::CachingConfig, observe::CacheStatus};

/// What is counted of the statements of one shape: texts that differ in their constants only.
#[derive(Debug)]
pub struct Shape {
    text: Arc<str>,
    queries: [AtomicU64; CacheStatus::ALL.len()],
    errors: AtomicU64,
    cached_micros: AtomicU64,
    uncached: Times,
    saved: AtomicU64,
    /// It was pushed out by others, and is looked for anew.
    is_out: AtomicBool,
    /// What was said last of why it is not cached is known by.
    judged: AtomicUsize,
    why: Mutex<Option<Box<str>>>,
}

/// A statement that the origin was asked.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Its shape.
    pub shape: Arc<Shape>,
    /// What the cache made of it.
    pub status: CacheStatus,
    /// When it came.
    pub at: Instant,
}

impl Counted {
    /// It is something else, as has become clear meanwhile.
    pub fn becomes(&mut self, status: CacheStatus) {
        let counters = &self.shape.queries;
        if let (Some(before), Some(now)) =
            (counters.get(self.status as usize), counters.get(status as usize))
        {
            // So that nobody who adds them up meanwhile finds one less.
            now.fetch_add(1, Ordering::Relaxed);
            before.fetch_sub(1, Ordering::Relaxed);
        }
        self.status = status;
    }
}

impl Shape {
    pub(super) fn new(text: Arc<str>) -> Self {
        Self {
            text,
            queries: Default::default(),
            errors: AtomicU64::default(),
            cached_micros: AtomicU64::default(),
            uncached: Times::default(),
            saved: AtomicU64::default(),
            is_out: AtomicBool::default(),
            judged: AtomicUsize::default(),
            why: Mutex::default(),
        }
    }

    /// The text without its constants.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Counts one statement.
    pub fn count(&self, status: CacheStatus) {
        if let Some(counter) = self.queries.get(status as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One ended in an error.
    pub fn failed(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Its client has the answer after so long.
    pub fn answered(&self, status: CacheStatus, took: Duration) {
        if status.is_cached() {
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            self.cached_micros.fetch_add(micros, Ordering::Relaxed);
            self.saves();
        } else {
            self.uncached.observe(took);
        }
    }

    /// A round trip to the origin was saved.
    pub fn saves(&self) {
        self.saved.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes down why it is not cached, if that is not what was said last: of what is `judged` so, by this config. Of what is
    /// not judged nothing is known yet, unless nothing is cached.
    pub fn is_judged<J>(
        &self,
        judged: Option<&Arc<J>>,
        caching: &CachingConfig,
        why: impl FnOnce() -> Option<String>,
    ) {
        let judged = judged.map_or(0, |judged| Arc::as_ptr(judged).addr());
        let is_known = judged > 0 || caching.disabled;
        let known_by = judged.rotate_left(32) ^ ptr::from_ref(caching).addr();
        if is_known && self.judged.load(Ordering::Relaxed) != known_by {
            *self.why.lock() = why().map(Into::into);
            self.judged.store(known_by, Ordering::Relaxed);
        }
    }

    /// Whether what is counted here is told to nobody any more.
    pub(super) fn is_out(&self) -> bool {
        self.is_out.load(Ordering::Relaxed)
    }

    pub(super) fn put_out(&self) {
        self.is_out.store(true, Ordering::Relaxed);
    }

    /// How many statements there were.
    pub(super) fn total(&self) -> u64 {
        self.queries.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Microseconds that clients waited.
    pub(super) fn micros(&self) -> u64 {
        self.cached_micros.load(Ordering::Relaxed).saturating_add(self.uncached.micros())
    }

    pub(super) fn told(&self) -> StatementActivity {
        let count = |status: CacheStatus| {
            let count = self.queries.get(status as usize)?.load(Ordering::Relaxed);
            (count > 0).then_some((status.word(), count))
        };
        StatementActivity {
            text: Arc::clone(&self.text),
            queries: CacheStatus::ALL.into_iter().filter_map(count).collect(),
            errors: self.errors.load(Ordering::Relaxed),
            cached_micros: self.cached_micros.load(Ordering::Relaxed),
            uncached_micros: self.uncached.micros(),
            uncached: trimmed(&self.uncached.buckets()),
            round_trips_saved: self.saved.load(Ordering::Relaxed),
            why_not_cached: self.why.lock().as_deref().map(ToOwned::to_owned),
        }
    }
}
