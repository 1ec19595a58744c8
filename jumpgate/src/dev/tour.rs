//! The tour: the same query far away, uncached, cached, and after a write, with its cost.

use std::{process::ExitCode, time::Duration};

use serving::config::OriginConfig;
use tokio::time::Instant;

use super::guide::Guide;
use crate::{
    probe::{Probe, ProbeError},
    report,
};

/// A sample to query, for both engines; the table stays, to play with.
const SAMPLE: [&str; 3] = [
    "DROP TABLE IF EXISTS jumpgate_tour",
    "CREATE TABLE jumpgate_tour (city varchar(40) PRIMARY KEY, visitors integer NOT NULL)",
    "INSERT INTO jumpgate_tour VALUES ('Lisbon', 41), ('Nairobi', 17), ('Osaka', 23)",
];
const QUERY: &str = "SELECT visitors FROM jumpgate_tour WHERE city = 'Lisbon'";
const UNCACHED: &str =
    "/* jumpgate: no-cache */ SELECT visitors FROM jumpgate_tour WHERE city = 'Lisbon'";
const WRITE: &str = "UPDATE jumpgate_tour SET visitors = visitors + 1 WHERE city = 'Lisbon'";
const BEFORE: &str = "41";
const AFTER: &str = "42";
/// A time is the best of so many.
const TRIES: usize = 5;
/// Connecting is slow where it is far.
const CONNECT_TRIES: usize = 2;
const UNCACHED_ROUND_TRIPS_MAX: f64 = 2.5;
const CACHED_MAX: Duration = Duration::from_millis(2);
/// How long the catalog may take; the table then shows what is wrong.
const CATALOG_TIMEOUT: Duration = Duration::from_secs(20);
const CATALOG_PAUSE: Duration = Duration::from_millis(100);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Why the tour could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum TourError {
    /// No connection, or no login.
    #[error("no login {way}")]
    Login {
        /// Directly, or through Jumpgate.
        way: &'static str,
        /// What was refused, and by which layer.
        #[source]
        source: ProbeError,
    },
    /// A statement failed.
    #[error("{sql:?} failed")]
    Statement {
        /// The statement.
        sql: &'static str,
        /// The database's word.
        #[source]
        source: ProbeError,
    },
}

/// What the tour found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Every value was right and every time within its bound.
    Good,
    /// Something is wrong, and was named.
    Broken,
}

impl Verdict {
    pub(super) const fn exit_code(self) -> ExitCode {
        match self {
            Self::Good => ExitCode::SUCCESS,
            Self::Broken => ExitCode::FAILURE,
        }
    }
}

/// One line of the table.
struct Measure {
    what: &'static str,
    took: Duration,
    /// What the proxy says of the statement; none on a direct connection.
    status: Option<String>,
    value: String,
    expected: &'static str,
}

/// A query's answer and its time.
type Timed = (String, Duration);

/// Walks through it for each database, prints the tables, and says whether all was as it must be.
pub(super) async fn show(guides: &[Guide], delay: Duration) -> Result<Verdict, TourError> {
    let mut verdict = Verdict::Good;
    for guide in guides {
        if show_one(guide, delay).await? == Verdict::Broken {
            verdict = Verdict::Broken;
        }
    }
    Ok(verdict)
}

async fn show_one(guide: &Guide, delay: Duration) -> Result<Verdict, TourError> {
    let word = guide.engine.word();
    report::line(&format!("\nThe tour of {word}: a sample table, and one query on it.\n"));
    let mut probe = guide.log_in_at_proxy().await?;
    for sql in SAMPLE {
        query(&mut probe, sql).await?;
    }
    let measures = measure(guide, &mut probe).await?;
    report::line(&header());
    for measure in &measures {
        report::line(&measure.row(delay));
    }
    let complaints = complaints(&measures, delay);
    for complaint in &complaints {
        report::problem(&format!("the tour of {word} found: {complaint}"));
    }
    Ok(if complaints.is_empty() { Verdict::Good } else { Verdict::Broken })
}

