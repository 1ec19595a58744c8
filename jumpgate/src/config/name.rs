//! Names of databases and users.

use serving::config::Engine;

use super::{
    document::{Source, Span},
    error::ConfigError,
    file::Typed,
};

/// PostgreSQL's names end here (`NAMEDATALEN` - 1).
const NAME_BYTES_MAX: usize = 63;
/// MySQL's names end here (`NAME_CHAR_LEN`).
const NAME_CHARS_MAX: usize = 64;

/// A name that the engine can hold.
pub(super) fn name(
    source: &Source,
    engine: Engine,
    value: &Typed<String>,
    key: &str,
    section: &Span,
) -> Result<String, ConfigError> {
    let value = source.required(value, key, section)?;
    let text = value.get_ref();
    if text.is_empty() || text.contains('\0') {
        return Err(source.error(&value.span(), "must not be empty or hold a zero byte", ""));
    }
    let (is_too_long, problem, remedy) = match engine {
        Engine::Postgres => (
            text.len() > NAME_BYTES_MAX,
            format!("is longer than {NAME_BYTES_MAX} bytes"),
            "PostgreSQL has no longer names",
        ),
        Engine::MySql => (
            text.chars().count() > NAME_CHARS_MAX,
            format!("is longer than {NAME_CHARS_MAX} characters"),
            "MySQL has no longer names",
        ),
    };
    if is_too_long {
        return Err(source.error(&value.span(), problem, remedy));
    }
    Ok(text.clone())
}
