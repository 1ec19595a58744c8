//! Transcripts, and a model of a backend that the tracker is held against.

mod model;

use bytes::BytesMut;

use super::*;
use crate::mysql::{
    capabilities::{CapabilityFlags, ColumnType},
    packet::MAX_PAYLOAD,
    reply::{
        ColumnDef, ErrPacket, OK_HEADER, OkPacket, PrepareOk, encode_column_count, encode_eof,
        encode_text_row,
    },
};

const OLD: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41;
const NEW: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41
    .union(CapabilityFlags::CLIENT_DEPRECATE_EOF)
    .union(CapabilityFlags::CLIENT_SESSION_TRACK)
    .union(CapabilityFlags::CLIENT_LOCAL_FILES);

const AUTOCOMMIT: StatusFlags = StatusFlags::SERVER_STATUS_AUTOCOMMIT;
const IN_TRANS: StatusFlags = AUTOCOMMIT.union(StatusFlags::SERVER_STATUS_IN_TRANS);
const MORE: StatusFlags = AUTOCOMMIT.union(StatusFlags::SERVER_MORE_RESULTS_EXISTS);
const CURSOR: StatusFlags = AUTOCOMMIT.union(StatusFlags::SERVER_STATUS_CURSOR_EXISTS);
const LAST_ROW: StatusFlags = AUTOCOMMIT.union(StatusFlags::SERVER_STATUS_LAST_ROW_SENT);

const EXECUTE: CommandKind = CommandKind::Execute { statement: 1, cursor: false };
const OPEN: CommandKind = CommandKind::Execute { statement: 1, cursor: true };
const FETCH: CommandKind = CommandKind::Fetch { statement: 1 };

fn written(write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut out);
    out.to_vec()
}

fn ok(status: StatusFlags) -> Vec<u8> {
    written(|out| OkPacket { status, ..OkPacket::default() }.encode(OK_HEADER, NEW, out))
}

/// The end of rows as the new framing has it.
fn end(status: StatusFlags) -> Vec<u8> {
    written(|out| OkPacket { status, ..OkPacket::default() }.encode(EOF_HEADER, NEW, out))
}

fn eof(status: StatusFlags) -> Vec<u8> {
    written(|out| encode_eof(0, status, out))
}

fn err() -> Vec<u8> {
    written(|out| ErrPacket { code: 1064, sqlstate: b"42000", message: b"no" }.encode(out))
}

fn count(columns: u32) -> Vec<u8> {
    written(|out| encode_column_count(columns, out))
}

fn column() -> Vec<u8> {
    let kind = ColumnType::MYSQL_TYPE_LONGLONG;
    written(|out| ColumnDef::computed(b"a", kind, 63, 21).encode(out))
}

fn row() -> Vec<u8> {
    written(|out| encode_text_row([Some(&b"17"[..])], out))
}

fn binary_row() -> Vec<u8> {
    b"\0\0\x11\0\0\0\0\0\0\0".to_vec()
}

fn prepared(params: u16, columns: u16) -> Vec<u8> {
    written(|out| PrepareOk { statement: 1, columns, params, warnings: 0 }.encode(out))
}

/// What [`Exchange::received`] makes of a payload, by name, when given no more than it asked for.
fn hear(exchange: &mut Exchange, payload: &[u8]) -> Result<&'static str, Desync> {
    let seen = match exchange.needs(payload.len(), payload.first().copied().unwrap_or_default()) {
        Needs::Whole => payload,
        Needs::FirstByte => &payload[..payload.len().min(1)],
    };
    exchange.received(payload.len(), seen).map(|seen| match seen {
        Seen::Ok(_) => "ok",
        Seen::Err(_) => "err",
        Seen::LocalInfile(_) => "file",
        Seen::ColumnCount(_) => "count",
        Seen::Column { last: false } => "column",
        Seen::Column { last: true } => "last column",
        Seen::ColumnsEnd(_) => "columns end",
        Seen::Row => "row",
        Seen::RowsEnd(_) => "rows end",
        Seen::Prepared(_) => "prepared",
        Seen::Parameter { last: false } => "parameter",
        Seen::Parameter { last: true } => "last parameter",
        Seen::ParametersEnd(_) => "parameters end",
        Seen::PreparedColumn { last: false } => "prepared column",
        Seen::PreparedColumn { last: true } => "last prepared column",
        Seen::PreparedColumnsEnd(_) => "prepared columns end",
        Seen::Text => "text",
    })
}

