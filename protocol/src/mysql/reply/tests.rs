//! Captured replies, and that what is written is read again by readers of any capabilities.

use proptest::prelude::*;

use super::{
    super::capabilities::{ColumnFlags, ColumnType},
    *,
};

const PLAIN: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41;
const TRACK: CapabilityFlags = CapabilityFlags::CLIENT_SESSION_TRACK;
const NO_EOF: CapabilityFlags = CapabilityFlags::CLIENT_DEPRECATE_EOF;

fn written(write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut out);
    out.to_vec()
}

#[test]
fn an_ok_without_session_tracking_ends_in_a_text() {
    // UPDATE of three rows in MySQL.
    let wire = b"\0\x01\0\x22\0\0\0\x28Rows matched: 3  Changed: 1  Warnings: 0";
    let ok = OkPacket::decode(wire, PLAIN).expect("valid");
    assert_eq!((ok.affected, ok.last_insert_id, ok.warnings), (1, 0, 0));
    assert_eq!(ok.info, b"Rows matched: 3  Changed: 1  Warnings: 0");
    assert_eq!(OkPacket::decode(wire, TRACK), Ok(ok));
    assert_eq!(written(|out| ok.encode(OK_HEADER, PLAIN, out)), wire);
    // As the manual says and no server does.
    let bare = OkPacket::decode(b"\0\x01\0\x22\0\0\0Rows matched", PLAIN).expect("valid");
    assert_eq!(bare.info, b"Rows matched");
    let empty = OkPacket::decode(b"\0\0\0\x02\0\0\0", PLAIN).expect("valid");
    assert_eq!((empty.info, empty.status), (&[][..], StatusFlags::SERVER_STATUS_AUTOCOMMIT));
}

#[test]
fn an_ok_tells_what_changed_in_the_session() {
    // USE test, in MySQL, with session_track_state_change on.
    let wire = b"\0\0\0\x02\x40\0\0\0\x0a\x01\x05\x04test\x02\x011";
    let ok = OkPacket::decode(wire, TRACK).expect("valid");
    let found: Vec<_> = changes(ok.changes).collect();
    assert_eq!(found, [Ok(Change::Schema(b"test")), Ok(Change::State(true))]);
    assert_eq!(written(|out| ok.encode(OK_HEADER, TRACK, out)), wire);
    assert!(OkPacket::decode(&wire[..wire.len() - 1], TRACK).is_err());
    assert!(OkPacket::decode(&[&wire[..], b"\0"].concat(), TRACK).is_err());
    // The block is there only if the status says so.
    let silent = b"\0\0\0\x02\0\0\0\0\x0a\x01\x05\x04test\x02\x011";
    assert_eq!(OkPacket::decode(silent, TRACK), Err(DecodeError::Trailing));
    // A reader that does not track gets none of it, and is not told that there is any.
    assert_eq!(written(|out| ok.encode(OK_HEADER, PLAIN, out)), b"\0\0\0\x02\0\0\0");
}

/// FAULTS row 33: USE of a schema in ucs2 or utf32, in MariaDB 10.11.
#[test]
fn zeros_in_front_of_what_changed_are_skipped() {
    for (wire, schema) in [
        (&b"\0\0\0\x02\x40\0\0\0\0\x08\x01\x06\x05ducs2"[..], &b"ducs2"[..]),
        (b"\0\0\0\x02\x40\0\0\0\0\x0b\x01\x06\x05ducs2\x02\x011", b"ducs2"),
        (b"\0\0\0\x02\x40\0\0\0\0\0\0\x09\x01\x07\x06dutf32", b"dutf32"),
    ] {
        let ok = OkPacket::decode(wire, TRACK).expect("valid");
        assert_eq!(changes(ok.changes).next(), Some(Ok(Change::Schema(schema))));
        assert_eq!(OkPacket::decode(&[wire, b"\0"].concat(), TRACK), Err(DecodeError::Trailing));
    }
    let five = b"\0\0\0\x02\x40\0\0\0\0\0\0\0\x03\x02\x011";
    assert_eq!(OkPacket::decode(five, TRACK), Err(DecodeError::Trailing));
    assert!(OkPacket::decode(b"\0\0\0\x02\x40\0\0\0\0", TRACK).is_ok());
}

#[test]
fn rows_end_as_their_reader_expects() {
    let status = StatusFlags::SERVER_STATUS_AUTOCOMMIT | StatusFlags::SERVER_MORE_RESULTS_EXISTS;
    let ok = OkPacket { status, warnings: 3, ..OkPacket::default() };
    let eof = written(|out| ok.encode_rows_end(PLAIN, out));
    assert_eq!(eof, b"\xfe\x03\0\x0a\0");
    let no_eof = written(|out| ok.encode_rows_end(NO_EOF, out));
    assert_eq!(no_eof, b"\xfe\0\0\x0a\0\x03\0");
    for (wire, capabilities) in [(&eof, PLAIN), (&eof, NO_EOF), (&no_eof, NO_EOF)] {
        assert_eq!(OkPacket::decode(wire, capabilities), Ok(ok));
    }
    assert_eq!(decode_eof(&eof), Ok((3, status)));
    assert!(decode_eof(&no_eof).is_err());
}

