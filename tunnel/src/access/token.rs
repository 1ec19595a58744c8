//! A service token as a client holds it.

use std::fmt;

use zeroize::Zeroizing;

const MAX_ID_LEN: usize = 128;
const MAX_SECRET_LEN: usize = 256;

/// A service token as a client holds it: both halves, safe to put into a header.
#[derive(Clone, PartialEq, Eq)]
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

    /// The secret half, to be shown once to the token's owner.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        self.secret.clone()
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

/// Why a text cannot be half of a service token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {half} of a service token {why}")]
pub struct InvalidToken {
    half: &'static str,
    why: &'static str,
}

/// Could this be sent as the public half of a token?
pub(crate) fn check_client_id(id: &str) -> Result<(), InvalidToken> {
    check(id, MAX_ID_LEN, "id")
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
}
