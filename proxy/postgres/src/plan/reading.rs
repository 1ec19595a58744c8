//! Whether a text says to the parse what it says to the server.

use cache::sql::postgres::Effect;

use super::super::parameters::Parameters;

/// Whether texts mean what the parse says they mean: with `standard_conforming_strings` off a backslash would
/// escape where the parse sees none.
pub(crate) fn is_standard(parameters: &Parameters) -> bool {
    parameters.get("standard_conforming_strings").is_none_or(|value| value == "on")
}

/// Whether a text says to the parse what it says to the server. Without `standard_conforming_strings` a backslash
/// escapes; in some encodings a byte that looks like one is part of a character.
pub(crate) fn is_readable(query: &[u8], parameters: &Parameters) -> bool {
    (is_standard(parameters) || !query.contains(&b'\\'))
        && (!ASCII_WITHIN.contains(&encoding(parameters)) || query.is_ascii())
}

/// Whether that is so whatever the text is.
pub(crate) fn is_always_readable(parameters: &Parameters) -> bool {
    is_standard(parameters) && !ASCII_WITHIN.contains(&encoding(parameters))
}

/// Whether a SET gives the same value again. A value with other characters than ASCII came in the client's encoding.
pub(crate) fn is_repeatable(effect: &Effect, parameters: &Parameters) -> bool {
    let is_escaped = matches!(effect, Effect::Set { sql, .. } if sql.contains('\\'));
    !is_escaped || encoding(parameters) == "UTF8"
}

/// Whether a setting decides how the texts behind it are read.
pub(crate) fn decides_reading(name: &str) -> bool {
    matches!(name, "standard_conforming_strings" | "client_encoding")
}

fn encoding(parameters: &Parameters) -> &str {
    parameters.get("client_encoding").unwrap_or("UTF8")
}

/// The encodings of clients whose characters may hold ASCII bytes (`PG_ENCODING_IS_CLIENT_ONLY`).
const ASCII_WITHIN: [&str; 7] =
    ["SJIS", "BIG5", "GBK", "UHC", "GB18030", "JOHAB", "SHIFT_JIS_2004"];
