//! What is packed comes out again, and what a peer should not send does not.

use bytes::BytesMut;
use proptest::prelude::*;

use super::{header::HEADER_LEN, pack::WRONG, *};
use crate::{
    mysql::{
        capabilities::CapabilityFlags,
        packet::{self, Header},
    },
    reader::DecodeError,
};

const BOTH: [Algorithm; 2] = [Algorithm::Zlib, Algorithm::Zstd(3)];

/// Packets with these payloads, as they are sent plain.
fn plain(payloads: &[&[u8]]) -> BytesMut {
    let mut out = BytesMut::new();
    payloads.iter().for_each(|payload| packet::put(&mut out, &mut 0, payload));
    out
}

/// The same compressed, given to the encoder in pieces of `piece` bytes.
fn encoded(algorithm: Algorithm, plain: &[u8], piece: usize) -> BytesMut {
    encoded_by(Encoder::new(algorithm, Side::Server), plain, piece)
}

fn encoded_by(mut encoder: Encoder, plain: &[u8], piece: usize) -> BytesMut {
    let mut sequence = 0;
    let (mut out, mut taken, mut there) = (BytesMut::new(), 0, 0);
    while taken < plain.len() {
        there = (there + piece).min(plain.len());
        // Headers are written whole.
        while taken < there && (there - taken >= 4 || there == plain.len()) {
            let rest = &plain[taken..there];
            taken += encoder.encode(rest, &mut sequence, &mut out).expect("it packs");
        }
    }
    assert!(encoder.open.is_none());
    out
}

fn wire(algorithm: Algorithm, payload: &[u8]) -> BytesMut {
    encoded(algorithm, &plain(&[payload]), usize::MAX)
}

/// How many compressed packets there are.
fn count(mut wire: &[u8]) -> usize {
    let mut count = 0;
    while let Some(header) = Header::peek(wire) {
        wire = &wire[header.len + HEADER_LEN..];
        count += 1;
    }
    count
}

/// Everything that comes of `wire` through a window of `room` bytes.
fn unpacked(algorithm: Algorithm, wire: &[u8], room: usize) -> Result<Vec<u8>, DecodeError> {
    let (mut decoder, mut input) = (Decoder::new(algorithm), BytesMut::from(wire));
    let (mut plain, mut out) = (Vec::new(), vec![0; room]);
    loop {
        let made = decoder.decode(&mut input, &mut out)?;
        plain.extend_from_slice(&out[..made]);
        if made == 0 {
            assert!(input.is_empty() || !decoder.is_between() || input.len() < HEADER_LEN);
            return Ok(plain);
        }
    }
}

#[test]
fn short_packets_are_sent_as_they_are_and_long_ones_shorter() {
    for algorithm in BOTH {
        let short = wire(algorithm, b"\x0e");
        assert_eq!(&short[..], b"\x05\0\0\0\0\0\0\x01\0\0\0\x0e");
        let long = wire(algorithm, &[b'x'; 996]);
        assert!(long.len() < 100, "{algorithm:?}");
        assert_eq!(long[4..7], [0xe8, 0x03, 0]);
        let unpacked = unpacked(algorithm, &long, 64).expect("valid");
        assert_eq!(unpacked, plain(&[&[b'x'; 996]]));
    }
}

#[test]
fn ids_count_up_and_the_answer_goes_on_with_them() {
    let (mut out, mut sequence) = (BytesMut::new(), 255);
    let mut encoder = Encoder::new(Algorithm::Zlib, Side::Server);
    for _ in 0..2 {
        let one = plain(&[b"one"]);
        assert_eq!(encoder.encode(&one, &mut sequence, &mut out).expect("it packs"), 7);
    }
    assert_eq!((out[3], out[17], sequence), (255, 0, 1));
    let mut decoder = Decoder::new(Algorithm::Zlib);
    assert_eq!(decoder.decode(&mut out, &mut [0; 100]), Ok(14));
    assert_eq!(decoder.next_sequence(), 1);
}