/// Plays a whole reply: the backend is ready behind its last payload, and not before.
fn hears(exchange: &mut Exchange, reply: &[(Vec<u8>, &str)]) {
    for (payload, expect) in reply {
        assert!(!exchange.is_ready(), "ready before {expect}");
        assert_eq!(hear(exchange, payload), Ok(*expect));
    }
    assert!(exchange.is_ready(), "owes {} replies", exchange.owed());
}

fn after(capabilities: CapabilityFlags, command: CommandKind) -> Exchange {
    let mut exchange = Exchange::new(capabilities);
    exchange.sent(command);
    exchange
}

#[test]
fn an_open_transaction_keeps_its_backend() {
    let mut exchange = after(NEW, CommandKind::Query);
    hears(&mut exchange, &[(ok(IN_TRANS), "ok")]);
    assert!(exchange.is_ready() && exchange.in_transaction() && !exchange.is_idle());
    exchange.sent(CommandKind::Query);
    hears(&mut exchange, &[(ok(AUTOCOMMIT), "ok")]);
    assert!(exchange.is_idle());
}

#[test]
fn rows_come_with_an_eof_behind_their_columns_or_without() {
    let mut old = after(OLD, CommandKind::Query);
    hears(
        &mut old,
        &[
            (count(2), "count"),
            (column(), "column"),
            (column(), "last column"),
            (eof(AUTOCOMMIT), "columns end"),
            (row(), "row"),
            (eof(AUTOCOMMIT), "rows end"),
        ],
    );
    let mut new = after(NEW, CommandKind::Query);
    hears(
        &mut new,
        &[
            (count(1), "count"),
            (column(), "last column"),
            (row(), "row"),
            (row(), "row"),
            (end(AUTOCOMMIT), "rows end"),
        ],
    );
    assert!(old.is_idle() && new.is_idle());
}

#[test]
fn a_backend_is_ready_at_the_last_result_only() {
    let mut exchange = after(NEW, CommandKind::Query);
    hears(
        &mut exchange,
        &[
            (ok(MORE), "ok"),
            (count(1), "count"),
            (column(), "last column"),
            (row(), "row"),
            (end(MORE), "rows end"),
            (ok(AUTOCOMMIT), "ok"),
        ],
    );
    let mut exchange = after(NEW, CommandKind::Query);
    hears(&mut exchange, &[(ok(MORE), "ok"), (err(), "err")]);
}

#[test]
fn a_first_byte_of_fe_ends_rows_only_in_a_short_packet() {
    let long = |len| (len, [EOF_HEADER, 0, 0, 0, 1, 0, 0, 0, 0]);
    for (capabilities, len) in [(OLD, 9), (OLD, MAX_PAYLOAD), (NEW, MAX_PAYLOAD)] {
        let mut exchange = after(capabilities, CommandKind::Query);
        hear(&mut exchange, &count(1)).expect("owed");
        hear(&mut exchange, &column()).expect("owed");
        if capabilities == OLD {
            hear(&mut exchange, &eof(AUTOCOMMIT)).expect("owed");
        }
        let (len, payload) = long(len);
        assert_eq!(exchange.needs(len, EOF_HEADER), Needs::FirstByte);
        assert_eq!(exchange.received(len, &payload[..1]), Ok(Seen::Row));
        assert_eq!(exchange.needs(8, EOF_HEADER), Needs::Whole);
    }
}

