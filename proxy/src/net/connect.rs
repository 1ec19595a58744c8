//! Why no connection to an origin could be opened: the words are the same for every engine.
//!
//! Dialing is in [`dial`](super::dial), logging in is each engine's own `origin`.

use std::{io, sync::Arc};

use parking_lot::Mutex;
use protocol::reader::DecodeError;
use tokio::time::Instant;

use super::dial::DialError;
use crate::observe::DatabaseMetrics;

/// Why no connection to the origin could be opened, by layer. Cheap to clone: every waiter is told.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nothing to log in to: DNS, TCP, Access or the tunnel.
    #[error("the origin cannot be reached")]
    Dial(#[source] Arc<DialError>),
    /// The whole attempt took too long.
    #[error("the origin did not finish the login in time")]
    TimedOut,
    /// The database does not offer TLS.
    #[error("the database does not offer TLS")]
    TlsRequired,
    /// The config asks for compression that the database does not do.
    #[error(
        "the database does not offer compression with {0}, which `compression` of [database.origin] asks for \
         (MariaDB has zlib alone; MySQL goes by its protocol_compression_algorithms)"
    )]
    CompressionNotOffered(&'static str),
    /// The database's certificate is not one we trust.
    #[error("the database's certificate was refused")]
    Certificate(#[source] Arc<io::Error>),
    /// The connection broke before the login ended.
    #[error("the connection broke during login")]
    Lost(#[source] Arc<io::Error>),
    /// The database does not accept our credentials, or asks for a method we do not do here.
    #[error("the database refused the login: {0}")]
    Authentication(String),
    /// Somebody whose certificate we do not verify asks for the password in a form that would give it away.
    #[error(
        "the database asks for the password {0}, and its certificate is not verified: it could be anybody \
         (sslmode = \"verify-full\" or \"verify-ca\" with ca_certificate verifies it)"
    )]
    Unverified(&'static str),
    /// The database refused us for another reason, in its own words.
    #[error("the database refused the connection: {message} ({sqlstate})")]
    Refused {
        /// MySQL's error number, which its drivers go by; PostgreSQL has none.
        errno: Option<u16>,
        /// The SQLSTATE.
        sqlstate: String,
        /// The primary message.
        message: String,
    },
    /// What it said is not the protocol.
    #[error("the origin does not speak its protocol correctly")]
    Protocol(#[source] DecodeError),
    /// An idle connection was found closed, or past its lifetime.
    #[error("the idle connection had ended")]
    Ended,
}

impl ConnectError {
    /// Whether Access or the database knows who we are and said no.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Authentication(_) | Self::Unverified(_) => true,
            Self::Dial(error) => {
                matches!(**error, DialError::Tunnel(tunnel::client::DialError::Access { .. }))
            }
            _ => false,
        }
    }

    /// The word of `Server connection attempt failed: …`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Dial(error) => match &**error {
                DialError::Dns { .. } => "dns_failure",
                DialError::Refused { .. } => "connection_refused",
                DialError::TimedOut { .. } => "connection_timed_out",
                DialError::Unreachable { .. } => "origin_unreachable",
                DialError::Tunnel(error) => match error.word() {
                    "timed_out" => "connection_timed_out",
                    word => word,
                },
            },
            Self::TimedOut => "connection_timed_out",
            Self::TlsRequired => "tls_required",
            Self::Certificate(_) => "bad_certificate",
            Self::Authentication(_) | Self::Unverified(_) => "authentication_failed",
            Self::CompressionNotOffered(_)
            | Self::Lost(_)
            | Self::Refused { .. }
            | Self::Protocol(_)
            | Self::Ended => "origin_unreachable",
        }
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Lost(Arc::new(error))
    }
}

impl From<DecodeError> for ConnectError {
    fn from(error: DecodeError) -> Self {
        Self::Protocol(error)
    }
}

/// How an origin has received us lately: what is told once, and not with each attempt.
#[derive(Debug, Default)]
pub(crate) struct Reception(Mutex<Option<Outage>>);

/// No connection could be opened since.
#[derive(Debug)]
struct Outage {
    reason: &'static str,
    since: Instant,
    attempts: u64,
}

impl Reception {
    /// Times a connection that was opened, and logs why one was not, where that is news.
    pub(crate) fn note<T>(
        &self,
        opened: &Result<T, ConnectError>,
        began: Instant,
        database: &str,
        metrics: &DatabaseMetrics,
    ) {
        let mut outage = self.0.lock();
        match opened {
            Ok(_) => {
                metrics.connect_seconds.observe(began.elapsed().as_secs_f64());
                if let Some(Outage { since, attempts, .. }) = outage.take() {
                    let seconds = since.elapsed().as_secs();
                    tracing::info!(%database, attempts, seconds, "origin connections open again");
                }
            }
            Err(error) => {
                let reason = error.word();
                metrics.failures.connect(reason);
                let error = error as &dyn std::error::Error;
                let known = outage.get_or_insert(Outage { reason: "", since: began, attempts: 0 });
                known.attempts += 1;
                if known.reason == reason {
                    let attempts = known.attempts;
                    tracing::debug!(%database, reason, error, attempts, "origin connection failed");
                } else {
                    known.reason = reason;
                    tracing::warn!(%database, reason, error, "origin connection failed");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fmt, sync::Arc};

    use tracing::{Event, Level, Metadata, Subscriber, field::Visit, span};

    use super::*;
    use crate::observe::Metrics;

    /// Counts events by their level.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<(Level, String)>>>);

    struct Words(String);

    impl Visit for Words {
        fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
            if matches!(field.name(), "message" | "attempts") {
                self.0 = format!("{} {value:?}", self.0).trim().to_owned();
            }
        }
    }

    impl Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &Event<'_>) {
            let mut words = Words(String::new());
            event.record(&mut words);
            self.0.lock().push((*event.metadata().level(), words.0));
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    /// FAULTS row 57: thousands of failures are one line, and their number.
    #[test]
    fn an_outage_is_told_when_it_begins_and_when_it_ends() {
        let (log, reception) = (Log::default(), Reception::default());
        let metrics = Metrics::new().database("app");
        let note = |opened: Result<(), ConnectError>| {
            reception.note(&opened, Instant::now(), "app", &metrics);
        };
        tracing::subscriber::with_default(log.clone(), || {
            note(Ok(()));
            for _ in 0..1000 {
                note(Err(ConnectError::TimedOut));
            }
            for _ in 0..1000 {
                note(Err(ConnectError::TlsRequired));
            }
            note(Ok(()));
            note(Ok(()));
        });
        let told = log.0.lock();
        let told = told.iter().filter(|(level, _)| *level <= Level::INFO);
        let told = told.map(|(_, words)| words.as_str()).collect::<Vec<_>>();
        let failed = "origin connection failed";
        assert_eq!(told, [failed, failed, "origin connections open again 2000"]);
    }
}
