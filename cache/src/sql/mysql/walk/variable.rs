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
    (ends && is_constant(&name)).then_some(2 + scope)
}

/// Whether the variable of this name, in lower case, is one of those.
pub(in super::super) fn is_constant(name: &str) -> bool {
    CONSTANT.binary_search(&name).is_ok()
}

const CONSTANT: [&str; 41] = [
    "auto_increment_increment",
    "auto_increment_offset",
    "autocommit",
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "character_set_server",
    "collation_connection",
    "collation_server",
    "foreign_key_checks",
    "group_concat_max_len",
    "init_connect",
    "innodb_lock_wait_timeout",
    "innodb_version",
    "interactive_timeout",
    "license",
    "lower_case_table_names",
    "max_allowed_packet",
    "net_buffer_length",
    "net_read_timeout",
    "net_write_timeout",
    "performance_schema",
    "port",
    "query_cache_size",
    "query_cache_type",
    "socket",
    "sql_mode",
    "sql_safe_updates",
    "sql_select_limit",
    "system_time_zone",
    "time_zone",
    "transaction_isolation",
    "transaction_read_only",
    "tx_isolation",
    "tx_read_only",
    "unique_checks",
    "version",
    "version_comment",
    "version_compile_machine",
    "version_compile_os",
    "wait_timeout",
];
