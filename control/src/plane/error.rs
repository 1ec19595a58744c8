//! Why what is kept could not be read or changed.

use crate::{database::DatabaseError, seal::SealError};

/// Why what is kept could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum PlaneError {
    /// The database refused, or is away.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A record cannot be opened.
    #[error("what the store holds cannot be opened")]
    Sealed(#[from] SealError),
    /// A record is not what this version can read.
    #[error("the record {place} is not one that this version of Jumpgate can read")]
    Record {
        /// Its kind and id.
        place: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// Others were faster, again and again.
    #[error("others change the store all the time; try again")]
    Busy,
}

/// Why something was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError<R> {
    /// By a rule.
    #[error("refused")]
    Refused(R),
    /// It could not be kept.
    #[error(transparent)]
    Plane(#[from] PlaneError),
}
