//! The same conversation direct and through jumpgate: what every packet means must be the same.
//!
//! The reference is a second server of the same template, so that both sides may write.

use std::panic::AssertUnwindSafe;

use bytes::Bytes;
use e2e::{
    jumpgate::Setup,
    mysql::{
        Mysql,
        flags::{command, status},
        login::Options,
        reply::{Column, Done, Outcome, Refusal, Reply, Rows},
        say::{self, Execute},
        stage::{Place, Stage},
        wire::{Prepared, Wire},
    },
    wire::Endpoint,
};
use futures_util::FutureExt;

use super::corpus::{Case, Step, cases};

/// What one step showed.
#[derive(Debug, PartialEq)]
pub(super) enum Seen {
    Reply(Reply),
    Prepared { params: Vec<Column>, columns: Vec<Column>, warnings: u16, replies: Vec<Reply> },
    Refused(Refusal),
    Fields(Vec<Bytes>, Result<Done, Refusal>),
    Fetched(Vec<Bytes>, u16),
}

impl Seen {
    /// A statement that was prepared, and what its executions have shown.
    pub(super) fn prepared(prepared: Prepared, replies: Vec<Reply>) -> Self {
        let Prepared { params, mut columns, warnings, .. } = prepared;
        columns.iter_mut().for_each(answered);
        Self::Prepared { params, columns, warnings, replies }
    }
}

/// What depends on how the server found the rows and not on what they are; a cached reply need not say it.
const HOW: u16 = status::NO_INDEX | status::NO_GOOD_INDEX | status::QUERY_WAS_SLOW;

fn neutral(done: &mut Done) {
    done.status &= !HOW;
    if done.changes.is_empty() {
        // MySQL says so of COMMIT AND CHAIN, and then names nothing that did.
        done.status &= !status::STATE_CHANGED;
    }
    // The order of changes is that of a hash table.
    let mut changes: Vec<_> = done.changes().iter().map(|change| format!("{change:?}")).collect();
    changes.sort();
    done.changes = changes.concat().into();
}

/// How wide such a number may be and whether it may be NULL says nothing of it.
fn answered(column: &mut Column) {
    let asked = [
        "found_rows()",
        "row_count()",
        "last_insert_id()",
        "@@session.warning_count",
        "@@warning_count",
        "@@error_count",
    ];
    if asked.contains(&column.name()) {
        (column.length, column.flags) = (0, 0);
    }
}

/// A reply without what may differ.
pub(super) fn masked(mut reply: Reply) -> Reply {
    for outcome in &mut reply {
        match outcome {
            Outcome::Ok(done) => neutral(done),
            Outcome::Rows(Rows { columns, columns_end, end, .. }) => {
                // MySQL warns of FOUND_ROWS(); jumpgate answers without asking it.
                if columns.iter().any(|column| column.name().starts_with("found_rows"))
                    && let Ok(end) = end
                {
                    end.warnings = 0;
                }
                columns.iter_mut().for_each(answered);
                end.iter_mut().for_each(neutral);
                // The origin is asked for replies without this packet, so it is made before it is known how the
                // statement ends; only that a cursor is open is known by then.
                if let Some(before) = columns_end {
                    (before.status, before.warnings) = (before.status & status::CURSOR_EXISTS, 0);
                }
            }
            _ => {}
        }
    }
    reply
}

async fn converse(endpoint: &Endpoint, case: &Case) -> Vec<Seen> {
    let mut wire = Wire::connect_with(endpoint, &Options::with(case.capabilities)).await;
    let mut seen = Vec::new();
    for step in &case.steps {
        seen.push(perform(&mut wire, step).await);
        assert!(wire.is_drained(), "a packet too many after {step:?}");
    }
    wire.close().await;
    seen
}

/// Does a step of a conversation.
pub(super) async fn perform(wire: &mut Wire, step: &Step) -> Seen {
    match step {
        Step::Query(sql) => Seen::Reply(masked(wire.query(sql).await)),
        Step::Command(payload) => {
            let mut reply = masked(wire.ask(payload).await);
            // COM_SET_OPTION counts the warnings of the statement before.
            if let [Outcome::Ok(done)] = reply.as_mut_slice() {
                done.warnings = 0;
            }
            Seen::Reply(reply)
        }
        Step::Binary(sql, executions) => {
            let prepared = match wire.try_prepare(sql).await {
                Ok(prepared) => prepared,
                Err(refusal) => return Seen::Refused(refusal),
            };
            let mut replies = Vec::new();
            for values in executions {
                replies.push(masked(wire.execute(prepared.id, values).await));
            }
            wire.close_statement(prepared.id).await;
            Seen::prepared(prepared, replies)
        }
        Step::Fields(payload) => {
            wire.command(payload).await;
            let (fields, mut end) = wire.until_end().await;
            end.iter_mut().for_each(neutral);
            Seen::Fields(fields, end)
        }
        Step::Cursor(sql, count) => cursor(wire, sql, *count).await,
        Step::File(sql, parts) => {
            let reply = wire.query(sql).await;
            if !matches!(reply.as_slice(), [Outcome::File(_)]) {
                return Seen::Reply(masked(reply));
            }
            for part in parts.iter().map(Vec::as_slice).chain([&[][..]]) {
                wire.put(part).await;
            }
            Seen::Reply(masked(wire.reply(false).await))
        }
    }
}

