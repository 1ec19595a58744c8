//! What an origin may be answered when it asks for a password.
//!
//! The login of backends asks [`may_answer`] itself. tokio-postgres, which reads the catalog and serves the tools,
//! answers whatever is asked, so its streams are [`Guarded`]: a request that must not be answered ends the
//! connection before the driver sees it. It does not log in.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use origin::net::{ConnectError, Stream};
use serving::config::OriginTls;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// AuthenticationOk.
pub(crate) const OK: u32 = 0;
/// AuthenticationCleartextPassword.
pub(crate) const CLEARTEXT: u32 = 3;
/// AuthenticationMD5Password. Whoever hears the answer can log in with it elsewhere, or guess at leisure.
pub(crate) const MD5: u32 = 5;

/// Whether a request for authentication may be answered.
///
/// # Errors
///
/// Why not.
pub(crate) fn may_answer(request: u32, tls: &OriginTls) -> Result<(), ConnectError> {
    match (request, tls) {
        (CLEARTEXT, OriginTls::Required { is_verified: false, .. }) => {
            Err(ConnectError::Unverified("in clear text"))
        }
        (MD5, OriginTls::Required { is_verified: false, .. }) => {
            Err(ConnectError::Unverified("as an md5 hash"))
        }
        (CLEARTEXT, OriginTls::Plaintext) => Err(ConnectError::Authentication(String::from(
            "it asks for the password in clear text on a connection without TLS",
        ))),
        _ => Ok(()),
    }
}

/// A stream to an origin for a driver that would answer anything.
#[derive(Debug)]
pub struct Guarded {
    stream: Stream,
    tls: OriginTls,
    watch: Watch,
}

/// What the next byte from the origin belongs to.
#[derive(Debug)]
enum Watch {
    /// The beginning of a message, as far as it came: tag, length and, of a request, its code.
    Head(Vec<u8>),
    /// So much of a message that is of no interest.
    Rest(usize),
    /// The login is over, or has not begun.
    Off,
}

/// Tag and length.
const HEADER_LEN: usize = 5;
/// The same, and the code of a request for authentication.
const REQUEST_LEN: usize = 9;

impl Guarded {
    /// Watches what the origin says from now on.
    pub fn new(stream: Stream, tls: OriginTls) -> Self {
        Self { stream, tls, watch: Watch::Head(Vec::with_capacity(REQUEST_LEN)) }
    }

    /// Watches nothing yet: TLS has to come first.
    pub const fn unwatched(stream: Stream, tls: OriginTls) -> Self {
        Self { stream, tls, watch: Watch::Off }
    }

    /// The stream itself.
    pub const fn get_ref(&self) -> &Stream {
        &self.stream
    }

    /// The stream itself, unguarded.
    pub fn into_inner(self) -> Stream {
        self.stream
    }

    /// Looks at what the origin said.
    fn look(&mut self, mut bytes: &[u8]) -> Result<(), ConnectError> {
        while let Some((first, others)) = bytes.split_first() {
            match &mut self.watch {
                Watch::Off => return Ok(()),
                Watch::Rest(left) => {
                    let taken = bytes.len().min(*left);
                    *left -= taken;
                    bytes = bytes.get(taken..).unwrap_or_default();
                    if *left == 0 {
                        self.watch = Watch::Head(Vec::with_capacity(REQUEST_LEN));
                    }
                }
                Watch::Head(head) => {
                    head.push(*first);
                    bytes = others;
                    if let Some(watch) = after(head, &self.tls)? {
                        self.watch = watch;
                    }
                }
            }
        }
        Ok(())
    }
}

