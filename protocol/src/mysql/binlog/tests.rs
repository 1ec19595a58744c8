//! Events as servers write them, and bytes that nobody wrote.

use bytes::{BufMut as _, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::{
    mysql::packet::{self, MAX_PAYLOAD},
    reader::DecodeError,
};

/// An event of this kind.
fn event(kind: u8, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_u32_le(1_796_000_000);
    out.put_u8(kind);
    out.put_u32_le(7);
    out.put_u32_le(u32::try_from(HEADER_LEN + body.len()).unwrap());
    out.put_u32_le(4711);
    out.put_u16_le(flags);
    out.put_slice(body);
    out
}

fn read(event: &[u8]) -> Result<Event<'_>, DecodeError> {
    Format::default().read(event, event.len()).map(|(_header, event)| event)
}

/// A description of the format, with this kind of checksums.
fn description(checksums: u8) -> Vec<u8> {
    let mut body = BytesMut::new();
    body.put_u16_le(4);
    body.put_bytes(b'9', 50);
    body.put_u32_le(0);
    body.put_u8(19);
    let mut lens = [0_u8; 42];
    (lens[1], lens[17], lens[18]) = (13, 26, 8);
    body.put_slice(&lens);
    body.put_u8(checksums);
    body.put_bytes(0xcc, 4);
    event(15, 0, &body)
}

fn table(schema: &str, name: &str) -> Vec<u8> {
    let mut body = vec![9, 0, 0, 0, 0, 0, 1, 0];
    for text in [schema, name] {
        body.put_u8(u8::try_from(text.len()).unwrap());
        body.put_slice(text.as_bytes());
        body.put_u8(0);
    }
    body.extend([1, 3, 0, 1]);
    event(19, 0, &body)
}

fn query(kind: u8, extra: usize, text: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 8];
    body.put_u8(3);
    body.put_u16_le(0);
    body.put_u16_le(17);
    body.put_bytes(0xee, extra);
    // Flags, the mode ANSI_QUOTES, and what is not read.
    body.extend([0, 1, 2, 3, 4, 1, 4, 0, 0, 0, 0, 0, 0, 0, 6, 1, b'x']);
    body.put_slice(b"app\0");
    body.put_slice(text);
    event(kind, 0, &body)
}

#[test]
fn a_statement_is_told_with_its_schema_and_how_it_was_read() {
    for (kind, extra) in [(2, 0), (18, 13)] {
        let event = query(kind, extra, b"DROP TABLE t");
        let Ok(Event::Query(query)) = read(&event) else { panic!("{:?}", read(&event)) };
        assert_eq!((query.schema, query.sql_mode), (&b"app"[..], Some(4)));
        assert_eq!(&*query.text, b"DROP TABLE t");
    }
    let cut = query(2, 0, b"DROP");
    let cut = &cut[..cut.len() - 9];
    assert_eq!(read(cut), Err(DecodeError::Length(57)));
}

#[test]
fn a_compressed_statement_is_unpacked_if_it_is_as_long_as_it_says() {
    use std::io::Write as _;
    let text = "UPDATE t SET a = 1 ".repeat(100);
    let mut pack = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    pack.write_all(text.as_bytes()).unwrap();
    let pack = pack.finish().unwrap();
    let packed = |head: &[u8]| query(165, 0, &[head, &pack[..]].concat());
    let [high, low] = u16::try_from(text.len()).unwrap().to_be_bytes();
    let event = packed(&[0x82, high, low]);
    let Ok(Event::Query(query)) = read(&event) else { panic!("{:?}", read(&event)) };
    assert_eq!(&*query.text, text.as_bytes());
    assert_eq!(read(&packed(&[0x84, 0xff, 0xff, 0xff, 0xff])), Ok(Event::Unseen), "too long");
    let wrong = Err(DecodeError::Value("compressed statement"));
    assert_eq!(read(&packed(&[0x83, 0, high + 1, low])), wrong);
    assert_eq!(read(&packed(&[0x92, high, low])), wrong, "another algorithm");
}

