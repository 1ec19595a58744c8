//! What is made of randomness.

/// 32 random hex digits.
pub(crate) fn new_hex_id() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

/// A random UUID.
pub(crate) fn new_uuid() -> String {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string()
}

/// A text that only whoever is told it can know: 256 bits, in hex.
pub(crate) fn new_secret() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}
