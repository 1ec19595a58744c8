//! A user of a config as a proxy checks its passwords.

use std::time::{Duration, SystemTime};

use control::{Hashes, Mistake, Moment, Password, User};
use origin::secret::Secret;
use protocol::postgres::scram::Verifier;
use serving::{
    config::{ClientUser, Engine, MySqlVerifiers},
    salts::Salts,
};

/// What a proxy needs of a user with this number.
///
/// # Errors
///
/// A form of a password that no check has seen.
pub(super) fn served(
    engine: Engine,
    (index, user): (usize, &User),
    salts: &Salts,
) -> Result<ClientUser, Mistake> {
    // The same once more is no other, and takes no other time.
    let before = user.previous_password.as_ref().filter(|before| !are_same(before, &user.password));
    let read = |password: &Password, key| {
        given(password).ok_or_else(|| {
            Mistake::new(format!("user.{index}.{key}"), "cannot be read", "make it anew")
        })
    };
    let given = read(&user.password, "password")?;
    let previous = before.map(|password| read(password, "previous_password")).transpose()?;
    let previous = previous.as_ref();
    let verifiers = [Some(&given), previous].map(|it| it.and_then(|it| it.verifier()));
    // A client is told one salt for both, so a password itself takes the other's, where that has one.
    let beside = verifiers.into_iter().flatten().next().cloned();
    let make = |given: &Given| given.user(engine, &user.name, (salts, beside.as_ref()));
    let now = make(&given);
    let made = match previous {
        None => now,
        Some(previous) => now.and_until(&make(previous), end(user)).ok_or_else(|| {
            let key = format!("user.{index}.previous_password");
            Mistake::new(key, "has another salt than the current one", "make both with one salt")
        })?,
    };
    let User { statement_timeout, max_connections, .. } = *user;
    Ok(ClientUser { statement_timeout, max_connections, ..made })
}

/// When the password before ends, if it does so by itself.
fn end(user: &User) -> Option<SystemTime> {
    let Moment(micros) = user.previous_expires_at?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
}

fn are_same(one: &Password, other: &Password) -> bool {
    match (one, other) {
        (Password::Plain(one), Password::Plain(other)) => one.expose() == other.expose(),
        _ => false,
    }
}

/// A password as it was given.
enum Given {
    Plain(Secret<String>),
    Hashed(Box<(Verifier, Option<MySqlVerifiers>)>),
}

/// What a config says of a password, read; `None` where that is not what it is said to be.
fn given(password: &Password) -> Option<Given> {
    let verifier = |text: &control::Secret| Verifier::parse(text.expose()).ok();
    Some(match password {
        Password::Plain(password) => Given::Plain(Secret::new(password.expose().to_owned())),
        Password::Verifier(scram) => Given::Hashed(Box::new((verifier(scram)?, None))),
        Password::Hashed(Hashes { scram, native, sha2 }) => {
            let mysql = MySqlVerifiers::of_hashes(hash(native)?, hash(sha2)?);
            Given::Hashed(Box::new((verifier(scram)?, Some(mysql))))
        }
    })
}

fn hash<const N: usize>(text: &control::Secret) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text.expose(), &mut bytes).ok().map(|()| bytes)
}

impl Given {
    fn verifier(&self) -> Option<&Verifier> {
        match self {
            Self::Plain(_) => None,
            Self::Hashed(known) => Some(&known.0),
        }
    }

