//! Captured commands, and that what is written is read again.

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::{
    mysql::{capabilities::ColumnType, values::put_lenenc_bytes},
    reader::DecodeError,
};

const SELECT: &[u8] = b"SELECT 1";

fn parameter<'a>(kind: u16, name: &'a [u8], value: Value<'a>) -> Parameter<'a> {
    Parameter { kind, name, value }
}

fn written(write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut out);
    out.to_vec()
}

#[test]
fn every_command_byte_means_itself() {
    for byte in 0..=255 {
        assert_eq!(CommandTag::from(byte).byte(), byte);
    }
    assert_eq!(CommandTag::from(0x17), CommandTag::StmtExecute);
    assert_eq!(CommandTag::from(0xf9), CommandTag::Other(0xf9));
}

#[test]
fn a_query_without_attributes_is_its_text() {
    let query = Query::decode(SELECT, false).expect("valid");
    assert_eq!((query.sql, query.attributes.len()), (SELECT, 0));
    assert_eq!(written(|out| query.encode(false, out)), b"\x03SELECT 1");
    assert_eq!(written(|out| query.encode(true, out)), b"\x03\0\x01SELECT 1");
    assert_eq!(Query::decode(b"\0\x01SELECT 1", true), Ok(query));
}

#[test]
fn a_query_with_attributes_gives_them_up_for_a_backend_without() {
    // n1 = 'v1' and n2 = NULL, as MySQL's client sends them.
    let body = b"\x02\x01\x02\x01\xfe\0\x02n1\x06\0\x02n2\x02v1SELECT 1";
    let query = Query::decode(body, true).expect("valid");
    let expect = [parameter(254, b"n1", Value::Bytes(b"\x02v1")), parameter(6, b"n2", Value::Null)];
    assert_eq!((query.sql, &query.attributes[..]), (SELECT, &expect[..]));
    assert_eq!(written(|out| query.encode(true, out)), [b"\x03", &body[..]].concat());
    assert_eq!(written(|out| query.encode(false, out)), b"\x03SELECT 1");
}

