//! Everything that was measured, for machines.

use serde_json::{Map, Value, json};

use super::run::{Measured, Report};

/// The report as one object: `settings`, and `rows` in their order.
#[must_use]
pub fn render(report: &Report) -> Value {
    json!({
        "settings": {
            "about": report.about,
            "rounds": report.rounds,
            "seconds": report.seconds,
        },
        "failures": report.failures,
        "rows": report.rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn row(measured: &Measured) -> Value {
    let verdict = measured.verdict();
    let contenders: Map<String, Value> = measured
        .medians
        .iter()
        .map(|(who, median)| {
            let rounds = measured.rounds.get(who);
            (who.to_string(), json!({ "median": median, "rounds": rounds }))
        })
        .collect();
    json!({
        "title": measured.row.title,
        "figure": measured.row.figure,
        "ours": measured.row.ours.to_string(),
        "contenders": contenders,
        "goal": measured.row.goal.as_ref().map(super::table::spoken),
        "compared_with": measured
            .row
            .goal
            .as_ref()
            .and_then(|goal| goal.other())
            .map(ToString::to_string),
        "found": verdict.map(|verdict| verdict.found),
        "met": verdict.map(|verdict| verdict.met),
    })
}

#[cfg(test)]
mod tests {
    use super::{super::table::tests::report, *};

    #[test]
    fn machines_find_medians_rounds_and_verdicts() {
        let value = render(&report());
        assert_eq!(value["settings"]["rounds"], 5);
        let first = &value["rows"][0];
        assert_eq!(first["contenders"]["pgbouncer"]["median"], 20_000.0);
        assert_eq!(first["contenders"]["pgbouncer"]["rounds"][0], 20_000.0);
        assert_eq!(first["met"], true);
        assert_eq!(value["rows"][1]["compared_with"], "jumpgate");
        assert_eq!(value["rows"][3]["goal"], Value::Null);
    }
}
