//! The server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677, RFC 5929; PostgreSQL's
//! `auth-scram.c` settles what clients send in practice).
//!
//! Nonces are arguments; the verifier is PostgreSQL's own format, so a password is never needed here.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

/// Mechanism without channel binding.
pub const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
/// Mechanism bound to the server's certificate.
pub const SCRAM_SHA_256_PLUS: &str = "SCRAM-SHA-256-PLUS";
/// The most bytes a client's SASL message may have.
pub const MAX_MESSAGE_BYTES: usize = 1024;

const KEY_LEN: usize = 32;

/// Why a login was refused. The client only hears that it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// Not a SCRAM message, or one that asks for what we do not do.
    #[error("malformed SCRAM message")]
    Malformed,
    /// The client saw no offer of channel binding although we made one: somebody stripped it.
    #[error("channel binding was stripped from the offer")]
    Stripped,
    /// The client's channel binding data is not that of our certificate.
    #[error("channel binding does not match")]
    Binding,
    /// The proof does not fit the verifier.
    #[error("wrong password")]
    Proof,
    /// The stored verifier is not in PostgreSQL's format.
    #[error("malformed SCRAM verifier")]
    Verifier,
}

/// What is kept of a password, or of two that are right at once: enough to check a proof, not enough to make one.
#[derive(Clone)]
pub struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    /// Of each password. There are always two, the same twice where there is one password: how long a check takes
    /// says nothing of how many there are, once all are at hand.
    keys: [Keys; 2],
}

/// What a proof of one password is checked against; its salt and count of iterations apart.
#[derive(Clone)]
enum Keys {
    Known(Arc<Pair>),
    /// Of the `SaltedPassword` that this gives, which may take its time: a client is not told of them before it has
    /// answered.
    Later(Arc<dyn Fn() -> [u8; KEY_LEN] + Send + Sync>),
}

struct Pair {
    stored: [u8; KEY_LEN],
    server: [u8; KEY_LEN],
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.stored.zeroize();
        self.server.zeroize();
    }
}

impl Pair {
    /// Those of a `SaltedPassword` of RFC 5802.
    fn of(salted: &[u8; KEY_LEN]) -> Self {
        let stored = digest(&sign(salted, &[b"Client Key"]));
        Self { stored, server: sign(salted, &[b"Server Key"]) }
    }

    /// Whether a proof of what both sides said shows the password.
    fn fits(&self, mut proof: [u8; KEY_LEN], said: &[&[u8]]) -> bool {
        for (key, mask) in proof.iter_mut().zip(sign(&self.stored, said)) {
            *key ^= mask;
        }
        digest(&proof).ct_eq(&self.stored).into()
    }
}

impl Keys {
    fn get(&self) -> Arc<Pair> {
        match self {
            Self::Known(pair) => Arc::clone(pair),
            Self::Later(salted) => Arc::new(Pair::of(&Zeroizing::new(salted()))),
        }
    }

    const fn are_late(&self) -> bool {
        matches!(self, Self::Later(_))
    }

