//! When the next transaction is due: at once (closed loop), or on a schedule (open loop).
//!
//! In the closed loop a client asks again when it has its answer, so that a target that stalls is asked less while it
//! stalls, and most of the stall is never measured: the "coordinated omission". In the open loop transactions arrive
//! on a schedule that the target cannot slow down; whichever client is free takes the next, and its latency counts
//! from when it was due.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    time::{Instant, sleep_until},
};

/// The pace of all clients of one round, from its begin to its end.
#[derive(Debug)]
pub struct Pace {
    begin: Instant,
    end: Instant,
    arrivals: Option<Arrivals>,
}

#[derive(Debug)]
struct Arrivals {
    every: Duration,
    /// One permit for each arrival that is due and not taken; closed at the end.
    due: Semaphore,
    released: AtomicU64,
    taken: AtomicU64,
}

impl Pace {
    /// Each client asks again as soon as it can.
    #[must_use]
    pub fn closed(begin: Instant, lasts: Duration) -> Self {
        Self { begin, end: begin + lasts, arrivals: None }
    }

    /// One arrival `every` so long.
    #[must_use]
    pub fn open(begin: Instant, lasts: Duration, every: Duration) -> Self {
        let arrivals = Arrivals {
            every,
            due: Semaphore::new(0),
            released: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        };
        Self { arrivals: Some(arrivals), ..Self::closed(begin, lasts) }
    }

    /// When the round began.
    #[must_use]
    pub const fn begin(&self) -> Instant {
        self.begin
    }

    /// When nothing more is begun.
    #[must_use]
    pub const fn end(&self) -> Instant {
        self.end
    }

    /// Waits for the next transaction, and says when it was due; `None` at the end.
    ///
    /// # Cancel safety
    ///
    /// An arrival that was being waited for is left to the others.
    pub async fn next(&self) -> Option<Instant> {
        let Some(arrivals) = &self.arrivals else {
            let now = Instant::now();
            return (now < self.end).then_some(now);
        };
        arrivals.due.acquire().await.ok()?.forget();
        let due = self.due_at(arrivals, arrivals.taken.fetch_add(1, Ordering::Relaxed));
        // Only in virtual time is an arrival released before it is due.
        if Instant::now() < due {
            sleep_until(due).await;
        }
        Some(due)
    }

    /// Releases each arrival when it is due, and closes when the last has been taken, or shortly after the end.
    /// Blocks its thread meanwhile: tokio's timers are too coarse for this, a millisecond.
    pub fn keep(&self) {
        let Some(arrivals) = &self.arrivals else { return };
        loop {
            let now = Instant::now();
            let next = self.release(arrivals, now.min(self.end));
            if now >= self.end {
                break;
            }
            thread::sleep(next.min(self.end).saturating_duration_since(now));
        }
        // Whoever is free takes the last ones at once; a target that is behind gets no more time than this.
        while arrivals.due.available_permits() > 0 && Instant::now() < self.end + GRACE {
            thread::sleep(Duration::from_millis(1));
        }
        // A permit that has been handed over may still be on its way to its client.
        thread::sleep(Duration::from_millis(1));
        arrivals.due.close();
    }

    /// When those were due that no client was free for before the end.
    pub fn left_over(&self) -> impl Iterator<Item = Instant> + '_ {
        self.arrivals.iter().flat_map(|arrivals| {
            let range =
                arrivals.taken.load(Ordering::Relaxed)..arrivals.released.load(Ordering::Relaxed);
            range.map(|arrival| self.due_at(arrivals, arrival))
        })
    }

    /// Releases what is due before `until`, and says when the next will be.
    fn release(&self, arrivals: &Arrivals, until: Instant) -> Instant {
        let mut released = arrivals.released.load(Ordering::Relaxed);
        let mut due = self.due_at(arrivals, released);
        while due < until {
            arrivals.due.add_permits(1);
            released += 1;
            due = self.due_at(arrivals, released);
        }
        arrivals.released.store(released, Ordering::Relaxed);
        due
    }

    fn due_at(&self, arrivals: &Arrivals, arrival: u64) -> Instant {
        let nanos = u128::from(arrival) * arrivals.every.as_nanos();
        let after = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.begin.checked_add(after).unwrap_or(self.end)
    }
}

const GRACE: Duration = Duration::from_millis(100);

#[cfg(test)]
impl Pace {
    /// For virtual time: all arrivals are released now, and each still waits until it is due.
    pub(crate) fn release_all(&self) {
        if let Some(arrivals) = &self.arrivals {
            self.release(arrivals, self.end);
        }
    }

    /// For virtual time: the end.
    pub(crate) async fn close_at_end(&self) {
        sleep_until(self.end).await;
        if let Some(arrivals) = &self.arrivals {
            arrivals.due.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MILLI: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn arrivals_do_not_wait_for_clients() {
        let begin = Instant::now();
        let pace = Pace::open(begin, SECOND, 10 * MILLI);
        pace.release_all();
        assert_eq!(pace.next().await, Some(begin));
        assert_eq!(pace.next().await, Some(begin + 10 * MILLI));
        assert_eq!(begin.elapsed(), 10 * MILLI, "it waited until then");
        tokio::time::advance(500 * MILLI).await;
        assert_eq!(pace.next().await, Some(begin + 20 * MILLI), "it was due long ago");
        assert_eq!(begin.elapsed(), 510 * MILLI, "it did not wait");
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_was_free_for_is_left_over() {
        let begin = Instant::now();
        let pace = Pace::open(begin, SECOND, 100 * MILLI);
        pace.release_all();
        for _ in 0..7 {
            pace.next().await;
        }
        pace.close_at_end().await;
        assert_eq!(pace.next().await, None);
        let left: Vec<_> = pace.left_over().map(|due| due - begin).collect();
        assert_eq!(left, [700 * MILLI, 800 * MILLI, 900 * MILLI]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_closed_loop_is_due_at_once_until_the_end() {
        let pace = Pace::closed(Instant::now(), SECOND);
        tokio::time::advance(999 * MILLI).await;
        assert_eq!(pace.next().await, Some(Instant::now()));
        tokio::time::advance(MILLI).await;
        assert_eq!(pace.next().await, None);
        assert_eq!(pace.left_over().count(), 0);
    }
}
