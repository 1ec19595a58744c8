//! From our greeting to a client's login.
//!
//! ```text
//!   greeting ──► SSLRequest, TLS ─┐
//!      └──────────────────────────┴──► HandshakeResponse ──► dance ──► OK ──► Client
//! ```
//!
//! The server speaks first in MySQL, so that the greeting goes out before it is known which database is meant.
//! Which one it is, [`account`] says; how the client shows its password is [`dance`]'s. Nothing here waits for
//! the origin, but in the first two seconds of the process: what clients are offered is what the origins can do.

mod account;
mod dance;
mod offer;
mod refusal;
mod schema;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use origin::net::{self, Framed, Stream};
use protocol::{
    mysql::{
        auth::Nonce,
        capabilities::{CapabilityFlags, MariaDbFlags, StatusFlags},
        compress::{Algorithm, Side},
        handshake::{self, ChangeUser, Greeting, HandshakeResponse},
        packet::{self, Header, Packet},
        reply::OkPacket,
    },
    reader::DecodeError,
};
use serving::{
    arrivals::FIRST_BYTE_TIMEOUT,
    config::ListenConfig,
    context::{Attempt, Place, note_client},
    error::{ClientError, LoginFailure, SessionError},
};
use tokio::{io::AsyncReadExt as _, time::timeout};

use self::{
    account::{Account, Choice},
    dance::{Dance, First, Verdict, next_packet},
    refusal::{Refusal, bad_handshake, explain, hang_up, refusal, wants_compression},
};
use super::{
    Context,
    cancel::{Thread, ThreadId},
    database::Database,
    wire_error,
};

/// The longest HandshakeResponse or COM_CHANGE_USER: connection attributes have 64 KiB, names a few bytes.
const MAX_LOGIN_PACKET: usize = 80 * 1024;

/// What a connection turned out to be.
#[derive(Debug)]
pub(super) enum Opened {
    /// Gone before it said anything, as load balancers' checks are.
    Nothing,
    /// A client that has logged in, and its place among the others.
    Client(Box<Client>, Place),
}

/// A client that has logged in and been told that it may begin.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) framed: Framed,
    /// What it asked for of what we offered.
    pub(super) capabilities: CapabilityFlags,
    /// The same of what MariaDB has beyond that.
    pub(super) extended: MariaDbFlags,
    /// Its collation; only the low byte is in a login.
    pub(super) collation: u16,
    pub(super) user: String,
    pub(super) database: Arc<Database>,
    /// The schema that it asked for, where that is not the name of a config.
    pub(super) schema: Option<String>,
    /// The nonce it was given last.
    pub(super) scramble: Nonce,
    /// Its thread id, by which others can kill it.
    pub(super) thread: Thread,
}

/// A client that has logged in anew on the connection it had.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) user: String,
    pub(super) database: Arc<Database>,
    /// As in [`Client`].
    pub(super) schema: Option<String>,
    /// All of it; `None` when the client did not say.
    pub(super) collation: Option<u16>,
}

/// What became of a COM_CHANGE_USER.
#[derive(Debug)]
pub(super) enum Change {
    /// It is another client's connection now.
    Done(Box<Changed>),
    /// It was refused with this ERR packet, and is the one's that it was.
    Refused(Bytes),
}

/// What becomes of a connection whose login is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusing {
    /// It ends.
    HangsUp,
    /// It goes on as what it was (MariaDB: COM_CHANGE_USER).
    GoesOn,
}

