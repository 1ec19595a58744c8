//! Locks and handlers.

use super::super::effects::Effect;
use super::super::facts::{Kind, StatementFacts, plain};
use super::super::tokens::Tokens;

/// The facts of a statement that takes or gives up locks, or uses a handler.
pub(super) fn facts(tokens: Tokens<'_>) -> Option<StatementFacts> {
    let tables = ["TABLE", "TABLES"];
    let facts = match tokens.keyword(0)?.to_ascii_uppercase().as_str() {
        "LOCK" if tokens.is_one_of(1, &tables) => {
            StatementFacts { effects: vec![Effect::TableLock], ..plain(Kind::LockTables) }
        }
        // LOCK INSTANCE FOR BACKUP, LOCK BINLOG, BACKUP STAGE: UNLOCK TABLES does not end them.
        "LOCK" | "BACKUP" => {
            StatementFacts { effects: vec![Effect::UnknownSetting], ..plain(Kind::LockTables) }
        }
        "UNLOCK" if tokens.is_one_of(1, &tables) => {
            StatementFacts { effects: vec![Effect::TablesUnlocked], ..plain(Kind::UnlockTables) }
        }
        "UNLOCK" => plain(Kind::UnlockTables),
        "FLUSH" => {
            let is_lock = (1..tokens.len())
                .any(|at| tokens.are(at, &["READ", "LOCK"]) || tokens.are(at, &["FOR", "EXPORT"]));
            if is_lock {
                StatementFacts { effects: vec![Effect::TableLock], ..plain(Kind::LockTables) }
            } else if (1..tokens.len()).any(|at| tokens.is(at, "STATUS")) {
                // The counters of the session begin anew, and are read next.
                StatementFacts { effects: vec![Effect::OneShot], ..plain(Kind::Other) }
            } else {
                plain(Kind::Other)
            }
        }
        "HANDLER" => handler(tokens)?,
        _ => return None,
    };
    Some(facts)
}

fn handler(tokens: Tokens<'_>) -> Option<StatementFacts> {
    let (table, at) = tokens.name(1)?;
    // Servers that tell tables `T` and `t` apart take both for the same handler.
    let name = table.name.to_ascii_lowercase();
    let effect = if tokens.is(at, "OPEN") {
        let alias = tokens.name_part(tokens.skip(at + 1, &["AS"]));
        Some(Effect::HandlerOpened(alias.map_or(name, |alias| alias.to_ascii_lowercase())))
    } else if tokens.is(at, "CLOSE") {
        Some(Effect::HandlerClosed(name))
    } else {
        None
    };
    Some(StatementFacts { effects: effect.into_iter().collect(), ..plain(Kind::Handler) })
}
