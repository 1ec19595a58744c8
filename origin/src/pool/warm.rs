//! Keeping `min_idle` connections open, also when all are lost while nobody uses them.
//!
//! bb8 opens them in parallel, at the start and whenever it hears of a loss. What it lacks is somebody who asks: a
//! tunnel that dies takes all idle connections with it, and bb8 would hear of it from the next client, who then
//! waits. So once in a while the connection that would be lent next is looked at. Those behind it may be dead
//! unnoticed, which costs a client nothing: they are passed over while one is alive.
//!
//! For the moment of a look bb8 counts one less as idle and makes up for it, so there is one more than `min_idle`.

use std::{sync::Weak, time::Duration};

use tokio::time::Instant;

use super::{
    checkout::{CheckoutError, Pool},
    origin::Origin,
};

/// How often the next connection is looked at. It is a look at its socket, without a round trip.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The longest pause after failures. Each doubles the pause before.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Keeps the pool of `owner` warm for as long as the owner lives.
///
/// # Cancel safety
///
/// Dropped before it ends, attempts that are under way go on, and nothing else is opened.
pub async fn keep_warm<O: Origin, D>(owner: Weak<D>, pool: impl Fn(&D) -> &Pool<O>) {
    let mut pause = LOOK_INTERVAL;
    loop {
        let Some(kept) = owner.upgrade() else { return };
        pause = match pool(&kept).tend().await {
            Ok(()) => LOOK_INTERVAL,
            Err(_noted_by_the_origin) => (pause * 2).min(LONGEST_PAUSE),
        };
        drop(kept);
        tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..=1.0))).await;
    }
}

impl<O: Origin> Pool<O> {
    /// One look: passes over dead connections, which bb8 then replaces, and waits for one where there is none.
    async fn tend(&self) -> Result<(), CheckoutError<O::Error>> {
        let state = self.inner.state();
        if state.connections > 0 && state.idle_connections == 0 {
            // All are in use. Whoever takes the last one has bb8 open more.
            return Ok(());
        }
        if state.idle_connections == 0 && self.attempts.are_under_way() {
            // bb8 opens one for each who waits: a client that comes while the first are being opened is to have one of these,
            // and not to have another opened.
            return Ok(());
        }
        // It takes no place in line: clients do not wait behind it, and it goes back at once.
        self.connection(Instant::now() + self.checkout_timeout).await.map(drop)
    }
}
