//! Sealing: what is kept can be read only with a key that is kept elsewhere.
//!
//! AES-256-GCM with a random nonce. What is sealed is bound to its place (kind and id), so that nothing can be put where
//! something else was.

use std::{fmt, str::FromStr};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

const KEY_LEN: usize = 32;

/// The keys: the first seals, all open.
///
/// As text a line each, `ID:KEY`, the key 32 bytes in base64; empty lines and those that begin with `#` say nothing.
pub struct Keyring(Vec<Key>);

struct Key {
    id: String,
    key: RandomizedNonceKey,
}

/// What was sealed, and with which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The key's id.
    pub key: String,
    /// Nonce and ciphertext, in base64.
    pub text: String,
}

impl Keyring {
    /// A line for a new key, to be kept by whoever asked.
    pub fn new_line(id: &str) -> Zeroizing<String> {
        let key: Zeroizing<[u8; KEY_LEN]> = Zeroizing::new(rand::random());
        Zeroizing::new(format!("{id}:{}\n", STANDARD.encode(*key)))
    }

    /// One key that is made from a secret which has 256 bits of its own.
    pub fn of_secret(secret: &[u8]) -> Self {
        use sha2::{Digest as _, Sha256};
        let key = Zeroizing::new(<[u8; KEY_LEN]>::from(
            Sha256::new_with_prefix(b"jumpgate sealing key\0").chain_update(secret).finalize(),
        ));
        Self(Key::new("secret", &*key).into_iter().collect())
    }

    /// The key that seals.
    ///
    /// # Errors
    ///
    /// [`SealError::Key`] where there is none.
    fn first(&self) -> Result<&Key, SealError> {
        self.0.first().ok_or(SealError::Key)
    }

    /// Whether this is sealed with the key that seals now.
    pub fn is_current(&self, sealed: &Sealed) -> bool {
        self.0.first().is_some_and(|key| key.id == sealed.key)
    }

    /// Seals a text for its place.
    ///
    /// # Errors
    ///
    /// Where the machine has no randomness, or there is no key.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Sealed, SealError> {
        let key = self.first()?;
        let mut bytes = plain.to_vec();
        let nonce = key
            .key
            .seal_in_place_append_tag(Aad::from(place), &mut bytes)
            .map_err(|_unspecified| SealError::Machine)?;
        let text = STANDARD.encode([nonce.as_ref().as_slice(), &bytes].concat());
        Ok(Sealed { key: key.id.clone(), text })
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    ///
    /// Where the key is not known, or it was not sealed with it for this place.
    pub fn open(&self, place: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let known = self.0.iter().find(|key| key.id == sealed.key);
        let key = known.ok_or_else(|| SealError::Unknown(sealed.key.clone()))?;
        let bytes = STANDARD.decode(&sealed.text).map_err(|_not_base64| SealError::Broken)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Broken)?;
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::from(nonce);
        let opened = key.key.open_in_place(nonce, Aad::from(place), &mut bytes);
        let len = opened.map_err(|_unspecified| SealError::Broken)?.len();
        bytes.truncate(len);
        Ok(bytes)
    }
}

impl Key {
    fn new(id: &str, key: &[u8]) -> Result<Self, SealError> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_length| SealError::Key)?;
        Ok(Self { id: id.to_owned(), key })
    }
}

impl FromStr for Keyring {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Self, SealError> {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys: Result<Vec<_>, _> = lines
            .map(|line| {
                let (id, key) = line.split_once(':').ok_or(SealError::Key)?;
                let key = STANDARD.decode(key.trim()).map(Zeroizing::new);
                Key::new(id.trim(), &key.map_err(|_not_base64| SealError::Key)?)
            })
            .collect();
        let keys = keys?;
        let are_distinct = keys
            .iter()
            .enumerate()
            .all(|(at, key)| keys.iter().skip(at + 1).all(|other| other.id != key.id));
        if keys.is_empty() || !are_distinct { Err(SealError::Key) } else { Ok(Self(keys)) }
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

/// Why something could not be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The text of the keys is none.
    #[error("the sealing key must be lines of ID:KEY with distinct ids, KEY 32 bytes in base64")]
    Key,
    /// It was sealed with a key that is not here.
    #[error("it was sealed with the key {0:?}, which is not among the keys")]
    Unknown(String),
    /// It was changed, or moved, or the key is another one of the same id.
    #[error("it was changed, or was sealed with another key of this id")]
    Broken,
    /// The machine refused.
    #[error("the machine has no randomness")]
    Machine,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(ids: &[&str]) -> Keyring {
        let lines: String = ids.iter().map(|id| Keyring::new_line(id).to_string()).collect();
        lines.parse().unwrap()
    }

    #[test]
    fn what_is_sealed_opens_at_its_place_only() {
        let keys = keyring(&["a"]);
        let sealed = keys.seal("config/1", b"hunter2").unwrap();
        assert!(!sealed.text.contains("hunter2"));
        assert_eq!(*keys.open("config/1", &sealed).unwrap(), b"hunter2");
        assert_eq!(keys.open("config/2", &sealed), Err(SealError::Broken));
        assert_eq!(keyring(&["a"]).open("config/1", &sealed), Err(SealError::Broken));
        let unknown = keyring(&["b"]).open("config/1", &sealed);
        assert_eq!(unknown, Err(SealError::Unknown(String::from("a"))));
        for broken in ["", "AAAA", "!"] {
            let broken = Sealed { text: broken.to_owned(), ..sealed.clone() };
            assert_eq!(keys.open("config/1", &broken), Err(SealError::Broken));
        }
    }

    #[test]
    fn a_second_key_opens_and_the_first_seals() {
        let (old, new) = (Keyring::new_line("old"), Keyring::new_line("new"));
        let before: Keyring = old.parse().unwrap();
        let sealed = before.seal("p", b"x").unwrap();
        let both: Keyring = format!("# keys\n{}\n{}", *new, *old).parse().unwrap();
        assert_eq!(*both.open("p", &sealed).unwrap(), b"x");
        assert!(!both.is_current(&sealed));
        assert!(both.is_current(&both.seal("p", b"x").unwrap()));
        assert_eq!(format!("{both:?}"), r#"["new", "old"]"#);
    }

    #[test]
    fn a_text_without_a_key_is_refused() {
        for wrong in ["", "a", "a:AAAA", "a:!", &Keyring::new_line("a").repeat(2)] {
            assert_eq!(wrong.parse::<Keyring>().unwrap_err(), SealError::Key, "{wrong}");
        }
    }
}
