//! A PostgreSQL client for the tools: tokio-postgres over our own streams.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use ::postgres::Guarded;
use origin::net::{ConnectError, Stream, tls};
use serving::config::{OriginConfig, OriginTls};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::JoinSet,
};
use tokio_postgres::{
    Client, Config, SimpleQueryMessage,
    config::SslMode,
    tls::{ChannelBinding, TlsConnect, TlsStream},
};

use super::marks::TlsMarks;

/// A client that is logged in. Dropping it closes the connection.
#[derive(Debug)]
pub struct Probe {
    client: Client,
    /// Drives the connection.
    _connection: JoinSet<()>,
}

impl Probe {
    /// Puts the database's TLS around a stream and logs in.
    ///
    /// # Errors
    ///
    /// With the database's own words where it refused; `marks` says how far TLS came.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the connection is closed.
    pub async fn login(
        stream: Stream,
        tls: &OriginTls,
        config: &Config,
        marks: &TlsMarks,
    ) -> Result<Self, tokio_postgres::Error> {
        let mut config = config.clone();
        config.ssl_mode(match tls {
            OriginTls::Plaintext => SslMode::Disable,
            OriginTls::Required { .. } => SslMode::Require,
        });
        let connector = Connector { tls: tls.clone(), marks: marks.clone() };
        // Before TLS the database answers with a single byte.
        let stream = match tls {
            OriginTls::Plaintext => Guarded::new(stream, tls.clone()),
            OriginTls::Required { .. } => Guarded::unwatched(stream, tls.clone()),
        };
        let (client, connection) = config.connect_raw(stream, connector).await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = &error as &dyn std::error::Error, "probe connection ended");
            }
        });
        Ok(Self { client, _connection: driver })
    }

    /// The client itself.
    pub const fn client(&self) -> &Client {
        &self.client
    }
}

/// How the tools log in at an origin.
pub fn login_config(origin: &OriginConfig) -> Config {
    let mut config = Config::new();
    config.user(&origin.user).dbname(&origin.database).password(origin.password.now().expose());
    config
}

/// Why we did not answer what a database asked for, where a login failed for that.
pub fn held_back(error: &tokio_postgres::Error) -> Option<&ConnectError> {
    let error = std::error::Error::source(error)?.downcast_ref::<io::Error>()?;
    error.get_ref()?.downcast_ref()
}

/// The first value of the first row of a simple query's reply.
pub fn first_value(reply: &[SimpleQueryMessage]) -> Option<&str> {
    reply.iter().find_map(|message| {
        if let SimpleQueryMessage::Row(row) = message { row.get(0) } else { None }
    })
}

struct Connector {
    tls: OriginTls,
    marks: TlsMarks,
}

/// A stream inside TLS, as tokio-postgres wants it.
#[derive(Debug)]
struct Encrypted(Guarded);

impl TlsConnect<Guarded> for Connector {
    type Stream = Encrypted;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted>> + Send>>;

    fn connect(self, stream: Guarded) -> Self::Future {
        Box::pin(async move {
            let OriginTls::Required { client, server_name, .. } = &self.tls else {
                return Err(io::Error::new(io::ErrorKind::Unsupported, "plaintext was asked for"));
            };
            self.marks.start();
            let stream = stream.into_inner();
            let stream = tls::connect(stream, Arc::clone(client), server_name.clone()).await?;
            self.marks.finish();
            Ok(Encrypted(Guarded::new(stream, self.tls)))
        })
    }
}

impl TlsStream for Encrypted {
    fn channel_binding(&self) -> ChannelBinding {
        self.0
            .get_ref()
            .client_connection()
            .and_then(tls::peer_end_point)
            .map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
