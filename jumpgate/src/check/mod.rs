//! `jumpgate check NAME`: the whole way to a database, step by step, with a remedy where it ends.
//!
//! Round trips are counted, not captured: a step's time in that of one round trip. Up to the edge, or to a database
//! without a tunnel, that is the time of the TCP connection. Behind it the faster of two queries is one, as the
//! connector's leg is in it. A step that computes (a password's hash, a certificate) shows parts of one.

mod capture;
mod hosts;
mod mysql;
mod postgres;
mod step;
mod tunnel;
mod verdict;
mod walk;

use std::time::Duration;

use origin::net::{DialError, Stream, dial};
use serving::config::{DatabaseConfig, Dial, Engine, OriginConfig};
use tokio::time::Instant;

use self::walk::{DNS, TCP};
pub use self::{
    capture::capture,
    hosts::Walks,
    step::{Fault, Obstacle, Step, Took},
    verdict::reach,
    walk::Walk,
};
use crate::report::chain;

impl Walk {
    /// Walks to its first host as far as it goes.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, its connection is closed.
    pub async fn to(database: &DatabaseConfig) -> Self {
        Self::along(database, &database.origin).await
    }

    /// The same to the first host of `origin`.
    async fn along(database: &DatabaseConfig, origin: &OriginConfig) -> Self {
        let (mut walk, started) = (Self::default(), Instant::now());
        let timeout = database.pool.connect_timeout;
        if let Some(stream) = walk.reach(origin, timeout).await {
            match database.engine {
                Engine::Postgres => postgres::log_in(&mut walk, stream, origin, timeout).await,
                Engine::MySql => mysql::log_in(&mut walk, stream, origin, timeout).await,
            }
        }
        walk.took = started.elapsed();
        walk
    }

    /// Opens the stream, directly or through the tunnel.
    async fn reach(&mut self, origin: &OriginConfig, timeout: Duration) -> Option<Stream> {
        match &origin.dial {
            Dial::Tcp { host, port } => {
                self.reach_directly(host, *port, Instant::now() + timeout).await
            }
            Dial::Tunnel(client) => tunnel::reach(self, client, timeout).await,
            Dial::Peer(_) => dial(&origin.dial, timeout).await.ok(),
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
                let is_refused = matches!(error, DialError::Refused { .. });
                self.because(is_refused.then_some(Fault::Refused));
                None
            }
        }
    }
}

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
