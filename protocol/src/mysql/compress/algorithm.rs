//! How packets are compressed, as both sides agreed.

use crate::mysql::capabilities::CapabilityFlags;

/// The levels that cost least: a proxy's time is everybody's. Both sides choose for what they send.
const MAX_ZSTD_LEVEL: u8 = 3;

/// How packets are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `CLIENT_COMPRESS`.
    Zlib,
    /// `CLIENT_ZSTD_COMPRESSION_ALGORITHM`, with this level.
    Zstd(u8),
}

impl Algorithm {
    /// What both sides agreed on; zlib where they could do both, as the servers have it. `level` is the client's
    /// wish for zstd.
    pub fn agreed(capabilities: CapabilityFlags, level: u8) -> Option<Self> {
        if capabilities.contains(CapabilityFlags::CLIENT_COMPRESS) {
            Some(Self::Zlib)
        } else if capabilities.contains(CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM) {
            Some(Self::Zstd(level.clamp(1, MAX_ZSTD_LEVEL)))
        } else {
            None
        }
    }
}
