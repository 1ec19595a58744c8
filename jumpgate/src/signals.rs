//! The process's signals. The first SIGTERM or SIGINT drains, a second one ends at once.

use std::{io, time::Duration};

use serving::shutdown::Shutdown;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

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

    /// Has a role that needs no deadline of ours drain with the first signal; returns with the second.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, signals are no longer followed.
    pub async fn drain_then_end(&mut self, drain: &CancellationToken) {
        self.recv_first().await;
        drain.cancel();
        self.recv().await;
    }

    async fn recv_first(&mut self) {
        self.recv().await;
        tracing::info!("draining; a second signal ends at once");
    }

    /// Has a proxy drain and end as the signals say; returns when the end has been asked for.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, signals are no longer followed.
    pub async fn lead(mut self, shutdown: &Shutdown, deadline: Duration) {
        self.recv_first().await;
        shutdown.drain().give();
        tokio::select! {
            () = self.recv() => tracing::warn!("second signal, ending at once"),
            () = tokio::time::sleep(deadline) => tracing::warn!("drain deadline passed, ending"),
        }
        shutdown.end().give();
    }
}
