//! The edge's signed word to an origin that a request has passed (`Cf-Access-Jwt-Assertion`).
//!
//! Only whoever can ask the edge for its public keys can check it. When keys are exchanged is
//! decided by their owner, who also keeps them; nothing here has a clock.

use std::sync::Arc;

use aws_lc_rs::{
    encoding::AsDer as _,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::state::UnixSeconds;

/// The keys that assertions are signed with: the newest signs, older ones are still published.
pub struct SigningKeys {
    newest: Arc<SigningKey>,
    /// Newest first.
    older: Vec<Arc<SigningKey>>,
}

struct SigningKey {
    id: String,
    created_at: UnixSeconds,
    pair: RsaKeyPair,
}

impl SigningKeys {
    /// Makes a first key. It takes a while; use a blocking thread.
    ///
    /// # Errors
    ///
    /// [`AssertionError`] when the crypto library refuses.
    pub fn generate(now: UnixSeconds) -> Result<Self, AssertionError> {
        Ok(Self { newest: Arc::new(SigningKey::generate(now)?), older: Vec::new() })
    }

    /// The keys to go on with, if these have become too old: the newest signs for six weeks, and
    /// the one before is published for seven more days. Keep them before they are used. Making a
    /// key takes a while; use a blocking thread.
    ///
    /// # Errors
    ///
    /// [`AssertionError`] when the crypto library refuses.
    pub fn rotated(&self, now: UnixSeconds) -> Result<Option<Self>, AssertionError> {
        let age = now.saturating_sub(self.newest.created_at);
        let keep = |newest: &Arc<_>, older| Some(Self { newest: Arc::clone(newest), older });
        if age > ROTATE_AFTER {
            let newest = Arc::new(SigningKey::generate(now)?);
            return Ok(keep(&newest, vec![Arc::clone(&self.newest)]));
        }
        let is_over = !self.older.is_empty() && age >= OVERLAP;
        Ok(if is_over { keep(&self.newest, Vec::new()) } else { None })
    }

    /// All keys as JSON. It holds the private keys: keep it where only its owner can read it.
    ///
    /// # Errors
    ///
    /// [`AssertionError`] when the crypto library refuses to give a key out.
    pub fn to_secret_json(&self) -> Result<Zeroizing<String>, AssertionError> {
        let keys = self.all().map(|key| key.to_kept()).collect::<Result<_, _>>()?;
        let json = serde_json::to_string(&KeptKeys { keys });
        json.map(Zeroizing::new).map_err(|_impossible| AssertionError::Keep)
    }

    /// Reads what [`Self::to_secret_json`] has written.
    ///
    /// # Errors
    ///
    /// [`AssertionError::Kept`] when it is something else, without its text.
    pub fn from_secret_json(json: &str) -> Result<Self, AssertionError> {
        let kept: KeptKeys =
            serde_json::from_str(json).map_err(|_could_quote_a_key| AssertionError::Kept)?;
        let mut keys = kept.keys.iter().map(|key| SigningKey::from_kept(key).map(Arc::new));
        let newest = keys.next().ok_or(AssertionError::Kept)??;
        Ok(Self { newest, older: keys.collect::<Result<_, _>>()? })
    }

    /// The public keys, as served at `/cdn-cgi/access/certs`.
    pub fn to_public_json(&self) -> String {
        let keys: Vec<_> = self.all().map(|key| key.to_public()).collect();
        json!({"keys": keys, "public_certs": []}).to_string()
    }

    /// The id of the key that signs.
    pub(crate) fn newest_id(&self) -> &str {
        &self.newest.id
    }

    /// A JWT with these claims.
    pub(crate) fn sign(&self, claims: &Claims<'_>) -> Result<String, AssertionError> {
        let header = json!({"alg": "RS256", "kid": self.newest.id, "typ": "JWT"}).to_string();
        let claims = serde_json::to_vec(claims).map_err(|_impossible| AssertionError::Sign)?;
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let pair = &self.newest.pair;
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_unspecified| AssertionError::Sign)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn all(&self) -> impl Iterator<Item = &Arc<SigningKey>> {
        std::iter::once(&self.newest).chain(&self.older)
    }
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKeys").field("newest", &self.newest.id).finish_non_exhaustive()
    }
}

