//! Bounded reading of the fields inside one frame.
//!
//! Every length that a peer sends is checked here against what remains; no caller indexes into peer data.

/// Why bytes from a peer could not be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The length word is smaller than itself, or larger than this kind of frame may be.
    #[error("invalid frame length {0}")]
    Length(u32),
    /// The body ends inside a field.
    #[error("truncated message body")]
    Truncated,
    /// The body goes on after its last field.
    #[error("unexpected bytes at the end of a message")]
    Trailing,
    /// A string that must be UTF-8 is not.
    #[error("invalid text encoding")]
    Text,
    /// A field holds a value that the protocol does not know.
    #[error("invalid value for {0}")]
    Value(&'static str),
}

/// A cursor over one frame's body.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `body`.
    pub fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] when fewer remain.
    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next byte.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] when none remains.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A 16-bit number in network order.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] when fewer than two bytes remain.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// A 32-bit number in network order.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] when fewer than four bytes remain.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// A signed 32-bit number in network order.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] when fewer than four bytes remain.
    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    /// A string up to its NUL, without it.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] when no NUL remains.
    pub fn cstr(&mut self) -> Result<&'a [u8], DecodeError> {
        let end = memchr::memchr(0, self.rest).ok_or(DecodeError::Truncated)?;
        let text = self.bytes(end)?;
        self.bytes(1)?;
        Ok(text)
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Trailing`] when bytes remain.
    pub fn end(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_is_read_past_the_end() {
        let mut reader = Reader::new(b"ab\0\0\x01");
        assert_eq!(reader.cstr(), Ok(&b"ab"[..]));
        assert_eq!(reader.u32(), Err(DecodeError::Truncated));
        assert_eq!(reader.u16(), Ok(1));
        assert_eq!(reader.u8(), Err(DecodeError::Truncated));
        assert_eq!(reader.end(), Ok(()));
        assert_eq!(Reader::new(b"abc").cstr(), Err(DecodeError::Truncated));
    }
}
