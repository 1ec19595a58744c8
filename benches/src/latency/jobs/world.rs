//! The processes of the second table: a database, and those in front of it, each with a distance and without.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use e2e::{
    certificates::Authority,
    jumpgate::{Jumpgate, Setup},
    metrics,
    relay::Relay,
    wire::Endpoint,
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{
    compare::{
        peers::{Peer, pgbouncer},
        world::postgres::verifier,
    },
    latency::{
        say::say,
        world::{Database, Kind},
    },
};

/// What a driver connects to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The database.
    Direct,
    /// PgBouncer.
    PgBouncer,
    /// Jumpgate.
    Jumpgate,
}

impl Target {
    /// All, in the order of the table.
    pub const ALL: [Self; 3] = [Self::Direct, Self::PgBouncer, Self::Jumpgate];

    /// What it is called, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::PgBouncer => "PgBouncer",
            Self::Jumpgate => "Jumpgate",
        }
    }
}

/// How far the database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distance {
    /// On this machine.
    Near,
    /// As far as was asked for.
    Far,
}

/// Everything that runs.
///
/// Fields end in this order: those in front, the network, the database.
#[derive(Debug)]
pub struct World {
    jumpgate: Pair<Jumpgate>,
    pgbouncer: Option<Pair<Peer>>,
    relay: Relay,
    database: Database,
    kind: Kind,
    /// What signed every certificate.
    pub authority: Authority,
    home: TempDir,
}

/// The same with a distance and without.
#[derive(Debug)]
pub struct Pair<T> {
    /// With the database on this machine.
    pub near: T,
    /// With the distance.
    pub far: T,
}

/// A pooler that nobody has used yet; it ends with this.
#[derive(Debug)]
pub enum Fresh {
    /// Jumpgate.
    Jumpgate(Box<Jumpgate>),
    /// PgBouncer, and what a client needs for it.
    PgBouncer(Box<Peer>, Endpoint),
}

impl World {
    /// Starts everything.
    ///
    /// # Errors
    ///
    /// A part cannot be installed or does not start. That PgBouncer is not to be had is only said.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends what was started.
    pub async fn start(kind: Kind, delay: Duration) -> Result<Self> {
        let authority = Authority::new();
        let database = Database::start(kind, &authority).await?;
        say("starting those in front of it, with a distance and without");
        let relay = Relay::distant(database.endpoint().address, delay)?;
        let home = tempfile::Builder::new().prefix("jumpgate-latency-").tempdir()?;
        fs::write(home.path().join("ca.pem"), &authority.pem)?;
        let places = Places { kind, authority: &authority, relay: &relay, database: &database };
        let jumpgate = Pair {
            near: places.jumpgate(Distance::Near).await?,
            far: places.jumpgate(Distance::Far).await?,
        };
        let pgbouncer = match places.pgbouncers().await {
            Ok(pair) => pair,
            Err(error) => {
                say(&format!("without PgBouncer: {error:#}"));
                None
            }
        };
        Ok(Self { jumpgate, pgbouncer, relay, database, kind, authority, home })
    }

    /// The authority's certificate.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.home.path().join("ca.pem")
    }

    /// What a client needs; `None` where it does not run here.
    #[must_use]
    pub fn endpoints(&self, target: Target) -> Option<Pair<Endpoint>> {
        let near = self.database.endpoint();
        let at = |address| Endpoint { address, ..near.clone() };
        match target {
            Target::Direct => Some(Pair { far: at(self.relay.address()), near }),
            Target::PgBouncer => {
                let Pair { near, far } = self.pgbouncer.as_ref()?;
                Some(Pair { near: at(near.address), far: at(far.address) })
            }
            Target::Jumpgate => {
                let Pair { near, far } = &self.jumpgate;
                Some(Pair { near: near.endpoint(), far: far.endpoint() })
            }
        }
    }

    /// Another pooler like the one that runs, ready as it says itself; `None` where there is none.
    ///
    /// # Errors
    ///
    /// It does not start.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends what was started.
    pub async fn fresh(&self, target: Target, distance: Distance) -> Result<Option<Fresh>> {
        let places = self.places();
        Ok(match target {
            Target::Direct => None,
            Target::PgBouncer if self.pgbouncer.is_none() => None,
            Target::PgBouncer => places.pgbouncer(distance).await?.map(|peer| {
                let endpoint = Endpoint { address: peer.address, ..self.database.endpoint() };
                Fresh::PgBouncer(Box::new(peer), endpoint)
            }),
            Target::Jumpgate => Some(Fresh::Jumpgate(Box::new(places.jumpgate(distance).await?))),
        })
    }

    const fn places(&self) -> Places<'_> {
        let Self { kind, authority, relay, database, .. } = self;
        Places { kind: *kind, authority, relay, database }
    }
}

impl Fresh {
    /// What a client needs.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        match self {
            Self::Jumpgate(jumpgate) => jumpgate.endpoint(),
            Self::PgBouncer(_, endpoint) => endpoint.clone(),
        }
    }
}

/// What poolers stand in front of.
#[derive(Clone, Copy)]
struct Places<'a> {
    kind: Kind,
    authority: &'a Authority,
    relay: &'a Relay,
    database: &'a Database,
}

impl Places<'_> {
    fn origin(&self, distance: Distance) -> std::net::SocketAddr {
        match distance {
            Distance::Near => self.database.endpoint().address,
            Distance::Far => self.relay.address(),
        }
    }

    async fn jumpgate(&self, distance: Distance) -> Result<Jumpgate> {
        let setup = Setup {
            engine: self.kind.engine(),
            caching: "max_age = 3600".to_owned(),
            pool: format!("min_idle = {MIN_IDLE}"),
            ..Setup::default()
        };
        let jumpgate = Jumpgate::start(self.authority, self.origin(distance), false, setup)?;
        let give_up = Instant::now() + READY_TIMEOUT;
        while metrics::get(jumpgate.admin(), "/readyz").await?.0 != 200 {
            if Instant::now() > give_up {
                bail!("after half a minute Jumpgate is not ready");
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(jumpgate)
    }

    async fn pgbouncers(&self) -> Result<Option<Pair<Peer>>> {
        let near = self.pgbouncer(Distance::Near).await?;
        Ok(near.zip(self.pgbouncer(Distance::Far).await?).map(|(near, far)| Pair { near, far }))
    }

    async fn pgbouncer(&self, distance: Distance) -> Result<Option<Peer>> {
        let Database::Postgres(postgres) = self.database else {
            return Ok(None);
        };
        let verifier = verifier(&postgres.superuser()).await?;
        let leaf = self.authority.leaf(&["localhost", "127.0.0.1"]);
        let started = pgbouncer::start(self.origin(distance), &verifier, &leaf, "require").await;
        started.context("PgBouncer").map(Some)
    }
}

/// More than a job holds at once, also while the end of the one before is still under way.
const MIN_IDLE: u32 = 4;

const READY_TIMEOUT: Duration = Duration::from_secs(30);
