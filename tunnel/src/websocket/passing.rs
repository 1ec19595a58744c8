//! Frames that pass by: where one ends, so that a frame of somebody else can follow it.
//!
//! Only headers are read, nothing is kept or changed. What is no frame at all is for the receiver to notice.

use super::codec::{LEN_16, LEN_64, MASKED};

/// Follows one direction of a WebSocket.
#[derive(Debug)]
pub(crate) enum Passing {
    /// So many bytes of a header have passed.
    Header { seen: [u8; LONGEST_HEADER], len: usize },
    /// So many bytes of a payload have not passed yet.
    Payload(u64),
}

impl Passing {
    /// Follows from the first frame.
    pub(crate) const fn new() -> Self {
        Self::Header { seen: [0; LONGEST_HEADER], len: 0 }
    }

    /// Is the last frame complete, with nothing of the next?
    pub(crate) const fn is_between_frames(&self) -> bool {
        matches!(self, Self::Header { len: 0, .. })
    }

    /// How many bytes may pass without anything of another frame.
    pub(crate) fn left(&self) -> usize {
        match self {
            Self::Header { seen, len } => header_len(seen, *len) - len,
            Self::Payload(left) => usize::try_from(*left).unwrap_or(usize::MAX),
        }
    }

    /// These bytes have passed.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(self.left().min(bytes.len()));
            bytes = later;
            *self = match std::mem::replace(self, Self::new()) {
                Self::Header { mut seen, len } => {
                    let end = len + now.len();
                    if let Some(room) = seen.get_mut(len..end) {
                        room.copy_from_slice(now);
                    }
                    match payload_len(&seen, end) {
                        None => Self::Header { seen, len: end },
                        Some(0) => Self::new(),
                        Some(len) => Self::Payload(len),
                    }
                }
                Self::Payload(left) => match left.saturating_sub(now.len() as u64) {
                    0 => Self::new(),
                    left => Self::Payload(left),
                },
            };
        }
    }
}

/// How long the header is, as far as `len` bytes of it tell: never less than one more than those, if it is not whole.
fn header_len([_, second, ..]: &[u8; LONGEST_HEADER], len: usize) -> usize {
    if len < SHORTEST_HEADER {
        return SHORTEST_HEADER;
    }
    let mask = if second & MASKED == 0 { 0 } else { 4 };
    SHORTEST_HEADER + mask + extended(*second)
}

/// The length of the payload, once the header is whole.
fn payload_len(header: &[u8; LONGEST_HEADER], len: usize) -> Option<u64> {
    if len < SHORTEST_HEADER || len < header_len(header, len) {
        return None;
    }
    let [_, second, a, b, c, d, e, f, g, h, ..] = *header;
    Some(match extended(second) {
        0 => u64::from(second & !MASKED),
        2 => u64::from(u16::from_be_bytes([a, b])),
        _ => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
    })
}

/// How many bytes the length has beyond its first seven bits.
const fn extended(second: u8) -> usize {
    match second & !MASKED {
        LEN_16 => 2,
        LEN_64 => 8,
        _ => 0,
    }
}

const SHORTEST_HEADER: usize = 2;
/// Two bytes, a length of 64 bits, a mask.
const LONGEST_HEADER: usize = 14;
