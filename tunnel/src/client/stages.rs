//! When each stage of a dial ended, for whoever wants to show it to a person.
//!
//! A pool does not ask: [`Client::dial`](super::Client::dial) reads no clock for it.

use std::{net::SocketAddr, time::Duration};

use tokio::time::Instant;

use super::Stage;

/// The stages of a dial that are behind it. After a failure, those that passed before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// How long the name took. An address that was given in its place takes none.
    pub dns: Option<Duration>,
    /// How long the TCP connection took, with addresses that were tried in vain.
    pub tcp: Option<Duration>,
    /// How long the TLS handshake took.
    pub tls: Option<Duration>,
    /// How long the upgrade took: Access, the edge, the connector and its dial are all in it.
    pub upgrade: Option<Duration>,
    /// The addresses that the name has.
    pub addresses: Vec<SocketAddr>,
    /// The address that took the TCP connection.
    pub peer: Option<SocketAddr>,
    /// The value of `cf-ray` in the answer to the upgrade; untrusted text, bounded and sanitised.
    pub ray: Option<String>,
}

/// Hears of each stage that ends well.
pub(super) trait Observer {
    /// The name has these addresses.
    fn resolved(&mut self, addresses: &[SocketAddr]);
    /// This address took the TCP connection.
    fn connected(&mut self, peer: SocketAddr);
    /// The TLS handshake is complete.
    fn encrypted(&mut self);
    /// The edge switched protocols; `ray` makes what is worth showing of its answer.
    fn upgraded(&mut self, ray: impl FnOnce() -> Option<String>);
}

/// Nobody wants to know.
pub(super) struct Unobserved;

impl Observer for Unobserved {
    fn resolved(&mut self, _addresses: &[SocketAddr]) {}
    fn connected(&mut self, _peer: SocketAddr) {}
    fn encrypted(&mut self) {}
    fn upgraded(&mut self, _ray: impl FnOnce() -> Option<String>) {}
}

/// Fills in [`Stages`].
pub(super) struct Stopwatch<'a> {
    stages: &'a mut Stages,
    lap: Instant,
}

impl<'a> Stopwatch<'a> {
    /// Starts now; what `stages` held before is forgotten.
    pub(super) fn start(stages: &'a mut Stages) -> Self {
        *stages = Stages::default();
        Self { stages, lap: Instant::now() }
    }

    fn ended(&mut self, stage: Stage) {
        let now = Instant::now();
        let took = Some(now.duration_since(std::mem::replace(&mut self.lap, now)));
        match stage {
            Stage::Dns => self.stages.dns = took,
            Stage::Tcp => self.stages.tcp = took,
            Stage::Tls => self.stages.tls = took,
            Stage::Upgrade => self.stages.upgrade = took,
        }
    }
}

impl Observer for Stopwatch<'_> {
    fn resolved(&mut self, addresses: &[SocketAddr]) {
        self.ended(Stage::Dns);
        self.stages.addresses = addresses.to_vec();
    }

    fn connected(&mut self, peer: SocketAddr) {
        self.ended(Stage::Tcp);
        self.stages.peer = Some(peer);
    }

    fn encrypted(&mut self) {
        self.ended(Stage::Tls);
    }

    fn upgraded(&mut self, ray: impl FnOnce() -> Option<String>) {
        self.ended(Stage::Upgrade);
        self.stages.ray = ray();
    }
}