/// What comes behind the beginning of a message; `None` while it is not all there.
fn after(head: &[u8], tls: &OriginTls) -> Result<Option<Watch>, ConnectError> {
    let Some((&[tag, a, b, c, d], code)) = head.split_first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    let malformed = protocol::reader::DecodeError::Value("length of a message");
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    let body = length.checked_sub(4).ok_or(malformed)?;
    let rest = match (tag, code) {
        (b'R', &[a, b, c, d]) => {
            let request = u32::from_be_bytes([a, b, c, d]);
            may_answer(request, tls)?;
            if request == OK {
                return Ok(Some(Watch::Off));
            }
            body.saturating_sub(4)
        }
        (b'R', _) if body < 4 => return Err(malformed.into()),
        (b'R', _) => return Ok(None),
        _ => body,
    };
    Ok(Some(if rest == 0 {
        Watch::Head(Vec::with_capacity(REQUEST_LEN))
    } else {
        Watch::Rest(rest)
    }))
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let heard = buf.filled().get(before..).unwrap_or_default();
        Poll::Ready(self.look(heard).map_err(io::Error::other))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::origin::Login;
    use origin::{
        net::tls::{self, SslMode},
        secret::Secret,
    };
    use serving::config::{DatabaseConfig, Engine, OriginConfig, sample};

    const PASSWORD: &str = "hunter2";

    fn config(tls: &OriginTls) -> DatabaseConfig {
        let mut config = sample::database(Engine::Postgres, "app");
        config.origin.password = Secret::new(String::from(PASSWORD)).into();
        config.origin.tls = tls.clone();
        config
    }

    fn within_tls(mode: SslMode) -> OriginTls {
        let client = tls::database_client(None, SslMode::Require, None, None).unwrap();
        let server_name = "localhost".try_into().unwrap();
        OriginTls::Required { client, server_name, is_verified: mode.is_verified() }
    }

    /// Who logs in.
    #[derive(Clone, Copy, Debug)]
    enum By {
        Backend,
        Driver,
    }

    /// What an origin that makes this request, byte by byte, hears after the startup packet.
    async fn heard(by: By, tls: &OriginTls, request: &[u8]) -> Vec<u8> {
        let (near, mut far) = tokio::io::duplex(4096);
        let stream = Stream::Duplex(near);
        let config = config(tls);
        let login = async {
            match by {
                By::Backend => {
                    let mut login = Login::new(stream, &config.origin);
                    login.begin("test", &[]).await.unwrap_err().to_string()
                }
                By::Driver => {
                    let stream = Guarded::new(stream, tls.clone());
                    let mut driver = tokio_postgres::Config::new();
                    let OriginConfig { database, user, password, .. } = &config.origin;
                    driver.user(user).dbname(database).password(password.now().expose());
                    let login = driver.connect_raw(stream, tokio_postgres::NoTls).await;
                    // With its sources.
                    format!("{:?}", login.err().unwrap())
                }
            }
        };
        let script = async {
            let length = far.read_u32().await.unwrap();
            let mut startup = vec![0; usize::try_from(length).unwrap() - 4];
            far.read_exact(&mut startup).await.unwrap();
            for byte in request {
                if far.write_all(&[*byte]).await.is_err() {
                    // It has heard enough.
                    break;
                }
                tokio::task::yield_now().await;
            }
            let mut answer = vec![0; 256];
            let length = far.read(&mut answer).await.unwrap();
            answer.truncate(length);
            drop(far);
            answer
        };
        let (error, answer) = tokio::join!(login, script);
        assert!(!error.contains(PASSWORD), "{error}");
        answer
    }

    /// FAULTS row 55: whoever is not verified never hears the password, nor what it could be guessed from.
    #[tokio::test]
    async fn an_origin_hears_the_password_only_where_it_is_known_to_be_the_origin() {
        let cleartext = &b"R\0\0\0\x08\0\0\0\x03"[..];
        let md5 = &b"R\0\0\0\x0c\0\0\0\x05salt"[..];
        let noticed = &b"N\0\0\0\x06hiR\0\0\0\x08\0\0\0\x03"[..];
        let plain = OriginTls::Plaintext;
        let (unverified, verified) = (within_tls(SslMode::Require), within_tls(SslMode::VerifyCa));
        for by in [By::Backend, By::Driver] {
            for (tls, request, is_answered) in [
                (&plain, cleartext, false),
                // As the file says in as many words.
                (&plain, md5, true),
                (&unverified, cleartext, false),
                (&unverified, md5, false),
                (&unverified, noticed, false),
                (&verified, cleartext, true),
                (&verified, md5, true),
            ] {
                let answer = heard(by, tls, request).await;
                assert_eq!(!answer.is_empty(), is_answered, "{by:?} {tls:?} {request:?}");
                if is_answered {
                    assert_eq!(answer.first(), Some(&b'p'), "{by:?} {tls:?} {request:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_behind_the_login_is_not_looked_at() {
        let (near, _far) = tokio::io::duplex(64);
        let mut guarded = Guarded::new(Stream::Duplex(near), within_tls(SslMode::Require));
        guarded.look(b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0R\0\0\0\x08\0\0").unwrap();
        guarded.look(b"\0\0S\0\0\0\x03R\0\0\0\x08\0\0\0\x03").unwrap();
        let (near, _far) = tokio::io::duplex(64);
        let mut guarded = Guarded::new(Stream::Duplex(near), within_tls(SslMode::Require));
        assert!(guarded.look(b"S\0\0\0\x03").is_err(), "no length of a message");
    }
}
