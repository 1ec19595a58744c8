//! Where a SELECT asks about its own session in words that mean another one behind a proxy: the process id, the prepared
//! statements, and another session by the process id that it was told.
//!
//! The parse tree says that they are asked for, the scanner says up to where in the text. Only what stands in a SELECT of its
//! own is found: in a definition, a function's body or a view they are the server's to answer.

use std::ops::Range;

use pg_query::NodeEnum;
use pg_query::protobuf::{FuncCall, Node, ScanToken, SelectStmt, Token, a_const};

use super::facts::{Argument, Asked, Mention};
use super::nodes::strings;
use super::reads::Reads;

/// The relation.
pub(super) const PREPARED_STATEMENTS: &str = "pg_prepared_statements";

/// Functions that deal in the server's process ids.
const SERVERS: [&str; 9] = [
    "pg_blocking_pids",
    "pg_cancel_backend",
    "pg_get_process_memory_contexts",
    "pg_isolation_test_session_is_blocked",
    "pg_lock_status",
    "pg_log_backend_memory_contexts",
    "pg_safe_snapshot_blocking_pids",
    "pg_stat_reset_backend_stats",
    "pg_terminate_backend",
];
/// The same, by how they begin.
const SERVERS_STATISTICS: &str = "pg_stat_get_";

/// More in one statement are left to the server.
const MAX_MENTIONS: usize = 64;

/// What of it can be answered with the session's own, so that nothing in the same statement says otherwise. `found` is what
/// the walk has found.
pub(super) fn answerable(select: &SelectStmt, found: Vec<Mention>, reads: &Reads) -> Vec<Mention> {
    let is_servers = |name: &str| SERVERS.contains(&name) || name.starts_with(SERVERS_STATISTICS);
    let has_ids = reads.functions.iter().any(|call| is_servers(&call.name));
    let reads_none = reads.relations.is_empty() && !reads.is_partial;
    let is_other = |name: &str| name != PREPARED_STATEMENTS;
    let reads_others = reads.relations.iter().any(|table| is_other(&table.name));
    let is_locking = !select.locking_clause.is_empty();
    let mut asked: Vec<_> = found
        .into_iter()
        .filter(|mention| match mention.what {
            Asked::ProcessId => reads_none && !has_ids,
            Asked::PreparedStatements { .. } => !reads_others && !is_locking && !reads.is_partial,
            Asked::Signal { .. } => false,
        })
        .collect();
    asked.extend(signals(select));
    asked.sort_by_key(|mention| mention.span.start);
    asked
}

/// The signals of a SELECT that has nothing but a target list, so that each is sent once.
fn signals(select: &SelectStmt) -> Vec<Mention> {
    let bare = SelectStmt {
        target_list: select.target_list.clone(),
        limit_option: select.limit_option,
        op: select.op,
        ..SelectStmt::default()
    };
    if bare != *select {
        return Vec::new();
    }
    select.target_list.iter().filter_map(signal).collect()
}

fn signal(target: &Node) -> Option<Mention> {
    let Some(NodeEnum::ResTarget(target)) = &target.node else { return None };
    let Some(NodeEnum::FuncCall(call)) = &target.val.as_ref()?.node else { return None };
    let terminates = match strings(&call.funcname).as_slice() {
        ["pg_terminate_backend"] | ["pg_catalog", "pg_terminate_backend"] => true,
        ["pg_cancel_backend"] | ["pg_catalog", "pg_cancel_backend"] => false,
        _ => return None,
    };
    let argument = argument(call)?;
    let span = Range::default();
    Mention::at(call.location, Asked::Signal { terminates, argument, span })
}

/// The process id that it is called with, if that is all, or but for a constant time.
fn argument(call: &FuncCall) -> Option<Argument> {
    let (id, time) = match call.args.as_slice() {
        [id] => (id, None),
        [id, time] => (id, Some(time)),
        _ => return None,
    };
    let is_plain = call.over.is_none() && call.agg_filter.is_none() && !call.func_variadic;
    let is_constant = time.is_none_or(|time| matches!(&time.node, Some(NodeEnum::AConst(_))));
    (is_plain && is_constant).then(|| number(id)).flatten()
}

fn number(node: &Node) -> Option<Argument> {
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            a_const::Val::Ival(number) => Some(Argument::Constant(number.ival)),
            a_const::Val::Sval(text) => text.sval.trim().parse().ok().map(Argument::Constant),
            _ => None,
        },
        NodeEnum::ParamRef(parameter) => {
            let number = usize::try_from(parameter.number).ok()?;
            number.checked_sub(1).map(Argument::Parameter)
        }
        NodeEnum::TypeCast(cast) => number(cast.arg.as_deref()?),
        _ => None,
    }
}

