//! From a client's first byte to its login.
//!
//! ```text
//!   first byte 0x16 ──► direct TLS (ALPN postgresql) ─┐
//!   SSLRequest ──► S, TLS │ N ────────────────────────┤
//!   GSSENCRequest ──► N ──────────────────────────────┼──► StartupMessage ──► SCRAM ──► welcome ──► Client
//!   CancelRequest ──► Opened::Cancel ◄────────────────┘
//! ```
//!
//! Each step consumes the last, so that a [`Client`] without a checked password cannot be made. Nothing here
//! waits for the origin once its parameters are known.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use protocol::{
    postgres::{
        encode::{self, Severity},
        frame::FrontendTag,
        pipeline::TransactionStatus,
        scram::{self, Binding, ScramError, ServerFirst, Verifier},
        startup::{self, FirstPacket, PROTOCOL_3_2, Startup},
    },
    reader::Reader,
};

use super::{
    Context, adopt, backend::Parameters, cancel::IssuedKey, database::Database, origin::take_frame,
    settings::Settings, wire_error,
};
use crate::{
    config::ListenConfig,
    error::{ClientError, SessionError},
    net::{self, Framed, Stream},
};

/// What a connection turned out to be.
pub(super) enum Opened {
    /// A request to cancel another connection's statement.
    Cancel { process: u32, secret: Vec<u8>, framed: Framed },
    /// A client that has logged in.
    Client(Box<Client>),
    /// Gone before it said anything, as load balancers' checks are.
    Nothing,
}

/// A client that has logged in and been told that it may begin.
pub(super) struct Client {
    pub(super) framed: Framed,
    pub(super) database: Arc<Database>,
    pub(super) key: IssuedKey,
    /// The settings that its startup packet asked for.
    pub(super) base: Arc<Settings>,
    /// What it was told of its settings.
    pub(super) parameters: Parameters,
}

/// First byte of a TLS record that holds a ClientHello.
const TLS_HANDSHAKE: u8 = 0x16;

/// Brings a connection to a login, whatever it begins with.
pub(super) async fn open(
    stream: Stream,
    listen: &ListenConfig,
    context: &Context,
) -> Result<Opened, SessionError> {
    let mut opening = Opening::begin(stream, listen).await?;
    loop {
        let Some(first) = opening.first_packet().await? else { return Ok(Opened::Nothing) };
        match first {
            FirstPacket::Ssl => opening = opening.answer_ssl(listen).await?,
            FirstPacket::GssEnc => opening.answer_gss().await?,
            FirstPacket::Cancel { process, secret } => {
                return Ok(Opened::Cancel { process, secret, framed: opening.framed });
            }
            FirstPacket::OtherVersion(version) => {
                return Err(opening.refuse_version(version).await);
            }
            FirstPacket::Startup(startup) => {
                let login = Login { framed: opening.framed, startup, encrypted: opening.encrypted };
                let known = login.authenticate(listen, context).await?;
                return known.welcome(context).await.map(|client| Opened::Client(Box::new(client)));
            }
        }
    }
}

/// Refuses a connection as soon as it has said that it wants to log in, inside TLS if it asks for that.
pub(super) async fn refuse(
    stream: Stream,
    listen: &ListenConfig,
    error: ClientError,
) -> Result<(), SessionError> {
    let mut opening = Opening::begin(stream, listen).await?;
    while let Some(first) = opening.first_packet().await? {
        match first {
            FirstPacket::Ssl => opening = opening.answer_ssl(listen).await?,
            FirstPacket::GssEnc => opening.answer_gss().await?,
            FirstPacket::Cancel { .. } => break,
            FirstPacket::OtherVersion(version) => {
                return Err(opening.refuse_version(version).await);
            }
            FirstPacket::Startup(_) => {
                hang_up(&mut opening.framed, error).await;
                break;
            }
        }
    }
    Ok(())
}

/// A connection that has not said what it wants.
struct Opening {
    framed: Framed,
    encrypted: bool,
}

