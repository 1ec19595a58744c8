//! Whole frames, for dialogues that are read message by message.

use bytes::{Bytes, BytesMut};
use protocol::{
    postgres::frame::{HEADER_LEN, Header},
    reader::DecodeError,
};

/// Takes a whole frame of at most `limit` bytes from the front of `buffer`, if it is there.
pub(crate) fn take_frame(
    buffer: &mut BytesMut,
    limit: usize,
) -> Result<Option<(u8, Bytes)>, DecodeError> {
    let Some(header) = Header::peek(buffer)? else { return Ok(None) };
    if header.body_len > limit {
        return Err(DecodeError::Length(u32::try_from(header.body_len).unwrap_or(u32::MAX)));
    }
    if buffer.len() < header.frame_len() {
        return Ok(None);
    }
    let mut frame = buffer.split_to(header.frame_len()).freeze();
    Ok(Some((header.tag, frame.split_off(HEADER_LEN))))
}
