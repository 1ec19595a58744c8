//! A stream to the database: dialled, and within its TLS.

use std::{io, sync::Arc, time::Duration};

use origin::net::{self, ConnectError, Framed, Stream};
use protocol::{postgres::startup, reader::DecodeError};
use serving::config::{DatabaseConfig, OriginTls};

/// Dials the host in use and, unless the config says plaintext in as many words, puts the database's TLS around it.
///
/// # Errors
///
/// [`ConnectError`] names the layer.
///
/// # Cancel safety
///
/// Dropped before it ends, the connection is closed.
pub async fn open_stream(config: &DatabaseConfig) -> Result<Stream, ConnectError> {
    open_stream_to(config, config.origin.host_in_use(), config.pool.connect_timeout).await
}

/// The same of this one of the hosts, where the dial may take so long.
pub(super) async fn open_stream_to(
    config: &DatabaseConfig,
    host: usize,
    timeout: Duration,
) -> Result<Stream, ConnectError> {
    let (dial, tls) = config.origin.way(host);
    let stream = net::dial::dial(dial, timeout)
        .await
        .map_err(|error| ConnectError::Dial(Arc::new(error)))?;
    encrypt(stream, tls).await
}

pub(super) async fn encrypt(stream: Stream, tls: &OriginTls) -> Result<Stream, ConnectError> {
    match tls {
        OriginTls::Plaintext => Ok(stream),
        OriginTls::Required { client, server_name, .. } => {
            let stream = request_tls(stream).await?;
            net::tls::connect(stream, Arc::clone(client), server_name.clone()).await.map_err(
                |error| {
                    if net::tls::is_certificate_error(&error) {
                        ConnectError::Certificate(Arc::new(error))
                    } else {
                        error.into()
                    }
                },
            )
        }
    }
}

/// Sends SSLRequest and reads the one byte of its answer. Bytes behind it were not sent under TLS and end the
/// attempt (CVE-2021-23222 is the server's side of the same mistake).
async fn request_tls(stream: Stream) -> Result<Stream, ConnectError> {
    let mut framed = Framed::new(stream);
    let request = [8_u32.to_be_bytes(), startup::SSL_REQUEST_CODE.to_be_bytes()].concat();
    framed.queue().extend_from_slice(&request);
    framed.flush().await?;
    if framed.fill().await? == 0 {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    match framed.input() {
        b"S" => Ok(framed.into_parts().stream),
        b"N" => Err(ConnectError::TlsRequired),
        _ => Err(DecodeError::Value("answer to SSLRequest").into()),
    }
}