impl SigningKey {
    fn generate(now: UnixSeconds) -> Result<Self, AssertionError> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048);
        Ok(Self::new(pair.map_err(|_unspecified| AssertionError::Make)?, now))
    }

    fn new(pair: RsaKeyPair, created_at: UnixSeconds) -> Self {
        let modulus = pair.public_key().modulus();
        let id = hex::encode(Sha256::digest(modulus.big_endian_without_leading_zero()));
        Self { id, created_at, pair }
    }

    fn to_kept(&self) -> Result<KeptKey, AssertionError> {
        let der = self.pair.as_der().map_err(|_unspecified| AssertionError::Keep)?;
        let private_key = Zeroizing::new(STANDARD.encode(der.as_ref()));
        Ok(KeptKey { created_at: self.created_at, private_key })
    }

    fn from_kept(kept: &KeptKey) -> Result<Self, AssertionError> {
        let der = STANDARD.decode(kept.private_key.as_bytes()).map(Zeroizing::new);
        let der = der.map_err(|_not_base64| AssertionError::Kept)?;
        let pair = RsaKeyPair::from_pkcs8(&der).map_err(|_rejected| AssertionError::Kept)?;
        Ok(Self::new(pair, kept.created_at))
    }

    /// The key as a JWK (RFC 7517).
    fn to_public(&self) -> serde_json::Value {
        let public = self.pair.public_key();
        let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
        json!({
            "kid": self.id,
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "e": encode(public.exponent().big_endian_without_leading_zero()),
            "n": encode(public.modulus().big_endian_without_leading_zero()),
        })
    }
}

/// What an assertion says of a request with a service token.
#[derive(Debug, Serialize)]
pub(crate) struct Claims<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    aud: [&'a str; 1],
    iss: &'a str,
    common_name: &'a str,
    sub: &'static str,
    iat: UnixSeconds,
    exp: UnixSeconds,
}

