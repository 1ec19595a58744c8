//! Connection attributes: what a client says of itself.

use bytes::BytesMut;

use crate::{
    mysql::values::put_lenenc_bytes,
    reader::{DecodeError, Reader},
};

/// The names and values of connection attributes. The first error is the last item.
pub fn attributes(raw: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), DecodeError>> {
    let mut reader = Reader::new(raw);
    std::iter::from_fn(move || {
        if reader.rest().is_empty() {
            return None;
        }
        let pair = reader.lenenc_bytes().and_then(|name| Ok((name, reader.lenenc_bytes()?)));
        if pair.is_err() {
            reader = Reader::new(&[]);
        }
        Some(pair)
    })
}

/// Appends one connection attribute.
pub fn encode_attribute(name: &[u8], value: &[u8], out: &mut BytesMut) {
    put_lenenc_bytes(out, name);
    put_lenenc_bytes(out, value);
}
