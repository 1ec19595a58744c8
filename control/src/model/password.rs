//! What a client's password is checked against, in each form that it may be kept in.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use serde::{Deserialize, Serialize};

use super::secret::Secret;
use crate::kept;

/// PostgreSQL's `SCRAM_SHA_256_DEFAULT_ITERATIONS`.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).expect("4096 is not zero");
const KEY_LEN: usize = 32;

/// What a client's password is checked against.
#[derive(Clone, Debug, Hash)]
pub enum Password {
    /// The password.
    Plain(Secret),
    /// What PostgreSQL keeps of one: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
    Verifier(Secret),
    /// What either engine needs of one, and nobody can make the password of.
    Hashed(Hashes),
}

/// What either engine needs of a password.
///
/// Whoever has `native` or `sha2` and listens to a login of MySQL's without TLS can log in, so all are secrets.
#[derive(Clone, Debug, Hash, Serialize, Deserialize)]
pub struct Hashes {
    /// For PostgreSQL, as [`Password::Verifier`].
    #[serde(with = "kept::plain_secret")]
    pub scram: Secret,
    /// For `mysql_native_password`: SHA1(SHA1(password)), 40 hex digits.
    #[serde(with = "kept::plain_secret")]
    pub native: Secret,
    /// For `caching_sha2_password`: SHA256(SHA256(password)), 64 hex digits.
    #[serde(with = "kept::plain_secret")]
    pub sha2: Secret,
}

/// What SCRAM tells a client of a name before it has shown a password. So two passwords of one user are right at once
/// only where both were made with the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Salting {
    /// How often the hash is made.
    pub iterations: NonZeroU32,
    /// What is hashed with the password.
    pub salt: Vec<u8>,
}

impl Salting {
    /// With as many iterations as PostgreSQL makes.
    pub const fn new(salt: Vec<u8>) -> Self {
        Self { iterations: ITERATIONS, salt }
    }

    /// That of a verifier; `None` for what is none.
    pub(crate) fn of_verifier(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("SCRAM-SHA-256$")?.split('$');
        let (Some(salting), Some(keys), None) = (parts.next(), parts.next(), parts.next()) else {
            return None;
        };
        let (iterations, salt) = salting.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        let is_key = |key| STANDARD.decode(key).is_ok_and(|key| key.len() == KEY_LEN);
        let made = Self { iterations: iterations.parse().ok()?, salt: STANDARD.decode(salt).ok()? };
        (is_key(stored) && is_key(server)).then_some(made)
    }
}

impl Password {
    /// What it was salted with; `None` for a password itself, which can be salted with anything.
    pub fn salting(&self) -> Option<Salting> {
        match self {
            Self::Plain(_) => None,
            Self::Verifier(scram) | Self::Hashed(Hashes { scram, .. }) => {
                Salting::of_verifier(scram.expose())
            }
        }
    }
}

impl Hashes {
    /// A password as either engine needs it, so that the password itself need not be kept. It takes milliseconds. The next
    /// one of the same user takes the salting of this one ([`Self::salting`]), or the two are never right at once.
    pub fn of(password: &Secret, salting: &Salting) -> Self {
        let text = password.expose();
        let twice = |algorithm: &'static digest::Algorithm| {
            let once = digest::digest(algorithm, text.as_bytes());
            Secret::from(hex::encode(digest::digest(algorithm, once.as_ref())))
        };
        Self {
            scram: scram(text, salting),
            native: twice(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            sha2: twice(&digest::SHA256),
        }
    }

    /// What they were salted with; `None` for what is none.
    pub fn salting(&self) -> Option<Salting> {
        Salting::of_verifier(self.scram.expose())
    }

    /// Whether they are what they are said to be.
    pub(crate) fn are_well_formed(&self) -> bool {
        let is_hex =
            |text: &Secret, bytes| hex::decode(text.expose()).is_ok_and(|it| it.len() == bytes);
        self.salting().is_some()
            && is_hex(&self.native, digest::SHA1_OUTPUT_LEN)
            && is_hex(&self.sha2, digest::SHA256_OUTPUT_LEN)
    }
}

/// What PostgreSQL would keep of a password (`pg_be_scram_build_secret`).
fn scram(password: &str, salting: &Salting) -> Secret {
    // What cannot be prepared is taken as it is, by PostgreSQL and by drivers.
    let prepared = stringprep::saslprep(password);
    let prepared = prepared.as_deref().unwrap_or(password);
    let Salting { iterations, salt } = salting;
    let mut salted = [0; KEY_LEN];
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(algorithm, *iterations, salt, prepared.as_bytes(), &mut salted);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
    let stored = digest::digest(&digest::SHA256, hmac::sign(&key, b"Client Key").as_ref());
    let server = hmac::sign(&key, b"Server Key");
    Secret::from(format!(
        "SCRAM-SHA-256${iterations}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored),
        STANDARD.encode(server)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hashed_password_is_what_either_engine_needs_and_shows_nothing() {
        let salting = Salting::new(b"salt of 16 bytes".to_vec());
        let made = Password::Hashed(Hashes::of(&Secret::from("secret"), &salting));
        assert_eq!(made.salting(), Some(salting));
        let Password::Hashed(hashes) = &made else { panic!("{made:?}") };
        // SELECT PASSWORD('secret') of MariaDB 10.11, without the star.
        assert_eq!(hashes.native.expose(), "14e65567abdb5135d0cfd9a70b3032c179a49ee7");
        assert!(hashes.are_well_formed());
        assert!(!format!("{made:?}").contains("14e"), "{made:?}");
    }

    #[test]
    fn what_is_no_verifier_has_no_salting() {
        let given = postgres_protocol::password::scram_sha_256(b"p");
        assert_eq!(Salting::of_verifier(&given).unwrap().iterations.get(), 4096);
        for wrong in [
            "",
            "md5abc",
            "SCRAM-SHA-256$4096:c2FsdA==$AAAA:AAAA",
            &given.replace("4096", "0"),
            &format!("{given}$"),
            &given.replace("SCRAM-SHA-256$", "SCRAM-SHA-1$"),
        ] {
            assert_eq!(Salting::of_verifier(wrong), None, "{wrong}");
        }
    }
}
