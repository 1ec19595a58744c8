//! The end of the process in two steps: drain, then end.
//!
//! The first SIGTERM or SIGINT stops what is new and lets what runs finish, until a deadline. The
//! second ends at once.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The two steps, to be waited for anywhere.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    drain: Order,
    end: Order,
}

/// An order that is given once, to all who hold a clone.
#[derive(Clone, Debug, Default)]
pub struct Order {
    token: CancellationToken,
    /// Beside the token, which takes a lock to say so.
    is_given: Arc<AtomicBool>,
}

impl Order {
    /// Gives it.
    pub fn give(&self) {
        self.is_given.store(true, Ordering::Release);
        self.token.cancel();
    }

    /// Whether it was given.
    pub fn is_given(&self) -> bool {
        self.is_given.load(Ordering::Acquire)
    }

    /// Waits until it is given.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn given(&self) {
        self.token.cancelled().await;
    }
}

impl Shutdown {
    /// Nothing has been asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Given when nothing new may begin.
    pub const fn drain(&self) -> &Order {
        &self.drain
    }

    /// Given when what still runs must stop.
    pub const fn end(&self) -> &Order {
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
        self.drain.give();
        tokio::select! {
            () = signals.recv() => tracing::warn!("second signal, ending at once"),
            () = tokio::time::sleep(deadline) => tracing::warn!("drain deadline passed, ending"),
        }
        self.end.give();
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
