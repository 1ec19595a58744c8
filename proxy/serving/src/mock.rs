//! What a stranger is shown of a user that does not exist: the like of one that does, always the same.
//!
//! That holds for the time it takes, too: what is made late of a password that exists is made late of one that nobody has.
//!
//! Which kinds of users there are is known by the config; nothing here knows who they are.

use std::collections::BTreeSet;

use origin::secret::Secret;
use protocol::postgres::scram::Verifier;

use crate::{
    config::{ClientUser, MySqlVerifiers},
    salts::Salts,
};

/// Makes users of names that nobody has.
#[derive(Debug)]
pub struct Mocks {
    salts: Salts,
    /// In order and each once.
    kinds: Vec<Kind>,
}

/// What can be told of a user without its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    iterations: u32,
    salt_len: usize,
    has_mysql: bool,
    /// Which parts of its verifier are made when somebody tries to log in.
    late: (bool, Option<bool>),
}

/// A user that no password fits.
#[derive(Debug)]
pub struct Mock {
    /// As [`ClientUser::verifier`].
    pub verifier: Verifier,
    /// As [`ClientUser::mysql`].
    pub mysql: Option<MySqlVerifiers>,
}

impl Kind {
    fn of(user: &ClientUser) -> Self {
        let (iterations, salt) = user.verifier.shown();
        Self {
            iterations,
            salt_len: salt.len(),
            has_mysql: user.mysql.is_some(),
            late: user.verifier.late(),
        }
    }
}

impl Mocks {
    /// Makes the like of these users.
    pub fn like<'a>(users: impl Iterator<Item = &'a ClientUser>, salts: &Salts) -> Self {
        let kinds = users.map(Kind::of).collect::<BTreeSet<_>>();
        Self { salts: salts.clone(), kinds: kinds.into_iter().collect() }
    }

    /// The user of a name that nobody has.
    pub fn user(&self, name: &str) -> Mock {
        // Each kind draws a number for the name and the highest has it, so that few names change their kind when there
        // is a new one.
        let draw = |kind: &&Kind| {
            let Kind { iterations, salt_len, has_mysql, late } = kind;
            let kind = format!("kind {iterations} {salt_len} {has_mysql} {late:?}");
            self.salts.derive(kind.as_bytes(), name)
        };
        let kind = self.kinds.iter().max_by_key(draw).copied();
        let kind = kind.unwrap_or(Kind {
            iterations: 4096,
            salt_len: 16,
            has_mysql: true,
            late: (true, None),
        });
        let salt = self.salts.salt(name, kind.salt_len);
        let key = |purpose: &str| self.salts.derive(purpose.as_bytes(), name);
        let mut native = [0; 20];
        for (byte, random) in native.iter_mut().zip(key("native")) {
            *byte = random;
        }
        let shown = Verifier::unfitting(kind.iterations, salt, key("scram"));
        let of = |is_late, purpose| match is_late {
            true => self.salts.verifier_like(&shown, Secret::new(hex::encode(key(purpose)))),
            false => shown.clone(),
        };
        let (is_late, before) = kind.late;
        let verifier = of(is_late, "scram");
        let both = before.and_then(|is_late| verifier.and(&of(is_late, "scram before")));
        Mock {
            verifier: both.unwrap_or(verifier),
            mysql: kind.has_mysql.then(|| MySqlVerifiers::of_hashes(native, key("sha2"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Engine, sample};

    fn plain(engine: Engine, salts: &Salts, name: &str) -> ClientUser {
        sample::user(engine, name, "secret", salts)
    }

    fn given(iterations: u32, salt: &str) -> ClientUser {
        let keys = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        sample::verified("given", &format!("SCRAM-SHA-256${iterations}:{salt}${keys}:{keys}"))
    }

    /// FAULTS row 53: whatever a stranger can see of one that exists, one that does not may have too.
    #[test]
    fn a_user_of_nobody_is_the_like_of_those_that_exist() {
        let salts = Salts::random();
        let table = [
            (vec![], vec![(4096, 16, true)]),
            (vec![plain(Engine::Postgres, &salts, "a")], vec![(4096, 16, false)]),
            (vec![plain(Engine::MySql, &salts, "a")], vec![(4096, 16, true)]),
            (vec![given(15_000, "c2FsdHNhbHRzYWx0c2FsdHNhbHQ=")], vec![(15_000, 20, false)]),
            (
                vec![plain(Engine::MySql, &salts, "a"), given(15_000, "c2FsdA==")],
                vec![(4096, 16, true), (15_000, 4, false)],
            ),
        ];
        for (users, kinds) in table {
            let mocks = Mocks::like(users.iter(), &salts);
            let seen = |name: &str| {
                let mock = mocks.user(name);
                let (iterations, salt) = mock.verifier.shown();
                (iterations, salt.len(), mock.mysql.is_some())
            };
            let mut all: Vec<_> = (0..64).map(|n| seen(&format!("nobody{n}"))).collect();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all, kinds);
        }
    }

    /// What is late of one that exists is late of one that does not, be there one password or two.
    #[test]
    fn a_user_of_nobody_takes_the_time_of_one_that_exists() {
        let salts = Salts::random();
        let plain = |password: &str| sample::user(Engine::MySql, "a", password, &salts);
        let given = || given(15_000, "c2FsdA==");
        let beside = || {
            let (password, verifier) = (String::from("old").into(), given().verifier);
            let name = String::from("a");
            ClientUser::with_password(Engine::MySql, name, &password, &salts, Some(&verifier))
        };
        for (user, late) in [
            (plain("new"), (true, None)),
            (plain("new").and(&plain("old")).expect("one salt"), (true, Some(true))),
            (given(), (false, None)),
            (given().and(&beside()).expect("one salt"), (false, Some(true))),
            (beside().and(&given()).expect("one salt"), (true, Some(false))),
        ] {
            assert_eq!(user.verifier.late(), late);
            let mock = Mocks::like([&user].into_iter(), &salts).user("nobody").verifier;
            assert_eq!(mock.late(), late);
        }
        assert_eq!(salts.made(), 0);
    }

    /// FAULTS row 53.
    #[test]
    fn a_user_of_nobody_stays_as_it_is_and_has_the_salt_that_it_would_have() {
        let salts = Salts::random();
        let known = plain(Engine::Postgres, &salts, "app").verifier;
        let few = Mocks::like([plain(Engine::Postgres, &salts, "b")].iter(), &salts);
        assert_eq!(few.user("app").verifier.shown(), known.shown(), "as in a database that has it");
        let more = [plain(Engine::Postgres, &salts, "b"), given(15_000, "c2FsdA==")];
        let more = Mocks::like(more.iter(), &salts);
        let kept = (0..64).map(|n| format!("nobody{n}")).filter(|name| {
            let (few, more) = (few.user(name), more.user(name));
            few.verifier.shown() == more.verifier.shown()
        });
        assert!((16..48).contains(&kept.count()), "half are of the new kind, the others as before");
    }
}
