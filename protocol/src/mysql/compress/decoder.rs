//! Unpacking what a peer sends.

use bytes::{Buf as _, BytesMut};

use super::{
    algorithm::Algorithm,
    header::HEADER_LEN,
    pack::{Unpack, WRONG},
};
use crate::reader::DecodeError;

/// Unpacks what a peer sends.
#[derive(Debug)]
pub struct Decoder {
    algorithm: Algorithm,
    state: State,
    next_sequence: u8,
}

/// Where in a packet it stands.
#[derive(Debug)]
enum State {
    Header,
    /// Bytes as they are.
    Plain {
        left: usize,
    },
    /// Packed bytes, and how many plain ones are still to come of them.
    Packed {
        left: usize,
        plain: usize,
        unpack: Unpack,
    },
}

impl Decoder {
    /// At the beginning of a packet.
    pub fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, state: State::Header, next_sequence: 0 }
    }

    /// The id behind that of the packet that began last: whoever answers goes on with it.
    pub fn next_sequence(&self) -> u8 {
        self.next_sequence
    }

    /// Whether nothing is left of the packet that began last.
    pub fn is_between(&self) -> bool {
        matches!(self.state, State::Header | State::Plain { left: 0 })
    }

    /// Unpacks from the front of `input` into `out`, and returns how many bytes it made; 0 means that it needs more
    /// input, unless there was no room.
    ///
    /// # Errors
    ///
    /// When a packet cannot be unpacked, or to another length than its header says. Ids are not judged.
    pub fn decode(&mut self, input: &mut BytesMut, out: &mut [u8]) -> Result<usize, DecodeError> {
        let mut made = 0;
        while made < out.len() {
            let room = out.get_mut(made..).unwrap_or_default();
            match &mut self.state {
                State::Header | State::Plain { left: 0 } => {
                    if !self.begin(input)? {
                        break;
                    }
                }
                State::Plain { left } => {
                    let len = room.len().min(*left).min(input.len());
                    let (Some(from), Some(to)) = (input.get(..len), room.get_mut(..len)) else {
                        break;
                    };
                    to.copy_from_slice(from);
                    input.advance(len);
                    *left = left.saturating_sub(len);
                    made = made.saturating_add(len);
                    if len == 0 {
                        break;
                    }
                }
                State::Packed { left: 0, plain: 0, unpack } => {
                    if !unpack.is_at_its_end()? {
                        return Err(WRONG);
                    }
                    self.state = State::Header;
                }
                State::Packed { left, plain, unpack } => {
                    let has_all = input.len() >= *left;
                    let packed = input.get(..input.len().min(*left)).unwrap_or_default();
                    let (taken, given) = unpack.run(packed, *plain, room)?;
                    input.advance(taken);
                    *left = left.saturating_sub(taken);
                    *plain = plain.checked_sub(given).ok_or(WRONG)?;
                    made = made.saturating_add(given);
                    if taken == 0 && given == 0 {
                        if has_all {
                            return Err(WRONG);
                        }
                        break;
                    }
                }
            }
        }
        Ok(made)
    }

    /// Takes a header. False when it is not all there.
    fn begin(&mut self, input: &mut BytesMut) -> Result<bool, DecodeError> {
        let Some(([a, b, c, sequence, d, e, f], _)) = input.split_first_chunk::<HEADER_LEN>()
        else {
            return Ok(false);
        };
        let length = |[a, b, c]: [u8; 3]| u32::from_le_bytes([a, b, c, 0]);
        let (left, plain) = (length([*a, *b, *c]), length([*d, *e, *f]));
        self.next_sequence = sequence.wrapping_add(1);
        let left = usize::try_from(left).map_err(|_small| WRONG)?;
        let plain = usize::try_from(plain).map_err(|_small| WRONG)?;
        input.advance(HEADER_LEN);
        self.state = match plain {
            0 => State::Plain { left },
            plain => State::Packed { left, plain, unpack: Unpack::new(self.algorithm)? },
        };
        Ok(true)
    }
}
