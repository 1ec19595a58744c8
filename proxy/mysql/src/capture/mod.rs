//! Changes that an origin's binary log tells of, heard as one of its replicas hears them.
//!
//! ```text
//!   Source (login, questions, COM_BINLOG_DUMP) ──► Packets ──► Tracker (transactions) ──► Feed of the origin
//!                                                                    │
//!                                                                    └── Settling: once more, when everybody sees it
//! ```
//!
//! A connection that is lost is opened anew, and the stream goes on where it was left: meanwhile nothing is cached, and what
//! was kept is good again when all has been heard. Where that cannot be (the log was purged, the server has restarted or is another),
//! [`run`] fails, and is called anew to begin at the present end of the log.

mod error;
mod needs;
mod settling;
mod source;
#[cfg(test)]
mod tests;
mod tracker;

use std::{
    convert::Infallible,
    sync::{Arc, Weak},
    time::Duration,
};

use cache::sql::{Writes, mysql::Classifier};
use protocol::mysql::binlog::Packets;
use serving::{
    capture::{Covered, Feed},
    catalog::CatalogCell,
    config::{CaptureConfig, DatabaseConfig},
    observe::Change,
};
use tokio::time::{Instant, sleep, sleep_until, timeout};

pub use self::needs::findings;
use self::{
    error::CaptureError,
    settling::Settling,
    source::{Source, heartbeat},
    tracker::{Place, Told, Tracker},
};

/// First and longest wait before a lost connection is opened anew.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// A stream that did not go on for so long is begun anew.
const GIVEN_UP: Duration = Duration::from_secs(120);
/// A connection on which nothing was heard for so long, in heartbeats and at least, is lost.
const SILENT: (u32, Duration) = (5, Duration::from_secs(5));

/// Captures until that fails. `cell` has what judges by the origin's catalog.
///
/// # Errors
///
/// [`CaptureError`].
///
/// # Cancel safety
///
/// Dropped before it ends, its connection is closed.
pub(crate) async fn run(
    config: Arc<DatabaseConfig>,
    feed: Arc<Feed>,
    cell: Weak<CatalogCell<Classifier>>,
) -> Result<Infallible, CaptureError> {
    let Some(capture) = &config.capture else { return std::future::pending().await };
    let mut source = Source::open(&config, capture).await?;
    let (identity, mut place) = (source.identity.clone(), source.end.clone());
    let mut listener = Listener {
        feed: &feed,
        cell,
        most: capture.max_lag,
        heard: Heard { at: Instant::now(), lag: Duration::ZERO },
        settling: Settling::new(),
        has_begun: false,
        wait: Duration::ZERO,
    };
    let (asked_at, up) = (Instant::now(), source.up(Instant::now()));
    loop {
        let (stopped_at, failed) = listener.follow(source, place).await;
        place = stopped_at;
        if !failed.is_passing() || !listener.has_begun {
            return Err(failed);
        }
        source = listener.reopen(&config, capture, failed).await?;
        if !source.is_same(&identity, up + asked_at.elapsed()) {
            return Err(CaptureError::Another);
        }
    }
}

/// What hears a stream, over all connections on which it comes.
struct Listener<'a> {
    feed: &'a Feed,
    cell: Weak<CatalogCell<Classifier>>,
    /// How late changes may be.
    most: Duration,
    heard: Heard,
    settling: Settling,
    has_begun: bool,
    /// Before another connection is opened.
    wait: Duration,
}

/// When it was last known how late changes are, and how late they were.
#[derive(Clone, Copy, Debug)]
struct Heard {
    at: Instant,
    lag: Duration,
}