const UNCACHED_ROW: &str = "query, uncached";
const CACHED_ROW: &str = "query, cached";
const FRESH_ROW: &str = "query, after a write";
const AGAIN_ROW: &str = "query, cached again";

async fn measure(guide: &Guide, probe: &mut Probe) -> Result<Vec<Measure>, TourError> {
    let mut measures = Vec::new();
    let mut row = |what, (value, took): Timed, status, expected| {
        measures.push(Measure { what, took, status, value, expected });
    };
    let direct = best_connect(async || {
        let mut fresh = guide.log_in_directly().await?;
        query(&mut fresh, QUERY).await
    });
    row("connect and query, direct", direct.await?, None, BEFORE);
    let through = best_connect(async || {
        let mut fresh = guide.log_in_at_proxy().await?;
        query(&mut fresh, UNCACHED).await
    });
    row("connect and query, Jumpgate", through.await?, None, BEFORE);

    let timed = best(probe, UNCACHED).await?;
    row(UNCACHED_ROW, timed, Some(status(probe).await?), BEFORE);
    wait_for_catalog(probe).await?;
    let timed = best(probe, QUERY).await?;
    row(CACHED_ROW, timed, Some(status(probe).await?), BEFORE);
    query(probe, WRITE).await?;
    let timed = query(probe, QUERY).await?;
    row(FRESH_ROW, timed, Some(status(probe).await?), AFTER);
    let timed = best(probe, QUERY).await?;
    row(AGAIN_ROW, timed, Some(status(probe).await?), AFTER);
    Ok(measures)
}

fn header() -> String {
    format!(
        "  {:<28} {:>10}  {:>11}  {:<13} {:>5}",
        "", "time", "round trips", "cache status", "value",
    )
}

impl Measure {
    fn row(&self, delay: Duration) -> String {
        let time = format!("{:.1} ms", self.took.as_secs_f64() * 1000.0);
        let trips = self.round_trips(delay).map_or_else(|| "-".into(), |n| format!("{n:.1}"));
        let status = self.status.as_deref().unwrap_or("-");
        format!("  {:<28} {time:>10}  {trips:>11}  {status:<13} {:>5}", self.what, self.value)
    }

    /// The time in round trips; none without a delay to divide by.
    fn round_trips(&self, delay: Duration) -> Option<f64> {
        (!delay.is_zero()).then(|| self.took.as_secs_f64() / delay.as_secs_f64())
    }
}

/// What is not as it must be.
fn complaints(measures: &[Measure], delay: Duration) -> Vec<String> {
    let mut complaints = Vec::new();
    for measure in measures {
        let Measure { what, took, status, value, expected } = measure;
        if value != expected {
            complaints.push(format!("{what}: the value is {value}, not {expected}"));
        }
        let is_cached = [CACHED_ROW, AGAIN_ROW].contains(what);
        if is_cached && *took > CACHED_MAX {
            let milliseconds = took.as_secs_f64() * 1000.0;
            complaints.push(format!("{what}: {milliseconds:.1} ms, more than 2 ms"));
        }
        if is_cached && status.as_deref() != Some("hit") {
            complaints.push(format!("{what}: the cache status is {status:?}, not a hit"));
        }
        if *what == UNCACHED_ROW
            && let Some(trips) = measure.round_trips(delay)
            && trips > UNCACHED_ROUND_TRIPS_MAX
        {
            complaints.push(format!("{what}: {trips:.1} round trips, more than 2.5"));
        }
    }
    complaints
}

/// Asks until the answer comes from the cache.
///
/// A new table is known to the cache once the origin's catalog was read again, which takes some round
/// trips; until then nothing is cached.
async fn wait_for_catalog(probe: &mut Probe) -> Result<(), TourError> {
    let deadline = Instant::now() + CATALOG_TIMEOUT;
    while Instant::now() < deadline {
        query(probe, QUERY).await?;
        if status(probe).await? == "hit" {
            return Ok(());
        }
        tokio::time::sleep(CATALOG_PAUSE).await;
    }
    Ok(())
}

