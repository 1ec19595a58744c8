//! The two HTTP/1.1 heads of an upgrade: the client's request, the edge's answer.
//!
//! Bodies are not read here, and nothing but an upgrade to a WebSocket is understood.

use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::BytesMut;
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// No head may be longer.
pub(crate) const MAX_HEAD_LEN: usize = 16 * 1024;

const MAX_HEADERS: usize = 100;

/// The only WebSocket version there is (RFC 6455, 4.1).
pub(crate) const WEBSOCKET_VERSION: &str = "13";

/// Why a head could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeadError {
    #[error("the head is longer than 16 KiB")]
    TooLong,
    #[error("the head is malformed")]
    Malformed,
    #[error("the connection ended inside the head")]
    Io(#[from] io::Error),
}

/// Reads until the empty line and splits the head off; what came behind it stays in `buffer`.
///
/// # Cancel safety
///
/// Dropped before it ends, what was read is in `buffer`.
pub(crate) async fn read_head<S: AsyncRead + Unpin>(
    io: &mut S,
    buffer: &mut BytesMut,
) -> Result<BytesMut, HeadError> {
    let mut scanned = 0;
    loop {
        if let Some(len) = head_len(buffer, scanned) {
            if len > MAX_HEAD_LEN {
                return Err(HeadError::TooLong);
            }
            return Ok(buffer.split_to(len));
        }
        if buffer.len() >= MAX_HEAD_LEN {
            return Err(HeadError::TooLong);
        }
        scanned = buffer.len().saturating_sub(END_OF_HEAD.len() - 1);
        buffer.reserve(READ_LEN);
        if io.read_buf(buffer).await? == 0 {
            return Err(HeadError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

/// The length of a complete head, if the empty line has come.
fn head_len(bytes: &[u8], scanned: usize) -> Option<usize> {
    let rest = bytes.get(scanned..)?;
    let at = rest.windows(END_OF_HEAD.len()).position(|window| window == END_OF_HEAD)?;
    Some(scanned + at + END_OF_HEAD.len())
}

/// Header lines in order. Names compare without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers(Vec<(String, String)>);

impl Headers {
    fn new(parsed: &[httparse::Header<'_>]) -> Self {
        // Bytes that are not UTF-8 are allowed in values that do not concern us.
        let header = |header: &httparse::Header<'_>| {
            (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned())
        };
        Self(parsed.iter().map(header).collect())
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let same = move |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        self.0.iter().filter(same).map(|(_, value)| value.as_str())
    }

    /// The value of a header that is there exactly once.
    pub(crate) fn single<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut values = self.all(name);
        let first = values.next()?;
        values.next().is_none().then_some(first)
    }

    /// Is the header there at all?
    pub(crate) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// Is the word one of the comma-separated words of the header?
    pub(crate) fn has_word(&self, name: &str, word: &str) -> bool {
        self.all(name)
            .flat_map(|value| value.split(','))
            .any(|listed| listed.trim().eq_ignore_ascii_case(word))
    }
}

/// The head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Headers,
}

impl Request {
    /// Takes a complete head apart.
    pub(crate) fn parse(head: &[u8]) -> Result<Self, HeadError> {
        // The parser takes a bare LF for the end of a line; who is behind us may not.
        let mut lines = head.split(|&byte| byte == b'\n');
        let is_last_empty = lines.next_back().is_some_and(<[u8]>::is_empty);
        if !is_last_empty || !lines.all(|line| line.ends_with(b"\r")) {
            return Err(HeadError::Malformed);
        }
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let status = request.parse(head).map_err(|_invalid| HeadError::Malformed)?;
        match (status, request.method, request.path, request.version) {
            (httparse::Status::Complete(len), Some(method), Some(target), Some(1))
                if len == head.len() =>
            {
                Ok(Self {
                    method: method.to_owned(),
                    target: target.to_owned(),
                    headers: Headers::new(request.headers),
                })
            }
            _ => Err(HeadError::Malformed),
        }
    }
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
}

impl Response {
    /// Takes a complete head apart.
    pub(crate) fn parse(head: &[u8]) -> Result<Self, HeadError> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let status = response.parse(head).map_err(|_invalid| HeadError::Malformed)?;
        match (status, response.code) {
            (httparse::Status::Complete(_), Some(status)) => {
                Ok(Self { status, headers: Headers::new(response.headers) })
            }
            _ => Err(HeadError::Malformed),
        }
    }

    /// An interim answer (RFC 9110, 15.2), which another head follows.
    pub(crate) fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }
}

/// The answer to a `Sec-WebSocket-Key` (RFC 6455, 4.2.2).
pub(crate) fn accept_key(key: &str) -> String {
    let hash = Sha1::new().chain_update(key).chain_update(KEY_SUFFIX).finalize();
    STANDARD.encode(hash)
}

const END_OF_HEAD: &[u8] = b"\r\n\r\n";
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const READ_LEN: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "GET /db HTTP/1.1\r\nHost: db.test\r\nConnection: keep-alive, Upgrade\r\n\
                        X: 1\r\nx: 2\r\n\r\n";

    #[test]
    fn the_accept_key_is_the_one_of_the_rfc() {
        // RFC 6455, 1.3.
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_request_is_taken_apart() {
        let request = Request::parse(HEAD.as_bytes()).expect("a valid head");
        assert_eq!((&*request.method, &*request.target), ("GET", "/db"));
        assert_eq!(request.headers.single("host"), Some("db.test"));
        assert_eq!(request.headers.single("x"), None, "it is there twice");
        assert!(request.headers.has("X"));
        assert!(request.headers.has_word("connection", "upgrade"));
        assert!(!request.headers.has_word("connection", "up"));
    }

    #[test]
    fn what_is_no_head_is_refused() {
        for bad in [
            "GET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.1\r\nA B: c\r\n\r\n",
            "\x16\x03\x01\r\n\r\n",
            "GET /\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\tfolded\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\nGET /b HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\0\r\n\r\n",
            "GET / HTTP/1.1\r\nHo\0st: a\r\n\r\n",
            "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / x HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost\r\n\r\n",
            "GET / HTTP/1.1\r\n: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nX: left over\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\n",
        ] {
            assert!(Request::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(Response::parse(b"SSH-2.0-OpenSSH\r\n\r\n").is_err());
    }

    #[tokio::test]
    async fn an_oversized_head_is_refused_without_reading_on() {
        let endless = vec![b'a'; 10 * MAX_HEAD_LEN];
        let mut input = &endless[..];
        let result = read_head(&mut input, &mut BytesMut::new()).await;
        assert!(matches!(result, Err(HeadError::TooLong)));
        assert!(input.len() > 8 * MAX_HEAD_LEN);
    }

    proptest! {
        #[test]
        fn a_head_does_not_depend_on_how_the_bytes_were_cut(cut in 0..HEAD.len(), extra: Vec<u8>) {
            let bytes = [HEAD.as_bytes(), &extra].concat();
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
            runtime.block_on(async {
                let mut input = (&bytes[..cut]).chain(&bytes[cut..]);
                let mut buffer = BytesMut::new();
                let head = read_head(&mut input, &mut buffer).await.expect("a whole head");
                input.read_to_end(&mut Vec::new()).await.expect("a slice");
                assert_eq!(head, HEAD);
            });
        }

        #[test]
        fn no_bytes_make_the_parsers_panic(bytes: Vec<u8>) {
            let _request = Request::parse(&bytes);
            let _response = Response::parse(&bytes);
        }
    }
}
