//! The end of the process in two steps: drain, then end.
//!
//! The first SIGTERM or SIGINT stops what is new and lets what runs finish, until a deadline. The
//! second ends at once.

use std::{io, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The two steps, to be waited for anywhere.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    end: CancellationToken,
}

impl Shutdown {
    /// Nothing has been asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when nothing new may begin.
    pub const fn drain(&self) -> &CancellationToken {
        &self.drain
    }

    /// Cancelled when what still runs must stop.
    pub const fn end(&self) -> &CancellationToken {
        &self.end
    }

    /// Follows the process's signals; returns when the end has been asked for.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, signals are no longer followed.
    pub async fn follow(&self, mut signals: Signals, deadline: Duration) {
        signals.recv().await;
        tracing::info!("draining; a second signal ends at once");
        self.drain.cancel();
        tokio::select! {
            () = signals.recv() => tracing::warn!("second signal, ending at once"),
            () = tokio::time::sleep(deadline) => tracing::warn!("drain deadline passed, ending"),
        }
        self.end.cancel();
    }
}

/// SIGTERM and SIGINT.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the two signals over from their default, which is to die.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for either.
    pub async fn recv(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
