//! What a walsender says, byte by byte, and what it never says.

use proptest::prelude::*;

use super::*;

/// The parts of a message, one behind the other.
fn bytes(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn u64s(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

#[test]
fn each_message_of_the_plugin_is_what_the_manual_says() {
    let described =
        b"d\0\x02\x01id\0\0\0\0\x17\xff\xff\xff\xff\0balance\0\0\0\0\x17\xff\xff\xff\xff";
    let relation = Relation { id: 16_384, schema: b"public", name: b"account", described };
    for (data, expected) in [
        (bytes(&[b"B", &u64s(&[7, 8]), b"\0\0\x02\xe5"]), Message::Begin { transaction: 741 }),
        (bytes(&[b"C\0", &u64s(&[7, 9, 8])]), Message::Commit { end: Position(9) }),
        (bytes(&[b"R\0\0\x40\0public\0account\0", described]), Message::Relation(relation)),
        (b"I\0\0\x40\0N\0\x01t\0\0\0\x01".to_vec(), Message::Change { relation: 16_384 }),
        (b"U\0\0\x40\0".to_vec(), Message::Change { relation: 16_384 }),
        (b"D\0\0\x40\0K\0\x01n".to_vec(), Message::Change { relation: 16_384 }),
        (
            bytes(&[b"M\x01", &u64s(&[7]), b"jumpgate\0\0\0\0\x01x"]),
            Message::Emitted { prefix: b"jumpgate" },
        ),
        (bytes(&[b"O", &u64s(&[7]), b"other\0"]), Message::Aside),
        (b"Y\0\0\x40\x02public\0mood\0".to_vec(), Message::Aside),
    ] {
        assert_eq!(Message::decode(&data), Ok(expected), "{data:?}");
    }
    let truncate = b"T\0\0\0\x02\x01\0\0\x40\0\0\0\x40\x06";
    let Ok(Message::Truncate(relations)) = Message::decode(truncate) else {
        panic!("{truncate:?}")
    };
    assert_eq!(relations.iter().collect::<Vec<_>>(), [16_384, 16_390]);
}

#[test]
fn what_is_cut_off_or_goes_on_or_is_of_another_version_is_no_message() {
    for data in [
        &b""[..],
        b"S\0\0\x02\xe5\x01",
        b"B\0\0\0\0",
        b"C\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\x08\0",
        b"I\0\0\x40",
        b"R\0\0\x40\0public\0account\0d\0\x02\x01id\0\0\0\0\x17\xff\xff\xff\xff",
        b"T\xff\xff\xff\xff\0\0\0\x40\0",
        b"T\0\0\0\x01\0\0\0\x40\0\0",
    ] {
        assert!(Message::decode(data).is_err(), "{data:?}");
    }
}

#[test]
fn a_walsender_tells_its_log_and_how_far_it_is() {
    let wal = bytes(&[b"w", &u64s(&[7, 7, 1]), b"I\0\0\x40\0"]);
    assert_eq!(wal.len() - 5, WAL_HEADER_LEN);
    let expected = Copied::Wal { start: Position(7), data: b"I\0\0\x40\0" };
    assert_eq!(Copied::decode(&wal), Ok(expected));
    let keepalive = bytes(&[b"k", &u64s(&[9, 1]), b"\x01"]);
    let expected = Copied::Keepalive { end: Position(9), wants_status: true };
    assert_eq!(Copied::decode(&keepalive), Ok(expected));
    assert!(Copied::decode(&bytes(&[b"k", &u64s(&[9, 1])])).is_err());
    assert!(Copied::decode(b"x").is_err());
}

#[test]
fn a_status_says_thrice_how_far_we_are() {
    let mut out = BytesMut::new();
    status(Position(9), 5, true, &mut out);
    let expected = bytes(&[b"d\0\0\0\x26r", &u64s(&[9, 9, 9, 5]), b"\x01"]);
    assert_eq!(&out[..], expected);
}

#[test]
fn a_position_is_read_as_sql_writes_it() {
    for (text, expected) in [
        ("16/B374D848", Some(0x0016_b374_d848)),
        ("0/0", Some(0)),
        ("FFFFFFFF/FFFFFFFF", Some(u64::MAX)),
        ("", None),
        ("16", None),
        ("1/123456789", None),
        ("x/1", None),
    ] {
        assert_eq!(Position::parse(text), expected.map(|number: u64| Position(number)), "{text}");
    }
}

/// A name as the catalog has it.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(1_u8.., 0..64)
}

proptest! {
    #[test]
    fn what_is_written_of_a_table_is_read_of_it(
        id: u32,
        (schema, table) in (name(), name()),
        columns in prop::collection::vec((any::<bool>(), name(), any::<u32>(), any::<i32>()), 0..20),
    ) {
        let mut described = vec![b'd'];
        described.extend(u16::try_from(columns.len()).unwrap().to_be_bytes());
        for (is_key, name, of_type, modifier) in &columns {
            described.push((*is_key).into());
            described.extend(name);
            described.push(0);
            described.extend(of_type.to_be_bytes());
            described.extend(modifier.to_be_bytes());
        }
        let data = bytes(&[b"R", &id.to_be_bytes(), &schema, b"\0", &table, b"\0", &described]);
        let relation = Relation { id, schema: &schema, name: &table, described: &described };
        prop_assert_eq!(Message::decode(&data), Ok(Message::Relation(relation)));
        // Cut off anywhere it is no table.
        for end in 0..data.len() {
            prop_assert!(Message::decode(&data[..end]).is_err());
        }
    }

    #[test]
    fn whatever_is_said_nothing_panics_and_no_more_tables_come_than_bytes(
        data in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        if let Ok(Copied::Wal { data: told, .. }) = Copied::decode(&data) {
            prop_assert_eq!(told.len() + WAL_HEADER_LEN, data.len());
        }
        if let Ok(Message::Truncate(relations)) = Message::decode(&data) {
            prop_assert!(relations.iter().count() * 4 <= data.len());
        }
    }
}
