//! TLS on both sides: what clients are offered, and what origins must show.
//!
//! The provider is named wherever it is needed; nothing is installed for the process.

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{
    Stream, channel_binding,
    verify::{AnyCertificate, ChainOnly},
};
use crate::config::ALPN_POSTGRES;

/// The tunnel upgrades an HTTP/1.1 request.
const ALPN_HTTP: &[u8] = b"http/1.1";

/// Why certificates or keys could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Not a PEM file, or one without a certificate.
    #[error("no certificate in the PEM file")]
    NoCertificate,
    /// A certificate that cannot be read.
    #[error("the certificate is not valid PEM")]
    Certificate(#[source] rustls_pki_types::pem::Error),
    /// A key that cannot be read.
    #[error("no private key in the PEM file")]
    Key(#[source] rustls_pki_types::pem::Error),
    /// The certificates and the key do not fit, or are not usable as such.
    #[error("the certificate and key cannot be used")]
    Unusable(#[source] rustls::Error),
    /// A root that is not a usable CA certificate.
    #[error("the CA certificate cannot be used")]
    Root(#[source] rustls::Error),
    /// No usable set of roots.
    #[error("the trusted roots cannot be used")]
    Roots(#[source] rustls::client::VerifierBuilderError),
    /// The platform's roots could not be loaded.
    #[error("the platform's trusted roots cannot be used")]
    Platform(#[source] rustls::Error),
}

/// What is checked of an origin's certificate; the words are libpq's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslMode {
    /// TLS with any certificate.
    #[default]
    Require,
    /// The chain ends at a trusted root.
    VerifyCa,
    /// The chain ends at a trusted root and the certificate carries the host's name.
    VerifyFull,
}

impl SslMode {
    /// Whether an impostor's certificate would be noticed.
    pub const fn is_verified(self) -> bool {
        match self {
            Self::Require => false,
            Self::VerifyCa | Self::VerifyFull => true,
        }
    }
}

/// A certificate chain and its key, as PEM.
#[derive(Clone, Copy)]
pub struct IdentityPem<'a> {
    /// The leaf first.
    pub certificates: &'a [u8],
    /// PKCS#8, PKCS#1 or SEC1.
    pub key: &'a [u8],
}

impl std::fmt::Debug for IdentityPem<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentityPem")
    }
}

/// TLS offered to clients.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// rustls configuration that selects ALPN `postgresql` where a client offers it.
    pub config: Arc<ServerConfig>,
    /// `tls-server-end-point` of the leaf certificate; `None` rules SCRAM-SHA-256-PLUS out.
    pub end_point: Option<Vec<u8>>,
}

/// The one cryptography provider in use.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// TLS for clients, with ALPN `postgresql` for those that name it.
///
/// # Errors
///
/// [`TlsError`] says which part of the identity is not usable.
pub fn server(identity: IdentityPem<'_>) -> Result<ServerTls, TlsError> {
    let (certificates, key) = parse_identity(identity)?;
    let end_point = certificates.first().and_then(channel_binding::tls_server_end_point);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(TlsError::Unusable)?;
    config.alpn_protocols = vec![ALPN_POSTGRES.to_vec()];
    Ok(ServerTls { config: Arc::new(config), end_point })
}

/// TLS towards a database.
///
/// Without `roots` the platform's own are used. `identity` is the client certificate, `alpn` what the protocol
/// is called, if it has a name.
///
/// # Errors
///
/// [`TlsError`] says which part is not usable.
pub fn database_client(
    alpn: Option<&[u8]>,
    mode: SslMode,
    roots: Option<&[u8]>,
    identity: Option<IdentityPem<'_>>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let verifier: Arc<dyn ServerCertVerifier> = match mode {
        SslMode::Require => Arc::new(AnyCertificate(provider())),
        SslMode::VerifyCa => Arc::new(ChainOnly(verifier(roots)?)),
        SslMode::VerifyFull => verifier(roots)?,
    };
    client(verifier, identity, alpn)
}

