//! What a node counts of what it shares.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What has happened since the node began.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// The running counts.
        #[derive(Debug, Default)]
        pub(crate) struct Running {
            $(pub(crate) $name: AtomicU64,)*
        }

        impl Running {
            pub(crate) fn read(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counts! {
    /// Misses that another node's reply answered.
    found,
    /// Misses that were asked of the origin, and whose replies could be kept.
    led,
    /// Misses of what another node was asking for.
    elsewhere,
    /// Misses during a write of one of their tables, or before the tier was settled.
    written,
    /// Misses for which the tier could not be asked in time.
    unasked,
    /// Replies that were given to the tier.
    kept,
    /// Writes that were announced.
    announced,
    /// Those of them that waited for other nodes.
    awaited,
    /// Those that waited for the end of a silent node's lease.
    outlasted,
    /// Microseconds that writes waited in all.
    waited_micros,
    /// Writes that were refused, since the tier could not be told.
    refused,
    /// Writes that were sent although it could not be told.
    untold,
    /// Writes of other nodes that were heard of.
    heard,
    /// Times that memory was emptied, for it was not known what had been missed.
    emptied,
}

/// Adds to a count.
pub(crate) fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}
