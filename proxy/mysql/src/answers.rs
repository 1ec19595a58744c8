//! What a text asks about the client's last statement and its connection, written into it.
//!
//! A backend that has served others cannot say it. A value is right for the first statement of a text only, or where
//! those before it leave it as it is; elsewhere the call stays, for then the backend has run what it asks about.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use cache::sql::mysql::{Mention, Mentioned};

use super::{
    last::{Found, Last},
    plan::Text,
};

/// Where a text is to run.
#[derive(Clone, Debug)]
pub(crate) struct Here {
    /// The backend was held since the last statement.
    pub(crate) is_held: bool,
    /// The number of the client's connection.
    pub(crate) thread: u32,
    pub(crate) is_mariadb: bool,
    /// The schema of the client, where no backend is in it.
    pub(crate) schema: Option<Arc<str>>,
}

/// The text with values in the place of its questions, if there is any that the backend could not answer.
pub(crate) fn answered(text: &Text, last: &Last, here: &Here) -> Option<Bytes> {
    answered_in(text, 0..text.sql.len(), last, here)
}

/// The same of a part of the text.
pub(crate) fn answered_in(
    text: &Text,
    part: Range<usize>,
    last: &Last,
    here: &Here,
) -> Option<Bytes> {
    let analysis = text.analysis.as_ref()?;
    let sql = std::str::from_utf8(&text.sql).ok()?;
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let is_inside = |span: &Range<usize>| part.start <= span.start && span.end <= part.end;
    for mention in analysis.mentions.iter().filter(|mention| is_inside(&mention.span)) {
        if let Some(value) = value(text, mention, last, here) {
            edits.push((mention.span.clone(), value));
        }
    }
    if edits.is_empty() {
        return None;
    }
    let is_within =
        |item: &Range<usize>, edit: &Range<usize>| item.start <= edit.start && edit.end <= item.end;
    for item in &analysis.unnamed {
        if edits.iter().any(|(edit, _)| is_within(item, edit)) {
            let name = alias(sql.get(item.clone())?).unwrap_or_default();
            edits.push((item.end..item.end, name));
        }
    }
    // In a stable way: a value comes before the alias behind it.
    edits.sort_by_key(|(place, _)| (place.start, place.end));
    let (mut out, mut end) = (String::with_capacity(part.len() + 64), part.start);
    for (place, value) in edits {
        out.push_str(sql.get(end..place.start)?);
        out.push_str(&value);
        end = place.end;
    }
    out.push_str(sql.get(end..part.end)?);
    Some(out.into())
}

/// The value of one question, of the type that its answer has; `None` where the backend knows, or is the only one who
/// could.
fn value(text: &Text, mention: &Mention, last: &Last, here: &Here) -> Option<String> {
    let asked = std::str::from_utf8(text.sql.get(mention.span.clone())?).ok()?;
    // The function is there for its type, and is never called.
    let number = |value: i64| format!("IF(1,{value},{asked})");
    let is_first = mention.statement == 0;
    let is_there = here.is_held && !last.is_ours;
    match mention.what {
        Mentioned::FoundRows => match last.found {
            Found::Rows(rows)
                if !(here.is_held && last.is_counted_there)
                    && text.keeps_found_rows(mention.statement, here.is_mariadb) =>
            {
                Some(number(i64::try_from(rows).unwrap_or(i64::MAX)))
            }
            _ => None,
        },
        Mentioned::RowCount => (is_first && !is_there).then(|| number(last.row_count)),
        Mentioned::ConnectionId if asked.starts_with("@@") => Some(variable(here.thread.into())),
        Mentioned::ConnectionId => Some(format!("CAST({} AS UNSIGNED)", here.thread)),
        Mentioned::WarningCount | Mentioned::ErrorCount => {
            let (all, errors) = last.counts()?;
            let asks = if mention.what == Mentioned::WarningCount { all } else { errors };
            // MariaDB counts anew with each statement that uses a table.
            let is_about_last = is_first && (!here.is_mariadb || text.is_tableless());
            let count = || variable(u64::try_from(asks).unwrap_or(u64::MAX));
            (is_about_last && !last.has_conditions_there(here.is_held)).then(count)
        }
        // Backends can be given it.
        Mentioned::LastInsertId => None,
        Mentioned::Schema => here.schema.as_deref().map(|name| schema_name(name, asked, here)),
    }
}

