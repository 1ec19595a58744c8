//! How many took how long.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::{MetricType, TypedMetric},
};

/// Upper bounds of the buckets, in microseconds; what took longer is in one more.
pub const BOUNDS: [u64; 18] = [
    50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
    1_000_000, 2_000_000, 5_000_000, 10_000_000, 30_000_000,
];

/// The buckets of [`BOUNDS`], and the one behind them.
pub(crate) type Buckets = [u64; BOUNDS.len() + 1];

/// A histogram without a lock.
#[derive(Debug, Default)]
pub struct Times {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Times {
    /// Counts one that took so long.
    pub fn observe(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let at = BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// How many there were in each bucket.
    pub(crate) fn buckets(&self) -> Buckets {
        std::array::from_fn(|at| self.buckets.get(at).map_or(0, |it| it.load(Ordering::Relaxed)))
    }

    /// How long all took together, in microseconds.
    pub(crate) fn micros(&self) -> u64 {
        self.micros.load(Ordering::Relaxed)
    }
}

/// The same as a metric, in seconds; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Timed(pub(crate) Arc<Times>);

impl TypedMetric for Timed {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Timed {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let seconds = |micros: u64| Duration::from_micros(micros).as_secs_f64();
        let counts = self.0.buckets();
        let bounds = BOUNDS.map(seconds).into_iter().chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(counts).collect();
        let sum = seconds(self.0.micros());
        encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

/// Without the zeros at the end.
pub(crate) fn trimmed(buckets: &[u64]) -> Vec<u64> {
    let used = buckets.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
    buckets.get(..used).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_in_its_bucket() {
        let times = Times::default();
        for (micros, bucket) in
            [(0, 0), (50, 0), (51, 1), (1_000, 4), (30_000_000, 17), (u64::MAX / 2, 18)]
        {
            let before = times.buckets();
            times.observe(Duration::from_micros(micros));
            let after = times.buckets();
            let moved: Vec<_> = (0..after.len()).filter(|at| before[*at] != after[*at]).collect();
            assert_eq!(moved, [bucket], "{micros}");
        }
        assert_eq!(trimmed(&[0, 2, 0, 0]), [0, 2]);
        assert!(trimmed(&[0, 0]).is_empty());
    }
}
