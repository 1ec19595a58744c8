//! What a login comes to besides a connection.

use std::fmt;

use bytes::Bytes;

use super::parameters::Parameters;

/// Where a CancelRequest must go to reach a backend.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CancelTarget {
    /// Which of the origin's hosts it is on.
    pub host: usize,
    /// The backend's process id.
    pub process: u32,
    /// Its secret.
    pub secret: Vec<u8>,
}

impl fmt::Debug for CancelTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelTarget").field("process", &self.process).finish_non_exhaustive()
    }
}

/// What a session begins with: the reported settings, and what is stored for the role and the database, of which not all
/// is reported.
pub(crate) type Beginning = (Parameters, Option<Bytes>);