impl Opening {
    /// Looks at the first byte and does the TLS handshake of a client that begins with it
    /// (`sslnegotiation=direct`). Such a client must ask for `postgresql` by ALPN, as PostgreSQL demands.
    async fn begin(stream: Stream, listen: &ListenConfig) -> Result<Self, SessionError> {
        let mut first = [0];
        if let Stream::Tcp(tcp) = &stream {
            tcp.peek(&mut first).await.map_err(SessionError::ClientLost)?;
        }
        let Some(tls) = listen.tls.as_ref().filter(|_| first == [TLS_HANDSHAKE]) else {
            return Ok(Self { framed: Framed::new(stream), encrypted: false });
        };
        let stream =
            net::tls::accept(stream, Arc::clone(tls)).await.map_err(SessionError::ClientLost)?;
        if stream.alpn_protocol() != Some(b"postgresql") {
            let what = protocol::reader::DecodeError::Value("ALPN of a direct TLS connection");
            return Err(SessionError::ClientProtocol(what));
        }
        Ok(Self { framed: Framed::new(stream), encrypted: true })
    }

    /// The first packet; `None` when the peer left before it began one.
    async fn first_packet(&mut self) -> Result<Option<FirstPacket>, SessionError> {
        loop {
            match startup::first_packet(self.framed.input()) {
                Ok(Some((packet, used))) => {
                    drop(self.framed.buffer().split_to(used));
                    return Ok(Some(packet));
                }
                Ok(None) => {}
                Err(error) => {
                    hang_up(&mut self.framed, ClientError::Malformed).await;
                    return Err(SessionError::ClientProtocol(error));
                }
            }
            if self.framed.fill().await.map_err(SessionError::ClientLost)? == 0 {
                return if self.framed.input().is_empty() {
                    Ok(None)
                } else {
                    Err(SessionError::ClientLost(std::io::ErrorKind::UnexpectedEof.into()))
                };
            }
        }
    }

    /// Answers SSLRequest, and does the TLS handshake if the answer is yes.
    async fn answer_ssl(mut self, listen: &ListenConfig) -> Result<Self, SessionError> {
        // Whoever slipped bytes behind the request would have them taken for the client's own, sent under
        // TLS (CVE-2021-23222).
        if self.encrypted || !self.framed.input().is_empty() {
            return Err(self.malformed("packet after SSLRequest").await);
        }
        let Some(tls) = &listen.tls else {
            self.framed.queue().extend_from_slice(b"N");
            self.framed.flush().await.map_err(SessionError::ClientLost)?;
            return Ok(self);
        };
        self.framed.queue().extend_from_slice(b"S");
        self.framed.flush().await.map_err(SessionError::ClientLost)?;
        let stream = net::tls::accept(self.framed.into_parts().stream, Arc::clone(tls))
            .await
            .map_err(SessionError::ClientLost)?;
        Ok(Self { framed: Framed::new(stream), encrypted: true })
    }

    async fn answer_gss(&mut self) -> Result<(), SessionError> {
        if !self.framed.input().is_empty() {
            return Err(self.malformed("packet after GSSENCRequest").await);
        }
        self.framed.queue().extend_from_slice(b"N");
        self.framed.flush().await.map_err(SessionError::ClientLost)
    }

    /// Refuses a version of the protocol, before version 3 in the form that it knows (`send_message_to_frontend` in
    /// elog.c).
    async fn refuse_version(&mut self, version: u32) -> SessionError {
        let (major, minor) = (version >> 16, version & 0xffff);
        let text =
            format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.2");
        if major >= 3 {
            return refuse_startup(&mut self.framed, "0A000", &text).await;
        }
        self.framed.queue().extend_from_slice(format!("EFATAL:  {text}\n\0").as_bytes());
        shut_down(&mut self.framed).await;
        ClientError::Malformed.into()
    }

    async fn malformed(&mut self, what: &'static str) -> SessionError {
        hang_up(&mut self.framed, ClientError::Malformed).await;
        SessionError::ClientProtocol(protocol::reader::DecodeError::Value(what))
    }
}

/// A connection that wants to log in.
struct Login {
    framed: Framed,
    startup: Startup,
    encrypted: bool,
}

/// A connection that has proved to know a password.
struct Authenticated {
    framed: Framed,
    startup: Startup,
    database: Arc<Database>,
}