async fn cursor(wire: &mut Wire, sql: &str, count: u32) -> Seen {
    let statement = match wire.try_prepare(sql).await {
        Ok(prepared) => prepared,
        Err(refusal) => return Seen::Refused(refusal),
    };
    let how = Execute { cursor: true, ..Execute::default() };
    let attributes = wire.has(e2e::mysql::flags::capability::QUERY_ATTRIBUTES);
    wire.command(&say::execute_with(statement.id, how, &[], attributes)).await;
    let mut seen = Vec::new();
    let head = wire.packet().await;
    if head.first().is_some_and(|first| [0, 0xff].contains(first)) {
        return Seen::Fetched(vec![head.slice(..1)], 0);
    }
    for _column in &statement.columns {
        seen.push(wire.packet().await);
    }
    let (rows, end) = wire.until_end().await;
    seen.extend(rows);
    let mut flags = end.expect("an open cursor").status & !HOW;
    while flags & status::CURSOR_EXISTS != 0 && flags & status::LAST_ROW_SENT == 0 {
        wire.command(&say::fetch(statement.id, count)).await;
        let (rows, end) = wire.until_end().await;
        seen.extend(rows);
        flags = end.expect("rows of a cursor").status & !HOW;
    }
    wire.command(&say::numbered(command::STMT_CLOSE, statement.id)).await;
    Seen::Fetched(seen, flags)
}

/// One conversation; a panic in it is the result, so that the other cases still run.
async fn attempt(endpoint: &Endpoint, case: &Case) -> Result<Vec<Seen>, String> {
    let outcome = AssertUnwindSafe(converse(endpoint, case)).catch_unwind().await;
    outcome.map_err(|panic| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => other
            .downcast::<&str>()
            .map_or_else(|_unknown| "a panic".into(), |text| (*text).to_owned()),
    })
}

fn difference(
    name: &str,
    expected: &Result<Vec<Seen>, String>,
    found: &Result<Vec<Seen>, String>,
) -> Option<String> {
    let shorten = |text: &str| text.chars().take(1500).collect::<String>();
    match (expected, found) {
        (Ok(expected), Ok(found)) => {
            let number = expected.iter().zip(found).position(|(left, right)| left != right)?;
            let (left, right) = (&expected[number], &found[number]);
            let (left, right) = (format!("{left:?}"), format!("{right:?}"));
            // From a little before where they part.
            let same = left.chars().zip(right.chars()).take_while(|(l, r)| l == r).count();
            let part = |text: &str| {
                text.chars().skip(same.saturating_sub(80)).take(300).collect::<String>()
            };
            let (left, right) = (part(&left), part(&right));
            Some(format!("{name}\n  step {number}\n  database: {left}\n  jumpgate: {right}"))
        }
        (_, Err(panic)) => Some(format!("{name}\n  jumpgate: {}", shorten(panic))),
        (Err(panic), _) => Some(format!("{name}\n  database: {}", shorten(panic))),
    }
}

async fn compare(place: Place, setup: Setup, runs: usize) -> Stage {
    let stage = Stage::with(place, setup).await;
    let reference = Mysql::start(place.server, &stage.authority, &[]).expect("a second server");
    let (endpoint, reference_endpoint) = (stage.endpoint(), reference.endpoint());
    let (mut differences, cases) = (Vec::new(), cases());
    for case in &cases {
        let expected = attempt(&reference_endpoint, case).await;
        assert!(expected.is_ok(), "{}: the database itself: {expected:?}", case.name);
        for run in 1..=if case.repeatable { runs } else { 1 } {
            let found = attempt(&endpoint, case).await;
            differences.extend(difference(&format!("run {run}: {}", case.name), &expected, &found));
        }
        assert!(differences.len() < 200, "too many differences:\n{}", differences.join("\n"));
    }
    let (count, of) = (differences.len(), cases.len());
    assert!(
        differences.is_empty(),
        "{count} differences in {of} cases:\n{}",
        differences.join("\n")
    );
    stage
}

async fn replies_mean_the_same_with_the_cache_cold_and_warm(place: Place) {
    let stage = compare(place, Setup::default(), 3).await;
    if !stage.is_direct() {
        let hits = stage.metrics().await.queries("hit");
        assert!(hits > 50.0, "the second and third run are answered from the cache: {hits} hits");
    }
}

async fn replies_mean_the_same_with_the_cache_off(place: Place) {
    let stage = compare(place, Setup::caching("disabled = true"), 1).await;
    assert_eq!(stage.metrics().await.queries("hit"), 0.0, "nothing is answered from the cache");
}

async fn replies_mean_the_same_where_blocks_may_read_the_cache(place: Place) {
    compare(place, Setup::caching("in_transactions = \"read-only\""), 3).await;
}

async fn replies_mean_the_same_with_one_origin_connection(place: Place) {
    compare(place, Setup::pool_of(1), 2).await;
}

e2e::mysql_scenarios! {
    everywhere: [
        replies_mean_the_same_with_the_cache_cold_and_warm,
    ],
    jumpgate_both: [
        replies_mean_the_same_with_the_cache_off,
        replies_mean_the_same_where_blocks_may_read_the_cache,
        replies_mean_the_same_with_one_origin_connection,
    ],
}
