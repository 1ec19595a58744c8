//! Borrowed views of the bodies that must be understood.
//!
//! Text stays bytes: its encoding is the client's `client_encoding`, which need not be UTF-8.

use crate::reader::{DecodeError, Reader};

/// `Parse`: a statement to prepare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parse<'a> {
    /// The client's name for it; empty for the unnamed statement.
    pub name: &'a [u8],
    /// The statement's text.
    pub query: &'a [u8],
    /// The parameter types that the client fixed, as on the wire: a count and the OIDs.
    pub types: &'a [u8],
    /// All behind the name: the text, a zero, and the types.
    pub rest: &'a [u8],
}

impl<'a> Parse<'a> {
    /// Reads the body of a `P` frame.
    ///
    /// # Errors
    ///
    /// When the body is not exactly such a message.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let name = reader.cstr()?;
        let rest = reader.rest();
        let query = reader.cstr()?;
        let types = reader.rest();
        let count = reader.u16()?;
        reader.bytes(usize::from(count).saturating_mul(4))?;
        reader.end()?;
        Ok(Self { name, query, types, rest })
    }
}

/// `Bind`: a portal to open on a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind<'a> {
    /// Name of the portal.
    pub portal: &'a [u8],
    /// The client's name for the statement.
    pub statement: &'a [u8],
    /// Formats, values and result formats, as on the wire.
    pub rest: &'a [u8],
}

impl<'a> Bind<'a> {
    /// Reads the two names; what follows is the database's to judge.
    ///
    /// # Errors
    ///
    /// When a name does not end.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let (portal, statement) = (reader.cstr()?, reader.cstr()?);
        Ok(Self { portal, statement, rest: reader.rest() })
    }

    /// The parameter values (`None` is NULL) with whether each is binary, and the result formats as on the wire.
    ///
    /// # Errors
    ///
    /// When counts and lengths do not fit the body.
    pub fn parameters(&self) -> Result<Parameters<'a>, DecodeError> {
        let mut reader = Reader::new(self.rest);
        let formats = usize::from(reader.u16()?);
        let formats = reader.bytes(formats.saturating_mul(2))?;
        let count = reader.u16()?;
        let mut values = Vec::with_capacity(usize::from(count).min(reader.rest().len() / 4));
        for _ in 0..count {
            let length = reader.i32()?;
            values.push(match usize::try_from(length) {
                Ok(length) => Some(reader.bytes(length)?),
                Err(_negative) if length == -1 => None,
                Err(_negative) => return Err(DecodeError::Value("parameter length")),
            });
        }
        let result_formats = reader.rest();
        let count = usize::from(reader.u16()?);
        reader.bytes(count.saturating_mul(2))?;
        reader.end()?;
        Ok(Parameters { formats, values, result_formats })
    }
}

/// What a `Bind` binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters<'a> {
    /// The format codes, two bytes each: none, one for all, or one per value.
    formats: &'a [u8],
    /// The values; `None` is NULL.
    pub values: Vec<Option<&'a [u8]>>,
    /// Count and format codes of the result columns, as on the wire.
    pub result_formats: &'a [u8],
}

impl Parameters<'_> {
    /// Whether the value at `index` is in text format.
    pub fn is_text(&self, index: usize) -> bool {
        let mut codes = self.formats.chunks_exact(2);
        let code = if self.formats.len() > 2 { codes.nth(index) } else { codes.next() };
        code.is_none_or(|code| code == [0, 0])
    }
}

/// What `Describe` and `Close` are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A prepared statement, by the client's name.
    Statement(&'a [u8]),
    /// A portal.
    Portal(&'a [u8]),
}

impl<'a> Target<'a> {
    /// Reads the body of a `D` or `C` frame.
    ///
    /// # Errors
    ///
    /// When the body is not exactly such a message.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let kind = reader.u8()?;
        let name = reader.cstr()?;
        reader.end()?;
        match kind {
            b'S' => Ok(Self::Statement(name)),
            b'P' => Ok(Self::Portal(name)),
            _ => Err(DecodeError::Value("kind of object")),
        }
    }
}

/// `Execute`: rows of a portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execute<'a> {
    /// Name of the portal.
    pub portal: &'a [u8],
    /// Most rows to send; zero or less means all.
    pub max_rows: i32,
}

impl<'a> Execute<'a> {
    /// Reads the body of an `E` frame.
    ///
    /// # Errors
    ///
    /// When the body is not exactly such a message.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let (portal, max_rows) = (reader.cstr()?, reader.i32()?);
        reader.end()?;
        Ok(Self { portal, max_rows })
    }
}

/// The text of a `Query` body.
///
/// # Errors
///
/// When it does not end in exactly one NUL.
pub fn query_text(body: &[u8]) -> Result<&[u8], DecodeError> {
    let mut reader = Reader::new(body);
    let text = reader.cstr()?;
    reader.end()?;
    Ok(text)
}

/// Name and value of a `ParameterStatus`.
///
/// # Errors
///
/// When the body is not two strings of UTF-8.
pub fn parameter_status(body: &[u8]) -> Result<(&str, &str), DecodeError> {
    let mut reader = Reader::new(body);
    let (name, value) = (reader.cstr()?, reader.cstr()?);
    reader.end()?;
    match (std::str::from_utf8(name), std::str::from_utf8(value)) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        _ => Err(DecodeError::Text),
    }
}

/// One field of an `ErrorResponse` or `NoticeResponse`, such as `C` for the SQLSTATE.
pub fn error_field(body: &[u8], code: u8) -> Option<&[u8]> {
    let mut reader = Reader::new(body);
    loop {
        match reader.u8().ok()? {
            0 => return None,
            found => {
                let value = reader.cstr().ok()?;
                if found == code {
                    return Some(value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_hold_what_the_client_wrote() {
        let parse = Parse::decode(b"s1\0select $1\0\0\x01\0\0\0\x17").expect("valid");
        assert_eq!((parse.name, parse.query), (&b"s1"[..], &b"select $1"[..]));
        let bind = Bind::decode(b"\0s1\0\0\x01\0\x01\0\x02\0\0\0\x01x\xff\xff\xff\xff\0\x01\0\x01")
            .expect("valid");
        let parameters = bind.parameters().expect("valid");
        assert_eq!(parameters.values, [Some(&b"x"[..]), None]);
        assert!(!parameters.is_text(1));
        assert_eq!(parameters.result_formats, b"\0\x01\0\x01");
        assert_eq!(Target::decode(b"Sx\0"), Ok(Target::Statement(b"x")));
        assert_eq!(Execute::decode(b"\0\0\0\0\x05").map(|e| e.max_rows), Ok(5));
        assert_eq!(error_field(b"SERROR\0C42P01\0\0", b'C'), Some(&b"42P01"[..]));
    }

    #[test]
    fn a_body_that_lies_about_itself_is_an_error() {
        assert!(Parse::decode(b"s1\0select\0\0\x02\0\0\0\x17").is_err());
        assert!(
            Bind::decode(b"\0\0\0\0\0\x01\0\0\0\x09x\0\0").expect("names").parameters().is_err()
        );
        assert!(Bind::decode(b"\0\0\0\0\xff\xff").expect("names").parameters().is_err());
        assert!(Target::decode(b"Zx\0").is_err());
        assert!(query_text(b"select\0 more\0").is_err());
    }
}