impl Listener<'_> {
    /// Hears what comes on a connection until that fails. Where the stream can go on, and why it ended.
    async fn follow(&mut self, mut source: Source, place: Place) -> (Place, CaptureError) {
        let mut tracker = Tracker::new(place);
        let Err(failed) = self.hear(&mut source, &mut tracker).await;
        (tracker.place().clone(), failed)
    }

    async fn hear(
        &mut self,
        source: &mut Source,
        tracker: &mut Tracker,
    ) -> Result<Infallible, CaptureError> {
        let asked = timeout(SILENT.1, source.dump(tracker.place())).await;
        asked.unwrap_or(Err(CaptureError::Silent))?;
        self.settling.waits = source.waits;
        let (mut packets, pause) = (Packets::default(), heartbeat(self.most));
        let mut read_at = Instant::now();
        loop {
            while let Some((head, len)) = source.next(&mut packets)? {
                let known = self.cell.upgrade().and_then(|cell| cell.known());
                let catalog = known.as_ref().map(|classifier| &**classifier.catalog());
                match tracker.take((&head, len), catalog)? {
                    Told::Nothing => {}
                    told => self.tell(told, source),
                }
                self.begin();
                self.wait = Duration::ZERO;
            }
            self.settle();
            let tick = Instant::now() + pause;
            let wake = self.settling.next().map_or(tick, |due| due.min(tick));
            tokio::select! {
                read = source.fill() => {
                    read?;
                    read_at = Instant::now();
                }
                () = sleep_until(wake) => {
                    if read_at.elapsed() > (pause * SILENT.0).max(SILENT.1) {
                        return Err(CaptureError::Silent);
                    }
                }
            }
            if self.heard.at.elapsed() >= pause {
                self.lag();
            }
        }
    }

    /// The first event has come: from now on all are told.
    fn begin(&mut self) {
        if !self.has_begun {
            self.has_begun = true;
            self.feed.begun();
            self.feed.covers(Covered::Everything);
            // What was committed just before may not be seen yet.
            self.settling.add(Instant::now(), Writes::Everything, false);
            self.lag();
        }
    }

    fn tell(&mut self, told: Told, source: &mut Source) {
        let now = Instant::now();
        self.heard = match told {
            Told::Changed(change) => {
                let lag = source.clock.since(change.at, now);
                match (&change.writes, change.defines) {
                    (_, true) => self.feed.schema_changed(),
                    (Writes::None, false) => {}
                    (Writes::Tables(tables), false) => {
                        self.feed.changed(Change::Rows, tables.clone());
                    }
                    (Writes::Everything, false) => self.feed.everything_changed(),
                }
                self.settling.add(now, change.writes, change.defines);
                Heard { at: now, lag }
            }
            Told::Idle | Told::Nothing => Heard { at: now, lag: Duration::ZERO },
        };
        self.lag();
    }

    /// Says how late changes are, for all that is known.
    fn lag(&self) {
        self.feed.lags(self.heard.lag + self.heard.at.elapsed(), self.most);
    }

    fn settle(&mut self) {
        while let Some((writes, is_schema)) = self.settling.take(Instant::now()) {
            self.feed.settled(&writes, is_schema);
        }
    }

    /// Opens another connection in place of one that was lost. Meanwhile changes are late.
    async fn reopen(
        &mut self,
        config: &DatabaseConfig,
        capture: &CaptureConfig,
        mut failed: CaptureError,
    ) -> Result<Source, CaptureError> {
        // How late, nobody knows, until something is heard.
        self.heard.lag = self.most + RETRY.0;
        while self.heard.at.elapsed() < GIVEN_UP {
            self.lag();
            complain(&config.name, &failed);
            sleep(self.wait).await;
            self.wait = (self.wait * 2).clamp(RETRY.0, RETRY.1);
            match Source::open(config, capture).await {
                Ok(source) => return Ok(source),
                Err(error) if error.is_passing() => failed = error,
                Err(error) => return Err(error),
            }
        }
        Err(CaptureError::GivenUp(Box::new(failed)))
    }
}

fn complain(database: &str, error: &(dyn std::error::Error + 'static)) {
    tracing::warn!(database, error, "the stream of its changes was lost");
}