#[test]
fn a_row_of_16_mib_does_not_end_rows() {
    for (len, capabilities, expect) in [
        (5, PLAIN, true),
        (8, PLAIN, true),
        (9, PLAIN, false),
        (MAX_PAYLOAD, PLAIN, false),
        (7, NO_EOF, true),
        (MAX_PAYLOAD - 1, NO_EOF, true),
        (MAX_PAYLOAD, NO_EOF, false),
    ] {
        assert_eq!(ends_rows(len, capabilities), expect, "{len}");
    }
}

#[test]
fn an_error_has_a_state_only_after_the_login() {
    let wire = b"\xff\x7a\x04#42S02Table 'test.x' doesn't exist";
    let error = ErrPacket::decode(wire).expect("valid");
    assert_eq!((error.code, error.sqlstate), (1146, &b"42S02"[..]));
    assert_eq!(error.message, b"Table 'test.x' doesn't exist");
    assert_eq!(written(|out| error.encode(out)), wire);
    let wire = b"\xff\x10\x04Too many connections";
    let error = ErrPacket::decode(wire).expect("valid");
    assert_eq!((error.code, error.sqlstate), (1040, &b""[..]));
    assert_eq!(written(|out| error.encode(out)), wire);
    assert!(ErrPacket::decode(b"\xff\x10").is_err());
    assert!(ErrPacket::decode(b"\xff\x10\x04#420").is_err());
    assert!(ErrPacket::decode(b"\0\x10\x04").is_err());
}

#[test]
fn a_prepared_statement_has_an_id_and_two_counts() {
    let wire = b"\0\x01\0\0\0\x02\0\x01\0\0\0\0";
    let prepared = PrepareOk::decode(wire).expect("valid");
    let expect = PrepareOk { statement: 1, columns: 2, params: 1, warnings: 0 };
    assert_eq!(prepared, expect);
    assert_eq!(written(|out| prepared.encode(out)), wire);
    assert!(PrepareOk::decode(&wire[..11]).is_err());
    assert!(PrepareOk::decode(&[&wire[..], b"\0"].concat()).is_err());
}

#[test]
fn several_variables_may_share_an_entry() {
    let raw = b"\0\x0a\x01a\x01b\x02cd\x02ef\x09\x01x";
    let found: Vec<_> = changes(raw).collect();
    assert_eq!(
        found,
        [
            Ok(Change::Variable { name: b"a", value: b"b" }),
            Ok(Change::Variable { name: b"cd", value: b"ef" }),
            Ok(Change::Other(9, b"x")),
        ]
    );
}

#[test]
fn changes_that_are_cut_end_in_an_error() {
    for raw in
        [&b"\0"[..], b"\0\x09\x01a", b"\0\x02\x01a", b"\0\0", b"\x01\x01\x05", b"\x01\x02\0\0"]
    {
        let found: Vec<_> = changes(raw).collect();
        assert!(matches!(found[..], [Err(_)]), "{raw:?} {found:?}");
    }
}

#[test]
fn a_column_definition_of_mysql_is_understood() {
    let wire =
        b"\x03def\x04test\x01u\x05users\x04Name\x04name\x0c\xff\0\x50\0\0\0\xfd\x01\x10\0\0\0";
    let column = ColumnDef::decode(wire).expect("valid");
    assert_eq!(
        (column.schema, column.table, column.org_table),
        (&b"test"[..], &b"u"[..], &b"users"[..])
    );
    assert_eq!((column.name, column.org_name), (&b"Name"[..], &b"name"[..]));
    assert_eq!((column.collation, column.length, column.decimals), (255, 80, 0));
    assert_eq!(column.kind, ColumnType::MYSQL_TYPE_VAR_STRING);
    assert!(column.flags.contains(ColumnFlags::NOT_NULL_FLAG));
    assert_eq!(written(|out| column.encode(out)), wire);
    for cut in 0..wire.len() {
        assert!(ColumnDef::decode(&wire[..cut]).is_err(), "{cut}");
    }
    // COM_FIELD_LIST adds the default value.
    assert_eq!(ColumnDef::decode(&[&wire[..], b"\xfb"].concat()), Ok(column));
}

/// FAULTS row 37: a JSON column of MariaDB 10.11, with extended metadata and without.
#[test]
fn a_definition_loses_or_gains_what_extends_it() {
    let names = b"\x03def\x03app\x04item\x04item\x05extra\x05extra";
    let fixed = b"\x0c\x2d\0\xff\xff\xff\xff\xfc\x90\0\0\0\0";
    let plain = [&names[..], fixed].concat();
    let json = [&names[..], b"\x06\x01\x04json", fixed].concat();
    let empty = [&names[..], b"\0", fixed].concat();
    let put = |definition: &[u8], from, to| {
        written(|out| put_definition(definition, from, to, out).expect("valid"))
    };
    assert_eq!((is_extended(&plain), is_extended(&json)), (Ok(false), Ok(true)));
    assert_eq!(is_extended(&empty), Ok(true));
    assert_eq!((put(&json, true, true), put(&json, true, false)), (json.clone(), plain.clone()));
    assert_eq!(
        (put(&plain, false, true), put(&plain, false, false)),
        (empty.clone(), plain.clone())
    );
    assert_eq!(put(&empty, true, false), plain);
    // With the default value that COM_FIELD_LIST adds.
    let with_default = |definition: &[u8]| [definition, b"\x010"].concat();
    assert_eq!(put(&with_default(&json), true, false), with_default(&plain));
    assert!(put_definition(&names[..20], true, false, &mut BytesMut::new()).is_err());
    assert!(put_definition(names, true, false, &mut BytesMut::new()).is_err());
}

