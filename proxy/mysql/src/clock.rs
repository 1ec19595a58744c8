//! How long the client's command may take.

use std::time::Duration;

use serving::config::Limit;
use tokio::time::Instant;

/// How long a statement may go on after it was to be killed (one may have much to roll back, or the KILL cannot be
/// delivered); then its backend is given up.
const KILL_GRACE: Duration = Duration::from_secs(60);

/// The time of the command under way, or of the last one. It runs from before there is a backend.
#[derive(Debug)]
pub(crate) struct Clock {
    /// How long a statement of this client may run.
    statement_timeout: Limit,
    asked_at: Instant,
    /// What is under way takes as long as it takes.
    pub(crate) is_untimed: bool,
    /// It was killed because it ran too long. The KILL may be on its way when the backend is given back, and must not reach
    /// the next command.
    pub(crate) timed_out: bool,
}

impl Clock {
    /// That of a client whose statements may run for so long.
    pub(crate) fn new(statement_timeout: Limit) -> Self {
        Self { statement_timeout, asked_at: Instant::now(), is_untimed: false, timed_out: false }
    }

    /// The same for a command that is done beside those of the client.
    pub(crate) fn beside(&self) -> Self {
        Self::new(self.statement_timeout)
    }

    /// The client is another one.
    pub(crate) fn allow(&mut self, statement_timeout: Limit) {
        self.statement_timeout = statement_timeout;
    }

    /// A command begins.
    pub(crate) fn restart(&mut self) {
        self.asked_at = Instant::now();
        self.is_untimed = false;
    }

    /// When it began.
    pub(crate) const fn asked_at(&self) -> Instant {
        self.asked_at
    }

    /// How long ago it began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.asked_at.elapsed()
    }

    /// How long what is under way may run.
    pub(crate) fn limit(&self) -> Limit {
        self.statement_timeout.filter(|_| !self.is_untimed)
    }

    /// When it is killed; once it was, when its backend is given up.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let grace = if self.timed_out { KILL_GRACE } else { Duration::ZERO };
        self.limit().map(|limit| self.asked_at + limit + grace)
    }
}

/// Ends at this time, or never.
pub(crate) async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
