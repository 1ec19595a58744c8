//! The table: a line for each row, a column for each contender, then what is held against the goal.

use super::{
    contender::Who,
    goals::{Bound, Goal},
    run::{Measured, Report},
};
use crate::report::table::{align, number};

/// The table, with who took part above it.
#[must_use]
pub fn render(report: &Report) -> String {
    let columns = columns(report);
    let mut head = vec![String::new()];
    head.extend(columns.iter().map(ToString::to_string));
    head.extend(["compared", "goal", ""].map(ToOwned::to_owned));
    let mut lines = vec![head];
    lines.extend(report.rows.iter().map(|measured| line(measured, &columns)));
    let failures: String = report.failures.iter().map(|why| format!("\n{why}\n")).collect();
    format!(
        "{}\n{}, {} s each\n\n{}{failures}",
        report.about.join(", "),
        rounds(report.rounds),
        report.seconds,
        align(&lines)
    )
}

fn rounds(count: u32) -> String {
    if count == 1 { "one round".to_owned() } else { format!("medians of {count} rounds") }
}

/// Those that were measured at all, in their order.
fn columns(report: &Report) -> Vec<Who> {
    let mut all: Vec<Who> =
        report.rows.iter().flat_map(|measured| measured.medians.keys().map(Who::column)).collect();
    all.sort();
    all.dedup();
    all
}

fn line(measured: &Measured, columns: &[Who]) -> Vec<String> {
    let mut line = vec![measured.row.title.clone()];
    for column in columns {
        line.push(shown(measured, column).map_or_else(|| "-".to_owned(), number));
    }
    let Some(goal) = &measured.row.goal else {
        return line;
    };
    let Some(verdict) = measured.verdict() else {
        line.extend(["-".to_owned(), spoken(goal), "not measured".to_owned()]);
        return line;
    };
    line.push(match goal {
        Goal::Ratio(who, _) => format!("{:.2} × {who}{}", verdict.found, hidden(measured, who)),
        Goal::Over(who, _) => {
            format!("{} over {who}{}", number(verdict.found), hidden(measured, who))
        }
        Goal::Value(_) => number(verdict.found),
    });
    line.push(spoken(goal));
    line.push(if verdict.met { "met" } else { "MISSED" }.to_owned());
    line
}

/// What stands in a column: of Jumpgate's, the one that the row is about.
fn shown(measured: &Measured, column: &Who) -> Option<f64> {
    if *column == Who::Jumpgate {
        return measured.medians.get(&measured.row.ours).copied();
    }
    let found = measured.medians.iter().find(|(who, _)| who.column() == *column);
    found.map(|(_, value)| *value)
}

/// The other's figure, where no column has it.
fn hidden(measured: &Measured, who: &Who) -> String {
    let value = measured.medians.get(who).copied();
    if value == shown(measured, &who.column()) {
        return String::new();
    }
    value.map(|value| format!(" ({})", number(value))).unwrap_or_default()
}

/// The bound of a goal.
pub(super) fn spoken(goal: &Goal) -> String {
    let (Goal::Ratio(_, bound) | Goal::Over(_, bound) | Goal::Value(bound)) = goal;
    match bound {
        Bound::AtMost(limit) => format!("≤ {limit}"),
        Bound::AtLeast(limit) => format!("≥ {limit}"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::compare::{figures::Figure, scenarios::Row};

    fn measured(title: &str, ours: Who, goal: Option<Goal>, medians: &[(Who, f64)]) -> Measured {
        let medians: BTreeMap<Who, f64> = medians.iter().cloned().collect();
        Measured {
            row: Row { title: title.to_owned(), figure: Figure::PerSecond, ours, goal },
            rounds: medians.iter().map(|(who, value)| (who.clone(), vec![*value])).collect(),
            medians,
        }
    }

    pub(in crate::compare) fn report() -> Report {
        let more = Goal::Ratio(Who::PgBouncer, Bound::AtLeast(1.15));
        let less = Goal::Ratio(Who::Jumpgate, Bound::AtMost(0.6));
        let little = Goal::Value(Bound::AtMost(2.5));
        Report {
            about: vec!["PostgreSQL 15.14".into(), "PgBouncer 1.26.1".into()],
            rounds: 5,
            seconds: 3,
            failures: vec!["prepared: pgcat: pgbench ended".into()],
            rows: vec![
                measured(
                    "simple: transactions/s",
                    Who::Jumpgate,
                    Some(more),
                    &[
                        (Who::Direct, 40_000.0),
                        (Who::Jumpgate, 24_000.0),
                        (Who::PgBouncer, 20_000.0),
                    ],
                ),
                measured(
                    "cached: CPU µs",
                    Who::Cached,
                    Some(less),
                    &[(Who::Jumpgate, 20.0), (Who::Cached, 15.0)],
                ),
                measured("idle: KB", Who::Jumpgate, Some(little), &[(Who::Jumpgate, 1.75)]),
                measured("other", Who::Jumpgate, None, &[(Who::Other("pgcat".into()), 7.0)]),
            ],
        }
    }

    #[test]
    fn a_row_says_what_was_compared_and_whether_it_is_good() {
        let expected = "\
PostgreSQL 15.14, PgBouncer 1.26.1
medians of 5 rounds, 3 s each

                        direct  jumpgate  pgbouncer  pgcat                  compared    goal
simple: transactions/s  40,000    24,000     20,000      -          1.20 × pgbouncer  ≥ 1.15     met
cached: CPU µs               -        15          -      -  0.75 × jumpgate (20)   ≤ 0.6  MISSED
idle: KB                     -     1.750          -      -                     1.750   ≤ 2.5     met
other                        -         -          -      7

prepared: pgcat: pgbench ended
";
        let text = render(&report());
        let squeeze = |text: &str| {
            let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            text.lines().map(words).collect::<Vec<_>>()
        };
        assert_eq!(squeeze(&text), squeeze(expected), "{text}");
    }
}
