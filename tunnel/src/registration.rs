//! What edge and connector say to each other on the control stream.
//!
//! This first depth is one length-prefixed JSON message per step. The Cap'n Proto RPC that
//! `cloudflared` speaks (TUNNEL_PROTOCOL.md, B3) replaces this file in the issue of the complete
//! edge; nothing outside it knows how a message looks on the wire. There is no I/O here.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

/// No message may be longer.
pub(crate) const MAX_MESSAGE_LEN: usize = 8 * 1024;

/// What a connector says.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum FromConnector {
    /// The first message: let me serve this tunnel.
    Register(Register),
    /// Open no more streams here; close once the open ones have ended.
    Unregister,
}

/// Who a connector is and what it may serve.
#[derive(Serialize, Deserialize)]
pub(crate) struct Register {
    pub(crate) account_tag: String,
    pub(crate) tunnel_id: String,
    /// The tunnel's secret in base64.
    pub(crate) secret: Zeroizing<String>,
    pub(crate) conn_index: u8,
    /// The same on all connections of one process.
    pub(crate) connector_id: String,
    pub(crate) version: String,
}

/// The edge's answer to [`Register`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum FromEdge {
    /// Streams may come from now on.
    Registered {
        /// Free text that tells an operator which edge this is.
        location: String,
    },
    /// The edge closes the connection after this.
    Rejected { error: String },
}

/// Makes one message of a value.
///
/// # Errors
///
/// [`MessageError::TooLong`] when it would exceed [`MAX_MESSAGE_LEN`].
pub(crate) fn encode<T: Serialize>(message: &T) -> Result<Bytes, MessageError> {
    let body =
        serde_json::to_vec(message).map(Zeroizing::new).map_err(|_json| MessageError::Malformed)?;
    let len = u16::try_from(body.len()).map_err(|_too_long| MessageError::TooLong)?;
    if body.len() > MAX_MESSAGE_LEN {
        return Err(MessageError::TooLong);
    }
    let mut bytes = BytesMut::with_capacity(LENGTH_LEN + body.len());
    bytes.put_u16(len);
    bytes.put_slice(&body);
    Ok(bytes.freeze())
}

/// Takes the next message off the front of `input`; `None` asks for more bytes.
///
/// # Errors
///
/// [`MessageError`] when the announced length is over the limit or the body is not understood.
pub(crate) fn decode<T: DeserializeOwned>(input: &mut BytesMut) -> Result<Option<T>, MessageError> {
    let Some(length) = input.first_chunk() else { return Ok(None) };
    let len = usize::from(u16::from_be_bytes(*length));
    if len > MAX_MESSAGE_LEN {
        return Err(MessageError::TooLong);
    }
    if input.len() < LENGTH_LEN + len {
        return Ok(None);
    }
    input.advance(LENGTH_LEN);
    let body = input.split_to(len);
    // The text of a JSON error could quote the secret, so it is dropped.
    serde_json::from_slice(&body).map(Some).map_err(|_json| MessageError::Malformed)
}

/// Why a message could not be made or understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MessageError {
    #[error("a registration message is longer than 8 KiB")]
    TooLong,
    #[error("a registration message is malformed")]
    Malformed,
}

const LENGTH_LEN: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_however_the_bytes_were_cut() {
        let message = FromEdge::Registered { location: "here".into() };
        let wire = encode(&message).expect("short");
        for cut in 0..wire.len() {
            let mut input = BytesMut::from(&wire[..cut]);
            assert_eq!(decode::<FromEdge>(&mut input), Ok(None));
            input.extend_from_slice(&wire[cut..]);
            input.extend_from_slice(b"more");
            assert_eq!(decode(&mut input), Ok(Some(message.clone())));
            assert_eq!(input, &b"more"[..]);
        }
    }

    #[test]
    fn a_message_over_the_limit_is_refused_before_it_is_collected() {
        let mut input = BytesMut::from(&[0xFF, 0xFF][..]);
        assert_eq!(decode::<FromEdge>(&mut input), Err(MessageError::TooLong));
        let long = FromEdge::Rejected { error: "x".repeat(MAX_MESSAGE_LEN) };
        assert_eq!(encode(&long), Err(MessageError::TooLong));
    }

    #[test]
    fn a_body_that_is_no_message_is_refused() {
        for body in [&b"\x00\x02{}"[..], b"\x00\x01x", b"\x00\x00"] {
            let mut input = BytesMut::from(body);
            assert_eq!(decode::<FromEdge>(&mut input), Err(MessageError::Malformed));
        }
    }
}
