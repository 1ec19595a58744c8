//! Why nothing was managed.

use std::{io, path::PathBuf};

use origin::net::tls::TlsError;
use serde_json::Value;

use crate::tunnel_token::FileError;

/// Why nothing was managed, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ManageError {
    /// Nobody said which control plane.
    #[error(
        "say which control plane: `jumpgate login URL` once, --api-url and --api-token, or on the control node's own machine \
         --config FILE with its file"
    )]
    Nowhere,
    /// Neither a control plane nor an edge's folder is there.
    #[error(
        "nobody says where: through a control plane, `jumpgate login URL` once, --api-url and --api-token, or --config FILE \
         with a control node's own file; of an edge without one, --config FILE with the edge's file (`jumpgate edge init` \
         makes it)"
    )]
    NowhereForEdge,
    /// A URL is none.
    #[error("{0:?} is not a control node's URL, such as https://control.example.com")]
    Url(String),
    /// It cannot be reached.
    #[error("no control node can be reached at {url}")]
    Unreachable {
        /// Where.
        url: String,
        /// What the operating system or TLS said.
        #[source]
        source: io::Error,
    },
    /// It takes too long.
    #[error("the control node did not answer within a minute")]
    Late,
    /// What answers is something else.
    #[error("what answers there with status {status} is not Jumpgate's API; is the URL right?")]
    NoApi {
        /// Of HTTP.
        status: u16,
    },
    /// It says no.
    #[error("{message}")]
    Refused {
        /// In its own words.
        message: String,
        /// Of the API.
        code: u64,
    },
    /// The store cannot be opened.
    #[error("the store cannot be opened: {0:#}")]
    Store(anyhow::Error),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The CA's certificate is none.
    #[error(transparent)]
    Tls(TlsError),
    /// A name or token cannot be part of a request.
    #[error("that cannot be sent")]
    Request(#[source] axum::http::Error),
    /// What was given makes no sense.
    #[error("{0}")]
    Given(String),
}

impl From<FileError> for ManageError {
    fn from(FileError { path, source }: FileError) -> Self {
        Self::File { path, source }
    }
}

impl ManageError {
    /// What the API said no to, with each step where it told several.
    pub(super) fn refused(answer: &Value, status: u16) -> Self {
        let first = &answer["errors"][0];
        let text = first["message"].as_str();
        let Some(text) = text else { return Self::NoApi { status } };
        let chain = first["error_chain"].as_array().into_iter().flatten();
        let chain = chain.filter_map(|step| step["message"].as_str());
        let steps: String = chain.map(|step| format!("\n  {step}")).collect();
        let code = first["code"].as_u64().unwrap_or_default();
        Self::Refused { message: format!("{text} [code: {code}]{steps}"), code }
    }
}
