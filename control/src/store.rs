//! Where configs are kept, whatever it is: a file that people write, a database that an API writes.

use std::{error::Error, sync::Arc};

use crate::model::Config;

/// How often what a store holds has changed. A store that was put back to an earlier state has a smaller one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// All that a store held at one time.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When that was.
    pub revision: Revision,
    /// Each keeps the rules; no two have a name or an id.
    pub configs: Vec<Arc<Config>>,
}

/// Keeps configs.
pub trait Store: Send + Sync {
    /// All that it holds.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; what was read before still holds.
    fn snapshot(&self) -> impl Future<Output = Result<Snapshot, StoreError>> + Send;

    /// Waits until it may hold something else than at `seen`, and says since when.
    ///
    /// # Errors
    ///
    /// Where it cannot be watched any more.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped: the next call finds the change.
    fn changed(&self, seen: Revision) -> impl Future<Output = Result<Revision, StoreError>> + Send;
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It holds what breaks a rule; each mistake with its place, a line each.
    #[error(transparent)]
    Refused(Box<dyn Error + Send + Sync>),
    /// It cannot be reached or read.
    #[error("the configs cannot be read")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}