impl<'a> Claims<'a> {
    /// The issuer says that the token with this client id may use the application.
    pub(crate) fn new(iss: &'a str, aud: &'a str, client_id: &'a str, now: UnixSeconds) -> Self {
        let exp = now.saturating_add(LIFETIME);
        Self { kind: "app", aud: [aud], iss, common_name: client_id, sub: "", iat: now, exp }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptKeys {
    keys: Vec<KeptKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptKey {
    created_at: UnixSeconds,
    /// PKCS#8 in base64.
    private_key: Zeroizing<String>,
}

/// What can go wrong with keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// No key could be made.
    #[error("no signing key could be made")]
    Make,
    /// A key could not be written down.
    #[error("a signing key cannot be written down")]
    Keep,
    /// What should be keys is something else.
    #[error("the signing keys are not valid")]
    Kept,
    /// Nothing could be signed.
    #[error("an assertion cannot be signed")]
    Sign,
}

const DAY: UnixSeconds = 24 * 60 * 60;
/// How long an assertion is valid.
pub(crate) const LIFETIME: UnixSeconds = DAY;
const ROTATE_AFTER: UnixSeconds = 6 * 7 * DAY;
/// How long a key is published after the next one has come.
const OVERLAP: UnixSeconds = 7 * DAY;

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
    use serde_json::Value;

    use super::*;

    const NOW: UnixSeconds = 1_000_000_000;

    /// Checks an assertion as an origin does: with another library, by the published keys.
    fn verify(assertion: &str, published: &str) -> Option<Value> {
        let published: JwkSet = serde_json::from_str(published).expect("a JWK set");
        let header = decode_header(assertion).expect("a header");
        let key = published.find(&header.kid?)?;
        let key = DecodingKey::from_jwk(key).expect("an RSA key");
        let mut rules = Validation::new(Algorithm::RS256);
        rules.set_audience(&["aud"]);
        rules.set_issuer(&["https://edge.test"]);
        rules.validate_exp = false;
        Some(decode::<Value>(assertion, &key, &rules).ok()?.claims)
    }

    #[test]
    fn an_origin_can_verify_what_is_signed() {
        let keys = SigningKeys::generate(NOW).expect("a key");
        let claims = Claims::new("https://edge.test", "aud", "a.access", NOW);
        let assertion = keys.sign(&claims).expect("signed");
        let verified = verify(&assertion, &keys.to_public_json()).expect("a valid signature");
        assert_eq!(
            verified,
            json!({
                "type": "app",
                "aud": ["aud"],
                "iss": "https://edge.test",
                "common_name": "a.access",
                "sub": "",
                "iat": NOW,
                "exp": NOW + 86_400,
            }),
        );
        let mut forged = assertion.clone();
        forged.replace_range(assertion.len() - 20..assertion.len() - 19, "_");
        let untouched = forged == assertion;
        assert!(untouched || verify(&forged, &keys.to_public_json()).is_none());
        let others = SigningKeys::generate(NOW).expect("a key");
        assert!(verify(&assertion, &others.to_public_json()).is_none());
        let published: Value = serde_json::from_str(&keys.to_public_json()).expect("JSON");
        let [key] = &published["keys"].as_array().expect("keys")[..] else { panic!("one key") };
        assert_eq!(
            (&key["kty"], &key["alg"], &key["use"], &key["e"]),
            (&json!("RSA"), &json!("RS256"), &json!("sig"), &json!("AQAB")),
        );
    }

    #[test]
    fn keys_survive_their_json_and_show_nowhere_else() {
        let keys = SigningKeys::generate(NOW).expect("a key");
        let json = keys.to_secret_json().expect("its own");
        let back = SigningKeys::from_secret_json(&json).expect("its own");
        assert_eq!(back.to_public_json(), keys.to_public_json());
        assert_eq!(*back.to_secret_json().expect("its own"), *json);
        let kept: Value = serde_json::from_str(&json).expect("JSON");
        let secret = kept["keys"][0]["private_key"].as_str().expect("a key");
        for shown in [format!("{keys:?}"), keys.to_public_json()] {
            assert!(!shown.contains(secret.get(400..440).expect("long")), "{shown}");
        }
        for wrong in ["", "{}", "{\"keys\":[]}", &json.replace("MI", "AA")] {
            assert!(SigningKeys::from_secret_json(wrong).is_err());
        }
    }

    #[test]
    fn a_key_signs_for_six_weeks_and_is_published_for_one_more() {
        let rotated = |keys: &SigningKeys, now| keys.rotated(now).expect("possible");
        let first = SigningKeys::generate(NOW).expect("a key");
        let claims = Claims::new("https://edge.test", "aud", "a.access", NOW);
        let assertion = first.sign(&claims).expect("signed");
        let worn = NOW + ROTATE_AFTER + 1;
        assert!(rotated(&first, worn - 1).is_none());
        assert!(rotated(&first, 0).is_none(), "a clock that goes back changes nothing");
        let second = rotated(&first, worn).expect("worn");
        assert_ne!(second.newest_id(), first.newest_id());
        assert!(verify(&assertion, &second.to_public_json()).is_some(), "still published");
        let json = second.to_secret_json().expect("its own");
        let second = SigningKeys::from_secret_json(&json).expect("its own");
        let over = worn + OVERLAP;
        assert!(rotated(&second, over - 1).is_none());
        let third = rotated(&second, over).expect("over");
        assert_eq!(third.newest_id(), second.newest_id());
        assert!(verify(&assertion, &third.to_public_json()).is_none(), "not any more");
        assert!(rotated(&third, over).is_none());
    }
}
