//! What a text asks about the client's last statement and its connection, written into it.
//!
//! A backend that has served others cannot say it. A value is right for the first statement of a text only, or where
//! those before it leave it as it is; elsewhere the call stays, for then the backend has run what it asks about.

use std::ops::Range;

use bytes::Bytes;
use cache::sql::mysql::{Diagnosed, Mention, Mentioned};
use protocol::mysql::reply;

use super::{
    last::{Conditions, Found, Last},
    plan::Text,
};

/// Where a text is to run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here {
    /// The backend was held since the last statement.
    pub(super) is_held: bool,
    /// The number of the client's connection.
    pub(super) thread: u32,
    pub(super) is_mariadb: bool,
}

/// The text with values in the place of its questions, if there is any that the backend could not answer.
pub(super) fn answered(text: &Text, last: &Last, here: Here) -> Option<Bytes> {
    let analysis = text.analysis.as_ref()?;
    let sql = std::str::from_utf8(&text.sql).ok()?;
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for mention in &analysis.mentions {
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
    let (mut out, mut end) = (String::with_capacity(sql.len() + 64), 0);
    for (place, value) in edits {
        out.push_str(sql.get(end..place.start)?);
        out.push_str(&value);
        end = place.end;
    }
    out.push_str(sql.get(end..)?);
    Some(out.into())
}

/// The value of one question; `None` where the backend knows, or is the only one who could.
fn value(text: &Text, mention: &Mention, last: &Last, here: Here) -> Option<String> {
    let number = |value: i64| number(value, here.is_mariadb);
    let count = |count: usize| number(i64::try_from(count).unwrap_or(i64::MAX));
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
        Mentioned::ConnectionId => Some(format!("CAST({} AS UNSIGNED)", here.thread)),
        Mentioned::WarningCount | Mentioned::ErrorCount => {
            let (all, errors) = last.counts()?;
            let asks = if mention.what == Mentioned::WarningCount { all } else { errors };
            // MariaDB counts anew with each statement that uses a table.
            let is_about_last = is_first && (!here.is_mariadb || text.is_tableless());
            (is_about_last && !last.has_conditions_there(here.is_held)).then(|| count(asks))
        }
        // Backends can be given it.
        Mentioned::LastInsertId => None,
    }
}

/// A GET DIAGNOSTICS as the assignments that it comes to, if the session remembers all of that.
pub(super) fn diagnosed(asked: &Diagnosed, last: &Last) -> Option<Bytes> {
    let rows = match &last.conditions {
        Conditions::None => &[][..],
        Conditions::Rows(rows, _) => rows,
        Conditions::AtBackend => return None,
    };
    let text = |value: &[u8]| format!("CONVERT(0x{} USING utf8mb4)", hex::encode(value));
    let condition = match asked.condition {
        Some(number) => Some(rows.get(usize::try_from(number).ok()?.checked_sub(1)?)?),
        None => None,
    };
    let mut sql = String::from("SET ");
    for (target, name) in &asked.items {
        let value = match (condition, name.as_str()) {
            (None, "NUMBER") => rows.len().to_string(),
            (None, "ROW_COUNT") => last.row_count.to_string(),
            (Some(condition), name) => {
                let cells = reply::text_row(&condition.row).map(|cell| cell.ok().flatten());
                let cells: Vec<&[u8]> = cells.map(Option::unwrap_or_default).collect();
                let code = std::str::from_utf8(cells.get(1)?).ok()?;
                let error = last.error.filter(|(error, _)| error.to_string() == code);
                match name {
                    "MYSQL_ERRNO" => code.parse::<u16>().ok()?.to_string(),
                    "MESSAGE_TEXT" => text(cells.get(2)?),
                    "RETURNED_SQLSTATE" => text(&error.filter(|_| condition.is_error)?.1),
                    _ => return None,
                }
            }
            _ => return None,
        };
        let comma = if sql.len() == "SET ".len() { "" } else { ", " };
        sql.push_str(&format!("{comma}{target} = {value}"));
    }
    Some(sql.into())
}

