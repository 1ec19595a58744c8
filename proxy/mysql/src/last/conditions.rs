//! The diagnostics area: what SHOW WARNINGS shows.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use protocol::mysql::reply;

/// The diagnostics area, as far as we know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Conditions {
    /// There are none.
    #[default]
    None,
    /// These, the rows of SHOW WARNINGS, and how many there were: the list may be shorter (`max_error_count`). No backend has
    /// them any more.
    Rows(Vec<Condition>, usize),
    /// The backend that the session holds knows.
    AtBackend,
}

/// What raises conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RaisedBy {
    /// The server itself: all of its own are alike.
    #[default]
    Server,
    /// A SIGNAL, of the text or of stored code, which may say anything of them.
    Signal,
}

/// One row of SHOW WARNINGS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    /// Whether it is an error.
    pub(crate) is_error: bool,
    /// The row as a packet's payload: level, code, message.
    pub(crate) row: Bytes,
    /// What else there is of one that a SIGNAL raised, in the order of [`ITEMS`](super::super::diagnosis::ITEMS).
    pub(crate) items: Option<Arc<[Bytes]>>,
}

impl Condition {
    /// An error.
    pub(super) fn error(code: u16, message: &str) -> Self {
        let code = code.to_string();
        let mut row = BytesMut::new();
        let cells = [Some(&b"Error"[..]), Some(code.as_bytes()), Some(message.as_bytes())];
        reply::encode_text_row(cells, &mut row);
        Self { is_error: true, row: row.freeze(), items: None }
    }
}
