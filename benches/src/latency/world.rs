//! The processes: one database, and Jumpgate in front of it on each way.

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
    engine: Engine,
    authority: Authority,
    no_questions: bool,
}

#[derive(Debug)]
enum Database {
    Postgres(Postgres),
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
    pub async fn start(engine: Engine, args: &Latency) -> Result<Self> {
        let Latency { delay, no_questions, .. } = *args;
        let authority = Authority::new();
        say(&format!("starting {}", name(engine)));
        let database = match engine {
            Engine::Postgres => {
                Database::Postgres(Postgres::start(Version::Eighteen, &authority, &[])?)
            }
            Engine::MySql => Database::MySql(Mysql::start(Server::MySql, &authority, &[])?),
        };
        let mut owner = Door::new(engine, &database.endpoint(), &authority).connect().await?;
        for statement in fill() {
            owner.execute(&statement).await?;
        }
        owner.close().await;
        say("starting jumpgate: proxy, edge and connector");
        let address = database.endpoint().address;
        let relay = Relay::distant(address, delay)?;
        let setup = Setup { engine, caching: "max_age = 3600".to_owned(), ..Setup::default() };
        let tcp = Jumpgate::start(&authority, relay.address(), false, setup.clone())?;
        let setup = Setup { edge_delay: Some(delay), ..setup };
        let tunnel = Jumpgate::start(&authority, address, true, setup)?;
        say("waiting until starting is over");
        sleep(START).await;
        Ok(Self { tunnel, tcp, relay, database, engine, authority, no_questions })
    }

    /// What it is that runs here.
    pub fn name(&self) -> &'static str {
        name(self.engine)
    }

    /// The driver that goes this way.
    pub fn door(&self, way: Way) -> Door {
        let endpoint = match way {
            Way::Direct => Endpoint { address: self.relay.address(), ..self.database.endpoint() },
            Way::Tcp => self.tcp.endpoint(),
            Way::Tunnel => self.tunnel.endpoint(),
        };
        let door = Door::new(self.engine, &endpoint, &self.authority);
        if self.no_questions { door.without_questions() } else { door }
    }
}

impl Database {
    fn endpoint(&self) -> Endpoint {
        match self {
            Self::Postgres(postgres) => postgres.endpoint(),
            Self::MySql(mysql) => mysql.endpoint(),
        }
    }
}

const fn name(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "PostgreSQL 18",
        Engine::MySql => "MySQL 9",
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

/// Makes the table that is asked for, in both engines' SQL.
fn fill() -> [String; 2] {
    let rows: Vec<_> = (1..=KEYS).map(|key| format!("({key}, '{}')", value(key))).collect();
    [
        "CREATE TABLE jumpgate_latency (id INT PRIMARY KEY, name VARCHAR(50))".to_owned(),
        format!("INSERT INTO jumpgate_latency VALUES {}", rows.join(", ")),
    ]
}
