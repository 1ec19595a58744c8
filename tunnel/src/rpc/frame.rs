//! Cap'n Proto messages on a byte stream: the standard unpacked framing, with bounds.
//!
//! A message is a table of segment lengths and the segments. What a message means is the business
//! of [`super::server`] and [`super::client`].

use bytes::{Buf as _, BufMut as _, BytesMut};
use capnp::{
    message::{Builder, HeapAllocator, Reader, ReaderOptions},
    serialize::{self, BufferSegments},
};
use capnp_rpc::rpc_capnp::message;
use zeroize::Zeroize as _;

use super::error::RpcError;

/// No message may be longer, its table of segments aside.
pub(crate) const MAX_MESSAGE_LEN: usize = 64 * 1024;

/// The longest configuration that a connector may tell of, in bytes of JSON.
pub(crate) const MAX_CONFIGURATION_LEN: usize = 48 * 1024;

/// One complete message. It may hold the tunnel's secret, so its bytes are wiped when it goes.
pub(crate) struct Frame(BytesMut);

impl Frame {
    /// The message for reading, with limits on how much and how deep is read.
    pub(crate) fn reader(&self) -> Result<Reader<BufferSegments<&[u8]>>, RpcError> {
        let mut options = ReaderOptions::new();
        options.traversal_limit_in_words(Some(2 * MAX_MESSAGE_LEN / WORD_LEN));
        options.nesting_limit(MAX_NESTING);
        let segments = BufferSegments::new(&*self.0, options)?;
        Ok(Reader::new(segments, options))
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Takes the next message off the front of `input`; `None` asks for more bytes.
///
/// # Errors
///
/// [`RpcError::TooLong`] as soon as the announced size is over the limits.
pub(crate) fn take(input: &mut BytesMut) -> Result<Option<Frame>, RpcError> {
    let Some(len) = announced(input)? else { return Ok(None) };
    if input.len() < len {
        return Ok(None);
    }
    Ok(Some(Frame(input.split_to(len))))
}

/// How long the message at the front is, once its table of segments is there.
fn announced(input: &[u8]) -> Result<Option<usize>, RpcError> {
    let mut table = input;
    let Ok(last_segment) = table.try_get_u32_le() else { return Ok(None) };
    if last_segment >= MAX_SEGMENTS {
        return Err(RpcError::TooLong);
    }
    let mut words = 0_usize;
    for _segment in 0..=last_segment {
        let Ok(len) = table.try_get_u32_le() else { return Ok(None) };
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        words = words.saturating_add(len);
        if words > MAX_MESSAGE_LEN / WORD_LEN {
            return Err(RpcError::TooLong);
        }
    }
    // The table is padded to whole words.
    let table_len = (input.len() - table.len()).next_multiple_of(WORD_LEN);
    Ok(Some(table_len + words * WORD_LEN))
}

/// Appends one message to `output`.
///
/// It has one segment, as that of every known peer, as long as it keeps to [`MAX_MESSAGE_LEN`].
pub(crate) fn append(output: &mut BytesMut, fill: impl FnOnce(message::Builder<'_>)) {
    let mut builder = Builder::new(HeapAllocator::new().first_segment_words(FIRST_SEGMENT_WORDS));
    fill(builder.init_root());
    output.put_slice(&serialize::write_message_to_words(&builder));
}

const WORD_LEN: usize = 8;
const MAX_SEGMENTS: u32 = 16;
/// A registration is nine deep, with a list of texts at the bottom.
const MAX_NESTING: i32 = 16;
const FIRST_SEGMENT_WORDS: u32 = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_however_the_bytes_were_cut() {
        let mut wire = BytesMut::new();
        append(&mut wire, |message| message.init_bootstrap().set_question_id(7));
        assert_eq!(wire.len(), 48, "as the one of cloudflared");
        for cut in 0..wire.len() {
            let mut input = BytesMut::from(&wire[..cut]);
            assert!(take(&mut input).expect("a beginning").is_none());
            assert_eq!(input.len(), cut, "what came is kept");
            input.extend_from_slice(&wire[cut..]);
            input.extend_from_slice(b"more");
            let frame = take(&mut input).expect("valid").expect("complete");
            assert_eq!(frame.0, wire);
            assert_eq!(input, &b"more"[..]);
        }
    }

    #[test]
    fn a_message_over_the_limits_is_refused_before_it_is_collected() {
        let table = |fields: &[u32]| {
            let bytes = fields.iter().flat_map(|field| field.to_le_bytes());
            BytesMut::from_iter(bytes)
        };
        for fields in [
            &[0, 8 * 1024 + 1][..],
            &[0, u32::MAX],
            &[1, 8 * 1024, 1],
            &[1, u32::MAX, u32::MAX],
            &[16],
            &[u32::MAX],
        ] {
            let refused = take(&mut table(fields));
            assert!(matches!(refused, Err(RpcError::TooLong)), "{fields:?}");
        }
        for fields in [&[0, 8 * 1024][..], &[1, 8 * 1024, 0], &[15]] {
            assert!(take(&mut table(fields)).expect("allowed").is_none(), "{fields:?}");
        }
    }

    #[test]
    fn the_table_of_segments_is_padded_to_a_word() {
        // Two segments make a table of three numbers and four bytes of padding.
        let mut wire = BytesMut::new();
        for number in [1, 1, 1, 0, 0, 0, 0, 0_u32] {
            wire.put_u32_le(number);
        }
        let len = wire.len();
        let frame = take(&mut wire).expect("valid").expect("complete");
        assert_eq!(frame.0.len(), len);
        assert!(frame.reader().is_ok());
    }

    #[test]
    fn the_longest_message_of_ours_has_one_segment() {
        let mut wire = BytesMut::new();
        append(&mut wire, |message| {
            message.init_abort().set_reason("x".repeat(MAX_MESSAGE_LEN - 100));
        });
        assert_eq!(wire[..4], [0; 4]);
        assert!(take(&mut wire).expect("within the limit").is_some());
    }
}