impl Login {
    /// Checks user, database and password. An unknown name is told apart from a wrong password only once a
    /// password was right, as PostgreSQL does with databases.
    async fn authenticate(
        mut self,
        listen: &ListenConfig,
        context: &Context,
    ) -> Result<Authenticated, SessionError> {
        let (version, must_tell) = self.startup.negotiated();
        if must_tell {
            encode::negotiate_protocol_version(version, &self.startup.options, self.framed.queue());
        }
        self.startup.version = version;
        let user = self.startup.parameters.get("user").cloned().unwrap_or_default();
        if user.is_empty() {
            let text = "no PostgreSQL user name specified in startup packet";
            return Err(refuse_startup(&mut self.framed, "28000", text).await);
        }
        let name = self.startup.parameters.get("database").cloned().unwrap_or_else(|| user.clone());
        let database = context.directory.find(&name);
        let verifier = database
            .as_ref()
            .and_then(|database| database.config.users.iter().find(|known| known.name == user))
            .and_then(|user| Verifier::parse(user.verifier.expose()).ok());
        let (verifier, is_known) = match verifier {
            Some(verifier) => (verifier, true),
            None => (Verifier::mock(&context.common.mock_secret, &user), false),
        };
        let binding = match &listen.channel_binding {
            Some(hash) if self.encrypted => Binding::EndPoint(hash),
            _ => Binding::Unavailable,
        };
        let proven = self.scram(verifier, binding).await?;
        match (proven, is_known, database) {
            (Ok(()), true, Some(database)) => {
                Ok(Authenticated { framed: self.framed, startup: self.startup, database })
            }
            (refused, ..) => {
                let why = refused.err().unwrap_or(ScramError::Proof);
                tracing::info!(reason = %why, "login refused");
                let is_there = context.directory.find(&name).is_some();
                Err(refuse_login(&mut self.framed, why, is_there, (&user, &name)).await)
            }
        }
    }

