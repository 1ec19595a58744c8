//! Opening a connection to a PostgreSQL origin: dial, TLS, login.

use std::{io, sync::Arc, time::Duration};

use bytes::{Buf as _, Bytes, BytesMut};
use origin::{
    net::{self, ConnectError, Framed, Spare, Stream},
    pool::{self, Doubt, Generation, Generations},
};
use postgres_protocol::authentication::{
    md5_hash,
    sasl::{ChannelBinding, ScramSha256},
};
use protocol::{
    postgres::{
        encode,
        frame::{BackendTag, Header},
        message, scram, startup,
    },
    reader::{DecodeError, Reader},
};
use serving::{
    config::{DatabaseConfig, OriginTls},
    observe::DatabaseMetrics,
    reception::Reception,
};
use tokio::time::Instant;

use super::{
    backend::{Backend, Beginning, CancelTarget, Parameters},
    guard,
};

/// The longest message of a login that is collected.
const MAX_LOGIN_FRAME: usize = 64 * 1024;

/// A PostgreSQL database with our credentials for it.
#[derive(Debug)]
pub struct Origin {
    config: Arc<DatabaseConfig>,
    metrics: Arc<DatabaseMetrics>,
    reception: Reception,
    generations: Arc<Generations<Beginning>>,
    doubt: Arc<Doubt>,
}

impl Origin {
    /// The origin of a config.
    pub(crate) fn new(
        config: Arc<DatabaseConfig>,
        metrics: Arc<DatabaseMetrics>,
        generations: Arc<Generations<Beginning>>,
        doubt: Arc<Doubt>,
    ) -> Self {
        Self { config, metrics, reception: Reception::default(), generations, doubt }
    }

    async fn open(&self) -> Result<Backend, ConnectError> {
        loop {
            let since = self.generations.number();
            let stream = open_stream(&self.config).await?;
            let application = format!("jumpgate/{}", self.config.name);
            let mut login = Login::new(stream, &self.config);
            login.begin(&application).await?;
            let (framed, beginning, key) = login.finish().await?;
            let parameters = beginning.0.clone();
            if let Some(generation) = Generation::of(beginning, since, &self.generations) {
                let ends = (generation, self.config.pool.expiry());
                return Ok(Backend::new(framed, parameters, key, ends));
            }
        }
    }
}

impl pool::Origin for Origin {
    type Connection = Backend;
    type Error = ConnectError;

    async fn connect(&self) -> Result<Backend, ConnectError> {
        let began = Instant::now();
        let opened = tokio::time::timeout(self.config.pool.connect_timeout, self.open()).await;
        let opened = opened.unwrap_or(Err(ConnectError::TimedOut));
        self.reception.note(&opened, began, &self.config.name, &self.metrics);
        opened
    }

    fn is_refusal(error: &ConnectError) -> bool {
        error.is_refusal()
    }

    fn check(
        &self,
        backend: &mut Backend,
        now: Instant,
        rested: Duration,
    ) -> Result<(), ConnectError> {
        backend.is_doubtful = self.doubt.covers(now - rested);
        if backend.is_usable(now, rested) { Ok(()) } else { Err(ConnectError::Ended) }
    }

    fn rest(backend: &Backend) -> bool {
        backend.framed.stream().rest()
    }
}

/// Dials and, unless the config says plaintext in as many words, puts the database's TLS around it.
///
/// # Errors
///
/// [`ConnectError`] names the layer.
///
/// # Cancel safety
///
/// Dropped before it ends, the connection is closed.
pub async fn open_stream(config: &DatabaseConfig) -> Result<Stream, ConnectError> {
    let timeout = config.pool.connect_timeout;
    let stream = net::dial::dial(&config.origin.dial, timeout)
        .await
        .map_err(|error| ConnectError::Dial(Arc::new(error)))?;
    encrypt(stream, &config.origin.tls).await
}

