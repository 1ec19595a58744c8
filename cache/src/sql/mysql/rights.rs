//! What may change what users may do, which a server's connections learn when they begin.
//!
//! Stored functions, triggers and views cannot: a change of rights commits.

use super::facts::{Kind, StatementFacts};
use super::tokens::Tokens;

/// Whether a statement of this kind changes rights. What is called, and what was prepared, is not looked into.
pub(super) fn changes(tokens: Tokens<'_>, facts: &StatementFacts) -> bool {
    let names = |is: &dyn Fn(usize) -> bool| (1..tokens.len()).any(is);
    match (&facts.kind, &facts.prepared) {
        (Kind::Ddl, _) => {
            let at = if tokens.are(1, &["OR", "REPLACE"]) { 3 } else { 1 };
            tokens.is_one_of(0, &["GRANT", "REVOKE"]) || tokens.is_one_of(at, &["USER", "ROLE"])
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
        (Kind::Other, _) => tokens.is(0, "BINLOG"),
        (Kind::Code, Some(run)) => run.changes_rights,
        (Kind::Code, None) => {
            (0..tokens.len()).any(|at| tokens.is(at, "CALL") || changes_in_code(tokens, at))
        }
        (Kind::Unknown, _) => {
            let end = tokens.len().saturating_sub(1);
            let text = tokens.sql.get(tokens.span(0).start..tokens.span(end).end);
            text.is_none_or(|text| may_change_rights(text.as_bytes()))
        }
        _ => false,
    }
}

/// Whether a keyword of stored code begins a statement that changes rights, or one that nobody can see.
pub(super) fn changes_in_code(tokens: Tokens<'_>, at: usize) -> bool {
    let before = at.checked_sub(1);
    let is_behind = |words| before.is_some_and(|before| tokens.is_one_of(before, words));
    tokens.is_one_of(at, &["GRANT", "REVOKE", "EXECUTE", "FLUSH", "BINLOG"])
        || tokens.is(at, "PASSWORD") && is_behind(&["SET"])
        || tokens.is_one_of(at, &["USER", "ROLE"])
            && is_behind(&["CREATE", "ALTER", "DROP", "RENAME", "REPLACE", "DEFAULT"])
}

/// Whether a text that cannot be read, or that holds code, may change rights: by its words, in one pass.
pub fn may_change_rights(text: &[u8]) -> bool {
    let (mut is_block, mut before): (bool, &[u8]) = (false, b"");
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
        if (LENGTHS.contains(&word.len()) && is(&WORDS)) || ends_block() {
            return true;
        }
        is_block |= is(&["BEGIN"]);
        before = word;
    }
    false
}

/// Words of statements that change rights, or that run what the text does not show.
const WORDS: [&str; 10] = [
    "GRANT",
    "REVOKE",
    "USER",
    "ROLE",
    "PRIVILEGES",
    "PASSWORD",
    "OPTIMIZER_COSTS",
    "CALL",
    "EXECUTE",
    "BINLOG",
];
/// How long they are.
const LENGTHS: [usize; 7] = [4, 5, 6, 7, 8, 10, 15];

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
            assert!(analysis.statements.iter().any(|one| one.changes_rights), "{sql}");
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
            assert!(!analysis.statements.iter().any(|one| one.changes_rights), "{sql}");
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
            assert_eq!(may_change_rights(sql.as_bytes()), may, "{sql}");
        }
    }
}
