//! What follows when no connection could be opened: nobody tries again at once.
//!
//! A refused token or password is refused the next time too, and edges and databases lock out who insists. An origin that
//! is away is not brought back by a thousand dials a second. So for a while after a failure its error is the answer to every
//! attempt: long for a refusal, short for a failure of the network.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The pauses after a refusal: the first, which each that follows doubles, and the longest. Who corrects a password does
/// not wait long.
const REFUSED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// The same after any other failure.
const FAILED: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The last failure, while it counts.
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
    /// The failure that still counts.
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

    /// An attempt failed, perhaps because we were refused. Those that were made together count as one.
    pub(super) fn refused(&self, error: &E, is_refusal: bool) {
        let mut last = self.last.lock();
        let (first, longest) = if is_refusal { REFUSED } else { FAILED };
        let pause = match &*last {
            None => first,
            Some(before) if before.is_tried_again => before.pause * 2,
            Some(before) => before.pause,
        };
        let pause = pause.clamp(first, longest);
        // Processes that lost their origin together do not come back together.
        let jitter = if is_refusal { 1.0 } else { rand::random_range(0.5..=1.0) };
        let until = Instant::now() + pause.mul_f64(jitter);
        *last = Some(Refusal { error: error.clone(), pause, until, is_tried_again: false });
    }

    /// An attempt succeeded.
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
        refusals.refused(&"no", true);
        refusals.refused(&"no", true);
        for pause in [1, 2, 4, 8, 10, 10] {
            assert_eq!(refusals.permit(), Err("no"));
            tokio::time::advance(Duration::from_secs(pause) - Duration::from_millis(1)).await;
            assert_eq!(refusals.permit(), Err("no"), "{pause}");
            tokio::time::advance(Duration::from_millis(1)).await;
            assert_eq!((refusals.permit(), refusals.permit()), (Ok(()), Err("no")), "{pause}");
            refusals.refused(&"no", true);
        }
        refusals.forget();
        assert_eq!((refusals.permit(), refusals.permit()), (Ok(()), Ok(())));
    }

    /// FAULTS row 57: whatever the reason, an origin that is away is asked rarely.
    #[tokio::test(start_paused = true)]
    async fn after_a_failure_of_the_network_the_pauses_are_short_and_not_all_alike() {
        let refusals = Refusals::default();
        let began = Instant::now();
        let mut attempts = 0;
        while began.elapsed() < Duration::from_secs(60) {
            if refusals.permit().is_ok() {
                attempts += 1;
                refusals.refused(&"no", false);
            }
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert!((30..70).contains(&attempts), "{attempts}");
        // What is a refusal all at once counts as one.
        refusals.refused(&"no", true);
        tokio::time::advance(Duration::from_millis(999)).await;
        assert!(refusals.permit().is_err());
    }
}
