//! Who has connected and not logged in yet: a limit of their own, so that strangers cost no client its place.
//!
//! Where there are too many, the oldest of the network that has the most makes room. So each network has a share
//! of its own without anybody having counted one out, and whoever goes on with its login in time is not shown the
//! door by those who say nothing. It knows neither engine.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// Longest a stranger may take to its first byte: drivers say it at once.
pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(5);

/// Everybody who has not logged in yet.
#[derive(Debug)]
pub struct Arrivals {
    max: usize,
    strangers: Mutex<Strangers>,
}

#[derive(Debug, Default)]
struct Strangers {
    next: u64,
    count: usize,
    /// By network, the oldest first; none is empty.
    networks: HashMap<IpAddr, VecDeque<(u64, CancellationToken)>>,
}

/// One of them, until it is dropped.
#[must_use = "dropping it gives its place to another"]
#[derive(Debug)]
pub struct Stranger {
    arrivals: Arc<Arrivals>,
    network: IpAddr,
    number: u64,
    must_go: CancellationToken,
}

impl Arrivals {
    /// Has room for `max` at once.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max: max.max(1), strangers: Mutex::default() })
    }

    /// Lets one in. If there are too many with it, another one has to go.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Stranger {
        let must_go = CancellationToken::new();
        let mut strangers = self.strangers.lock();
        if strangers.count >= self.max {
            strangers.push_one_out();
        }
        let number = strangers.next;
        strangers.next += 1;
        strangers.count += 1;
        let place = (number, must_go.clone());
        let network = network(address);
        strangers.networks.entry(network).or_default().push_back(place);
        Stranger { arrivals: Arc::clone(self), network, number, must_go }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.strangers.lock().count
    }
}

impl Strangers {
    fn push_one_out(&mut self) {
        // Looked for only while there are too many, among no more than there may be.
        let most = self.networks.iter().max_by_key(|(_, places)| places.len());
        let Some(network) = most.map(|(network, _)| *network) else { return };
        let oldest = self.networks.get(&network).and_then(|places| places.front()).cloned();
        if let Some((number, must_go)) = oldest {
            must_go.cancel();
            self.remove(network, number);
        }
    }

    fn remove(&mut self, network: IpAddr, number: u64) {
        let Some(places) = self.networks.get_mut(&network) else { return };
        if let Ok(at) = places.binary_search_by_key(&number, |(number, _)| *number) {
            places.remove(at);
            self.count -= 1;
        }
        if places.is_empty() {
            self.networks.remove(&network);
        }
    }
}

impl Stranger {
    /// Runs a login to its end; `None` where this one had to make room for another.
    ///
    /// # Cancel safety
    ///
    /// That of `login`.
    pub async fn unless_pushed_out<F: Future>(&self, login: F) -> Option<F::Output> {
        self.must_go.run_until_cancelled(login).await
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.arrivals.strangers.lock().remove(self.network, self.number);
    }
}

/// Who holds one IPv6 address usually holds its whole /64.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn has_to_go(stranger: &Stranger) -> bool {
        stranger.must_go.is_cancelled()
    }

    /// FAULTS row 58: those who say nothing make room, and each network has its share.
    #[test]
    fn the_oldest_of_the_network_with_the_most_makes_room() {
        let arrivals = Arrivals::new(4);
        let mut flood: Vec<_> = (0..4).map(|_| arrivals.admit(ip("192.0.2.1"))).collect();
        let other = arrivals.admit(ip("192.0.2.2"));
        assert_eq!(flood.iter().map(has_to_go).collect::<Vec<_>>(), [true, false, false, false]);
        flood.push(arrivals.admit(ip("192.0.2.1")));
        assert!(has_to_go(&flood[1]), "its own flood makes room for its newcomer");
        for n in 0..3 {
            flood.push(arrivals.admit(ip(&format!("2001:db8::{n}"))));
        }
        assert!(!has_to_go(&other), "one of its network is no flood");
        assert_eq!(arrivals.count(), 4);
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let arrivals = Arrivals::new(3);
        let first = arrivals.admit(ip("2001:db8::1"));
        let alone = arrivals.admit(ip("192.0.2.1"));
        let _second = arrivals.admit(ip("2001:db8::ffff:2"));
        let _third = arrivals.admit(ip("192.0.2.3"));
        assert!(has_to_go(&first) && !has_to_go(&alone));
    }

    #[test]
    fn whoever_leaves_or_was_pushed_out_is_counted_once() {
        let arrivals = Arrivals::new(2);
        let first = arrivals.admit(ip("192.0.2.1"));
        let second = arrivals.admit(ip("192.0.2.1"));
        let third = arrivals.admit(ip("192.0.2.1"));
        assert!(has_to_go(&first));
        drop(first);
        assert_eq!(arrivals.count(), 2);
        drop((second, third));
        assert_eq!(arrivals.count(), 0);
        assert!(arrivals.strangers.lock().networks.is_empty());
    }

    #[tokio::test]
    async fn a_login_ends_where_its_stranger_has_to_go() {
        let arrivals = Arrivals::new(1);
        let first = arrivals.admit(ip("192.0.2.1"));
        assert_eq!(first.unless_pushed_out(async { 1 }).await, Some(1));
        let waiting = first.unless_pushed_out(std::future::pending::<()>());
        let (waited, second) = tokio::join!(waiting, async { arrivals.admit(ip("192.0.2.2")) });
        assert_eq!(waited, None);
        assert!(!has_to_go(&second));
    }
}
