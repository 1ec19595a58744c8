//! Packets: a 24-bit length, a sequence id, and the payload.
//!
//! A payload of `0xFFFFFF` bytes or more goes on in the next packet, up to the first one that is shorter (and may
//! be empty). Here they are joined and cut; what a payload means is in the modules beside this one.

use bytes::{BufMut, Bytes, BytesMut};

use crate::reader::DecodeError;

/// Bytes of a packet's length and sequence id.
pub const HEADER_LEN: usize = 4;

/// The most one packet carries; a packet of exactly this length is continued by the next.
pub const MAX_PAYLOAD: usize = 0xFF_FFFF;

/// What the first four bytes of a packet say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes that follow the header.
    pub len: usize,
    /// Counts up within one command, from 0 with the command itself, and wraps.
    pub sequence: u8,
}

impl Header {
    /// Reads a header from the front of `bytes`; `None` when it is not there yet.
    pub fn peek(bytes: &[u8]) -> Option<Self> {
        let ([low, middle, high, sequence], _) = bytes.split_first_chunk::<HEADER_LEN>()?;
        let len = usize::try_from(u32::from_le_bytes([*low, *middle, *high, 0])).ok()?;
        Some(Self { len, sequence: *sequence })
    }

    /// Bytes of the whole packet, header included.
    pub fn packet_len(self) -> usize {
        self.len.saturating_add(HEADER_LEN)
    }

    /// Whether the next packet carries on with this one's payload.
    pub fn continues(self) -> bool {
        self.len >= MAX_PAYLOAD
    }
}

/// A whole payload, however many packets it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The sequence id of its first packet.
    pub sequence: u8,
    /// The sequence id of its last packet; the next one's is one higher.
    pub last_sequence: u8,
    /// What it says.
    pub payload: Bytes,
}

/// Takes one payload off the front of `buffer`; `None`, and nothing taken, when it is not all there.
///
/// # Errors
///
/// [`DecodeError::Length`] as soon as a header shows that it is over `limit`, [`DecodeError::Value`] when the
/// sequence ids inside it do not count up.
pub fn take(buffer: &mut BytesMut, limit: usize) -> Result<Option<Packet>, DecodeError> {
    let Some(first) = Header::peek(buffer) else { return Ok(None) };
    let (mut total, mut end, mut last) = (0_usize, 0_usize, first);
    loop {
        let Some(header) = buffer.get(end..).and_then(Header::peek) else { return Ok(None) };
        if end > 0 && header.sequence != last.sequence.wrapping_add(1) {
            return Err(DecodeError::Value("sequence id"));
        }
        total = total.saturating_add(header.len);
        if total > limit {
            return Err(DecodeError::Length(u32::try_from(total).unwrap_or(u32::MAX)));
        }
        end = end.saturating_add(header.packet_len());
        last = header;
        if !header.continues() {
            break;
        }
    }
    if buffer.len() < end {
        return Ok(None);
    }
    let packets = buffer.split_to(end).freeze();
    let payload =
        if first.continues() { join(&packets, total) } else { packets.slice(HEADER_LEN..) };
    Ok(Some(Packet { sequence: first.sequence, last_sequence: last.sequence, payload }))
}

/// Appends `payload` as one packet or more, and counts `sequence` up for each.
pub fn put(out: &mut BytesMut, sequence: &mut u8, mut payload: &[u8]) {
    loop {
        let (part, rest) = payload.split_at(payload.len().min(MAX_PAYLOAD));
        let [low, middle, high, ..] = part.len().to_le_bytes();
        out.reserve(part.len().saturating_add(HEADER_LEN));
        out.put_slice(&[low, middle, high, *sequence]);
        out.put_slice(part);
        *sequence = sequence.wrapping_add(1);
        payload = rest;
        if part.len() < MAX_PAYLOAD {
            return;
        }
    }
}

/// Gives the whole packets in `packets` new sequence ids, counting up from `sequence`.
pub fn renumber(mut packets: &mut [u8], sequence: &mut u8) {
    while let Some(header) = Header::peek(packets) {
        if let Some(id) = packets.get_mut(3) {
            *id = *sequence;
        }
        *sequence = sequence.wrapping_add(1);
        let Some((_, rest)) = packets.split_at_mut_checked(header.packet_len()) else { return };
        packets = rest;
    }
}

/// The sequence id of the last packet that begins in `packets`, of those that carry on with each other; 0 for none.
pub fn last_sequence(mut packets: &[u8]) -> u8 {
    let mut last = 0;
    while let Some(header) = Header::peek(packets) {
        last = header.sequence;
        if !header.continues() {
            break;
        }
        packets = packets.get(header.packet_len()..).unwrap_or_default();
    }
    last
}

