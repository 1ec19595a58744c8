//! The report of both tables, and what the first one looks like: limits, text, JSON.
//!
//! A round trip cannot be had in part: what is over a whole number is computing (TLS, the login) and this machine's
//! load. So a time is within its limit while it is less than half a round trip over it; the milliseconds beside it
//! hide nothing.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    case::{Answer, Case, Sample, Way},
    jobs::{measure::Measured, table},
};

/// All that was measured.
#[derive(Debug)]
pub struct Report {
    /// What bytes took one way.
    pub delay: Duration,
    /// How often each was measured.
    pub rounds: u32,
    /// One for each database.
    pub engines: Vec<Results>,
}

/// What was measured with one database.
#[derive(Debug)]
pub struct Results {
    /// Which it is.
    pub name: &'static str,
    /// Connecting and the first query, in the order of the table.
    pub rows: Vec<Row>,
    /// Jobs of drivers, likewise.
    pub jobs: Vec<Measured>,
}

/// What was measured in one case.
#[derive(Debug)]
pub struct Row {
    /// The case.
    pub case: Case,
    /// At least one.
    pub samples: Vec<Sample>,
}

impl Case {
    /// The most round trips that connecting and the first query, or another query, may take.
    fn limit(self) -> Option<u32> {
        match (self.way, self.answer) {
            (Way::Direct, _) | (_, Answer::Cold) => None,
            (_, Answer::Uncached) => Some(1),
            (_, Answer::Cached) => Some(0),
        }
    }
}

impl Report {
    /// Whether every limit was met.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let mut jobs = self.engines.iter().flat_map(|results| &results.jobs);
        let mut rows = self.engines.iter().flat_map(|results| &results.rows);
        jobs.all(|job| job.met(self.delay))
            && rows.all(|row| {
                TIMES
                    .iter()
                    .all(|(_, time)| Figure::of(row, *time, self.delay).met() != Some(false))
            })
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        for Results { name, rows, .. } in
            self.engines.iter().filter(|engine| !engine.rows.is_empty())
        {
            let (delay, trip) = (milliseconds(self.delay), milliseconds(2 * self.delay));
            let title = format!(
                "{name}, {delay} ms away, so that a round trip takes {trip} ms; medians of {} rounds",
                self.rounds
            );
            let heads = TIMES.map(|(head, _)| format!("{head:>25}{:8}", "")).concat();
            let columns =
                TIMES.map(|_| format!("{:>11}{:>7}{:>7}{:8}", "ms", "trips", "limit", ""));
            let lines =
                [title, format!("{:29}{heads}", ""), format!("{:29}{}", "", columns.concat())];
            for line in lines.iter().cloned().chain(rows.iter().map(|row| self.line(row))) {
                text.push_str(line.trim_end());
                text.push('\n');
            }
            text.push('\n');
        }
        for Results { name, jobs, .. } in
            self.engines.iter().filter(|engine| !engine.jobs.is_empty())
        {
            let (trip, rounds) = (milliseconds(2 * self.delay), self.rounds);
            let title = format!("{name}: round trips of {trip} ms, medians of {rounds} rounds");
            text.push_str(&table::render(&title, jobs, self.delay));
        }
        text
    }

    fn line(&self, row: &Row) -> String {
        let Case { way, statement, answer } = row.case;
        let mut line = format!("{way:8}{statement:10}{answer:11}");
        for (_, time) in TIMES {
            let figure = Figure::of(row, time, self.delay);
            let limit = figure.limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
            let met = match figure.met() {
                None => "",
                Some(true) => "met",
                Some(false) => "NOT MET",
            };
            let (ms, trips) = (milliseconds(figure.median), figure.trips);
            line.push_str(&format!("{ms:>11.1}{trips:>7.1}{limit:>7} {met:<7}"));
        }
        line
    }

    /// The same as one object, with every sample.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "delay_ms": milliseconds(self.delay),
            "round_trip_ms": milliseconds(2 * self.delay),
            "rounds": self.rounds,
            "good": self.is_good(),
            "engines": self.engines.iter().map(|results| json!({
                "name": results.name,
                "rows": results.rows.iter().map(|row| self.row_json(row)).collect::<Vec<_>>(),
                "jobs": table::json(&results.jobs, self.delay),
            })).collect::<Vec<_>>(),
        })
    }

    fn row_json(&self, row: &Row) -> Value {
        let mut object = json!({
            "way": row.case.way.to_string(),
            "statement": row.case.statement.to_string(),
            "answer": row.case.answer.to_string(),
        });
        for (name, time) in TIMES {
            let figure = Figure::of(row, time, self.delay);
            object[name.replace(' ', "_")] = json!({
                "median_ms": milliseconds(figure.median),
                "round_trips": figure.trips,
                "limit": figure.limit,
                "met": figure.met(),
                "ms": row.samples.iter().map(|sample| milliseconds(time(sample))).collect::<Vec<_>>(),
            });
        }
        object
    }
}

