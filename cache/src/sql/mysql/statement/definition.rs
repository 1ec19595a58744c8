//! CREATE, ALTER, DROP and their kin.
//!
//! What concerns temporary tables is session state; all else may change anything.

use super::super::effects::Effect;
use super::super::facts::{Kind, StatementFacts, everything, plain};
use super::super::tokens::Tokens;

/// The facts of a statement that defines something.
pub(super) fn facts(tokens: Tokens<'_>) -> Option<StatementFacts> {
    let facts = match tokens.keyword(0)?.to_ascii_uppercase().as_str() {
        "CREATE" => create(tokens),
        "DROP" => drop_tables(tokens),
        "ALTER" => StatementFacts { effects: renamed_by_alter(tokens), ..everything(Kind::Ddl) },
        "RENAME" => StatementFacts { effects: renamed(tokens), ..everything(Kind::Ddl) },
        "GRANT" | "REVOKE" | "INSTALL" | "UNINSTALL" | "IMPORT" => everything(Kind::Ddl),
        _ => return None,
    };
    Some(facts)
}

/// Whether the statement makes a routine, trigger or event, whose body it does not run.
pub(super) fn is_stored_code(tokens: Tokens<'_>) -> bool {
    if !tokens.is_one_of(0, &["CREATE", "ALTER"]) {
        return false;
    }
    let end = tokens.len().min(HEAD);
    (1..end)
        .take_while(|&at| !tokens.is_one_of(at, &["TABLE", "VIEW", "DATABASE", "SCHEMA", "USER"]))
        .any(|at| tokens.is_one_of(at, &["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE"]))
}

/// From which token on a definition is evaluated, and not only stored: `CREATE TABLE … SELECT …`.
pub(super) fn evaluated(tokens: Tokens<'_>) -> usize {
    let at = if tokens.are(1, &["OR", "REPLACE"]) { 3 } else { 1 };
    let is_table = tokens.is(0, "CREATE") && tokens.is(tokens.skip(at, &["TEMPORARY"]), "TABLE");
    let query = (0..tokens.len()).find(|&at| tokens.is(at, "SELECT"));
    query.filter(|_| is_table).unwrap_or(tokens.len())
}

fn create(tokens: Tokens<'_>) -> StatementFacts {
    let at = if tokens.are(1, &["OR", "REPLACE"]) { 3 } else { 1 };
    if !tokens.is(at, "TEMPORARY") {
        return everything(Kind::Ddl);
    }
    let at = tokens.skip_if_exists(tokens.skip(at + 1, &["TABLE", "SEQUENCE"]));
    match tokens.name(at) {
        Some((name, _)) => {
            let effects = vec![Effect::TempTable(name.spelled())];
            StatementFacts { effects, ..plain(Kind::Other) }
        }
        None => StatementFacts { effects: vec![Effect::UnknownSetting], ..plain(Kind::Other) },
    }
}

/// `DROP [TEMPORARY] TABLE a, b.c`, and every other DROP.
fn drop_tables(tokens: Tokens<'_>) -> StatementFacts {
    let is_temporary = tokens.is(1, "TEMPORARY");
    let facts = if is_temporary { plain(Kind::Other) } else { everything(Kind::Ddl) };
    let at = tokens.skip(1, &["TEMPORARY"]);
    if !tokens.is_one_of(at, &["TABLE", "TABLES", "SEQUENCE"]) {
        return facts;
    }
    let mut effects = Vec::new();
    let mut at = tokens.skip_if_exists(at + 1);
    while let Some((name, next)) = tokens.name(at) {
        effects.push(Effect::TempTableDropped(name.spelled()));
        if !tokens.is_symbol(next, ",") {
            break;
        }
        at = next + 1;
    }
    StatementFacts { effects, ..facts }
}

/// `ALTER TABLE a … RENAME [TO | AS | =] b`
fn renamed_by_alter(tokens: Tokens<'_>) -> Vec<Effect> {
    let at = tokens.skip(1, &["ONLINE", "IGNORE"]);
    if !tokens.is(at, "TABLE") {
        return Vec::new();
    }
    let Some((from, next)) = tokens.name(tokens.skip_if_exists(at + 1)) else { return Vec::new() };
    let parts = ["COLUMN", "INDEX", "KEY"];
    let rename = tokens.outer().filter(|&at| at >= next && tokens.is(at, "RENAME"));
    let targets = rename.filter(|&at| !tokens.is_one_of(at + 1, &parts)).filter_map(|at| {
        let to = tokens.skip(at + 1, &["TO", "AS"]);
        let to = if tokens.is_symbol(to, "=") { to + 1 } else { to };
        tokens.name(to)
    });
    targets
        .map(|(to, _)| Effect::TempTableRenamed { from: from.spelled(), to: to.spelled() })
        .collect()
}

/// `RENAME TABLE a TO b, c TO d`
fn renamed(tokens: Tokens<'_>) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut at = if tokens.is_one_of(1, &["TABLE", "TABLES"]) { 2 } else { return effects };
    at = tokens.skip_if_exists(at);
    while let Some((from, next)) = tokens.name(at) {
        let to = (next..tokens.len()).find(|&at| tokens.is(at, "TO"));
        let Some((to, next)) = to.and_then(|at| tokens.name(at + 1)) else { break };
        effects.push(Effect::TempTableRenamed { from: from.spelled(), to: to.spelled() });
        if !tokens.is_symbol(next, ",") {
            break;
        }
        at = next + 1;
    }
    effects
}

/// Within how many tokens what is made is named: `CREATE DEFINER = u@h PROCEDURE`.
const HEAD: usize = 16;
