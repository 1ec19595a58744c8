//! A proxy as one of the nodes that share a tier.

use std::time::Duration;

use cache::peers::Boxed;
use cluster::{Cluster, Counts, Origins, Settings, State};
use proxy::{admin::Lack, for_nodes::ForNodes, server::Server};
use serving::observe::others::{Figure, Value};
use tokio::time::sleep;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How often it is looked whether there is a lease.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The proxy's part in the tier.
pub(super) struct Tier {
    cluster: Cluster,
    origins: Leads,
    lack: Lack,
}

/// The origins that the proxy leads to.
struct Leads(ForNodes);

impl Origins for Leads {
    fn schema_changed(&self, scope: &str) {
        self.0.schema_changed(scope);
    }

    fn is_gone<'a>(&'a self, scope: &'a str, backend: u32) -> Boxed<'a, Option<bool>> {
        Box::pin(self.0.is_gone(scope, backend))
    }
}

impl Tier {
    /// Shares the cache of a server, before that has a client.
    pub(super) fn new(settings: Settings, server: &Server) -> Self {
        let cluster = Cluster::new(settings, &server.cache(), TaskTracker::new());
        let shown = cluster.clone();
        server.metrics().others.show(move || figures(&shown.state()));
        Self { cluster, origins: Leads(server.for_nodes()), lack: server.lack() }
    }

    /// Is a node for as long as `served` goes on, then leaves.
    pub(super) async fn during<T>(self, served: impl Future<Output = T>) -> T {
        let Self { cluster, origins, lack } = self;
        let end = CancellationToken::new();
        let served = async {
            let served = served.await;
            end.cancel();
            served
        };
        let told = async {
            loop {
                let is_alone = !cluster.state().has_lease;
                lack.does_without(is_alone.then_some(ALONE));
                sleep(LOOK_EVERY).await;
            }
        };
        let node = async {
            tokio::select! {
                () = cluster.run(origins, end.clone()) => {}
                () = told => {}
            }
        };
        tokio::join!(served, node).0
    }
}

/// What `/readyz` says of a proxy that the tier has not heard of lately.
const ALONE: &str = "no lease of the cluster's tier: nothing is served from memory";

/// What is shown of it.
fn figures(state: &State) -> Vec<Figure> {
    let count = |name, help, count| Figure { name, help, value: Value::Count(count) };
    let Counts {
        found,
        led,
        elsewhere,
        written,
        unasked,
        kept,
        announced,
        awaited,
        outlasted,
        waited_micros,
        refused,
        untold,
        heard,
        emptied,
    } = state.counts;
    let lease = Value::Now(state.has_lease.into());
    let waited = Value::Seconds(Duration::from_micros(waited_micros).as_secs_f64());
    vec![
        Figure { name: "cluster_lease", help: "1 while memory may be served", value: lease },
        count("cluster_found", "Misses that another node's reply answered", found),
        count("cluster_led", "Misses that were asked of the origin for all nodes", led),
        count("cluster_elsewhere", "Misses that another node was asking for", elsewhere),
        count("cluster_written", "Misses while a table of theirs was written", written),
        count("cluster_unasked", "Misses for which the tier could not be asked", unasked),
        count("cluster_kept", "Replies given to the tier", kept),
        count("cluster_announced", "Writes announced", announced),
        count("cluster_awaited", "Writes that waited for other nodes", awaited),
        count("cluster_outlasted", "Writes that waited for a lease to end", outlasted),
        Figure { name: "cluster_wait_seconds", help: "How long writes waited", value: waited },
        count("cluster_refused", "Writes refused, for the tier could not be told", refused),
        count("cluster_untold", "Writes sent though the tier could not be told", untold),
        count("cluster_heard", "Writes of other nodes", heard),
        count("cluster_emptied", "Times that memory was emptied", emptied),
    ]
}