async fn encrypt(stream: Stream, tls: &OriginTls) -> Result<Stream, ConnectError> {
    match tls {
        OriginTls::Plaintext => Ok(stream),
        OriginTls::Required { client, server_name, .. } => {
            let stream = request_tls(stream).await?;
            net::tls::connect(stream, Arc::clone(client), server_name.clone()).await.map_err(
                |error| {
                    if net::tls::is_certificate_error(&error) {
                        ConnectError::Certificate(Arc::new(error))
                    } else {
                        error.into()
                    }
                },
            )
        }
    }
}

/// Sends SSLRequest and reads the one byte of its answer. Bytes behind it were not sent under TLS and end the
/// attempt (CVE-2021-23222 is the server's side of the same mistake).
async fn request_tls(stream: Stream) -> Result<Stream, ConnectError> {
    let mut framed = Framed::new(stream);
    let request = [8_u32.to_be_bytes(), startup::SSL_REQUEST_CODE.to_be_bytes()].concat();
    framed.queue().extend_from_slice(&request);
    framed.flush().await?;
    if framed.fill().await? == 0 {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    match framed.input() {
        b"S" => Ok(framed.into_parts().stream),
        b"N" => Err(ConnectError::TlsRequired),
        _ => Err(DecodeError::Value("answer to SSLRequest").into()),
    }
}

/// Why a CancelRequest was not acted upon, as far as that is known.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// It was never sent.
    #[error("it was not sent")]
    Unsent(#[source] ConnectError),
    /// It was sent, or a part of it, and may arrive at any time.
    #[error("it may be on its way")]
    InDoubt(#[source] ConnectError),
}

/// Sends a CancelRequest, on the spare stream if there is one, and waits until the server has closed the connection:
/// then it was acted upon.
///
/// # Errors
///
/// [`CancelError`] when that is not known to have happened within `deadline`.
///
/// # Cancel safety
///
/// Dropped before it ends, the request may or may not have been delivered.
pub async fn cancel(
    config: &DatabaseConfig,
    spare: &Spare,
    target: &CancelTarget,
    deadline: Duration,
) -> Result<(), CancelError> {
    let mut is_sent = false;
    let result = async {
        if let Some(stream) = spare.take() {
            let on_spare = async {
                deliver(encrypt(stream, &config.origin.tls).await?, target, &mut is_sent).await
            };
            if let Ok(Ok(())) = tokio::time::timeout(deadline / 4, on_spare).await {
                tracing::debug!("a cancel request went out on the spare stream");
                return Ok(());
            }
            tracing::debug!("the spare stream was dead, a cancel request is dialled for");
        }
        let may_come_twice = std::mem::take(&mut is_sent);
        let dialled = async { deliver(open_stream(config).await?, target, &mut is_sent).await };
        let dialled = tokio::time::timeout(deadline, dialled).await;
        is_sent |= may_come_twice;
        match dialled.unwrap_or(Err(ConnectError::TimedOut)) {
            // The first one may come after this, and hit what runs then.
            Ok(()) if may_come_twice => Err(ConnectError::TimedOut),
            other => other,
        }
    }
    .await;
    result.map_err(if is_sent { CancelError::InDoubt } else { CancelError::Unsent })
}

/// Sends the request and waits for the server to close, which it does once it has passed the request on. Before the first
/// byte goes out `is_sent` is set.
async fn deliver(
    stream: Stream,
    target: &CancelTarget,
    is_sent: &mut bool,
) -> Result<(), ConnectError> {
    let mut framed = Framed::new(stream);
    encode::cancel_request(target.process, &target.secret, framed.queue());
    *is_sent = true;
    framed.flush().await?;
    loop {
        match framed.fill().await {
            Ok(0) => return Ok(()),
            // Nothing that it says is of interest.
            Ok(_) => framed.buffer().clear(),
            // The server's process ends without a word of TLS.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// What is stored for the role and the database that a session begins with, as one text. Most of it is not reported.
const STORED: &str = "SELECT pg_catalog.string_agg(s.setdatabase || '/' || s.setrole || '=' || s.setconfig::text, ';' \
    ORDER BY s.setdatabase, s.setrole) FROM pg_catalog.pg_db_role_setting s \
    WHERE s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())) \
    AND s.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user))";

/// A login under way.
pub(crate) struct Login<'a> {
    framed: Framed,
    config: &'a DatabaseConfig,
    /// [`STORED`] was sent. It goes behind the last message of the authentication, in the same write: so it costs no round
    /// trip of its own.
    has_asked: bool,
}

impl<'a> Login<'a> {
    pub(crate) fn new(stream: Stream, config: &'a DatabaseConfig) -> Self {
        Self { framed: Framed::new(stream), config, has_asked: false }
    }

    fn ask(&mut self) {
        if !std::mem::replace(&mut self.has_asked, true) {
            encode::query(STORED, self.framed.queue());
        }
    }

    /// From the startup packet to AuthenticationOk.
    pub(crate) async fn begin(&mut self, application: &str) -> Result<(), ConnectError> {
        let origin = &self.config.origin;
        let parameters = [
            ("user", origin.user.as_str()),
            ("database", origin.database.as_str()),
            ("application_name", application),
        ];
        encode::startup(startup::PROTOCOL_3_0, &parameters, self.framed.queue());
        loop {
            let (tag, body) = self.next().await?;
            if tag != BackendTag::Authentication {
                return Err(DecodeError::Value("message before authentication").into());
            }
            let mut reader = Reader::new(&body);
            let request = reader.u32()?;
            guard::may_answer(request, &origin.tls)?;
            match request {
                guard::OK => return Ok(()),
                guard::CLEARTEXT => self.cleartext(),
                guard::MD5 => self.md5(reader.bytes(4)?)?,
                10 => self.sasl(reader.rest()).await?,
                _ => {
                    return Err(ConnectError::Authentication(String::from(
                        "it asks for an authentication method that the proxy does not do",
                    )));
                }
            }
        }
    }

    /// From AuthenticationOk to the ReadyForQuery behind our question.
    async fn finish(mut self) -> Result<(Framed, Beginning, CancelTarget), ConnectError> {
        let mut parameters = Parameters::default();
        let mut key = CancelTarget::default();
        self.ask();
        loop {
            let (tag, body) = self.next().await?;
            match tag {
                BackendTag::ParameterStatus => {
                    let (name, value) = message::parameter_status(&body)?;
                    parameters.set(name, value);
                }
                BackendTag::BackendKeyData => {
                    let mut reader = Reader::new(&body);
                    key = CancelTarget { process: reader.u32()?, secret: reader.rest().to_vec() };
                }
                BackendTag::ReadyForQuery => break,
                BackendTag::NegotiateProtocolVersion => {}
                _ => return Err(DecodeError::Value("message during login").into()),
            }
        }
        let stored = self.stored().await?;
        Ok((self.framed, (parameters, stored), key))
    }

    /// The answer to [`STORED`]. An origin that refuses it is known by what it reports alone.
    async fn stored(&mut self) -> Result<Option<Bytes>, ConnectError> {
        let mut stored = None;
        loop {
            let (tag, body) = self.next_or_error().await?;
            match tag {
                BackendTag::DataRow => stored = Some(body),
                BackendTag::ReadyForQuery => return Ok(stored),
                BackendTag::RowDescription
                | BackendTag::CommandComplete
                | BackendTag::ParameterStatus
                | BackendTag::ErrorResponse => {}
                _ => return Err(DecodeError::Value("message during login").into()),
            }
        }
    }

    fn cleartext(&mut self) {
        let password = self.config.origin.password.expose().as_bytes();
        encode::frame(b'p', &[password, b"\0"], self.framed.queue());
        self.ask();
    }

    fn md5(&mut self, salt: &[u8]) -> Result<(), ConnectError> {
        let salt = salt.try_into().map_err(|_short| DecodeError::Truncated)?;
        let origin = &self.config.origin;
        let hash = md5_hash(origin.user.as_bytes(), origin.password.expose().as_bytes(), salt);
        encode::frame(b'p', &[hash.as_bytes(), b"\0"], self.framed.queue());
        self.ask();
        Ok(())
    }

    async fn sasl(&mut self, mechanisms: &[u8]) -> Result<(), ConnectError> {
        let offered =
            |name: &str| mechanisms.split(|byte| *byte == 0).any(|m| m == name.as_bytes());
        let end_point = self.framed.stream().client_connection().and_then(net::tls::peer_end_point);
        let (mechanism, binding) = match end_point {
            Some(hash) if offered(scram::SCRAM_SHA_256_PLUS) => {
                (scram::SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(hash))
            }
            Some(_) if offered(scram::SCRAM_SHA_256) => {
                (scram::SCRAM_SHA_256, ChannelBinding::unrequested())
            }
            None if offered(scram::SCRAM_SHA_256) => {
                (scram::SCRAM_SHA_256, ChannelBinding::unsupported())
            }
            _ => {
                return Err(ConnectError::Authentication(String::from(
                    "it offers no SASL mechanism that the proxy does",
                )));
            }
        };
        let password = self.config.origin.password.expose().as_bytes();
        let mut scram = ScramSha256::new(password, binding);
        let first = scram.message();
        let length = u32::try_from(first.len()).unwrap_or_default().to_be_bytes();
        let parts = [mechanism.as_bytes(), b"\0", &length, first];
        encode::frame(b'p', &parts, self.framed.queue());

        let challenge = self.sasl_data(11).await?;
        // 4,096 rounds of PBKDF2 and more would keep the relays on this thread waiting.
        let scram = tokio::task::spawn_blocking(move || scram.update(&challenge).map(|()| scram));
        let mut scram = scram.await.map_err(io::Error::other)?.map_err(scram_failed)?;
        encode::frame(b'p', &[scram.message()], self.framed.queue());
        self.ask();

        let last = self.sasl_data(12).await?;
        scram.finish(&last).map_err(scram_failed)
    }

    /// The data of the AuthenticationSASLContinue (11) or AuthenticationSASLFinal (12) that must come next.
    async fn sasl_data(&mut self, code: u32) -> Result<Bytes, ConnectError> {
        let (tag, mut body) = self.next().await?;
        if tag != BackendTag::Authentication || body.len() < 4 || body.get_u32() != code {
            return Err(DecodeError::Value("step of the SASL dialogue").into());
        }
        Ok(body)
    }

    /// The next frame that is not a notice; an ErrorResponse is the end.
    async fn next(&mut self) -> Result<(BackendTag, Bytes), ConnectError> {
        match self.next_or_error().await? {
            (BackendTag::ErrorResponse, body) => Err(refusal(&body)),
            next => Ok(next),
        }
    }

    /// The next frame that is not a notice.
    async fn next_or_error(&mut self) -> Result<(BackendTag, Bytes), ConnectError> {
        self.framed.flush().await?;
        loop {
            let Some((tag, body)) = take_frame(self.framed.buffer(), MAX_LOGIN_FRAME)? else {
                if self.framed.fill().await? == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                continue;
            };
            match BackendTag::from(tag) {
                BackendTag::NoticeResponse => {}
                tag => return Ok((tag, body)),
            }
        }
    }
}

/// Takes a whole frame of at most `limit` bytes from the front of `buffer`, if it is there.
pub(crate) fn take_frame(
    buffer: &mut BytesMut,
    limit: usize,
) -> Result<Option<(u8, Bytes)>, DecodeError> {
    let Some(header) = Header::peek(buffer)? else { return Ok(None) };
    if header.body_len > limit {
        return Err(DecodeError::Length(u32::try_from(header.body_len).unwrap_or(u32::MAX)));
    }
    if buffer.len() < header.frame_len() {
        return Ok(None);
    }
    let mut frame = buffer.split_to(header.frame_len()).freeze();
    Ok(Some((header.tag, frame.split_off(protocol::postgres::frame::HEADER_LEN))))
}

fn scram_failed(error: io::Error) -> ConnectError {
    ConnectError::Authentication(error.to_string())
}

fn refusal(body: &[u8]) -> ConnectError {
    let field = |code| {
        String::from_utf8_lossy(message::error_field(body, code).unwrap_or_default()).into_owned()
    };
    let (sqlstate, message) = (field(b'C'), field(b'M'));
    // Class 28: invalid authorization specification.
    if sqlstate.starts_with("28") {
        ConnectError::Authentication(message)
    } else {
        ConnectError::Refused { errno: None, sqlstate, message }
    }
}