    fn user(
        &self,
        engine: Engine,
        name: &str,
        (salts, beside): (&Salts, Option<&Verifier>),
    ) -> ClientUser {
        let name = name.to_owned();
        match self {
            Self::Plain(password) => {
                ClientUser::with_password(engine, name, password, salts, beside)
            }
            Self::Hashed(known) => {
                let (verifier, mysql) = &**known;
                ClientUser {
                    name,
                    verifier: verifier.clone(),
                    mysql: mysql.clone().filter(|_| engine == Engine::MySql),
                    later: None,
                    statement_timeout: None,
                    max_connections: None,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use control::Salting;
    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
    use protocol::{
        mysql::auth,
        postgres::scram::{Binding, SCRAM_SHA_256, ServerFirst},
    };

    use super::*;

    const NONCE: auth::Nonce = *b"0123456789abcdefghij";

    fn user(password: Password, previous: Option<Password>) -> User {
        User {
            name: String::from("app"),
            password,
            previous_password: previous,
            previous_expires_at: None,
            statement_timeout: None,
            max_connections: None,
        }
    }

    fn plain(password: &str) -> Password {
        Password::Plain(control::Secret::from(password))
    }

    fn hashed(password: &str) -> Password {
        let salting = Salting::new(b"one salt".to_vec());
        Password::Hashed(Hashes::of(&control::Secret::from(password), &salting))
    }

    fn verifier(password: &str) -> Password {
        let Password::Hashed(hashes) = hashed(password) else { panic!("they are hashes") };
        Password::Verifier(hashes.scram)
    }

    fn made(engine: Engine, user: &User) -> ClientUser {
        match served(engine, (0, user), &Salts::random()) {
            Ok(made) => made,
            Err(mistake) => panic!("{mistake}"),
        }
    }

    /// As the login of PostgreSQL asks, and that of MySQL where a verifier alone is known.
    fn fits_scram(user: &ClientUser, password: &str) -> bool {
        let mut client = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        let (verifier, first) = (user.verifier.clone(), client.message());
        let server = ServerFirst::new(verifier, SCRAM_SHA_256, Binding::Unavailable, first, "n");
        let server = server.unwrap();
        client.update(server.message().as_bytes()).unwrap();
        let Ok(last) = server.finish(client.message()) else { return false };
        client.finish(last.as_bytes()).expect("the server shows that it knows the password, too");
        true
    }

    /// As the login of MySQL asks, by both methods.
    fn fits_mysql(user: &ClientUser, password: &str) -> [bool; 2] {
        let mysql = user.mysql.as_ref().unwrap();
        let (native, sha2) = (
            auth::native_response(password.as_bytes(), &NONCE),
            auth::sha2_response(password.as_bytes(), &NONCE),
        );
        [
            mysql.native.any(|stored| auth::verify_native(stored, &NONCE, &native)),
            mysql.sha2.any(|stored| auth::verify_sha2(stored, &NONCE, &sha2)),
        ]
    }

    #[test]
    fn both_passwords_are_right_in_each_form_and_no_other_is() {
        for (now, previous) in [
            (plain("new"), plain("old")),
            (plain("new"), hashed("old")),
            (hashed("new"), plain("old")),
            (hashed("new"), hashed("old")),
            (plain("new"), verifier("old")),
            (verifier("new"), plain("old")),
            (verifier("new"), hashed("old")),
        ] {
            let with_hashes =
                ![&now, &previous].map(|it| matches!(it, Password::Verifier(_))).contains(&true);
            let (both, now) = (user(now.clone(), Some(previous)), user(now, None));
            for (password, is_right) in
                [("new", [true; 2]), ("old", [true, false]), ("other", [false; 2])]
            {
                for (user, is_right) in [&both, &now].into_iter().zip(is_right) {
                    for engine in [Engine::Postgres, Engine::MySql] {
                        let made = made(engine, user);
                        assert_eq!(fits_scram(&made, password), is_right, "{password}: {user:?}");
                    }
                    let made = made(Engine::MySql, user);
                    if with_hashes {
                        assert_eq!(
                            fits_mysql(&made, password),
                            [is_right; 2],
                            "{password}: {user:?}"
                        );
                    } else if user.previous_password.is_some() {
                        assert!(made.mysql.is_none(), "each password is asked for");
                    }
                }
            }
        }
    }

    /// As a snapshot from before the end is read behind it.
    #[test]
    fn the_password_before_ends_at_its_moment_without_being_told() {
        let ends = |after: i64| {
            let mut user = user(hashed("new"), Some(hashed("old")));
            user.previous_expires_at = Some(Moment(Moment::now().0 + after * 1_000_000));
            made(Engine::Postgres, &user)
        };
        for (after, is_right) in [(3600, true), (-1, false)] {
            let made = ends(after);
            let fits = |password: &str| {
                let made = ClientUser { verifier: made.checks().0.clone(), ..ends(after) };
                fits_scram(&made, password)
            };
            assert_eq!((fits("new"), fits("old")), (true, is_right));
        }
    }

    #[test]
    fn passwords_are_salted_when_somebody_tries_to_log_in_and_once() {
        for (now, previous, late, salted) in [
            (plain("new"), None, (true, None), 1),
            (plain("new"), Some(plain("old")), (true, Some(true)), 2),
            (plain("new"), Some(plain("new")), (true, None), 1),
            (plain("new"), Some(hashed("old")), (true, Some(false)), 1),
            (verifier("new"), Some(plain("old")), (false, Some(true)), 1),
            (hashed("new"), Some(verifier("old")), (false, Some(false)), 0),
            (hashed("new"), None, (false, None), 0),
        ] {
            let (salts, user) = (Salts::random(), user(now, previous));
            for engine in [Engine::Postgres, Engine::MySql] {
                let Ok(made) = served(engine, (0, &user), &salts) else { panic!("{user:?}") };
                assert_eq!(made.verifier.late(), late, "{user:?}");
                assert!(engine == Engine::MySql || salts.made() == 0, "{user:?}");
                assert!(!fits_scram(&made, "other") && fits_scram(&made, "new"));
                assert_eq!(salts.made(), salted, "{user:?}");
            }
        }
    }

    #[test]
    fn what_no_check_has_seen_is_a_mistake_and_no_user() {
        let Password::Hashed(hashes) = hashed("p") else { panic!("they are hashes") };
        let short = Hashes { native: control::Secret::from("00"), ..hashes };
        let other = Salting::new(b"another salt".to_vec());
        let other = Password::Hashed(Hashes::of(&control::Secret::from("old"), &other));
        for user in [
            user(Password::Hashed(short), None),
            user(Password::Verifier(control::Secret::from("md5abc")), None),
            user(hashed("new"), Some(other)),
        ] {
            let refused = served(Engine::MySql, (0, &user), &Salts::random());
            assert!(refused.unwrap_err().key.starts_with("user.0."));
        }
    }
}
