//! The compressed protocol: a run of ordinary packets, cut anywhere, inside packets of another kind.
//!
//! ```text
//!   length on the wire (3) │ sequence id (1) │ length before compression (3), 0: as it is │ bytes
//! ```
//!
//! It begins behind the OK of a login ("Compression" in "MySQL Internals: Client/Server Protocol"). What a peer sends
//! is unpacked piece by piece into room that the caller has, so that no length in a header costs memory. No compressor
//! is kept between packets: they are large, and most connections are idle.

use std::io::{self, Write as _};

use bytes::{Buf as _, BufMut as _, BytesMut};
use flate2::{Compression, Decompress, FlushDecompress, Status, write::ZlibEncoder};
use zstd::{
    stream::raw::{DParameter, Operation as _},
    zstd_safe,
};

use super::{capabilities::CapabilityFlags, packet::Header};
use crate::reader::DecodeError;

/// Bytes of a header.
const HEADER_LEN: usize = 7;
/// Shorter ones are sent as they are (`MIN_COMPRESS_LENGTH` in my_net.h).
const MIN_COMPRESS_LEN: usize = 50;
/// The levels that cost least: a proxy's time is everybody's. Both sides choose for what they send.
const MAX_ZSTD_LEVEL: u8 = 3;
/// What a packet unpacks to at the most, as a power of two: no window need be larger.
const WINDOW_LOG_MAX: u32 = 24;

/// The most bytes that one packet holds, packed or not.
const MAX_PAYLOAD: usize = 0xff_ffff;
/// The most plain bytes that are packed into one: what cannot be compressed grows a little.
const MAX_OPEN: usize = 0xff_0000;
/// About so many bytes are packed at a time.
const CHUNK: usize = 32 * 1024;

/// How packets are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `CLIENT_COMPRESS`.
    Zlib,
    /// `CLIENT_ZSTD_COMPRESSION_ALGORITHM`, with this level.
    Zstd(u8),
}

impl Algorithm {
    /// What both sides agreed on; zlib where they could do both, as the servers have it. `level` is the client's
    /// wish for zstd.
    pub fn agreed(capabilities: CapabilityFlags, level: u8) -> Option<Self> {
        if capabilities.contains(CapabilityFlags::CLIENT_COMPRESS) {
            Some(Self::Zlib)
        } else if capabilities.contains(CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM) {
            Some(Self::Zstd(level.clamp(1, MAX_ZSTD_LEVEL)))
        } else {
            None
        }
    }
}

/// Who sends what is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Its ids go on behind those of the question.
    Server,
    /// Each command begins a compressed packet of its own, with the id 0: what a server has read beyond one is written
    /// over by its answer (`NET::buff`, net_serv.cc).
    Client,
}

/// Packs what is sent: whole packets together, and one that is long by itself.
///
/// The servers' packets lie in two compressed ones at the most, and their headers in one; there are clients that count
/// on it (MySQL Connector/Python, `_recv_compressed_pkt`).
#[derive(Debug)]
pub struct Encoder {
    algorithm: Algorithm,
    side: Side,
    /// The id of the last packet before compression since something was heard.
    last: Option<u8>,
    /// A long packet under way.
    open: Option<Open>,
    /// What of it goes into another one.
    carry: usize,
}

/// A compressed packet that is not complete.
#[derive(Debug)]
struct Open {
    pack: Pack,
    /// Plain bytes in all.
    before: usize,
    /// Plain bytes that are still to come.
    left: usize,
}

impl Encoder {
    /// At the beginning of a packet.
    pub fn new(algorithm: Algorithm, side: Side) -> Self {
        Self { algorithm, side, last: None, open: None, carry: 0 }
    }

    /// The peer has said something: a packet with the id 0 that follows is no continuation.
    pub fn heard(&mut self) {
        self.last = None;
    }

    /// Packs from the front of `plain`, which goes on where the last call stopped, and appends what is complete to
    /// `out`, with ids that count up from `sequence`. Returns how many bytes it took. No header may be cut by the end of
    /// `plain`.
    ///
    /// # Errors
    ///
    /// When a compressor fails, which none does.
    pub fn encode(
        &mut self,
        plain: &[u8],
        sequence: &mut u8,
        out: &mut BytesMut,
    ) -> io::Result<usize> {
        if self.open.is_none() {
            if self.carry == 0 && Header::peek(plain).is_some_and(|header| self.is_command(header))
            {
                *sequence = 0;
            }
            let end = if self.carry > 0 { 0 } else { self.whole_packets(plain) };
            if end > 0 {
                self.put(plain.get(..end).unwrap_or(plain), sequence, out)?;
                return Ok(end);
            }
            let whole = match (self.carry, Header::peek(plain)) {
                (0, Some(header)) => {
                    self.last = Some(header.sequence);
                    header.packet_len()
                }
                // Not the beginning of a packet: what there is.
                (0, None) => {
                    self.put(plain, sequence, out)?;
                    return Ok(plain.len());
                }
                (carry, _) => carry,
            };
            let before = whole.min(MAX_OPEN);
            self.carry = whole.saturating_sub(before);
            self.open = Some(Open { pack: Pack::new(self.algorithm)?, before, left: before });
        }
        let Some(open) = &mut self.open else { return Ok(0) };
        let piece = plain.get(..open.left.min(CHUNK)).unwrap_or(plain);
        open.pack.write_all(piece)?;
        open.left = open.left.saturating_sub(piece.len());
        if open.left == 0
            && let Some(Open { pack, before, .. }) = self.open.take()
        {
            put(&pack.finish()?, before, sequence, out)?;
        }
        Ok(piece.len())
    }

