//! Who judges texts, for whoever keeps a catalog fresh without reading it.

/// What judges by a catalog. Clones are the same judge.
pub trait Judge: Clone {
    /// The same for two readings of the same catalog.
    fn fingerprint(&self) -> u64;
}