    /// The SCRAM dialogue. The outer error is the connection's, the inner one the dialogue's.
    async fn scram(
        &mut self,
        verifier: Verifier,
        binding: Binding<'_>,
    ) -> Result<Result<(), ScramError>, SessionError> {
        let mechanisms: &[&str] = match binding {
            Binding::EndPoint(_) => &[scram::SCRAM_SHA_256_PLUS, scram::SCRAM_SHA_256],
            Binding::Unavailable => &[scram::SCRAM_SHA_256],
        };
        encode::authentication_sasl(mechanisms, self.framed.queue());
        let initial = self.password_message().await?;
        let Some((mechanism, first)) = initial_response(&initial) else {
            return Ok(Err(ScramError::Malformed));
        };
        let nonce = STANDARD.encode(rand::random::<[u8; 18]>());
        let dialogue = match ServerFirst::new(verifier, mechanism, binding, first, &nonce) {
            Ok(dialogue) => dialogue,
            Err(error) => return Ok(Err(error)),
        };
        encode::authentication_sasl_continue(dialogue.message(), self.framed.queue());
        let last = self.password_message().await?;
        match dialogue.finish(&last) {
            Ok(signature) => {
                encode::authentication_sasl_final(&signature, self.framed.queue());
                Ok(Ok(()))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    /// The client's next answer in the dialogue.
    async fn password_message(&mut self) -> Result<Bytes, SessionError> {
        self.framed.flush().await.map_err(SessionError::ClientLost)?;
        loop {
            let taken = take_frame(self.framed.buffer(), scram::MAX_MESSAGE_BYTES);
            match taken {
                Ok(Some((tag, body))) if FrontendTag::from(tag) == FrontendTag::Password => {
                    return Ok(body);
                }
                Ok(None) => {}
                Ok(Some(_)) => {
                    hang_up(&mut self.framed, ClientError::Malformed).await;
                    let what = protocol::reader::DecodeError::Value("message during login");
                    return Err(SessionError::ClientProtocol(what));
                }
                Err(error) => {
                    hang_up(&mut self.framed, ClientError::Malformed).await;
                    return Err(SessionError::ClientProtocol(error));
                }
            }
            if self.framed.fill().await.map_err(SessionError::ClientLost)? == 0 {
                // A client that wants to ask its user for a password hangs up here and comes back.
                return Err(SessionError::ClientLost(std::io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

impl Authenticated {
    /// Tells the client its settings and its cancel key, and that it may begin.
    async fn welcome(mut self, context: &Context) -> Result<Client, SessionError> {
        let base = match Settings::from_startup(&self.startup.parameters) {
            Ok(settings) => settings,
            Err(name) => {
                let error = match name.as_str() {
                    "replication" => ClientError::Unsupported("a replication connection"),
                    _ => ClientError::Unsupported("this startup option"),
                };
                hang_up(&mut self.framed, error).await;
                return Err(error.into());
            }
        };
        let mut parameters = match adopt::welcome(&self.database, &base).await {
            Ok(parameters) => parameters,
            Err(refusal) => {
                refusal.put_fatal(self.framed.queue());
                self.framed.shutdown().await.map_err(SessionError::ClientLost)?;
                return Err(ClientError::Connect("origin_unreachable").into());
            }
        };
        let key = context.cancel.issue(&self.database, self.startup.version == PROTOCOL_3_2);
        let out = self.framed.queue();
        encode::authentication_ok(out);
        for (name, value) in parameters.iter() {
            encode::parameter_status(name, value, out);
        }
        encode::backend_key_data(key.process, &key.secret, out);
        encode::ready_for_query(TransactionStatus::Idle, out);
        self.framed.flush().await.map_err(SessionError::ClientLost)?;
        let (framed, database) = (self.framed, self.database);
        let base = database.settings.intern(Arc::new(base));
        parameters.intern(&database.parameters);
        Ok(Client { framed, database, key, base, parameters })
    }
}

/// Mechanism and data of a SASLInitialResponse.
fn initial_response(body: &[u8]) -> Option<(&str, &[u8])> {
    let mut reader = Reader::new(body);
    let mechanism = std::str::from_utf8(reader.cstr().ok()?).ok()?;
    let length = usize::try_from(reader.i32().ok()?).ok()?;
    let data = reader.bytes(length).ok()?;
    reader.end().ok()?;
    Some((mechanism, data))
}

/// Refuses a login in PostgreSQL's own words, which drivers and people look for (`auth_failed`, `auth-scram.c`,
/// `InitPostgres`). The names are the client's.
async fn refuse_login(
    framed: &mut Framed,
    why: ScramError,
    is_there: bool,
    (user, database): (&str, &str),
) -> SessionError {
    let (error, sqlstate, text) = match why {
        ScramError::Stripped | ScramError::Binding => {
            let text = String::from("SCRAM channel binding negotiation error");
            (ClientError::AccessDenied, "28000", text)
        }
        ScramError::Malformed => {
            let text = String::from("malformed SCRAM message");
            (ClientError::Malformed, "08P01", text)
        }
        _ if !is_there => {
            let text = format!("database \"{database}\" does not exist");
            (ClientError::UnknownDatabase, "3D000", text)
        }
        ScramError::Proof | ScramError::Verifier => {
            let text = format!("password authentication failed for user \"{user}\"");
            (ClientError::AccessDenied, "28P01", text)
        }
    };
    encode::error(Severity::Fatal, sqlstate, &text, framed.queue());
    shut_down(framed).await;
    error.into()
}

/// Refuses a startup packet in PostgreSQL's own words (`ProcessStartupPacket`).
async fn refuse_startup(framed: &mut Framed, sqlstate: &str, text: &str) -> SessionError {
    encode::error(Severity::Fatal, sqlstate, text, framed.queue());
    shut_down(framed).await;
    ClientError::Malformed.into()
}

/// Says why, and hangs up.
async fn hang_up(framed: &mut Framed, error: ClientError) {
    wire_error::put_fatal(error, framed.queue());
    shut_down(framed).await;
}

/// Hangs up. A client that does not listen any more is no error of its own.
async fn shut_down(framed: &mut Framed) {
    if let Err(error) = framed.shutdown().await {
        tracing::debug!(%error, "refused client had gone");
    }
}