/// One time of a case, and what it is held against.
struct Figure {
    median: Duration,
    trips: f64,
    limit: Option<u32>,
}

impl Figure {
    fn of(row: &Row, time: Time, delay: Duration) -> Self {
        let median = median(row.samples.iter().map(time).collect());
        let trips = median.as_secs_f64() / (2 * delay).as_secs_f64();
        Self { median, trips, limit: row.case.limit() }
    }

    /// Whether it is less than half a round trip over its limit; none without one.
    fn met(&self) -> Option<bool> {
        self.limit.map(|limit| self.trips < f64::from(limit) + 0.5)
    }
}

/// One of the times of a sample.
type Time = fn(&Sample) -> Duration;

/// All of them, with what they are called.
const TIMES: [(&str, Time); 2] =
    [("connect and first query", |sample| sample.first), ("second query", |sample| sample.second)];

/// The lower of the two in the middle, where they are two.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::{super::case::Statement, *};

    fn row(way: Way, answer: Answer, times: &[(u64, u64)]) -> Row {
        let case = Case { way, statement: Statement::Text, answer };
        let sample = |(first, second): &(u64, u64)| Sample {
            first: Duration::from_micros(*first),
            second: Duration::from_micros(*second),
        };
        Row { case, samples: times.iter().map(sample).collect() }
    }

    fn report(rows: Vec<Row>) -> Report {
        let engines = vec![Results { name: "PostgreSQL 18", rows, jobs: Vec::new() }];
        Report { delay: Duration::from_millis(40), rounds: 3, engines }
    }

    #[test]
    fn a_line_has_the_median_in_milliseconds_and_round_trips() {
        let report = report(vec![
            row(Way::Direct, Answer::Uncached, &[(570_000, 81_000), (560_000, 82_000)]),
            row(Way::Tcp, Answer::Uncached, &[(88_060, 81_300), (1, 1), (900_000, 900_000)]),
            row(Way::Tunnel, Answer::Cached, &[(40_000, 2_100)]),
        ]);
        let table = report.table();
        let lines: Vec<_> = table.lines().collect();
        let expected = [
            "PostgreSQL 18, 40 ms away, so that a round trip takes 80 ms; medians of 3 rounds",
            "                               connect and first query                     second query",
            "                                      ms  trips  limit                 ms  trips  limit",
            "direct  text      uncached         560.0    7.0      -               81.0    1.0      -",
            "TCP     text      uncached          88.1    1.1      1 met           81.3    1.0      1 met",
            "tunnel  text      cached            40.0    0.5      0 NOT MET        2.1    0.0      0 met",
            "",
        ];
        assert_eq!(lines, expected);
        assert!(!report.is_good());
    }

    #[test]
    fn a_limit_is_met_up_to_half_a_round_trip_over_it() {
        for (way, answer, micros, met) in [
            (Way::Tcp, Answer::Uncached, 119_999, Some(true)),
            (Way::Tcp, Answer::Uncached, 120_000, Some(false)),
            (Way::Tunnel, Answer::Cached, 39_999, Some(true)),
            (Way::Tunnel, Answer::Cached, 40_000, Some(false)),
            (Way::Tunnel, Answer::Cold, 900_000, None),
            (Way::Direct, Answer::Uncached, 900_000, None),
        ] {
            let report = report(vec![row(way, answer, &[(micros, 0)])]);
            let figure = &report.json()["engines"][0]["rows"][0]["connect_and_first_query"];
            assert_eq!(figure["met"].as_bool(), met, "{way}, {answer}: {micros}");
            assert_eq!(report.is_good(), met != Some(false));
        }
    }

    #[test]
    fn the_json_holds_every_sample() {
        let report = report(vec![row(Way::Tcp, Answer::Cached, &[(2000, 500), (4000, 700)])]);
        let json = report.json();
        let row = &json["engines"][0]["rows"][0];
        assert_eq!(
            (json["round_trip_ms"].as_f64(), json["rounds"].as_u64()),
            (Some(80.0), Some(3))
        );
        assert_eq!((row["way"].as_str(), row["answer"].as_str()), (Some("TCP"), Some("cached")));
        assert_eq!(row["second_query"]["ms"], serde_json::json!([0.5, 0.7]));
        assert_eq!(row["connect_and_first_query"]["median_ms"].as_f64(), Some(2.0));
    }
}
