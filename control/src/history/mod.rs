//! What proxies' clients did in the last week, for charts.
//!
//! It is no configuration: no revision, no audit, no seal, and a store that is away loses some of it and nothing else.
//!
//! * `sums`: what was counted in a while, and how such are added. `latency`: percentiles.
//! * `series`: what a chart shows.
//!
//! A proxy tells each minute of each config. That is kept as it is, so that a minute which is told twice counts once, and is
//! summed up by ten minutes and by hours, of the config and of its account: what a chart needs is a few hundred rows, however
//! much there is.

pub mod latency;
mod series;
mod sums;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

pub(crate) use self::series::Period;
use self::{series::figures, sums::Sums};
use crate::{
    database::{Database, DatabaseError, history::HistoryRow},
    moment::Moment,
    nodes::activity::Minute,
    plane::{Plane, World},
};

/// For so many minutes it is kept.
const KEPT_MINUTES: i64 = 7 * 24 * 60;
/// Minutes of configs in one report; what is more is not kept.
const TOLD_MAX: usize = 5_000;
/// Reports that wait to be written. With more, the store is too slow or away.
const WAITING_MAX: usize = 64;
/// Sums for each minute, for ten, and for an hour.
const WIDTHS: [i64; 3] = [1, 10, 60];
/// So far ahead may a proxy's clock be.
const AHEAD_MINUTES: i64 = 5;
/// Configs of the overview that are read at once: ten minutes each of the last hour, of several nodes.
const CONFIGS_AT_ONCE: usize = 200;

const FORGET_INTERVAL: Duration = Duration::from_secs(60);
/// Rows that are forgotten in one step, and how long the store is left to others after one.
const FORGOTTEN_AT_ONCE: i64 = 1_000;
const FORGET_PAUSE: Duration = Duration::from_millis(20);
/// One thing that goes wrong is told of so often at most.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(60);

/// What is kept of what proxies tell.
#[derive(Debug)]
pub(crate) struct History {
    plane: Arc<Plane>,
    waiting: Mutex<VecDeque<Vec<HistoryRow>>>,
    wake: Notify,
    /// When it was last told of what.
    complained: Mutex<BTreeMap<&'static str, Instant>>,
}

impl History {
    /// In this plane's database.
    pub(crate) fn new(plane: Arc<Plane>) -> Self {
        let (waiting, complained) = (Mutex::default(), Mutex::default());
        Self { plane, waiting, wake: Notify::new(), complained }
    }

    /// Takes what a proxy tells, to be written later. Of configs that are not there, or of another account than the proxy's,
    /// and of another time than the last week, nothing is taken.
    pub(crate) fn take(&self, node: &str, account: Option<&str>, minutes: &[Minute]) {
        let (rows, strays) = rows(&self.plane.known(), node, account, minutes, now());
        if strays > 0 {
            let message = "minutes of a proxy whose clock is ahead, or that are older than what is kept, are lost";
            self.complain(message, Some(node), None);
        }
        if rows.is_empty() {
            return;
        }
        let mut waiting = self.waiting.lock();
        if waiting.len() >= WAITING_MAX {
            drop(waiting);
            self.complain(
                "the store is too slow for the history of clients' statements; some of it is lost",
                None,
                None,
            );
            return;
        }
        waiting.push_back(rows);
        self.wake.notify_one();
    }

    /// Writes what was taken and forgets what is old, for as long as it is polled.
    ///
    /// # Cancel safety
    ///
    /// Dropped, what waits is not written.
    pub(crate) async fn keep(&self) {
        // Beside each other: neither waits for the other's end, which may not come for long.
        tokio::join!(self.keep_writing(), self.keep_forgetting());
    }

    async fn keep_writing(&self) {
        loop {
            self.wake.notified().await;
            self.write_all().await;
        }
    }

    async fn keep_forgetting(&self) {
        let mut ticks = interval(FORGET_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.forget_old(now()).await;
        }
    }

    /// Writes what waits. What cannot be written is lost.
    pub(crate) async fn write_all(&self) {
        loop {
            let Some(rows) = self.waiting.lock().pop_front() else { return };
            let world = self.plane.known();
            let written = self.plane.database().keep_history(
                rows,
                |fresh| summed_up(&world, &fresh),
                |before, row| {
                    let (mut sums, more) = (Sums::read(before), Sums::read(&row.sums));
                    // Of an account by the minute: its other configs.
                    match row.width {
                        1 => sums.add_beside(&more),
                        _ => sums.add_after(&more),
                    }
                    row.sums = sums.written();
                },
            );
            if let Err(error) = written.await {
                let message =
                    "some of the history of clients' statements cannot be kept and is lost";
                self.complain(message, None, Some(&error));
            }
        }
    }

    async fn forget_old(&self, now: i64) {
        let before = now - KEPT_MINUTES;
        for width in WIDTHS {
            loop {
                let database = self.plane.database();
                match database.forget_history(width, before, FORGOTTEN_AT_ONCE).await {
                    Ok(count) if i64::try_from(count) == Ok(FORGOTTEN_AT_ONCE) => {}
                    Ok(_all) => break,
                    Err(error) => {
                        let message = "old history of clients' statements cannot be forgotten now";
                        self.complain(message, None, Some(&error));
                        return;
                    }
                }
                sleep(FORGET_PAUSE).await;
            }
        }
    }

