//! Sums of a minute, kept until somebody has taken them.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::times::{Buckets, trimmed};
use crate::observe::CacheStatus;

/// So many minutes of all databases are kept, the last.
const KEPT_MAX: usize = 100_000;
/// For so many minutes each is kept.
const AGE_MAX: u64 = 60;
/// A clock that was put back by no more minutes is waited for.
const CATCHES_UP: u64 = 10;

/// Where something failed, and why: both of closed sets.
pub(crate) type Failure = (&'static str, &'static str);

/// What was counted of one database in one minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Minute {
    /// Its name.
    pub database: Box<str>,
    /// Its id.
    pub id: Box<str>,
    /// When it began, in minutes since 1970.
    pub minute: u64,
    /// Statements by the word of their cache status, where there were any.
    pub queries: Vec<(&'static str, u64)>,
    /// How long those took that the cache answered, in the buckets of [`BOUNDS`](super::BOUNDS).
    pub cached: Vec<u64>,
    /// How long those took that the origin was asked.
    pub uncached: Vec<u64>,
    /// Round trips to the origin that were saved.
    pub round_trips_saved: u64,
    /// Reads in transactions that the cache would have been asked with `in_transactions`.
    pub transaction_reads: u64,
    /// Bytes of statements.
    pub query_bytes: u64,
    /// Bytes of replies.
    pub result_bytes: u64,
    /// Most connections in use at once, as far as it was looked at.
    pub in_use: u64,
    /// Most clients that waited for one at once.
    pub waiting: u64,
    /// The limit of connections.
    pub max_connections: u64,
    /// What failed: where and why.
    pub errors: Vec<((&'static str, &'static str), u64)>,
}

/// What is counted of a database at one time, since its start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) queries: [u64; CacheStatus::ALL.len()],
    pub(crate) cached: Buckets,
    pub(crate) uncached: Buckets,
    pub(crate) round_trips_saved: u64,
    pub(crate) transaction_reads: u64,
    pub(crate) query_bytes: u64,
    pub(crate) result_bytes: u64,
    pub(crate) max_connections: u64,
    pub(crate) errors: Vec<(Failure, u64)>,
}

/// What was counted before the minute that is not over.
#[derive(Debug, Default)]
pub(crate) struct Since(Counts);

/// The most at once in a minute.
#[derive(Debug, Default)]
pub(crate) struct Peaks {
    in_use: AtomicI64,
    waiting: AtomicI64,
}

impl Peaks {
    /// So many connections are in use.
    pub(crate) fn in_use(&self, count: i64) {
        self.in_use.fetch_max(count, Ordering::Relaxed);
    }

    /// So many clients wait.
    pub(crate) fn waiting(&self, count: i64) {
        self.waiting.fetch_max(count, Ordering::Relaxed);
    }

    /// Both, of a minute that is over.
    fn take(&self) -> [u64; 2] {
        [&self.in_use, &self.waiting]
            .map(|peak| u64::try_from(peak.swap(0, Ordering::Relaxed)).unwrap_or_default())
    }
}

impl Since {
    /// A minute is over, at the end of which all was counted as in `now`. `None` if nobody used the database in it.
    pub(crate) fn end(
        &mut self,
        now: Counts,
        peaks: &Peaks,
        ([database, id], minute): ([&str; 2], u64),
    ) -> Option<Minute> {
        let before = std::mem::replace(&mut self.0, now);
        let now = &self.0;
        let [in_use, waiting] = peaks.take();
        let queries = CacheStatus::ALL.iter().zip(now.queries.iter().zip(before.queries));
        let queries = queries.filter_map(|(status, (now, before))| {
            let count = now.saturating_sub(before);
            (count > 0).then_some((status.word(), count))
        });
        let errors = now.errors.iter().filter_map(|(failure, count)| {
            let before = before.errors.iter().find(|(known, _)| known == failure);
            let count = count.saturating_sub(before.map_or(0, |(_, count)| *count));
            (count > 0).then_some((*failure, count))
        });
        let minute = Minute {
            database: database.into(),
            id: id.into(),
            minute,
            queries: queries.collect(),
            cached: difference(&now.cached, &before.cached),
            uncached: difference(&now.uncached, &before.uncached),
            round_trips_saved: now.round_trips_saved.saturating_sub(before.round_trips_saved),
            transaction_reads: now.transaction_reads.saturating_sub(before.transaction_reads),
            query_bytes: now.query_bytes.saturating_sub(before.query_bytes),
            result_bytes: now.result_bytes.saturating_sub(before.result_bytes),
            in_use,
            waiting,
            max_connections: now.max_connections,
            errors: errors.collect(),
        };
        let is_used = !minute.queries.is_empty()
            || !minute.errors.is_empty()
            || minute.query_bytes + minute.result_bytes + in_use + waiting > 0;
        is_used.then_some(minute)
    }
}

