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
mod client;
mod dance;
mod greet;
mod login;
mod offer;
mod refusal;
mod schema;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use origin::net::{Framed, Stream};
use protocol::mysql::{
    auth::Nonce,
    capabilities::CapabilityFlags,
    compress::{Algorithm, Side},
    handshake::{self, ChangeUser, HandshakeResponse},
    packet,
};
use serving::{
    activity::Who,
    config::ListenConfig,
    context::Place,
    error::{ClientError, SessionError},
};
use tokio::time::timeout;

pub(super) use self::{client::Client, login::Refusing};
use self::{
    dance::nonce,
    greet::{Greeted, greet},
    login::{Authenticated, Claim, Login},
    refusal::{bad_handshake, explain, hang_up, no_place, wants_compression},
};
use super::{Context, database::Database, wire_error};

/// What a connection turned out to be.
#[derive(Debug)]
pub(super) enum Opened {
    /// Gone before it said anything, as load balancers' checks are.
    Nothing,
    /// A client that has logged in.
    Client(Box<Client>),
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

/// Brings a connection from our greeting to a login.
pub(super) async fn open(
    stream: Stream,
    listen: &ListenConfig,
    context: &Context,
) -> Result<Opened, SessionError> {
    let id = context.threads.issue();
    let host = host(&stream);
    // Only while the process is starting. Of many nobody waits for all.
    let databases = context.directory.all_of_few().unwrap_or_default();
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
    let place = match context.common.place(&known.database.config, &known.user) {
        Ok(place) => place,
        Err(error) => {
            let packet = no_place(error, (&known.user, &known.database.config), capabilities);
            packet::put(framed.queue(), &mut { known.sequence }, &packet);
            hang_up(&mut framed).await;
            return Err(error.into());
        }
    };
    let agreed = (capabilities, response.collation);
    let program = handshake::attributes(response.attributes)
        .map_while(Result::ok)
        .find(|(name, _)| *name == b"program_name")
        .map(|(_, program)| String::from_utf8_lossy(program));
    let who = Who::new(&known.user, program.as_deref());
    let seen = known.database.metrics.enter(who, framed.stream().client_peer());
    let mut client = known.welcome(framed, agreed, (id, place)).await?;
    client.extended = extended;
    client.seen = seen;
    if let Some(algorithm) = compression {
        client.framed = client.framed.compressed(algorithm, Side::Server);
    }
    Ok(Opened::Client(Box::new(client)))
}

/// Tells a connection why it is not served, where the greeting would be.
pub(super) async fn refuse(stream: Stream, error: ClientError) -> Result<(), SessionError> {
    let mut framed = Framed::new(stream);
    wire_error::put(error, CapabilityFlags::empty(), &mut 0, framed.queue());
    framed.shutdown().await.map_err(SessionError::ClientLost)
}

/// Logs a client in anew (COM_CHANGE_USER). `body` is what follows the command byte, `sequence` the id of our
/// answer, `nonce` the last one that the client was given, which may be another one afterwards, as may its `place`. A client that is
/// refused was told why; where the connection is to end then, as in MySQL (`dispatch_command`), that is an error.
pub(super) async fn change_user(
    framed: &mut Framed,
    (capabilities, nonce, place): (CapabilityFlags, &mut Nonce, Option<&mut Place>),
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
    let config = &known.database.config;
    if let Some(place) = place
        && let Err(error) = context.common.change(place, config, &known.user)
    {
        let packet = no_place(error, (&known.user, config), capabilities);
        packet::put(framed.queue(), &mut { known.sequence }, &packet);
        if refusing == Refusing::HangsUp {
            hang_up(framed).await;
            return Err(error.into());
        }
        framed.flush().await.map_err(SessionError::ClientLost)?;
        return Ok(Change::Refused(packet));
    }
    known.put_ok(framed, capabilities);
    framed.flush().await.map_err(SessionError::ClientLost)?;
    let Authenticated { user, database, schema, .. } = known;
    let changed = Changed { user, database, schema, collation: request.collation };
    Ok(Change::Done(Box::new(changed)))
}

/// Where a client is, as far as we know.
fn host(stream: &Stream) -> String {
    let address = stream.client_address();
    address.map_or_else(|| String::from("localhost"), |address| address.to_string())
}