/// MySQL Connector/Python reads no more than two, and no header in two pieces.
#[test]
fn a_packet_lies_in_two_compressed_ones_at_the_most() {
    let noise: Vec<u8> = (0..0xff_fff0_u64).map(|n| ((n * n) >> 9).to_le_bytes()[0]).collect();
    for algorithm in BOTH {
        for (len, most) in [(100, 1), (40_000, 1), (1_000_000, 1), (0xff_0000, 2), (0xff_fff0, 2)] {
            let plain = plain(&[&noise[..len]]);
            for piece in [usize::MAX, 16 * 1024] {
                let wire = encoded(algorithm, &plain, piece);
                assert!(count(&wire) <= most, "{algorithm:?} {len}: {}", count(&wire));
                assert!(unpacked(algorithm, &wire, 16 * 1024).expect("valid") == plain);
            }
        }
        // Many short ones share.
        let many = plain(&[&b"0123456789"[..]; 10_000]);
        let wire = encoded(algorithm, &many, usize::MAX);
        assert!((2..10).contains(&count(&wire)), "{}", count(&wire));
        assert!(unpacked(algorithm, &wire, 100).expect("valid") == many);
    }
}

/// Issue item 7: a server writes its answer over what it has read beyond a command, and counts ids from each anew.
#[test]
fn each_command_begins_a_compressed_packet_with_the_id_0() {
    let ids = |wire: &[u8]| {
        let (mut wire, mut ids) = (wire, Vec::new());
        while let Some(header) = Header::peek(wire) {
            ids.push(header.sequence);
            wire = &wire[header.len + HEADER_LEN..];
        }
        ids
    };
    for algorithm in BOTH {
        for piece in [usize::MAX, 100, 9] {
            // Two short commands and a long one of two packets.
            let said = plain(&[b"one", &[b'x'; 100], &vec![7; 0xff_ffff + 100]]);
            let wire = encoded_by(Encoder::new(algorithm, Side::Client), &said, piece);
            assert_eq!(ids(&wire), [0, 0, 0, 1, 2], "{algorithm:?} {piece}");
            assert!(unpacked(algorithm, &wire, 16 * 1024).expect("valid") == said);
        }
        // A file of more than 256 packets is one answer, whose ids wrap.
        let (mut file, mut sequence) = (BytesMut::new(), 2);
        (0..600).for_each(|_| packet::put(&mut file, &mut sequence, &[b'x'; 200]));
        let (mut encoder, mut sequence, mut wire) =
            (Encoder::new(algorithm, Side::Client), 2, BytesMut::new());
        let mut rest = &file[..];
        while !rest.is_empty() {
            let there = rest.len().min(204 * 7);
            let taken = encoder.encode(&rest[..there], &mut sequence, &mut wire).expect("packs");
            rest = &rest[taken..];
        }
        let ids = ids(&wire);
        let counted: Vec<u8> = (0..ids.len()).map(|n| (n + 2).to_le_bytes()[0]).collect();
        assert_eq!(ids, counted, "{algorithm:?}");
        // It ended with the id 255, say, and was answered: a command follows.
        encoder.last = Some(u8::MAX);
        encoder.heard();
        encoder.encode(&plain(&[b"next"]), &mut sequence, &mut wire).expect("packs");
        assert_eq!(sequence, 1);
    }
}

#[test]
fn what_is_16_mib_and_longer_is_sent_as_it_is_in_plain() {
    let plain = plain(&[&vec![7; 0xff_ffff + 100], &[1; 5]]);
    for algorithm in BOTH {
        let wire = encoded(algorithm, &plain, 64 * 1024);
        assert!(wire.len() < 200_000);
        assert!(unpacked(algorithm, &wire, 16 * 1024).expect("valid") == plain);
    }
}

