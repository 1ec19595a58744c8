//! A private certificate authority: for the connectors of an edge, which verify names that no public
//! one would certify, for its hostnames where it has no other certificate, and for development.
//!
//! It keeps nothing on disk itself; who wants to keep it takes its two PEM texts.

use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    crypto::aws_lc_rs::default_provider,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

/// The names that connectors verify, whatever the edge's host is called (B1).
pub const EDGE_NAMES: [&str; 3] = ["h2.cftunnel.com", "quic.cftunnel.com", "probe.cftunnel.com"];

/// A certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes an authority with a fresh key.
    ///
    /// # Errors
    ///
    /// [`CertsError`] when the crypto library refuses.
    pub fn generate(name: &str) -> Result<Self, CertsError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = valid_for(AUTHORITY_DAYS);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate_pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate_pem })
    }

    /// The authority whose two PEM texts were kept.
    ///
    /// # Errors
    ///
    /// [`CertsError`] when they are not PEM or do not belong together.
    pub fn load(certificate_pem: &str, key_pem: &str) -> Result<Self, CertsError> {
        let key = KeyPair::from_pem(key_pem)?;
        let issuer = Issuer::from_ca_cert_pem(certificate_pem, key)?;
        Ok(Self { issuer, certificate_pem: certificate_pem.to_owned() })
    }

    /// The private key in PEM, to be kept. Who has it can pose as any edge.
    pub fn to_secret_key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.issuer.key().serialize_pem())
    }

    /// The certificate that peers must trust.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Issues a server certificate for the names (DNS names or IP addresses).
    ///
    /// # Errors
    ///
    /// [`CertsError`] when a name is invalid.
    pub fn server(&self, names: &[&str]) -> Result<ServerCertificate, CertsError> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let common_name = names.first().cloned().unwrap_or_default();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = valid_for(SERVER_DAYS);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate_pem = params.signed_by(&key, &self.issuer)?.pem();
        Ok(ServerCertificate { certificate_pem, key_pem: key.serialize_pem() })
    }

    /// Issues a certificate for an edge: its hostnames and the names that connectors verify.
    ///
    /// # Errors
    ///
    /// [`CertsError`] when a hostname is invalid.
    pub fn edge(&self, hostnames: &[&str]) -> Result<ServerCertificate, CertsError> {
        self.server(&[hostnames, &EDGE_NAMES].concat())
    }
}

/// A certificate and its key.
pub struct ServerCertificate {
    /// The certificate in PEM.
    pub certificate_pem: String,
    /// The private key in PEM.
    pub key_pem: String,
}

impl std::fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerCertificate").finish_non_exhaustive()
    }
}

/// What an edge shows: a certificate for the name that its peer has asked for, issued by its authority
/// when it is first asked for. Nobody learns of other names.
#[derive(Debug)]
pub struct Certificates {
    authority: Authority,
    /// For connectors, and for who asks for nothing that is known.
    edge: RwLock<Arc<CertifiedKey>>,
    hostnames: RwLock<HashMap<String, Option<Arc<CertifiedKey>>>>,
}

impl Certificates {
    /// Begins with these hostnames.
    ///
    /// # Errors
    ///
    /// [`CertsError`] when the crypto library refuses.
    pub fn new(authority: Authority, hostnames: Vec<String>) -> Result<Arc<Self>, CertsError> {
        let edge = RwLock::new(certified(&authority, &EDGE_NAMES)?);
        let certificates = Self { authority, edge, hostnames: RwLock::default() };
        certificates.serve(hostnames);
        Ok(Arc::new(certificates))
    }

    /// Goes on with these hostnames, and with new certificates for all.
    pub fn serve(&self, hostnames: Vec<String>) {
        *self.hostnames.write() = hostnames.into_iter().map(|name| (name, None)).collect();
        match certified(&self.authority, &EDGE_NAMES) {
            Ok(edge) => *self.edge.write() = edge,
            Err(error) => tracing::error!(%error, "no new certificate, the one before stays"),
        }
    }

    /// TLS of a server that shows them.
    ///
    /// # Errors
    ///
    /// [`CertsError`] when the crypto library refuses.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<rustls::ServerConfig>, CertsError> {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Self>::clone(self);
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        Ok(Arc::new(config))
    }

    /// The certificate for a known hostname.
    fn of(&self, hostname: &str) -> Option<Arc<CertifiedKey>> {
        if let Some(issued) = self.hostnames.read().get(hostname)? {
            return Some(Arc::clone(issued));
        }
        let issued = certified(&self.authority, &[hostname]);
        let issued =
            issued.inspect_err(|error| tracing::error!(%error, hostname, "no certificate"));
        let issued = issued.ok()?;
        if let Some(place) = self.hostnames.write().get_mut(hostname) {
            *place = Some(Arc::clone(&issued));
        }
        Some(issued)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let hostname = hello.server_name().map(str::to_ascii_lowercase);
        let known = hostname.and_then(|hostname| self.of(&hostname));
        Some(known.unwrap_or_else(|| Arc::clone(&self.edge.read())))
    }
}

fn certified(authority: &Authority, names: &[&str]) -> Result<Arc<CertifiedKey>, CertsError> {
    let issued = authority.server(names)?;
    let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes())?;
    let chain = certificates(&issued.certificate_pem)?;
    Ok(Arc::new(CertifiedKey::from_der(chain, key, &default_provider())?))
}