/// Each with its end. One whose end cannot be found is left out.
pub(super) fn located(asked: Vec<Mention>, text: &str) -> Vec<Mention> {
    if asked.len() > MAX_MENTIONS {
        return Vec::new();
    }
    let Ok(scanned) = pg_query::scan(text) else { return Vec::new() };
    let is_comment =
        |token: &&ScanToken| matches!(token.token(), Token::SqlComment | Token::CComment);
    let tokens: Vec<_> = scanned.tokens.iter().filter(|token| !is_comment(token)).collect();
    let end = |mention: Mention| {
        let starts = |token: &&ScanToken| usize::try_from(token.start) == Ok(mention.span.start);
        let at = tokens.iter().position(starts)?;
        let (before, from) = tokens.split_at_checked(at)?;
        end(mention, before.last().map(|token| token.token()), from)
    };
    let is_qualified = tokens.windows(3).any(|three| {
        let [before, name, behind] = three else { return false };
        let [before, behind] = [before, behind].map(|token| token.token() == Token::Ascii46);
        before && behind && spelled(name, text).eq_ignore_ascii_case(PREPARED_STATEMENTS)
    });
    asked
        .into_iter()
        .filter_map(end)
        // What a subquery is called cannot be qualified by a schema.
        .filter(|one| !is_qualified || !matches!(one.what, Asked::PreparedStatements { .. }))
        .collect()
}

fn spelled<'t>(token: &ScanToken, text: &'t str) -> &'t str {
    let range = usize::try_from(token.start).ok().zip(usize::try_from(token.end).ok());
    range.and_then(|(start, end)| text.get(start..end)).unwrap_or_default().trim_matches('"')
}

