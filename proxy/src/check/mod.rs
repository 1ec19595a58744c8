//! `jumpgate check NAME`: the whole way to a database, step by step, with a remedy where it ends.

mod mysql;
mod postgres;

use std::{fmt, time::Duration};

use tokio::time::Instant;
use tunnel::client::DialError as TunnelError;

use crate::{
    config::{DatabaseConfig, Dial, Engine},
    net::{self, DialError, Stream, dial},
    report::chain,
};

/// One step of the way.
#[derive(Debug)]
pub struct Step {
    /// What was tried.
    pub name: &'static str,
    /// What came of it: a detail, or why it ended here.
    pub outcome: Result<String, Obstacle>,
    /// How long it took, where it was timed on its own.
    pub took: Option<Duration>,
}

/// Why the way ends, and what to do.
#[derive(Debug)]
pub struct Obstacle {
    /// What was seen.
    pub reason: String,
    /// What a person can do about it.
    pub remedy: &'static str,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let took = self
            .took
            .map_or_else(String::new, |took| format!("{:.1} ms", took.as_secs_f64() * 1000.0));
        match &self.outcome {
            Ok(detail) => write!(f, "  ✓ {:<18} {took:>10}  {detail}", self.name),
            Err(obstacle) => {
                writeln!(f, "  ✗ {:<18} {took:>10}  {}", self.name, obstacle.reason)?;
                write!(f, "      {}", obstacle.remedy)
            }
        }
    }
}

/// The steps that were taken; the last one says where the way ends.
#[derive(Debug, Default)]
pub struct Walk {
    steps: Vec<Step>,
}

impl Walk {
    /// Walks as far as it goes.
    pub async fn to(database: &DatabaseConfig) -> Self {
        let mut walk = Self::default();
        if let Some(stream) = walk.reach(database).await {
            let (origin, timeout) = (&database.origin, database.pool.connect_timeout);
            match database.engine {
                Engine::Postgres => postgres::log_in(&mut walk, stream, origin, timeout).await,
                Engine::MySql => mysql::log_in(&mut walk, stream, origin, timeout).await,
            }
        }
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

    fn passed(&mut self, name: &'static str, detail: impl Into<String>, took: Option<Duration>) {
        self.steps.push(Step { name, outcome: Ok(detail.into()), took });
    }

    fn stopped(
        &mut self,
        name: &'static str,
        reason: String,
        remedy: &'static str,
        took: Option<Duration>,
    ) {
        self.steps.push(Step { name, outcome: Err(Obstacle { reason, remedy }), took });
    }

    /// Opens the stream, directly or through the tunnel.
    async fn reach(&mut self, database: &DatabaseConfig) -> Option<Stream> {
        let timeout = database.pool.connect_timeout;
        match &database.origin.dial {
            Dial::Tcp { host, port } => {
                self.reach_directly(host, *port, Instant::now() + timeout).await
            }
            Dial::Tunnel(_) => self.reach_through_tunnel(&database.origin.dial, timeout).await,
        }
    }

    async fn reach_directly(&mut self, host: &str, port: u16, deadline: Instant) -> Option<Stream> {
        let started = Instant::now();
        let addresses = match dial::resolve(host, port, deadline).await {
            Ok(addresses) => addresses,
            Err(error) => {
                let remedy = "Check origin.host and the resolver of this machine.";
                self.stopped("DNS", chain(&error), remedy, Some(started.elapsed()));
                return None;
            }
        };
        let shown: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        self.passed("DNS", format!("{host} is {}", shown.join(", ")), Some(started.elapsed()));
        let started = Instant::now();
        match dial::connect(&addresses, deadline).await? {
            Ok(stream) => {
                let peer = stream.peer_addr().map_or_else(|_| host.to_owned(), |a| a.to_string());
                self.passed("TCP", peer, Some(started.elapsed()));
                Some(Stream::Tcp(stream))
            }
            Err(error) => {
                let remedy = tcp_remedy(&error);
                self.stopped("TCP", chain(&error), remedy, Some(started.elapsed()));
                None
            }
        }
    }

    async fn reach_through_tunnel(&mut self, dial: &Dial, timeout: Duration) -> Option<Stream> {
        let started = Instant::now();
        let dialled = net::dial(dial, timeout).await;
        let took = Some(started.elapsed());
        let (ends_at, error) = match dialled {
            Ok(stream) => {
                for name in [DNS, TCP, TLS, ACCESS] {
                    self.passed(name, "", None);
                }
                self.passed(TUNNEL, "the connector reached the database (all five steps)", took);
                return Some(stream);
            }
            Err(DialError::Tunnel(error)) => (tunnel_step(&error), chain(&error)),
            Err(error) => (TUNNEL, chain(&error)),
        };
        for name in [DNS, TCP, TLS, ACCESS, TUNNEL] {
            if name == ends_at {
                break;
            }
            self.passed(name, "", None);
        }
        self.stopped(ends_at, error, tunnel_remedy(ends_at), took);
        None
    }
}

const DNS: &str = "DNS of the edge";
const TCP: &str = "TCP to the edge";
const TLS: &str = "TLS to the edge";
const ACCESS: &str = "Access";
const TUNNEL: &str = "tunnel";
const DATABASE_TLS: &str = "database TLS";
const LOGIN: &str = "login";
const QUERY: &str = "query";

fn tcp_remedy(error: &DialError) -> &'static str {
    match error {
        DialError::Refused { .. } => {
            "Nothing listens there: is the database up, and does it listen for this network?"
        }
        DialError::Dns { .. }
        | DialError::TimedOut { .. }
        | DialError::Unreachable { .. }
        | DialError::Tunnel(_) => {
            "A firewall or a missing route: a database in a private network needs a tunnel."
        }
    }
}

