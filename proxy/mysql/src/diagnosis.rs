//! GET DIAGNOSTICS of a session that holds no backend, from what it remembers.
//!
//! Conditions of the servers' own are alike in all but number, message and SQLSTATE. Of others, which a SIGNAL raised, all
//! is asked for before the backend is given back (`questions`).

use bytes::Bytes;
use cache::sql::mysql::Diagnosed;
use protocol::mysql::reply;

use super::last::{Condition, Conditions, Last, NO_SUCH_CONDITION, RaisedBy};

/// What a GET DIAGNOSTICS comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Diagnosis {
    /// The statement that assigns what it asks for.
    Assignments(Bytes),
    /// There is no condition of its number, which is a condition itself.
    NoSuchCondition,
}

/// What both servers have of a condition, besides its number and message.
pub(crate) const ITEMS: [&str; 11] = [
    "RETURNED_SQLSTATE",
    "CLASS_ORIGIN",
    "SUBCLASS_ORIGIN",
    "CATALOG_NAME",
    "COLUMN_NAME",
    "CONSTRAINT_CATALOG",
    "CONSTRAINT_NAME",
    "CONSTRAINT_SCHEMA",
    "CURSOR_NAME",
    "SCHEMA_NAME",
    "TABLE_NAME",
];

/// What MySQL calls the origin of its own conditions; MariaDB leaves it empty.
const ORIGIN: &[u8] = b"ISO 9075";

/// The SQLSTATE of conditions that are warnings mostly, where both servers have the same.
const SQLSTATES: [(u16, &[u8]); 22] = [
    (1007, b"HY000"),
    (1008, b"HY000"),
    (1048, b"23000"),
    (1049, b"42000"),
    (1050, b"42S01"),
    (1051, b"42S02"),
    (1054, b"42S22"),
    (1061, b"42000"),
    (1062, b"23000"),
    (1091, b"42000"),
    (1146, b"42S02"),
    (1264, b"22003"),
    (1265, b"01000"),
    (1285, b"HY000"),
    (1287, b"HY000"),
    (1292, b"22007"),
    (1305, b"42000"),
    (1329, b"02000"),
    (1364, b"HY000"),
    (1365, b"22012"),
    (1441, b"22008"),
    (1681, b"HY000"),
];

/// What a GET DIAGNOSTICS comes to, if the session remembers all of that, and its names are such as every server has.
pub(crate) fn diagnosed(asked: &Diagnosed, last: &Last, is_mariadb: bool) -> Option<Diagnosis> {
    let rows = match &last.conditions {
        Conditions::None => &[][..],
        Conditions::Rows(rows, _) => rows,
        Conditions::AtBackend => return None,
    };
    let condition = match asked.condition {
        Some(number) => {
            let place = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
            match place.and_then(|place| rows.get(place)) {
                None if asked.items.iter().all(|(_, name)| is_of_condition(name)) => {
                    return Some(Diagnosis::NoSuchCondition);
                }
                found => Some(found?),
            }
        }
        None => None,
    };
    let mut sql = String::from("SET ");
    for (target, name) in &asked.items {
        let value = match (condition, name.as_str()) {
            (None, "NUMBER") => unsigned(rows.len()),
            (None, "ROW_COUNT") => last.row_count.to_string(),
            (Some(condition), name) => item(condition, name, last, is_mariadb)?,
            _ => return None,
        };
        let comma = if sql.len() == "SET ".len() { "" } else { ", " };
        sql.push_str(&format!("{comma}{target} = {value}"));
    }
    Some(Diagnosis::Assignments(sql.into()))
}

fn is_of_condition(name: &str) -> bool {
    ["MYSQL_ERRNO", "MESSAGE_TEXT"].contains(&name) || ITEMS.contains(&name)
}

fn text(value: &[u8]) -> String {
    match value {
        b"" => String::from("CONVERT('' USING utf8mb4)"),
        _ => format!("CONVERT(0x{} USING utf8mb4)", hex::encode(value)),
    }
}

fn unsigned(number: usize) -> String {
    format!("CAST({number} AS UNSIGNED)")
}

