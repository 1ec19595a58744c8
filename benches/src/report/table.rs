//! The table: a line for each figure, a column for each target, ratios to the first.

use super::{Figures, Report, Results, float};

/// The table, and an example of what went wrong.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut lines = vec![vec![String::new()]];
    for target in &report.targets {
        lines[0].push(target.name.clone());
    }
    for row in ROWS {
        let values: Vec<_> =
            report.targets.iter().map(|target| (row.value)(&target.overall)).collect();
        if values.iter().all(Option::is_none) {
            continue;
        }
        let first = values.first().copied().flatten();
        let mut line = vec![row.title.to_owned()];
        for (column, value) in values.iter().enumerate() {
            line.push(cell(*value, first.filter(|_| column > 0 && row.compared)));
        }
        lines.push(line);
    }
    let mut text = align(&lines);
    for target in &report.targets {
        text.push_str(&examples(target));
    }
    text
}

struct Row {
    title: &'static str,
    value: fn(&Figures) -> Option<f64>,
    compared: bool,
}

const fn compared(title: &'static str, value: fn(&Figures) -> Option<f64>) -> Row {
    Row { title, value, compared: true }
}

const fn counted(title: &'static str, value: fn(&Figures) -> Option<f64>) -> Row {
    Row { title, value, compared: false }
}

const ROWS: [Row; 12] = [
    compared("transactions/s", |of| Some(of.tps)),
    compared("mean ms", |of| Some(of.mean_ms)),
    compared("p50 ms", |of| Some(of.p50_ms)),
    compared("p90 ms", |of| Some(of.p90_ms)),
    compared("p99 ms", |of| Some(of.p99_ms)),
    compared("p99.9 ms", |of| Some(of.p999_ms)),
    compared("max ms", |of| Some(of.max_ms)),
    counted("errors", |of| Some(float(of.errors))),
    counted("wrong answers", |of| Some(float(of.wrong))),
    counted("never sent", |of| of.late.map(float)),
    compared("CPU µs/transaction", |of| of.cpu_us_per_transaction),
    compared("RSS KB/client", |of| of.rss_kb_per_client),
];

fn cell(value: Option<f64>, first: Option<f64>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    match first.filter(|first| *first > 0.0) {
        Some(first) => format!("{} ({:.2}×)", number(value), value / first),
        None => number(value),
    }
}

/// As many digits as say something; thousands apart.
pub(crate) fn number(value: f64) -> String {
    if value.fract() == 0.0 && value < 1e3 {
        return format!("{value:.0}");
    }
    if value < 100.0 {
        return format!("{value:.3}");
    }
    if value < 1e3 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut apart = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart
}

/// The first column is flush left, the others right.
pub(crate) fn align(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let mut padded = Vec::new();
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let width = *width;
            padded.push(if column == 0 {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            });
        }
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn examples(target: &Results) -> String {
    let mut text = String::new();
    for (what, example) in
        [("wrong", &target.tally.wrong_example), ("error", &target.tally.error_example)]
    {
        if let Some(example) = example {
            text.push_str(&format!("{}: {what}, for example: {example}\n", target.name));
        }
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::*;
    use crate::{
        args::{Protocol, Shape, Workload},
        record::{Outcome, Tally},
    };

    pub(in crate::report) fn report() -> Report {
        let target = |name: &str, factor: f64| {
            let overall = Figures {
                tps: 12_345.6 / factor,
                p50_ms: 0.25 * factor,
                right: 61_728,
                cpu_us_per_transaction: (factor > 1.0).then_some(31.25),
                ..Figures::default()
            };
            let mut tally = Tally::new();
            for micros in 1..=1_000 {
                tally.record(Duration::from_micros(micros), Outcome::Right);
            }
            Results { name: name.to_owned(), rounds: vec![overall; 2], overall, tally }
        };
        Report {
            targets: vec![target("direct", 1.0), target("<jumpgate>", 2.0)],
            shape: Shape::parse_from(["x", "--rounds", "2"]),
            workload: Workload::parse_from(["x"]),
            protocol: Protocol::Prepared,
        }
    }

    #[test]
    fn targets_stand_side_by_side_with_their_ratio_to_the_first() {
        let mut report = report();
        report.targets[1].overall.wrong = 1;
        report.targets[1].tally.record(Duration::ZERO, Outcome::Wrong("key 1: no".into()));
        let text = render(&report);
        let expected = "                    direct     <jumpgate>
transactions/s      12,346  6,173 (0.50×)
mean ms                  0              0
p50 ms               0.250  0.500 (2.00×)
p90 ms                   0              0
p99 ms                   0              0
p99.9 ms                 0              0
max ms                   0              0
errors                   0              0
wrong answers            0              1
CPU µs/transaction       -         31.250
<jumpgate>: wrong, for example: key 1: no
";
        assert_eq!(text, expected);
    }

    #[test]
    fn numbers_have_as_many_digits_as_say_something() {
        for (value, expected) in [
            (0.0, "0"),
            (7.0, "7"),
            (0.1234, "0.123"),
            (99.5, "99.500"),
            (123.45, "123.5"),
            (1_000.0, "1,000"),
            (12_345.6, "12,346"),
            (1_234_567.0, "1,234,567"),
        ] {
            assert_eq!(number(value), expected);
        }
    }
}