/// Brings a connection from our greeting to a login.
pub(super) async fn open(
    stream: Stream,
    listen: &ListenConfig,
    context: &Context,
) -> Result<Opened, SessionError> {
    let id = context.threads.issue();
    let host = host(&stream);
    // Only while the process is starting.
    let databases = context.directory.all();
    for database in &databases {
        database.catalog.begun().await;
    }
    let greeting = offer::greeting(listen, &databases, (id.get(), nonce()));
    let (mut framed, first) = match greet(stream, &greeting, listen).await? {
        Greeted::Left => return Ok(Opened::Nothing),
        Greeted::Answered(framed, first) => (framed, first),
    };
    let sequence = first.last_sequence.wrapping_add(1);
    if listen.require_tls && !framed.stream().is_encrypted() {
        let error = ClientError::TlsRequired.into();
        explain(&mut framed, &error, (CapabilityFlags::CLIENT_PROTOCOL_41, sequence)).await;
        return Err(error);
    }
    let response = match HandshakeResponse::decode(&first.payload, greeting.capabilities) {
        Ok(response) => response,
        Err(error) => return Err(bad_handshake(&mut framed, sequence, error).await),
    };
    if handshake::wants(&first.payload).intersects(offer::COMPRESSION - greeting.capabilities) {
        return Err(wants_compression(&mut framed, sequence).await);
    }
    let claim = Claim {
        user: response.user,
        schema: response.database,
        plugin: response.plugin,
        response: response.auth,
        is_guess: false,
    };
    let (capabilities, nonce) = (response.capabilities, greeting.scramble);
    let extended = response.extended & greeting.extended;
    let compression = Algorithm::agreed(capabilities, response.zstd_level);
    let refusing = Refusing::HangsUp;
    let login = Login { claim, capabilities, nonce, sequence, host, refusing };
    let known = match login.authenticate(&mut framed, context).await? {
        Ok(known) => known,
        Err(refusal) => return Err(refusal.error.into()),
    };
    let place = match context.common.place() {
        Ok(place) => place,
        Err(error) => {
            let error = error.into();
            explain(&mut framed, &error, (capabilities, known.sequence)).await;
            return Err(error);
        }
    };
    let mut client = known.welcome(framed, (capabilities, response.collation), id).await?;
    client.extended = extended;
    if let Some(algorithm) = compression {
        client.framed = client.framed.compressed(algorithm, Side::Server);
    }
    Ok(Opened::Client(Box::new(client), place))
}

/// Tells a connection why it is not served, where the greeting would be.
pub(super) async fn refuse(stream: Stream, error: ClientError) -> Result<(), SessionError> {
    let mut framed = Framed::new(stream);
    wire_error::put(error, CapabilityFlags::empty(), &mut 0, framed.queue());
    framed.shutdown().await.map_err(SessionError::ClientLost)
}

/// Logs a client in anew (COM_CHANGE_USER). `body` is what follows the command byte, `sequence` the id of our
/// answer, `nonce` the last one that the client was given, which may be another one afterwards. A client that is
/// refused was told why; where the connection is to end then, as in MySQL (`dispatch_command`), that is an error.
pub(super) async fn change_user(
    framed: &mut Framed,
    (capabilities, nonce): (CapabilityFlags, &mut Nonce),
    (body, sequence, refusing): (&[u8], u8, Refusing),
    context: &Context,
) -> Result<Change, SessionError> {
    let request = match ChangeUser::decode(body, capabilities) {
        Ok(request) => request,
        Err(error) => return Err(bad_handshake(framed, sequence, error).await),
    };
    let claim = Claim {
        user: request.user,
        schema: request.database,
        plugin: request.plugin,
        response: request.auth,
        // Drivers differ in which nonce they take after an AuthSwitch.
        is_guess: true,
    };
    let host = host(framed.stream());
    let login = Login { claim, capabilities, nonce: *nonce, sequence, host, refusing };
    let limit = context.common.listen().login_timeout;
    let known = timeout(limit, login.authenticate(framed, context))
        .await
        .map_err(|_elapsed| SessionError::LoginTimedOut)??;
    let known = match known {
        Ok(known) => known,
        Err(refusal) if refusing == Refusing::GoesOn => {
            *nonce = refusal.nonce;
            return Ok(Change::Refused(refusal.packet));
        }
        Err(refusal) => return Err(refusal.error.into()),
    };
    *nonce = known.nonce;
    known.put_ok(framed, capabilities);
    framed.flush().await.map_err(SessionError::ClientLost)?;
    let Authenticated { user, database, schema, .. } = known;
    let changed = Changed { user, database, schema, collation: request.collation };
    Ok(Change::Done(Box::new(changed)))
}

/// What became of a greeting.
enum Greeted {
    /// Nobody answered.
    Left,
    /// The stream, within TLS if the client wanted that, and the HandshakeResponse.
    Answered(Framed, Packet),
}