/// What keeps the name of a column whose text is changed: it is named by its text.
fn alias(item: &str) -> Option<String> {
    // Servers show something else of what they execute in comments, and cut what is longer.
    let is_plain = !item.contains("/*!") && !item.contains("/*M!");
    (is_plain && item.chars().count() <= LONGEST_NAME)
        .then(|| format!(" AS `{}`", item.replace('`', "``")))
}

/// A number of the type that the functions of the last statement have.
pub(super) fn number(value: i64, is_mariadb: bool) -> String {
    if is_mariadb {
        // It makes an INT of CAST(7 AS SIGNED).
        format!("({value}+0*9223372036854775807)")
    } else {
        format!("CAST({value} AS SIGNED)")
    }
}

/// Of a column that has no alias.
const LONGEST_NAME: usize = 255;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cache::sql::mysql::{Modes, analyse};

    use super::*;

    fn text(sql: &str) -> Text {
        let analysis = Some(Arc::new(analyse(sql, Modes::default())));
        Text { sql: Bytes::copy_from_slice(sql.as_bytes()), analysis, judged: None }
    }

    /// FAULTS §3: GET DIAGNOSTICS of a session that holds no backend.
    #[test]
    fn what_get_diagnostics_would_say_is_assigned() {
        let mut row = bytes::BytesMut::new();
        let cells: [Option<&[u8]>; 3] = [Some(b"Error"), Some(b"1146"), Some(b"no")];
        reply::encode_text_row(cells, &mut row);
        let condition = super::super::last::Condition { is_error: true, row: row.freeze() };
        let conditions = Conditions::Rows(vec![condition], 1);
        let error = Some((1146, *b"42S02"));
        let last = Last { conditions, error, row_count: -1, ..Last::default() };
        let said = |condition, items: &[(&str, &str)]| {
            let items = items.iter().map(|(to, name)| ((*to).to_owned(), (*name).to_owned()));
            diagnosed(&Diagnosed { condition, items: items.collect() }, &last)
        };
        let number = said(None, &[("@n", "NUMBER"), ("@r", "ROW_COUNT")]);
        assert_eq!(number.as_deref(), Some(&b"SET @n = 1, @r = -1"[..]));
        let first = said(Some(1), &[("@c", "MYSQL_ERRNO"), ("@s", "RETURNED_SQLSTATE")]);
        let expected = b"SET @c = 1146, @s = CONVERT(0x3432533032 USING utf8mb4)";
        assert_eq!(first.as_deref(), Some(&expected[..]));
        assert_eq!(said(Some(2), &[("@c", "MYSQL_ERRNO")]), None);
        assert_eq!(said(Some(1), &[("@c", "TABLE_NAME")]), None);
    }

    fn filled(sql: &str) -> Option<String> {
        let last = Last { found: Found::Rows(7), row_count: -1, ..Last::default() };
        let here = Here { is_held: false, thread: 9, is_mariadb: false };
        answered(&text(sql), &last, here).map(|sql| String::from_utf8_lossy(&sql).into_owned())
    }

    /// FAULTS rows 11 and 12, and §3: names of columns, position in the text, what is stored.
    #[test]
    fn what_was_asked_about_the_last_statement_is_written_into_the_text() {
        for (sql, expected) in [
            (
                "SELECT found_rows(), row_count() AS n",
                Some("SELECT CAST(7 AS SIGNED) AS `found_rows()`, CAST(-1 AS SIGNED) AS n"),
            ),
            (
                "select connection_id() + 1",
                Some("select CAST(9 AS UNSIGNED) + 1 AS `connection_id() + 1`"),
            ),
            ("select hex(row_count()) h", Some("select hex(CAST(-1 AS SIGNED)) h")),
            (
                "select (select row_count()) from t",
                Some(
                    "select (select CAST(-1 AS SIGNED) AS `row_count()`) AS `(select row_count())` from t",
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
                Some("set @a = 1; select CAST(7 AS SIGNED) AS `found_rows()`"),
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
