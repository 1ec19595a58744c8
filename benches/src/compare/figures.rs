//! What was measured: figures of one piece of work, and their medians over the rounds.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::{process::Spent, report::median};

/// A kind of figure, with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Transactions, scripts or connections per second.
    PerSecond,
    /// CPU time of the watched process, per transaction, script or connection.
    CpuMicros,
    /// CPU time of the whole machine, of clients and database too: per transaction, script, connection or 10^6 bytes.
    MachineMicros,
    /// Median latency, in microseconds.
    P50Micros,
    /// 99th percentile of the latency, in milliseconds.
    P99Ms,
    /// What that is of the median.
    Tail,
    /// Resident memory for each client, in KB.
    KbPerClient,
    /// The longest latency, in milliseconds.
    LongestMs,
    /// Values or COPY data, in 10^6 bytes per second.
    MegabytesPerSecond,
    /// Resident memory beyond what was there before, in 10^6 bytes.
    GrownMegabytes,
}

/// Of one piece of work, or the medians of all rounds.
pub type Figures = BTreeMap<Figure, f64>;

/// Throughput, and the CPU time that each took.
#[must_use]
pub fn of_throughput(per_second: f64, count: u64, spent: &Spent) -> Figures {
    let mut figures = Figures::from([(Figure::PerSecond, per_second)]);
    if count > 0 {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / crate::report::float(count);
        figures.insert(Figure::MachineMicros, each(spent.machine));
        figures.extend(spent.process.map(|process| (Figure::CpuMicros, each(process))));
    }
    figures
}

/// The median of each figure. One that some round lacks is that of the others.
#[must_use]
pub fn medians(rounds: &[Figures]) -> Figures {
    let mut names: Vec<Figure> = rounds.iter().flat_map(|round| round.keys().copied()).collect();
    names.sort_unstable();
    names.dedup();
    let middle = |name: Figure| {
        median(rounds.iter().filter_map(|round| round.get(&name).copied()))
            .map(|value| (name, value))
    };
    names.into_iter().filter_map(middle).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_shared_out_among_the_transactions() {
        let (process, machine) = (Duration::from_millis(20), Duration::from_millis(95));
        let figures = of_throughput(500.0, 1000, &Spent { process: Some(process), machine });
        assert_eq!(figures[&Figure::PerSecond], 500.0);
        assert!((figures[&Figure::CpuMicros] - 20.0).abs() < 1e-9);
        assert!((figures[&Figure::MachineMicros] - 95.0).abs() < 1e-9);
        let none = of_throughput(0.0, 0, &Spent { process: Some(process), machine });
        assert_eq!(none, Figures::from([(Figure::PerSecond, 0.0)]));
    }

    #[test]
    fn one_disturbed_round_does_not_move_a_median() {
        let rounds = [1.0, 900.0, 3.0].map(|value| Figures::from([(Figure::PerSecond, value)]));
        assert_eq!(medians(&rounds), Figures::from([(Figure::PerSecond, 3.0)]));
        assert_eq!(medians(&[]), Figures::new());
    }
}