#[test]
fn a_query_whose_attributes_do_not_fit_is_refused() {
    let check = |body: &[u8], error| assert_eq!(Query::decode(body, true), Err(error), "{body:?}");
    check(b"", DecodeError::Truncated);
    check(b"SELECT 1", DecodeError::Value("number of parameter sets"));
    check(b"\0\x02SELECT 1", DecodeError::Value("number of parameter sets"));
    check(b"\x01\x01\0\0SELECT", DecodeError::Value("types of query attributes"));
    check(b"\x01\x01\0\x01\xfe\0\x01n\x09v", DecodeError::Truncated);
    check(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", DecodeError::Value("parameter count"));
    check(b"\xfc\xff\xff\x01\0\0", DecodeError::Truncated);
}

/// Statement 7 with two parameters: 300 as BIGINT UNSIGNED and 'ab'.
const EXECUTE: &[u8] = b"\x07\0\0\0\0\x01\0\0\0\0\x01\x08\x80\xfd\0\x2c\x01\0\0\0\0\0\0\x02ab";

#[test]
fn an_execution_with_types_can_be_sent_to_a_backend_without_them() {
    let known = Known { params: 2, ..Known::default() };
    let execute = Execute::decode(EXECUTE, known, false).expect("valid");
    assert_eq!((execute.statement, Execute::statement(EXECUTE)), (7, Ok(7)));
    assert!(execute.new_types && !execute.opens_cursor());
    let kinds: Vec<_> = execute.parameters.iter().map(|parameter| parameter.kind).collect();
    assert_eq!(kinds, [8 | UNSIGNED, 253]);
    assert_eq!(execute.parameters[0].column_type(), ColumnType::MYSQL_TYPE_LONGLONG);
    let same = written(|out| execute.encode(7, true, false, out));
    assert_eq!(same, [b"\x17", EXECUTE].concat());

    let again = written(|out| execute.encode(9, false, false, out));
    assert_eq!(again, b"\x17\x09\0\0\0\0\x01\0\0\0\0\0\x2c\x01\0\0\0\0\0\0\x02ab");
    assert!(Execute::decode(&again[1..], known, false).is_err(), "no types are known");
    let known = Known { types: Some(&kinds), ..known };
    let again = Execute::decode(&again[1..], known, false).expect("valid");
    assert_eq!((again.statement, again.new_types), (9, false));
    assert_eq!(again.parameters, execute.parameters);
}

#[test]
fn an_execution_with_attributes_gives_them_up_for_a_backend_without() {
    let known = Known { params: 1, ..Known::default() };
    let body = b"\x07\0\0\0\x08\x01\0\0\0\x02\0\x01\x01\0\0\xfe\0\x01n\x05\x01v";
    let execute = Execute::decode(body, known, true).expect("valid");
    assert_eq!(execute.parameters, [parameter(1, b"", Value::Bytes(b"\x05"))]);
    assert_eq!(execute.attributes, [parameter(254, b"n", Value::Bytes(b"\x01v"))]);
    assert_eq!(written(|out| execute.encode(7, true, true, out)), [b"\x17", &body[..]].concat());
    let stripped = written(|out| execute.encode(7, true, false, out));
    assert_eq!(stripped, b"\x17\x07\0\0\0\0\x01\0\0\0\0\x01\x01\0\x05");
}

#[test]
fn a_statement_without_parameters_may_have_attributes() {
    let body = b"\x07\0\0\0\x08\x01\0\0\0\x01\0\x01\xfe\0\x01n\x01v";
    let execute = Execute::decode(body, Known::default(), true).expect("valid");
    assert_eq!((execute.parameters.len(), execute.attributes.len()), (0, 1));
    let stripped = written(|out| execute.encode(7, true, false, out));
    assert_eq!(stripped, b"\x17\x07\0\0\0\0\x01\0\0\0");
    // Without the flag there is no count, even where it would be understood.
    let plain = Execute::decode(&stripped[1..], Known::default(), true).expect("valid");
    assert_eq!(written(|out| plain.encode(7, true, true, out)), stripped);
}

#[test]
fn the_flag_for_a_count_means_nothing_without_the_capability() {
    let body = b"\x07\0\0\0\x09\x01\0\0\0";
    let execute = Execute::decode(body, Known::default(), false).expect("valid");
    assert_eq!((execute.flags, execute.opens_cursor()), (CURSOR_TYPE_READ_ONLY, true));
}

#[test]
fn long_data_is_not_in_the_packet() {
    let known = Known { params: 2, long_data: &[0], ..Known::default() };
    let body = b"\x07\0\0\0\0\x01\0\0\0\0\x01\xfc\0\x01\0\x05";
    let execute = Execute::decode(body, known, false).expect("valid");
    assert_eq!(execute.parameters[0].value, Value::LongData);
    assert_eq!(execute.parameters[1].value, Value::Bytes(b"\x05"));
    assert_eq!(written(|out| execute.encode(7, true, false, out)), [b"\x17", &body[..]].concat());
}

#[test]
fn an_execution_that_does_not_fit_its_statement_is_refused() {
    let two = Known { params: 2, ..Known::default() };
    let check = |body: &[u8], known, query_attributes, error| {
        assert_eq!(Execute::decode(body, known, query_attributes), Err(error), "{body:?}");
    };
    for cut in 0..EXECUTE.len() {
        assert!(Execute::decode(&EXECUTE[..cut], two, false).is_err(), "{cut}");
    }
    check(&[EXECUTE, b"x"].concat(), two, false, DecodeError::Trailing);
    check(b"\x07\0\0\0\0\x01\0\0\0x", Known::default(), false, DecodeError::Trailing);
    let fewer = DecodeError::Value("number of parameters");
    check(b"\x07\0\0\0\x08\x01\0\0\0\x01\0\0", two, true, fewer);
    let types = DecodeError::Value("types of parameters");
    check(b"\x07\0\0\0\0\x01\0\0\0\0\0", two, false, types);
    check(b"\x07\0\0\0\0\x01\0\0\0\0\0", Known { types: Some(&[1]), ..two }, false, types);
    check(b"\x07\0\0\0\x08\x01\0\0\0\x03\0\0", Known { types: Some(&[1, 1]), ..two }, true, types);
}

/// Values with their types, as they are on the wire.
fn value() -> impl Strategy<Value = (u16, Option<Vec<u8>>)> {
    let text = prop::collection::vec(any::<u8>(), 0..300)
        .prop_map(|text| written(|out| put_lenenc_bytes(out, &text)));
    let fixed = |kind: u16, len| {
        prop::collection::vec(any::<u8>(), len).prop_map(move |bytes| (kind, bytes))
    };
    let date = prop::sample::select(&[0_u8, 4, 7, 11][..])
        .prop_map(|len| (12, [&[len][..], &vec![1; usize::from(len)]].concat()));
    let time = prop::sample::select(&[0_u8, 8, 12][..])
        .prop_map(|len| (11, [&[len][..], &vec![1; usize::from(len)]].concat()));
    let text = (prop::sample::select(&[0_u16, 245, 246, 252, 253, 254][..]), text);
    let any_value = prop_oneof![
        fixed(1, 1),
        fixed(2, 2),
        fixed(3, 4),
        fixed(4, 4),
        fixed(5, 8),
        fixed(8, 8),
        date,
        time,
        text,
    ];
    (any_value, any::<bool>(), any::<bool>()).prop_map(|((kind, bytes), unsigned, null)| {
        (if unsigned { kind | UNSIGNED } else { kind }, (!null).then_some(bytes))
    })
}

type Owned = (Vec<u8>, (u16, Option<Vec<u8>>));

fn parameters(owned: &[Owned]) -> Vec<Parameter<'_>> {
    let parameters = owned.iter().map(|(name, (kind, value))| {
        parameter(*kind, name, value.as_deref().map_or(Value::Null, Value::Bytes))
    });
    parameters.collect()
}