fn difference(now: &Buckets, before: &Buckets) -> Vec<u64> {
    let counts = now.iter().zip(before).map(|(now, before)| now.saturating_sub(*before));
    trimmed(&counts.collect::<Vec<_>>())
}

/// Minutes that are over and that nobody has taken yet. Nothing is kept until somebody asks for them.
#[derive(Debug, Default)]
pub struct Minutes {
    kept: Mutex<Kept>,
    more: Notify,
    /// The one that is not over.
    current: AtomicU64,
}

#[derive(Debug, Default)]
struct Kept {
    is_wanted: bool,
    minutes: VecDeque<Minute>,
    /// How many were there before the first of them.
    gone: u64,
}

/// Says which minutes were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "they are told again unless they are forgotten by it"]
pub struct Taken(u64);

impl Minutes {
    /// At most so many of those that are over, the oldest; waits for the first.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, all are there still.
    pub async fn next(&self, limit: usize) -> (Vec<Minute>, Taken) {
        loop {
            let more = self.more.notified();
            {
                let mut kept = self.kept.lock();
                kept.is_wanted = true;
                if !kept.minutes.is_empty() {
                    let first: Vec<_> = kept.minutes.iter().take(limit).cloned().collect();
                    let taken = Taken(kept.gone + first.len() as u64);
                    return (first, taken);
                }
            }
            more.await;
        }
    }

    /// Forgets what has been taken.
    pub fn forget(&self, Taken(up_to): Taken) {
        let mut kept = self.kept.lock();
        let count = usize::try_from(up_to.saturating_sub(kept.gone)).unwrap_or(usize::MAX);
        kept.drop_first(count);
    }

    /// The minute that is now; the one before, if that has just ended.
    pub(crate) fn passes(&self, now: u64) -> Option<u64> {
        let before = self.current.load(Ordering::Relaxed);
        // A clock that was put back a little catches up within the same minute, so that none ends twice.
        if now == before || now < before && before - now <= CATCHES_UP {
            return None;
        }
        self.current.store(now, Ordering::Relaxed);
        (before != 0 && before < now).then_some(before)
    }

    /// Keeps what was counted in a minute that is over.
    pub(crate) fn keep(&self, over: Vec<Minute>, minute: u64) {
        let mut kept = self.kept.lock();
        if !kept.is_wanted || over.is_empty() {
            return;
        }
        kept.minutes.extend(over);
        let too_old = |it: &&Minute| it.minute + AGE_MAX < minute;
        let old = kept.minutes.iter().take_while(too_old).count();
        let too_many = kept.minutes.len().saturating_sub(KEPT_MAX);
        kept.drop_first(old.max(too_many));
        drop(kept);
        self.more.notify_waiters();
    }
}

impl Kept {
    fn drop_first(&mut self, count: usize) {
        let count = count.min(self.minutes.len());
        self.minutes.drain(..count);
        self.gone += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minute: u64) -> Minute {
        Minute { minute, ..Minute::default() }
    }

    #[tokio::test]
    async fn what_was_taken_is_told_once_and_what_was_not_again() {
        let minutes = Minutes::default();
        minutes.keep(vec![minute(1)], 1);
        let next = async {
            let (told, taken) = minutes.next(2).await;
            (told.into_iter().map(|it| it.minute).collect::<Vec<_>>(), taken)
        };
        // Nobody had asked when the first was over.
        let over = async { minutes.keep(vec![minute(2), minute(3), minute(4)], 4) };
        let ((told, _lost), ()) = tokio::join!(biased; next, over);
        assert_eq!(told, [2, 3]);
        let (told, taken) = minutes.next(2).await;
        assert_eq!(told.len(), 2);
        minutes.forget(taken);
        minutes.forget(taken);
        assert_eq!(minutes.next(2).await.0, [minute(4)]);
    }

    #[tokio::test]
    async fn an_hour_is_kept_and_no_more_than_so_many() {
        let minutes = Minutes::default();
        minutes.kept.lock().is_wanted = true;
        minutes.keep(vec![minute(1)], 1);
        minutes.keep(vec![minute(61)], 61);
        assert_eq!(minutes.next(9).await.0.len(), 2);
        minutes.keep(vec![minute(62)], 62);
        assert_eq!(minutes.next(9).await.0, [minute(61), minute(62)]);
        let (_, taken) = minutes.next(1).await;
        minutes.keep(vec![minute(63); KEPT_MAX], 63);
        assert_eq!(minutes.next(KEPT_MAX + 1).await.0.len(), KEPT_MAX);
        // What it was for is gone; nothing else goes in its place.
        minutes.forget(taken);
        assert_eq!(minutes.next(KEPT_MAX + 1).await.0.len(), KEPT_MAX);
    }
}