/// The name of a schema, of the type of `DATABASE()`: MariaDB takes that for nothing where there is none.
fn schema_name(name: &str, asked: &str, here: &Here) -> String {
    let of_type = if here.is_mariadb { "LEFT(NULLIF(USER(),''),64)" } else { asked };
    let is_plain = |c: char| c.is_ascii_graphic() && c != '\'' && c != '\\';
    if name.chars().all(is_plain) {
        format!("IF(1,'{name}',{of_type})")
    } else {
        format!("IF(1,CONVERT(0x{} USING utf8mb4),{of_type})", hex::encode(name))
    }
}

/// A number of the type that a system variable has; the one that is named is never asked for.
pub(crate) fn variable(value: u64) -> String {
    format!("IF(1,CAST({value} AS UNSIGNED),@@join_buffer_size)")
}

/// What keeps the name of a column whose text is changed: it is named by its text.
fn alias(item: &str) -> Option<String> {
    // Servers show something else of what they execute in comments, and cut what is longer.
    let is_plain = !item.contains("/*!") && !item.contains("/*M!");
    (is_plain && item.chars().count() <= LONGEST_NAME)
        .then(|| format!(" AS `{}`", item.replace('`', "``")))
}

/// Of a column that has no alias.
const LONGEST_NAME: usize = 255;

#[cfg(test)]
mod tests {
    use cache::sql::mysql::{Modes, analyse};

    use super::*;

    fn text(sql: &str) -> Text {
        let analysis = Some(Arc::new(analyse(sql, Modes::default())));
        Text { sql: Bytes::copy_from_slice(sql.as_bytes()), analysis, judged: None }
    }

    fn filled(sql: &str) -> Option<String> {
        let last = Last { found: Found::Rows(7), row_count: -1, ..Last::default() };
        let here = Here { is_held: false, thread: 9, is_mariadb: false, schema: None };
        answered(&text(sql), &last, &here).map(|sql| String::from_utf8_lossy(&sql).into_owned())
    }

    /// FAULTS rows 11 and 12, and §3: names of columns, position in the text, what is stored.
    #[test]
    fn what_was_asked_about_the_last_statement_is_written_into_the_text() {
        for (sql, expected) in [
            (
                "SELECT found_rows(), row_count() AS n",
                Some("SELECT IF(1,7,found_rows()) AS `found_rows()`, IF(1,-1,row_count()) AS n"),
            ),
            (
                "select connection_id() + 1",
                Some("select CAST(9 AS UNSIGNED) + 1 AS `connection_id() + 1`"),
            ),
            ("select hex(row_count()) h", Some("select hex(IF(1,-1,row_count())) h")),
            (
                "select (select row_count()) from t",
                Some(
                    "select (select IF(1,-1,row_count()) AS `row_count()`) AS `(select row_count())` from t",
                ),
            ),
            ("select 'found_rows()'", None),
            ("select last_insert_id()", None),
            ("update t set a = 1; select row_count()", None),
            ("insert into t values (1); select * from u where row_count() = 1", None),
            ("select sql_calc_found_rows a from t limit 1; select found_rows()", None),
            ("select 1; select @@warning_count", None),
            (
                "set @a = 1; select found_rows()",
                Some("set @a = 1; select IF(1,7,found_rows()) AS `found_rows()`"),
            ),
            (
                "select 1; select connection_id()",
                Some("select 1; select CAST(9 AS UNSIGNED) AS `connection_id()`"),
            ),
            ("create view v as select connection_id() c", None),
            (
                "prepare s from 'select connection_id()'",
                Some("prepare s from 'select CAST(9 AS UNSIGNED) AS `connection_id()`'"),
            ),
        ] {
            assert_eq!(filled(sql).as_deref(), expected, "{sql}");
        }
    }
}