#[test]
fn an_eof_where_an_ok_was_agreed_is_understood() {
    let mut exchange = after(NEW, CommandKind::Query);
    hears(
        &mut exchange,
        &[(count(1), "count"), (column(), "last column"), (eof(IN_TRANS), "rows end")],
    );
    assert!(exchange.in_transaction());
}

#[test]
fn a_prepared_statement_has_what_it_announced() {
    let params = (column(), "last parameter");
    let params_end = (eof(AUTOCOMMIT), "parameters end");
    let columns = [(column(), "prepared column"), (column(), "last prepared column")];
    let columns_end = (eof(AUTOCOMMIT), "prepared columns end");
    for capabilities in [OLD, NEW] {
        for (many_params, many_columns) in [(0, 0), (1, 0), (0, 2), (1, 2)] {
            let mut reply = vec![(prepared(many_params, many_columns), "prepared")];
            if many_params > 0 {
                reply.push(params.clone());
                reply.extend((capabilities == OLD).then(|| params_end.clone()));
            }
            if many_columns > 0 {
                reply.extend(columns.clone());
                reply.extend((capabilities == OLD).then(|| columns_end.clone()));
            }
            let mut exchange = after(capabilities, CommandKind::Prepare);
            hears(&mut exchange, &reply);
            assert!(exchange.is_idle());
        }
    }
}

#[test]
fn an_open_cursor_keeps_its_backend_until_its_last_row() {
    for capabilities in [OLD, NEW] {
        let end = |status| if capabilities == OLD { eof(status) } else { end(status) };
        let opened = [
            (count(1), "count"),
            (column(), "last column"),
            // One EOF, for the columns and for the result.
            (end(CURSOR), "rows end"),
        ];
        let mut exchange = after(capabilities, OPEN);
        hears(&mut exchange, &opened);
        assert!(exchange.has_cursor() && !exchange.is_idle());
        exchange.sent(FETCH);
        hears(&mut exchange, &[(binary_row(), "row"), (end(CURSOR), "rows end")]);
        assert!(!exchange.is_idle());
        exchange.sent(FETCH);
        hears(&mut exchange, &[(end(LAST_ROW), "rows end")]);
        assert!(exchange.is_idle());
    }
}

#[test]
fn a_cursor_is_closed_with_its_statement_or_connection() {
    let statement = 1;
    let closing = [
        (CommandKind::StatementReset { statement }, vec![(ok(AUTOCOMMIT), "ok")]),
        (CommandKind::StatementClose { statement }, vec![]),
        (CommandKind::ResetConnection, vec![(ok(AUTOCOMMIT), "ok")]),
        (EXECUTE, vec![(ok(AUTOCOMMIT), "ok")]),
    ];
    for (command, reply) in closing {
        let mut exchange = after(NEW, OPEN);
        hears(
            &mut exchange,
            &[(count(1), "count"), (column(), "last column"), (end(CURSOR), "rows end")],
        );
        exchange.sent(CommandKind::StatementReset { statement: 2 });
        hears(&mut exchange, &[(ok(AUTOCOMMIT), "ok")]);
        assert!(exchange.has_cursor(), "another statement's");
        exchange.sent(command);
        hears(&mut exchange, &reply);
        assert!(exchange.is_idle(), "{command:?}");
    }
}

#[test]
fn a_cursor_inside_a_procedure_does_not_end_its_results() {
    let inside = CURSOR | StatusFlags::SERVER_MORE_RESULTS_EXISTS;
    for (command, more) in [(EXECUTE, CURSOR), (OPEN, inside)] {
        let mut exchange = after(OLD, command);
        hear(&mut exchange, &count(1)).expect("owed");
        hear(&mut exchange, &column()).expect("owed");
        assert_eq!(hear(&mut exchange, &eof(more)), Ok("columns end"));
        hear(&mut exchange, &binary_row()).expect("owed");
    }
}

