//! Numbers and rows in few letters.

use super::figures::float;

/// How wide each column is.
pub(super) fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    (0..columns).map(|column| width(column).unwrap_or_default()).collect()
}

/// A row in columns of these widths.
pub(super) fn aligned(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths);
    cells.map(|(cell, &width)| format!("{cell:width$}")).collect::<Vec<_>>().join("  ")
}

/// No more letters than that; one that is cut off ends with a mark.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let Some(kept) = width.checked_sub(1) else { return String::new() };
    text.chars().take(kept).chain(['…']).collect()
}

/// A number of anything: 950, 1.25k, 3.0M.
pub(super) fn amount(value: f64) -> String {
    let (value, unit) = match value {
        value if value >= 1e9 => (value / 1e9, "G"),
        value if value >= 1e6 => (value / 1e6, "M"),
        value if value >= 1e4 => (value / 1e3, "k"),
        value => (value, ""),
    };
    let digits = match value {
        value if value >= 100.0 || value.fract() == 0.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$}{unit}")
}

/// Of a part from 0 to 1.
pub(super) fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| String::from("-"), |ratio| format!("{:.1}%", ratio * 100.0))
}

/// How long, in about three letters.
pub(super) fn time(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis}ms"),
        1_000..60_000 => format!("{:.1}s", float(millis) / 1000.0),
        60_000..3_600_000 => format!("{}m", millis / 60_000),
        _ => format!("{}h", millis / 3_600_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_three_digits() {
        let written = [0.0, 0.25, 7.0, 12.34, 950.4, 12_345.0, 3e6, 2.5e9].map(amount);
        assert_eq!(written, ["0", "0.25", "7", "12.3", "950", "12.3k", "3M", "2.50G"]);
    }
}
