//! `jumpgate check NAME`: the whole way to a database, step by step, with a remedy where it ends.
//!
//! Round trips are counted, not captured: a step's time in that of one round trip. Up to the edge, or to a database
//! without a tunnel, that is the time of the TCP connection. Behind it the faster of two queries is one, as the
//! connector's leg is in it. A step that computes (a password's hash, a certificate) shows parts of one.

mod mysql;
mod postgres;
mod step;
mod tunnel;

use std::time::Duration;

use tokio::time::Instant;

pub use self::step::{Obstacle, Step, Took};
use self::step::{RoundTrips, milliseconds};
use crate::{
    config::{DatabaseConfig, Dial, Engine, OriginTls},
    net::{DialError, Stream, dial},
    report::chain,
};

const DNS: &str = "DNS";
const TCP: &str = "TCP";
const DATABASE_TLS: &str = "database TLS";
const LOGIN: &str = "login";
const QUERY: &str = "query";

/// The steps that were taken; the last one says where the way ends.
#[derive(Debug, Default)]
pub struct Walk {
    steps: Vec<Step>,
    round_trips: RoundTrips,
    took: Duration,
}

impl Walk {
    /// Walks as far as it goes.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, its connection is closed.
    pub async fn to(database: &DatabaseConfig) -> Self {
        let (mut walk, started) = (Self::default(), Instant::now());
        if let Some(stream) = walk.reach(database).await {
            let (origin, timeout) = (&database.origin, database.pool.connect_timeout);
            match database.engine {
                Engine::Postgres => postgres::log_in(&mut walk, stream, origin, timeout).await,
                Engine::MySql => mysql::log_in(&mut walk, stream, origin, timeout).await,
            }
        }
        walk.took = started.elapsed();
        walk
    }

    /// Every step, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether the last step was the query, and it was answered.
    pub fn is_complete(&self) -> bool {
        self.steps.iter().all(|step| step.outcome.is_ok())
    }

    /// What a person reads: a line for each step, remedies, and a verdict.
    pub fn lines(&self) -> Vec<String> {
        let steps = self.steps.iter().flat_map(|step| step.lines(self.round_trips));
        let mut lines: Vec<_> = steps.collect();
        if self.round_trips.is_any_short() {
            lines.push(String::from(
                "Round trips of less than 1 ms are not counted: computing takes longer than they do.",
            ));
        }
        let total = milliseconds(self.took);
        let end = self.steps.iter().find(|step| step.outcome.is_err());
        lines.push(match (end, self.round_trips.far) {
            (Some(step), _) => format!("Total {total}. The way ends here: {}.", step.name),
            (None, Some(query)) => {
                let query = milliseconds(query);
                format!("Total {total}. Everything works. A query costs {query} (1 round trip).")
            }
            (None, None) => format!("Total {total}. Everything works."),
        });
        lines
    }

    fn passed(&mut self, name: &'static str, detail: impl Into<String>, took: Took) {
        self.steps.push(Step { name, outcome: Ok(detail.into()), took });
    }

    fn stopped(&mut self, name: &'static str, reason: String, remedy: &'static str, took: Took) {
        self.steps.push(Step { name, outcome: Err(Obstacle { reason, remedy }), took });
    }

    /// The database's TLS is complete, unless the config goes without.
    fn passed_tls(&mut self, tls: &OriginTls, took: Duration) {
        match tls {
            OriginTls::Plaintext => {
                self.passed(DATABASE_TLS, "none, as the config says", Took::Untimed);
            }
            OriginTls::Required { .. } => self.passed(DATABASE_TLS, "", Took::Far(took)),
        }
    }

    /// A query was answered twice; the faster time is that of a round trip.
    fn passed_query(&mut self, detail: String, times: [Duration; 2]) {
        let [first, second] = times;
        let faster = first.min(second);
        self.round_trips.far = Some(faster);
        self.passed(QUERY, detail, Took::Far(faster));
    }

    /// Opens the stream, directly or through the tunnel.
    async fn reach(&mut self, database: &DatabaseConfig) -> Option<Stream> {
        let timeout = database.pool.connect_timeout;
        match &database.origin.dial {
            Dial::Tcp { host, port } => {
                self.reach_directly(host, *port, Instant::now() + timeout).await
            }
            Dial::Tunnel(client) => tunnel::reach(self, client, timeout).await,
            #[cfg(test)]
            Dial::Script(_) => None,
        }
    }

    async fn reach_directly(&mut self, host: &str, port: u16, deadline: Instant) -> Option<Stream> {
        let started = Instant::now();
        let resolved = dial::resolve(host, port, deadline).await;
        let took = Took::Alone(started.elapsed());
        let addresses = match resolved {
            Ok(addresses) => addresses,
            Err(error) => {
                let remedy = "Check origin.host and the resolver of this machine.";
                self.stopped(DNS, chain(&error), remedy, took);
                return None;
            }
        };
        let shown: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        self.passed(DNS, format!("{host} is {}", shown.join(", ")), took);
        let started = Instant::now();
        let connected = dial::connect(&addresses, deadline).await?;
        let took = started.elapsed();
        self.round_trips.near = Some(took);
        match connected {
            Ok(stream) => {
                let peer = stream.peer_addr().map_or_else(|_| host.to_owned(), |a| a.to_string());
                self.passed(TCP, peer, Took::Near(took));
                Some(Stream::Tcp(stream))
            }
            Err(error) => {
                self.stopped(TCP, chain(&error), tcp_remedy(&error), Took::Alone(took));
                None
            }
        }
    }
}

/// What the steps behind the dial say of TLS, whatever the engine.
const CERTIFICATE_REMEDY: &str = "ca_certificate in [database.mtls] must be the CA that signed the database's certificate; \
     with sslmode = \"verify-full\" the certificate must carry origin.host, too.";
const UNVERIFIED_REMEDY: &str = "Say in [database.mtls] whose certificates to trust: sslmode = \"verify-full\" with \
     ca_certificate, or sslmode = \"verify-ca\" where the certificate does not carry origin.host. A database that keeps \
     its password for SCRAM never asks for it.";
const QUERY_REMEDY: &str = "The database accepted the login and then failed: see its log.";

fn tcp_remedy(error: &DialError) -> &'static str {
    match error {
        DialError::Refused { .. } => {
            "Nothing listens there: is the database up, and does it listen for this network? \
             Check origin.host and origin.port."
        }
        DialError::Dns { .. }
        | DialError::TimedOut { .. }
        | DialError::Unreachable { .. }
        | DialError::Tunnel(_) => {
            "A firewall or a missing route: a database in a private network needs a tunnel \
             (origin.access_client_id in place of origin.port)."
        }
    }
}

#[cfg(test)]
mod tests;
