//! A text with our names for the prepared statements that it names.

use std::ops::Range;

use bytes::Bytes;
use cache::sql::postgres::{Analysis, Kind, StatementFacts, StatementName};

use super::super::places::Places;

/// A place in a text, and what is to stand there.
pub(crate) type Edit = (Range<usize>, String);

/// Other names for the prepared statements that a text names.
pub(crate) fn renamed<'n>(
    analysis: &'n Analysis,
    mut ours: impl FnMut(&'n StatementName) -> Option<String>,
) -> Vec<Edit> {
    let renamed = |name: &'n StatementName| Some((name.span.clone(), ours(name)?));
    analysis.names.iter().filter_map(renamed).collect()
}

/// A name of ours as it stands in a text.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// The text that runs a statement of ours.
pub(crate) fn execution(name: &str) -> String {
    format!("EXECUTE {}", quoted(name))
}

/// The name of the statement that a text runs, if that is all that it does.
pub(crate) fn executes(analysis: &Analysis) -> Option<&str> {
    match analysis.statements.as_slice() {
        [StatementFacts { kind: Kind::Execute(name), .. }] => Some(name.as_str()),
        _ => None,
    }
}

/// The text with these edits, of which no two touch, and where they are. `None` where there are none.
pub(crate) fn edited(text: &str, mut edits: Vec<Edit>) -> Option<(Bytes, Places)> {
    edits.sort_by_key(|(span, _)| span.start);
    let places = Places::of(text, edits.iter().map(|(span, edit)| (span, edit.as_str())));
    let (mut new, mut copied) = (String::new(), 0);
    for (span, edit) in &edits {
        new.push_str(text.get(copied..span.start)?);
        new.push_str(edit);
        copied = span.end;
    }
    new.push_str(text.get(copied..)?);
    (!edits.is_empty()).then(|| (new.into(), places))
}

#[cfg(test)]
mod tests {
    use cache::sql::postgres::analyse;

    use super::*;

    #[test]
    fn statements_are_given_our_names() {
        let renamed = |sql: &str| {
            let ours = |name: &StatementName| (name.name != "theirs").then(|| quoted("x_1"));
            edited(sql, renamed(&analyse(sql), ours))
                .map(|(text, _)| text)
                .map(|new| String::from_utf8_lossy(&new).into_owned())
        };
        for (sql, expected) in [
            ("execute s(1, 's')", Some("execute \"x_1\"(1, 's')")),
            ("/* s */ EXECUTE \"a \"\" b\" (2)", Some("/* s */ EXECUTE \"x_1\" (2)")),
            ("DEALLOCATE PREPARE s; SELECT 's'", Some("DEALLOCATE PREPARE \"x_1\"; SELECT 's'")),
            ("EXECUTE s; EXECUTE theirs; EXECUTE s", {
                Some("EXECUTE \"x_1\"; EXECUTE theirs; EXECUTE \"x_1\"")
            }),
            ("EXECUTE theirs", None),
            ("SELECT 's'", None),
        ] {
            assert_eq!(renamed(sql).as_deref(), expected, "{sql}");
        }
    }
}
