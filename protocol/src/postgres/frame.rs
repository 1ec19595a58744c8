//! Frame headers and tags.
//!
//! A frame after startup is one tag byte, a 32-bit length that counts itself, and the body.

use crate::reader::DecodeError;

/// Bytes of a frame's tag and length.
pub const HEADER_LEN: usize = 5;

/// The longest frame either side may send: PostgreSQL's own limit (`MaxAllocSize`, 1 GiB - 1).
pub const MAX_BODY_LEN: usize = 0x3fff_ffff;

/// What the first five bytes of a frame say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The message's type byte; its meaning depends on who sent it.
    pub tag: u8,
    /// Bytes that follow the header.
    pub body_len: usize,
}

impl Header {
    /// Reads a header from the front of `buffer`; `None` when it is not there yet.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Length`] for a length below 4 or over [`MAX_BODY_LEN`].
    pub fn peek(buffer: &[u8]) -> Result<Option<Self>, DecodeError> {
        let Some(([tag, length @ ..], _)) = buffer.split_first_chunk::<HEADER_LEN>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length);
        let body_len = usize::try_from(length).ok().and_then(|length| length.checked_sub(4));
        match body_len {
            Some(body_len) if body_len <= MAX_BODY_LEN => Ok(Some(Self { tag: *tag, body_len })),
            _ => Err(DecodeError::Length(length)),
        }
    }

    /// Bytes of the whole frame, header included.
    pub fn frame_len(&self) -> usize {
        self.body_len.saturating_add(HEADER_LEN)
    }
}

/// What a client may send after startup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontendTag {
    /// `B`
    Bind,
    /// `C`
    Close,
    /// `d`
    CopyData,
    /// `c`
    CopyDone,
    /// `f`
    CopyFail,
    /// `D`
    Describe,
    /// `E`
    Execute,
    /// `H`
    Flush,
    /// `F`
    FunctionCall,
    /// `P`
    Parse,
    /// `p`: any answer in the authentication dialogue.
    Password,
    /// `Q`
    Query,
    /// `S`
    Sync,
    /// `X`
    Terminate,
    /// Not a message of the protocol.
    Unknown(u8),
}

impl From<u8> for FrontendTag {
    fn from(byte: u8) -> Self {
        match byte {
            b'B' => Self::Bind,
            b'C' => Self::Close,
            b'd' => Self::CopyData,
            b'c' => Self::CopyDone,
            b'f' => Self::CopyFail,
            b'D' => Self::Describe,
            b'E' => Self::Execute,
            b'H' => Self::Flush,
            b'F' => Self::FunctionCall,
            b'P' => Self::Parse,
            b'p' => Self::Password,
            b'Q' => Self::Query,
            b'S' => Self::Sync,
            b'X' => Self::Terminate,
            other => Self::Unknown(other),
        }
    }
}

/// What a backend may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendTag {
    /// `R`
    Authentication,
    /// `K`
    BackendKeyData,
    /// `2`
    BindComplete,
    /// `3`
    CloseComplete,
    /// `C`
    CommandComplete,
    /// `W`: replication only.
    CopyBothResponse,
    /// `d`
    CopyData,
    /// `c`
    CopyDone,
    /// `G`
    CopyInResponse,
    /// `H`
    CopyOutResponse,
    /// `D`
    DataRow,
    /// `I`
    EmptyQueryResponse,
    /// `E`
    ErrorResponse,
    /// `V`
    FunctionCallResponse,
    /// `v`
    NegotiateProtocolVersion,
    /// `n`
    NoData,
    /// `N`
    NoticeResponse,
    /// `A`
    NotificationResponse,
    /// `t`
    ParameterDescription,
    /// `S`
    ParameterStatus,
    /// `1`
    ParseComplete,
    /// `s`
    PortalSuspended,
    /// `Z`
    ReadyForQuery,
    /// `T`
    RowDescription,
    /// Not a message of the protocol.
    Unknown(u8),
}

impl From<u8> for BackendTag {
    fn from(byte: u8) -> Self {
        match byte {
            b'R' => Self::Authentication,
            b'K' => Self::BackendKeyData,
            b'2' => Self::BindComplete,
            b'3' => Self::CloseComplete,
            b'C' => Self::CommandComplete,
            b'W' => Self::CopyBothResponse,
            b'd' => Self::CopyData,
            b'c' => Self::CopyDone,
            b'G' => Self::CopyInResponse,
            b'H' => Self::CopyOutResponse,
            b'D' => Self::DataRow,
            b'I' => Self::EmptyQueryResponse,
            b'E' => Self::ErrorResponse,
            b'V' => Self::FunctionCallResponse,
            b'v' => Self::NegotiateProtocolVersion,
            b'n' => Self::NoData,
            b'N' => Self::NoticeResponse,
            b'A' => Self::NotificationResponse,
            b't' => Self::ParameterDescription,
            b'S' => Self::ParameterStatus,
            b'1' => Self::ParseComplete,
            b's' => Self::PortalSuspended,
            b'Z' => Self::ReadyForQuery,
            b'T' => Self::RowDescription,
            other => Self::Unknown(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_when_its_five_bytes_are_there() {
        assert_eq!(Header::peek(b"Q\0\0\0"), Ok(None));
        let header = Header::peek(b"Q\0\0\0\x0aselect").expect("valid").expect("complete");
        assert_eq!((header.tag, header.body_len, header.frame_len()), (b'Q', 6, 11));
    }

    #[test]
    fn impossible_lengths_are_refused() {
        assert_eq!(Header::peek(b"Q\0\0\0\x03"), Err(DecodeError::Length(3)));
        assert_eq!(Header::peek(b"Q\xff\xff\xff\xff"), Err(DecodeError::Length(u32::MAX)));
        assert!(Header::peek(b"d\x3f\xff\xff\xff").is_ok());
    }
}
