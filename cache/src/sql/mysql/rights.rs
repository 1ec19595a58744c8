//! What may change what users may do, which a server's connections learn when they begin.
//!
//! Stored functions, triggers and views cannot: a change of rights commits.

use super::facts::{Kind, Rights, StatementFacts};
use super::tokens::Tokens;

/// Whether a statement of this kind changes rights. What is called, and what was prepared, is not looked into.
pub(super) fn changes(tokens: Tokens<'_>, facts: &StatementFacts) -> Rights {
    let names = |is: &dyn Fn(usize) -> bool| Rights::changed_if((1..tokens.len()).any(is));
    match (&facts.kind, &facts.prepared) {
        (Kind::Ddl, _) => {
            let at = if tokens.are(1, &["OR", "REPLACE"]) { 3 } else { 1 };
            let is_so = tokens.is_one_of(0, &["GRANT", "REVOKE"])
                || tokens.is_one_of(at, &["USER", "ROLE"]);
            Rights::changed_if(is_so)
        }
        (Kind::Set, _) => names(&|at| {
            (tokens.is(at, "PASSWORD") && !tokens.is_symbol(at + 1, "("))
                || tokens.are(at, &["DEFAULT", "ROLE"])
        }),
        // And so the constants by which plans are chosen.
        (Kind::Other | Kind::LockTables, _) if tokens.is(0, "FLUSH") => {
            names(&|at| tokens.is_one_of(at, &["PRIVILEGES", "OPTIMIZER_COSTS"]))
        }
        // Runs what its events say.
        (Kind::Other, _) => Rights::changed_if(tokens.is(0, "BINLOG")),
        (Kind::Code, Some(run)) => run.rights,
        // Of EXECUTE IMMEDIATE with a variable MariaDB 10.11 was seen to count nothing.
        (Kind::Code, None) if tokens.is(0, "EXECUTE") => Rights::Changed,
        (Kind::Code, None) => {
            let one = |at| match tokens.is(at, "CALL") {
                true => Rights::Unseen,
                false => changes_in_code(tokens, at),
            };
            (0..tokens.len()).map(one).max().unwrap_or_default()
        }
        (Kind::Unknown, _) => {
            let end = tokens.len().saturating_sub(1);
            let text = tokens.sql.get(tokens.span(0).start..tokens.span(end).end);
            text.map_or(Rights::Changed, |text| rights_by_words(text.as_bytes()))
        }
        _ => Rights::Kept,
    }
}

/// Whether a keyword of stored code begins a statement that changes rights, or one that nobody can see.
pub(super) fn changes_in_code(tokens: Tokens<'_>, at: usize) -> Rights {
    if tokens.is(at, "EXECUTE") {
        return Rights::Unseen;
    }
    let before = at.checked_sub(1);
    let is_behind = |words| before.is_some_and(|before| tokens.is_one_of(before, words));
    Rights::changed_if(
        tokens.is_one_of(at, &["GRANT", "REVOKE", "FLUSH", "BINLOG"])
            || tokens.is(at, "PASSWORD") && is_behind(&["SET"])
            || tokens.is_one_of(at, &["USER", "ROLE"])
                && is_behind(&["CREATE", "ALTER", "DROP", "RENAME", "REPLACE", "DEFAULT"]),
    )
}

/// Whether a text that cannot be read, or that holds code, may change rights: by its words, in one pass.
pub fn rights_by_words(text: &[u8]) -> Rights {
    let (mut is_block, mut before, mut rights): (bool, &[u8], _) = (false, b"", Rights::Kept);
    // Everything that is neither a letter nor in the middle of a name parts words.
    for word in text.split(|byte| !byte.is_ascii_alphabetic() && *byte != b'_') {
        if word.is_empty() {
            continue;
        }
        let is = |words: &[&str]| words.iter().any(|one| word.eq_ignore_ascii_case(one.as_bytes()));
        // In the language of `sql_mode=oracle` a block calls procedures by their names alone.
        let ends_block = || {
            before.eq_ignore_ascii_case(b"END") && is(&BLOCKS)
                || is_block && word.eq_ignore_ascii_case(b"END")
        };
        if LENGTHS.contains(&word.len()) && is(&WORDS) {
            return Rights::Changed;
        }
        if is(&["CALL", "EXECUTE"]) || ends_block() {
            rights = Rights::Unseen;
        }
        is_block |= is(&["BEGIN"]);
        before = word;
    }
    rights
}

