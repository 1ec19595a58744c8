//! What was measured: latencies in an HDR histogram, and what went wrong, with an example of each.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Latencies and failures, of some clients or of all, of a second or of a round.
#[derive(Clone, Debug)]
pub struct Tally {
    /// In nanoseconds, from when a transaction was due to its answer; failures too.
    pub latency: Histogram<u64>,
    /// Answered, and the answer was right.
    pub right: u64,
    /// Answered, and the answer was wrong.
    pub wrong: u64,
    /// Not answered, or with an error.
    pub errors: u64,
    /// Open loop: due, but no client was free for it before the end.
    pub late: u64,
    /// The first of the wrong answers.
    pub wrong_example: Option<String>,
    /// The first of the errors.
    pub error_example: Option<String>,
}

/// What became of one transaction.
#[derive(Debug)]
pub enum Outcome {
    /// The answer was right.
    Right,
    /// The answer was wrong: how.
    Wrong(String),
    /// There was none, or an error: which.
    Error(String),
    /// It was never sent.
    Late,
}

impl Tally {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let latency = Histogram::new_with_bounds(1, LONGEST_NANOS, 3).expect("the bounds are fit");
        Self {
            latency,
            right: 0,
            wrong: 0,
            errors: 0,
            late: 0,
            wrong_example: None,
            error_example: None,
        }
    }

    /// Counts one transaction.
    pub fn record(&mut self, took: Duration, outcome: Outcome) {
        self.latency.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(LONGEST_NANOS));
        match outcome {
            Outcome::Right => self.right += 1,
            Outcome::Late => self.late += 1,
            Outcome::Wrong(how) => {
                self.wrong += 1;
                self.wrong_example.get_or_insert(how);
            }
            Outcome::Error(which) => {
                self.errors += 1;
                self.error_example.get_or_insert(which);
            }
        }
    }

    /// Adds another's to this, and leaves that empty.
    pub fn take(&mut self, other: &mut Self) {
        self.add(other);
        other.latency.reset();
        (other.right, other.wrong, other.errors, other.late) = (0, 0, 0, 0);
    }

    /// Adds another's to this.
    pub fn add(&mut self, other: &Self) {
        self.latency.add(&other.latency).expect("all have the same bounds");
        self.right += other.right;
        self.wrong += other.wrong;
        self.errors += other.errors;
        self.late += other.late;
        for (mine, theirs) in [
            (&mut self.wrong_example, &other.wrong_example),
            (&mut self.error_example, &other.error_example),
        ] {
            if mine.is_none() {
                mine.clone_from(theirs);
            }
        }
    }

    /// A percentile of the latency, in milliseconds.
    #[must_use]
    pub fn percentile_ms(&self, percentile: f64) -> f64 {
        millis(self.latency.value_at_percentile(percentile))
    }

    /// The mean latency, in milliseconds.
    #[must_use]
    pub fn mean_ms(&self) -> f64 {
        self.latency.mean() / 1e6
    }

    /// The longest latency, in milliseconds.
    #[must_use]
    pub fn max_ms(&self) -> f64 {
        millis(self.latency.max())
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

fn millis(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64() * 1e3
}

/// An hour; what is longer counts as that.
const LONGEST_NANOS: u64 = 3_600_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn percentiles_are_right_to_three_digits() {
        let mut tally = Tally::new();
        for number in 1..=1000 {
            tally.record(number * MILLI, Outcome::Right);
        }
        for (percentile, expected) in [(50.0, 500.0), (99.0, 990.0), (99.9, 999.0), (100.0, 1000.0)]
        {
            let found = tally.percentile_ms(percentile);
            assert!((found / expected - 1.0).abs() < 0.002, "p{percentile}: {found}");
        }
        assert!((tally.mean_ms() / 500.5 - 1.0).abs() < 0.001);
    }

    #[test]
    fn what_is_taken_is_counted_once_and_the_first_example_stays() {
        let (mut total, mut part) = (Tally::new(), Tally::new());
        part.record(MILLI, Outcome::Wrong("first".into()));
        total.take(&mut part);
        part.record(MILLI, Outcome::Wrong("second".into()));
        part.record(MILLI, Outcome::Error("third".into()));
        part.record(MILLI, Outcome::Late);
        total.take(&mut part);
        total.take(&mut part);
        assert_eq!((total.right, total.wrong, total.errors, total.late), (0, 2, 1, 1));
        assert_eq!(total.latency.len(), 4);
        assert_eq!(total.wrong_example.as_deref(), Some("first"));
        assert_eq!(total.error_example.as_deref(), Some("third"));
    }
}