#[test]
fn a_number_of_columns_is_alone_in_its_packet() {
    // FAULTS row 61: a SELECT of 65,536 values, which both servers do.
    for count in [1, 250, 251, 4096, 65_536] {
        assert_eq!(column_count(&written(|out| encode_column_count(count, out))), Ok(count));
    }
    for wrong in [&b""[..], b"\0", b"\xfb", b"\xff", b"\x01\x01", b"\xfc\x01"] {
        assert!(column_count(wrong).is_err(), "{wrong:?}");
    }
    assert!(column_count(b"\xfe\0\0\0\0\x01\0\0\0").is_err());
}

#[test]
fn a_row_that_is_cut_ends_in_an_error() {
    let values: Vec<_> = text_row(b"\x02ab\xfb\x05abc").collect();
    assert_eq!(values, [Ok(Some(&b"ab"[..])), Ok(None), Err(DecodeError::Truncated)]);
}

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..max)
}

proptest! {
    #[test]
    fn an_ok_is_read_as_it_was_written(
        numbers: (u64, u64, u16),
        status: u16,
        info in bytes(300),
        state in bytes(300),
        header in prop::sample::select(&[OK_HEADER, EOF_HEADER][..]),
        capabilities: u32,
    ) {
        let capabilities = CapabilityFlags::from_bits_retain(capabilities);
        let (affected, last_insert_id, warnings) = numbers;
        let tracks = capabilities.contains(TRACK);
        let mut status = StatusFlags::from_bits_retain(status);
        let ok = OkPacket { affected, last_insert_id, status, warnings, info: &info, changes: &state };
        let wire = written(|out| ok.encode(header, capabilities, out));
        let changes = if tracks { &state[..] } else { &[] };
        status.set(StatusFlags::SERVER_SESSION_STATE_CHANGED, !changes.is_empty());
        let expect = OkPacket { status, changes, ..ok };
        prop_assert_eq!(OkPacket::decode(&wire, capabilities), Ok(expect));
    }

    #[test]
    fn an_error_is_read_as_it_was_written(
        code: u16,
        message in bytes(100),
        sqlstate in prop::option::of(any::<[u8; 5]>()),
    ) {
        prop_assume!(sqlstate.is_some() || message.first() != Some(&b'#'));
        let sqlstate = sqlstate.as_ref().map_or(&[][..], |state| &state[..]);
        let error = ErrPacket { code, sqlstate, message: &message };
        let wire = written(|out| error.encode(out));
        prop_assert_eq!(ErrPacket::decode(&wire), Ok(error));
    }

    #[test]
    fn a_column_definition_is_read_as_it_was_written(
        texts: [Vec<u8>; 5],
        numbers: (u16, u32, u8, u16, u8),
    ) {
        let [schema, table, org_table, name, org_name] = &texts;
        let (collation, length, kind, flags, decimals) = numbers;
        let column = ColumnDef {
            schema, table, org_table, name, org_name, collation, length, decimals,
            kind: ColumnType(kind),
            flags: ColumnFlags::from_bits_retain(flags),
        };
        let wire = written(|out| column.encode(out));
        prop_assert_eq!(ColumnDef::decode(&wire), Ok(column));
    }

    #[test]
    fn a_row_is_read_as_it_was_written(row in prop::collection::vec(prop::option::of(bytes(300)), 0..9)) {
        let values = || row.iter().map(Option::as_deref);
        let wire = written(|out| encode_text_row(values(), out));
        prop_assert!(text_row(&wire).eq(values().map(Ok)));
    }

    #[test]
    fn changes_are_read_as_they_were_written(texts in prop::collection::vec((0_u8..7, bytes(40), bytes(40)), 0..9)) {
        let written_changes: Vec<_> = texts.iter().map(|(kind, name, value)| match kind {
            0 => Change::Variable { name, value },
            1 => Change::Schema(name),
            2 => Change::State(name.len() > 3),
            3 => Change::Gtids(name),
            4 => Change::TransactionCharacteristics(name),
            5 => Change::TransactionState(name),
            _ => Change::Other(77, name),
        }).collect();
        let wire = written(|out| written_changes.iter().for_each(|change| encode_change(change, out)));
        let found: Result<Vec<_>, _> = changes(&wire).collect();
        prop_assert_eq!(found, Ok(written_changes));
    }
}