/// The step at which a dial through the tunnel ended.
fn tunnel_step(error: &TunnelError) -> &'static str {
    use tunnel::client::Stage;
    match error {
        TunnelError::Dns { .. } | TunnelError::Timeout(Stage::Dns) => DNS,
        TunnelError::Tcp { .. }
        | TunnelError::ConnectionRefused { .. }
        | TunnelError::Timeout(Stage::Tcp) => TCP,
        TunnelError::Tls { .. } | TunnelError::Timeout(Stage::Tls) => TLS,
        TunnelError::Access { .. } => ACCESS,
        TunnelError::TunnelDown(_)
        | TunnelError::OriginRefused(_)
        | TunnelError::Status { .. }
        | TunnelError::Timeout(Stage::Upgrade)
        | TunnelError::Protocol(_)
        | TunnelError::Closed(_) => TUNNEL,
    }
}

fn tunnel_remedy(step: &str) -> &'static str {
    match step {
        DNS => "Check origin.host, or give edge_address.",
        TCP => "Is the edge up, and does a firewall let port 443 (or edge_address) through?",
        TLS => "Check edge_ca_certificate; the edge's certificate must carry origin.host.",
        ACCESS => {
            "Check access_client_id and its secret, and that a Service Auth policy includes the token."
        }
        _ => {
            "Is the connector up, does its ingress name this hostname, and can it reach the database?"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_where_nothing_listens_ends_the_walk_at_tcp() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let mut walk = Walk::default();
        let deadline = Instant::now() + Duration::from_secs(5);
        assert!(walk.reach_directly("127.0.0.1", port, deadline).await.is_none());
        assert!(!walk.is_complete());
        let [dns, tcp] = walk.steps() else { panic!("{walk:?}") };
        assert!(dns.outcome.is_ok());
        let shown = tcp.to_string();
        assert!(shown.contains("✗ TCP") && shown.contains("refused the connection"), "{shown}");
        assert!(shown.contains("Nothing listens there"), "{shown}");
    }

    #[test]
    fn every_tunnel_failure_ends_at_its_step() {
        use tunnel::client::{Answer, Stage};
        let refused = TunnelError::ConnectionRefused { address: ([127, 0, 0, 1], 1).into() };
        assert_eq!(tunnel_step(&refused), TCP);
        assert_eq!(tunnel_step(&TunnelError::Timeout(Stage::Dns)), DNS);
        assert_eq!(tunnel_step(&TunnelError::TunnelDown(Answer::default())), TUNNEL);
    }
}