/// Sends the greeting, does the TLS handshake of a client that asks for it, and reads the HandshakeResponse.
async fn greet(
    stream: Stream,
    greeting: &Greeting,
    listen: &ListenConfig,
) -> Result<Greeted, SessionError> {
    let mut framed = Framed::new(stream);
    let mut payload = BytesMut::new();
    greeting.encode(&mut payload);
    packet::put(framed.queue(), &mut 0, &payload);
    framed.flush().await.map_err(SessionError::ClientLost)?;
    let mut stream = framed.into_parts().stream;
    let Some(first) = first_packet(&mut stream).await? else { return Ok(Greeted::Left) };
    let Some(tls) = listen.tls.as_ref().filter(|_| asks_for_tls(&first)) else {
        return Ok(Greeted::Answered(Framed::new(stream), first));
    };
    let mut tls = rustls::ServerConfig::clone(tls);
    // MySQL has no name in ALPN, and the listener's other protocol has.
    tls.alpn_protocols.clear();
    // A client goes on with its ClientHello at once. Whatever stands behind the SSLRequest is taken for that and
    // for nothing else, so nothing that was slipped in there is taken for the client's own words.
    let stream = net::tls::accept(stream, Arc::new(tls)).await.map_err(SessionError::ClientTls)?;
    let mut framed = Framed::new(stream);
    // Some tools set up TLS for a driver that knows nothing of it: CLIENT_SSL may be unset in here.
    let response = next_packet(&mut framed, MAX_LOGIN_PACKET).await?;
    Ok(Greeted::Answered(framed, response))
}

fn asks_for_tls(first: &Packet) -> bool {
    handshake::ssl_request(&first.payload).is_some()
}

/// The client's first packet and not a byte more: TLS may begin behind it. `None` when the client left before
/// it began one.
async fn first_packet(stream: &mut Stream) -> Result<Option<Packet>, SessionError> {
    let mut header = [0; packet::HEADER_LEN];
    // One byte alone, to tell a client that says nothing from one that breaks off.
    let first = timeout(FIRST_BYTE_TIMEOUT, stream.read(&mut header[..1])).await;
    let first = first.map_err(|_elapsed| SessionError::LoginTimedOut)?;
    if first.map_err(SessionError::ClientLost)? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut header[1..]).await.map_err(SessionError::ClientLost)?;
    let header =
        Header::peek(&header).ok_or(SessionError::ClientProtocol(DecodeError::Truncated))?;
    if header.len > MAX_LOGIN_PACKET {
        let length = u32::try_from(header.len).unwrap_or(u32::MAX);
        return Err(SessionError::ClientProtocol(DecodeError::Length(length)));
    }
    let mut payload = vec![0; header.len];
    stream.read_exact(&mut payload).await.map_err(SessionError::ClientLost)?;
    let sequence = header.sequence;
    Ok(Some(Packet { sequence, last_sequence: sequence, payload: payload.into() }))
}

/// What a client claims.
struct Claim<'a> {
    user: &'a [u8],
    schema: Option<&'a [u8]>,
    plugin: Option<&'a [u8]>,
    response: &'a [u8],
    is_guess: bool,
}

/// A connection that wants to log in.
struct Login<'a> {
    claim: Claim<'a>,
    capabilities: CapabilityFlags,
    nonce: Nonce,
    sequence: u8,
    /// Where the client is, for the words of a refusal.
    host: String,
    refusing: Refusing,
}

/// A connection that has proved to know a password.
struct Authenticated {
    user: String,
    database: Arc<Database>,
    schema: Option<String>,
    nonce: Nonce,
    sequence: u8,
}