fn join(packets: &[u8], total: usize) -> Bytes {
    let mut payload = Vec::with_capacity(total);
    let mut rest = packets;
    while let Some(header) = Header::peek(rest) {
        let Some((packet, next)) = rest.split_at_checked(header.packet_len()) else { break };
        payload.extend_from_slice(packet.get(HEADER_LEN..).unwrap_or_default());
        rest = next;
    }
    Bytes::from(payload)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wire(payload: &[u8], mut sequence: u8) -> BytesMut {
        let mut out = BytesMut::new();
        put(&mut out, &mut sequence, payload);
        out
    }

    #[test]
    fn a_header_is_read_when_its_four_bytes_are_there() {
        assert_eq!(Header::peek(b"\x01\0\0"), None);
        let header = Header::peek(b"\x01\x02\x03\x07").expect("complete");
        assert_eq!((header.len, header.sequence), (0x03_0201, 7));
        assert_eq!(header.packet_len(), 0x03_0205);
        assert!(Header::peek(b"\xff\xff\xff\0").expect("complete").continues());
    }

    #[test]
    fn a_payload_is_cut_and_joined_at_16_mib() {
        for (len, packets) in [
            (0, 1),
            (MAX_PAYLOAD - 1, 1),
            (MAX_PAYLOAD, 2),
            (MAX_PAYLOAD + 1, 2),
            (2 * MAX_PAYLOAD, 3),
            (2 * MAX_PAYLOAD + 5, 3),
        ] {
            let payload = vec![0xfe; len];
            let mut sequence = 254;
            let mut out = BytesMut::new();
            put(&mut out, &mut sequence, &payload);
            assert_eq!(sequence, 254_u8.wrapping_add(packets));
            assert_eq!(out.len(), len + HEADER_LEN * usize::from(packets));
            let packet = take(&mut out, usize::MAX).expect("valid").expect("complete");
            assert!(out.is_empty());
            assert_eq!((packet.sequence, packet.last_sequence), (254, sequence.wrapping_sub(1)));
            assert_eq!(packet.payload, payload);
        }
    }

    #[test]
    fn a_payload_over_the_limit_is_refused_by_its_header() {
        let mut buffer = BytesMut::from(&b"\x05\0\0\0"[..]);
        assert_eq!(take(&mut buffer, 4), Err(DecodeError::Length(5)));
        assert_eq!(take(&mut buffer, 5), Ok(None));
        let mut buffer = wire(&vec![1; MAX_PAYLOAD], 0);
        buffer.truncate(MAX_PAYLOAD + HEADER_LEN);
        assert_eq!(take(&mut buffer, MAX_PAYLOAD), Ok(None));
        buffer.put_slice(&[1, 0, 0, 1]);
        assert_eq!(take(&mut buffer, MAX_PAYLOAD), Err(DecodeError::Length(0x100_0000)));
        assert_eq!(last_sequence(&buffer), 1);
        assert_eq!(last_sequence(b"\x05\0\0\x07"), 7);
        assert_eq!(last_sequence(b"\x05\0\0"), 0);
    }

    #[test]
    fn sequence_ids_within_a_payload_must_count_up() {
        let mut buffer = wire(&vec![1; MAX_PAYLOAD], 9);
        let last = buffer.len() - 1;
        buffer[last] = 11;
        assert_eq!(take(&mut buffer, usize::MAX), Err(DecodeError::Value("sequence id")));
    }

    #[test]
    fn packets_are_renumbered_in_place() {
        let mut packets = [&wire(b"one", 3)[..], &wire(b"", 9), &wire(b"two", 0)].concat();
        let mut sequence = 255;
        renumber(&mut packets, &mut sequence);
        let expect = [&wire(b"one", 255)[..], &wire(b"", 0), &wire(b"two", 1)].concat();
        assert_eq!((packets, sequence), (expect, 2));
    }

    proptest! {
        #[test]
        fn packets_do_not_depend_on_how_the_bytes_were_cut(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12),
            cuts in prop::collection::vec(1_usize..30, 0..40),
        ) {
            let mut all = BytesMut::new();
            for payload in &payloads {
                put(&mut all, &mut 0, payload);
            }
            let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
            let mut cuts = cuts.into_iter();
            while !all.is_empty() {
                let cut = cuts.next().unwrap_or(usize::MAX).min(all.len());
                buffer.unsplit(all.split_to(cut));
                while let Some(packet) = take(&mut buffer, 40).expect("valid") {
                    found.push(packet.payload.to_vec());
                }
            }
            prop_assert!(buffer.is_empty());
            prop_assert_eq!(found, payloads);
        }
    }
}
