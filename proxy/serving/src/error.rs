//! Why a session ended, whose doing it was, and what a client may be told.

use std::io;

use cache::peers::Untold;
use protocol::{mysql::exchange, postgres::pipeline, reader::DecodeError};

/// Why a session ended early.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The client's connection broke.
    #[error("client connection lost")]
    ClientLost(#[source] io::Error),
    /// The client and we could not agree on TLS, or it takes our certificate for nobody's.
    #[error("TLS with the client failed")]
    ClientTls(#[source] io::Error),
    /// The client left its replies unread for too long while it held a backend.
    #[error("client does not read its replies")]
    ClientStuck,
    /// The client took too long to log in.
    #[error("login timed out")]
    LoginTimedOut,
    /// The client had not logged in, and there were too many of its kind.
    #[error("client made room for others before it had logged in")]
    PushedOut,
    /// The client sent what is not a message of the protocol.
    #[error("client broke the protocol")]
    ClientProtocol(#[source] DecodeError),
    /// The client was told why and cannot go on.
    #[error("client refused: {0}")]
    Refused(#[from] ClientError),
    /// The origin ended the connection; the client heard its last word.
    #[error("backend connection lost")]
    BackendLost(#[source] io::Error),
    /// The origin sent what is not a message of the protocol.
    #[error("backend broke the protocol")]
    BackendProtocol(#[source] DecodeError),
    /// The origin sent what it did not owe.
    #[error("backend out of step")]
    Desync(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A bug of ours: something was to be done with a backend, and the session has none.
    #[error("a bug: no backend to {0}")]
    Unheld(&'static str),
    /// The process ends.
    #[error("proxy is shutting down")]
    ShutDown,
}

/// Whose doing it was. Decides the log level and the metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The origin, or the way to it.
    Backend,
    /// The client.
    Client,
    /// Ourselves.
    Proxy,
}

impl SessionError {
    /// Whether an operator wants to know, though the client is to blame: it was refused something, and that was not
    /// said where it was found out.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(error) => {
                use ClientError::{
                    AccessDenied, TooManyConnections, TooManyOfDatabase, TooManyOfUser,
                    UnknownDatabase,
                };
                !matches!(
                    error,
                    AccessDenied
                        | TooManyConnections
                        | TooManyOfDatabase
                        | TooManyOfUser
                        | UnknownDatabase
                )
            }
            Self::ClientTls(_) | Self::ClientStuck => true,
            _ => false,
        }
    }

    /// Whose doing it was.
    pub fn blame(&self) -> Blame {
        match self {
            Self::ClientLost(_)
            | Self::ClientTls(_)
            | Self::ClientStuck
            | Self::LoginTimedOut
            | Self::PushedOut
            | Self::ClientProtocol(_) => Blame::Client,
            Self::Refused(error) => error.blame(),
            Self::BackendLost(_) | Self::BackendProtocol(_) | Self::Desync(_) => Blame::Backend,
            Self::Unheld(_) | Self::ShutDown => Blame::Proxy,
        }
    }

    /// What the client is told; `None` when it does not listen.
    pub fn told(&self) -> Option<ClientError> {
        match self {
            Self::ClientLost(_)
            | Self::ClientTls(_)
            | Self::ClientStuck
            | Self::LoginTimedOut
            | Self::PushedOut => None,
            Self::ClientProtocol(_) => Some(ClientError::Malformed),
            Self::Refused(error) => Some(*error),
            Self::BackendLost(error) if is_untold(error) => Some(ClientError::WriteUntold),
            Self::BackendLost(_) | Self::BackendProtocol(_) | Self::Desync(_) => {
                Some(ClientError::BackendLost)
            }
            Self::Unheld(_) => Some(ClientError::Internal),
            Self::ShutDown => Some(ClientError::ShuttingDown),
        }
    }
}

/// What an announcement that came to nothing is to the connection whose bytes waited for it.
pub fn untold(untold: Untold) -> io::Error {
    io::Error::other(untold)
}

/// Whether nothing was written because a write could not be announced.
fn is_untold(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|error| error.is::<Untold>())
}

impl From<exchange::Desync> for SessionError {
    fn from(desync: exchange::Desync) -> Self {
        Self::Desync(Box::new(desync))
    }
}

impl From<pipeline::Desync> for SessionError {
    fn from(desync: pipeline::Desync) -> Self {
        Self::Desync(Box::new(desync))
    }
}

/// Why a login came to nothing: for the log and the metrics. A client is told less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginFailure {
    /// Nobody has this name.
    UnknownUser,
    /// Somebody has, and another password.
    WrongPassword,
    /// The password was right, and there is no such database.
    UnknownDatabase,
    /// The password was right, and the database has no such user.
    NotAllowed,
    /// The client's idea of the channel is not ours: somebody is in between, or it is wrong.
    ChannelBinding,
    /// What the client sent is no step of a login.
    Malformed,
    /// It has no method of authentication that we have.
    NoMethod,
}

impl LoginFailure {
    /// Each of them, in the order of their counters.
    pub const ALL: [Self; 7] = [
        Self::UnknownUser,
        Self::WrongPassword,
        Self::UnknownDatabase,
        Self::NotAllowed,
        Self::ChannelBinding,
        Self::Malformed,
        Self::NoMethod,
    ];

    /// The word in the log and in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::UnknownUser => "unknown_user",
            Self::WrongPassword => "wrong_password",
            Self::UnknownDatabase => "unknown_database",
            Self::NotAllowed => "not_a_user_of_the_database",
            Self::ChannelBinding => "channel_binding",
            Self::Malformed => "malformed",
            Self::NoMethod => "no_method",
        }
    }

    /// Whether somebody may have guessed.
    pub const fn is_guess(self) -> bool {
        matches!(self, Self::UnknownUser | Self::WrongPassword)
    }
}

