//! How answers are shown to a person.

use serde_json::Value;

use super::error::ManageError;
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
        Value::String(text) => moment(text),
        other => other.to_string(),
    }
}

/// A moment without its fraction; any other text as it is.
pub(super) fn moment(text: &str) -> String {
    match text.split_once('T') {
        Some((date, rest)) if date.len() == 10 && rest.ends_with('Z') => {
            format!("{date} {}", rest.get(..5).unwrap_or_default())
        }
        _ => text.to_owned(),
    }
}

/// The value with one of its fields as a person reads it.
pub(super) fn with(value: &Value, key: &str, words: impl FnOnce(&Value) -> String) -> Value {
    let mut row = value.clone();
    row[key] = Value::from(words(&value[key]));
    row
}

/// A list of texts.
pub(super) fn words(list: &Value) -> String {
    let texts = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.collect::<Vec<_>>().join(", ")
}

/// Rules of a policy, as they are given on the command line.
pub(super) fn rules(rules: &Value, tokens: &[Value]) -> String {
    let shown = rules.as_array().into_iter().flatten().map(|rule| {
        let id = &rule["service_token"]["token_id"];
        let token = tokens.iter().find(|token| token["id"] == *id);
        match token {
            Some(token) => format!("token:{}", cell(token, "name")),
            None if id.is_null() => String::from("any"),
            None => String::from("a revoked token"),
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// The id of the one with this name or id.
pub(super) fn id_of(all: &[Value], what: &str, name: &str) -> Result<String, ManageError> {
    let found = all.iter().find(|it| it["id"] == name || it["name"] == name);
    found.and_then(|it| it["id"].as_str()).map(str::to_owned).ok_or_else(|| {
        let names: Vec<_> = all.iter().filter_map(|it| it["name"].as_str()).collect();
        let names = if names.is_empty() { String::from("none yet") } else { names.join(", ") };
        ManageError::Given(format!("there is no {what} {name:?}; there is {names}"))
    })
}