#[test]
fn out_parameters_announce_the_end_of_their_procedure_only_once() {
    // As MySQL 9.7 says it of `CALL p(?)` with a cursor inside; MariaDB repeats the flags.
    let out = CURSOR.union(MORE).union(StatusFlags::SERVER_PS_OUT_PARAMS);
    let mut exchange = after(OLD, OPEN);
    hears(
        &mut exchange,
        &[
            (count(1), "count"),
            (column(), "last column"),
            (eof(out), "columns end"),
            (binary_row(), "row"),
            (eof(CURSOR), "rows end"),
            (ok(CURSOR), "ok"),
        ],
    );
    assert!(exchange.is_idle());
}

#[test]
fn an_error_leaves_a_doubt_that_any_status_settles() {
    let mut exchange = after(NEW, CommandKind::Query);
    hears(&mut exchange, &[(err(), "err")]);
    assert!(exchange.is_in_doubt() && !exchange.is_idle());
    exchange.sent(CommandKind::Simple);
    hears(&mut exchange, &[(ok(AUTOCOMMIT), "ok")]);
    assert!(exchange.is_idle());
    exchange.sent(EXECUTE);
    hears(&mut exchange, &[(err(), "err")]);
    exchange.settle();
    assert!(exchange.is_idle());
    exchange.sent(CommandKind::Prepare);
    hears(&mut exchange, &[(err(), "err")]);
    assert!(exchange.is_idle(), "nothing ran");
}

#[test]
fn an_error_ends_its_reply_wherever_it_comes() {
    let mut exchange = after(OLD, CommandKind::Query);
    let columns =
        [(count(1), "count"), (column(), "last column"), (eof(AUTOCOMMIT), "columns end")];
    for stop in 0..=columns.len() {
        let mut reply = columns[..stop].to_vec();
        reply.push((err(), "err"));
        hears(&mut exchange, &reply);
        exchange.sent(CommandKind::Query);
    }
}

#[test]
fn replies_to_commands_in_one_write_come_in_turn() {
    let mut exchange = after(NEW, CommandKind::Query);
    exchange.sent(CommandKind::StatementClose { statement: 3 });
    exchange.sent(CommandKind::Simple);
    exchange.sent(CommandKind::Query);
    assert_eq!((exchange.owed(), exchange.current()), (4, Some(CommandKind::Query)));
    hear(&mut exchange, &err()).expect("owed");
    assert_eq!((exchange.owed(), exchange.current()), (2, Some(CommandKind::Simple)));
    hears(
        &mut exchange,
        &[
            (ok(AUTOCOMMIT), "ok"),
            (count(1), "count"),
            (column(), "last column"),
            (end(AUTOCOMMIT), "rows end"),
        ],
    );
    assert!(exchange.is_idle());
}

#[test]
fn a_statement_closed_in_the_same_write_leaves_no_cursor() {
    let mut exchange = after(NEW, OPEN);
    exchange.sent(CommandKind::StatementClose { statement: 1 });
    hears(
        &mut exchange,
        &[(count(1), "count"), (column(), "last column"), (end(CURSOR), "rows end")],
    );
    assert!(exchange.is_idle());
}

#[test]
fn a_file_is_owed_by_the_client() {
    for command in [CommandKind::Query, EXECUTE] {
        let mut exchange = after(NEW, command);
        let request = exchange.received(6, b"\xfb/a.csv");
        assert_eq!(request, Ok(Seen::LocalInfile(b"/a.csv")));
        assert!(exchange.wants_file() && !exchange.is_ready());
        exchange.file_sent();
        assert!(!exchange.wants_file() && !exchange.is_ready());
        hears(&mut exchange, &[(ok(AUTOCOMMIT), "ok")]);
        assert!(exchange.is_idle());
    }
}

