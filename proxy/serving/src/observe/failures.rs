//! Counters of what failed: logins, connections to origins, statements.
//!
//! They move seldom, so that they are looked up by their labels, all of closed sets. Each is born at zero where its
//! labels are known ahead, so that a rate sees the first failure, too.

use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use tokio::time::Instant;

use super::words::Words;
use crate::{activity::Failure, error::LoginFailure};

/// From one line of a kind to the next.
const PACE: Duration = Duration::from_secs(1);
/// Why a login is refused, whatever its password is.
const UNHEARD: [&str; 6] = [
    "too_many_clients",
    "too_many_of_user",
    "too_many_of_database",
    "too_many_failures",
    "timed_out",
    "pushed_out",
];
/// Why no connection to an origin could be opened, without those of the tunnel.
const CONNECT: [&str; 7] = [
    "dns_failure",
    "connection_refused",
    "connection_timed_out",
    "origin_unreachable",
    "tls_required",
    "bad_certificate",
    "authentication_failed",
];
/// Why the proxy refused or ended a statement.
const REFUSED: [&str; 3] = ["no_connection", "checkout_timeout", "statement_timeout"];
/// The classes of SQLSTATE that servers of either engine use.
const CLASSES: [&str; 36] = [
    "01", "02", "08", "0A", "0L", "0P", "20", "21", "22", "23", "24", "25", "26", "27", "28", "2B",
    "2D", "2F", "34", "38", "39", "3B", "3D", "3F", "40", "42", "44", "53", "54", "55", "57", "58",
    "70", "HY", "P0", "XX",
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DatabaseLabels {
    database: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabels {
    database: String,
    class: &'static str,
}

impl DatabaseLabels {
    pub(super) fn of(database: &str, reason: &'static str) -> Self {
        Self { database: database.to_owned(), reason }
    }
}

impl ClassLabels {
    pub(super) fn of(database: &str, class: &'static str) -> Self {
        Self { database: database.to_owned(), class }
    }
}

/// Every counter of failures of the process.
#[derive(Debug, Default)]
pub(super) struct Failures {
    logins: Family<ReasonLabels, Counter>,
    connects: Family<DatabaseLabels, Counter>,
    statements: Family<DatabaseLabels, Counter>,
    sql: Family<ClassLabels, Counter>,
}

/// Those of one database.
#[derive(Debug)]
pub struct DatabaseFailures {
    connects: Words<DatabaseLabels>,
    statements: Words<DatabaseLabels>,
    sql: Words<ClassLabels>,
    database: String,
}

impl Failures {
    pub(super) fn register(&self, registry: &mut Registry) {
        for reason in LoginFailure::ALL.map(LoginFailure::word).into_iter().chain(UNHEARD) {
            drop(self.logins.get_or_create_owned(&ReasonLabels { reason }));
        }
        let help = "Logins that came to nothing, by reason";
        registry.register("logins_refused", help, self.logins.clone());
        let help = "Connections to the origin that could not be opened, by reason";
        registry.register("connect_failures", help, self.connects.clone());
        let help = "Statements that the proxy refused or ended, by reason";
        registry.register("statements_refused", help, self.statements.clone());
        let help = "Errors of the database that clients were told, by class of SQLSTATE";
        registry.register("sql_errors", help, self.sql.clone());
    }

    pub(super) fn login(&self, reason: &'static str) {
        self.logins.get_or_create(&ReasonLabels { reason }).inc();
    }

    pub(super) fn of(&self, database: &str) -> DatabaseFailures {
        let connects = Words::new(&self.connects, DatabaseLabels::of);
        let statements = Words::new(&self.statements, DatabaseLabels::of);
        let sql = Words::new(&self.sql, ClassLabels::of);
        for reason in CONNECT {
            drop(connects.get(database, reason));
        }
        for reason in REFUSED {
            drop(statements.get(database, reason));
        }
        for class in ["22", "23", "40", "42", "53", "57"] {
            drop(sql.get(database, class));
        }
        DatabaseFailures { connects, statements, sql, database: database.to_owned() }
    }
}

impl DatabaseFailures {
    /// Counts a connection to the origin that could not be opened.
    pub fn connect(&self, reason: &'static str) {
        self.connects.get(&self.database, reason).inc();
    }

    /// Counts a statement that the proxy refused or ended.
    pub fn statement(&self, reason: &'static str) {
        self.statements.get(&self.database, reason).inc();
    }

    /// Counts an error of the database, by its SQLSTATE.
    pub fn sql(&self, sqlstate: &[u8]) {
        let known = |class: &&&str| sqlstate.starts_with(class.as_bytes());
        let class = CLASSES.iter().find(known).copied().unwrap_or("other");
        self.sql.get(&self.database, class).inc();
    }

    /// Each that there was: where, why, and how often.
    pub(super) fn counts(&self) -> Vec<(Failure, u64)> {
        let of = |place, counts: Vec<(&'static str, u64)>| {
            counts.into_iter().map(move |(reason, count)| ((place, reason), count))
        };
        of("connect", self.connects.counts())
            .chain(of("statement", self.statements.counts()))
            .chain(of("sql", self.sql.counts()))
            .collect()
    }

    /// Shows them no longer.
    pub(super) fn forget(&self) {
        self.connects.forget(&self.database);
        self.statements.forget(&self.database);
        self.sql.forget(&self.database);
    }
}

/// Lets one line a second through, of what may happen thousands of times in one.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<(Option<Instant>, u64)>);

impl Seldom {
    /// Whether to say it, and how often it was not said since it was.
    pub fn turn(&self) -> Option<u64> {
        let now = Instant::now();
        let (said, unsaid) = &mut *self.0.lock();
        if said.is_some_and(|said| now.saturating_duration_since(said) < PACE) {
            *unsaid += 1;
            return None;
        }
        *said = Some(now);
        Some(std::mem::take(unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Metrics;

    #[tokio::test(start_paused = true)]
    async fn a_line_comes_once_a_second_and_says_how_many_did_not() {
        let seldom = Seldom::default();
        assert_eq!([seldom.turn(), seldom.turn(), seldom.turn()], [Some(0), None, None]);
        tokio::time::advance(PACE).await;
        assert_eq!([seldom.turn(), seldom.turn()], [Some(2), None]);
    }

    /// FAULTS §4, "Who, and why": /metrics counted no failure at all.
    #[test]
    fn every_failure_is_counted_and_born_at_zero() {
        let metrics = Metrics::new();
        let database = metrics.database("app", "1");
        let shown = |line: &str| {
            let text = metrics.render().unwrap();
            assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
        };
        for count in 0..2 {
            shown(&format!("jumpgate_logins_refused_total{{reason=\"wrong_password\"}} {count}"));
            shown(&format!("jumpgate_logins_refused_total{{reason=\"pushed_out\"}} {count}"));
            for (name, label) in [
                ("connect_failures", "reason=\"connection_refused\""),
                ("statements_refused", "reason=\"statement_timeout\""),
                ("sql_errors", "class=\"23\""),
            ] {
                shown(&format!("jumpgate_{name}_total{{database=\"app\",{label}}} {count}"));
            }
            metrics.login_refused("wrong_password");
            metrics.login_refused("pushed_out");
            database.failures.connect("connection_refused");
            database.failures.statement("statement_timeout");
            database.failures.sql(b"23505");
        }
        for odd in [&b"ZZ123"[..], b"", b"2"] {
            database.failures.sql(odd);
        }
        shown("jumpgate_sql_errors_total{database=\"app\",class=\"other\"} 3");
    }
}
