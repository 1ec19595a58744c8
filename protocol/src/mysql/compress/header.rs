//! The header of a compressed packet.

use std::io;

use bytes::{BufMut as _, BytesMut};

/// Bytes of a header.
pub(super) const HEADER_LEN: usize = 7;

/// The most bytes that one packet holds, packed or not.
const MAX_PAYLOAD: usize = 0xff_ffff;

/// Appends bytes that were `before` ones, or 0 where they are as they were.
pub(super) fn put(
    bytes: &[u8],
    before: usize,
    sequence: &mut u8,
    out: &mut BytesMut,
) -> io::Result<()> {
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
