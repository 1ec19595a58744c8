//! How often an address may be refused by Access before it is not heard any more.
//!
//! It only keeps guessing and noise small; secrets are too long to be guessed. So a full table
//! counts no further addresses instead of shutting everybody out.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// Counts refusals by address, in windows of a minute.
#[derive(Debug)]
pub(super) struct Throttle {
    /// Zero throttles nobody.
    max_refusals: u32,
    window: Mutex<Window>,
    throttled: AtomicU64,
}

#[derive(Debug)]
struct Window {
    started: Instant,
    addresses: HashMap<IpAddr, Count>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    refusals: u32,
    is_throttled: bool,
}

/// The address is not heard for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Throttled {
    /// When to come back, in seconds.
    pub(super) retry_after: u64,
    /// Nobody has been told in this window yet.
    pub(super) is_news: bool,
}

impl Throttle {
    pub(super) fn new(max_refusals: u32) -> Self {
        let window = Window { started: Instant::now(), addresses: HashMap::new() };
        Self { max_refusals, window: Mutex::new(window), throttled: AtomicU64::new(0) }
    }

    /// Has this address been refused too often?
    pub(super) fn check(&self, address: IpAddr, now: Instant) -> Option<Throttled> {
        let mut window = self.window.lock();
        window.renew(now);
        let left = WINDOW.saturating_sub(now.saturating_duration_since(window.started));
        let count = window.addresses.get_mut(&network(address))?;
        if self.max_refusals == 0 || count.refusals < self.max_refusals {
            return None;
        }
        let is_news = !std::mem::replace(&mut count.is_throttled, true);
        self.throttled.fetch_add(1, Ordering::Relaxed);
        Some(Throttled { retry_after: left.as_secs() + 1, is_news })
    }

    /// Counts a refusal.
    pub(super) fn refused(&self, address: IpAddr, now: Instant) {
        let mut window = self.window.lock();
        window.renew(now);
        let network = network(address);
        let is_full = window.addresses.len() >= MAX_ADDRESSES;
        if !is_full || window.addresses.contains_key(&network) {
            let count = window.addresses.entry(network).or_default();
            count.refusals = count.refusals.saturating_add(1);
        }
    }

    /// How many requests have not been heard since the start.
    pub(super) fn throttled(&self) -> u64 {
        self.throttled.load(Ordering::Relaxed)
    }
}

impl Window {
    fn renew(&mut self, now: Instant) {
        if now.saturating_duration_since(self.started) >= WINDOW {
            *self = Self { started: now, addresses: HashMap::new() };
        }
    }
}

/// Who holds one IPv6 address usually holds its whole /64.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
    }
}

pub(super) const WINDOW: Duration = Duration::from_secs(60);
const MAX_ADDRESSES: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_is_not_heard_until_its_minute_is_over() {
        let (throttle, start) = (Throttle::new(3), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let address = ip("192.0.2.1");
        for _ in 0..3 {
            assert_eq!(throttle.check(address, at(10)), None);
            throttle.refused(address, at(10));
        }
        let throttled = throttle.check(address, at(20)).expect("too often");
        assert!(throttled.is_news && (39..=41).contains(&throttled.retry_after), "{throttled:?}");
        assert!(!throttle.check(address, at(21)).expect("still").is_news);
        assert_eq!(throttle.check(ip("192.0.2.2"), at(21)), None);
        assert_eq!(throttle.check(address, at(61)), None);
        assert_eq!(throttle.throttled(), 2);
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let (throttle, now) = (Throttle::new(1), Instant::now());
        throttle.refused(ip("2001:db8:0:1::1"), now);
        throttle.refused(ip("::ffff:192.0.2.1"), now);
        for (address, is_throttled) in [
            ("2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:2::1", false),
            ("192.0.2.1", true),
            ("192.0.2.2", false),
        ] {
            assert_eq!(throttle.check(ip(address), now).is_some(), is_throttled, "{address}");
        }
    }

    #[test]
    fn the_table_is_bounded_and_zero_is_no_limit() {
        let (throttle, now) = (Throttle::new(1), Instant::now());
        let addresses = (0..70_000_u32).map(|at| IpAddr::from(at.to_be_bytes()));
        addresses.for_each(|address| throttle.refused(address, now));
        assert_eq!(throttle.window.lock().addresses.len(), MAX_ADDRESSES);
        let unlimited = Throttle::new(0);
        unlimited.refused(ip("192.0.2.1"), now);
        assert_eq!(unlimited.check(ip("192.0.2.1"), now), None);
    }
}
