//! What is made of an answer, or of two: how many in between, and how fast.

use std::{collections::HashMap, time::Duration};

use control::{
    history::latency::quantile,
    live::{Live, LiveDatabase},
    nodes::activity::{Latencies, StatementActivity},
};

/// What went on between two answers, or since statements are counted.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Seconds in between; `None` where it is all that was counted.
    pub(super) seconds: Option<f64>,
    /// Proxies that are there, and that have answered.
    pub(super) nodes: (usize, usize),
    /// Connections in use, at most, and clients that wait for one.
    pub(super) pool: (u64, u64, u64),
    pub(super) clients: u64,
    pub(super) pinned: u64,
    /// Reads in transactions, since the start, that the cache would have been asked with `in_transactions`.
    pub(super) transaction_reads: u64,
    pub(super) shapes: Vec<Shape>,
    /// Shapes and sessions that nobody told of.
    pub(super) left_out: (u64, u64),
    pub(super) sessions: Vec<Session>,
    /// How long statements took that the origin was asked.
    pub(super) uncached: Latencies,
}

/// Statements of one shape.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    pub(super) database: String,
    pub(super) text: String,
    pub(super) calls: u64,
    /// Answered from the cache, and looked up there.
    pub(super) hits: (u64, u64),
    pub(super) micros: u64,
    pub(super) saved: u64,
    pub(super) errors: u64,
    pub(super) why: String,
}

/// One client.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    pub(super) node: String,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) from: String,
    pub(super) state: String,
    pub(super) millis: u64,
    pub(super) pins: String,
    pub(super) statement: String,
}

impl Shape {
    /// From 0 to 1; `None` where none was looked up.
    pub(super) fn hit_ratio(&self) -> Option<f64> {
        ratio(self.hits)
    }

    /// Milliseconds.
    pub(super) fn mean(&self) -> f64 {
        float(self.micros) / 1000.0 / float(self.calls.max(1))
    }
}

impl Look {
    /// All that was counted.
    pub(super) fn at(live: &Live) -> Self {
        Self::of(live, &Before::default(), None)
    }

    /// What was counted in between, as far as that is known.
    pub(super) fn between(before: &Live, now: &Live, passed: Duration) -> Self {
        Self::of(now, &Before::of(before, now), Some(passed.as_secs_f64().max(0.001)))
    }

    fn of(live: &Live, before: &Before<'_>, seconds: Option<f64>) -> Self {
        let nodes = (live.nodes.asked, live.nodes.answered);
        let mut look = Self { seconds, nodes, ..Self::default() };
        for database in &live.databases {
            look.add(database, before);
        }
        look
    }

    fn add(&mut self, database: &LiveDatabase, before: &Before<'_>) {
        let (in_use, max, waiting) = self.pool;
        let pool = &database.pool;
        self.pool = (in_use + pool.in_use, max + pool.max, waiting + pool.waiting);
        self.clients += database.clients;
        self.pinned += database.pinned;
        self.transaction_reads += database.transaction_reads;
        self.left_out.0 += database.statements_left_out;
        self.left_out.1 += database.sessions_left_out;
        for told in &database.statements {
            let known = before.known(&database.database, told);
            let since = |now: u64, before: u64| now.saturating_sub(before);
            let of = |status: &str| since(count(told, status), count(known, status));
            let hits = of("hit") + of("stale");
            if self.uncached.len() < told.uncached.len() {
                self.uncached.resize(told.uncached.len(), 0);
            }
            for (at, (sum, now)) in self.uncached.iter_mut().zip(&told.uncached).enumerate() {
                *sum += since(*now, known.uncached.get(at).copied().unwrap_or_default());
            }
            self.shapes.push(Shape {
                database: plain(&database.database),
                text: plain(&told.text),
                calls: since(calls(told), calls(known)),
                hits: (hits, hits + of("miss")),
                micros: since(micros(told), micros(known)),
                saved: since(told.round_trips_saved, known.round_trips_saved),
                errors: since(told.errors, known.errors),
                why: told.why_not_cached.as_deref().map(plain).unwrap_or_default(),
            });
        }
        self.sessions.extend(database.sessions.iter().map(|told| {
            let session = &told.session;
            let application = session.application.as_deref().filter(|it| !it.is_empty());
            let from = application.map(|name| format!("{} {name}", session.address));
            Session {
                node: plain(&told.node),
                database: plain(&database.database),
                user: plain(&session.user),
                from: plain(from.as_ref().unwrap_or(&session.address)),
                state: plain(&session.state),
                millis: session.state_millis,
                pins: plain(&session.pins.join(", ")),
                statement: session.statement.as_deref().map(plain).unwrap_or_default(),
            }
        }));
    }

    /// Statements, by the second where it is known of how many.
    pub(super) fn calls(&self) -> f64 {
        float(self.shapes.iter().map(|shape| shape.calls).sum()) / self.seconds.unwrap_or(1.0)
    }

    /// From 0 to 1; `None` where nothing was looked up.
    pub(super) fn hit_ratio(&self) -> Option<f64> {
        let sum =
            |(hits, all): (u64, u64), shape: &Shape| (hits + shape.hits.0, all + shape.hits.1);
        ratio(self.shapes.iter().fold((0, 0), sum))
    }

    /// Milliseconds that so large a part took at most, of what the origin was asked.
    pub(super) fn quantile(&self, part: f64) -> Option<f64> {
        quantile(&self.uncached, part)
    }
}

/// What is subtracted from what was counted.
#[derive(Default)]
struct Before<'a> {
    /// By database and text.
    statements: HashMap<(&'a str, &'a str), &'a StatementActivity>,
    /// Shapes that were left out, by database.
    left_out: HashMap<&'a str, u64>,
    databases_left_out: u64,
    /// Not the same proxies have answered.
    is_of_others: bool,
    nothing: StatementActivity,
}