/// From yesterday, because clocks differ.
fn valid_for(days: i64) -> (OffsetDateTime, OffsetDateTime) {
    let now = OffsetDateTime::now_utc();
    (now - Duration::days(1), now + Duration::days(days))
}

const AUTHORITY_DAYS: i64 = 3650;
/// A running edge issues itself a new one every day.
const SERVER_DAYS: i64 = 90;

/// TLS of a client that trusts only the certificates in `roots_pem`.
///
/// # Errors
///
/// [`CertsError`] when the PEM holds no usable certificate.
pub fn client_config(roots_pem: &str) -> Result<Arc<rustls::ClientConfig>, CertsError> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates(roots_pem)? {
        roots.add(certificate)?;
    }
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// TLS of a server with this certificate chain and key.
///
/// # Errors
///
/// [`CertsError`] when one of the two is not valid PEM or they do not belong together.
pub fn server_config(
    chain_pem: &str,
    key_pem: &str,
) -> Result<Arc<rustls::ServerConfig>, CertsError> {
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes())?;
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates(chain_pem)?, key)?;
    Ok(Arc::new(config))
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, CertsError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>()?;
    if found.is_empty() { Err(CertsError::Empty) } else { Ok(found) }
}

/// Why certificates could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum CertsError {
    /// A certificate could not be made.
    #[error("a certificate cannot be made")]
    Make(#[from] rcgen::Error),
    /// The text is not PEM.
    #[error("a PEM file is not valid")]
    Pem(#[from] rustls_pki_types::pem::Error),
    /// The PEM has no certificate.
    #[error("a PEM file holds no certificate")]
    Empty,
    /// TLS does not accept what it was given.
    #[error("a certificate or key is not usable")]
    Tls(#[from] rustls::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_authority_issues_can_serve_and_be_trusted() {
        let authority = Authority::generate("Jumpgate tests").expect("an authority");
        let server = authority.edge(&["db.example.test", "127.0.0.1"]).expect("a certificate");
        assert!(server_config(&server.certificate_pem, &server.key_pem).is_ok());
        assert!(client_config(authority.certificate_pem()).is_ok());
        assert!(matches!(client_config(""), Err(CertsError::Empty)));
        assert!(!format!("{server:?}").contains("PRIVATE"));
    }

    #[tokio::test]
    async fn an_authority_that_was_kept_certifies_new_hostnames() {
        let first = Authority::generate("Jumpgate tests").expect("an authority");
        let (certificate, key) = (first.certificate_pem().to_owned(), first.to_secret_key_pem());
        let kept = Authority::load(&certificate, &key).expect("its own PEM");
        assert!(Authority::load(&certificate, "nonsense").is_err());
        let shown = Certificates::new(kept, vec!["one.test".to_owned()]).expect("a certificate");
        let server = tokio_rustls::TlsAcceptor::from(shown.server_config().expect("TLS"));
        let client = tokio_rustls::TlsConnector::from(client_config(&certificate).expect("roots"));
        let can_reach = async |name: &'static str| {
            let (near, far) = tokio::io::duplex(64 * 1024);
            let name = rustls_pki_types::ServerName::try_from(name).expect("a name");
            let (reached, _served) = tokio::join!(client.connect(name, near), server.accept(far));
            reached.is_ok()
        };
        assert!(can_reach("one.test").await && can_reach("h2.cftunnel.com").await);
        assert!(!can_reach("two.test").await);
        shown.serve(vec!["one.test".to_owned(), "two.test".to_owned()]);
        assert!(can_reach("two.test").await && can_reach("one.test").await);
        assert!(!format!("{shown:?}").contains("PRIVATE"));
    }

    /// The other tool offers these, and a key share of the first only.
    #[tokio::test]
    async fn a_connector_need_not_offer_the_usual_groups() {
        use rustls::crypto::aws_lc_rs::kx_group::{SECP256R1, X25519MLKEM768};
        let authority = Authority::generate("Jumpgate tests").expect("an authority");
        let root = certificates(authority.certificate_pem()).expect("its own PEM").remove(0);
        let mut roots = rustls::RootCertStore::empty();
        roots.add(root).expect("its own certificate");
        let shown = Certificates::new(authority, Vec::new()).expect("a certificate");
        let server = tokio_rustls::TlsAcceptor::from(shown.server_config().expect("TLS"));
        for kx_groups in [vec![X25519MLKEM768, SECP256R1], vec![X25519MLKEM768], vec![SECP256R1]] {
            let provider = rustls::crypto::CryptoProvider { kx_groups, ..default_provider() };
            let config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
                .with_safe_default_protocol_versions()
                .expect("all versions can be had with these")
                .with_root_certificates(roots.clone())
                .with_no_client_auth();
            let client = tokio_rustls::TlsConnector::from(Arc::new(config));
            let (near, far) = tokio::io::duplex(64 * 1024);
            let name = rustls_pki_types::ServerName::try_from("h2.cftunnel.com").expect("a name");
            let (reached, served) = tokio::join!(client.connect(name, near), server.accept(far));
            assert!(reached.is_ok(), "{reached:?}");
            served.expect("both agree");
        }
    }
}
