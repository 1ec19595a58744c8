//! Everything that was measured, for machines.

use serde_json::{Value, json};

use super::{Report, Results};

/// The report as one object: `settings`, and `targets` in their order.
#[must_use]
pub fn render(report: &Report) -> Value {
    let (shape, workload) = (&report.shape, &report.workload);
    json!({
        "settings": {
            "protocol": format!("{:?}", report.protocol).to_lowercase(),
            "clients": shape.clients,
            "rate": shape.rate,
            "think_time_ms": shape.think_time.as_secs_f64() * 1e3,
            "reconnect": shape.reconnect,
            "pipeline": shape.pipeline,
            "rounds": shape.rounds,
            "seconds": shape.seconds,
            "keys": workload.keys,
            "zipf": workload.zipf,
            "writes_percent": workload.writes,
            "seed": workload.seed,
            "allow_stale": workload.allow_stale,
        },
        "good": report.is_good(),
        "targets": report.targets.iter().map(target).collect::<Vec<_>>(),
    })
}

fn target(results: &Results) -> Value {
    let percentiles = PERCENTILES.map(|percentile| {
        json!({ "percentile": percentile, "ms": results.tally.percentile_ms(percentile) })
    });
    json!({
        "name": results.name,
        "overall": results.overall,
        "rounds": results.rounds,
        "percentiles": percentiles,
        "wrong_example": results.tally.wrong_example,
        "error_example": results.tally.error_example,
    })
}

const PERCENTILES: [f64; 12] =
    [0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999, 100.0];

#[cfg(test)]
mod tests {
    use super::{super::table::tests::report, *};

    #[test]
    fn machines_find_every_figure_under_its_name() {
        let value = render(&report());
        assert_eq!(value["good"], true);
        assert_eq!(value["settings"]["protocol"], "prepared");
        assert_eq!(value["targets"][1]["overall"]["p50_ms"], 0.5);
        assert_eq!(value["targets"][0]["overall"]["cpu_us_per_transaction"], Value::Null);
        assert_eq!(value["targets"][0]["rounds"].as_array().map(Vec::len), Some(2));
        let median = &value["targets"][0]["percentiles"][3];
        assert_eq!(median["percentile"], 50.0);
        assert!((median["ms"].as_f64().unwrap() - 0.5).abs() < 0.01, "{median}");
    }
}
