//! What follows when an origin refuses us: nobody tries again at once.
//!
//! A refused token or password is refused the next time too, and edges and databases lock out who insists. So for a
//! while after a refusal its error is the answer to every attempt. Failures of the network are not kept here.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The pause after a first refusal. Each that follows doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause: who corrects a password does not wait long.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The last refusal, while it counts.
#[derive(Debug)]
pub(super) struct Refusals<E> {
    last: Mutex<Option<Refusal<E>>>,
}

#[derive(Debug)]
struct Refusal<E> {
    error: E,
    pause: Duration,
    until: Instant,
    /// An attempt was permitted since, and has not ended.
    is_tried_again: bool,
}

impl<E> Default for Refusals<E> {
    fn default() -> Self {
        Self { last: Mutex::new(None) }
    }
}

impl<E: Clone> Refusals<E> {
    /// May an attempt be made now? After a pause one may, and the others wait for what becomes of it.
    ///
    /// # Errors
    ///
    /// The refusal that still counts.
    pub(super) fn permit(&self) -> Result<(), E> {
        let mut last = self.last.lock();
        let Some(refusal) = &mut *last else { return Ok(()) };
        let now = Instant::now();
        if now < refusal.until {
            return Err(refusal.error.clone());
        }
        refusal.until = now + refusal.pause;
        refusal.is_tried_again = true;
        Ok(())
    }

    /// An attempt was refused. Those that were made together count as one.
    pub(super) fn refused(&self, error: &E) {
        let mut last = self.last.lock();
        let pause = match &*last {
            None => FIRST_PAUSE,
            Some(before) if before.is_tried_again => (before.pause * 2).min(LONGEST_PAUSE),
            Some(before) => before.pause,
        };
        let until = Instant::now() + pause;
        *last = Some(Refusal { error: error.clone(), pause, until, is_tried_again: false });
    }

    /// An attempt ended otherwise.
    pub(super) fn forget(&self) {
        *self.last.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_double_up_to_the_longest_and_permit_one_attempt_each() {
        let refusals = Refusals::default();
        // Made together.
        refusals.refused(&"no");
        refusals.refused(&"no");
        for pause in [1, 2, 4, 8, 10, 10] {
            assert_eq!(refusals.permit(), Err("no"));
            tokio::time::advance(Duration::from_secs(pause) - Duration::from_millis(1)).await;
            assert_eq!(refusals.permit(), Err("no"), "{pause}");
            tokio::time::advance(Duration::from_millis(1)).await;
            assert_eq!((refusals.permit(), refusals.permit()), (Ok(()), Err("no")), "{pause}");
            refusals.refused(&"no");
        }
        refusals.forget();
        assert_eq!((refusals.permit(), refusals.permit()), (Ok(()), Ok(())));
    }
}