/// TLS towards an edge: always verified in full.
///
/// # Errors
///
/// [`TlsError`] where the roots are not usable.
pub fn edge_client(roots: Option<&[u8]>) -> Result<Arc<ClientConfig>, TlsError> {
    client(verifier(roots)?, None, Some(ALPN_HTTP))
}

fn client(
    verifier: Arc<dyn ServerCertVerifier>,
    identity: Option<IdentityPem<'_>>,
    alpn: Option<&[u8]>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (certificates, key) = parse_identity(identity)?;
            builder.with_client_auth_cert(certificates, key).map_err(TlsError::Unusable)?
        }
    };
    config.alpn_protocols = alpn.into_iter().map(<[u8]>::to_vec).collect();
    Ok(Arc::new(config))
}

/// rustls' own verifier over the given roots, or the platform's.
fn verifier(roots: Option<&[u8]>) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let Some(pem) = roots else {
        let platform =
            rustls_platform_verifier::Verifier::new(provider()).map_err(TlsError::Platform)?;
        return Ok(Arc::new(platform));
    };
    let mut store = RootCertStore::empty();
    for root in parse_certificates(pem)? {
        store.add(root).map_err(TlsError::Root)?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider())
        .build()
        .map_err(TlsError::Roots)?;
    Ok(verifier)
}

fn parse_certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(TlsError::Certificate)?;
    if certificates.is_empty() { Err(TlsError::NoCertificate) } else { Ok(certificates) }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn parse_identity(identity: IdentityPem<'_>) -> Result<Identity, TlsError> {
    let key = PrivateKeyDer::from_pem_slice(identity.key).map_err(TlsError::Key)?;
    Ok((parse_certificates(identity.certificates)?, key))
}

/// Puts TLS around a client's stream, which must be plain TCP.
///
/// # Errors
///
/// Those of the handshake.
pub async fn accept(stream: Stream, config: Arc<ServerConfig>) -> io::Result<Stream> {
    let Stream::Tcp(stream) = stream else { return Err(not_plain()) };
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    Ok(Stream::TlsServer(Box::new(stream)))
}

/// Puts TLS around an origin's stream, direct or through the tunnel.
///
/// # Errors
///
/// Those of the handshake; a refused certificate is an `InvalidData` that wraps a [`rustls::Error`].
pub async fn connect(
    stream: Stream,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> io::Result<Stream> {
    let connector = TlsConnector::from(config);
    match stream {
        Stream::Tcp(stream) => {
            Ok(Stream::TlsClient(Box::new(connector.connect(name, stream).await?)))
        }
        Stream::Tunnel(stream) => {
            Ok(Stream::TlsTunnel(Box::new(connector.connect(name, stream).await?)))
        }
        Stream::TlsServer(_)
        | Stream::TlsClient(_)
        | Stream::TlsTunnel(_)
        | Stream::Compressed(_)
        | Stream::Duplex(_) => Err(not_plain()),
    }
}

fn not_plain() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "TLS can only be put around a plain stream")
}

/// The `tls-server-end-point` of the certificate that an origin showed on this connection.
pub fn peer_end_point(connection: &rustls::ClientConnection) -> Option<Vec<u8>> {
    connection
        .peer_certificates()
        .and_then(<[_]>::first)
        .and_then(channel_binding::tls_server_end_point)
}

