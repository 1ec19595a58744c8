//! Clients' own credentials.

use std::{num::NonZeroU32, time::Duration};

use origin::secret::Secret;
use protocol::postgres::scram::Verifier;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use super::Engine;
use crate::salts::Salts;

/// A name, and what a password is checked against.
#[derive(Debug)]
pub struct ClientUser {
    /// As in the connection string.
    pub name: String,
    /// For SCRAM. Of a password that the file gives, its costly part is made when somebody tries to log in.
    pub verifier: Verifier,
    /// Whether the file gives the verifier, which costs nothing then.
    pub is_given: bool,
    /// For users of a MySQL database whose password the file gives; `None` where it gives a verifier.
    pub mysql: Option<MySqlVerifiers>,
    /// As that of the pool, for this user alone; `None` where the pool's counts.
    pub statement_timeout: Option<Limit>,
    /// Most clients of this user connected at once; the next is refused (53300, 1226). `None` for any number.
    pub max_connections: Option<NonZeroU32>,
}

/// The most that something may take; `None` for no end.
pub type Limit = Option<Duration>;

impl ClientUser {
    /// A user of a database of this engine, by its password.
    pub fn with_password(
        engine: Engine,
        name: String,
        password: &Secret<String>,
        salts: &Salts,
    ) -> Self {
        let verifier = salts.verifier(&name, password.clone());
        let mysql =
            (engine == Engine::MySql).then(|| MySqlVerifiers::of(password.expose().as_bytes()));
        let (statement_timeout, max_connections) = (None, None);
        Self { name, verifier, is_given: false, mysql, statement_timeout, max_connections }
    }
}

/// What MySQL's two authentication plugins keep of a password. Whoever has one of them and listens to a
/// login without TLS can log in, so they are secrets as the password is.
#[derive(Debug)]
pub struct MySqlVerifiers {
    /// SHA1(SHA1(password)), for `mysql_native_password`.
    pub native: Secret<[u8; 20]>,
    /// SHA256(SHA256(password)), for `caching_sha2_password`.
    pub sha2: Secret<[u8; 32]>,
}

impl MySqlVerifiers {
    /// Those of a password.
    pub fn of(password: &[u8]) -> Self {
        Self {
            native: Secret::new(Sha1::digest(Sha1::digest(password)).into()),
            sha2: Secret::new(Sha256::digest(Sha256::digest(password)).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mysql_password_is_kept_as_both_plugins_want_it() {
        let verifiers = MySqlVerifiers::of(b"secret");
        // SELECT PASSWORD('secret') of MariaDB 10.11.
        assert_eq!(
            hex::encode_upper(verifiers.native.expose()),
            "14E65567ABDB5135D0CFD9A70B3032C179A49EE7"
        );
        assert_ne!(verifiers.sha2.expose(), &[0; 32]);
        assert!(!format!("{verifiers:?}").contains("14"));
    }
}
