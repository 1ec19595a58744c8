//! History as a chart shows it: points of equal width, and all of them together.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{latency::quantile, sums::Sums};
use crate::moment::Moment;

/// How far a chart goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Period {
    /// An hour, by minutes.
    Hour,
    /// A day, by ten minutes.
    Day,
    /// A week, by hours.
    Week,
}

impl Period {
    /// By its word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        match word {
            "hour" => Some(Self::Hour),
            "day" => Some(Self::Day),
            "week" => Some(Self::Week),
            _ => None,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    /// Minutes in a point.
    pub(crate) const fn width(self) -> i64 {
        match self {
            Self::Hour => 1,
            Self::Day => 10,
            Self::Week => 60,
        }
    }

    const fn points(self) -> i64 {
        match self {
            Self::Hour => 60,
            Self::Day => 144,
            Self::Week => 168,
        }
    }

    /// The first minute of its first point, at a minute that is not over.
    pub(crate) const fn begin(self, now: i64) -> i64 {
        let width = self.width();
        // What is under way is a point where some of its minutes are over.
        let end = (now - 1).div_euclid(width) * width;
        end - (self.points() - 1) * width
    }

    /// Its points, of rows that are not older than its beginning.
    pub(crate) fn shown(self, now: i64, rows: impl Iterator<Item = (i64, Sums)>) -> Value {
        let (width, begin) = (self.width(), self.begin(now));
        let mut points: BTreeMap<i64, Sums> = BTreeMap::new();
        for (start, sums) in rows {
            points.entry(start).or_default().add_beside(&sums);
        }
        let last_told = points.keys().next_back().copied();
        let mut all = Sums::default();
        let mut shown = Vec::new();
        for start in (0..self.points()).map(|number| begin + number * width) {
            // A minute that is hardly over may not have been told yet.
            if width == 1 && start >= now - UNTOLD_MINUTES && Some(start) > last_told {
                break;
            }
            let sums = points.remove(&start).unwrap_or_default();
            all.add_after(&sums);
            let minutes = width.min(now - start).max(1);
            let mut point = figures(&sums);
            if let Some(fields) = point.as_object_mut() {
                fields.insert(String::from("at"), json!(Moment(start * 60_000_000)));
                fields.insert(String::from("seconds"), json!(minutes * 60));
            }
            shown.push(point);
        }
        json!({
            "period": self.word(),
            "from": Moment(begin * 60_000_000),
            "point_seconds": width * 60,
            "points": shown,
            "total": figures(&all),
        })
    }
}

/// Minutes after which one that nobody told of counts as empty.
const UNTOLD_MINUTES: i64 = 2;

/// What there is to see of sums.
pub(super) fn figures(sums: &Sums) -> Value {
    let percentiles = |counts: &[u64]| {
        let of = |part| quantile(counts, part);
        json!({ "p50": of(0.5), "p95": of(0.95), "p99": of(0.99) })
    };
    json!({
        "queries": sums.queries,
        "count": sums.total(),
        "hit_ratio": sums.hit_ratio(),
        "cached_ms": percentiles(&sums.cached),
        "uncached_ms": percentiles(&sums.uncached),
        "in_use": sums.in_use,
        "waiting": sums.waiting,
        "max_connections": sums.max_connections,
        "query_bytes": sums.query_bytes,
        "result_bytes": sums.result_bytes,
        "errors": {
            "connect": sums.errors_of("connect"),
            "statement": sums.errors_of("statement"),
            "sql": sums.errors_of("sql"),
        },
        "error_kinds": sums.errors,
        "round_trips_saved": sums.round_trips_saved,
        "transaction_reads": sums.transaction_reads,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(hits: u64) -> Sums {
        let queries = [(String::from("hit"), hits)].into();
        Sums { queries, in_use: 1, ..Sums::default() }
    }

    #[test]
    fn points_stand_side_by_side_and_end_with_what_is_told() {
        let now = 1_000_003;
        let rows = [(1_000_002, 1), (1_000_002, 2), (1_000_000, 5), (1, 100)];
        let rows = rows.map(|(start, hits)| (start, sums(hits))).into_iter();
        let hour = Period::Hour.shown(now, rows.clone());
        let points = hour["points"].as_array().unwrap();
        assert_eq!(points.len(), 60);
        assert_eq!((&points[59]["count"], &points[59]["in_use"]), (&json!(3), &json!(2)));
        assert_eq!((&points[58]["count"], &points[57]["count"]), (&json!(0), &json!(5)));
        assert_eq!((&hour["total"]["count"], &hour["total"]["in_use"]), (&json!(8), &json!(2)));
        // Nobody has told of the last two minutes.
        let hour = Period::Hour.shown(now + 2, rows);
        assert_eq!(hour["points"].as_array().unwrap().len(), 58);
    }

    #[test]
    fn a_point_that_is_under_way_says_how_long_it_is() {
        let now = 600_015;
        for (period, count, seconds) in
            [(Period::Hour, 58, 60), (Period::Day, 144, 300), (Period::Week, 168, 900)]
        {
            let shown = period.shown(now, std::iter::empty());
            let points = shown["points"].as_array().unwrap();
            assert_eq!(points.len(), count, "{period:?}");
            assert_eq!(points.last().unwrap()["seconds"], seconds, "{period:?}");
            assert_eq!(points[0]["at"], shown["from"]);
            assert_eq!(period.begin(now) % period.width(), 0);
        }
        // At the very beginning of a point, the one before is the last.
        let shown = Period::Day.shown(600_020, std::iter::empty());
        assert_eq!(shown["points"][143]["seconds"], 600);
    }
}
