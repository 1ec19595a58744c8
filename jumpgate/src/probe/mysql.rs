//! A MySQL client for the tools: the login that backends do, and one question at a time.

use ::mysql::origin::{self, AskError, Login};
use ::origin::net::{ConnectError, Stream};
use bytes::Bytes;
use serving::config::OriginConfig;

use super::marks::TlsMarks;

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
    /// [`ConnectError`] names the layer; `marks` says whether TLS was complete.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the connection is closed.
    pub async fn login(
        stream: Stream,
        origin: &OriginConfig,
        marks: &TlsMarks,
    ) -> Result<Self, ConnectError> {
        let login = origin::login_over(stream, origin, PROGRAM, || marks.finish()).await?;
        Ok(Self { login })
    }

    /// The first row of a reply, as text.
    ///
    /// # Errors
    ///
    /// [`AskError`].
    pub async fn first_row(&mut self, sql: &str) -> Result<Vec<Option<String>>, AskError> {
        let login = &mut self.login;
        let rows = origin::ask(&mut login.framed, login.capabilities, sql).await?;
        let text = |value: Bytes| String::from_utf8_lossy(&value).into_owned();
        let row = rows.into_iter().next().unwrap_or_default();
        Ok(row.into_iter().map(|value| value.map(text)).collect())
    }
}