#[test]
fn what_names_tables_and_ends_transactions_is_told() {
    let event_of = event;
    let named = table("app", "Item");
    assert_eq!(read(&named), Ok(Event::Table { schema: b"app", name: b"Item" }));
    for kind in [23, 24, 25, 30, 31, 32, 39, 166, 167, 168, 169, 170, 171] {
        assert_eq!(read(&event_of(kind, 0, b"rows")), Ok(Event::Rows), "{kind}");
    }
    for kind in [16, 38] {
        assert_eq!(read(&event_of(kind, 0, &[1; 8])), Ok(Event::Commit));
    }
    let rotate = event_of(4, 0x20, b"\x04\0\0\0\0\0\0\0binlog.000002");
    assert_eq!(read(&rotate), Ok(Event::Rotate { file: b"binlog.000002", position: 4 }));
    assert_eq!(read(&event_of(27, 0, b"binlog.000002")), Ok(Event::Heartbeat));
    for kind in [3, 5, 9, 13, 14, 17, 29, 35, 160, 161, 163] {
        assert_eq!(read(&event_of(kind, 0, b"what it says")), Ok(Event::Harmless), "{kind}");
    }
    for kind in [0, 1, 6, 12, 20, 26, 99, 172, 255] {
        assert_eq!(read(&event_of(kind, 0, b"what it says")), Ok(Event::Unseen), "{kind}");
    }
    assert_eq!(read(&event_of(99, 0x80, b"")), Ok(Event::Harmless));
    assert_eq!(read(&event_of(26, 0x80, b"")), Ok(Event::Unseen), "nobody ignores an incident");
}

#[test]
fn an_identity_says_when_and_whether_a_block_begins() {
    let gtid = |begins, committed_at| Ok(Event::Gtid(Gtid { begins, committed_at }));
    let mut body = vec![1; 25];
    assert_eq!(read(&event(33, 0, &body)), gtid(false, None));
    body.push(2);
    body.extend([0; 16]);
    assert_eq!(read(&event(34, 0, &body)), gtid(false, None));
    let at = 1_796_000_000_000_001_u64;
    body.extend(&(at | 1 << 55).to_le_bytes()[..7]);
    assert_eq!(read(&event(34, 0, &body)), gtid(false, Some(at)));
    assert_eq!(read(&event(42, 0, b"in another form")), gtid(false, None));
    for (flags, begins) in [(0x0c, true), (0x01, false)] {
        let body = [&[1; 12][..], &[flags]].concat();
        assert_eq!(read(&event(162, 0, &body)), gtid(begins, None));
    }
    assert_eq!(read(&event(162, 0, &[1; 12])), Err(DecodeError::Truncated));
}

