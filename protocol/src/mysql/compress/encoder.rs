//! Packing what is sent.

use std::io;

use bytes::BytesMut;

use super::{algorithm::Algorithm, header::put, pack::Pack};
use crate::mysql::packet::Header;

/// Shorter ones are sent as they are (`MIN_COMPRESS_LENGTH` in my_net.h).
const MIN_COMPRESS_LEN: usize = 50;

/// The most plain bytes that are packed into one: what cannot be compressed grows a little.
const MAX_OPEN: usize = 0xff_0000;

/// About so many bytes are packed at a time.
const CHUNK: usize = 32 * 1024;

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
    pub(super) last: Option<u8>,
    /// A long packet under way.
    pub(super) open: Option<Open>,
    /// What of it goes into another one.
    carry: usize,
}

/// A compressed packet that is not complete.
#[derive(Debug)]
pub(super) struct Open {
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
