//! The connections: the two engines' own drivers behind one small face.
//!
//! They send statements and read answers; whether an answer is right is [`crate::verify`]'s. Start with
//! [`Endpoint`].

pub mod mysql;
pub mod postgres;
#[cfg(test)]
pub mod scripted;
mod tls;

use anyhow::{Result, anyhow};

use crate::{args::Wire, table::State, verify::Done, workload::Operation};

/// Where clients connect to, and how they ask there.
#[derive(Debug)]
pub enum Endpoint {
    /// PostgreSQL, or what speaks like it.
    Postgres(Box<postgres::Endpoint>),
    /// MySQL or MariaDB, or what speaks like them.
    MySql(Box<mysql::Endpoint>),
    /// A play.
    #[cfg(test)]
    Scripted(scripted::Endpoint),
}

/// One connection.
#[derive(Debug)]
pub enum Client {
    /// To PostgreSQL.
    Postgres(Box<postgres::Client>),
    /// To MySQL.
    MySql(Box<mysql::Client>),
    /// To a play.
    #[cfg(test)]
    Scripted(scripted::Client),
}

impl Endpoint {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// It is none of the two engines', or the engine cannot do what is asked.
    pub fn parse(url: &str, wire: &Wire, pipeline: u32) -> Result<Self> {
        match url.split_once("://").map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => {
                Ok(Self::Postgres(Box::new(postgres::Endpoint::parse(url, wire)?)))
            }
            Some("mysql" | "mariadb") if pipeline > 1 => {
                Err(anyhow!("--pipeline is for PostgreSQL; MySQL's protocol has none"))
            }
            Some("mysql" | "mariadb") => {
                Ok(Self::MySql(Box::new(mysql::Endpoint::parse(url, wire)?)))
            }
            // Without the URL, which may carry a password.
            _ => Err(anyhow!("a target's URL starts with postgres:// or mysql://")),
        }
    }

    /// `HOST:PORT`, for a target without a name.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Postgres(endpoint) => endpoint.address(),
            Self::MySql(endpoint) => endpoint.address(),
            #[cfg(test)]
            Self::Scripted(_) => "script:0".to_owned(),
        }
    }

    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// It was refused, or cannot be reached.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn connect(&self) -> Result<Client> {
        match self {
            Self::Postgres(endpoint) => Ok(Client::Postgres(Box::new(endpoint.connect().await?))),
            Self::MySql(endpoint) => Ok(Client::MySql(Box::new(endpoint.connect().await?))),
            #[cfg(test)]
            Self::Scripted(endpoint) => Ok(Client::Scripted(endpoint.connect())),
        }
    }
}

impl Client {
    /// Prepares the statements, if they are to be; what is not prepared when it is needed is prepared then.
    ///
    /// # Errors
    ///
    /// There is no table.
    ///
    /// # Cancel safety
    ///
    /// As of [`Self::run`].
    pub async fn prepare(&mut self) -> Result<()> {
        match self {
            Self::Postgres(client) => client.prepare(true, true).await,
            Self::MySql(client) => client.prepare().await,
            #[cfg(test)]
            Self::Scripted(_) => Ok(()),
        }
    }

    /// Sends all operations, then reads the answers; they are in the same order.
    ///
    /// # Cancel safety
    ///
    /// After a drop the connection must be dropped too.
    pub async fn run(&mut self, batch: &[Operation]) -> Vec<Done> {
        match self {
            Self::Postgres(client) => client.run(batch).await,
            Self::MySql(client) => client.run(batch).await,
            #[cfg(test)]
            Self::Scripted(client) => client.run(batch).await,
        }
    }

    /// Runs a statement that answers nothing.
    ///
    /// # Errors
    ///
    /// What the database refused.
    ///
    /// # Cancel safety
    ///
    /// As of [`Self::run`].
    pub async fn execute(&mut self, sql: &str) -> Result<()> {
        match self {
            Self::Postgres(client) => client.execute(sql).await,
            Self::MySql(client) => client.execute(sql).await,
            #[cfg(test)]
            Self::Scripted(_) => Err(anyhow!("not in the script: {sql}")),
        }
    }

    /// Looks at the table.
    ///
    /// # Errors
    ///
    /// There is none.
    ///
    /// # Cancel safety
    ///
    /// As of [`Self::run`].
    pub async fn state(&mut self) -> Result<State> {
        match self {
            Self::Postgres(client) => client.state().await,
            Self::MySql(client) => client.state().await,
            #[cfg(test)]
            Self::Scripted(_) => Err(anyhow!("not in the script")),
        }
    }

    /// Says good-bye.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn close(self) {
        match self {
            Self::Postgres(client) => client.close().await,
            Self::MySql(client) => client.close().await,
            #[cfg(test)]
            Self::Scripted(_) => {}
        }
    }
}