/// Everything the proxy may say to a client in its own voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// Wrong user, password or channel binding; which one is not said.
    #[error("password authentication failed")]
    AccessDenied,
    /// No connection to the origin; the word says what refused.
    #[error("Server connection attempt failed: {0}")]
    Connect(&'static str),
    /// The connection to the origin ended in mid-statement.
    #[error("server closed the connection unexpectedly")]
    BackendLost,
    /// No connection within the checkout timeout.
    #[error("Failed to acquire a connection from the pool.")]
    CheckoutTimeout,
    /// Silent for too long with a transaction open.
    #[error("terminating connection due to idle-in-transaction timeout")]
    IdleInTransaction,
    /// The client was idle for longer than its `idle_session_timeout`.
    #[error("terminating connection due to idle-session timeout")]
    IdleSession,
    /// A bug of ours.
    #[error("Internal error.")]
    Internal,
    /// Another client killed this one's connection.
    #[error("Connection was killed")]
    Killed,
    /// The client's bytes are not the protocol.
    #[error("invalid message: the client does not speak the protocol correctly")]
    Malformed,
    /// A prepared statement has other rows than its client was told, and the statements sent with it may have run.
    #[error("cached plan must not change result type")]
    PlanChanged,
    /// A setting of the client's session could not be given to the backend that was to serve it.
    #[error("a setting of this session could not be restored on another server connection")]
    SettingLost,
    /// The process ends.
    #[error("terminating connection: the proxy is shutting down")]
    ShuttingDown,
    /// The statement ran longer than the config allows.
    #[error("canceling statement due to the statement timeout of the proxy")]
    StatementTimeout,
    /// Another client ended this one's session.
    #[error("terminating connection due to administrator command")]
    Terminated,
    /// The client came without TLS, and the config wants it.
    #[error("the proxy accepts connections with TLS only")]
    TlsRequired,
    /// One network failed too often with this user.
    #[error("too many failed logins of this user from this address, try again in a minute")]
    TooManyFailures,
    /// More clients than `max_clients`.
    #[error("sorry, too many clients already")]
    TooManyConnections,
    /// More clients of one user than its `max_connections`.
    #[error("too many connections of this user")]
    TooManyOfUser,
    /// More clients of one database than its `max_clients`.
    #[error("too many connections to this database of the proxy")]
    TooManyOfDatabase,
    /// No config of that name.
    #[error("database does not exist: the proxy has no configuration of this name")]
    UnknownDatabase,
    /// Something a pooling proxy cannot do.
    #[error("{0} is not supported through the proxy")]
    Unsupported(&'static str),
    /// A message longer than the proxy collects.
    #[error(
        "the message is longer than the proxy accepts (16 MiB for a statement, 64 MiB for values)"
    )]
    StatementTooLong,
    /// The nodes that share the cache could not be told of a write, and so it was not sent.
    #[error(
        "the write was not sent: the cluster's tier could not be told of it within write_wait; try again, or see [cluster] of \
         Jumpgate's config"
    )]
    WriteUntold,
    /// No memory for another prepared statement.
    #[error(
        "out of memory: what all clients have prepared may take an eighth of Jumpgate's [cache] capacity_bytes; \
         deallocate statements, or raise it"
    )]
    OutOfMemory,
}

impl ClientError {
    fn blame(self) -> Blame {
        match self {
            Self::Connect(_) | Self::BackendLost | Self::PlanChanged | Self::SettingLost => {
                Blame::Backend
            }
            Self::Internal | Self::ShuttingDown | Self::WriteUntold => Blame::Proxy,
            Self::AccessDenied
            | Self::CheckoutTimeout
            | Self::IdleInTransaction
            | Self::IdleSession
            | Self::Killed
            | Self::Malformed
            | Self::StatementTimeout
            | Self::Terminated
            | Self::TooManyConnections
            | Self::TooManyOfUser
            | Self::TooManyOfDatabase
            | Self::TlsRequired
            | Self::TooManyFailures
            | Self::UnknownDatabase
            | Self::Unsupported(_)
            | Self::StatementTooLong
            | Self::OutOfMemory => Blame::Client,
        }
    }
}
