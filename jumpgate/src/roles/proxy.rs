//! `jumpgate proxy`: serves clients, and follows the stores that its configs are kept in: its file, and a control node.

use std::{path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use control::{Revision, Store as _, StoreError, nodes::wire::Role};
use parking_lot::Mutex;
use proxy::server::Server;
use serving::{
    config::{Config, Engine},
    observe::Metrics,
    shutdown::Shutdown,
};
use tokio::{signal::unix::Signal, sync::mpsc, task::spawn_blocking};

use super::{proxy_node::ProxyNode, tier::Tier};
use crate::{
    config::{Document, FileStore, Makings},
    follow::{ControlStore, Follower, Held},
    report,
    signals::Signals,
};

/// How long sessions may take to finish after the first signal.
const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// Runs the proxy until it has drained.
///
/// # Errors
///
/// What is wrong with the configs, and why the proxy could not start or stopped.
pub async fn run(path: &Path, document: Document, hangups: Signal) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::new();
    let signals = Signals::new().context("cannot follow signals")?;
    let mut makings = Makings::default();
    let own = document.proxy_that_reloads(&mut makings)?;
    for note in &own.notes {
        tracing::warn!("{note}");
    }
    let format = own.log.format;
    let follower = match document.follow()? {
        Some(setup) => Some(Follower::new(setup, Role::Proxy).await),
        None => None,
    };
    let told = follower.as_ref().map(|follower| ControlStore::new(follower.held()));
    let advertised = document.advertised()?;
    let shares = document.cluster()?;
    drop(document);
    let served = Served {
        own,
        file: FileStore::new(path.to_owned(), hangups),
        told,
        makings: Arc::new(Mutex::new(makings)),
    };
    let (config, left_out) = served.all(served.held()).await?;
    let count = config.databases.len();
    let server = Server::bind(config, shutdown.clone()).await?;
    for engine in [Engine::Postgres, Engine::MySql] {
        if let Some(address) = server.address(engine) {
            report::listening(format, engine.word(), address);
        }
    }
    if let Some(address) = server.admin_address() {
        report::listening(format, "admin", address);
    }
    let tier = shares.map(|settings| Tier::new(settings, &server));
    let node = follower.map(|follower| ProxyNode::new(follower, &server, &advertised));
    if let Some(node) = &node {
        node.serves(served.held().as_deref(), (&served.own.databases, count), left_out);
    }
    let (configs, reloads) = mpsc::channel(1);
    let following = served.follow(node.as_ref(), (configs, server.metrics()));
    let leading = signals.lead(&shutdown, DRAIN_DEADLINE);
    let told = async {
        match &node {
            Some(node) => node.run().await,
            None => std::future::pending().await,
        }
    };
    let background = async { tokio::join!(leading, following).1 };
    let served = async {
        tokio::select! {
            served = server.run(reloads) => served?,
            followed = background => followed?,
            () = told => {}
        }
        anyhow::Ok(())
    };
    match tier {
        Some(tier) => tier.during(served).await?,
        None => served.await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What is served, and where it comes from.
struct Served {
    file: FileStore,
    /// What the file says, as it was when it was last right.
    own: Config,
    told: Option<ControlStore>,
    makings: Arc<Mutex<Makings>>,
}

impl Served {
    /// What a control node has told last; nothing, where there is none.
    fn held(&self) -> Option<Arc<Held>> {
        self.told.as_ref().map(ControlStore::held)
    }

    /// What the file says and a control node has told. Says what is left out, and why.
    async fn all(&self, held: Option<Arc<Held>>) -> anyhow::Result<(Config, Vec<String>)> {
        let (mut config, makings) = (self.own.clone(), Arc::clone(&self.makings));
        let made = spawn_blocking(move || {
            let (mut makings, mut left_out) = (makings.lock(), Vec::new());
            if let Some(held) = held {
                let others: Vec<_> = held.configs().cloned().collect();
                left_out.extend(held.mistakes().map(ToOwned::to_owned));
                left_out.extend(Document::serve_beside(&mut config, &others, &mut makings));
            }
            makings.keep(&config);
            (config, left_out)
        });
        Ok(made.await?)
    }

    /// Takes each change of a store over. A file that breaks a rule leaves everything as it is; of what a control node
    /// tells, what breaks one is left out.
    async fn follow(
        mut self,
        node: Option<&ProxyNode>,
        (reloads, metrics): (mpsc::Sender<Config>, Arc<Metrics>),
    ) -> anyhow::Result<()> {
        let mut seen = self.file.revision();
        let mut told = self.held().map_or(Revision(0), |held| Revision(held.generation()));
        loop {
            let made = tokio::select! {
                changed = self.file.changed(seen) => {
                    seen = changed?;
                    self.read().await
                }
                changed = next(self.told.as_ref(), told) => {
                    told = changed?;
                    Ok(())
                }
            };
            let held = self.held();
            match made {
                Ok(()) => {
                    let (config, left_out) = self.all(held.clone()).await?;
                    let count = config.databases.len();
                    reloads.send(config).await?;
                    if let Some(node) = node {
                        node.serves(held.as_deref(), (&self.own.databases, count), left_out);
                    }
                }
                Err(error) => {
                    metrics.totals.reloaded(false);
                    let error = &*error as &dyn std::error::Error;
                    tracing::error!(error, "the file is wrong, the old settings stay");
                }
            }
        }
    }

    /// Takes over what the file says now.
    async fn read(&mut self) -> anyhow::Result<()> {
        let snapshot = self.file.snapshot().await?;
        let document = self.file.take_document().context("a snapshot without its file")?;
        let makings = Arc::clone(&self.makings);
        let made =
            spawn_blocking(move || document.proxy_with(&snapshot.configs, &mut makings.lock()));
        self.own = made.await?.map_err(|error| StoreError::Refused(error.into()))?;
        Ok(())
    }
}

/// The next change of what a control node tells; none, where there is no control node.
async fn next(told: Option<&ControlStore>, seen: Revision) -> Result<Revision, StoreError> {
    match told {
        Some(told) => told.changed(seen).await,
        None => std::future::pending().await,
    }
}
