//! Logging in as a plain client, for the tools: check, why and dev's tour.
//!
//! Over our own streams, so it goes the same way as a backend does. Sessions never use it.

pub mod marks;
pub mod mysql;
pub mod postgres;

use std::{error::Error, sync::Arc, time::Duration};

use origin::net::{self, ConnectError};
use serving::config::{Engine, OriginConfig};

use self::marks::TlsMarks;

/// A client of either engine that is logged in. Dropping it closes the connection.
#[derive(Debug)]
pub enum Probe {
    /// tokio-postgres.
    Postgres(postgres::Probe),
    /// The proxy's own way to log in and to ask.
    MySql(mysql::Probe),
}

/// What went wrong at one of them.
pub type ProbeError = Box<dyn Error + Send + Sync>;

impl Probe {
    /// Dials and logs in.
    ///
    /// # Errors
    ///
    /// The layer that failed, with the database's own words where it refused.
    pub async fn open(
        engine: Engine,
        origin: &OriginConfig,
        timeout: Duration,
    ) -> Result<Self, ProbeError> {
        let dialled = net::dial(&origin.dial, timeout).await;
        let stream = dialled.map_err(|error| ConnectError::Dial(Arc::new(error)))?;
        let marks = TlsMarks::default();
        match engine {
            Engine::Postgres => {
                let config = postgres::login_config(origin);
                let login = postgres::Probe::login(stream, &origin.tls, &config, &marks).await;
                login.map(Self::Postgres).map_err(Into::into)
            }
            Engine::MySql => {
                let login = mysql::Probe::login(stream, origin, &marks).await;
                login.map(Self::MySql).map_err(Into::into)
            }
        }
    }

    /// Runs one statement as text, and gives the first value of its first row.
    ///
    /// # Errors
    ///
    /// The database's own words, or the end of the connection.
    pub async fn first_value(&mut self, sql: &str) -> Result<Option<String>, ProbeError> {
        match self {
            Self::Postgres(probe) => {
                let reply = probe.client().simple_query(sql).await?;
                Ok(postgres::first_value(&reply).map(ToOwned::to_owned))
            }
            Self::MySql(probe) => Ok(probe.first_row(sql).await?.into_iter().next().flatten()),
        }
    }

    /// What the proxy made of the statement before, where it is the proxy that is asked.
    ///
    /// # Errors
    ///
    /// The database's own words, or the end of the connection.
    pub async fn cache_status(&mut self) -> Result<Option<String>, ProbeError> {
        match self {
            Self::Postgres(_) => self.first_value("SHOW jumpgate.cache_status").await,
            // As SHOW STATUS answers: a name and its value.
            Self::MySql(probe) => {
                let mut row = probe.first_row("SHOW JUMPGATE STATUS").await?.into_iter();
                Ok(row.nth(1).flatten())
            }
        }
    }
}
