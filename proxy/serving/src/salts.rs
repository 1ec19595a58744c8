//! The salts of passwords: a name has the same one wherever and whenever it is asked for.
//!
//! SCRAM tells the salt of a name to whoever asks, before any password is shown. Were it drawn at random, a name
//! that has one salt in two databases, or another one behind a reload, would show whether it exists. So it follows
//! from a secret and the name, and so does the salt of a name that nobody has (see [`crate::mock`]). As in
//! PostgreSQL, where a role belongs to the cluster, the database is no part of it.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc};

use aws_lc_rs::{digest, hmac, pbkdf2};
use origin::secret::Secret;
use parking_lot::Mutex;
use protocol::postgres::scram::Verifier;
use zeroize::Zeroizing;

/// PostgreSQL's `SCRAM_SHA_256_DEFAULT_ITERATIONS`.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).expect("4096 is not zero");
/// PostgreSQL's `SCRAM_DEFAULT_SALT_LEN`.
const SALT_LEN: usize = 16;

/// So many are remembered; with more, they are made anew as they are needed.
const MADE_MAX: usize = 100_000;

/// The secret that salts follow from. It stays the same over reloads, and so does what took time to make.
#[derive(Clone, Debug)]
pub struct Salts(Arc<Kept>);

/// What clones share.
#[derive(Debug)]
struct Kept {
    secret: Secret<[u8; 32]>,
    /// Salted passwords, by a tag of what they are made of.
    made: Mutex<HashMap<[u8; 32], Secret<[u8; 32]>>>,
}

impl Salts {
    /// Salts that nobody has seen before.
    pub fn random() -> Self {
        Self::of(rand::random())
    }

    /// The salts of whoever has this private key: they are the same behind a restart and on each node, as those of
    /// verifiers that the file gives are.
    pub fn of_key(key: &[u8]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"jumpgate: salts of passwords");
        context.update(key);
        let mut secret = [0; 32];
        secret.copy_from_slice(context.finish().as_ref());
        Self::of(secret)
    }

    fn of(secret: [u8; 32]) -> Self {
        Self(Arc::new(Kept { secret: Secret::new(secret), made: Mutex::default() }))
    }

    /// The salt of a name.
    pub fn salt(&self, name: &str, len: usize) -> Vec<u8> {
        let blocks = (0_u32..).flat_map(|block| self.derive(&block.to_be_bytes(), name));
        blocks.take(len).collect()
    }

    /// 32 bytes that nobody else can know.
    pub fn derive(&self, purpose: &[u8], name: &str) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.secret.expose());
        let mut context = hmac::Context::with_key(&key);
        context.update(&[u8::try_from(purpose.len()).unwrap_or(u8::MAX)]);
        context.update(purpose);
        context.update(name.as_bytes());
        bytes(&context.sign())
    }

    /// What PostgreSQL would keep of a user's password (`pg_be_scram_build_secret`), with the salt of the name.
    ///
    /// What is shown of it is there at once. The rest takes half a millisecond, and is made when somebody tries to log
    /// in, once: whoever has ten thousand users does not wait for those who never come.
    pub fn verifier(&self, name: &str, password: Secret<String>) -> Verifier {
        self.later(password, (ITERATIONS, self.salt(name, SALT_LEN)))
    }

    /// The same for a password that is right beside one whose verifier was given, so that both are shown alike.
    pub fn verifier_like(&self, given: &Verifier, password: Secret<String>) -> Verifier {
        let (iterations, salt) = given.shown();
        self.later(password, (NonZeroU32::new(iterations).unwrap_or(ITERATIONS), salt.to_owned()))
    }

    fn later(
        &self,
        password: Secret<String>,
        (iterations, salt): (NonZeroU32, Vec<u8>),
    ) -> Verifier {
        let (salts, shown) = (self.clone(), salt.clone());
        let salted = move || *salts.salted(password.expose(), (iterations, &salt)).expose();
        Verifier::of_salted_later(iterations.get(), shown, salted)
    }

    /// How many passwords were salted, of those that are remembered.
    pub fn made(&self) -> usize {
        self.0.made.lock().len()
    }

    fn salted(&self, password: &str, (iterations, salt): (NonZeroU32, &[u8])) -> Secret<[u8; 32]> {
        let what = Zeroizing::new(format!("{iterations} {} {password}", hex::encode(salt)));
        let tag = self.derive(b"verifier", &what);
        if let Some(made) = self.0.made.lock().get(&tag) {
            return made.clone();
        }
        // What cannot be prepared is taken as it is, by PostgreSQL and by drivers.
        let prepared = stringprep::saslprep(password);
        let prepared = prepared.as_deref().unwrap_or(password);
        let mut salted = [0; 32];
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::derive(algorithm, iterations, salt, prepared.as_bytes(), &mut salted);
        let salted = Secret::new(salted);
        let mut made = self.0.made.lock();
        if made.len() >= MADE_MAX {
            made.clear();
        }
        made.insert(tag, salted.clone());
        salted
    }
}

