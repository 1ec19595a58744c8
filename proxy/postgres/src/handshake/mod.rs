//! From a client's first byte to its login.
//!
//! ```text
//!   first byte 0x16 ──► direct TLS (ALPN postgresql) ─┐
//!   SSLRequest ──► S, TLS │ N ────────────────────────┤
//!   GSSENCRequest ──► N ──────────────────────────────┼──► StartupMessage ──► SCRAM ──► welcome ──► LoggedIn
//!   CancelRequest ──► Opened::Cancel ◄────────────────┘
//! ```
//!
//! Each step consumes the last, so that a [`LoggedIn`] without a checked password cannot be made. Nothing here
//! waits for the origin once its parameters are known. Up to the packet that says what is wanted it is
//! [`opening`]'s, from there [`login`]'s.

mod login;
mod opening;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use origin::net::{Framed, Stream};
use protocol::postgres::{
    encode::{self, Severity},
    startup::FirstPacket,
};
use serving::{
    activity::Seen,
    config::{CachingConfig, Limit, ListenConfig},
    context::Place,
    error::{ClientError, SessionError},
};

use self::{login::Login, opening::Opening};
use super::{
    Context, cancel::IssuedKey, database::Database, parameters::Parameters, settings::Settings,
    wire_error,
};

/// What a connection turned out to be.
pub(super) enum Opened {
    /// A request to cancel another connection's statement.
    Cancel { process: u32, secret: Vec<u8>, framed: Framed },
    /// A client that has logged in, and its place among the others.
    Client(Box<LoggedIn>, Place),
    /// Gone before it said anything, as load balancers' checks are.
    Nothing,
}

/// A client that has logged in and been told that it may begin.
pub(super) struct LoggedIn {
    pub(super) framed: Framed,
    pub(super) database: Arc<Database>,
    pub(super) key: IssuedKey,
    /// The settings that its startup packet asked for.
    pub(super) base: Arc<Settings>,
    /// What it was told of its settings.
    pub(super) parameters: Parameters,
    /// How long its statements may run.
    pub(super) statement_timeout: Limit,
    /// How long its reads live.
    pub(super) caching: Arc<CachingConfig>,
    /// As others see it.
    pub(super) seen: Seen,
}

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
            FirstPacket::Startup(_) if listen.require_tls && !opening.encrypted => {
                let error = ClientError::TlsRequired;
                hang_up(&mut opening.framed, error).await;
                return Err(error.into());
            }
            FirstPacket::Startup(startup) => {
                let login = Login { framed: opening.framed, startup, encrypted: opening.encrypted };
                let known = login.authenticate(listen, context).await?;
                let (client, place) = known.welcome(context).await?;
                return Ok(Opened::Client(Box::new(client), place));
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
