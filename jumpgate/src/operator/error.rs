//! Why a tool of the operator did not do what it was told.

use crate::tunnel_token::FileError;
use tunnel::{access::AssertionError, certs::CertsError, changes::ChangeError, store::StoreError};

/// Why a tool did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The edge's folder, or a change that is not possible.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No certificates.
    #[error(transparent)]
    Certificates(#[from] CertsError),
    /// The keys that assertions are signed with.
    #[error(transparent)]
    SigningKeys(#[from] AssertionError),
    /// A file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The process is ending.
    #[error("stopped on the way")]
    Stopped,
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] FileError),
    /// A list could not be written as JSON.
    #[error("cannot write JSON")]
    Json(#[source] serde_json::Error),
    /// The file of settings is for another edge.
    #[error("{0}")]
    Settings(String),
}

impl From<ChangeError> for OperatorError {
    fn from(error: ChangeError) -> Self {
        Self::Store(StoreError::Refused(error))
    }
}
