//! What the pool needs to know of an origin.

use std::{future::Future, time::Duration};

use tokio::time::Instant;

/// A database as the pool sees it: how to connect, and the state of a connection on loan.
pub trait Origin: Send + Sync + 'static {
    /// One connection.
    type Connection: Send + 'static;
    /// Why none could be opened. Kept, and told to each who waited for it.
    type Error: std::error::Error + Clone + Send + Sync + 'static;

    /// Opens a connection, login included.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send;

    /// Whether the origin, or who guards it, knows us and said no: another attempt would end the same.
    fn is_refusal(error: &Self::Error) -> bool;

    /// Looks, without a round trip, whether a connection is still good that nobody used for `rested`.
    ///
    /// # Errors
    ///
    /// Why it is not; it will be closed.
    fn check(
        &self,
        connection: &mut Self::Connection,
        now: Instant,
        rested: Duration,
    ) -> Result<(), Self::Error>;

    /// Nobody will use a connection until it is [checked](Self::check) again. `false` where it is to be closed instead,
    /// because the way to the origin is about to end.
    fn rest(connection: &Self::Connection) -> bool;
}

/// A connection that came back this recently is lent without asking the operating system whether it is open still.
/// The runtime hears of a close by itself, at its next turn; so in a busy pool the question finds nothing, and is one
/// system call in six.
pub const TRUSTED: Duration = Duration::from_millis(50);