/// Whether a handshake failed because of the peer's certificate, or ours.
pub fn is_certificate_error(error: &io::Error) -> bool {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        .is_some_and(|error| matches!(error, rustls::Error::InvalidCertificate(_)))
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    struct Authority {
        certificate: rcgen::Certificate,
        issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    }

    impl Authority {
        fn new() -> Self {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            let certificate = params.self_signed(&key).unwrap();
            Self { certificate, issuer: rcgen::Issuer::new(params, key) }
        }

        fn pem(&self) -> Vec<u8> {
            self.certificate.pem().into_bytes()
        }

        fn issue(&self, name: &str) -> (Vec<u8>, Vec<u8>) {
            let key = rcgen::KeyPair::generate().unwrap();
            let params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
            let certificate = params.signed_by(&key, &self.issuer).unwrap();
            (certificate.pem().into_bytes(), key.serialize_pem().into_bytes())
        }
    }

    /// Runs one handshake against a server with this identity, says "hi", and returns our side.
    async fn handshake(
        (certificates, key): &(Vec<u8>, Vec<u8>),
        client: Arc<ClientConfig>,
    ) -> io::Result<Stream> {
        let config = server(IdentityPem { certificates, key }).unwrap().config;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        let serve = async {
            if let Ok(mut stream) = accept(Stream::Tcp(far), config).await {
                stream.write_all(b"hi").await.unwrap();
                stream.flush().await.unwrap();
            }
        };
        let connect = async {
            let name = ServerName::try_from("db.example.test").unwrap();
            let mut stream = connect(Stream::Tcp(near), client, name).await?;
            let mut heard = [0; 2];
            stream.read_exact(&mut heard).await?;
            assert_eq!(&heard, b"hi");
            Ok(stream)
        };
        tokio::join!(serve, connect).1
    }

    #[tokio::test]
    async fn each_sslmode_checks_what_its_name_says() {
        let (ours, other) = (Authority::new(), Authority::new());
        let right = ours.issue("db.example.test");
        let wrong_name = ours.issue("elsewhere.example.test");
        let wrong_chain = other.issue("db.example.test");
        for (mode, identity, accepted) in [
            (SslMode::Require, &right, true),
            (SslMode::Require, &wrong_name, true),
            (SslMode::Require, &wrong_chain, true),
            (SslMode::VerifyCa, &right, true),
            (SslMode::VerifyCa, &wrong_name, true),
            (SslMode::VerifyCa, &wrong_chain, false),
            (SslMode::VerifyFull, &right, true),
            (SslMode::VerifyFull, &wrong_name, false),
            (SslMode::VerifyFull, &wrong_chain, false),
        ] {
            let client =
                database_client(Some(ALPN_POSTGRES), mode, Some(&ours.pem()), None).unwrap();
            match handshake(identity, client).await {
                Ok(_) => assert!(accepted, "{mode:?} accepted what it must not"),
                Err(error) => {
                    assert!(!accepted, "{mode:?} refused: {error}");
                    assert!(is_certificate_error(&error), "{error:?}");
                }
            }
        }
    }

    #[tokio::test]
    async fn both_sides_know_the_same_end_point() {
        let identity = Authority::new().issue("db.example.test");
        let client = database_client(Some(ALPN_POSTGRES), SslMode::Require, None, None).unwrap();
        let stream = handshake(&identity, client).await.unwrap();
        let connection = stream.client_connection().unwrap();
        assert_eq!(connection.alpn_protocol(), Some(ALPN_POSTGRES));
        let pem = IdentityPem { certificates: &identity.0, key: &identity.1 };
        let end_point = server(pem).unwrap().end_point;
        assert!(end_point.is_some());
        assert_eq!(peer_end_point(connection), end_point);
    }

    #[test]
    fn pem_that_holds_the_wrong_thing_is_named() {
        let (certificates, key) = Authority::new().issue("db.example.test");
        let swapped = IdentityPem { certificates: &key, key: &key };
        assert!(matches!(server(swapped), Err(TlsError::NoCertificate)));
        let swapped = IdentityPem { certificates: &certificates, key: &certificates };
        assert!(matches!(server(swapped), Err(TlsError::Key(_))));
        let other = Authority::new().issue("db.example.test").1;
        let mixed = IdentityPem { certificates: &certificates, key: &other };
        assert!(matches!(server(mixed), Err(TlsError::Unusable(_))));
    }

    #[tokio::test]
    async fn a_client_certificate_is_accepted_as_identity() {
        let authority = Authority::new();
        let (certificates, key) = authority.issue("client");
        let identity = IdentityPem { certificates: &certificates, key: &key };
        let client =
            database_client(None, SslMode::VerifyFull, Some(&authority.pem()), Some(identity));
        assert!(client.unwrap().client_auth_cert_resolver.has_certs());
    }
}