fn named() -> impl Strategy<Value = Vec<Owned>> {
    prop::collection::vec((prop::collection::vec(any::<u8>(), 0..10), value()), 0..20)
}

fn nameless() -> impl Strategy<Value = Vec<Owned>> {
    prop::collection::vec((Just(Vec::new()), value()), 0..20)
}

proptest! {
    #[test]
    fn a_query_is_read_as_it_was_written(
        attributes in named(),
        sql in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let query = Query { attributes: parameters(&attributes), sql: &sql };
        let wire = written(|out| query.encode(true, out));
        prop_assert_eq!(Query::decode(&wire[1..], true), Ok(query.clone()));
        let stripped = written(|out| query.encode(false, out));
        prop_assert_eq!(&stripped[1..], &sql);
    }

    #[test]
    fn an_execution_is_read_as_it_was_written(
        own in nameless(),
        attributes in named(),
        flags in 0_u8..8,
        statement: u32,
    ) {
        let execute = Execute {
            statement,
            flags,
            iterations: 1,
            new_types: !(own.is_empty() && attributes.is_empty()),
            parameters: parameters(&own),
            attributes: parameters(&attributes),
        };
        let known = Known { params: own.len().try_into().unwrap(), ..Known::default() };
        let wire = written(|out| execute.encode(statement, true, true, out));
        prop_assert_eq!(&Execute::decode(&wire[1..], known, true), &Ok(execute.clone()));

        let stripped = written(|out| execute.encode(statement, true, false, out));
        let stripped = Execute::decode(&stripped[1..], known, false).unwrap();
        prop_assert_eq!(&stripped.parameters, &execute.parameters);
        prop_assert!(stripped.attributes.is_empty());

        let kinds: Vec<_> = execute.parameters.iter().map(|parameter| parameter.kind).collect();
        let known = Known { types: Some(&kinds), ..known };
        let again = written(|out| stripped.encode(statement, false, true, out));
        let again = Execute::decode(&again[1..], known, true).unwrap();
        prop_assert!(!again.new_types);
        prop_assert_eq!(&again.parameters, &execute.parameters);
    }
}

/// FAULTS row 36: as MariaDB's connectors send it, and the same again without types.
#[test]
fn a_bulk_execution_is_sent_with_its_types() {
    let rows = b"\0\x07\0\0\0\0\0\0\0\0\x01a\x01\x01";
    let body = [&b"\xff\xff\xff\xff\x80\0\x08\0\xfd\0"[..], rows].concat();
    let bulk = BulkExecute::decode(&body, 2).expect("valid");
    assert_eq!((bulk.statement, bulk.flags, bulk.rows), (u32::MAX, 0, &rows[..]));
    assert_eq!(bulk.types.as_deref(), Some(&[8, 253][..]));
    let mut out = BytesMut::new();
    bulk.encode(5, &[8, 253], &mut out);
    assert_eq!(out[..], [&b"\xfa\x05\0\0\0\x80\0\x08\0\xfd\0"[..], rows].concat());
    let again = [&b"\x05\0\0\0\x40\0"[..], rows].concat();
    let again = BulkExecute::decode(&again, 2).expect("valid");
    assert_eq!((again.flags, again.types, again.rows), (64, None, &rows[..]));
    for cut in 0..10 {
        assert!(BulkExecute::decode(&body[..cut], 2).is_err(), "{cut}");
    }
}
