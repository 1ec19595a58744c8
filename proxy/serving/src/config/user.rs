//! Clients' own credentials.

use std::{
    num::NonZeroU32,
    time::{Duration, SystemTime},
};

use origin::secret::Secret;
use protocol::postgres::scram::Verifier;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use super::Engine;
use crate::salts::Salts;

/// A name, and what a password is checked against: one, or two that are right at once while clients change over.
#[derive(Debug)]
pub struct ClientUser {
    /// As in the connection string.
    pub name: String,
    /// For SCRAM, which every password of the user fits. Of one that the file gives, its costly part is made when somebody
    /// tries to log in.
    pub verifier: Verifier,
    /// For users of a MySQL database; `None` where of any password the verifier alone is known.
    pub mysql: Option<MySqlVerifiers>,
    /// What is right once the password before has ended; `None` where it does not end by itself.
    pub later: Option<Box<Later>>,
    /// As that of the pool, for this user alone; `None` where the pool's counts.
    pub statement_timeout: Option<Limit>,
    /// Most clients of this user connected at once; the next is refused (53300, 1226). `None` for any number.
    pub max_connections: Option<NonZeroU32>,
}

/// What a password of a user is checked against from a time on.
#[derive(Debug)]
pub struct Later {
    from: SystemTime,
    verifier: Verifier,
    mysql: Option<MySqlVerifiers>,
}

/// The most that something may take; `None` for no end.
pub type Limit = Option<Duration>;

impl ClientUser {
    /// A user of a database of this engine, by its password: salted as its name is, or as a verifier that is right beside it.
    pub fn with_password(
        engine: Engine,
        name: String,
        password: &Secret<String>,
        salts: &Salts,
        beside: Option<&Verifier>,
    ) -> Self {
        let verifier = match beside {
            Some(given) => salts.verifier_like(given, password.clone()),
            None => salts.verifier(&name, password.clone()),
        };
        let mysql =
            (engine == Engine::MySql).then(|| MySqlVerifiers::of(password.expose().as_bytes()));
        Self { name, verifier, mysql, later: None, statement_timeout: None, max_connections: None }
    }

    /// This user, who may as well log in with that one's password. `None` where clients would be shown different salts.
    pub fn and(self, previous: &Self) -> Option<Self> {
        self.and_until(previous, None)
    }

    /// The same, for good or until then.
    pub fn and_until(self, previous: &Self, until: Option<SystemTime>) -> Option<Self> {
        let (alone, known) = (self.verifier.clone(), self.mysql.clone());
        let verifier = self.verifier.and(&previous.verifier)?;
        // Who may log in with a password of which the verifier alone is known is asked for it whatever it is.
        let mysql = self.mysql.zip(previous.mysql.as_ref()).map(|(now, before)| now.and(before));
        let later = until.map(|from| Box::new(Later { from, verifier: alone, mysql: known }));
        Some(Self { verifier, mysql, later, ..self })
    }

    /// What a password is checked against now, by the clock of this machine.
    pub fn checks(&self) -> (&Verifier, Option<&MySqlVerifiers>) {
        self.checks_at(SystemTime::now())
    }

    fn checks_at(&self, now: SystemTime) -> (&Verifier, Option<&MySqlVerifiers>) {
        match &self.later {
            Some(later) if later.from <= now => (&later.verifier, later.mysql.as_ref()),
            _ => (&self.verifier, self.mysql.as_ref()),
        }
    }
}

/// What MySQL's two authentication plugins keep of passwords. Whoever has one of them and listens to a
/// login without TLS can log in, so they are secrets as the password is.
#[derive(Clone, Debug)]
pub struct MySqlVerifiers {
    /// SHA1(SHA1(password)), for `mysql_native_password`.
    pub native: EachOf<20>,
    /// SHA256(SHA256(password)), for `caching_sha2_password`.
    pub sha2: EachOf<32>,
}

