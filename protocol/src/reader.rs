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

    /// A 64-bit number in network order.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] when fewer than eight bytes remain.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A 16-bit number, lowest byte first.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] when fewer than two bytes remain.
    pub fn u16_le(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    /// A 24-bit number, lowest byte first.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] when fewer than three bytes remain.
    pub fn u24_le(&mut self) -> Result<u32, DecodeError> {
        self.array().map(|[low, middle, high]| u32::from_le_bytes([low, middle, high, 0]))
    }

    /// A 32-bit number, lowest byte first.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] when fewer than four bytes remain.
    pub fn u32_le(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    /// A 64-bit number, lowest byte first.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] when fewer than eight bytes remain.
    pub fn u64_le(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length-encoded number of MySQL: one byte up to 250, or a marker and 2, 3 or 8 bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] when it is not all there, [`DecodeError::Value`] for the markers of
    /// NULL (`0xFB`) and of an error (`0xFF`), which are not numbers.
    pub fn lenenc(&mut self) -> Result<u64, DecodeError> {
        match self.u8()? {
            0xfb | 0xff => Err(DecodeError::Value("length-encoded integer")),
            0xfc => self.u16_le().map(u64::from),
            0xfd => self.u24_le().map(u64::from),
            0xfe => self.u64_le(),
            small => Ok(u64::from(small)),
        }
    }

    /// Bytes behind their own length-encoded length.
    ///
    /// # Errors
    ///
    /// As [`Self::lenenc`], and [`DecodeError::Truncated`] when fewer bytes remain.
    pub fn lenenc_bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.lenenc()?;
        self.bytes(usize::try_from(length).map_err(|_too_large| DecodeError::Truncated)?)
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

    #[test]
    fn numbers_of_mysql_have_their_lowest_byte_first() {
        let mut reader = Reader::new(b"\x01\x02\x01\x02\x03\x01\0\0\x80\x01\0\0\0\0\0\0\x80");
        assert_eq!(reader.u16_le(), Ok(0x0201));
        assert_eq!(reader.u24_le(), Ok(0x03_0201));
        assert_eq!(reader.u32_le(), Ok(0x8000_0001));
        assert_eq!(reader.u64_le(), Ok(0x8000_0000_0000_0001));
        assert_eq!(reader.u24_le(), Err(DecodeError::Truncated));
    }

    #[test]
    fn a_length_encoded_number_takes_one_three_four_or_nine_bytes() {
        let check = |bytes: &[u8], expect| assert_eq!(Reader::new(bytes).lenenc(), expect);
        check(b"\xfa", Ok(250));
        check(b"\xfc\xfb\0", Ok(251));
        check(b"\xfd\0\0\x01", Ok(0x1_0000));
        check(b"\xfe\0\0\0\x01\0\0\0\0", Ok(0x100_0000));
        check(b"\xfb", Err(DecodeError::Value("length-encoded integer")));
        check(b"\xff", Err(DecodeError::Value("length-encoded integer")));
        check(b"\xfe\0\0\0", Err(DecodeError::Truncated));
        let mut reader = Reader::new(b"\x02abc\xfe\xff\xff\xff\xff\xff\xff\xff\xff");
        assert_eq!(reader.lenenc_bytes(), Ok(&b"ab"[..]));
        assert_eq!(reader.u8(), Ok(b'c'));
        assert_eq!(reader.lenenc_bytes(), Err(DecodeError::Truncated));
    }
}
