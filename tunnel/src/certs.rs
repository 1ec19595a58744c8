//! A private certificate authority, for development and tests.
//!
//! It keeps nothing on disk. For the real world bring certificates of your own.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

/// The names that connectors verify, whatever the edge's host is called (B1).
pub const EDGE_NAMES: [&str; 3] = ["h2.cftunnel.com", "quic.cftunnel.com", "probe.cftunnel.com"];

/// A certificate authority that lives as long as this value.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
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
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate_pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate_pem })
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
}