/// A hash of each password of a user. There are always two, the same twice where there is one password: how long a check
/// takes says nothing of how many there are.
#[derive(Clone, Debug)]
pub struct EachOf<const N: usize>([Secret<[u8; N]>; 2]);

impl<const N: usize> EachOf<N> {
    /// Of the only password.
    pub fn one(hash: Secret<[u8; N]>) -> Self {
        Self([hash.clone(), hash])
    }

    /// Of this one's first password and of the other's.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        let ([first, _], [second, _]) = (self.0, &other.0);
        Self([first, second.clone()])
    }

    /// Whether one of them is right. All are looked at, whatever comes of the first.
    pub fn any(&self, is_right: impl Fn(&[u8; N]) -> bool) -> bool {
        let [first, second] = self.0.each_ref().map(|hash| is_right(hash.expose()));
        first | second
    }
}

impl MySqlVerifiers {
    /// Those of a password.
    pub fn of(password: &[u8]) -> Self {
        let native = Sha1::digest(Sha1::digest(password)).into();
        Self::of_hashes(native, Sha256::digest(Sha256::digest(password)).into())
    }

    /// Those of a password of which the hashes are known.
    pub fn of_hashes(native: [u8; 20], sha2: [u8; 32]) -> Self {
        Self { native: EachOf::one(Secret::new(native)), sha2: EachOf::one(Secret::new(sha2)) }
    }

    fn and(self, previous: &Self) -> Self {
        Self { native: self.native.and(&previous.native), sha2: self.sha2.and(&previous.sha2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sample;

    #[test]
    fn a_mysql_password_is_kept_as_both_plugins_want_it() {
        let verifiers = MySqlVerifiers::of(b"secret");
        // SELECT PASSWORD('secret') of MariaDB 10.11.
        let native = "14E65567ABDB5135D0CFD9A70B3032C179A49EE7";
        assert!(verifiers.native.any(|hash| hex::encode_upper(hash) == native));
        assert!(!verifiers.sha2.any(|hash| *hash == [0; 32]));
        assert!(!format!("{verifiers:?}").contains("14"));
    }

    /// However the clock got there: nobody has to tell.
    #[test]
    fn the_password_before_ends_by_itself() {
        let (salts, end) = (Salts::random(), SystemTime::UNIX_EPOCH + Duration::from_secs(1000));
        let user = |password| sample::user(Engine::MySql, "app", password, &salts);
        let both = user("new").and_until(&user("old"), Some(end)).expect("one salt");
        let MySqlVerifiers { sha2: old, .. } = MySqlVerifiers::of(b"old");
        for (seconds, is_right) in [(999, true), (1000, false), (9_000_000, false), (10, true)] {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let (verifier, mysql) = both.checks_at(now);
            let sha2 = &mysql.expect("hashes").sha2;
            assert_eq!(old.any(|old| sha2.any(|kept| kept == old)), is_right, "{seconds}");
            assert_eq!(verifier.late().1.is_some(), is_right, "{seconds}");
            assert_eq!(verifier.shown(), both.verifier.shown(), "clients see one salt");
        }
    }

    #[test]
    fn a_user_with_two_passwords_is_known_by_the_hashes_of_both_or_by_none() {
        let salts = Salts::random();
        let user = |password| sample::user(Engine::MySql, "app", password, &salts);
        let both = user("new").and(&user("old")).expect("one salt").mysql.expect("hashes");
        for (password, is_right) in [("new", true), ("old", true), ("other", false)] {
            let MySqlVerifiers { native, sha2 } = MySqlVerifiers::of(password.as_bytes());
            assert_eq!(both.native.any(|kept| native.any(|hash| hash == kept)), is_right);
            assert_eq!(both.sha2.any(|kept| sha2.any(|hash| hash == kept)), is_right);
        }
        let given = ClientUser { mysql: None, ..user("old") };
        assert!(user("new").and(&given).expect("one salt").mysql.is_none());
        let elsewhere = sample::user(Engine::MySql, "app", "old", &Salts::random());
        assert!(user("new").and(&elsewhere).is_none(), "another salt");
    }
}
