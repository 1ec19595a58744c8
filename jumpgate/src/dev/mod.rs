//! `jumpgate dev`: every role in one process, on loopback, in front of databases that are made distant.
//!
//! ```text
//!   driver ─► proxy ─► edge (Access) ─► connector ─► relay (--delay) ─► the database of --origin
//! ```
//!
//! Certificates and tokens are thrown away at the end.

mod error;
mod guide;
mod kept;
mod origin;
mod relay;
mod tour;
mod world;

use std::{io, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use proxy::{
    admin::Phase,
    server::{Server, ServerError},
};
use serving::{config::DatabaseConfig, shutdown::Shutdown};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{error::WorldError, tour::TourError};
use self::{guide::Guide, kept::Kept, world::World};
use crate::{args::DevArgs, check::Walk, report, signals::Signals};

/// How long what runs may take to finish.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);
/// How long a database may take to accept a connection.
const REACH_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the connector may take to register.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why `jumpgate dev` could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    /// Signals cannot be followed.
    #[error("cannot follow signals")]
    Signals(#[source] io::Error),
    /// A part could not be made.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The proxy did not start, or stopped.
    #[error("the proxy stopped")]
    Server(#[from] ServerError),
    /// The proxy stopped without being asked to.
    #[error("the proxy ended of itself")]
    Ended,
    /// The connector found no way to the edge.
    #[error("the connector did not register with the edge in time")]
    Unregistered,
    /// Nobody listens where a database of `--origin` should, or nothing leads there.
    #[error(
        "the database of --origin cannot be reached at {address}: is it running, and is that its port?"
    )]
    Unconnected {
        /// Where it should be.
        address: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The way to a database of `--origin` ends before it.
    #[error("the way to the {0} database of --origin ends above")]
    Unreachable(&'static str),
    /// The tour could not be finished.
    #[error("the tour stopped")]
    Tour(#[from] TourError),
}

/// Starts everything, shows the tour where it was asked for, and stays up until a signal.
///
/// # Errors
///
/// [`DevError`] names the part that failed.
pub async fn run(args: &DevArgs) -> Result<ExitCode, DevError> {
    let mut signals = Signals::new().map_err(DevError::Signals)?;
    let folder = match args.keep_in.as_deref() {
        None => kept::usual_folder(),
        Some("") => None,
        Some(folder) => Some(folder.into()),
    };
    let kept = Kept::of(folder.as_deref());
    let World { relays, edge, connector, proxy, guides } = World::make(args, &kept).await?;
    for relay in &relays {
        // The relay takes connections before it has one itself, so that the walk would end at the step behind.
        relay.reaches(REACH_TIMEOUT).await.map_err(|source| DevError::Unconnected {
            address: relay.target().to_owned(),
            source,
        })?;
    }
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let mut registered = connector.registered();
    for relay in relays {
        tasks.spawn(relay.run(stop.clone()));
    }
    tasks.spawn(edge.run(stop.clone()));
    tasks.spawn(connector.run(stop.clone()));
    if !is_registered(&mut registered).await {
        stop.cancel();
        return Err(DevError::Unregistered);
    }

    if let Err(error) = reach(&proxy.databases).await {
        stop.cancel();
        return Err(error);
    }

    let shutdown = Shutdown::new();
    let server = Server::bind(proxy, shutdown.clone()).await?;
    let guides = guides.into_iter().map(|guide| {
        let address = server.address(guide.engine).ok_or(DevError::Ended)?;
        Ok(guide.at(address))
    });
    let guides = guides.collect::<Result<Vec<_>, DevError>>()?;
    let (_configs, reloads) = mpsc::channel(1);
    let admin = server.admin_address();
    if let Some(folder) = folder
        && let Err(error) = kept.keep(&folder, admin)
    {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "the password is another one at the next start");
    }
    let mut phase = server.phase();
    let mut serving = Box::pin(server.run(reloads));
    let story = async {
        // Of no use where it fails: then the proxy has ended, which is told below.
        drop(phase.wait_for(|phase| *phase != Phase::Starting).await);
        introduce(&guides, admin, args.delay);
        if args.tour {
            let verdict = tour::show(&guides, args.delay).await?;
            if args.once || verdict == tour::Verdict::Broken {
                return Ok(verdict.exit_code());
            }
        }
        report::line("\nUp and serving. Ctrl-C stops everything.");
        std::future::pending().await
    };
    let told = tokio::select! {
        told = story => told,
        () = signals.recv() => Ok(ExitCode::SUCCESS),
        served = &mut serving => return Err(served.err().map_or(DevError::Ended, DevError::Server)),
    };

    shutdown.drain().give();
    tokio::select! {
        _ = &mut serving => {}
        () = signals.recv() => {}
        () = tokio::time::sleep(DRAIN_DEADLINE) => {}
    }
    shutdown.end().give();
    stop.cancel();
    tasks.close();
    if timeout(DRAIN_DEADLINE, tasks.wait()).await.is_err() {
        tracing::warn!("some streams did not end in time");
    }
    told
}

/// Walks the whole way to each database, and says where it ends.
async fn reach(databases: &[Arc<DatabaseConfig>]) -> Result<(), DevError> {
    for database in databases {
        let walk = Walk::to(database).await;
        if !walk.is_complete() {
            walk.lines().iter().for_each(|line| report::line(line));
            return Err(DevError::Unreachable(database.engine.word()));
        }
    }
    Ok(())
}

/// Prints what to copy.
fn introduce(guides: &[Guide], admin: Option<SocketAddr>, delay: Duration) {
    guide::introduce_way(delay);
    for guide in guides {
        guide.introduce();
    }
    if let Some(admin) = admin {
        report::line("Metrics");
        report::line(&format!("  http://{admin}/metrics"));
    }
}

/// Waits for the connector's first connection.
///
/// What `wait_for` gives locks the count, so it must not outlive this function.
async fn is_registered(count: &mut watch::Receiver<usize>) -> bool {
    let registered = timeout(REGISTER_TIMEOUT, count.wait_for(|count| *count > 0)).await;
    matches!(registered, Ok(Ok(_)))
}
