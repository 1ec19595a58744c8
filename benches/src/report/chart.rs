//! A page with two charts, and nothing that it would have to load: latency by percentile, and throughput.
//!
//! The percentiles are spread by how rare they are, so that each step to the right is ten times rarer; latency is
//! logarithmic too.

use std::fmt::Write as _;

use super::{Report, Results, table};

/// The page.
#[must_use]
pub fn render(report: &Report) -> String {
    let shape = &report.shape;
    let loop_kind = shape.rate.map_or_else(
        || "closed loop".to_owned(),
        |rate| {
            format!(
                "open loop, {} transactions/s, latency from when each was due",
                table::number(rate)
            )
        },
    );
    let settings = format!(
        "{} clients, {loop_kind}, {:?} statements, {} % writes; {} rounds of {} s",
        shape.clients, report.protocol, report.workload.writes, shape.rounds, shape.seconds
    );
    let body = format!(
        "<h1>Load test</h1><p>{}</p><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">{}{}{}</svg><pre>{}</pre>",
        escape(&settings),
        legend(report),
        latency(report),
        throughput(report),
        escape(&table::render(report)),
    );
    format!("{HEAD}{body}\n</html>\n")
}

fn legend(report: &Report) -> String {
    let mut svg = String::new();
    let mut x = LEFT;
    for (target, color) in report.targets.iter().zip(COLORS.iter().cycle()) {
        let name = escape(&target.name);
        put(&mut svg, format_args!("<rect x='{x}' y='8' width='14' height='14' fill='{color}'/>"));
        put(&mut svg, format_args!("<text x='{}' y='20'>{name}</text>", x + 20.0));
        x += 50.0 + 8.0 * length(&target.name);
    }
    svg
}

/// Lines over percentiles.
fn latency(report: &Report) -> String {
    let all: Vec<Vec<(f64, f64)>> = report.targets.iter().map(points).collect();
    let values = || all.iter().flatten().map(|(_, ms)| *ms);
    let low = values().fold(f64::INFINITY, f64::min).clamp(1e-6, 1e6).log10().floor();
    let high = values().fold(0.0, f64::max).clamp(1e-6, 1e7).log10().ceil().max(low + 1.0);
    let x_of = |rarity: f64| LEFT + rarity / DECADES * PLOT_WIDTH;
    let y_of = |ms: f64| TOP + (high - ms.clamp(1e-6, 1e7).log10()) / (high - low) * PLOT_HEIGHT;
    let mut svg = frame(TOP, "latency, ms (logarithmic)");
    let mut decade = low;
    while decade <= high {
        let ms = 10_f64.powf(decade);
        svg.push_str(&grid_line(y_of(ms), &format!("{ms}")));
        decade += 1.0;
    }
    for (rarity, title) in [(0.0, "0"), (1.0, "90"), (2.0, "99"), (3.0, "99.9"), (4.0, "99.99")] {
        svg.push_str(&column_line(x_of(rarity), title));
    }
    svg.push_str(&column_line(x_of(2_f64.log10()), "50"));
    svg.push_str(&label_below(TOP, "percentile of transactions (each step ten times rarer)"));
    for (line, color) in all.iter().zip(COLORS.iter().cycle()) {
        let mut path = String::new();
        for (rarity, ms) in line {
            put(&mut path, format_args!("{:.1},{:.1} ", x_of(*rarity), y_of(*ms)));
        }
        let path = path.trim_end();
        put(&mut svg, format_args!("<polyline points='{path}' stroke='{color}'/>"));
    }
    svg
}

/// Of a target: how rare (the logarithm of one in how many), and how long.
fn points(target: &Results) -> Vec<(f64, f64)> {
    let steps = 0..=STEPS;
    let rarities = steps.map(|step| f64::from(step) / f64::from(STEPS) * DECADES);
    // What is rarer than one of all cannot be told.
    let rarest = super::float(target.tally.latency.len().max(1)).log10();
    let told = rarities.filter(|rarity| *rarity <= rarest);
    told.map(|rarity| {
        let percentile = 100.0 * (1.0 - 10_f64.powf(-rarity));
        (rarity, target.tally.percentile_ms(percentile))
    })
    .collect()
}

