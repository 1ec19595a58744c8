//! The first packet of a connection: no tag, a length, and a code that says what it is.

use std::collections::BTreeMap;

use crate::reader::{DecodeError, Reader};

/// `1234.5679`, the code of SSLRequest.
pub const SSL_REQUEST_CODE: u32 = 80_877_103;
/// `1234.5680`, the code of GSSENCRequest.
pub const GSSENC_REQUEST_CODE: u32 = 80_877_104;
/// `1234.5678`, the code of CancelRequest.
pub const CANCEL_REQUEST_CODE: u32 = 80_877_102;
/// The most bytes a first packet may have: `MAX_STARTUP_PACKET_LENGTH` in `pqcomm.h`.
pub const MAX_STARTUP_BYTES: usize = 10_000;
/// Protocol 3.0 as the number on the wire.
pub const PROTOCOL_3_0: u32 = 3 << 16;
/// Protocol 3.2 as the number on the wire, the newest we speak.
pub const PROTOCOL_3_2: u32 = (3 << 16) | 2;

/// What a peer opens a connection with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstPacket {
    /// Wants TLS; the answer is one byte.
    Ssl,
    /// Wants GSSAPI encryption; the answer is one byte.
    GssEnc,
    /// Wants a statement of another connection cancelled; there is no answer.
    Cancel {
        /// The process id we issued.
        process: u32,
        /// The secret we issued, 4 to 256 bytes.
        secret: Vec<u8>,
    },
    /// Wants to log in.
    Startup(Startup),
    /// Speaks a version of the protocol that is not 3, as on the wire: major version in the upper half.
    OtherVersion(u32),
}

/// A login: version and parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Startup {
    /// As on the wire: major version in the upper half.
    pub version: u32,
    /// All parameters but protocol options.
    pub parameters: BTreeMap<String, String>,
    /// Names of `_pq_.` protocol options, none of which we know.
    pub options: Vec<String>,
}

impl Startup {
    /// The version to go on with, and whether the client must be told by NegotiateProtocolVersion
    /// (`ProcessStartupPacket`: a newer minor version, or any protocol option it does not know).
    pub fn negotiated(&self) -> (u32, bool) {
        let version = self.version.min(PROTOCOL_3_2);
        // 3.1 was never released; a server that knows 3.2 treats it as 3.0.
        let version = if version == PROTOCOL_3_2 { PROTOCOL_3_2 } else { PROTOCOL_3_0 };
        (version, self.version > PROTOCOL_3_2 || !self.options.is_empty())
    }
}

/// Reads a first packet and its length in bytes from the front of `buffer`; `None` when it is not complete.
///
/// # Errors
///
/// When it can never become a valid one.
pub fn first_packet(buffer: &[u8]) -> Result<Option<(FirstPacket, usize)>, DecodeError> {
    let Some((length, _)) = buffer.split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length);
    let total = usize::try_from(length).unwrap_or(usize::MAX);
    if !(8..=MAX_STARTUP_BYTES).contains(&total) {
        return Err(DecodeError::Length(length));
    }
    let Some(packet) = buffer.get(4..total) else { return Ok(None) };
    let mut reader = Reader::new(packet);
    let packet = match reader.u32()? {
        SSL_REQUEST_CODE => reader.end().map(|()| FirstPacket::Ssl)?,
        GSSENC_REQUEST_CODE => reader.end().map(|()| FirstPacket::GssEnc)?,
        CANCEL_REQUEST_CODE => cancel(reader)?,
        version if version >> 16 == 3 => FirstPacket::Startup(startup(version, reader)?),
        // What follows has another layout.
        version => FirstPacket::OtherVersion(version),
    };
    Ok(Some((packet, total)))
}

fn cancel(mut reader: Reader<'_>) -> Result<FirstPacket, DecodeError> {
    let process = reader.u32()?;
    let secret = reader.rest().to_vec();
    if !(4..=256).contains(&secret.len()) {
        return Err(DecodeError::Value("cancel key"));
    }
    Ok(FirstPacket::Cancel { process, secret })
}

fn startup(version: u32, mut reader: Reader<'_>) -> Result<Startup, DecodeError> {
    let mut parameters = BTreeMap::new();
    let mut options = Vec::new();
    loop {
        let name = text(reader.cstr()?)?;
        if name.is_empty() {
            reader.end()?;
            return Ok(Startup { version, parameters, options });
        }
        let value = text(reader.cstr()?)?;
        if name.starts_with("_pq_.") {
            options.push(name);
        } else {
            parameters.insert(name, value);
        }
    }
}

fn text(bytes: &[u8]) -> Result<String, DecodeError> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_invalid| DecodeError::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(code: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 8).expect("short");
        [&length.to_be_bytes()[..], &code.to_be_bytes(), body].concat()
    }

    #[test]
    fn a_login_holds_its_parameters_and_protocol_options() {
        let bytes = packet(0x0003_270f, b"user\0a\0database\0b\0_pq_.test\0x\0\0");
        let (first, used) = first_packet(&bytes).expect("valid").expect("complete");
        assert_eq!(used, bytes.len());
        let FirstPacket::Startup(startup) = first else { panic!("a login") };
        assert_eq!(startup.parameters["user"], "a");
        assert_eq!(startup.options, ["_pq_.test"]);
        assert_eq!(startup.negotiated(), (PROTOCOL_3_2, true));
    }

    #[test]
    fn an_old_client_is_not_told_of_newer_versions() {
        let startup =
            Startup { version: PROTOCOL_3_0, parameters: BTreeMap::new(), options: vec![] };
        assert_eq!(startup.negotiated(), (PROTOCOL_3_0, false));
    }

    #[test]
    fn requests_are_told_apart() {
        assert_eq!(first_packet(&packet(SSL_REQUEST_CODE, b"")), Ok(Some((FirstPacket::Ssl, 8))));
        assert_eq!(
            first_packet(&packet(GSSENC_REQUEST_CODE, b"")),
            Ok(Some((FirstPacket::GssEnc, 8)))
        );
        let cancel = first_packet(&packet(CANCEL_REQUEST_CODE, b"\0\0\0\x07abcd"));
        assert_eq!(
            cancel,
            Ok(Some((FirstPacket::Cancel { process: 7, secret: b"abcd".to_vec() }, 16)))
        );
    }

    #[test]
    fn garbage_is_refused_before_it_is_collected() {
        assert!(first_packet(b"GET / HTTP/1.1\r\n").is_err());
        assert!(first_packet(&[0, 0, 0, 7]).is_err());
        assert!(first_packet(&packet(PROTOCOL_3_0, b"user\0a\0")).is_err());
        assert_eq!(first_packet(&packet(PROTOCOL_3_0, b"user\0a\0\0")[..9]), Ok(None));
        assert!(first_packet(&packet(CANCEL_REQUEST_CODE, b"\0\0\0\x07abc")).is_err());
    }

    #[test]
    fn another_version_is_named() {
        let bytes = packet(2 << 16, b"database in a fixed length");
        assert_eq!(
            first_packet(&bytes),
            Ok(Some((FirstPacket::OtherVersion(2 << 16), bytes.len())))
        );
    }
}
