//! SET: which assignments leave what only a parse can see.
//!
//! System variables are followed by what the origin reports, whoever set them; so most assignments
//! say nothing here.

use super::effects::Effect;
use super::lexer::TokenKind;
use super::tokens::Tokens;
use crate::sql::common::Writes;

/// What the assignments of a SET leave behind. `tokens` begins with SET.
pub(super) fn effects(tokens: Tokens<'_>) -> Vec<Effect> {
    if let Some(effects) = special(tokens) {
        return effects;
    }
    items(tokens).filter_map(assignment).collect()
}

/// What the assignments of a SET change for others: after one of a global variable no kept reply may show what it
/// was, nor what followed from it. `tokens` begins with SET.
pub(super) fn writes(tokens: Tokens<'_>) -> Writes {
    let is_global = |item: Tokens<'_>| {
        let at = usize::from(item.kind(0) == Some(TokenKind::SystemMark));
        item.is_one_of(at, &OF_ALL) && !item.is_symbol(at + 1, "=")
    };
    if items(tokens).any(is_global) { Writes::Everything } else { Writes::None }
}

/// The assignments of a list.
fn items<'t>(tokens: Tokens<'t>) -> impl Iterator<Item = Tokens<'t>> {
    let mut start = 1;
    let commas = tokens.outer().filter(move |&at| tokens.is_symbol(at, ","));
    commas.chain([tokens.len()]).map(move |end| {
        let item = tokens.until(end).from(start);
        start = end + 1;
        item
    })
}

/// The forms of SET that are no list of assignments.
fn special(tokens: Tokens<'_>) -> Option<Vec<Effect>> {
    // A variable may have any of these names.
    if tokens.is_symbol(2, "=") || tokens.is_symbol(2, ":=") {
        return None;
    }
    if tokens.is_one_of(1, &["PASSWORD", "DEFAULT"]) {
        return Some(Vec::new());
    }
    if tokens.is_one_of(1, &["ROLE", "RESOURCE"]) {
        return Some(vec![Effect::UnknownSetting]);
    }
    if tokens.is(1, "TRANSACTION") {
        return Some(vec![Effect::NextTransaction]);
    }
    let is_scoped = tokens.is_one_of(1, &["GLOBAL", "SESSION", "LOCAL"]);
    (is_scoped && tokens.is(2, "TRANSACTION") && !tokens.is_symbol(3, "=")).then(Vec::new)
}

/// What one assignment leaves behind.
fn assignment(item: Tokens<'_>) -> Option<Effect> {
    if let Some(name) = item.user_variable(0) {
        let is_cleared = item.len() == 3 && item.is(2, "NULL");
        return Some(if is_cleared {
            Effect::UserVariableCleared(name)
        } else {
            Effect::UserVariable(name)
        });
    }
    let marked = item.kind(0) == Some(TokenKind::SystemMark);
    let at = usize::from(marked);
    let is_other = item.is_one_of(at, &OF_ALL);
    let is_own = item.is_one_of(at, &["SESSION", "LOCAL"]);
    // `SESSION x` and `@@session.x`; a variable may also have such a name.
    let is_scope = (is_other || is_own) && !item.is_symbol(at + 1, "=");
    let dotted = usize::from(item.is_symbol(at + 1, "."));
    let name = item.name_part(if is_scope { at + 1 + dotted } else { at })?.to_lowercase();
    if is_scope && is_other {
        return None;
    }
    system_variable(&name, is_scope)
}

/// What setting this variable for the session leaves behind.
fn system_variable(name: &str, is_scoped: bool) -> Option<Effect> {
    if name.starts_with("session_track_") {
        return Some(Effect::SessionTracking);
    }
    if ["last_insert_id", "identity"].contains(&name) {
        return Some(Effect::LastInsertId);
    }
    // `SET @@transaction_isolation` counts for one transaction (`Sys_var_tx_isolation`).
    if NEXT_TRANSACTION.contains(&name) {
        return (!is_scoped).then_some(Effect::NextTransaction);
    }
    is_one_shot(name).then_some(Effect::OneShot)
}

/// Whether a variable of this name acts once, or must not be given to another backend.
pub(super) fn is_one_shot(name: &str) -> bool {
    ONE_SHOT.contains(&name)
}

/// The scopes of what is not the session's alone.
const OF_ALL: [&str; 3] = ["GLOBAL", "PERSIST", "PERSIST_ONLY"];

const NEXT_TRANSACTION: [&str; 4] =
    ["transaction_isolation", "transaction_read_only", "tx_isolation", "tx_read_only"];

/// Variables that act once, or that another backend must not be given.
const ONE_SHOT: [&str; 25] = [
    // They go with the schema, and are the schema's own again behind USE.
    "character_set_database",
    "collation_database",
    "debug",
    "debug_dbug",
    "debug_sync",
    "gtid_domain_id",
    "gtid_next",
    "gtid_seq_no",
    "immediate_server_version",
    "insert_id",
    "original_commit_timestamp",
    "original_server_version",
    // What OPTIMIZER_TRACE and SHOW PROFILES show is the backend's.
    "optimizer_trace",
    "profiling",
    "profiling_history_size",
    "pseudo_replica_mode",
    "pseudo_slave_mode",
    "pseudo_thread_id",
    "rand_seed1",
    "rand_seed2",
    "rbr_exec_mode",
    "server_id",
    "skip_replication",
    // It stands still until it is set to its default, which the server does not tell from another value.
    "timestamp",
    "wsrep_trx_fragment_size",
];
