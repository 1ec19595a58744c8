//! What was measured: figures of one piece of work, and their medians over the rounds.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::report::median;

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
pub fn of_throughput(per_second: f64, count: u64, cpu: Option<Duration>) -> Figures {
    let mut figures = Figures::from([(Figure::PerSecond, per_second)]);
    if let Some(cpu) = cpu.filter(|_| count > 0) {
        figures.insert(Figure::CpuMicros, cpu.as_secs_f64() * 1e6 / crate::report::float(count));
    }
    figures
}

/// What the whole machine spent on each, when it had so many cores at work.
#[must_use]
pub fn of_machine(busy_cores: f64, figures: &Figures) -> Option<f64> {
    let rate = figures.get(&Figure::PerSecond).or(figures.get(&Figure::MegabytesPerSecond))?;
    (*rate > 0.0).then(|| busy_cores * 1e6 / rate)
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
        let figures = of_throughput(500.0, 1000, Some(Duration::from_millis(20)));
        assert_eq!(figures[&Figure::PerSecond], 500.0);
        assert!((figures[&Figure::CpuMicros] - 20.0).abs() < 1e-9);
        assert!(!of_throughput(0.0, 0, Some(Duration::ZERO)).contains_key(&Figure::CpuMicros));
    }

    #[test]
    fn the_time_of_the_machine_is_shared_out_too() {
        let figures = of_throughput(20_000.0, 1, None);
        assert_eq!(of_machine(1.9, &figures), Some(95.0));
        assert_eq!(of_machine(1.9, &Figures::new()), None);
    }

    #[test]
    fn one_disturbed_round_does_not_move_a_median() {
        let rounds = [1.0, 900.0, 3.0].map(|value| Figures::from([(Figure::PerSecond, value)]));
        assert_eq!(medians(&rounds), Figures::from([(Figure::PerSecond, 3.0)]));
        assert_eq!(medians(&[]), Figures::new());
    }
}