    /// Whether these are the others, and not only like them.
    fn are(&self, others: &Self) -> bool {
        match (self, others) {
            (Self::Known(one), Self::Known(other)) => Arc::ptr_eq(one, other),
            (Self::Later(one), Self::Later(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl Verifier {
    /// Reads `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
    ///
    /// # Errors
    ///
    /// [`ScramError::Verifier`] for anything else.
    pub fn parse(text: &str) -> Result<Self, ScramError> {
        Self::try_parse(text).ok_or(ScramError::Verifier)
    }

    fn try_parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("SCRAM-SHA-256$")?.split('$');
        let (iterations, salt) = parts.next()?.split_once(':')?;
        let (stored, server) = parts.next()?.split_once(':')?;
        let iterations = iterations.parse().ok().filter(|count| *count > 0)?;
        let pair = Pair {
            stored: STANDARD.decode(stored).ok()?.try_into().ok()?,
            server: STANDARD.decode(server).ok()?.try_into().ok()?,
        };
        Some(Self::of_keys(iterations, STANDARD.decode(salt).ok()?, Keys::Known(Arc::new(pair))))
    }

    fn of_keys(iterations: u32, salt: Vec<u8>, keys: Keys) -> Self {
        Self { iterations, salt, keys: [keys.clone(), keys] }
    }

    /// That of a password whose `SaltedPassword` (RFC 5802), made with this salt and so many iterations, is asked for
    /// when a client's proof is to be checked, and not before. It is asked for each time.
    pub fn of_salted_later(
        iterations: u32,
        salt: Vec<u8>,
        salted: impl Fn() -> [u8; KEY_LEN] + Send + Sync + 'static,
    ) -> Self {
        Self::of_keys(iterations, salt, Keys::Later(Arc::new(salted)))
    }

    /// One that this one's password fits, and the other's as well: both are right at once. `None` where clients would be
    /// told different things of the two, since that happens before it is known which one is meant. Of verifiers of two
    /// passwords the second counts no more.
    pub fn and(&self, other: &Self) -> Option<Self> {
        let ([keys, _], [others, _]) = (&self.keys, &other.keys);
        (self.shown() == other.shown()).then(|| Self {
            iterations: self.iterations,
            salt: self.salt.clone(),
            keys: [keys.clone(), others.clone()],
        })
    }

    /// A verifier that no password fits, for users that do not exist: the dialogue runs as for others
    /// (`mock_scram_secret`). Nobody may know `key` or guess it.
    pub fn unfitting(iterations: u32, salt: Vec<u8>, key: [u8; 32]) -> Self {
        Self::of_keys(iterations, salt, Keys::Known(Arc::new(Pair { stored: key, server: key })))
    }

    /// Whether its password is one whose keys are asked for late; and whether the other is, where there are two.
    pub fn late(&self) -> (bool, Option<bool>) {
        let [first, second] = &self.keys;
        (first.are_late(), (!first.are(second)).then(|| second.are_late()))
    }

    /// What a client is told of it before it has shown a password: the count of iterations, and the salt.
    pub fn shown(&self) -> (u32, &[u8]) {
        (self.iterations, &self.salt)
    }
}

/// Whether and how the two ends are bound to the same TLS connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding<'a> {
    /// We cannot do it here: plaintext, or a certificate without a usable hash.
    Unavailable,
    /// We offered SCRAM-SHA-256-PLUS; this is the `tls-server-end-point` of our certificate.
    EndPoint(&'a [u8]),
}

/// The dialogue after our first answer, waiting for the client's proof.
pub struct ServerFirst {
    verifier: Verifier,
    message: String,
    client_first_bare: String,
    gs2_and_binding: Vec<u8>,
    nonce: String,
}

impl std::fmt::Debug for ServerFirst {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerFirst").finish_non_exhaustive()
    }
}

impl ServerFirst {
    /// Answers the client's first message. `mechanism` is the one it chose.
    ///
    /// # Errors
    ///
    /// When the message is malformed, asks for an extension or another identity, or its channel-binding flag
    /// does not fit the mechanism.
    pub fn new(
        verifier: Verifier,
        mechanism: &str,
        binding: Binding<'_>,
        client_first: &[u8],
        server_nonce: &str,
    ) -> Result<Self, ScramError> {
        let text = std::str::from_utf8(client_first).map_err(|_invalid| ScramError::Malformed)?;
        let (flag, rest) = text.split_once(',').ok_or(ScramError::Malformed)?;
        // An authzid would be `a=…` here; nobody may log in as somebody else.
        let bare = rest.strip_prefix(',').ok_or(ScramError::Malformed)?;
        let mut expected = format!("{flag},,").into_bytes();
        match (mechanism, flag, binding) {
            (SCRAM_SHA_256, "n", _) | (SCRAM_SHA_256, "y", Binding::Unavailable) => {}
            (SCRAM_SHA_256, "y", Binding::EndPoint(_)) => return Err(ScramError::Stripped),
            (SCRAM_SHA_256_PLUS, "p=tls-server-end-point", Binding::EndPoint(hash)) => {
                expected.extend_from_slice(hash);
            }
            _ => return Err(ScramError::Malformed),
        }
        // `n=` is ignored, as PostgreSQL does: the user is the one of the startup packet. `m=` may not come.
        let mut attributes = bare.split(',');
        attributes.next().filter(|name| name.starts_with("n=")).ok_or(ScramError::Malformed)?;
        let client_nonce = attributes
            .next()
            .and_then(|nonce| nonce.strip_prefix("r="))
            .filter(|nonce| !nonce.is_empty() && nonce.bytes().all(|b| b.is_ascii_graphic()))
            .ok_or(ScramError::Malformed)?;
        let nonce = format!("{client_nonce}{server_nonce}");
        let salt = STANDARD.encode(&verifier.salt);
        let message = format!("r={nonce},s={salt},i={}", verifier.iterations);
        let client_first_bare = bare.to_owned();
        Ok(Self { verifier, message, client_first_bare, gs2_and_binding: expected, nonce })
    }

    /// Our first message, for AuthenticationSASLContinue.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Checks the client's proof and returns our last message, for AuthenticationSASLFinal: signed with the key of the
    /// password that the proof is of.
    ///
    /// # Errors
    ///
    /// When the message is malformed, belongs to another dialogue or connection, or the proof is wrong.
    pub fn finish(self, client_final: &[u8]) -> Result<String, ScramError> {
        let text = std::str::from_utf8(client_final).map_err(|_invalid| ScramError::Malformed)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next().and_then(|value| value.strip_prefix("c="));
        let nonce = attributes.next().and_then(|value| value.strip_prefix("r="));
        let (Some(binding), Some(nonce)) = (binding, nonce) else {
            return Err(ScramError::Malformed);
        };
        if STANDARD.decode(binding).ok().as_deref() != Some(&self.gs2_and_binding[..]) {
            return Err(ScramError::Binding);
        }
        if nonce != self.nonce {
            return Err(ScramError::Malformed);
        }
        let proof: [u8; KEY_LEN] = STANDARD
            .decode(proof)
            .ok()
            .and_then(|proof| proof.try_into().ok())
            .ok_or(ScramError::Malformed)?;
        let said: [&[u8]; 5] = [
            self.client_first_bare.as_bytes(),
            b",",
            self.message.as_bytes(),
            b",",
            without_proof.as_bytes(),
        ];
        let [first, second] = self.verifier.keys.each_ref().map(Keys::get);
        // Both are checked, whatever comes of the first.
        let keys = match (first.fits(proof, &said), second.fits(proof, &said)) {
            (true, _) => first,
            (false, true) => second,
            (false, false) => return Err(ScramError::Proof),
        };
        Ok(format!("v={}", STANDARD.encode(sign(&keys.server, &said))))
    }
}

fn digest(bytes: &[u8]) -> [u8; KEY_LEN] {
    Sha256::digest(bytes).into()
}

fn sign(key: &[u8; KEY_LEN], parts: &[&[u8]]) -> [u8; KEY_LEN] {
    // HMAC takes keys of any length, so this cannot fail; the fallback is a key that fits nothing.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; KEY_LEN] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

    use super::*;

    fn dialogue(
        password: &str,
        client: ChannelBinding,
        mechanism: &str,
        server: Binding<'_>,
    ) -> Result<(), ScramError> {
        let verifier = Verifier::parse(&postgres_protocol::password::scram_sha_256(b"right"))?;
        against(verifier, password, client, mechanism, server)
    }

    fn against(
        verifier: Verifier,
        password: &str,
        client: ChannelBinding,
        mechanism: &str,
        server: Binding<'_>,
    ) -> Result<(), ScramError> {
        let mut client = ScramSha256::new(password.as_bytes(), client);
        let first =
            ServerFirst::new(verifier, mechanism, server, client.message(), "server-nonce")?;
        client.update(first.message().as_bytes()).expect("client accepts our first message");
        let last = first.finish(client.message())?;
        client.finish(last.as_bytes()).expect("client accepts our signature");
        Ok(())
    }

    #[test]
    fn the_right_password_passes_and_proves_the_server_too() {
        assert_eq!(
            dialogue("right", ChannelBinding::unsupported(), SCRAM_SHA_256, Binding::Unavailable),
            Ok(())
        );
        let bound = ChannelBinding::tls_server_end_point(vec![7; 32]);
        assert_eq!(
            dialogue("right", bound, SCRAM_SHA_256_PLUS, Binding::EndPoint(&[7; 32])),
            Ok(())
        );
    }

    /// A verifier of these two passwords, with one salt.
    fn of_two(passwords: [&str; 2]) -> Verifier {
        let [now, before] = passwords.map(|password| {
            let mut salted = [0; KEY_LEN];
            // One iteration of PBKDF2.
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(password.as_bytes()) else { panic!() };
            mac.update(b"salt\0\0\0\x01");
            salted.copy_from_slice(&mac.finalize().into_bytes());
            Verifier::of_salted_later(1, b"salt".to_vec(), move || salted)
        });
        now.and(&before).expect("one salt")
    }

    #[test]
    fn either_of_two_passwords_passes_and_no_third() {
        let pairs = [
            (
                ChannelBinding::unsupported as fn() -> ChannelBinding,
                SCRAM_SHA_256,
                Binding::Unavailable,
            ),
            (
                || ChannelBinding::tls_server_end_point(vec![7; 32]),
                SCRAM_SHA_256_PLUS,
                Binding::EndPoint(&[7; 32]),
            ),
        ];
        for (binding, mechanism, bound) in pairs {
            for (password, expected) in [
                ("new", Ok(())),
                ("old", Ok(())),
                ("newold", Err(ScramError::Proof)),
                ("", Err(ScramError::Proof)),
            ] {
                let verifier = of_two(["new", "old"]);
                let told = against(verifier, password, binding(), mechanism, bound);
                assert_eq!(told, expected, "{password} {mechanism}");
            }
        }
    }

    #[test]
    fn passwords_of_which_clients_are_told_different_things_are_not_right_at_once() {
        let salted = |iterations, salt: &[u8]| {
            Verifier::of_salted_later(iterations, salt.to_vec(), || [1; KEY_LEN])
        };
        assert!(salted(1, b"salt").and(&salted(1, b"salt")).is_some());
        assert!(salted(1, b"salt").and(&salted(2, b"salt")).is_none());
        assert!(salted(1, b"salt").and(&salted(1, b"sale")).is_none());
    }

    #[test]
    fn a_wrong_password_or_another_certificate_is_refused() {
        let plain = ChannelBinding::unsupported();
        assert_eq!(
            dialogue("wrong", plain, SCRAM_SHA_256, Binding::Unavailable),
            Err(ScramError::Proof)
        );
        let bound = ChannelBinding::tls_server_end_point(vec![7; 32]);
        assert_eq!(
            dialogue("right", bound, SCRAM_SHA_256_PLUS, Binding::EndPoint(&[8; 32])),
            Err(ScramError::Binding)
        );
    }

    #[test]
    fn a_stripped_offer_of_channel_binding_is_noticed() {
        let said_y = ChannelBinding::unrequested();
        assert_eq!(
            dialogue("right", said_y, SCRAM_SHA_256, Binding::EndPoint(&[7; 32])),
            Err(ScramError::Stripped)
        );
    }

    #[test]
    fn malformed_messages_are_refused() {
        let verifier = || Verifier::unfitting(4096, vec![1; 16], [7; 32]);
        for first in [
            &b""[..],
            b"n,,",
            b"n,,n=,r=",
            b"n,a=root,n=,r=x",
            b"n,,m=x,r=y",
            b"p=x,,n=,r=x",
            b"\xff",
        ] {
            let made =
                ServerFirst::new(verifier(), SCRAM_SHA_256, Binding::Unavailable, first, "n");
            assert!(made.is_err(), "{first:?}");
        }
        for last in
            [&b""[..], b",p=", b"c=biws,r=xn,p=AAAA", b"c=biws,r=other,p=", b"c=!,r=xn,p=\xff"]
        {
            let first = ServerFirst::new(
                verifier(),
                SCRAM_SHA_256,
                Binding::Unavailable,
                b"n,,n=,r=x",
                "n",
            );
            assert!(first.expect("valid").finish(last).is_err(), "{last:?}");
        }
        assert!(Verifier::parse("SCRAM-SHA-256$0:AA==$x:y").is_err());
        assert!(Verifier::parse("md5abc").is_err());
    }

    #[test]
    fn no_password_fits_the_verifier_of_nobody() {
        let verifier = Verifier::unfitting(4096, vec![1; 16], [7; 32]);
        let mut client = ScramSha256::new(b"", ChannelBinding::unsupported());
        let unbound = Binding::Unavailable;
        let first = ServerFirst::new(verifier, SCRAM_SHA_256, unbound, client.message(), "nonce");
        let first = first.expect("a dialogue as any other");
        client.update(first.message().as_bytes()).expect("a salt as any other");
        assert_eq!(first.finish(client.message()), Err(ScramError::Proof));
    }
}