/// Words of statements that change rights.
const WORDS: [&str; 8] =
    ["GRANT", "REVOKE", "USER", "ROLE", "PRIVILEGES", "PASSWORD", "OPTIMIZER_COSTS", "BINLOG"];
/// How long they are.
const LENGTHS: [usize; 6] = [4, 5, 6, 8, 10, 15];

/// What the END of a block may name.
const BLOCKS: [&str; 6] = ["IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR"];

#[cfg(test)]
mod tests {
    use super::super::{Modes, analyse};
    use super::*;

    /// Found beside MariaDB's own test `grant2`: each way to say it.
    #[test]
    fn what_changes_rights_is_seen_however_it_is_said() {
        for sql in [
            "grant select on d.* to u",
            "REVOKE  SELECT\nON d.* FROM u",
            "/* x */ -- y\nrevoke all on d.* from u",
            "/*!50000 REVOKE select on d.* from u */",
            "/*!50000 REVOKE */ select on d.* from u",
            "create user u",
            "CREATE OR REPLACE USER u",
            "create role r",
            "drop role r",
            "drop user if exists u",
            "rename user u to v",
            "alter user u account lock",
            "set password for u = 'x'",
            "set @a = 1, password for u = 'x'",
            "set default role none to u",
            "flush privileges",
            "FLUSH LOCAL PRIVILEGES",
            "flush no_write_to_binlog privileges",
            "flush status, privileges",
            "flush optimizer_costs",
            "execute immediate 'revoke select on d.* from u'",
            "execute immediate concat('re', 'voke')",
            "execute immediate @x",
            "begin not atomic revoke select on d.* from u; end",
            "begin not atomic call p(); end",
            "set statement max_statement_time = 10 for revoke select on d.* from u",
            "select 1; revoke select on d.* from u; select 1 from nosuch",
            "binlog 'x'",
            "(revoke select on d.* from u",
        ] {
            let analysis = analyse(sql, Modes::default());
            assert!(analysis.statements.iter().any(|one| one.rights != Rights::Kept), "{sql}");
        }
    }

    #[test]
    fn what_everybody_sends_changes_no_rights() {
        for sql in [
            "select user, password, role from users",
            "insert into user (password) values ('grant')",
            "update role set privileges = 'x'",
            "(select 1) union (select 2)",
            "create table users (user int, password int, role int)",
            "create temporary table user (role int)",
            "drop temporary table user",
            "set @user = 'grant', @password = password('x')",
            "set role r",
            "flush tables",
            "flush tables user with read lock",
            "begin",
            "start transaction",
            "prepare s from 'revoke select on d.* from u'",
            "begin not atomic select 1; update t set a = 1; end",
            "create procedure p() revoke select on d.* from u",
        ] {
            let analysis = analyse(sql, Modes::default());
            assert!(analysis.statements.iter().all(|one| one.rights == Rights::Kept), "{sql}");
        }
    }

    #[test]
    fn an_unread_text_is_searched_for_words() {
        for (sql, may) in [
            ("REVOKE SELECT ON d1.* FROM u1@localhost", true),
            ("drop/**/user u", true),
            ("select \"a\"; call p", true),
            ("begin p1; end;", true),
            ("declare x int; begin null; end", true),
            ("begin", false),
            ("select case when a then b end from t where c = 'END'", false),
            ("select user_id, roles, password_hash from users", false),
            ("if x then p1; end if", true),
            ("\u{e9}Revoke", true),
        ] {
            assert_eq!(rights_by_words(sql.as_bytes()) != Rights::Kept, may, "{sql}");
        }
    }
}
