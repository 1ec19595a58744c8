//! Who guesses tokens waits.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use axum::http::StatusCode;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::envelope::{ApiError, THROTTLED};

/// Who guesses tokens waits. A token has 256 bits: this spares the machine and the log, and nothing else.
#[derive(Debug, Default)]
pub(super) struct Guesses(Mutex<HashMap<IpAddr, (Instant, u32)>>);

const GUESSES: u32 = 20;
const GUESSES_WINDOW: Duration = Duration::from_secs(60);
const GUESSERS_MAX: usize = 10_000;

impl Guesses {
    pub(super) fn check(&self, address: IpAddr) -> Result<(), ApiError> {
        let known = self.0.lock();
        let Some((since, count)) = known.get(&network(address)) else { return Ok(()) };
        let left = GUESSES_WINDOW.saturating_sub(since.elapsed());
        if *count < GUESSES || left.is_zero() {
            return Ok(());
        }
        let message = "too many wrong tokens came from this address; wait a minute";
        let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, THROTTLED, message);
        error.retry_after = Some(left.as_secs().max(1));
        Err(error)
    }

    pub(super) fn failed(&self, address: IpAddr) {
        let mut known = self.0.lock();
        if known.len() >= GUESSERS_MAX {
            known.retain(|_, (since, _)| since.elapsed() < GUESSES_WINDOW);
        }
        if known.len() >= GUESSERS_MAX {
            return;
        }
        let (since, count) = known.entry(network(address)).or_insert((Instant::now(), 0));
        if since.elapsed() >= GUESSES_WINDOW {
            (*since, *count) = (Instant::now(), 0);
        }
        *count += 1;
    }
}

/// What one stranger has many of counts as one.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            [a, b, c, d, 0, 0, 0, 0].into()
        }
    }
}
