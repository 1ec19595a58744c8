//! MySQL packets from a peer: joining, and every view of a payload.
//!
//! Nothing panics, nothing is allocated beyond what the input holds, where a payload ends does not depend on
//! how the bytes were cut, and what is written again is read as the same.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use protocol::mysql::{
    capabilities::CapabilityFlags,
    command::{BulkExecute, CommandTag, Execute, Known, Query},
    compress::{Algorithm, Decoder},
    packet::{self, HEADER_LEN},
    reply::{
        self, ColumnDef, EOF_HEADER, ErrPacket, OK_HEADER, OkPacket, PrepareOk, changes,
        encode_change, text_row,
    },
};

const LIMIT: usize = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    unpacked(bytes);
    let mut whole = BytesMut::from(bytes);
    let mut pieces = BytesMut::new();
    let mut rest = bytes.iter();
    while let Ok(Some(packet)) = packet::take(&mut whole, LIMIT) {
        assert!(packet.payload.len() <= LIMIT && packet.payload.len() + HEADER_LEN <= bytes.len());
        let piece = loop {
            match packet::take(&mut pieces, LIMIT).expect("it was valid in one piece") {
                Some(packet) => break packet,
                None => pieces.extend(rest.next()),
            }
        };
        assert_eq!(piece, packet);
        from_a_client(&packet.payload);
        from_a_backend(&packet.payload);
    }
});

/// What a peer compressed comes out piece by piece, or is refused.
fn unpacked(bytes: &[u8]) {
    for algorithm in [Algorithm::Zlib, Algorithm::Zstd(1)] {
        let (mut decoder, mut input) = (Decoder::new(algorithm), BytesMut::from(bytes));
        let mut out = [0; 16 * 1024];
        while let Ok(made @ 1..) = decoder.decode(&mut input, &mut out) {
            assert!(made <= out.len());
        }
    }
}

fn written(write: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    write(&mut out);
    out
}

fn from_a_client(payload: &[u8]) {
    let Some((tag, body)) = payload.split_first() else { return };
    assert_eq!(CommandTag::from(*tag).byte(), *tag);
    for attributes in [false, true] {
        if let Ok(query) = Query::decode(body, attributes) {
            assert!(query.attributes.len() <= body.len());
            let again = written(|out| query.encode(attributes, out));
            assert_eq!(Query::decode(&again[1..], attributes).as_ref(), Ok(&query));
        }
        // The first bytes say what is known of the statement, so that the fuzzer can reach it all.
        let Some(([params, long], body)) = body.split_first_chunk() else { continue };
        let known =
            Known { params: u16::from(*params), types: None, long_data: &[u16::from(*long)] };
        if let Ok(bulk) = BulkExecute::decode(body, known.params) {
            let types = bulk.types.clone().unwrap_or_default();
            assert!(types.is_empty() || types.len() == usize::from(*params));
        }
        if let Ok(execute) = Execute::decode(body, known, attributes) {
            assert!(execute.parameters.len() == usize::from(*params));
            let again = written(|out| execute.encode(execute.statement, true, attributes, out));
            let again = Execute::decode(&again[1..], known, attributes);
            assert_eq!(again.as_ref(), Ok(&execute));
        }
    }
}

fn from_a_backend(payload: &[u8]) {
    for capabilities in [CapabilityFlags::empty(), CapabilityFlags::all()] {
        if let Ok(ok) = OkPacket::decode(payload, capabilities) {
            for header in [OK_HEADER, EOF_HEADER] {
                let again = written(|out| ok.encode(header, capabilities, out));
                let again = OkPacket::decode(&again, capabilities).expect("our own");
                assert_eq!((again.affected, again.info), (ok.affected, ok.info));
                assert_eq!((again.changes, again.warnings), (ok.changes, ok.warnings));
            }
            let end = written(|out| ok.encode_rows_end(capabilities, out));
            assert!(OkPacket::decode(&end, capabilities).is_ok());
        }
    }
    if let Ok(error) = ErrPacket::decode(payload) {
        assert_eq!(written(|out| error.encode(out)), payload);
    }
    if let Ok(prepared) = PrepareOk::decode(payload) {
        assert_eq!(written(|out| prepared.encode(out)).len(), payload.len());
    }
    for extended in [false, true] {
        let other = &mut BytesMut::new();
        if reply::put_definition(payload, extended, !extended, other).is_ok() {
            assert!(other.len() <= payload.len() + 1);
        }
    }
    if let Ok(column) = ColumnDef::decode(payload) {
        let again = written(|out| column.encode(out));
        assert_eq!(ColumnDef::decode(&again), Ok(column));
    }
    if let Ok((warnings, status)) = reply::decode_eof(payload) {
        assert_eq!(written(|out| reply::encode_eof(warnings, status, out)).len(), payload.len());
    }
    assert!(text_row(payload).count() <= payload.len());
    assert!(reply::column_count(payload) != Ok(0));
    let found: Vec<_> = changes(payload).map_while(Result::ok).collect();
    let again = written(|out| found.iter().for_each(|change| encode_change(change, out)));
    assert!(changes(&again).map(Result::unwrap).eq(found));
}
