//! The table of jobs, in Markdown, and the same as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    measure::{Measured, Times},
    world::Target,
};
use crate::latency::report::milliseconds;

/// How far over its floor Jumpgate may be, in round trips.
pub const TOLERANCE: f64 = 0.3;

impl Times {
    /// How often the job waited for the database: the median of what the distance adds in each round, in round trips of
    /// twice `delay`.
    #[must_use]
    pub fn trips(&self, delay: Duration) -> f64 {
        let rounds = self.far.iter().zip(&self.near);
        let mut added: Vec<_> =
            rounds.map(|(far, near)| far.as_secs_f64() - near.as_secs_f64()).collect();
        added.sort_unstable_by(f64::total_cmp);
        let middle = added.get(added.len().saturating_sub(1) / 2).copied().unwrap_or_default();
        middle / (2 * delay).as_secs_f64()
    }
}

impl Measured {
    /// Whether Jumpgate is at the floor; not, if it could not do what was possible without it.
    #[must_use]
    pub fn met(&self, delay: Duration) -> bool {
        match self.cells.get(&Target::Jumpgate) {
            Some(Ok(times)) => times.trips(delay) <= f64::from(self.job.floor) + TOLERANCE,
            Some(Err(_)) => matches!(self.cells.get(&Target::Direct), Some(Err(_))),
            None => false,
        }
    }

    fn line(&self, delay: Duration) -> String {
        let cells = Target::ALL.map(|target| match self.cells.get(&target) {
            None => " – |".to_owned(),
            Some(Ok(times)) => format!(" {:.1} |", times.trips(delay)),
            Some(Err(_)) => " failed |".to_owned(),
        });
        let verdict = if self.met(delay) { "" } else { "over" };
        let (job, cells) = (self.job, cells.concat());
        format!("| {}, {} |{cells} {} | {verdict} |\n", job.driver, job.name, job.floor)
    }

    fn json(&self, delay: Duration) -> Value {
        let ms =
            |times: &[Duration]| -> Vec<_> { times.iter().copied().map(milliseconds).collect() };
        let targets = self.cells.iter().map(|(target, times)| {
            let value = match times {
                Ok(times) => json!({
                    "round_trips": times.trips(delay),
                    "near_ms": ms(&times.near),
                    "far_ms": ms(&times.far),
                }),
                Err(error) => json!({ "error": error }),
            };
            (target.name().to_lowercase(), value)
        });
        json!({
            "driver": self.job.driver,
            "job": self.job.name,
            "floor": self.job.floor,
            "met": self.met(delay),
            "targets": targets.collect::<serde_json::Map<_, _>>(),
        })
    }
}

/// The table, and below it why what failed did.
#[must_use]
pub fn render(title: &str, rows: &[Measured], delay: Duration) -> String {
    let heads = Target::ALL.map(|target| format!(" {} |", target.name())).concat();
    let mut text = format!("{title}\n\n| job |{heads} floor | |\n|---|---|---|---|---|---|\n");
    text.extend(rows.iter().map(|row| row.line(delay)));
    for row in rows {
        for (target, times) in &row.cells {
            if let Err(error) = times {
                let (driver, name, target) = (row.job.driver, row.job.name, target.name());
                text.push_str(&format!("\n{driver}, {name}, {target}: {error}\n"));
            }
        }
    }
    text.push('\n');
    text
}

/// The same for machines, with every time.
#[must_use]
pub fn json(rows: &[Measured], delay: Duration) -> Vec<Value> {
    rows.iter().map(|row| row.json(delay)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use e2e::jumpgate::Engine;

    use super::{
        super::rows::{Job, Language},
        *,
    };

    const DELAY: Duration = Duration::from_millis(40);

    fn row(floor: u32, cells: &[(Target, Result<[u64; 2], &str>)]) -> Measured {
        let (driver, name) = ("pg", "query");
        let times = |[near, far]: [u64; 2]| Times {
            near: vec![Duration::from_millis(near)],
            far: vec![Duration::from_millis(far)],
        };
        let cells = cells
            .iter()
            .map(|(target, found)| (*target, found.map(times).map_err(ToOwned::to_owned)));
        let (engine, language) = (Engine::Postgres, Language::Node);
        let job = Job { engine, language, driver, name, floor };
        Measured { job, cells: cells.collect::<BTreeMap<_, _>>() }
    }

    #[test]
    fn what_a_job_takes_without_a_distance_is_no_round_trip() {
        let row = row(1, &[(Target::Direct, Ok([30, 830])), (Target::Jumpgate, Ok([30, 112]))]);
        let text = render("PostgreSQL", &[row], DELAY);
        assert_eq!(text.lines().nth(4), Some("| pg, query | 10.0 | – | 1.0 | 1 |  |"));
    }

    #[test]
    fn the_floor_is_met_up_to_a_tolerance() {
        for (far, met) in [(100, true), (104, true), (105, false), (0, true)] {
            assert_eq!(row(1, &[(Target::Jumpgate, Ok([0, far]))]).met(DELAY), met, "{far}");
        }
        assert!(!row(1, &[]).met(DELAY));
    }

    #[test]
    fn what_works_without_jumpgate_must_work_with_it() {
        let broken = [(Target::Direct, Ok([1, 2])), (Target::Jumpgate, Err("refused"))];
        let text = render("PostgreSQL", &[row(1, &broken)], DELAY);
        assert!(text.contains("| pg, query | 0.0 | – | failed | 1 | over |"), "{text}");
        assert!(text.contains("pg, query, Jumpgate: refused"), "{text}");
        let nowhere = [(Target::Direct, Err("no driver")), (Target::Jumpgate, Err("no driver"))];
        assert!(row(1, &nowhere).met(DELAY));
    }
}