fn end(mention: Mention, before: Option<Token>, tokens: &[&ScanToken]) -> Option<Mention> {
    let start = mention.span.start;
    let to = |token: &ScanToken| usize::try_from(token.end).ok();
    if matches!(mention.what, Asked::PreparedStatements { .. }) {
        // A table can stand where a subquery cannot: behind TABLE or ONLY, or with a `*`.
        let is_item =
            matches!(before, Some(Token::From | Token::Join | Token::Ascii40 | Token::Ascii44));
        let length = match tokens.get(1).map(|token| token.token()) {
            Some(Token::Ascii46) => 3,
            _ => 1,
        };
        let is_spread = tokens.get(length).is_some_and(|token| token.token() == Token::Ascii42);
        let end = to(tokens.get(length - 1)?)?;
        return (is_item && !is_spread).then_some(Mention { span: start..end, ..mention });
    }
    let open = tokens.iter().position(|token| token.token() == Token::Ascii40)?;
    let (mut depth, mut first_end) = (0_usize, None);
    for token in tokens.iter().skip(open) {
        match token.token() {
            Token::Ascii40 => depth += 1,
            Token::Ascii41 => depth -= 1,
            Token::Ascii44 if depth == 1 => {
                first_end.get_or_insert(usize::try_from(token.start).ok()?);
            }
            _ => {}
        }
        if depth > 0 {
            continue;
        }
        let (from, until) = (to(tokens.get(open)?)?, usize::try_from(token.start).ok()?);
        let what = match mention.what {
            Asked::Signal { terminates, argument, .. } => {
                let span = from..first_end.unwrap_or(until);
                Asked::Signal { terminates, argument, span }
            }
            other => other,
        };
        return Some(Mention { what, span: start..to(token)? });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::analyse;
    use super::*;

    fn check(sql: &str, expected: &[&str]) {
        let analysis = analyse(sql);
        let found: Vec<_> =
            analysis.asked().map(|asked| sql.get(asked.span.clone()).unwrap()).collect();
        assert_eq!(found, expected, "{sql}");
    }

    /// Issue 11, item 3.
    #[test]
    fn a_process_id_is_found_where_nothing_else_could_be_meant() {
        let one = "pg_backend_pid()";
        for (sql, expected) in [
            ("select pg_backend_pid()", &[one][..]),
            ("select 'é', 1 + pg_backend_pid() as x, 'pg_backend_pid()'", &[one]),
            ("SELECT PG_Catalog . /* a ( */ \"pg_backend_pid\" -- (\n ( ) ;", {
                &["PG_Catalog . /* a ( */ \"pg_backend_pid\" -- (\n ( )"]
            }),
            ("with x as (select pg_backend_pid() p) select p, pg_backend_pid() from x", &[one; 2]),
            ("select 1; select pg_backend_pid()::text; select pg_backend_pid()", &[one; 2]),
            ("select current_database(), version(), pg_backend_pid() = 5", &[one]),
            ("select * from (values (pg_backend_pid())) v", &[one]),
            // The server's own numbers are in the same statement, or may be.
            ("select pid from pg_stat_activity where pid = pg_backend_pid()", &[]),
            ("select * from t where pg_backend_pid() = 1", &[]),
            ("select pg_blocking_pids(5), pg_backend_pid()", &[]),
            ("select pg_stat_get_activity(pg_backend_pid())", &[]),
            ("select mine(pg_backend_pid())", &[]),
            ("select * from pg_backend_pid()", &[]),
            // Another function, or no plain SELECT.
            ("select public.pg_backend_pid(), pg_backend_pid(1), \"PG_backend_pid\"()", &[]),
            ("select pg_backend_pid() into t", &[]),
            ("create view v as select pg_backend_pid()", &[]),
            ("create table t as select pg_backend_pid()", &[]),
            ("create table t (a int default pg_backend_pid())", &[]),
            ("insert into t values (pg_backend_pid())", &[]),
            ("insert into t select pg_backend_pid()", &[]),
            ("explain analyze select pg_backend_pid()", &[]),
            ("prepare p as select pg_backend_pid()", &[]),
            ("declare c cursor for select pg_backend_pid()", &[]),
            ("copy (select pg_backend_pid()) to stdout", &[]),
            ("do $$ begin perform pg_backend_pid(); end $$", &[]),
        ] {
            check(sql, expected);
        }
    }

    /// Issue 11, item 3.
    #[test]
    fn a_signal_is_found_where_it_is_surely_sent_once() {
        let signal = |sql: &str| match &analyse(sql).asked().next()?.what {
            Asked::Signal { terminates, argument, span } => {
                Some((*terminates, *argument, sql.get(span.clone())?.to_owned()))
            }
            other => panic!("{other:?}"),
        };
        let (constant, parameter) = (Argument::Constant(5), Argument::Parameter(0));
        for (sql, expected) in [
            ("select pg_terminate_backend(5)", (true, constant, "5")),
            ("SELECT pg_catalog.pg_cancel_backend( $1 ) AS x", (false, parameter, " $1 ")),
            ("select 1, pg_terminate_backend('5'::int, 5000)", (true, constant, "'5'::int")),
            ("select pg_cancel_backend(($1)::int4)", (false, parameter, "($1)::int4")),
            ("select pg_cancel_backend(cast($1 as numeric(4, 0)))", {
                (false, parameter, "cast($1 as numeric(4, 0))")
            }),
        ] {
            let (terminates, argument, span) = expected;
            assert_eq!(signal(sql), Some((terminates, argument, span.to_owned())), "{sql}");
        }
        for sql in [
            "select pg_terminate_backend(pid) from pg_stat_activity",
            "select pg_terminate_backend(5) where false",
            "select pg_terminate_backend(5) limit 0",
            "select pg_terminate_backend(5) union select false",
            "select case when false then pg_terminate_backend(5) end",
            "select pg_terminate_backend(5, $1)",
            "select pg_terminate_backend(pid => 5)",
            "select other.pg_terminate_backend(5)",
            "with x as (select 1) select pg_terminate_backend(5)",
        ] {
            assert_eq!(signal(sql), None, "{sql}");
        }
    }

    /// Issue 11, item 2.
    #[test]
    fn the_relation_of_prepared_statements_is_found_where_a_subquery_can_stand() {
        for (sql, expected) in [
            ("select * from pg_prepared_statements", &["pg_prepared_statements"][..]),
            ("select name from PG_CATALOG.pg_prepared_statements p, pg_prepared_statements", {
                &["PG_CATALOG.pg_prepared_statements", "pg_prepared_statements"]
            }),
            ("select exists (select from \"pg_prepared_statements\" where name = 'a')", {
                &["\"pg_prepared_statements\""]
            }),
            ("table pg_prepared_statements", &[]),
            ("select * from only pg_prepared_statements", &[]),
            ("select * from pg_prepared_statements *", &[]),
            ("select * from pg_prepared_statements for share", &[]),
            ("select * from pg_prepared_statements, t", &[]),
            ("select * from public.pg_prepared_statements", &[]),
            ("select pg_catalog.pg_prepared_statements.name from pg_prepared_statements", &[]),
            ("with pg_prepared_statements as (select 1) table pg_prepared_statements", &[]),
            ("create view v as select * from pg_prepared_statements", &[]),
        ] {
            check(sql, expected);
        }
    }
}