    fn complain(&self, message: &'static str, node: Option<&str>, error: Option<&DatabaseError>) {
        let mut complained = self.complained.lock();
        if complained.get(message).is_some_and(|last| last.elapsed() < COMPLAINT_INTERVAL) {
            return;
        }
        complained.insert(message, Instant::now());
        let error = error.map(|error| error as &dyn std::error::Error);
        tracing::warn!(node, error, "{message}");
    }
}

/// The points of a config or an account.
///
/// # Errors
///
/// Where the database cannot be read.
pub(crate) async fn of(
    database: &Database,
    scope: &str,
    period: Period,
) -> Result<Value, DatabaseError> {
    let now = now();
    let rows = database.history(&[scope], period.width(), period.begin(now)).await?;
    Ok(period.shown(now, rows.iter().map(|row| (row.start, Sums::read(&row.sums)))))
}

/// What each config of an account did in the last hour, the busiest first.
///
/// # Errors
///
/// Where the database cannot be read.
pub(crate) async fn of_each(
    database: &Database,
    world: &World,
    account: &str,
) -> Result<Vec<Value>, DatabaseError> {
    let [_, width, hour] = WIDTHS;
    let from = now() - hour;
    let ours = world.hyperdrives.iter().filter(|config| config.account == account);
    let ours: Vec<_> = ours.map(|config| config.id.as_str()).collect();
    let mut tens: BTreeMap<(String, i64), Sums> = BTreeMap::new();
    for configs in ours.chunks(CONFIGS_AT_ONCE) {
        for row in database.history(configs, width, from).await? {
            tens.entry((row.scope, row.start)).or_default().add_beside(&Sums::read(&row.sums));
        }
    }
    let mut configs: BTreeMap<String, Sums> = BTreeMap::new();
    for ((config, _), sums) in tens {
        configs.entry(config).or_default().add_after(&sums);
    }
    let mut configs: Vec<_> = configs.into_iter().collect();
    configs.sort_by_key(|(_, sums)| std::cmp::Reverse(sums.total()));
    let shown = configs.into_iter().map(|(id, sums)| {
        let mut shown = figures(&sums);
        if let Some(fields) = shown.as_object_mut() {
            let name = world.hyperdrives.get(&id).map(|config| config.name.as_str());
            fields.insert(String::from("id"), json!(id));
            fields.insert(String::from("name"), json!(name));
        }
        shown
    });
    Ok(shown.collect())
}

fn now() -> i64 {
    i64::try_from(Moment::now().unix_seconds() / 60).unwrap_or(i64::MAX)
}

/// What is to be kept of what a proxy tells, and how many minutes of its configs are not, since they are of another time.
fn rows(
    world: &World,
    node: &str,
    account: Option<&str>,
    minutes: &[Minute],
    now: i64,
) -> (Vec<HistoryRow>, usize) {
    if minutes.is_empty() {
        return (Vec::new(), 0);
    }
    let ours = world.hyperdrives.iter();
    let ours = ours.filter(|config| account.is_none_or(|only| only == config.account));
    // By its id: what a proxy's own file declares may have its name, and so may what was there before it.
    let names: HashMap<&str, &str> = ours.map(|it| (it.id.as_str(), it.name.as_str())).collect();
    let mut strays = 0;
    let kept = minutes.iter().take(TOLD_MAX).filter_map(|minute| {
        // A config has one name at a time: what still uses the one before would be in the place of the other.
        if *names.get(minute.id.as_str())? != minute.database {
            return None;
        }
        let start = i64::try_from(minute.minute).unwrap_or(i64::MAX);
        if start < now - KEPT_MINUTES || start > now + AHEAD_MINUTES {
            strays += 1;
            return None;
        }
        let (scope, sums) = (minute.id.clone(), Sums::of(minute).written());
        Some(HistoryRow { scope, width: 1, start, node: node.to_owned(), sums })
    });
    (kept.collect(), strays)
}

/// The sums of an account by the minute, and of it and its configs by more than that, as far as these rows go.
fn summed_up(world: &World, fresh: &[&HistoryRow]) -> Vec<HistoryRow> {
    let mut sums: BTreeMap<(&str, i64, i64), Sums> = BTreeMap::new();
    let mut accounts: BTreeMap<(&str, i64), Sums> = BTreeMap::new();
    let [_, wider @ ..] = WIDTHS;
    let begin = |start: i64, width: i64| start.div_euclid(width) * width;
    for row in fresh {
        let counted = Sums::read(&row.sums);
        for width in wider {
            let place = (row.scope.as_str(), width, begin(row.start, width));
            sums.entry(place).or_default().add_after(&counted);
        }
        if let Some(config) = world.hyperdrives.get(&row.scope) {
            let minute = accounts.entry((config.account.as_str(), row.start)).or_default();
            minute.add_beside(&counted);
        }
    }
    for ((account, start), counted) in accounts {
        for width in wider {
            let place = (account, width, begin(start, width));
            sums.entry(place).or_default().add_after(&counted);
        }
        sums.insert((account, 1, start), counted);
    }
    let node = fresh.first().map(|row| row.node.clone()).unwrap_or_default();
    let row = |((scope, width, start), sums): ((&str, i64, i64), Sums)| HistoryRow {
        scope: scope.to_owned(),
        width,
        start,
        node: node.clone(),
        sums: sums.written(),
    };
    sums.into_iter().map(row).collect()
}
