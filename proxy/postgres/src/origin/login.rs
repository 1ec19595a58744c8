//! The login at a database: from the startup packet to the answer to our first question.

use std::io;

use bytes::{Buf as _, Bytes};
use origin::net::{self, ConnectError, Framed, Stream};
use postgres_protocol::authentication::{
    md5_hash,
    sasl::{ChannelBinding, ScramSha256},
};
use protocol::{
    postgres::{encode, frame::BackendTag, message, scram, startup},
    reader::{DecodeError, Reader},
};
use serving::config::OriginConfig;

use super::{
    super::{
        beginning::{Beginning, CancelTarget},
        guard,
        parameters::Parameters,
    },
    frame::take_frame,
};

/// The longest message of a login that is collected.
const MAX_LOGIN_FRAME: usize = 64 * 1024;

/// What is not reported, or not by each version, of what a session begins with, as one text: how its transactions are isolated,
/// whether the server is a standby and whether they may write there, and what is stored for the role and the database.
const STORED: &str = "SELECT pg_catalog.current_setting('default_transaction_isolation') || ';' || \
    pg_catalog.pg_is_in_recovery()::text || ';' || \
    pg_catalog.current_setting('default_transaction_read_only') || ';' || \
    COALESCE(pg_catalog.string_agg(s.setdatabase || '/' || s.setrole || '=' || s.setconfig::text, ';' \
    ORDER BY s.setdatabase, s.setrole), '') FROM pg_catalog.pg_db_role_setting s \
    WHERE s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())) \
    AND s.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user))";

/// A login under way.
pub(crate) struct Login<'a> {
    framed: Framed,
    origin: &'a OriginConfig,
    /// [`STORED`] was sent. It goes behind the last message of the authentication, in the same write: so it costs no round
    /// trip of its own.
    has_asked: bool,
}

impl<'a> Login<'a> {
    pub(crate) fn new(stream: Stream, origin: &'a OriginConfig) -> Self {
        Self { framed: Framed::new(stream), origin, has_asked: false }
    }

    fn ask(&mut self) {
        if !std::mem::replace(&mut self.has_asked, true) {
            encode::query(STORED, self.framed.queue());
        }
    }

    /// From the startup packet, with `more` parameters, to AuthenticationOk.
    pub(crate) async fn begin(
        &mut self,
        application: &str,
        more: &[(&str, &str)],
    ) -> Result<(), ConnectError> {
        let origin = self.origin;
        let usual = [
            ("user", origin.user.as_str()),
            ("database", origin.database.as_str()),
            ("application_name", application),
        ];
        let parameters = [usual.as_slice(), more].concat();
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
    pub(crate) async fn finish(
        mut self,
    ) -> Result<(Framed, Beginning, CancelTarget), ConnectError> {
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
                    let (process, secret) = (reader.u32()?, reader.rest().to_vec());
                    key = CancelTarget { process, secret, ..CancelTarget::default() };
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
        let password = self.origin.password.now();
        let text = password.expose().as_bytes();
        encode::frame(b'p', &[text, b"\0"], self.framed.queue());
        self.ask();
    }

    fn md5(&mut self, salt: &[u8]) -> Result<(), ConnectError> {
        let salt = salt.try_into().map_err(|_short| DecodeError::Truncated)?;
        let origin = self.origin;
        let password = origin.password.now();
        let hash = md5_hash(origin.user.as_bytes(), password.expose().as_bytes(), salt);
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
        let password = self.origin.password.now();
        let mut scram = ScramSha256::new(password.expose().as_bytes(), binding);
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
