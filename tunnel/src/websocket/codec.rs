//! Frames to bytes and back.

use bytes::{Buf as _, BufMut as _, BytesMut};

/// No message may be larger: `cloudflared` cuts what is beyond.
pub(crate) const MAX_MESSAGE_LEN: usize = 16 * 1024;

/// The longest header this end writes: two bytes, a 16-bit length, a mask.
pub(crate) const MAX_HEADER_LEN: usize = 8;

/// The most payload put into one message, so that message and header fit one TLS record.
pub(crate) const FILL_LEN: usize = MAX_MESSAGE_LEN - MAX_HEADER_LEN;

/// The longest payload of a control frame (RFC 6455, 5.5).
pub(crate) const MAX_CONTROL_LEN: usize = 125;

/// What a pong says that no ping asked for: this way is about to end, so nothing new should begin on
/// it. RFC 6455, 5.5.3 allows such a pong at any time, and who does not know the words ignores it.
pub(crate) const LEAVING: &[u8] = b"jumpgate: leaving";

/// Which end this is. Only frames of the client are masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

impl Role {
    /// A fresh mask, if this end masks.
    pub(crate) fn mask(self) -> Option<[u8; 4]> {
        match self {
            Self::Client => Some(rand::random()),
            Self::Server => None,
        }
    }
}

/// What a whole frame sent by this end is. This end never fragments and never sends text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Binary,
    Close,
    Ping,
    Pong,
}

impl Kind {
    fn opcode(self) -> u8 {
        match self {
            Self::Binary => BINARY,
            Self::Close => CLOSE,
            Self::Ping => PING,
            Self::Pong => PONG,
        }
    }
}

/// The header of a final frame that this end sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    bytes: [u8; MAX_HEADER_LEN],
    len: usize,
}

impl Header {
    /// Makes the header for a payload of at most [`MAX_MESSAGE_LEN`] bytes.
    pub(crate) fn new(kind: Kind, payload_len: usize, mask: Option<[u8; 4]>) -> Self {
        debug_assert!(payload_len <= MAX_MESSAGE_LEN, "callers fill at most one message");
        let mut bytes = [0; MAX_HEADER_LEN];
        let mut rest = &mut bytes[..];
        let mask_bit = if mask.is_some() { MASKED } else { 0 };
        rest.put_u8(FIN | kind.opcode());
        match u8::try_from(payload_len) {
            Ok(len) if usize::from(len) <= MAX_CONTROL_LEN => rest.put_u8(mask_bit | len),
            Ok(_) | Err(_) => {
                rest.put_u8(mask_bit | LEN_16);
                rest.put_u16(u16::try_from(payload_len).unwrap_or(u16::MAX));
            }
        }
        if let Some(mask) = mask {
            rest.put_slice(&mask);
        }
        let len = MAX_HEADER_LEN - rest.len();
        Self { bytes, len }
    }

    /// The bytes to put in front of the payload.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Appends a whole frame, the payload masked as the role demands.
pub(crate) fn encode(role: Role, kind: Kind, payload: &[u8], out: &mut BytesMut) {
    let mask = role.mask();
    out.put_slice(Header::new(kind, payload.len(), mask).as_bytes());
    let start = out.len();
    out.put_slice(payload);
    if let Some(mask) = mask {
        apply_mask(&mut out[start..], mask);
    }
}

/// Masks or unmasks, which is the same thing (RFC 6455, 5.3).
pub(crate) fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    // Eight bytes at a time; the compiler makes vector instructions of it.
    let wide = u64::from_ne_bytes([
        mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3],
    ]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Something the peer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Payload bytes of a binary or text message: some of them, unmasked, never empty.
    Data(BytesMut),
    /// To be answered with the same payload.
    Ping(BytesMut),
    /// An answer to a ping of ours, or [`LEAVING`].
    Pong(BytesMut),
    /// The peer is done; nothing follows. The payload is to be echoed.
    Close(BytesMut),
}

/// Takes the peer's bytes apart.
///
/// ```text
///            header complete                      control payload complete
///   Header ─────────────────► Data { left } ─┐   Control ──────────────► Header
///     ▲  └────────────────────────────────────────► ▲
///     └──────────────────── left == 0 ───────┘
/// ```
#[derive(Debug)]
pub(crate) struct Decoder {
    role: Role,
    state: State,
    /// A fragmented message is open, so only continuations and control frames may follow.
    is_fragmented: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Header,
    Data { left: u64, mask: Option<[u8; 4]> },
    Control { opcode: u8, len: usize, mask: Option<[u8; 4]> },
}

impl Decoder {
    /// A decoder for the end with this role, so for the frames of the other one.
    pub(crate) fn new(role: Role) -> Self {
        Self { role, state: State::Header, is_fragmented: false }
    }

