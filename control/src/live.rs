//! What goes on now, at all proxies together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    history::latency,
    nodes::activity::{
        Activity, DatabaseActivity, PoolActivity, SessionActivity, StatementActivity,
    },
};

/// Longest texts of a proxy that are passed on.
const TEXT_MAX: usize = 2_000;
const NAME_MAX: usize = 256;
const PINS_MAX: usize = 32;

/// What goes on now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Live {
    /// How many proxies there are, and how many have answered.
    pub nodes: Nodes,
    /// Those that anybody has used, by name.
    pub databases: Vec<LiveDatabase>,
    /// Databases that proxies left out, each counted at each of them, since their answers would be too long.
    pub databases_left_out: u64,
}

/// How many proxies there are, and how many have answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Nodes {
    /// That are there.
    pub asked: usize,
    /// That have answered in time.
    pub answered: usize,
}

/// What goes on in one database, at all proxies together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveDatabase {
    /// The name of its config.
    pub database: String,
    /// Its connections.
    pub pool: PoolActivity,
    /// Clients that have logged in.
    pub clients: u64,
    /// Of them, those that keep a connection to themselves.
    pub pinned: u64,
    /// Reads in transactions, since the start, that the cache would have been asked with `in_transactions`.
    pub transaction_reads: u64,
    /// Since when statements are counted, where that is the longest; in seconds since 1970.
    pub counted_since: u64,
    /// Statements by shape, those first that took the most time.
    pub statements: Vec<StatementActivity>,
    /// Shapes that were left out, at least.
    pub statements_left_out: u64,
    /// Clients, those first that have been busy for the longest.
    pub sessions: Vec<LiveSession>,
    /// Clients that were left out.
    pub sessions_left_out: u64,
}

/// One client, and where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveSession {
    /// The name of its proxy.
    pub node: String,
    /// The client.
    #[serde(flatten)]
    pub session: SessionActivity,
}

impl Live {
    /// What nodes say, together: statements of the same text are one. Of each database at most so many statements and
    /// sessions.
    pub fn of(
        asked: usize,
        answers: Vec<(String, Activity)>,
        statements: usize,
        sessions: usize,
    ) -> Self {
        let nodes = Nodes { asked, answered: answers.len() };
        let mut databases_left_out = 0_u64;
        // Of one name may be several, of which one is there no longer.
        let mut databases: BTreeMap<_, LiveDatabase> = BTreeMap::new();
        for (node, activity) in answers {
            databases_left_out = databases_left_out.saturating_add(activity.databases_left_out);
            for told in activity.databases {
                let entry = databases.entry((told.database.clone(), told.id.clone())).or_default();
                entry.database.clone_from(&told.database);
                entry.add(&node, told);
            }
        }
        let mut databases: Vec<_> = databases.into_values().collect();
        databases.iter_mut().for_each(|database| database.cut(statements, sessions));
        Self { nodes, databases, databases_left_out }
    }
}

impl LiveDatabase {
    fn add(&mut self, node: &str, told: DatabaseActivity) {
        for (sum, count) in [
            (&mut self.pool.max, told.pool.max),
            (&mut self.pool.in_use, told.pool.in_use),
            (&mut self.pool.idle, told.pool.idle),
            (&mut self.pool.waiting, told.pool.waiting),
            (&mut self.clients, told.clients),
            (&mut self.pinned, told.pinned),
            (&mut self.transaction_reads, told.transaction_reads),
            (&mut self.statements_left_out, told.statements_left_out),
            (&mut self.sessions_left_out, told.sessions_left_out),
        ] {
            *sum = sum.saturating_add(count);
        }
        let is_earlier = self.counted_since == 0 || told.counted_since < self.counted_since;
        if is_earlier && told.counted_since > 0 {
            self.counted_since = told.counted_since;
        }
        self.statements.extend(told.statements);
        self.sessions.extend(told.sessions.into_iter().map(|session| {
            let session = SessionActivity {
                user: shortened(session.user, NAME_MAX),
                address: shortened(session.address, NAME_MAX),
                application: session.application.map(|it| shortened(it, NAME_MAX)),
                state: shortened(session.state, NAME_MAX),
                statement: session.statement.map(|it| shortened(it, TEXT_MAX)),
                pins: session
                    .pins
                    .into_iter()
                    .take(PINS_MAX)
                    .map(|it| shortened(it, NAME_MAX))
                    .collect(),
                ..session
            };
            LiveSession { node: node.to_owned(), session }
        }));
    }

