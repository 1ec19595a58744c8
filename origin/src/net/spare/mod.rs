//! One stream through the tunnel, open ahead of need.
//!
//! A cancel request needs a connection of its own. Through the tunnel that costs TCP, TLS and the upgrade, while the
//! statement that it should end runs on. So while statements run, one stream is kept up to the point where the
//! database waits for our first byte. Nothing is sent on it; the database's TLS and the request come when it is taken.
//! Directly reached databases have none: there, only the TCP connection would be saved.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use super::Stream;
use crate::config::Dial;

/// How often it is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// An older one is replaced: PostgreSQL ends a connection that says nothing for `authentication_timeout`, a minute
/// unless it is set.
const MAX_AGE: Duration = Duration::from_secs(30);
/// The longest pause after failures. Each doubles the pause before.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The spare stream of one database: at most one, and none while nothing runs there.
#[derive(Debug)]
pub struct Spare {
    tunnel: Option<Arc<tunnel::client::Client>>,
    kept: Mutex<Option<Kept>>,
    taken: Notify,
}

#[derive(Debug)]
struct Kept {
    stream: tunnel::client::Stream,
    opened_at: Instant,
}

impl Kept {
    fn is_fresh(&self) -> bool {
        self.opened_at.elapsed() < MAX_AGE && !self.stream.has_ended()
    }
}

impl Spare {
    /// None yet. There will only be one where the way leads through a tunnel, and while [`Self::keep`] runs.
    pub fn new(dial: &Dial) -> Self {
        let tunnel = match dial {
            Dial::Tunnel(client) => Some(Arc::clone(client)),
            Dial::Tcp { .. } => None,
            Dial::Peer(_) => None,
        };
        Self { tunnel, kept: Mutex::default(), taken: Notify::new() }
    }

    /// Takes the stream, if there is one and its peer has not ended it. Another is opened for the next.
    pub fn take(&self) -> Option<Stream> {
        let kept = self.kept.lock().take()?;
        self.taken.notify_one();
        (!kept.stream.has_ended()).then_some(Stream::Tunnel(kept.stream))
    }

    /// Keeps a stream while one is wanted, until nobody is there any more to want one (`None`).
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the stream that was kept is no longer replaced.
    pub async fn keep(&self, is_wanted: impl Fn() -> Option<bool>) {
        let Some(tunnel) = &self.tunnel else { return };
        let mut pause = LOOK_INTERVAL;
        while let Some(is_wanted) = is_wanted() {
            if self.lacks_fresh() {
                if is_wanted {
                    pause = self.open(tunnel, pause).await;
                } else {
                    // It is not closed the moment that nothing runs: that would be a dial for each statement.
                    self.kept.lock().take();
                }
            }
            if pause > LOOK_INTERVAL {
                tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..=1.0))).await;
            } else {
                let _taken_or_time_to_look =
                    tokio::time::timeout(pause, self.taken.notified()).await;
            }
        }
    }

    fn lacks_fresh(&self) -> bool {
        !self.kept.lock().as_ref().is_some_and(Kept::is_fresh)
    }

    /// Opens one in place of the last, and says how long to wait before the next look.
    async fn open(&self, tunnel: &tunnel::client::Client, pause: Duration) -> Duration {
        match tunnel.dial().await {
            Ok(stream) => {
                let opened = Kept { stream, opened_at: Instant::now() };
                // The last one is closed outside the lock.
                let last = self.kept.lock().replace(opened);
                drop(last);
                LOOK_INTERVAL
            }
            Err(error) => {
                // The pool's own attempts are what an operator hears of.
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "no spare stream for cancel requests");
                (pause * 2).min(LONGEST_PAUSE)
            }
        }
    }
}

#[cfg(test)]
mod tests;