impl Login<'_> {
    /// Checks user and password, and finds the database. An unknown name is not told apart from a wrong
    /// password, and that a database must be named only once a password was right.
    async fn authenticate(
        self,
        framed: &mut Framed,
        context: &Context,
    ) -> Result<Result<Authenticated, Refusal>, SessionError> {
        let user = String::from_utf8_lossy(self.claim.user).into_owned();
        let schema = self.claim.schema.map(String::from_utf8_lossy);
        let address = framed.stream().client_address();
        let attempt =
            Attempt { address, user: &user, database: schema.as_deref().unwrap_or_default() };
        if let Err(error) = context.common.turn(&attempt).await {
            let error = error.into();
            explain(framed, &error, (self.capabilities, self.sequence)).await;
            return Err(error);
        }
        let choice = Choice::of(&context.directory, &user, schema.as_deref());
        let account = Account::of(&choice, &user, &context.directory);
        let (plugin, response) = (self.claim.plugin, self.claim.response);
        let mut dance = Dance {
            framed,
            sequence: self.sequence,
            capabilities: self.capabilities,
            nonce: self.nonce,
            account: &account,
            vault: &context.vault,
        };
        let first = First { plugin, response, is_guess: self.claim.is_guess };
        let verdict = match dance.run(first).await {
            Ok(verdict) => verdict,
            Err(error) => {
                let sequence = dance.sequence;
                explain(framed, &error, (self.capabilities, sequence)).await;
                return Err(error);
            }
        };
        let (sequence, nonce) = (dance.sequence, dance.nonce);
        let (error, packet) = match (verdict, choice) {
            (Verdict::Proven, Choice::Database(database, schema)) => {
                let refusal = match &schema {
                    Some(schema) => schema::refusal(&database, schema).await,
                    None => None,
                };
                let Some(packet) = refusal else {
                    note_client(&user, &database.config.name);
                    return Ok(Ok(Authenticated { user, database, schema, nonce, sequence }));
                };
                tracing::info!(?schema, "the origin refuses the schema of a login");
                (ClientError::UnknownDatabase, packet)
            }
            (verdict, choice) => {
                let why = match verdict {
                    Verdict::Proven => LoginFailure::UnknownDatabase,
                    Verdict::NoMethod => LoginFailure::NoMethod,
                    Verdict::Refused { .. } if account.is_known() => LoginFailure::WrongPassword,
                    Verdict::Refused { .. } => LoginFailure::UnknownUser,
                };
                context.common.login_failed(why, &attempt);
                refusal(verdict, &choice, (&user, &self.host), self.capabilities)
            }
        };
        packet::put(framed.queue(), &mut { sequence }, &packet);
        match self.refusing {
            Refusing::HangsUp => hang_up(framed).await,
            Refusing::GoesOn => framed.flush().await.map_err(SessionError::ClientLost)?,
        }
        Ok(Err(Refusal { error, packet, nonce }))
    }
}

impl Authenticated {
    /// Tells the client that it may begin.
    async fn welcome(
        self,
        mut framed: Framed,
        (capabilities, collation): (CapabilityFlags, u16),
        id: ThreadId,
    ) -> Result<Client, SessionError> {
        self.put_ok(&mut framed, capabilities);
        framed.flush().await.map_err(SessionError::ClientLost)?;
        let thread = id.serve(&self.database);
        let Self { user, database, schema, nonce: scramble, .. } = self;
        Ok(Client {
            framed,
            capabilities,
            extended: MariaDbFlags::empty(),
            collation,
            user,
            database,
            schema,
            scramble,
            thread,
        })
    }

    fn put_ok(&self, framed: &mut Framed, capabilities: CapabilityFlags) {
        let status = StatusFlags::SERVER_STATUS_AUTOCOMMIT;
        let ok = OkPacket { status, ..OkPacket::default() };
        let mut payload = BytesMut::new();
        ok.encode(0x00, capabilities, &mut payload);
        let mut sequence = self.sequence;
        packet::put(framed.queue(), &mut sequence, &payload);
    }
}

/// Random bytes for a proof. Clients may take them for text, so there is no zero byte, and none that
/// MySQL leaves out (`generate_user_salt`).
fn nonce() -> Nonce {
    let mut nonce: Nonce = rand::random();
    for byte in &mut nonce {
        *byte &= 0x7f;
        if matches!(byte, 0 | b'$') {
            *byte += 1;
        }
    }
    nonce
}

/// Where a client is, as far as we know.
fn host(stream: &Stream) -> String {
    let address = stream.client_address();
    address.map_or_else(|| String::from("localhost"), |address| address.to_string())
}