/// The quickest of a few runs, with the last run's answer.
async fn best(probe: &mut Probe, sql: &'static str) -> Result<Timed, TourError> {
    let (mut value, mut took) = query(probe, sql).await?;
    for _ in 1..TRIES {
        let (again, time) = query(probe, sql).await?;
        (value, took) = (again, took.min(time));
    }
    Ok((value, took))
}

/// The quickest of a few connections, from the dial to the answer.
async fn best_connect(
    connect: impl AsyncFn() -> Result<Timed, TourError>,
) -> Result<Timed, TourError> {
    let mut quickest: Option<Timed> = None;
    for _ in 0..CONNECT_TRIES {
        let started = Instant::now();
        let (value, _) = connect().await?;
        let took = started.elapsed();
        quickest = Some(match quickest {
            Some((_, least)) => (value, took.min(least)),
            None => (value, took),
        });
    }
    Ok(quickest.unwrap_or_default())
}

/// One run of a statement as text: its first value and its time.
async fn query(probe: &mut Probe, sql: &'static str) -> Result<Timed, TourError> {
    let started = Instant::now();
    let value = probe.first_value(sql).await;
    let value = value.map_err(|source| TourError::Statement { sql, source })?;
    let took = started.elapsed();
    Ok((value.unwrap_or_else(|| String::from("none")), took))
}

/// What the proxy says of the statement before.
async fn status(probe: &mut Probe) -> Result<String, TourError> {
    let sql = "the cache status";
    let status = probe.cache_status().await;
    let status = status.map_err(|source| TourError::Statement { sql, source })?;
    Ok(status.unwrap_or_else(|| String::from("none")))
}

impl Guide {
    async fn log_in_at_proxy(&self) -> Result<Probe, TourError> {
        self.log_in("through Jumpgate", &self.proxy).await
    }

    async fn log_in_directly(&self) -> Result<Probe, TourError> {
        self.log_in("directly", &self.direct).await
    }

    async fn log_in(&self, way: &'static str, to: &OriginConfig) -> Result<Probe, TourError> {
        let login = Probe::open(self.engine, to, CONNECT_TIMEOUT).await;
        login.map_err(|source| TourError::Login { way, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_millis(40);

    fn row(what: &'static str, milliseconds: u64, status: &str, value: &str) -> Measure {
        let took = Duration::from_millis(milliseconds);
        let status = Some(status.to_owned());
        Measure { what, took, status, value: value.to_owned(), expected: BEFORE }
    }

    #[test]
    fn a_row_shows_time_round_trips_status_and_value() {
        let shown = row(UNCACHED_ROW, 43, "uncacheable", "41").row(DELAY);
        let expected =
            "  query, uncached                 43.0 ms          1.1  uncacheable      41";
        assert_eq!(shown, expected);
        assert!(row(UNCACHED_ROW, 1, "miss", "41").row(Duration::ZERO).contains(" -  miss"));
    }

    #[test]
    fn what_is_not_as_it_must_be_is_named() {
        let table = [
            (row(UNCACHED_ROW, 99, "uncacheable", "41"), None),
            (row(UNCACHED_ROW, 101, "uncacheable", "41"), Some("2.5 round trips, more than 2.5")),
            (row(CACHED_ROW, 2, "hit", "41"), None),
            (row(CACHED_ROW, 3, "hit", "41"), Some("3.0 ms, more than 2 ms")),
            (row(CACHED_ROW, 1, "miss", "41"), Some("not a hit")),
            (row(FRESH_ROW, 50, "miss", "40"), Some("the value is 40, not 41")),
        ];
        for (measure, expected) in table {
            let found = complaints(&[measure], DELAY).join("; ");
            match expected {
                Some(expected) => assert!(found.contains(expected), "{found}"),
                None => assert_eq!(found, ""),
            }
        }
    }
}
