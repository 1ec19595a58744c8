//! The proofs of `mysql_native_password` and `caching_sha2_password`, both sides.
//!
//! The server keeps a hash of a hash. The client's answer is the first hash, hidden by one that also covers the
//! server's nonce, so that only someone who knows the stored hash can uncover and check it. Nonces are
//! arguments; RSA is not here.

use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The method of MySQL 4.1 to 5.7, and MariaDB's default.
pub const NATIVE: &str = "mysql_native_password";

/// MySQL's default since 8.0.
pub const CACHING_SHA2: &str = "caching_sha2_password";

/// Older than [`CACHING_SHA2`]: it wants the password itself, each time.
pub const SHA256: &str = "sha256_password";

/// The nonce of a greeting or an AuthSwitch.
pub type Nonce = [u8; 20];

/// `caching_sha2_password`, in AuthMoreData: the proof was good, and OK follows.
pub const FAST_AUTH_SUCCESS: u8 = 3;

/// `caching_sha2_password`, in AuthMoreData: the server needs the password itself.
pub const PERFORM_FULL_AUTHENTICATION: u8 = 4;

/// `caching_sha2_password`: the client asks for the server's RSA key.
pub const REQUEST_PUBLIC_KEY: u8 = 2;

/// `sha256_password`: the same.
pub const SHA256_REQUEST_PUBLIC_KEY: u8 = 1;

/// The answer of `mysql_native_password`: `SHA1(password) XOR SHA1(nonce, SHA1(SHA1(password)))`.
///
/// Empty for an empty password.
pub fn native_response(password: &[u8], nonce: &Nonce) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let first = Sha1::digest(password);
    let hidden = Sha1::new().chain_update(nonce).chain_update(Sha1::digest(first)).finalize();
    xor(&first, &hidden)
}

/// The answer of `caching_sha2_password`: `SHA256(password) XOR SHA256(SHA256(SHA256(password)), nonce)`.
///
/// Empty for an empty password.
pub fn sha2_response(password: &[u8], nonce: &Nonce) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let first = Sha256::digest(password);
    let hidden = Sha256::new().chain_update(Sha256::digest(first)).chain_update(nonce).finalize();
    xor(&first, &hidden)
}

/// What a server keeps for `mysql_native_password`: `SHA1(SHA1(password))`.
pub fn native_stored(password: &[u8]) -> [u8; 20] {
    Sha1::digest(Sha1::digest(password)).into()
}

/// What a server keeps in memory for `caching_sha2_password`: `SHA256(SHA256(password))`.
pub fn sha2_stored(password: &[u8]) -> [u8; 32] {
    Sha256::digest(Sha256::digest(password)).into()
}

/// Whether `response` proves knowledge of the password behind `stored`.
pub fn verify_native(stored: &[u8; 20], nonce: &Nonce, response: &[u8]) -> bool {
    let hidden = Sha1::new().chain_update(nonce).chain_update(stored).finalize();
    let first = xor(response, &hidden);
    response.len() == hidden.len() && bool::from(Sha1::digest(first).as_slice().ct_eq(stored))
}

/// Whether `response` proves knowledge of the password behind `stored`.
pub fn verify_sha2(stored: &[u8; 32], nonce: &Nonce, response: &[u8]) -> bool {
    let hidden = Sha256::new().chain_update(stored).chain_update(nonce).finalize();
    let first = xor(response, &hidden);
    response.len() == hidden.len() && bool::from(Sha256::digest(first).as_slice().ct_eq(stored))
}

/// The password with its NUL, as it is put into RSA: XOR with the nonce, over and over. Both ways.
pub fn obscure(password: &[u8], nonce: &Nonce) -> Vec<u8> {
    password.iter().zip(nonce.iter().cycle()).map(|(byte, nonce)| byte ^ nonce).collect()
}

fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(left, right)| left ^ right).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: Nonce = *b"0123456789abcdefghij";

    #[test]
    fn a_server_keeps_what_mysql_keeps() {
        // SELECT PASSWORD('secret') in MariaDB, without the star.
        let expect =
            b"\x14\xe6\x55\x67\xab\xdb\x51\x35\xd0\xcf\xd9\xa7\x0b\x30\x32\xc1\x79\xa4\x9e\xe7";
        assert_eq!(&native_stored(b"secret"), expect);
    }

    #[test]
    fn a_proof_is_good_for_its_password_and_nonce_only() {
        for password in [&b"secret"[..], b"p", "pässword".as_bytes(), &[b'x'; 300]] {
            let (native, sha2) =
                (native_response(password, &NONCE), sha2_response(password, &NONCE));
            assert_eq!((native.len(), sha2.len()), (20, 32));
            let (kept_native, kept_sha2) = (native_stored(password), sha2_stored(password));
            assert!(verify_native(&kept_native, &NONCE, &native));
            assert!(verify_sha2(&kept_sha2, &NONCE, &sha2));
            let other = b"another nonce of 20b";
            assert!(!verify_native(&kept_native, other, &native));
            assert!(!verify_sha2(&kept_sha2, other, &sha2));
            assert!(!verify_native(&native_stored(b"other"), &NONCE, &native));
            assert!(!verify_sha2(&sha2_stored(b"other"), &NONCE, &sha2));
        }
    }

    #[test]
    fn a_proof_of_the_wrong_length_is_not_one() {
        let (native, sha2) = (native_response(b"a", &NONCE), sha2_response(b"a", &NONCE));
        let (kept_native, kept_sha2) = (native_stored(b"a"), sha2_stored(b"a"));
        for wrong in [&[][..], &native[..19], &[&native[..], b"\0"].concat(), &sha2] {
            assert!(!verify_native(&kept_native, &NONCE, wrong));
        }
        for wrong in [&[][..], &sha2[..31], &[&sha2[..], b"\0"].concat(), &native] {
            assert!(!verify_sha2(&kept_sha2, &NONCE, wrong));
        }
    }

    #[test]
    fn an_empty_password_has_an_empty_answer_that_proves_nothing() {
        assert!(native_response(b"", &NONCE).is_empty());
        assert!(sha2_response(b"", &NONCE).is_empty());
        assert!(!verify_native(&native_stored(b""), &NONCE, b""));
        assert!(!verify_sha2(&sha2_stored(b""), &NONCE, b""));
    }

    #[test]
    fn what_is_obscured_twice_is_plain_again() {
        let password = b"a password that is longer than the nonce\0";
        let hidden = obscure(password, &NONCE);
        assert_ne!(hidden, password);
        assert_eq!(obscure(&hidden, &NONCE), password);
    }
}
