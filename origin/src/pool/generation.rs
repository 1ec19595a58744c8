//! What connections begin with, and whether they all begin alike.
//!
//! A client is lent one connection after the other, and must not see that they are several. What a session begins with,
//! though, can be changed at the origin while connections live: `ALTER ROLE … SET`, `SET GLOBAL`, a failover. So those that
//! begin alike are a *generation*, and those of an older one are not lent again.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// Where a name leads to servers that differ, connections begin otherwise again and again: they are not all closed each
/// time.
const SETTLE: Duration = Duration::from_secs(5);

/// The generation of connections that are opened now. `V` is what they begin with.
pub struct Generations<V> {
    known: Mutex<Known<V>>,
    number: AtomicU64,
    changed: Box<dyn Fn() + Send + Sync>,
}

struct Known<V> {
    values: Option<V>,
    changed_at: Option<Instant>,
    /// Which began when [`Generations::outdate`] was called last.
    outdated: u64,
}

impl<V: PartialEq> Generations<V> {
    /// None yet. `changed` is called with each new one but the first.
    pub fn new(changed: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            known: Mutex::new(Known { values: None, changed_at: None, outdated: 0 }),
            number: AtomicU64::new(0),
            changed: Box::new(changed),
        }
    }

    /// The generation of a connection that has just begun with these values. If they are others than those of the last,
    /// it begins a new one. `since` is the [number](Self::number) when it was dialled: `None` if what it began with has
    /// been outdated meanwhile, so that it must be opened again.
    pub fn of(&self, values: V, since: u64) -> Option<u64> {
        let mut known = self.known.lock();
        if since < known.outdated {
            return None;
        }
        match &known.values {
            None => known.values = Some(values),
            Some(last) if *last == values => {}
            Some(_) if known.changed_at.is_some_and(|at| at.elapsed() < SETTLE) => {}
            Some(_) => {
                known.values = Some(values);
                self.begin(&mut known);
            }
        }
        Some(self.number())
    }

    /// What is to be known of what connections begin with, if that is known.
    pub fn known<R>(&self, ask: impl FnOnce(&V) -> Option<R>) -> Option<R> {
        self.known.lock().values.as_ref().and_then(ask)
    }

    /// What connections begin with has changed, to what is not known.
    pub fn outdate(&self) {
        let mut known = self.known.lock();
        known.values = None;
        self.begin(&mut known);
        known.outdated = self.number();
    }

    /// The generation of connections that are opened now.
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    fn begin(&self, known: &mut Known<V>) {
        known.changed_at = Some(Instant::now());
        self.number.fetch_add(1, Ordering::AcqRel);
        (self.changed)();
    }
}

/// The connections that began alike.
#[derive(Debug)]
pub struct Generation<V> {
    number: u64,
    all: Arc<Generations<V>>,
}

impl<V: PartialEq> Generation<V> {
    /// As [`Generations::of`].
    pub fn of(beginning: V, since: u64, all: &Arc<Generations<V>>) -> Option<Self> {
        Some(Self { number: all.of(beginning, since)?, all: Arc::clone(all) })
    }

    /// Which it is.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether connections that are opened now begin so.
    pub fn is_present(&self) -> bool {
        self.number == self.all.number()
    }
}

impl<V> fmt::Debug for Generations<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generations").field("number", &self.number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    /// FAULTS rows 15 and 19c: connections that begin otherwise are a new generation.
    #[tokio::test(start_paused = true)]
    async fn a_generation_ends_when_a_connection_begins_otherwise() {
        let changes = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&changes);
        let generations = Generations::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let of = |values| generations.of(values, 0);
        assert_eq!((of("a"), of("a")), (Some(0), Some(0)));
        assert_eq!((of("b"), generations.number()), (Some(1), 1));
        assert_eq!(of("a"), Some(1), "two servers behind a name do not close all each time");
        tokio::time::advance(SETTLE).await;
        assert_eq!(of("a"), Some(2));
        generations.outdate();
        assert_eq!((generations.number(), of("a")), (3, None), "it was dialled before");
        let of = |values| generations.of(values, 3);
        assert_eq!((of("c"), of("c")), (Some(3), Some(3)));
        assert_eq!(changes.load(Ordering::Relaxed), 3);
    }
}