#[test]
fn a_packet_that_is_not_what_its_header_says_is_refused() {
    for algorithm in BOTH {
        let good = wire(algorithm, &[b'x'; 996]);
        for said in [1_u8, 0xe7] {
            let mut less = good.clone();
            (less[4], less[5]) = (said, if said == 1 { 0 } else { 3 });
            assert_eq!(unpacked(algorithm, &less, 4096), Err(WRONG), "{algorithm:?} {said}");
        }
        let mut more = good.clone();
        more[4] = 0xe9;
        assert_eq!(unpacked(algorithm, &more, 4096), Err(WRONG), "{algorithm:?} more");
        // Cut, with the length of the rest.
        let mut cut = good.clone();
        cut.truncate(good.len() - 2);
        cut[0] -= 2;
        assert_eq!(unpacked(algorithm, &cut, 4096), Err(WRONG), "{algorithm:?} cut");
        let mut noise = good.clone();
        noise[7..].fill(0x5a);
        assert_eq!(unpacked(algorithm, &noise, 4096), Err(WRONG), "{algorithm:?} noise");
        let mut empty = BytesMut::from(&b"\0\0\0\0\x05\0\0"[..]);
        assert_eq!(Decoder::new(algorithm).decode(&mut empty, &mut [0; 9]), Err(WRONG));
    }
}

/// A bomb: what it unpacks to is made only as fast as there is room for it.
#[test]
fn a_large_packet_is_unpacked_piece_by_piece() {
    for algorithm in BOTH {
        let mut wire = wire(algorithm, &vec![0; 0xfe_0000]);
        assert!(wire.len() < 100_000);
        let (mut decoder, mut out) = (Decoder::new(algorithm), [1; 512]);
        assert_eq!(decoder.decode(&mut wire, &mut out), Ok(512));
        assert_eq!(out[4..], [0; 508]);
        assert!(!decoder.is_between());
    }
}

#[test]
fn zlib_is_agreed_on_where_both_could_be() {
    let (zlib, zstd) =
        (CapabilityFlags::CLIENT_COMPRESS, CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM);
    assert_eq!(Algorithm::agreed(zlib | zstd, 7), Some(Algorithm::Zlib));
    assert_eq!(Algorithm::agreed(zstd, 22), Some(Algorithm::Zstd(3)));
    assert_eq!(Algorithm::agreed(zstd, 0), Some(Algorithm::Zstd(1)));
    assert_eq!(Algorithm::agreed(CapabilityFlags::CLIENT_SSL, 3), None);
}

proptest! {
    #[test]
    fn packets_do_not_depend_on_how_the_bytes_were_cut(
        payloads in prop::collection::vec(prop::collection::vec(0_u8..4, 0..300), 0..6),
        piece in 4_usize..500,
        cuts in prop::collection::vec(1_usize..40, 0..60),
        room in 1_usize..100,
        is_zlib in any::<bool>(),
    ) {
        let algorithm = if is_zlib { Algorithm::Zlib } else { Algorithm::Zstd(1) };
        let payloads: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        let sent = plain(&payloads);
        let mut all = encoded(algorithm, &sent, piece);
        let (mut decoder, mut input) = (Decoder::new(algorithm), BytesMut::new());
        let (mut found, mut out) = (Vec::new(), vec![0; room]);
        let mut cuts = cuts.into_iter();
        while !all.is_empty() {
            let cut = cuts.next().unwrap_or(usize::MAX).min(all.len());
            input.unsplit(all.split_to(cut));
            loop {
                let made = decoder.decode(&mut input, &mut out).expect("valid");
                found.extend_from_slice(&out[..made]);
                if made == 0 {
                    break;
                }
            }
        }
        prop_assert_eq!(found, sent);
        prop_assert!(input.is_empty());
    }

    #[test]
    fn any_bytes_are_unpacked_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        is_zlib in any::<bool>(),
    ) {
        let algorithm = if is_zlib { Algorithm::Zlib } else { Algorithm::Zstd(1) };
        let (mut decoder, mut input) = (Decoder::new(algorithm), BytesMut::from(&bytes[..]));
        let mut out = [0; 64];
        for _ in 0..10_000 {
            match decoder.decode(&mut input, &mut out) {
                Ok(0) | Err(_) => break,
                Ok(made) => prop_assert!(made <= out.len()),
            }
        }
    }
}
