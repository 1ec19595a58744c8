//! Several proxies in front of one database, and the tier that they may share.

use anyhow::Result;

use crate::{
    engine::Stage,
    jumpgate::{Jumpgate, Setup},
    metrics::{self, Metrics},
    process::signal,
    redis::Redis,
    relay::Relay,
    wire::Endpoint,
};

/// Several proxies, each with a network of its own to the tier.
///
/// Fields end in this order.
#[derive(Debug)]
pub struct Several {
    nodes: Vec<Node>,
    /// The tier, where there is one.
    pub redis: Option<Redis>,
}

#[derive(Debug)]
struct Node {
    jumpgate: Jumpgate,
    relay: Option<Relay>,
    setup: Setup,
}

impl Several {
    /// Starts so many proxies in front of a database; with a tier, if `cluster` has lines of `[cluster]` but for its URL.
    ///
    /// # Errors
    ///
    /// When the tier does not start; the error carries its log.
    pub async fn start(
        stage: &impl Stage,
        (count, setup): (usize, &Setup),
        cluster: Option<&str>,
    ) -> Result<Self> {
        let redis = cluster.map(|_| Redis::start()).transpose()?;
        let mut nodes = Vec::new();
        for _node in 0..count {
            let (mut setup, mut relay) = (setup.clone(), None);
            if let (Some(redis), Some(lines)) = (&redis, cluster) {
                let network = Relay::start(redis.address(), std::time::Duration::ZERO).await?;
                let url = format!("redis://{}", network.address());
                setup.more = format!("{}\n[cluster]\nurl = \"{url}\"\n{lines}\n", setup.more);
                relay = Some(network);
            }
            let jumpgate = stage.another(setup.clone());
            nodes.push(Node { jumpgate, relay, setup });
        }
        Ok(Self { nodes, redis })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// What the clients of each connect to.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.nodes.iter().map(|node| node.jumpgate.endpoint()).collect()
    }

    /// What `/metrics` of one says; nothing, where it does not answer.
    pub async fn metrics(&self, node: usize) -> Option<Metrics> {
        let (_status, text) =
            metrics::get(self.nodes[node].jumpgate.admin(), "/metrics").await.ok()?;
        Some(Metrics::parse(&text))
    }

    /// One figure of one of them.
    pub async fn figure(&self, node: usize, name: &str) -> Option<f64> {
        Some(self.metrics(node).await?.sum(name, &[]))
    }

    /// The process of one.
    pub fn pid(&self, node: usize) -> u32 {
        self.nodes[node].jumpgate.pid()
    }

    /// Sends one a signal by name.
    pub fn signal(&self, node: usize, name: &str) {
        signal(self.pid(node), name);
    }

    /// Kills one at once, and starts another in its place, elsewhere.
    pub fn replace(&mut self, stage: &impl Stage, node: usize) {
        self.signal(node, "KILL");
        let node = &mut self.nodes[node];
        node.jumpgate = stage.another(node.setup.clone());
    }

    /// From now on nothing that one says reaches the tier, nor the other way round.
    pub fn cut_off(&self, node: usize) {
        if let Some(relay) = &self.nodes[node].relay {
            relay.swallow();
        }
    }

    /// Connections to the tier are lost, and new ones can be made.
    pub async fn reconnect(&self, node: usize) {
        if let Some(relay) = &self.nodes[node].relay {
            relay.cut().await;
        }
    }
}
