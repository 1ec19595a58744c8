//! How answers are shown to a person.

use serde_json::Value;

use crate::report;

/// As other programs read it.
pub(super) fn json(value: &Value) -> String {
    format!("{value:#}")
}

/// Columns as wide as their widest cell, of the fields of each value. A field is a path such as `origin.host`.
pub(super) fn table(columns: &[(&str, &str)], values: &[Value]) -> String {
    let head: Vec<_> = columns.iter().map(|(head, _)| (*head).to_owned()).collect();
    let rows =
        values.iter().map(|value| columns.iter().map(|(_, path)| cell(value, path)).collect());
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    report::table(&rows)
}

/// A field, as a person reads it; nothing where there is none. A moment without its fraction.
pub(super) fn cell(value: &Value, path: &str) -> String {
    let field = path.split('.').fold(value, |value, key| &value[key]);
    match field {
        Value::Null => String::new(),
        Value::String(text) => moment(text).unwrap_or_else(|| text.clone()),
        other => other.to_string(),
    }
}

fn moment(text: &str) -> Option<String> {
    let (date, rest) = text.split_once('T')?;
    let is_moment = date.len() == 10 && rest.ends_with('Z');
    is_moment.then(|| format!("{date} {}", rest.get(..5).unwrap_or_default()))
}
