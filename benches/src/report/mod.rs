//! What is said at the end: figures of each target, as a table, as JSON and as a chart.
//!
//! A figure of a target is the median over its rounds, so that one disturbed round does not move it; the longest
//! latency is that of all rounds, and what is counted is added up.

pub mod chart;
pub mod json;
pub mod table;

use serde::Serialize;

use crate::{
    args::{Protocol, Shape, Workload},
    record::Tally,
    round::Round,
};

/// All that was measured.
#[derive(Debug)]
pub struct Report {
    /// In the order of the arguments; the first is what the others are compared with.
    pub targets: Vec<Results>,
    /// How it was asked.
    pub shape: Shape,
    /// What was asked.
    pub workload: Workload,
    /// In which kind of statement.
    pub protocol: Protocol,
}

/// What was measured of one target.
#[derive(Debug)]
pub struct Results {
    /// Its name.
    pub name: String,
    /// One for each round.
    pub rounds: Vec<Figures>,
    /// Of all rounds.
    pub overall: Figures,
    /// All latencies.
    pub tally: Tally,
}

/// The figures of a round, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Right answers per second.
    pub tps: f64,
    /// Mean latency.
    pub mean_ms: f64,
    /// Median latency.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p999_ms: f64,
    /// Longest latency.
    pub max_ms: f64,
    /// Right answers.
    pub right: u64,
    /// Wrong answers.
    pub wrong: u64,
    /// Errors, and answers that did not come.
    pub errors: u64,
    /// Open loop: due, and never sent.
    pub late: Option<u64>,
    /// CPU time of the watched process.
    pub cpu_us_per_transaction: Option<f64>,
    /// Memory that the watched process held beyond what it held before the first connection.
    pub rss_kb_per_client: Option<f64>,
}

impl Report {
    /// Whether every answer was right, and every target gave one.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.targets.iter().all(|target| target.overall.wrong == 0 && target.overall.right > 0)
    }
}

impl Results {
    /// Adds up the rounds of a target.
    #[must_use]
    pub fn new(name: String, rounds: &[Round], idle_kb: Option<u64>, shape: &Shape) -> Self {
        let mut tally = Tally::new();
        for round in rounds {
            tally.add(&round.tally);
        }
        let rounds: Vec<_> =
            rounds.iter().map(|round| Figures::of(round, idle_kb, shape)).collect();
        Self { name, overall: Figures::over(&rounds), rounds, tally }
    }
}

impl Figures {
    fn of(round: &Round, idle_kb: Option<u64>, shape: &Shape) -> Self {
        let tally = &round.tally;
        let answered = float(tally.right + tally.wrong).max(1.0);
        let held = idle_kb.zip(round.resident_kb).map(|(idle, now)| now.saturating_sub(idle));
        Self {
            tps: float(tally.right) / round.elapsed.as_secs_f64(),
            mean_ms: tally.mean_ms(),
            p50_ms: tally.percentile_ms(50.0),
            p90_ms: tally.percentile_ms(90.0),
            p99_ms: tally.percentile_ms(99.0),
            p999_ms: tally.percentile_ms(99.9),
            max_ms: tally.max_ms(),
            right: tally.right,
            wrong: tally.wrong,
            errors: tally.errors,
            late: shape.rate.map(|_| tally.late),
            cpu_us_per_transaction: round
                .spent
                .process
                .map(|cpu| cpu.as_secs_f64() * 1e6 / answered),
            rss_kb_per_client: held.map(|held| float(held) / f64::from(shape.clients)),
        }
    }

    fn over(rounds: &[Self]) -> Self {
        let middle = |figure: fn(&Self) -> f64| median(rounds.iter().map(figure)).unwrap_or(0.0);
        let sum = |count: fn(&Self) -> u64| rounds.iter().map(count).sum();
        Self {
            tps: middle(|round| round.tps),
            mean_ms: middle(|round| round.mean_ms),
            p50_ms: middle(|round| round.p50_ms),
            p90_ms: middle(|round| round.p90_ms),
            p99_ms: middle(|round| round.p99_ms),
            p999_ms: middle(|round| round.p999_ms),
            max_ms: rounds.iter().map(|round| round.max_ms).fold(0.0, f64::max),
            right: sum(|round| round.right),
            wrong: sum(|round| round.wrong),
            errors: sum(|round| round.errors),
            late: rounds.iter().map(|round| round.late).sum(),
            cpu_us_per_transaction: median(
                rounds.iter().filter_map(|round| round.cpu_us_per_transaction),
            ),
            rss_kb_per_client: median(rounds.iter().filter_map(|round| round.rss_kb_per_client)),
        }
    }
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(upper, *values.get(values.len() / 2 - 1)?))
}

/// Counts here are far below where a float loses whole numbers, 2^53.
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::*;
    use crate::{process::Spent, record::Outcome};

    fn round(answers: u32, took: Duration) -> Round {
        let mut tally = Tally::new();
        for _ in 0..answers {
            tally.record(took, Outcome::Right);
        }
        let process = Some(Duration::from_micros(50) * answers);
        let spent = Spent { process, ..Spent::default() };
        Round { tally, elapsed: Duration::from_secs(2), spent, resident_kb: Some(1_800) }
    }

    #[test]
    fn figures_are_medians_over_the_rounds_and_counts_are_sums() {
        let millis = Duration::from_millis;
        let rounds = [round(200, millis(1)), round(20, millis(90)), round(400, millis(2))];
        let shape = Shape::parse_from(["x", "--clients", "4"]);
        let Figures {
            tps,
            p50_ms,
            max_ms,
            right,
            late,
            cpu_us_per_transaction,
            rss_kb_per_client,
            ..
        } = Results::new("a".into(), &rounds, Some(1_000), &shape).overall;
        assert_eq!((tps, right, late), (100.0, 620, None));
        assert!((p50_ms - 2.0).abs() < 0.01 && (max_ms - 90.0).abs() < 0.1, "{p50_ms} {max_ms}");
        assert_eq!(cpu_us_per_transaction, Some(50.0));
        assert_eq!(rss_kb_per_client, Some(200.0));
    }

    #[test]
    fn the_median_of_an_even_number_is_in_the_middle() {
        assert_eq!(median([].into_iter()), None);
        assert_eq!(median([4.0, 1.0].into_iter()), Some(2.5));
        assert_eq!(median([9.0, 1.0, 2.0].into_iter()), Some(2.0));
    }

    #[test]
    fn a_run_is_good_if_every_target_gave_right_answers_only() {
        let figures = |right, wrong| Figures { right, wrong, ..Figures::default() };
        for (right, wrong, expected) in [(5, 0, true), (5, 1, false), (0, 0, false)] {
            let overall = figures(right, wrong);
            let results =
                Results { name: "a".into(), rounds: vec![], overall, tally: Tally::new() };
            let report = Report {
                targets: vec![results],
                shape: Shape::parse_from(["x"]),
                workload: Workload::parse_from(["x"]),
                protocol: Protocol::Simple,
            };
            assert_eq!(report.is_good(), expected);
        }
    }
}
