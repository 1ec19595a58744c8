//! Telling what clients do: each minute's sums when it is over, and what goes on when somebody asks.

use std::{
    cmp::Reverse,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

use super::{database::DatabaseMetrics, metrics::Metrics};
use crate::activity::told::Told;

/// How often it is looked how many connections are in use.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Nobody is told of more statements, or sessions, of one database.
const LIMIT_MAX: usize = 500;
/// Nobody is told of more databases at once.
const DATABASES_MAX: usize = 2000;
/// No answer is longer, in bytes of JSON.
const TOLD_MAX: usize = 1_400_000;
/// No statement and no session that is told is shorter.
const ENTRY_MIN: usize = 128;

impl Metrics {
    /// Ends each minute by the clock of the wall, for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropped, no more minutes are told.
    pub async fn count_minutes(&self) {
        let since_1970 = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.count_minutes_by(since_1970).await;
    }

    async fn count_minutes_by(&self, since_1970: impl Fn() -> Duration) {
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let databases = self.databases();
            self.refresh();
            for database in &databases {
                database.activity.peaks.in_use(database.pool_in_use.get());
            }
            let minute = since_1970().as_secs() / 60;
            if let Some(over) = self.minutes.passes(minute) {
                let ended = databases.iter().filter_map(|it| {
                    let (counts, activity) = (it.counts(), &it.activity);
                    activity.minute.lock().end(
                        counts,
                        &activity.peaks,
                        ([it.name(), it.id()], over),
                    )
                });
                self.minutes.keep(ended.collect(), minute);
            }
        }
    }

    /// [`tell`](Self::tell) beside the threads that serve: of many clients there is much to tell.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, it is made for nobody.
    pub async fn tell_aside(
        self: &Arc<Self>,
        database: Option<String>,
        statements: usize,
        sessions: usize,
    ) -> serde_json::Value {
        let metrics = Arc::clone(self);
        let telling =
            spawn_blocking(move || metrics.tell(database.as_deref(), statements, sessions));
        telling.await.unwrap_or_default()
    }

    /// What goes on, as JSON: in one database, or in all that were used since the start; of each so many statements and
    /// sessions at most, and less where that would be too long.
    pub fn tell(
        &self,
        database: Option<&str>,
        statements: usize,
        sessions: usize,
    ) -> serde_json::Value {
        self.refresh();
        let is_meant = |it: &Arc<DatabaseMetrics>| database.is_none_or(|name| name == it.name());
        let is_used = |it: &Arc<DatabaseMetrics>| {
            database.is_some() || it.activity.lives.len() > 0 || it.activity.shapes.len() > 0
        };
        let mut all: Vec<_> =
            self.databases().into_iter().filter(|it| is_meant(it) && is_used(it)).collect();
        all.sort_by_cached_key(|it| Reverse(it.activity.lives.len()));
        let limits = [statements, sessions].map(|limit| limit.min(LIMIT_MAX));
        let told = shortened(&all, limits);
        serde_json::to_value(told).unwrap_or_default()
    }
}

