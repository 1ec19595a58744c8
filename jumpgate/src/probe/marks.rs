//! When a login's TLS began and was complete.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;

/// When the database's TLS began and was complete, as far as a login has come. A clone shows the same.
#[derive(Clone, Debug, Default)]
pub struct TlsMarks(Arc<Mutex<Marks>>);

#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    started: Option<Instant>,
    finished: Option<Instant>,
}

impl TlsMarks {
    /// When a database agreed to TLS, where that is told from its first words (PostgreSQL).
    pub fn started(&self) -> Option<Instant> {
        self.0.lock().started
    }

    /// When the handshake was complete.
    pub fn finished(&self) -> Option<Instant> {
        self.0.lock().finished
    }

    pub(super) fn start(&self) {
        self.0.lock().started = Some(Instant::now());
    }

    pub(super) fn finish(&self) {
        self.0.lock().finished = Some(Instant::now());
    }
}
