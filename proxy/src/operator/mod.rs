//! The tools of an edge's operator: `jumpgate edge init`, `jumpgate tunnel`, `jumpgate access`.
//!
//! They change the edge's folder, on the edge's own machine; the running edge notices by itself. Secrets are
//! printed once, on standard output, and kept as hashes only.

mod access;
pub mod args;
mod edge;
mod keeper;
mod running;
mod tunnels;

use std::time::{SystemTime, UNIX_EPOCH};

use ::tunnel::{
    access::AssertionError,
    certs::CertsError,
    changes::ChangeError,
    state::UnixSeconds,
    store::{Store, StoreError},
};

use serde::Serialize;

use self::args::{AccessAction, TunnelAction};
pub use self::{edge::init, keeper::Keeper};

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
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A list could not be written as JSON.
    #[error("cannot write JSON")]
    Json(#[source] serde_json::Error),
    /// The file of settings is for another edge.
    #[error("{0}")]
    Settings(String),
}

/// Runs `jumpgate tunnel …` and returns what to print.
///
/// # Errors
///
/// [`OperatorError`] says what to do.
pub fn tunnel(store: &Store, action: &TunnelAction) -> Result<String, OperatorError> {
    tunnels::run(store, action)
}

/// Runs `jumpgate access …` and returns what to print.
///
/// # Errors
///
/// [`OperatorError`] says what to do.
pub fn access(store: &Store, action: &AccessAction) -> Result<String, OperatorError> {
    access::run(store, action)
}

fn now() -> UnixSeconds {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A list as other programs read it.
fn json<T: Serialize>(list: &[T]) -> Result<String, OperatorError> {
    serde_json::to_string_pretty(list).map_err(OperatorError::Json)
}

/// Columns as wide as their widest cell; the first row is their heads.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<_> = cells.map(|(cell, &width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A moment as people write it, in UTC.
fn moment(seconds: UnixSeconds) -> String {
    let known =
        i64::try_from(seconds).ok().and_then(|s| time::OffsetDateTime::from_unix_timestamp(s).ok());
    known.map_or_else(
        || String::from("?"),
        |at| {
            let (date, hour, minute) = (at.date(), at.hour(), at.minute());
            format!("{date} {hour:02}:{minute:02}")
        },
    )
}

impl From<ChangeError> for OperatorError {
    fn from(error: ChangeError) -> Self {
        Self::Store(StoreError::Refused(error))
    }
}

#[cfg(test)]
mod tests;