/// A bar for each target, with a dot for each round.
fn throughput(report: &Report) -> String {
    let rounds = report.targets.iter().flat_map(|target| &target.rounds);
    let most = rounds.map(|round| round.tps).fold(1.0, f64::max);
    let unit = 10_f64.powf(most.log10().floor());
    let high = (most / unit).ceil() * unit;
    let top = TOP + PLOT_HEIGHT + BETWEEN;
    let y_of = |tps: f64| top + (1.0 - tps / high) * PLOT_HEIGHT;
    let mut svg = frame(top, "transactions/s");
    for quarter in [0.0, 0.25, 0.5, 0.75, 1.0] {
        svg.push_str(&grid_line(y_of(high * quarter), &table::number(high * quarter)));
    }
    let mut left = LEFT;
    let slot = PLOT_WIDTH / super::float(report.targets.len().max(1).try_into().unwrap_or(1));
    for (target, color) in report.targets.iter().zip(COLORS.iter().cycle()) {
        let (width, y) = ((slot * 0.5).min(120.0), y_of(target.overall.tps));
        let middle = left + slot / 2.0;
        let (x, height) = (middle - width / 2.0, top + PLOT_HEIGHT - y);
        put(
            &mut svg,
            format_args!(
                "<rect x='{x:.1}' y='{y:.1}' width='{width:.1}' height='{height:.1}' fill='{color}'/>"
            ),
        );
        for round in &target.rounds {
            let y = y_of(round.tps);
            put(&mut svg, format_args!("<circle cx='{middle:.1}' cy='{y:.1}' r='3'/>"));
        }
        let title = format!("{}: {}", target.name, table::number(target.overall.tps));
        put(
            &mut svg,
            format_args!(
                "<text x='{middle:.1}' y='{:.1}' text-anchor='middle'>{}</text>",
                top + PLOT_HEIGHT + 18.0,
                escape(&title)
            ),
        );
        left += slot;
    }
    svg.push_str(&label_below(top, "median of the rounds; a dot for each round"));
    svg
}

fn frame(top: f64, title: &str) -> String {
    let middle = top + PLOT_HEIGHT / 2.0;
    format!(
        "<rect x='{LEFT}' y='{top}' width='{PLOT_WIDTH}' height='{PLOT_HEIGHT}' class='plot'/>\
         <text transform='translate(18 {middle}) rotate(-90)' text-anchor='middle'>{title}</text>"
    )
}

fn grid_line(y: f64, title: &str) -> String {
    let (right, x, below) = (LEFT + PLOT_WIDTH, LEFT - 8.0, y + 4.0);
    format!(
        "<line x1='{LEFT}' y1='{y:.1}' x2='{right}' y2='{y:.1}' class='grid'/>\
         <text x='{x}' y='{below:.1}' text-anchor='end'>{title}</text>"
    )
}

fn column_line(x: f64, title: &str) -> String {
    let (bottom, below) = (TOP + PLOT_HEIGHT, TOP + PLOT_HEIGHT + 18.0);
    format!(
        "<line x1='{x:.1}' y1='{TOP}' x2='{x:.1}' y2='{bottom}' class='grid'/>\
         <text x='{x:.1}' y='{below}' text-anchor='middle'>{title}</text>"
    )
}

fn label_below(top: f64, title: &str) -> String {
    let (x, y) = (LEFT + PLOT_WIDTH / 2.0, top + PLOT_HEIGHT + 38.0);
    format!("<text x='{x}' y='{y}' text-anchor='middle'>{title}</text>")
}

fn put(svg: &mut String, piece: std::fmt::Arguments<'_>) {
    svg.write_fmt(piece).expect("a String takes everything");
}

fn length(text: &str) -> f64 {
    super::float(text.chars().count().try_into().unwrap_or(0))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>Load test</title>
<style>
  body { font: 15px system-ui, sans-serif; max-width: 960px; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }
  svg { width: 100%; height: auto } svg text { font: 13px system-ui, sans-serif; fill: #444 }
  .plot { fill: none; stroke: #888 } .grid { stroke: #ddd } polyline { fill: none; stroke-width: 2 }
  circle { fill: #222; fill-opacity: 0.6 } pre { overflow-x: auto }
</style>
";
const COLORS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 760.0;
const LEFT: f64 = 90.0;
const TOP: f64 = 40.0;
const PLOT_WIDTH: f64 = 780.0;
const PLOT_HEIGHT: f64 = 300.0;
/// From the bottom of one plot to the top of the next.
const BETWEEN: f64 = 70.0;
/// The rarest percentile that is shown is one in ten to the power of this.
const DECADES: f64 = 4.0;
const STEPS: u32 = 200;

#[cfg(test)]
mod tests {
    use super::{super::table::tests::report, *};

    #[test]
    fn the_page_has_a_line_and_a_bar_for_each_target_and_loads_nothing() {
        let page = render(&report());
        assert_eq!(page.matches("<polyline").count(), 2);
        assert_eq!(page.matches("fill='#d55e00'").count(), 2, "in the legend, and as a bar");
        assert_eq!(page.matches("<circle").count(), 4, "two rounds of two targets");
        assert!(page.contains("&lt;jumpgate&gt;") && !page.contains("<jumpgate>"));
        assert!(!page.contains("http") && !page.contains("NaN") && !page.contains("inf"));
    }

    #[test]
    fn a_line_ends_where_the_percentiles_cannot_be_told() {
        let report = report();
        let line = points(&report.targets[0]);
        let (rarity, _) = line.last().unwrap();
        assert!((*rarity - 3.0).abs() < 0.03, "one of a thousand: {rarity}");
        assert!(line.is_sorted_by(|one, next| one.1 <= next.1));
    }
}
