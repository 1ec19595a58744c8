//! A reply as it lies in the tier: its stamps, when it was asked for, and its bytes, checked or sealed.
//!
//! ```text
//! stamps \n born, 16 digits \n form nonce body tag
//! ```
//!
//! Whoever shares the tier may write there, so everything that is read is bounded and checked. A sealed reply can be read by
//! none who lacks the key, and put under no other name or stamps.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use cache::{Key, Reply};

/// Makes entries of replies and back.
pub(crate) struct Entries {
    key: Option<LessSafeKey>,
    max_bytes: usize,
}

/// What a plain body begins with, and a sealed one.
const PLAIN: u8 = 1;
const SEALED: u8 = 2;

/// The checksum of a plain body.
const SUM_LEN: usize = 16;

/// The digits of a moment.
const BORN_LEN: usize = 16;

impl std::fmt::Debug for Entries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entries").field("sealed", &self.key.is_some()).finish_non_exhaustive()
    }
}

impl Entries {
    /// Sealed with that, if given. Larger replies have no entry.
    pub(crate) fn new(seal: Option<&[u8; 32]>, max_bytes: usize) -> Self {
        let key = seal.and_then(|key| UnboundKey::new(&AES_256_GCM, key).ok());
        Self { key: key.map(LessSafeKey::new), max_bytes }
    }

    /// The entry of a reply, if it is not too large.
    pub(crate) fn encode(
        &self,
        key: Key,
        stamps: &str,
        born: u64,
        reply: &Reply,
    ) -> Option<Vec<u8>> {
        if reply.weight() > self.max_bytes {
            return None;
        }
        let rows: usize = reply.rows.iter().map(Bytes::len).sum();
        let mut body =
            Vec::with_capacity(12 + reply.description.len() + rows + reply.complete.len());
        for part in [&reply.description, &reply.complete] {
            body.put_u32(u32::try_from(part.len()).ok()?);
            body.put_slice(part);
        }
        reply.rows.iter().for_each(|row| body.put_slice(row));
        let name = name(key, stamps);
        let mut entry = format!("{stamps}\n{born:0BORN_LEN$}\n").into_bytes();
        match &self.key {
            None => {
                entry.push(PLAIN);
                entry.extend_from_slice(&sum(&name, &body));
                entry.extend_from_slice(&body);
            }
            Some(key) => {
                let nonce: [u8; NONCE_LEN] = rand::random();
                key.seal_in_place_append_tag(
                    Nonce::assume_unique_for_key(nonce),
                    Aad::from(&name),
                    &mut body,
                )
                .ok()?;
                entry.push(SEALED);
                entry.extend_from_slice(&nonce);
                entry.extend_from_slice(&body);
            }
        }
        Some(entry)
    }

    /// The reply of an entry, and when it was asked for; `None` if it is not what was put there under this name.
    pub(crate) fn decode(&self, key: Key, stamps: &str, entry: Vec<u8>) -> Option<(Reply, u64)> {
        let mut entry = BytesMut::from(Bytes::from(entry));
        let head = entry.strip_prefix(stamps.as_bytes())?.strip_prefix(b"\n")?;
        let (born, rest) = head.split_at_checked(BORN_LEN)?;
        let born: u64 = std::str::from_utf8(born).ok()?.parse().ok()?;
        let [b'\n', form, ..] = *rest else { return None };
        entry.advance(stamps.len() + BORN_LEN + 3);
        let name = name(key, stamps);
        let body = match (form, &self.key) {
            (PLAIN, None) => {
                let found = entry.split_to_checked(SUM_LEN)?;
                (found[..] == sum(&name, &entry)).then(|| entry.freeze())?
            }
            (SEALED, Some(key)) => {
                let nonce = entry.split_to_checked(NONCE_LEN)?;
                let nonce = Nonce::try_assume_unique_for_key(&nonce).ok()?;
                let len = key.open_in_place(nonce, Aad::from(&name), &mut entry).ok()?.len();
                entry.truncate(len);
                entry.freeze()
            }
            _ => return None,
        };
        Some((reply(body, self.max_bytes)?, born))
    }
}

/// Splits off what may not be there.
trait SplitChecked: Sized {
    fn split_to_checked(&mut self, at: usize) -> Option<Self>;
}

impl SplitChecked for BytesMut {
    fn split_to_checked(&mut self, at: usize) -> Option<Self> {
        (at <= self.len()).then(|| self.split_to(at))
    }
}

/// What binds a body to its place.
fn name(key: Key, stamps: &str) -> Vec<u8> {
    [key.as_bytes(), stamps.as_bytes()].concat()
}

fn sum(name: &[u8], body: &[u8]) -> [u8; SUM_LEN] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(name).update(body);
    let mut sum = [0; SUM_LEN];
    hasher.finalize_xof().fill(&mut sum);
    sum
}

fn reply(mut body: Bytes, max_bytes: usize) -> Option<Reply> {
    if body.len() > max_bytes {
        return None;
    }
    let mut part = || {
        let len = usize::try_from(body.try_get_u32().ok()?).ok()?;
        (len <= body.len()).then(|| body.split_to(len))
    };
    let (description, complete) = (part()?, part()?);
    let rows = if body.is_empty() { Vec::new() } else { vec![body] };
    Some(Reply { description, rows, complete })
}

#[cfg(test)]
mod tests {
    use cache::KeyBuilder;

    use super::*;

    fn key(name: &str) -> Key {
        KeyBuilder::new("s").field("name", name.as_bytes()).finish()
    }

    fn sample() -> Reply {
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        Reply {
            description: bytes("d"),
            rows: vec![bytes("ab"), bytes("c")],
            complete: bytes("ok"),
        }
    }

    #[test]
    fn an_entry_is_read_only_where_it_was_put() {
        for seal in [None, Some([7; 32])] {
            let entries = Entries::new(seal.as_ref(), 1024);
            let entry = entries.encode(key("a"), "e:1,2", 77, &sample()).unwrap();
            let (read, born) = entries.decode(key("a"), "e:1,2", entry.clone()).unwrap();
            assert_eq!((read.description, read.complete, born), ("d".into(), "ok".into(), 77));
            assert_eq!(read.rows.concat(), b"abc");
            assert!(entries.decode(key("b"), "e:1,2", entry.clone()).is_none(), "another key");
            assert!(entries.decode(key("a"), "e:1,3", entry.clone()).is_none(), "other stamps");
            let other = Entries::new(Some(&[8; 32]), 1024);
            assert!(other.decode(key("a"), "e:1,2", entry.clone()).is_none(), "another seal");
            for at in "e:1,2\n0000000000000077\n".len()..entry.len() {
                let mut torn = entry.clone();
                torn[at] ^= 1;
                assert!(entries.decode(key("a"), "e:1,2", torn).is_none(), "byte {at}");
                assert!(entries.decode(key("a"), "e:1,2", entry[..at].to_vec()).is_none());
            }
        }
    }

    #[test]
    fn a_large_reply_has_no_entry() {
        let entries = Entries::new(None, 64);
        let rows = vec![Bytes::from(vec![0; 65])];
        assert!(entries.encode(key("a"), "s", 0, &Reply { rows, ..Reply::default() }).is_none());
    }

    #[test]
    fn what_is_sealed_cannot_be_read() {
        let entries = Entries::new(Some(&[7; 32]), 1024);
        let reply = Reply { complete: Bytes::from_static(b"a secret row"), ..Reply::default() };
        let entry = entries.encode(key("a"), "s", 0, &reply).unwrap();
        assert!(!entry.windows(6).any(|window| window == b"secret"));
    }
}