/// As much as may be told: first there is less of each, then there are fewer.
fn shortened(all: &[Arc<DatabaseMetrics>], [mut statements, mut sessions]: [usize; 2]) -> Told {
    let mut count = all.len().min(DATABASES_MAX);
    // More than this is not even tried.
    let most = TOLD_MAX / ENTRY_MIN / count.max(1);
    (statements, sessions) = (statements.min(most), sessions.min(most));
    loop {
        let databases = all.iter().take(count).map(|it| it.told(statements, sessions)).collect();
        let databases_left_out = (all.len() - count) as u64;
        let told = Told { databases, databases_left_out };
        let length = serde_json::to_vec(&told).map_or(0, |json| json.len());
        if length <= TOLD_MAX {
            return told;
        }
        if statements + sessions > 0 {
            (statements, sessions) = (statements / 2, sessions / 2);
        } else {
            count /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use serde_json::json;
    use tokio::time::{Instant, advance, timeout};

    use super::*;
    use crate::{
        activity::{Seen, State, Who},
        observe::{CacheStatus, Saved},
    };

    /// A client whose last statement is shown so.
    fn runs(seen: &mut Seen, text: &str) {
        seen.runs_unread(text.to_owned()).unwrap().count(CacheStatus::Miss);
    }

    #[tokio::test(start_paused = true)]
    async fn a_minute_is_told_when_it_is_over_and_only_of_who_was_used_in_it() {
        let metrics = Metrics::new();
        let [app, idle] = ["app", "idle"].map(|name| metrics.database(name, "1"));
        // It begins five seconds before the hundredth minute ends.
        let began = Instant::now();
        let clock = move || Duration::from_secs(100 * 60 + 55) + began.elapsed();
        let script = async {
            // Nothing is kept for nobody.
            assert!(timeout(Duration::from_secs(1), metrics.minutes.next(10)).await.is_err());
            app.query(CacheStatus::Hit);
            app.answered(CacheStatus::Hit, Duration::from_micros(70));
            app.saves(Saved::Hit);
            app.failures.statement("no_connection");
            app.pool_max_size.set(20);
            app.pool_in_use.set(7);
            tokio::time::sleep(Duration::from_secs(2)).await;
            app.pool_in_use.set(0);
            let (told, taken) = metrics.minutes.next(10).await;
            metrics.minutes.forget(taken);
            let [minute] = told.as_slice() else { panic!("{told:?}") };
            assert_eq!((&*minute.database, minute.minute), ("app", 100));
            assert_eq!(minute.queries, [("hit", 1)]);
            assert_eq!(minute.cached, [0, 1]);
            assert_eq!(minute.errors, [(("statement", "no_connection"), 1)]);
            assert_eq!((minute.in_use, minute.max_connections), (7, 20));
            assert_eq!(minute.round_trips_saved, 1);

            // One in which nobody did anything is not told, and what was told is not told again.
            advance(Duration::from_secs(61)).await;
            tokio::time::sleep(Duration::from_secs(30)).await;
            idle.query(CacheStatus::Miss);
            idle.answered(CacheStatus::Miss, Duration::from_secs(60));
            let (told, _) = metrics.minutes.next(10).await;
            let [minute] = told.as_slice() else { panic!("{told:?}") };
            assert_eq!((&*minute.database, minute.minute), ("idle", 102));
            assert_eq!(minute.uncached.len(), crate::activity::BOUNDS.len() + 1);
        };
        tokio::select! {
            () = metrics.count_minutes_by(clock) => {}
            () = script => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn clients_are_told_as_long_as_they_are_there_and_the_busiest_first() {
        let metrics = Metrics::new();
        let app = metrics.database("app", "1");
        let address: SocketAddr = "10.0.0.7:4711".parse().unwrap();
        let who = Who::new("ann", Some("shop\n1"));
        let mut seen = app.enter(who, Some(address));
        let idle = app.enter(Who::new("bob", None), None);
        advance(Duration::from_secs(3)).await;
        runs(&mut seen, "SELECT ?");
        seen.is(State::Waiting, Instant::now());
        seen.is_pinned_by(["listen"]);
        advance(Duration::from_millis(250)).await;
        let told = metrics.tell(None, 10, 10);
        let database = &told["databases"][0];
        assert_eq!((&database["database"], &database["clients"]), (&json!("app"), &json!(2)));
        assert_eq!(
            database["sessions"][0],
            json!({
                "id": 1, "user": "ann", "address": "10.0.0.7:4711", "application": "shop1",
                "connected_seconds": 3, "state": "waiting", "state_millis": 250,
                "statement": "SELECT ?", "pins": ["listen"],
            })
        );
        assert_eq!(database["sessions"][1]["state"], "idle");
        assert_eq!(database["statements"][0]["queries"], json!({ "miss": 1 }));
        let one = &metrics.tell(Some("app"), 0, 1)["databases"][0];
        assert_eq!(one["sessions"].as_array().map(Vec::len), Some(1));
        assert_eq!(one["sessions_left_out"], 1);
        assert_eq!(one["statements_left_out"], 1);
        seen.calls_itself("other");
        seen.is_pinned_by([]);
        let one = &metrics.tell(Some("app"), 0, 1)["databases"][0]["sessions"][0];
        assert_eq!((&one["application"], &one["pins"]), (&json!("other"), &json!([])));
        drop((seen, idle));
        let told = metrics.tell(None, 10, 10);
        assert_eq!(told["databases"][0]["sessions"], json!([]));
        assert_eq!(metrics.tell(Some("none"), 10, 10)["databases"], json!([]));
    }

    #[test]
    fn no_answer_is_too_long() {
        let metrics = Metrics::new();
        let databases: Vec<_> =
            (0..3000).map(|at| metrics.database(&format!("database_{at}"), "1")).collect();
        let seen: Vec<_> = databases
            .iter()
            .map(|database| {
                let mut seen = database.enter(Who::new(&"u".repeat(60), None), None);
                for at in 0..4 {
                    runs(&mut seen, &format!("{at} {}", "x".repeat(1000)));
                }
                seen
            })
            .collect();
        let told = metrics.tell(None, usize::MAX, usize::MAX);
        assert!(told.to_string().len() <= TOLD_MAX);
        let shown = told["databases"].as_array().map_or(0, Vec::len) as u64;
        assert!(shown > 100 && told["databases_left_out"] == 3000 - shown, "{shown}");
        let one = metrics.tell(Some("database_7"), usize::MAX, usize::MAX);
        assert_eq!(one["databases"][0]["statements"].as_array().map(Vec::len), Some(4));
        drop(seen);
    }
}
