//! Names of databases and users.

use crate::{mistake::Mistake, model::Scheme};

/// PostgreSQL's names end here (`NAMEDATALEN` - 1).
const NAME_BYTES_MAX: usize = 63;
/// MySQL's names end here (`NAME_CHAR_LEN`).
const NAME_CHARS_MAX: usize = 64;

/// A name that the database can hold.
pub(super) fn name(
    scheme: Scheme,
    name: Option<String>,
    table: &str,
    key: &str,
) -> Result<String, Mistake> {
    let name = name.ok_or_else(|| Mistake::missing(table, key))?;
    let at = if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") };
    if name.is_empty() || name.contains('\0') {
        return Err(Mistake::new(at, "must not be empty or hold a zero byte", ""));
    }
    let (is_too_long, problem, remedy) = if scheme.is_mysql() {
        (
            name.chars().count() > NAME_CHARS_MAX,
            format!("is longer than {NAME_CHARS_MAX} characters"),
            "MySQL has no longer names",
        )
    } else {
        (
            name.len() > NAME_BYTES_MAX,
            format!("is longer than {NAME_BYTES_MAX} bytes"),
            "PostgreSQL has no longer names",
        )
    };
    if is_too_long { Err(Mistake::new(at, problem, remedy)) } else { Ok(name) }
}