#[test]
fn checksums_are_as_the_description_says_and_must_be_right() {
    let bytes = description(1);
    let Ok(Event::Format(format)) = read(&bytes) else { panic!("{:?}", read(&bytes)) };
    assert_eq!(format.began, 1_796_000_000);
    // A checksum is a part of the event, and of its length.
    let mut summed = event(16, 0, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let wrong = Err(DecodeError::Value("checksum of an event"));
    assert_eq!(format.read(&summed, summed.len()).map(|_| ()), wrong);
    let covered = summed.len() - 4;
    let sum = crc32fast::hash(&summed[..covered]).to_le_bytes();
    summed[covered..].copy_from_slice(&sum);
    assert!(matches!(format.read(&summed, summed.len()), Ok((_, Event::Commit))));
    assert_eq!(read(&description(0)).map(|_| ()), Ok(()));
    assert_eq!(read(&description(2)), Err(DecodeError::Value("kind of checksums")));
}

#[test]
fn an_event_of_which_the_end_was_not_kept_is_known_by_its_header_alone() {
    for (kind, told) in
        [(30, Event::Rows), (29, Event::Harmless), (2, Event::Unseen), (40, Event::Unseen)]
    {
        let bytes = event(kind, 0, &[7; 100]);
        let read = Format::default().read(&bytes[..50], bytes.len());
        assert_eq!(read.map(|(_header, event)| event), Ok(told));
    }
    let bytes = event(30, 0, b"rows");
    assert!(Format::default().read(&bytes, bytes.len() + 1).is_err(), "as long as it says");
}

/// A transaction as one event.
fn payload(compression: u16, packed: &[u8]) -> Vec<u8> {
    let [low, high] = compression.to_le_bytes();
    let mut body = vec![2, 3, 0xfc, low, high, 1, 1, 9, 0];
    body.extend(packed);
    event(40, 0, &body)
}

fn told_by(bytes: &[u8]) -> (Vec<String>, Result<(), DecodeError>) {
    let Ok(Event::Payload(payload)) = read(bytes) else { panic!("{:?}", read(bytes)) };
    let mut told = Vec::new();
    let end = Format::default().events(&payload, |_header, event| {
        told.push(match event {
            Event::Table { name, .. } => String::from_utf8_lossy(name).into_owned(),
            event => format!("{event:?}"),
        });
    });
    (told, end)
}

#[test]
fn a_transaction_in_one_event_is_its_events() {
    let long = event(30, 0, &vec![b'r'; 3 << 20]);
    let inner = [table("app", "a"), long, table("app", "b"), event(16, 0, &[1; 8])].concat();
    let packed = zstd::encode_all(&inner[..], 3).unwrap();
    assert!(packed.len() < 100_000);
    for bytes in [payload(0, &packed), payload(255, &inner)] {
        let (told, end) = told_by(&bytes);
        assert_eq!((told, end), (["a", "Rows", "b", "Commit"].map(String::from).into(), Ok(())));
    }
    let (told, end) = told_by(&payload(255, &inner[..inner.len() - 1]));
    assert_eq!((told.len(), end), (3, Err(DecodeError::Truncated)));
    let (_told, end) = told_by(&payload(0, &packed[..packed.len() - 9]));
    assert!(end.is_err());
    let (_told, end) = told_by(&payload(0, &[&packed[..], b"more"].concat()));
    assert!(end.is_err());
    assert!(read(&payload(1, &packed)).is_err(), "another compression");
}

#[test]
fn of_a_payload_that_is_too_long_the_beginning_is_kept() {
    for len in [0, 5, KEPT_LEN, KEPT_LEN + 1, KEPT_LEN + 2, MAX_PAYLOAD, MAX_PAYLOAD + 7] {
        let bytes: Vec<u8> = (0..len).map(|at| at.to_le_bytes()[0]).collect();
        let (mut wire, mut sequence) = (BytesMut::new(), 254);
        packet::put(&mut wire, &mut sequence, &bytes);
        packet::put(&mut wire, &mut sequence, b"next");
        let mut packets = Packets::default();
        let first = packets.take(&mut wire).unwrap().unwrap();
        assert_eq!((first.len, first.head.len()), (len, len.min(KEPT_LEN + 1)));
        assert!(bytes.starts_with(&first.head));
        let next = packets.take(&mut wire).unwrap().unwrap();
        assert_eq!((&next.head[..], next.len), (&b"next"[..], 4));
        assert_eq!(packets.take(&mut wire), Ok(None));
    }
    let mut wire = BytesMut::new();
    packet::put(&mut wire, &mut 0, &vec![1; MAX_PAYLOAD]);
    let last = wire.len() - 1;
    wire[last] = 7;
    let wrong = Err(DecodeError::Value("sequence id"));
    assert_eq!(Packets::default().take(&mut wire), wrong);
}

#[test]
fn a_replica_asks_as_it_must() {
    let mut out = BytesMut::new();
    request::register(0x0102, &mut out);
    assert_eq!(out, &b"\x15\x02\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"[..]);
    out.clear();
    request::dump(0x0102, b"binlog.000007", 0x0304, &mut out);
    assert_eq!(out, &b"\x12\x04\x03\0\0\0\0\x02\x01\0\0binlog.000007"[..]);
}

proptest! {
    #[test]
    fn packets_do_not_depend_on_how_the_bytes_were_cut(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..5),
        cuts in prop::collection::vec(1_usize..20, 1..50),
    ) {
        let (mut wire, mut sequence) = (BytesMut::new(), 0);
        payloads.iter().for_each(|payload| packet::put(&mut wire, &mut sequence, payload));
        let (mut packets, mut buffer, mut taken) = (Packets::default(), BytesMut::new(), vec![]);
        for cut in cuts.iter().cycle() {
            while let Some(packet) = packets.take(&mut buffer).unwrap() {
                taken.push(packet.head.to_vec());
            }
            if wire.is_empty() {
                break;
            }
            buffer.extend(wire.split_to(wire.len().min(*cut)));
        }
        prop_assert_eq!(taken, payloads);
    }

    #[test]
    fn no_bytes_make_the_reading_fail_otherwise_than_by_an_error(
        kind in any::<u8>(),
        flags in any::<u16>(),
        body in prop::collection::vec(any::<u8>(), 0..300),
        kept in 0_usize..320,
    ) {
        let bytes = event(kind, flags, &body);
        let head = &bytes[..kept.min(bytes.len())];
        if let Ok((_header, Event::Payload(payload))) = Format::default().read(head, bytes.len()) {
            let _end = Format::default().events(&payload, |_header, _event| {});
        }
    }
}
