//! A MySQL client for the tools: the login that backends do, and one question at a time.

use std::sync::Arc;

use crate::{
    config::{CachingConfig, DatabaseConfig, Engine, Fingerprint, OriginConfig, PoolConfig},
    net::{ConnectError, Stream},
};

use origin::{AskError, Login};

/// Stands in until `mysql::origin` is in the tree.
mod origin {
    use bytes::Bytes;

    use crate::{
        config::DatabaseConfig,
        net::{ConnectError, Framed, Stream},
    };

    pub(super) type AskError = ConnectError;

    #[derive(Debug)]
    pub(super) struct Login {
        pub(super) framed: Framed,
        pub(super) capabilities: u32,
        pub(super) version: Bytes,
    }

    pub(super) async fn login_over(
        _stream: Stream,
        _config: &DatabaseConfig,
        _program: &str,
    ) -> Result<Login, ConnectError> {
        Err(ConnectError::Ended)
    }

    pub(super) async fn ask(
        _framed: &mut Framed,
        _capabilities: u32,
        _sql: &str,
    ) -> Result<Vec<Vec<Option<Bytes>>>, AskError> {
        Err(ConnectError::Ended)
    }
}

/// What the tools call themselves at the database.
const PROGRAM: &str = "jumpgate/probe";

/// A client that is logged in. Dropping it closes the connection.
#[derive(Debug)]
pub struct Probe {
    login: Login,
}

impl Probe {
    /// Puts the database's TLS around a stream and logs in.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] names the layer.
    pub async fn login(stream: Stream, origin: &OriginConfig) -> Result<Self, ConnectError> {
        let login = origin::login_over(stream, &config(origin), PROGRAM).await?;
        Ok(Self { login })
    }

    /// The version that the database told in its greeting.
    pub fn version(&self) -> String {
        String::from_utf8_lossy(&self.login.version).into_owned()
    }

    /// The first value of the first row of a reply.
    ///
    /// # Errors
    ///
    /// [`AskError`].
    pub async fn first_value(&mut self, sql: &str) -> Result<Option<String>, AskError> {
        let login = &mut self.login;
        let rows = origin::ask(&mut login.framed, login.capabilities, sql).await?;
        let value = rows.into_iter().next().and_then(|row| row.into_iter().next().flatten());
        Ok(value.map(|value| String::from_utf8_lossy(&value).into_owned()))
    }
}

/// A config that is good for nothing but logging in.
fn config(origin: &OriginConfig) -> Arc<DatabaseConfig> {
    Arc::new(DatabaseConfig {
        id: String::new(),
        name: String::from("probe"),
        engine: Engine::MySql,
        users: Vec::new(),
        origin: origin.clone(),
        pool: PoolConfig::default(),
        caching: CachingConfig::default(),
        fingerprint: Fingerprint::unique(),
    })
}
