//! Who a client claims to be, and what its password is checked against.
//!
//! A name that nobody has gets an account too, which no password fits, so that neither what we say nor how
//! long it takes shows which names there are.

use std::sync::Arc;

use origin::secret::Secret;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use protocol::{
    mysql::auth::{self, Nonce},
    postgres::scram::{Binding, SCRAM_SHA_256, ServerFirst, Verifier},
};
use serving::{
    config::EachOf,
    directory::{Directory, Entry},
    mock::Mock,
};
use zeroize::Zeroizing;

use super::super::{database::Database, rsa::Vault};

/// The database that a client is served from, or why there is none.
#[derive(Debug)]
pub(super) enum Choice {
    /// This one. With a schema where the client asked for one by a name that is no config's.
    Database(Arc<Entry<Database>>, Option<String>),
    /// Several have a user of this name, and the client did not say which it means.
    Several(Arc<Entry<Database>>),
    /// None has.
    Nobody,
}

impl Choice {
    /// The config that the schema's name names, if it has this user; else the only one that has.
    pub(super) fn of(directory: &Directory<Database>, user: &str, schema: Option<&str>) -> Self {
        if let Some(named) = schema.and_then(|name| directory.find(name))
            && named.config().user(user).is_some()
        {
            return Self::Database(named, None);
        }
        match directory.home_of(user) {
            Some(home) if home.has_others => Self::Several(home.first),
            Some(home) => Self::Database(home.first, schema.map(str::to_owned)),
            None => Self::Nobody,
        }
    }
}

/// A name and what its password is checked against.
pub(super) struct Account {
    /// As the client said it.
    pub(super) user: String,
    /// Where the user is; `None` for a name that nobody has.
    database: Option<Arc<Entry<Database>>>,
    /// For `mysql_native_password`; `None` where of any password only the SCRAM verifier is known.
    native: Option<EachOf<20>>,
    /// For `caching_sha2_password`; of such a user those that were right once, `None` where none was.
    sha2: Option<EachOf<32>>,
    scram: Verifier,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Account {
    /// The account that a choice fell on, or one that no password fits.
    pub(super) fn of(choice: &Choice, user: &str, directory: &Directory<Database>) -> Self {
        // Also for a name that somebody has, so that it takes the same time.
        let mock = Self::mock(user, directory);
        let (Choice::Database(database, _) | Choice::Several(database)) = choice else {
            return mock;
        };
        let Some(known) = database.config().user(user) else {
            return mock;
        };
        let (verifier, mysql) = known.checks();
        let (native, sha2) = mysql.cloned().map(|known| (known.native, known.sha2)).unzip();
        Self {
            user: user.to_owned(),
            database: Some(Arc::clone(database)),
            native,
            sha2: sha2.or_else(|| database.opened()?.known_password(user)),
            scram: verifier.clone(),
        }
    }

    /// An account that no password fits.
    fn mock(user: &str, directory: &Directory<Database>) -> Self {
        let Mock { verifier: scram, mysql } = directory.mock(user);
        let (native, sha2) = mysql.map(|mysql| (mysql.native, mysql.sha2)).unzip();
        Self { user: user.to_owned(), database: None, native, sha2, scram }
    }

    /// Whether somebody has this name.
    pub(super) const fn is_known(&self) -> bool {
        self.database.is_some()
    }

    /// Whether `mysql_native_password` can be checked.
    pub(super) fn has_native(&self) -> bool {
        self.native.is_some()
    }

    /// Whether a response shows the password, without the password itself.
    pub(super) fn is_proven_native(&self, nonce: &Nonce, response: &[u8]) -> bool {
        let is_right = |stored: &_| auth::verify_native(stored, nonce, response);
        self.native.as_ref().is_some_and(|stored| stored.any(is_right)) && self.database.is_some()
    }

    /// The same for `caching_sha2_password`.
    pub(super) fn is_proven_sha2(&self, nonce: &Nonce, response: &[u8]) -> bool {
        let is_right = |stored: &_| auth::verify_sha2(stored, nonce, response);
        self.sha2.as_ref().is_some_and(|stored| stored.any(is_right)) && self.database.is_some()
    }

    /// Whether this is a password of the account. One that was right is remembered in the form that
    /// `caching_sha2_password` needs the next time.
    pub(super) async fn takes(&self, password: Zeroizing<Vec<u8>>, vault: &Vault) -> bool {
        let stored = Secret::new(auth::sha2_stored(&password));
        let is_it = if self.has_native() {
            let is_right = |kept: &[u8; 32]| stored.matches(kept);
            self.sha2.as_ref().is_some_and(|sha2| sha2.any(is_right))
        } else {
            let verifier = self.scram.clone();
            vault.run(move || fits(verifier, &password)).await.unwrap_or(false)
        };
        let Some(database) = self.database.as_ref().filter(|_| is_it) else { return false };
        if !self.has_native() {
            database.open().learn_password(&self.user, stored);
        }
        true
    }
}

/// Whether a password is one behind a SCRAM verifier: both sides of the dialogue, without a wire.
fn fits(verifier: Verifier, password: &[u8]) -> bool {
    let mut client = ScramSha256::new(password, ChannelBinding::unsupported());
    let first = client.message().to_vec();
    let server = ServerFirst::new(verifier, SCRAM_SHA_256, Binding::Unavailable, &first, "here");
    let Ok(server) = server else { return false };
    client.update(server.message().as_bytes()).is_ok() && server.finish(client.message()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_scram_verifier_only() {
        let text = postgres_protocol::password::scram_sha_256(b"open sesame");
        let verifier = Verifier::parse(&text).unwrap();
        assert!(fits(verifier.clone(), b"open sesame"));
        assert!(!fits(verifier.clone(), b"open sesame "));
        assert!(!fits(verifier, b""));
        assert!(!fits(Verifier::unfitting(4096, vec![1; 16], [7; 32]), b"open sesame"));
    }
}
