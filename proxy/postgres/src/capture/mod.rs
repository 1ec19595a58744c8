//! Changes that an origin itself tells of, by logical replication: whoever made them, what they outdate is dropped from the cache.
//!
//! Two connections, for as long as the capture lasts: on one the changes come (`stream`, `listener`), on the other the database
//! is asked which of them everybody sees (`snapshot`), and where its log ends (`asked`), which tells how late they come. A walsender
//! itself tells only how far it is, and not how far it should be.
//!
//! Who decides when it runs, and what happens where it does not, is [`serving::capture`].

mod asked;
mod error;
mod fitness;
mod listener;
mod slot;
mod snapshot;
mod stream;

use std::{
    collections::HashSet,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cache::{Writing, sql::TableName};
use parking_lot::Mutex;
use protocol::postgres::replication::Position;
use serving::{
    capture::{Feed, Finding},
    config::{CaptureConfig, DatabaseConfig},
    observe::Change,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout_at},
};

use self::{
    asked::{Coverage, Moment, SlotState},
    error::CaptureError,
    listener::{Committed, Heard, Listener},
    slot::Slot,
    snapshot::Snapshot,
    stream::Stream,
};
use crate::asker::Asker;

/// The database is asked how things are as often as this at most, where nothing is committed.
const INTERVAL: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));
/// First and longest pause until it is asked again whether everybody sees what was committed.
const UNSEEN: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));
/// Whoever says nothing for so long, and is asked all the time, is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// Which tables are told of is looked up again as often as this, where it matters.
const COVERAGE_AGE: Duration = Duration::from_secs(60);
/// Commits that not everybody sees yet; with more of them it begins anew.
const MAX_UNSEEN: usize = 10_000;
/// So much log kept for us is worth a word.
const MUCH_RETAINED: u64 = 1 << 30;

/// Captures the changes of the origin of a config, until that fails.
///
/// # Errors
///
/// Why it failed.
///
/// # Cancel safety
///
/// Dropped before it ends, its connections are closed, and a temporary slot goes with them.
pub(crate) async fn run(
    config: Arc<DatabaseConfig>,
    feed: Arc<Feed>,
) -> Result<Infallible, CaptureError> {
    let capture = config.capture.as_ref().ok_or(CaptureError::Off)?;
    let asker = Asker::connect(&config, &capture.origin, "capture").await?;
    let slot = Slot::of(capture);
    let ground = asked::ground(&asker, capture, &slot).await?;
    let coverage = asked::coverage(&asker, capture).await?;
    let mut stream = Stream::open(&config, capture).await?;
    if ground.slot == SlotState::Invalid {
        tracing::warn!(database = %config.name, slot = slot.name(), "the slot's log is gone: it is made anew");
        stream.drop_slot(&slot).await?;
    }
    if ground.slot != SlotState::There {
        stream.make(&slot).await?;
    }
    stream.start(&slot.starting(&capture.publication, ground.hears_emitted)).await?;
    let watch = Watch::new(&config, capture, &feed, &slot);
    watch.covers(coverage);
    // Whatever is committed from now on comes: the slot was there before.
    feed.begun();
    tracing::info!(database = %config.name, slot = slot.name(), "changes are captured");
    tokio::select! {
        ended = watch.listen(&mut stream) => ended,
        ended = watch.ask(&asker) => ended,
    }
}

/// What is found of the capture of a config, for `jumpgate check`. Nothing where none is asked for.
///
/// # Cancel safety
///
/// Dropped before it ends, its connections are closed.
pub async fn findings(config: &DatabaseConfig) -> Vec<Finding> {
    let Some(capture) = &config.capture else { return Vec::new() };
    fitness::find(config, capture).await.unwrap_or_else(|error| {
        let why = std::error::Error::source(&error)
            .map_or_else(|| error.to_string(), ToString::to_string);
        vec![Finding::Missing(format!("{} cannot ask: {why}", capture.origin.user), Vec::new())]
    })
}

/// What both connections have to do with.
struct Watch<'a> {
    database: &'a str,
    capture: &'a CaptureConfig,
    feed: &'a Feed,
    slot: &'a Slot,
    /// The tables that are told of.
    told: Mutex<HashSet<TableName>>,
    /// What was committed, and not everybody may see.
    unseen: Mutex<Vec<Unseen>>,
    /// There is something more in `unseen`.
    committed: Notify,
    /// The log ended here then, and has not been heard so far yet.
    awaited: Mutex<Option<(Instant, Position)>>,
    wants_answer: Notify,
    /// Which tables are told of is to be looked up again.
    is_uncovered: AtomicBool,
}

/// A transaction that was committed, and what it wrote.
struct Unseen {
    transaction: u32,
    change: Change,
    writing: Writing,
}