#[test]
fn a_backend_that_gives_up_on_a_file_is_lost() {
    let mut exchange = after(NEW, CommandKind::Query);
    hear(&mut exchange, b"\xfba.csv").expect("owed");
    assert_eq!(hear(&mut exchange, &err()), Ok("err"));
    exchange.file_sent();
    assert!(exchange.is_lost() && !exchange.is_ready() && !exchange.is_idle());
}

#[test]
fn a_file_that_must_not_be_asked_for_is_a_desync() {
    let mut without = after(OLD, CommandKind::Query);
    assert!(hear(&mut without, b"\xfba.csv").is_err());
    let mut behind = after(NEW, CommandKind::Query);
    behind.sent(CommandKind::Query);
    assert!(hear(&mut behind, b"\xfba.csv").is_err(), "the next command would be the file");
    for command in [CommandKind::Simple, CommandKind::Prepare, FETCH, CommandKind::ResetConnection]
    {
        assert!(hear(&mut after(NEW, command), b"\xfba.csv").is_err(), "{command:?}");
    }
}

#[test]
fn commands_without_a_result_are_answered_by_one_packet() {
    let simple = [ok(AUTOCOMMIT), eof(AUTOCOMMIT), end(AUTOCOMMIT)];
    for reply in simple {
        let mut exchange = after(NEW, CommandKind::Simple);
        hears(&mut exchange, &[(reply, "ok")]);
        assert!(exchange.is_idle());
    }
    let mut exchange = after(NEW, CommandKind::Statistics);
    hears(&mut exchange, &[(b"Uptime: 1".to_vec(), "text")]);
    let mut exchange = after(NEW, CommandKind::FieldList);
    hears(
        &mut exchange,
        &[(column(), "column"), (column(), "column"), (end(AUTOCOMMIT), "rows end")],
    );
    let exchange = after(NEW, CommandKind::Silent);
    assert!(exchange.is_idle());
}

#[test]
fn an_error_that_nobody_asked_for_is_the_end() {
    let mut exchange = Exchange::new(NEW);
    assert_eq!(hear(&mut exchange, &err()), Ok("err"));
    assert!(exchange.is_lost() && !exchange.is_ready());
    exchange.sent(CommandKind::Simple);
    assert!(hear(&mut exchange, &ok(AUTOCOMMIT)).is_err());
}

#[test]
fn what_was_not_owed_is_a_desync_for_good() {
    let cases: [(CommandKind, &[Vec<u8>]); 14] = [
        (CommandKind::Query, &[vec![]]),
        (CommandKind::Query, &[eof(AUTOCOMMIT)]),
        (CommandKind::Query, &[b"\x01\x01".to_vec()]),
        (CommandKind::Query, &[b"\0\0".to_vec()]),
        (CommandKind::Query, &[ok(AUTOCOMMIT), ok(AUTOCOMMIT)]),
        (CommandKind::Query, &[count(1), column(), b"\xfe\0\0".to_vec()]),
        (CommandKind::Query, &[count(1), column(), vec![]]),
        (EXECUTE, &[count(1), column(), row()]),
        (FETCH, &[row()]),
        (FETCH, &[ok(AUTOCOMMIT), ok(AUTOCOMMIT), eof(AUTOCOMMIT), eof(AUTOCOMMIT)]),
        (CommandKind::Prepare, &[ok(AUTOCOMMIT)]),
        (CommandKind::Simple, &[count(1)]),
        (CommandKind::Simple, &[ok(MORE)]),
        (CommandKind::Silent, &[ok(AUTOCOMMIT)]),
    ];
    for (command, reply) in cases {
        let mut exchange = after(NEW, command);
        let heard = reply.iter().try_for_each(|payload| hear(&mut exchange, payload).map(|_| ()));
        assert!(heard.is_err(), "{command:?} {reply:?}");
        assert!(!exchange.is_ready() && exchange.is_lost());
        assert!(hear(&mut exchange, &ok(AUTOCOMMIT)).is_err());
    }
}
