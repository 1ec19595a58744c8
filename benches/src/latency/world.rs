//! The processes of the first table: one database, and Jumpgate in front of it on each way.

use std::time::Duration;

use anyhow::Result;
use e2e::{
    certificates::Authority,
    jumpgate::{Engine, Jumpgate, Setup},
    mysql::{Mysql, Server},
    postgres::Postgres,
    relay::Relay,
    stage::Version,
    wire::Endpoint,
};
use tokio::time::sleep;

use super::{args::Latency, case::Way, client::Door, say::say};

/// Everything that runs.
///
/// Fields end in this order: Jumpgate, the network, the database.
#[derive(Debug)]
pub struct World {
    tunnel: Jumpgate,
    tcp: Jumpgate,
    relay: Relay,
    database: Database,
    kind: Kind,
    authority: Authority,
    no_questions: bool,
}

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL 18.
    Postgres,
    /// MySQL 9.
    MySql,
    /// MariaDB 10.11.
    MariaDb,
}

/// A database that runs.
#[derive(Debug)]
pub enum Database {
    /// PostgreSQL.
    Postgres(Postgres),
    /// MySQL or MariaDB.
    MySql(Mysql),
}

impl World {
    /// Starts everything, with the database filled; no client has connected yet.
    ///
    /// # Errors
    ///
    /// A part cannot be installed or does not start.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends what was started.
    pub async fn start(kind: Kind, args: &Latency) -> Result<Self> {
        let Latency { delay, no_questions, .. } = *args;
        let authority = Authority::new();
        let database = Database::start(kind, &authority).await?;
        say("starting jumpgate: proxy, edge and connector");
        let address = database.endpoint().address;
        let relay = Relay::distant(address, delay)?;
        let engine = kind.engine();
        let setup = Setup { engine, caching: "max_age = 3600".to_owned(), ..Setup::default() };
        let tcp = Jumpgate::start(&authority, relay.address(), false, setup.clone())?;
        let setup = Setup { edge_delay: Some(delay), ..setup };
        let tunnel = Jumpgate::start(&authority, address, true, setup)?;
        say("waiting until starting is over");
        sleep(START).await;
        Ok(Self { tunnel, tcp, relay, database, kind, authority, no_questions })
    }

    /// What it is that runs here.
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// The driver that goes this way.
    pub fn door(&self, way: Way) -> Door {
        let endpoint = match way {
            Way::Direct => Endpoint { address: self.relay.address(), ..self.database.endpoint() },
            Way::Tcp => self.tcp.endpoint(),
            Way::Tunnel => self.tunnel.endpoint(),
        };
        let door = Door::new(self.kind.engine(), &endpoint, &self.authority);
        if self.no_questions { door.without_questions() } else { door }
    }
}

impl Kind {
    /// What it speaks.
    #[must_use]
    pub const fn engine(self) -> Engine {
        match self {
            Self::Postgres => Engine::Postgres,
            Self::MySql | Self::MariaDb => Engine::MySql,
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL 18",
            Self::MySql => "MySQL 9",
            Self::MariaDb => "MariaDB 10.11",
        }
    }
}

impl Database {
    /// Starts one that holds the table that is asked for.
    ///
    /// # Errors
    ///
    /// It cannot be installed or does not start.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends it.
    pub async fn start(kind: Kind, authority: &Authority) -> Result<Self> {
        say(&format!("starting {}", kind.name()));
        let database = match kind {
            Kind::Postgres => Self::Postgres(Postgres::start(Version::Eighteen, authority, &[])?),
            Kind::MySql => Self::MySql(Mysql::start(Server::MySql, authority, &[])?),
            Kind::MariaDb => Self::MySql(Mysql::start(Server::MariaDb, authority, &[])?),
        };
        let door = Door::new(kind.engine(), &database.endpoint(), authority);
        let mut owner = door.connect().await?;
        for statement in fill(kind.engine()) {
            owner.execute(&statement).await?;
        }
        owner.close().await;
        Ok(database)
    }

    /// What a client needs to connect to it.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        match self {
            Self::Postgres(postgres) => postgres.endpoint(),
            Self::MySql(mysql) => mysql.endpoint(),
        }
    }
}

/// For so long statements may wait for what the proxy reads when it starts.
const START: Duration = Duration::from_secs(3);

/// The most rows that can be asked for.
pub const KEYS: i32 = 4000;

/// The value of a row.
#[must_use]
pub fn value(key: i32) -> String {
    format!("value of {key}")
}

/// Makes the table that is asked for; of PostgreSQL with a type that a driver does not know.
fn fill(engine: Engine) -> Vec<String> {
    let rows: Vec<_> = (1..=KEYS).map(|key| format!("({key}, '{}')", value(key))).collect();
    let columns = "id INT PRIMARY KEY, name VARCHAR(50), hits INT NOT NULL DEFAULT 0";
    let (mut statements, mood) = match engine {
        Engine::Postgres => (
            vec!["CREATE TYPE jumpgate_mood AS ENUM ('calm')".to_owned()],
            ", mood jumpgate_mood NOT NULL DEFAULT 'calm'",
        ),
        Engine::MySql => (Vec::new(), ""),
    };
    statements.push(format!("CREATE TABLE jumpgate_latency ({columns}{mood})"));
    statements.push(format!("INSERT INTO jumpgate_latency (id, name) VALUES {}", rows.join(", ")));
    statements
}
