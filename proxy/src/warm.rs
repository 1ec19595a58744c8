//! Databases that are kept warm (`min_idle`): which are not yet, and how long that keeps a proxy from being ready.
//!
//! Clients are served from the first moment on: one that comes while a connection is being opened waits for that one. An
//! origin that cannot be reached keeps nobody else waiting, and readiness does not come and go with it.

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use tracing::warn;

/// So long the databases that are kept warm may take until the proxy is ready without them.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How often it is looked whether they are warm.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// So many databases that are not warm are named.
const NAMED: usize = 20;

/// Who is not warm of the databases that are kept warm.
#[derive(Clone)]
pub struct Cold(Arc<Naming>);

type Naming = dyn Fn() -> Vec<String> + Send + Sync;

impl Cold {
    /// As `cold` names them.
    pub fn new(cold: impl Fn() -> Vec<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(cold))
    }

    /// Waits until nobody is, or all have had their time.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub(crate) async fn wait(self) {
        let all_are_warm = async {
            while !self.0().is_empty() {
                sleep(LOOK_INTERVAL).await;
            }
        };
        if timeout(LONGEST_WAIT, all_are_warm).await.is_err() {
            warn!("{}, and is not waited for any longer", self.line().trim_end());
        }
    }

    /// A line with their names, in order; nothing where there is none.
    pub(crate) fn line(&self) -> String {
        let mut names = self.0();
        if names.is_empty() {
            return String::new();
        }
        names.sort_unstable();
        let more = match names.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        names.truncate(NAMED);
        format!("not warm: {}{more}\n", names.join(", "))
    }
}

impl fmt::Debug for Cold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cold")
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nobody_is_waited_for_for_ever_and_only_some_are_named() {
        let began = Instant::now();
        Cold::new(Vec::new).wait().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        let many = Cold::new(|| (10..40).rev().map(|number| number.to_string()).collect());
        assert!(many.line().starts_with("not warm: 10, 11, "), "{}", many.line());
        assert!(many.line().ends_with(", 29 and 10 more\n"), "{}", many.line());
        many.wait().await;
        assert!(began.elapsed() >= LONGEST_WAIT);
    }
}