impl<'a> Before<'a> {
    fn of(before: &'a Live, now: &Live) -> Self {
        let databases = before.databases.iter();
        let statements = databases.clone().flat_map(|database| {
            let of =
                |it: &'a StatementActivity| ((database.database.as_str(), it.text.as_str()), it);
            database.statements.iter().map(of)
        });
        Self {
            statements: statements.collect(),
            left_out: databases.map(|it| (it.database.as_str(), it.statements_left_out)).collect(),
            databases_left_out: before.databases_left_out,
            is_of_others: before.nodes.answered != now.nodes.answered,
            nothing: StatementActivity::default(),
        }
    }

    /// What was counted of a shape before. Where that cannot be known, it is what is told now: all that was ever counted would
    /// look like a burst.
    fn known<'b>(&'b self, database: &str, told: &'b StatementActivity) -> &'b StatementActivity {
        if self.is_of_others {
            return told;
        }
        match self.statements.get(&(database, told.text.as_str())) {
            // A proxy was started anew, or another one has answered.
            Some(known) if went_down(known, told) => told,
            Some(known) => known,
            None if *self.left_out.get(database).unwrap_or(&self.databases_left_out) > 0 => told,
            None => &self.nothing,
        }
    }
}

fn went_down(before: &StatementActivity, now: &StatementActivity) -> bool {
    before.queries.iter().any(|(status, before)| *before > count(now, status))
        || micros(before) > micros(now)
        || before.errors > now.errors
        || before.round_trips_saved > now.round_trips_saved
}

fn micros(it: &StatementActivity) -> u64 {
    it.cached_micros.saturating_add(it.uncached_micros)
}

fn ratio((hits, all): (u64, u64)) -> Option<f64> {
    (all > 0).then(|| float(hits) / float(all))
}

fn calls(it: &StatementActivity) -> u64 {
    it.queries.values().sum()
}

fn count(it: &StatementActivity, status: &str) -> u64 {
    it.queries.get(status).copied().unwrap_or_default()
}

/// As exact as a person reads it.
#[expect(clippy::cast_precision_loss, reason = "past 2^53 nobody misses the last digits")]
pub(super) const fn float(value: u64) -> f64 {
    value as f64
}

/// A text of somebody in one line, with nothing in it that a terminal obeys or that turns the direction of a line.
fn plain(text: &str) -> String {
    let is_obeyed = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let text: String = text.chars().map(|it| if is_obeyed(it) { ' ' } else { it }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live(calls: u64) -> Live {
        serde_json::from_value(json!({
            "nodes": { "asked": 2, "answered": 1 },
            "databases": [{
                "database": "app", "clients": 3, "pinned": 1, "pool": { "max": 20, "in_use": 4, "waiting": 1 },
                "statements": [
                    { "text": "SELECT\n \u{1b}[2J?", "queries": { "hit": calls, "miss": 2 }, "cached_micros": calls * 100,
                      "uncached_micros": 40_000, "uncached": [0, 0, 0, 0, 0, 0, 0, 0, 0, calls], "round_trips_saved": calls },
                ],
                "sessions": [{ "node": "p", "user": "u", "address": "h:1", "application": "a\u{202e}b", "state": "idle" }],
            }],
        }))
        .unwrap()
    }

    #[test]
    fn what_was_counted_in_between_is_what_counts() {
        let look = Look::between(&live(10), &live(30), Duration::from_secs(2));
        assert_eq!((look.nodes, look.pool, look.clients, look.pinned), ((2, 1), (4, 20, 1), 3, 1));
        assert_eq!((look.calls(), look.hit_ratio()), (10.0, Some(1.0)));
        assert_eq!(
            (look.shapes[0].calls, look.shapes[0].mean(), look.shapes[0].saved),
            (20, 0.1, 20)
        );
        // Between 20 and 50 ms.
        assert_eq!(look.quantile(0.5), Some(35.0));
        let all = Look::at(&live(30));
        assert_eq!((all.calls(), all.shapes[0].calls, all.shapes[0].hits), (32.0, 32, (30, 32)));
    }

    #[test]
    fn what_cannot_be_told_from_what_was_counted_before_is_no_burst() {
        let calls = |before: &Live, now: &Live| {
            let look = Look::between(before, now, Duration::from_secs(1));
            assert_eq!(look.shapes.len(), 1);
            assert_eq!(look.quantile(0.5).is_some(), look.shapes[0].calls > 0);
            look.shapes[0].calls
        };
        // A shape that is new is counted from nothing, unless it may have been left out.
        let mut before = live(30);
        before.databases[0].statements.clear();
        assert_eq!(calls(&before, &live(31)), 33);
        before.databases[0].statements_left_out = 1;
        assert_eq!(calls(&before, &live(31)), 0);
        before.databases.clear();
        assert_eq!(calls(&before, &live(31)), 33);
        before.databases_left_out = 1;
        assert_eq!(calls(&before, &live(31)), 0);
        // A proxy was started anew; all of its counts, or only some.
        assert_eq!(calls(&live(30), &live(5)), 0);
        let mut before = live(5);
        before.databases[0].statements[0].queries.insert(String::from("miss"), 3);
        assert_eq!(calls(&before, &live(30)), 0);
        // One more has answered.
        let mut before = live(5);
        before.nodes.answered = 2;
        assert_eq!(calls(&before, &live(30)), 0);
    }

    #[test]
    fn nothing_of_a_client_reaches_the_terminal_that_it_would_obey() {
        let look = Look::at(&live(1));
        assert_eq!(look.shapes[0].text, "SELECT [2J?");
        assert_eq!(look.sessions[0].from, "h:1 a b");
    }
}
