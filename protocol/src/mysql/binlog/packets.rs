//! A stream of packets, of each of which only the beginning is kept.

use bytes::{Buf as _, Bytes, BytesMut};

use super::kept::{KEPT_LEN, Kept};
use crate::{
    mysql::packet::{HEADER_LEN, Header},
    reader::DecodeError,
};

/// One byte in front of an event: that it is one.
const PREFIX_LEN: usize = 1;

/// A payload, perhaps without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// How it begins.
    pub head: Bytes,
    /// How long it is.
    pub len: usize,
}

/// Cuts a stream into packets.
#[derive(Debug, Default)]
pub struct Packets {
    begun: Option<Begun>,
}

#[derive(Debug)]
struct Begun {
    kept: Kept,
    /// Of the packet on the wire that began last.
    header: Header,
}

impl Packets {
    /// Takes a payload off the front of `buffer`; `None` when more is needed, with what was there taken in.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Value`] when the sequence ids inside a payload do not count up.
    pub fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Packet>, DecodeError> {
        loop {
            if let Some(begun) = &mut self.begun {
                let taken = begun.kept.take(buffer);
                buffer.advance(taken);
                if begun.kept.left() > 0 {
                    return Ok(None);
                }
                if !begun.header.continues() {
                    let Some(begun) = self.begun.take() else { return Ok(None) };
                    let (head, len) = begun.kept.finish();
                    return Ok(Some(Packet { head, len }));
                }
            }
            let Some(header) = Header::peek(buffer) else { return Ok(None) };
            buffer.advance(HEADER_LEN);
            match &mut self.begun {
                Some(begun) => {
                    if header.sequence != begun.header.sequence.wrapping_add(1) {
                        return Err(DecodeError::Value("sequence id"));
                    }
                    begun.kept.extend(header.len);
                    begun.header = header;
                }
                None => {
                    let kept = Kept::new(header.len, KEPT_LEN.saturating_add(PREFIX_LEN));
                    self.begun = Some(Begun { kept, header });
                }
            }
        }
    }
}