impl<'a> Watch<'a> {
    fn new(
        config: &'a DatabaseConfig,
        capture: &'a CaptureConfig,
        feed: &'a Feed,
        slot: &'a Slot,
    ) -> Self {
        Self {
            database: &config.name,
            capture,
            feed,
            slot,
            told: Mutex::default(),
            unseen: Mutex::default(),
            committed: Notify::new(),
            awaited: Mutex::default(),
            wants_answer: Notify::new(),
            is_uncovered: AtomicBool::new(false),
        }
    }

    /// Hears what comes.
    async fn listen(&self, stream: &mut Stream) -> Result<Infallible, CaptureError> {
        let mut listener = Listener::default();
        let mut heard_at = Instant::now();
        loop {
            while let Some(body) = stream.next()? {
                match listener.hear(&body, |table| !self.told.lock().contains(table))? {
                    Heard::Nothing => {}
                    Heard::WantsStatus => stream.tell(listener.heard(), false),
                    Heard::Committed(committed) => self.commits(committed)?,
                }
            }
            self.has_heard(listener.heard());
            tokio::select! {
                filled = timeout_at(heard_at + SILENCE, stream.fill()) => {
                    filled.map_err(|_elapsed| CaptureError::Silent)??;
                    heard_at = Instant::now();
                }
                () = self.wants_answer.notified() => stream.tell(listener.heard(), true),
            }
        }
    }

    /// What a transaction wrote is out of the cache from now on.
    fn commits(&self, committed: Committed) -> Result<(), CaptureError> {
        let Committed { transaction, change, tables } = committed;
        let writing = self.feed.changing(change, tables);
        let mut unseen = self.unseen.lock();
        if unseen.len() >= MAX_UNSEEN {
            return Err(CaptureError::Unseen);
        }
        unseen.push(Unseen { transaction, change, writing });
        self.committed.notify_one();
        Ok(())
    }

    /// All up to there was heard.
    fn has_heard(&self, heard: Position) {
        let mut awaited = self.awaited.lock();
        if let Some((since, _)) = awaited.take_if(|(_, end)| *end <= heard) {
            self.feed.lags(since.elapsed(), self.capture.max_lag);
        }
    }

    /// Asks how things are, again and again.
    async fn ask(&self, asker: &Asker) -> Result<Infallible, CaptureError> {
        let interval = (self.capture.max_lag / 4).clamp(INTERVAL.0, INTERVAL.1);
        let (mut due, mut pause, mut warned) = (Instant::now(), UNSEEN.0, false);
        let (mut covered_at, mut asked_at) = (Instant::now(), Instant::now());
        loop {
            let is_unseen = !self.unseen.lock().is_empty();
            let again = if is_unseen { due.min(Instant::now() + pause) } else { due };
            tokio::select! {
                () = self.committed.notified() => {}
                () = sleep_until(again) => {}
            }
            // Of commits that come one behind the other many are asked for at once.
            sleep_until(asked_at + UNSEEN.0).await;
            let since = Instant::now();
            asked_at = since;
            let Moment { snapshot, end, retained } = asked::moment(asker, self.slot).await?;
            pause = if self.sees(&snapshot) { UNSEEN.0 } else { (pause * 2).min(UNSEEN.1) };
            if since >= due {
                due = since + interval;
                self.awaits(since, end);
                self.feed.retains(retained);
                if retained >= MUCH_RETAINED && !warned {
                    tracing::warn!(
                        database = self.database,
                        retained,
                        "the database keeps much log for a slot"
                    );
                }
                warned = retained >= MUCH_RETAINED;
            }
            let is_old = self.capture.until_changed && covered_at.elapsed() >= COVERAGE_AGE;
            if self.is_uncovered.swap(false, Ordering::AcqRel) || is_old {
                covered_at = Instant::now();
                self.covers(asked::coverage(asker, self.capture).await?);
            }
        }
    }

    /// What everybody sees by now may be cached again. Whether that is all of it.
    fn sees(&self, snapshot: &Snapshot) -> bool {
        let mut unseen = self.unseen.lock();
        let is_seen = |it: &mut Unseen| it.transaction == 0 || snapshot.shows(it.transaction);
        let seen: Vec<_> = unseen.extract_if(.., is_seen).collect();
        let are_all = unseen.is_empty();
        drop(unseen);
        if seen.iter().any(|it| it.change == Change::Schema) {
            self.feed.forget_schema();
            self.is_uncovered.store(true, Ordering::Release);
        }
        seen.into_iter().for_each(|it| drop(it.writing));
        are_all
    }

    /// The log ended there then. Until it was heard so far nothing newer is waited for, so that the oldest tells how late it is.
    fn awaits(&self, since: Instant, end: Position) {
        let mut awaited = self.awaited.lock();
        let (oldest, _) = *awaited.get_or_insert((since, end));
        drop(awaited);
        if oldest < since {
            self.feed.lags(oldest.elapsed(), self.capture.max_lag);
        }
        self.wants_answer.notify_one();
    }

    fn covers(&self, coverage: Coverage) {
        self.feed.covers(coverage.covered());
        *self.told.lock() = coverage.told;
    }
}
