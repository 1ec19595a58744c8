//! The system variables whose values may be kept: what drivers ask for when they connect.
//!
//! Each is the server's own, or a setting of the session that its SETs alone change: those are in the key
//! of the cache. A SET GLOBAL that goes through us [outdates](super::super::settings::writes) everything; one that does
//! not is seen when the reply is too old, as all that others write.

use super::super::lexer::TokenKind;
use super::super::tokens::Tokens;

/// The number of tokens of the variable that begins at this position, if it is one of those.
pub(super) fn constant_len(tokens: Tokens<'_>, mark: usize) -> Option<usize> {
    if tokens.kind(mark) != Some(TokenKind::SystemMark) {
        return None;
    }
    let is_scoped =
        tokens.is_one_of(mark + 1, &["SESSION", "LOCAL"]) && tokens.is_symbol(mark + 2, ".");
    let scope = if is_scoped { 2 } else { 0 };
    let name = tokens.name_part(mark + 1 + scope)?.to_ascii_lowercase();
    // Not the beginning of a longer name, such as another scope or that of a key cache.
    let ends = !tokens.is_symbol(mark + 2 + scope, ".");
    (ends && CONSTANT.contains(&name.as_str())).then_some(2 + scope)
}

const CONSTANT: [&str; 9] = [
    "interactive_timeout",
    "license",
    "lower_case_table_names",
    "max_allowed_packet",
    "net_buffer_length",
    "net_read_timeout",
    "net_write_timeout",
    "socket",
    "wait_timeout",
];
