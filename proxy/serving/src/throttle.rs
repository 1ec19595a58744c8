//! Wrong passwords slow down: how many one network may send for one user in a minute.
//!
//! Beyond that each login of that user from there waits for its turn, the right one too, for else whoever guesses
//! would just not wait for the answer. Other users of the network are not held up: behind one address may stand many
//! applications, of which one has a wrong password. It does not decide what is wrong.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher as _,
    net::IpAddr,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::arrivals::network;

/// Wrong passwords are counted for so long.
const WINDOW: Duration = Duration::from_secs(60);
/// From one turn to the next.
const PACE: Duration = Duration::from_millis(100);
/// Whoever would have to wait longer for its turn is refused unheard.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// The networks that are counted; a full table counts no further ones.
const NETWORKS_MAX: usize = 8192;
/// The users of a network that are counted each alone; the others share one count.
const USERS_MAX: usize = 64;

/// Counts wrong passwords.
#[derive(Debug)]
pub struct Throttle {
    hasher: RandomState,
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    networks: HashMap<IpAddr, Users>,
}

/// The users that one network asked for.
#[derive(Debug, Default)]
struct Users {
    known: HashMap<u64, Count>,
    others: Count,
}

#[derive(Debug, Default)]
struct Count {
    failures: u32,
    /// When the next turn is.
    next: Option<Instant>,
}

/// When a login may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// At once.
    Now,
    /// Not before.
    At(Instant),
    /// Too many are before it.
    Never,
}

impl Throttle {
    /// Nobody has failed yet.
    pub fn new() -> Self {
        let window = Window { began: Instant::now(), networks: HashMap::new() };
        Self { hasher: RandomState::new(), window: Mutex::new(window) }
    }

    /// When a login may go on, where `max` wrong passwords are free; zero holds nobody up.
    pub fn turn(&self, address: IpAddr, user: &str, max: u32, now: Instant) -> Turn {
        let user = self.hasher.hash_one(user);
        let mut window = self.window.lock();
        window.renew(now);
        let users = window.networks.get_mut(&network(address));
        let Some(count) = users.and_then(|users| users.count(user)) else { return Turn::Now };
        if max == 0 || count.failures < max {
            return Turn::Now;
        }
        let turn = count.next.map_or(now, |next| next.max(now));
        if turn.saturating_duration_since(now) > WAIT_MAX {
            return Turn::Never;
        }
        count.next = Some(turn + PACE);
        Turn::At(turn)
    }

    /// Counts a wrong password; says how many there were in this minute.
    pub fn failed(&self, address: IpAddr, user: &str, now: Instant) -> u32 {
        let user = self.hasher.hash_one(user);
        let mut window = self.window.lock();
        window.renew(now);
        let network = network(address);
        if window.networks.len() >= NETWORKS_MAX && !window.networks.contains_key(&network) {
            return 0;
        }
        let users = window.networks.entry(network).or_default();
        if users.known.len() < USERS_MAX {
            users.known.entry(user).or_default();
        }
        let Some(count) = users.count(user) else { return 0 };
        count.failures = count.failures.saturating_add(1);
        count.failures
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self::new()
    }
}

impl Users {
    /// The count of a user, if there is one.
    fn count(&mut self, user: u64) -> Option<&mut Count> {
        let is_full = self.known.len() >= USERS_MAX;
        match self.known.get_mut(&user) {
            None if is_full => Some(&mut self.others),
            known => known,
        }
    }
}

impl Window {
    fn renew(&mut self, now: Instant) {
        if now.saturating_duration_since(self.began) >= WINDOW {
            *self = Self { began: now, networks: HashMap::new() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "192.0.2.1";

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// FAULTS row 59.
    #[test]
    fn a_user_that_failed_too_often_waits_for_its_turn_and_others_do_not() {
        let (throttle, now) = (Throttle::new(), Instant::now());
        for count in 1..=3 {
            assert_eq!(throttle.turn(ip(HERE), "app", 3, now), Turn::Now);
            assert_eq!(throttle.failed(ip(HERE), "app", now), count);
        }
        let turns: Vec<_> = (0..60).map(|_| throttle.turn(ip(HERE), "app", 3, now)).collect();
        assert_eq!(turns[..2], [Turn::At(now), Turn::At(now + PACE)], "right or wrong, one by one");
        assert_eq!(turns.iter().filter(|turn| **turn != Turn::Never).count(), 51, "5 s of them");
        for (address, user) in [(HERE, "other"), ("192.0.2.2", "app")] {
            assert_eq!(throttle.turn(ip(address), user, 3, now), Turn::Now, "{address} {user}");
        }
        assert_eq!(throttle.turn(ip(HERE), "app", 0, now), Turn::Now, "zero holds nobody up");
        assert_eq!(throttle.turn(ip(HERE), "app", 3, now + WINDOW), Turn::Now, "a new minute");
    }

    /// FAULTS row 59: a list of names is no way around it.
    #[test]
    fn many_users_of_one_network_share_a_count() {
        let (throttle, now) = (Throttle::new(), Instant::now());
        for n in 0..1000 {
            throttle.failed(ip(HERE), &format!("guess{n}"), now);
        }
        assert_ne!(throttle.turn(ip(HERE), "app", 30, now), Turn::Now);
        assert_eq!(throttle.window.lock().networks[&ip(HERE)].known.len(), USERS_MAX);
    }

    #[test]
    fn the_table_is_bounded() {
        let (throttle, now) = (Throttle::new(), Instant::now());
        for n in 0..10_000_u32 {
            throttle.failed(IpAddr::from(n.to_be_bytes()), "app", now);
        }
        assert_eq!(throttle.window.lock().networks.len(), NETWORKS_MAX);
    }
}