fn bytes(tag: &hmac::Tag) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
    use protocol::postgres::scram::{Binding, SCRAM_SHA_256, ServerFirst};

    use super::*;

    #[test]
    fn a_salt_follows_from_the_secret_and_the_name() {
        let salts = Salts::random();
        assert_eq!(salts.salt("app", 16), salts.salt("app", 16));
        assert_ne!(salts.salt("app", 16), salts.salt("other", 16));
        assert_ne!(salts.salt("app", 16), Salts::random().salt("app", 16));
        assert_eq!(Salts::of_key(b"key").salt("app", 16), Salts::of_key(b"key").salt("app", 16));
        assert_ne!(Salts::of_key(b"key").salt("app", 16), Salts::of_key(b"kez").salt("app", 16));
        for len in [0, 1, 16, 32, 33, 100] {
            assert_eq!(salts.salt("app", len).len(), len);
        }
    }

    /// FAULTS §3: 840 users with plain passwords slowed reloads by 1.5 s.
    #[test]
    fn a_password_is_salted_once_for_all_reloads_and_when_somebody_tries_to_log_in() {
        let salts = Salts::random();
        let verifier = |name, password: &str| salts.verifier(name, password.to_owned().into());
        let (first, again) = (verifier("app", "p"), verifier("app", "p"));
        assert_eq!(first.shown(), again.shown());
        let like = salts.verifier_like(&first, String::from("p").into());
        assert_eq!(salts.made(), 0);
        assert!(fits(first, "p") && fits(again, "p") && fits(like, "p"));
        assert_eq!(salts.made(), 1);
        for (name, password) in [("app", "q"), ("b", "p"), ("ap", "pp")] {
            assert!(!fits(verifier(name, password), "other"));
        }
        assert_eq!(salts.made(), 4);
        assert!(format!("{salts:?}").contains("[redacted]"));
    }

    #[test]
    fn a_verifier_fits_its_password_as_drivers_prepare_it() {
        for password in ["pencil", "I\u{ad}X", "\u{fdfa}", "a\u{7}b", "пароль", ""] {
            let verifier = Salts::of_key(b"key").verifier("user", password.to_owned().into());
            assert_eq!(verifier.shown().0, 4096);
            assert!(fits(verifier, password), "{password}");
        }
    }

    #[test]
    fn a_password_is_salted_as_the_verifier_beside_it() {
        let (salts, given) =
            (Salts::random(), Verifier::unfitting(15_000, b"salt".to_vec(), [7; 32]));
        let verifier = salts.verifier_like(&given, String::from("pencil").into());
        assert_eq!(verifier.shown(), given.shown());
        let both = given.and(&verifier).expect("they are shown alike");
        assert_eq!(salts.made(), 0, "it is made as late as others");
        assert!(fits(both.clone(), "pencil") && !fits(both, "pen"));
        assert_eq!(salts.made(), 1);
    }

    #[test]
    fn each_of_two_passwords_is_salted_once_and_when_somebody_tries_to_log_in() {
        let salts = Salts::random();
        let verifier = |password: &str| salts.verifier("app", password.to_owned().into());
        let both = verifier("new").and(&verifier("old")).expect("one salt");
        assert_eq!((salts.made(), both.late()), (0, (true, Some(true))));
        for (password, is_right) in [("other", false), ("old", true), ("new", true)] {
            assert_eq!(fits(both.clone(), password), is_right);
            assert_eq!(salts.made(), 2, "both are looked at, whatever comes of the first");
        }
        // A reload that takes one away has the other at hand.
        assert!(fits(verifier("new"), "new") && !fits(verifier("new"), "old"));
        assert_eq!(salts.made(), 2);
    }

    fn fits(verifier: Verifier, password: &str) -> bool {
        let mut client = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        let (unbound, first) = (Binding::Unavailable, client.message());
        let server = ServerFirst::new(verifier, SCRAM_SHA_256, unbound, first, "nonce");
        let server = server.expect("a first message");
        client.update(server.message().as_bytes()).expect("our first message");
        let Ok(last) = server.finish(client.message()) else { return false };
        client.finish(last.as_bytes()).expect("our signature");
        true
    }
}
