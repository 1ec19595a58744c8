//! Service tokens: what a client shows, and what an edge keeps of it.
//!
//! Which token may pass to which hostname is not decided here but by the edge's policies.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The header with the token's public half, in the spelling `cloudflared` sends.
pub const CLIENT_ID_HEADER: &str = "Cf-Access-Client-Id";

/// The header with the token's secret half.
pub const CLIENT_SECRET_HEADER: &str = "Cf-Access-Client-Secret";

const MAX_ID_LEN: usize = 128;
const MAX_SECRET_LEN: usize = 256;

/// A service token as a client holds it: both halves, safe to put into a header.
#[derive(Clone)]
pub struct ServiceToken {
    id: String,
    secret: Zeroizing<String>,
}

impl ServiceToken {
    /// Checks both halves and keeps them.
    ///
    /// # Errors
    ///
    /// [`InvalidToken`] when a half is empty, too long, or has a byte that is not visible ASCII
    /// (which could smuggle a header line).
    pub fn new(id: impl Into<String>, secret: impl Into<String>) -> Result<Self, InvalidToken> {
        let (id, secret) = (id.into(), Zeroizing::new(secret.into()));
        check(&id, MAX_ID_LEN, "id")?;
        check(&secret, MAX_SECRET_LEN, "secret")?;
        Ok(Self { id, secret })
    }

    /// The public half.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The secret half, for the request head only.
    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }
}

impl fmt::Debug for ServiceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceToken").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A service token as an edge stores it: the secret can be verified but not read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredToken {
    id: String,
    secret_sha256: [u8; 32],
}

impl StoredToken {
    /// Stores a token by its id and the SHA-256 of its secret.
    ///
    /// # Errors
    ///
    /// [`InvalidToken`] when the id could never be sent.
    pub fn new(id: impl Into<String>, secret_sha256: [u8; 32]) -> Result<Self, InvalidToken> {
        let id = id.into();
        check(&id, MAX_ID_LEN, "id")?;
        Ok(Self { id, secret_sha256 })
    }

    /// Stores a token by its id and the SHA-256 of its secret in hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`InvalidToken`] when the id could never be sent, or the hash is not 64 digits.
    pub fn from_hex(id: impl Into<String>, secret_sha256: &str) -> Result<Self, InvalidToken> {
        let mut hash = [0; 32];
        hex::decode_to_slice(secret_sha256, &mut hash).map_err(|_not_hex| InvalidToken {
            half: "secret hash",
            why: "must be 64 hexadecimal digits",
        })?;
        Self::new(id, hash)
    }

    /// The public half.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Is this the token that was shown? Takes the same time wherever the two differ.
    pub fn verify(&self, id: &str, secret: &str) -> bool {
        let shown_id = Sha256::digest(id.as_bytes());
        let stored_id = Sha256::digest(self.id.as_bytes());
        let shown_secret = Sha256::digest(secret.as_bytes());
        let same = shown_id.ct_eq(&stored_id) & shown_secret.ct_eq(&self.secret_sha256);
        same.into()
    }
}

impl From<&ServiceToken> for StoredToken {
    fn from(token: &ServiceToken) -> Self {
        let secret_sha256 = Sha256::digest(token.secret.as_bytes()).into();
        Self { id: token.id.clone(), secret_sha256 }
    }
}

/// Why a text cannot be half of a service token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {half} of a service token {why}")]
pub struct InvalidToken {
    half: &'static str,
    why: &'static str,
}

fn check(text: &str, max_len: usize, half: &'static str) -> Result<(), InvalidToken> {
    let why = if text.is_empty() {
        "is empty"
    } else if text.len() > max_len {
        "is too long"
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        "may hold visible ASCII characters only"
    } else {
        return Ok(());
    };
    Err(InvalidToken { half, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_with_bytes_that_could_split_a_header_is_refused() {
        for bad in ["", "a b", "a\r\nX: y", "a\n", "é", "\0", "a\t"] {
            assert!(ServiceToken::new("id", bad).is_err(), "{bad:?}");
            assert!(ServiceToken::new(bad, "secret").is_err(), "{bad:?}");
        }
        assert!(ServiceToken::new("id", "s".repeat(MAX_SECRET_LEN + 1)).is_err());
        assert!(ServiceToken::new("i".repeat(MAX_ID_LEN + 1), "s").is_err());
    }

    #[test]
    fn the_secret_is_not_in_the_debug_text() {
        let token = ServiceToken::new("a.access", "hunter2").expect("valid");
        assert!(!format!("{token:?}").contains("hunter2"));
    }

    #[test]
    fn a_stored_token_verifies_exactly_its_own_id_and_secret() {
        let stored = StoredToken::from(&ServiceToken::new("a.access", "secret").expect("valid"));
        assert!(stored.verify("a.access", "secret"));
        assert!(!stored.verify("b.access", "secret"));
        assert!(!stored.verify("a.access", "secreT"));
        assert!(!stored.verify("a.access", ""));
        assert!(!stored.verify("", "secret"));
    }

    #[test]
    fn a_hash_in_hexadecimal_digits_is_the_same_token() {
        let hash = hex::encode(Sha256::digest("secret"));
        let stored = StoredToken::from_hex("a.access", &hash).expect("valid");
        assert!(stored.verify("a.access", "secret"));
        assert!(StoredToken::from_hex("a.access", "abcd").is_err());
    }
}
