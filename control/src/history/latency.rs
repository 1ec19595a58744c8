//! Percentiles of what was counted in buckets.

use crate::nodes::activity::LATENCY_BOUNDS;

/// How long so large a part of it took at most, in milliseconds: within its bucket as if all were spread evenly there. `None`
/// where nothing was counted. What took longer than the last bound counts as that.
pub fn quantile(counts: &[u64], part: f64) -> Option<f64> {
    let total: u64 = counts.iter().fold(0, |sum, &count| sum.saturating_add(count));
    if total == 0 {
        return None;
    }
    let wanted = part.clamp(0.0, 1.0) * float(total);
    let (mut below, mut lower) = (0.0, 0.0);
    for (&count, &bound) in counts.iter().zip(&LATENCY_BOUNDS) {
        let (count, upper) = (float(count), float(bound));
        if count > 0.0 && below + count >= wanted {
            let micros = lower + (upper - lower) * ((wanted - below) / count);
            return Some((micros / 10.0).round() / 100.0);
        }
        (below, lower) = (below + count, upper);
    }
    Some(lower / 1000.0)
}

/// As exact as a chart needs it.
#[expect(clippy::cast_precision_loss, reason = "past 2^53 nobody misses the last digits")]
pub(crate) const fn float(value: u64) -> f64 {
    value as f64
}

/// Adds what others counted.
pub(crate) fn add(to: &mut Vec<u64>, counts: &[u64]) {
    let buckets = counts.len().min(LATENCY_BOUNDS.len() + 1);
    if to.len() < buckets {
        to.resize(buckets, 0);
    }
    for (sum, &count) in to.iter_mut().zip(counts) {
        *sum = sum.saturating_add(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_stands_within_its_bucket() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[0, 0], 0.5), None);
        // Ten between 100 and 200 µs.
        assert_eq!(quantile(&[0, 0, 10], 0.5), Some(0.15));
        assert_eq!(quantile(&[0, 0, 10], 1.0), Some(0.2));
        // Half below 50 µs, half between 1 and 2 ms.
        let both = [5, 0, 0, 0, 0, 5];
        assert_eq!(quantile(&both, 0.5), Some(0.05));
        assert_eq!(quantile(&both, 0.75), Some(1.5));
        assert_eq!(quantile(&both, 0.95), Some(1.9));
        let mut late = vec![0; 19];
        late[18] = u64::MAX;
        assert_eq!(quantile(&late, 0.5), Some(30_000.0));
    }

    #[test]
    fn buckets_that_nobody_knows_are_not_kept() {
        let mut sum = vec![1];
        add(&mut sum, &[1; 40]);
        assert_eq!((sum.len(), sum[0], sum[18]), (19, 2, 1));
        add(&mut sum, &[u64::MAX]);
        assert_eq!(sum[0], u64::MAX);
    }
}
