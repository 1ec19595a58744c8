//! A gauge that follows something held: its guard raises it, so that there is no decrement to forget.

use prometheus_client::metrics::gauge::Gauge;

/// A gauge that can only be raised by holding an [`Entered`].
#[derive(Clone, Debug, Default)]
pub struct InFlight(pub(super) Gauge);

impl InFlight {
    /// Counts one more until the guard is dropped.
    pub fn enter(&self) -> Entered {
        self.0.inc();
        Entered(self.0.clone())
    }

    /// How many guards are held.
    pub fn count(&self) -> i64 {
        self.0.get()
    }
}

/// Counts one for as long as it lives.
#[must_use = "dropping it ends what it counts"]
#[derive(Debug)]
pub struct Entered(Gauge);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_falls_when_its_guard_is_dropped() {
        let clients = InFlight::default();
        let first = clients.enter();
        let second = clients.enter();
        assert_eq!(clients.count(), 2);
        drop(first);
        assert_eq!(clients.count(), 1);
        drop(second);
        assert_eq!(clients.count(), 0);
    }
}