    /// Has the peer's last frame come to its end?
    pub(crate) fn is_between_frames(&self) -> bool {
        matches!(self.state, State::Header | State::Data { left: 0, .. })
    }

    /// Takes the next event off the front of `input`; `None` asks for more bytes.
    ///
    /// # Errors
    ///
    /// [`FrameError`] when the peer broke the protocol; the connection must be closed.
    pub(crate) fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Event>, FrameError> {
        loop {
            match self.state {
                State::Header => match self.header(input)? {
                    Some(state) => self.state = state,
                    None => return Ok(None),
                },
                State::Data { left: 0, .. } => self.state = State::Header,
                State::Data { left, mask } => return Ok(self.data(input, left, mask)),
                State::Control { len, .. } if input.len() < len => return Ok(None),
                State::Control { opcode, len, mask } => {
                    self.state = State::Header;
                    let mut payload = input.split_to(len);
                    if let Some(mask) = mask {
                        apply_mask(&mut payload, mask);
                    }
                    return Ok(Some(match opcode {
                        PING => Event::Ping(payload),
                        PONG => Event::Pong(payload),
                        _ => Event::Close(payload),
                    }));
                }
            }
        }
    }

    /// Hands on what is there of the current data frame.
    fn data(&mut self, input: &mut BytesMut, left: u64, mask: Option<[u8; 4]>) -> Option<Event> {
        if input.is_empty() {
            return None;
        }
        let len = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let mut piece = input.split_to(len);
        let mask = mask.map(|mut mask| {
            apply_mask(&mut piece, mask);
            mask.rotate_left(len % 4);
            mask
        });
        self.state = State::Data { left: left - len as u64, mask };
        Some(Event::Data(piece))
    }

    /// Reads a frame header, if it is complete, and checks it.
    fn header(&mut self, input: &mut BytesMut) -> Result<Option<State>, FrameError> {
        let mut peek = &input[..];
        let (Ok(first), Ok(second)) = (peek.try_get_u8(), peek.try_get_u8()) else {
            return Ok(None);
        };
        if first & RESERVED != 0 {
            return Err(FrameError::ReservedBit);
        }
        if (second & MASKED != 0) != (self.role == Role::Server) {
            return Err(FrameError::Masking);
        }
        let len = match second & !MASKED {
            LEN_16 => peek.try_get_u16().map(u64::from),
            LEN_64 => peek.try_get_u64(),
            len => Ok(u64::from(len)),
        };
        let Ok(len) = len else { return Ok(None) };
        let mask = if second & MASKED == 0 {
            None
        } else {
            let Some((mask, rest)) = peek.split_first_chunk() else { return Ok(None) };
            peek = rest;
            Some(*mask)
        };
        let header_len = input.len() - peek.len();
        let state = self.enter(first & FIN != 0, first & OPCODE, len, mask)?;
        input.advance(header_len);
        Ok(Some(state))
    }

    /// Checks that such a frame may come now, and gives the state for its payload.
    fn enter(
        &mut self,
        is_final: bool,
        opcode: u8,
        len: u64,
        mask: Option<[u8; 4]>,
    ) -> Result<State, FrameError> {
        match opcode {
            CONTINUATION | TEXT | BINARY => {
                if (opcode == CONTINUATION) != self.is_fragmented {
                    return Err(FrameError::Fragmentation);
                }
                if len >> 63 != 0 {
                    return Err(FrameError::Length);
                }
                self.is_fragmented = !is_final;
                Ok(State::Data { left: len, mask })
            }
            CLOSE | PING | PONG => match usize::try_from(len) {
                Ok(len) if is_final && len <= MAX_CONTROL_LEN => {
                    Ok(State::Control { opcode, len, mask })
                }
                Ok(_) | Err(_) => Err(FrameError::Control),
            },
            _ => Err(FrameError::Opcode),
        }
    }
}

/// How a peer broke the framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a control frame is fragmented or longer than 125 bytes")]
    Control,
    #[error("a continuation frame is missing or unexpected")]
    Fragmentation,
    #[error("a frame is longer than 2^63 bytes")]
    Length,
    #[error("a client's frame is not masked or a server's is")]
    Masking,
    #[error("an unknown opcode")]
    Opcode,
    #[error("a reserved bit is set though no extension was agreed on")]
    ReservedBit,
}

pub(super) const FIN: u8 = 0x80;
pub(super) const RESERVED: u8 = 0x70;
pub(super) const OPCODE: u8 = 0x0F;
pub(super) const MASKED: u8 = 0x80;
pub(super) const LEN_16: u8 = 126;
pub(super) const LEN_64: u8 = 127;

pub(super) const CONTINUATION: u8 = 0x0;
pub(super) const TEXT: u8 = 0x1;
pub(super) const BINARY: u8 = 0x2;
pub(super) const CLOSE: u8 = 0x8;
pub(super) const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xA;