    /// How many bytes whole packets take at the front of `plain`, up to about a chunk of them, or to the next command.
    fn whole_packets(&mut self, plain: &[u8]) -> usize {
        let mut end = 0_usize;
        while let Some(header) = plain.get(end..).and_then(Header::peek) {
            let next = end.saturating_add(header.packet_len());
            if next > plain.len() || next > CHUNK || (end > 0 && self.is_command(header)) {
                break;
            }
            self.last = Some(header.sequence);
            end = next;
        }
        end
    }

    /// Whether a packet begins a command of ours. Ids wrap, so that within one there are packets with the id 0 too.
    fn is_command(&self, header: Header) -> bool {
        self.side == Side::Client && header.sequence == 0 && self.last != Some(u8::MAX)
    }

    /// Appends one compressed packet.
    fn put(&self, plain: &[u8], sequence: &mut u8, out: &mut BytesMut) -> io::Result<()> {
        if plain.len() >= MIN_COMPRESS_LEN {
            let mut pack = Pack::new(self.algorithm)?;
            pack.write_all(plain)?;
            let packed = pack.finish()?;
            if packed.len() < plain.len() {
                return put(&packed, plain.len(), sequence, out);
            }
        }
        put(plain, 0, sequence, out)
    }
}

/// Appends bytes that were `before` ones, or 0 where they are as they were.
fn put(bytes: &[u8], before: usize, sequence: &mut u8, out: &mut BytesMut) -> io::Result<()> {
    if bytes.len() > MAX_PAYLOAD {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let ([a, b, c, ..], [d, e, f, ..]) = (bytes.len().to_le_bytes(), before.to_le_bytes());
    out.reserve(bytes.len().saturating_add(HEADER_LEN));
    out.put_slice(&[a, b, c, *sequence, d, e, f]);
    out.put_slice(bytes);
    *sequence = sequence.wrapping_add(1);
    Ok(())
}

/// One packet on its way into its packing.
enum Pack {
    Zlib(ZlibEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl std::fmt::Debug for Pack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pack")
    }
}

impl Pack {
    fn new(algorithm: Algorithm) -> io::Result<Self> {
        Ok(match algorithm {
            Algorithm::Zlib => Self::Zlib(ZlibEncoder::new(Vec::new(), Compression::fast())),
            Algorithm::Zstd(level) => {
                Self::Zstd(zstd::stream::write::Encoder::new(Vec::new(), level.into())?)
            }
        })
    }

    fn write_all(&mut self, plain: &[u8]) -> io::Result<()> {
        match self {
            Self::Zlib(pack) => pack.write_all(plain),
            Self::Zstd(pack) => pack.write_all(plain),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Zlib(pack) => pack.finish(),
            Self::Zstd(pack) => pack.finish(),
        }
    }
}

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

const WRONG: DecodeError = DecodeError::Value("compressed packet");

/// One packet on its way out of its packing.
struct Unpack {
    method: Method,
    /// It has said that nothing more comes.
    ended: bool,
}

enum Method {
    Zlib(Box<Decompress>),
    Zstd(Box<zstd::stream::raw::Decoder<'static>>),
}

impl std::fmt::Debug for Unpack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unpack")
    }
}

impl Unpack {
    fn new(algorithm: Algorithm) -> Result<Self, DecodeError> {
        let method = match algorithm {
            Algorithm::Zlib => Method::Zlib(Box::new(Decompress::new(true))),
            Algorithm::Zstd(_) => {
                let mut decoder = zstd::stream::raw::Decoder::new().map_err(|_error| WRONG)?;
                decoder
                    .set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))
                    .map_err(|_error| WRONG)?;
                Method::Zstd(Box::new(decoder))
            }
        };
        Ok(Self { method, ended: false })
    }

    /// Whether all of it was given.
    fn is_at_its_end(&mut self) -> Result<bool, DecodeError> {
        let (_, given) = self.run(&[], 0, &mut [0])?;
        Ok(self.ended && given == 0)
    }

    /// Unpacks into the first `plain` bytes of `room`, and returns how many were taken and given. With nothing left to
    /// give there may still be a checksum to take; whatever it gives then is one byte too many.
    fn run(
        &mut self,
        packed: &[u8],
        plain: usize,
        room: &mut [u8],
    ) -> Result<(usize, usize), DecodeError> {
        if self.ended {
            return Ok((0, 0));
        }
        let len = plain.max(1).min(room.len());
        let room = room.get_mut(..len).unwrap_or_default();
        match &mut self.method {
            Method::Zlib(unpack) => {
                let (taken, given) = (unpack.total_in(), unpack.total_out());
                let status = unpack.decompress(packed, room, FlushDecompress::None);
                self.ended = status.map_err(|_broken| WRONG)? == Status::StreamEnd;
                let since = |now: u64, then: u64| {
                    usize::try_from(now.saturating_sub(then)).map_err(|_small| WRONG)
                };
                Ok((since(unpack.total_in(), taken)?, since(unpack.total_out(), given)?))
            }
            Method::Zstd(unpack) => {
                let mut input = zstd_safe::InBuffer::around(packed);
                let mut output = zstd_safe::OutBuffer::around(room);
                let left = unpack.run(&mut input, &mut output).map_err(|_broken| WRONG)?;
                self.ended = left == 0;
                Ok((input.pos(), output.pos()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
