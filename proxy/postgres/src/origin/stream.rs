//! A stream to the database: dialled, and within its TLS.

use std::{io, sync::Arc};

use origin::net::{self, ConnectError, Framed, Stream};
use protocol::{postgres::startup, reader::DecodeError};
use serving::config::{DatabaseConfig, OriginTls};

/// Dials and, unless the config says plaintext in as many words, puts the database's TLS around it.
///
/// # Errors
///
/// [`ConnectError`] names the layer.
///
/// # Cancel safety
///
/// Dropped before it ends, the connection is closed.
pub async fn open_stream(config: &DatabaseConfig) -> Result<Stream, ConnectError> {
    let timeout = config.pool.connect_timeout;
    let stream = net::dial::dial(&config.origin.dial, timeout)
        .await
        .map_err(|error| ConnectError::Dial(Arc::new(error)))?;
    encrypt(stream, &config.origin.tls).await
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
