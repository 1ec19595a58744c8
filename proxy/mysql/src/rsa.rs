//! RSA for `caching_sha2_password` without TLS, both sides, and the bound on work that keeps a processor busy.
//!
//! The password is hidden by OAEP with SHA-1 (`sql/auth/sha2_password.cc`, `RSA_PKCS1_OAEP_PADDING`). It keeps
//! a listener from reading it; it does not show who is asking, as TLS does.

use std::sync::Arc;

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rsa::{
        KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
        PrivateDecryptingKey, PublicEncryptingKey,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls_pki_types::{SubjectPublicKeyInfoDer, pem::PemObject as _};
use tokio::sync::{OnceCell, Semaphore};
use zeroize::Zeroizing;

/// Bytes of what is encrypted with our key.
pub(crate) const CIPHERTEXT_LEN: usize = 256;
/// As many RSA and PBKDF2 computations run at once. Each takes milliseconds; a storm of logins must leave
/// processors to the relays.
const MAX_AT_ONCE: usize = 2;
/// Characters of a line in a PEM file (RFC 7468).
const PEM_LINE: usize = 64;

/// Something went wrong that no peer is told about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("RSA computation failed")]
pub(crate) struct RsaError;

/// The process's key, made when the first client asks for it, and the places where heavy work is done.
#[derive(Debug)]
pub(crate) struct Vault {
    pair: OnceCell<Pair>,
    places: Arc<Semaphore>,
}

/// A key, and its public half as clients want it.
#[derive(Clone)]
struct Pair {
    key: Arc<OaepPrivateDecryptingKey>,
    public_pem: Arc<str>,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pair")
    }
}

impl Default for Vault {
    fn default() -> Self {
        Self { pair: OnceCell::new(), places: Arc::new(Semaphore::new(MAX_AT_ONCE)) }
    }
}

impl Vault {
    /// Does heavy work on a thread that no relay needs, a few at once; the others wait for their turn.
    ///
    /// # Errors
    ///
    /// [`RsaError`] when the work panicked.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, work that has begun is finished, in its place, and its result is lost.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, RsaError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_closed| RsaError)?;
        let work = move || {
            let _place = place;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_panicked| RsaError)
    }

    /// The public key as PEM, as clients ask for it.
    ///
    /// # Errors
    ///
    /// [`RsaError`] when none could be made.
    pub(crate) async fn public_pem(&self) -> Result<Arc<str>, RsaError> {
        Ok(self.pair().await?.public_pem.clone())
    }

    /// What a client encrypted with our public key.
    ///
    /// # Errors
    ///
    /// [`RsaError`] when it was not.
    pub(crate) async fn decrypt(&self, secret: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, RsaError> {
        let key = self.pair().await?.key.clone();
        self.run(move || {
            let mut room = Zeroizing::new(vec![0; key.min_output_size()]);
            let plain = key.decrypt(&OAEP_SHA1_MGF1SHA1, &secret, &mut room, None);
            plain.map(|plain| Zeroizing::new(plain.to_vec())).map_err(|_unspecified| RsaError)
        })
        .await?
    }

    async fn pair(&self) -> Result<&Pair, RsaError> {
        self.pair.get_or_try_init(async || self.run(Pair::generate).await?).await
    }
}

impl Pair {
    fn generate() -> Result<Self, RsaError> {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).map_err(|_failed| RsaError)?;
        let der: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(|_failed| RsaError)?;
        let public_pem = pem(der.as_ref()).into();
        let key = OaepPrivateDecryptingKey::new(key).map_err(|_failed| RsaError)?;
        Ok(Self { key: key.into(), public_pem })
    }
}

/// A SubjectPublicKeyInfo as PEM.
fn pem(der: &[u8]) -> String {
    let mut text = String::from("-----BEGIN PUBLIC KEY-----\n");
    for (at, character) in STANDARD.encode(der).chars().enumerate() {
        if at > 0 && at % PEM_LINE == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str("\n-----END PUBLIC KEY-----\n");
    text
}

/// Encrypts with the public key that an origin sent.
///
/// # Errors
///
/// [`RsaError`] when it sent no usable key (shorter than 2048 bits, for one), or `plain` is too long for it.
pub(crate) fn encrypt(public_pem: &[u8], plain: &[u8]) -> Result<Vec<u8>, RsaError> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(public_pem).map_err(|_invalid| RsaError)?;
    let key = PublicEncryptingKey::from_der(der.as_ref()).map_err(|_invalid| RsaError)?;
    let key = OaepPublicEncryptingKey::new(key).map_err(|_invalid| RsaError)?;
    let mut room = vec![0; key.ciphertext_size()];
    let secret = key.encrypt(&OAEP_SHA1_MGF1SHA1, plain, &mut room, None);
    secret.map(|secret| secret.to_vec()).map_err(|_too_long| RsaError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_encrypted_with_the_public_key_is_decrypted_once_more() {
        let vault = Vault::default();
        let pem = vault.public_pem().await.unwrap();
        assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\nMIIBIjAN"), "{pem}");
        assert!(pem.lines().all(|line| line.len() <= PEM_LINE));
        assert_eq!(vault.public_pem().await.unwrap(), pem, "the key is made once");
        let secret = encrypt(pem.as_bytes(), b"pass\0").unwrap();
        assert_eq!(secret.len(), CIPHERTEXT_LEN);
        assert_eq!(&**vault.decrypt(secret.clone()).await.unwrap(), b"pass\0");

        let mut broken = secret;
        broken[100] ^= 1;
        assert!(vault.decrypt(broken).await.is_err());
        assert!(vault.decrypt(vec![0; CIPHERTEXT_LEN]).await.is_err());
        assert!(vault.decrypt(Vec::new()).await.is_err());
    }

    #[tokio::test]
    async fn what_is_no_key_encrypts_nothing() {
        let pem = Vault::default().public_pem().await.unwrap();
        // 256 bytes less the 42 of OAEP with SHA-1.
        assert!(encrypt(pem.as_bytes(), &[1; 214]).is_ok());
        assert!(encrypt(pem.as_bytes(), &[1; 215]).is_err());
        for broken in ["", "-----BEGIN PUBLIC KEY-----\n", "password", &pem.replace('A', "B")] {
            assert!(encrypt(broken.as_bytes(), b"x").is_err(), "{broken}");
        }
        let certificate = pem.replace("PUBLIC KEY", "CERTIFICATE");
        assert!(encrypt(certificate.as_bytes(), b"x").is_err());
    }

    #[tokio::test]
    async fn work_that_panics_frees_its_place() {
        let vault = Vault::default();
        for _ in 0..=MAX_AT_ONCE {
            let failed = vault
                .run(|| {
                    if true {
                        std::panic::panic_any("on purpose")
                    }
                })
                .await;
            assert_eq!(failed, Err(RsaError));
        }
        assert_eq!(vault.run(|| 7).await, Ok(7));
    }
}