    /// One of each text, and no more than was asked for.
    fn cut(&mut self, statements: usize, sessions: usize) {
        let mut by_text: BTreeMap<String, StatementActivity> = BTreeMap::new();
        for told in self.statements.drain(..) {
            let text = shortened(told.text.clone(), TEXT_MAX);
            let sum = by_text.entry(text.clone()).or_default();
            sum.text = text;
            add(sum, told);
        }
        let micros = |it: &StatementActivity| it.cached_micros.saturating_add(it.uncached_micros);
        self.statements.extend(by_text.into_values());
        self.statements.sort_by_key(|it| std::cmp::Reverse(micros(it)));
        self.sessions.sort_by_key(|it| {
            (it.session.state == "idle", std::cmp::Reverse(it.session.state_millis))
        });
        let over =
            |length: usize, most| u64::try_from(length.saturating_sub(most)).unwrap_or(u64::MAX);
        let (left_out, gone) =
            (over(self.statements.len(), statements), over(self.sessions.len(), sessions));
        self.statements_left_out = self.statements_left_out.saturating_add(left_out);
        self.sessions_left_out = self.sessions_left_out.saturating_add(gone);
        self.statements.truncate(statements);
        self.sessions.truncate(sessions);
    }
}

fn add(sum: &mut StatementActivity, told: StatementActivity) {
    for (status, count) in told.queries {
        let of_it = sum.queries.entry(shortened(status, NAME_MAX)).or_default();
        *of_it = of_it.saturating_add(count);
    }
    for (to, count) in [
        (&mut sum.errors, told.errors),
        (&mut sum.cached_micros, told.cached_micros),
        (&mut sum.uncached_micros, told.uncached_micros),
        (&mut sum.round_trips_saved, told.round_trips_saved),
    ] {
        *to = to.saturating_add(count);
    }
    latency::add(&mut sum.uncached, &told.uncached);
    let why = told.why_not_cached.map(|why| shortened(why, TEXT_MAX));
    sum.why_not_cached = sum.why_not_cached.take().or(why);
}

fn shortened(mut text: String, longest: usize) -> String {
    if text.len() > longest {
        text.truncate(text.floor_char_boundary(longest));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(clients: u64, statements: &[(&str, u64)], sessions: &[(&str, u64)]) -> Activity {
        let statements: Vec<_> = statements
            .iter()
            .map(|(text, count)| {
                json!({
                    "text": text, "queries": { "hit": count, "miss": 1 }, "uncached_micros": count * 10,
                    "uncached": [0, 1], "why_not_cached": text.starts_with("UPDATE").then_some("it writes"),
                })
            })
            .collect();
        let sessions: Vec<_> = sessions
            .iter()
            .map(|(state, millis)| json!({ "id": millis, "state": state, "state_millis": millis }))
            .collect();
        serde_json::from_value(json!({ "databases": [{
            "database": "app", "clients": clients, "pool": { "max": 20, "in_use": 1 },
            "counted_since": 100 + clients, "statements": statements, "sessions": sessions,
            "statements_left_out": 1, "something new": true,
        }], "databases_left_out": clients }))
        .unwrap()
    }

    #[test]
    fn what_proxies_say_is_one_thing() {
        let one = told(2, &[("SELECT ?", 5), ("UPDATE t", 1)], &[("idle", 90), ("active", 5)]);
        let two = told(3, &[("SELECT ?", 7), ("SELECT b", 2)], &[("active", 50)]);
        let answers = vec![(String::from("p1"), one), (String::from("p2"), two)];
        let live = Live::of(3, answers, 2, 2);
        assert_eq!(live.nodes, Nodes { asked: 3, answered: 2 });
        assert_eq!(live.databases_left_out, 5);
        let [app] = live.databases.as_slice() else { panic!("{live:?}") };
        assert_eq!((app.clients, app.pool.max, app.counted_since), (5, 40, 102));
        let statements: Vec<_> = app.statements.iter().map(|it| &*it.text).collect();
        assert_eq!(statements, ["SELECT ?", "SELECT b"]);
        assert_eq!(
            (app.statements[0].queries["hit"], &*app.statements[0].uncached),
            (12, &[0, 2][..])
        );
        // One at each proxy, and one here.
        assert_eq!((app.statements_left_out, app.sessions_left_out), (3, 1));
        let sessions = app.sessions.iter().map(|it| (&*it.node, it.session.state_millis));
        assert_eq!(sessions.collect::<Vec<_>>(), [("p2", 50), ("p1", 5)]);
        let json = serde_json::to_value(&app.sessions[0]).unwrap();
        assert_eq!((&json["node"], &json["state"]), (&json!("p2"), &json!("active")));
    }

    #[test]
    fn texts_without_end_are_cut_off() {
        let long = "ü".repeat(3_000);
        let live = Live::of(1, vec![(String::new(), told(1, &[(&long, 1)], &[]))], 5, 5);
        assert_eq!(live.databases[0].statements[0].text, "ü".repeat(1_000));
    }
}
