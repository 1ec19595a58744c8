//! Changes that not everybody sees yet.
//!
//! A server sends an event to its replicas once it is in the log, which is before the storage engine has committed, and so
//! before readers see the change (MySQL: `MYSQL_BIN_LOG::ordered_commit`, `update_binlog_end_pos` in the flush or sync stage;
//! MariaDB: `trx_group_commit_leader`). Who reads just then, behind our hearing of it, would have the old rows kept as new
//! ones. The server does not tell when it is over, so a change counts a second time a while later: usually it is a matter of
//! microseconds, and where another replica's receipt is waited for in between (semi-synchronous replication), of that.

use std::{collections::VecDeque, time::Duration};

use cache::sql::Writes;
use tokio::time::Instant;

/// How much later a change counts once more.
const USUAL: Duration = Duration::from_millis(500);
/// What was changed within so long counts together.
const GRAIN: Duration = Duration::from_millis(100);
/// The longest that a server may be said to wait for its replicas.
const LONGEST: Duration = Duration::from_secs(60);

/// What is to count once more.
#[derive(Debug)]
pub(super) struct Settling {
    /// What the server may wait for in between.
    pub(super) waits: Duration,
    due: VecDeque<Batch>,
}

#[derive(Debug)]
struct Batch {
    begun: Instant,
    /// At this time.
    due: Instant,
    writes: Writes,
    is_schema: bool,
}

impl Settling {
    /// Nothing yet.
    pub(super) const fn new() -> Self {
        Self { waits: Duration::ZERO, due: VecDeque::new() }
    }

    /// A change that was told now.
    pub(super) fn add(&mut self, now: Instant, writes: Writes, is_schema: bool) {
        if writes == Writes::None && !is_schema {
            return;
        }
        let due = now + USUAL + self.waits.min(LONGEST);
        match self.due.back_mut() {
            Some(last) if now - last.begun < GRAIN => {
                last.writes.merge(writes);
                (last.due, last.is_schema) = (due, last.is_schema || is_schema);
            }
            _ => self.due.push_back(Batch { begun: now, due, writes, is_schema }),
        }
    }

    /// When the next is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.front().map(|batch| batch.due)
    }

    /// Takes one that is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<(Writes, bool)> {
        let batch = self.due.pop_front_if(|batch| batch.due <= now)?;
        Some((batch.writes, batch.is_schema))
    }
}

#[cfg(test)]
mod tests {
    use cache::sql::TableName;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_change_counts_once_more_and_not_too_soon() {
        let (mut settling, start) = (Settling::new(), Instant::now());
        let after = |ms| start + Duration::from_millis(ms);
        let table = |name: &str| Writes::Tables(vec![TableName::bare(name)]);
        settling.add(start, Writes::None, false);
        assert_eq!(settling.next(), None);
        settling.add(start, table("a"), false);
        settling.add(after(99), table("b"), false);
        settling.add(after(100), Writes::Everything, true);
        assert_eq!(settling.take(after(598)), None);
        let both = Writes::Tables(["a", "b"].map(TableName::bare).into());
        assert_eq!(settling.take(after(599)), Some((both, false)));
        assert_eq!((settling.take(after(599)), settling.next()), (None, Some(after(600))));
        assert_eq!(settling.take(after(600)), Some((Writes::Everything, true)));
        settling.waits = Duration::from_secs(10);
        settling.add(after(700), table("a"), false);
        assert_eq!(settling.next(), Some(after(11_200)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_changes_all_the_time_is_few_batches() {
        let (mut settling, start) = (Settling::new(), Instant::now());
        for ms in 0..10_000 {
            let now = start + Duration::from_millis(ms);
            settling.add(now, Writes::Tables(vec![TableName::bare(&ms.to_string())]), false);
            while settling.take(now).is_some() {}
            assert!(settling.due.len() <= 8);
        }
    }
}
