//! The `tls-server-end-point` channel binding (RFC 5929 §4) of a certificate.

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_cert::{
    Certificate,
    der::{Decode, Encode, asn1::ObjectIdentifier},
};

/// The hash that both sides of SCRAM-SHA-256-PLUS put into their messages.
///
/// It is made with the hash of the certificate's signature algorithm, or SHA-256 where that is MD5 or
/// SHA-1. `None` where the certificate cannot be read or its signature has no hash of its own
/// (Ed25519): RFC 5929 leaves the binding undefined then, and PLUS must not be offered.
pub fn tls_server_end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let parsed = Certificate::from_der(certificate).ok()?;
    let algorithm = &parsed.signature_algorithm;
    let hash = match algorithm.oid {
        RSA_PSS => {
            let parameters = algorithm.parameters.as_ref()?.to_der().ok()?;
            pss_hash(&parameters)
        }
        oid => hash_of(oid)?,
    };
    Some(match hash {
        Hash::Sha256 => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
    })
}

/// The hashes that a binding is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// RFC 8017 and RFC 5758 name the signature algorithms.
fn hash_of(oid: ObjectIdentifier) -> Option<Hash> {
    HASHES.iter().find(|(known, _)| *known == oid).map(|(_, hash)| *hash)
}

/// The `hashAlgorithm` of RSASSA-PSS parameters (RFC 8017 A.2.3).
///
/// It comes first in the sequence and only where it is not SHA-1, so the first OID of the SHA-2 family
/// (2.16.840.1.101.3.4.2.x) decides.
fn pss_hash(parameters: &[u8]) -> Hash {
    const SHA2: [u8; 8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
    let last = parameters
        .windows(SHA2.len() + 1)
        .find_map(|window| window.strip_prefix(&SHA2).and_then(|rest| rest.first().copied()));
    match last {
        Some(2) => Hash::Sha384,
        Some(3) => Hash::Sha512,
        Some(_) | None => Hash::Sha256,
    }
}

const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");

const HASHES: [(ObjectIdentifier, Hash); 9] = [
    // MD5 and SHA-1 are replaced by SHA-256.
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.4"), Hash::Sha256),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5"), Hash::Sha256),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.1"), Hash::Sha256),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11"), Hash::Sha256),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"), Hash::Sha256),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12"), Hash::Sha384),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3"), Hash::Sha384),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13"), Hash::Sha512),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4"), Hash::Sha512),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> CertificateDer<'static> {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let params = rcgen::CertificateParams::new([String::from("localhost")]).unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn the_hash_follows_the_signature_algorithm() {
        let p256 = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
        assert_eq!(tls_server_end_point(&p256), Some(Sha256::digest(&p256).to_vec()));
        let p384 = certificate(&rcgen::PKCS_ECDSA_P384_SHA384);
        assert_eq!(tls_server_end_point(&p384), Some(Sha384::digest(&p384).to_vec()));
    }

    #[test]
    fn ed25519_and_garbage_have_no_binding() {
        assert_eq!(tls_server_end_point(&certificate(&rcgen::PKCS_ED25519)), None);
        assert_eq!(tls_server_end_point(&CertificateDer::from(vec![1, 2, 3])), None);
    }

    #[test]
    fn pss_parameters_name_their_hash() {
        let sha2 = |last| vec![0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, last];
        assert_eq!(pss_hash(&sha2(1)), Hash::Sha256);
        assert_eq!(pss_hash(&sha2(2)), Hash::Sha384);
        assert_eq!(pss_hash(&sha2(3)), Hash::Sha512);
        assert_eq!(pss_hash(&[0x30, 0x00]), Hash::Sha256);
    }
}