/// What a condition says of itself under this name.
fn item(condition: &Condition, name: &str, last: &Last, is_mariadb: bool) -> Option<String> {
    let cells = reply::text_row(&condition.row).map(|cell| cell.ok().flatten());
    let cells: Vec<&[u8]> = cells.map(Option::unwrap_or_default).collect();
    let code: u16 = std::str::from_utf8(cells.get(1)?).ok()?.parse().ok()?;
    match name {
        "MYSQL_ERRNO" => return Some(unsigned(code.into())),
        "MESSAGE_TEXT" => return Some(text(cells.get(2)?)),
        _ => {}
    }
    let place = ITEMS.iter().position(|known| *known == name)?;
    if let Some(items) = &condition.items {
        return items.get(place).map(|value| text(value));
    }
    let error = last.error.filter(|(error, _)| condition.is_error && *error == code);
    let known = SQLSTATES.iter().find(|(known, _)| *known == code).map(|(_, sqlstate)| *sqlstate);
    let (no_such, _) = NO_SUCH_CONDITION;
    match name {
        "RETURNED_SQLSTATE" if code == no_such => Some(text(b"35000")),
        "RETURNED_SQLSTATE" => match error {
            Some((_, sqlstate)) => Some(text(&sqlstate)),
            None => Some(text(known?)),
        },
        _ if last.raised_by == RaisedBy::Signal && code != no_such => None,
        "CLASS_ORIGIN" | "SUBCLASS_ORIGIN" if !is_mariadb => Some(text(ORIGIN)),
        _ => Some(text(b"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FAULTS §3: GET DIAGNOSTICS of a session that holds no backend.
    #[test]
    fn what_get_diagnostics_would_say_is_assigned() {
        let mut row = bytes::BytesMut::new();
        let cells: [Option<&[u8]>; 3] = [Some(b"Error"), Some(b"1146"), Some(b"no")];
        reply::encode_text_row(cells, &mut row);
        let condition = Condition { is_error: true, row: row.freeze(), items: None };
        let conditions = Conditions::Rows(vec![condition], 1);
        let error = Some((1146, *b"42S02"));
        let last = Last { conditions, error, row_count: -1, ..Last::default() };
        let said = |condition, items: &[(&str, &str)]| {
            let items = items.iter().map(|(to, name)| ((*to).to_owned(), (*name).to_owned()));
            let asked = Diagnosed { condition, items: items.collect() };
            match diagnosed(&asked, &last, false)? {
                Diagnosis::Assignments(sql) => Some(sql),
                Diagnosis::NoSuchCondition => Some(Bytes::from_static(b"none")),
            }
        };
        let number = said(None, &[("@n", "NUMBER"), ("@r", "ROW_COUNT")]);
        assert_eq!(number.as_deref(), Some(&b"SET @n = CAST(1 AS UNSIGNED), @r = -1"[..]));
        let first = said(Some(1), &[("@c", "MYSQL_ERRNO"), ("@s", "RETURNED_SQLSTATE")]);
        let expected = b"SET @c = CAST(1146 AS UNSIGNED), @s = CONVERT(0x3432533032 USING utf8mb4)";
        assert_eq!(first.as_deref(), Some(&expected[..]));
        for number in [0, 2] {
            let none = said(Some(number), &[("@c", "MYSQL_ERRNO"), ("@t", "TABLE_NAME")]);
            assert_eq!(none.as_deref(), Some(&b"none"[..]));
            // A server that does not know the name says so.
            assert_eq!(said(Some(number), &[("@c", "ROW_NUMBER")]), None);
        }
        let own = said(Some(1), &[("@t", "TABLE_NAME"), ("@o", "CLASS_ORIGIN")]);
        let expected =
            "SET @t = CONVERT('' USING utf8mb4), @o = CONVERT(0x49534f2039303735 USING utf8mb4)";
        assert_eq!(own.as_deref(), Some(expected.as_bytes()));
        assert_eq!(said(Some(1), &[("@c", "ROW_NUMBER")]), None);
    }
}
