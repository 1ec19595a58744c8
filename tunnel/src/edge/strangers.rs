//! Those who have connected and not yet shown who they are.
//!
//! They are few, and each of them for a short time. When there is no room, or an address has its share of it, the oldest
//! has to go, and first of all the oldest that has not said anything: so nobody can keep others out by sitting there.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::throttle::{WINDOW, network};

/// The strangers of one listener.
#[derive(Debug)]
pub(super) struct Strangers {
    /// How many there are at most.
    room: usize,
    /// How many of them may have one address.
    share: usize,
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    next: u64,
    /// Who is there, in the order of their coming.
    known: HashMap<u64, Known>,
    all: Queue,
    by_address: HashMap<IpAddr, Queue>,
    /// Addresses of which the log has heard, and since when.
    told: (Instant, HashSet<IpAddr>),
    put_out: u64,
}

#[derive(Debug)]
struct Known {
    address: IpAddr,
    out: CancellationToken,
}

/// Strangers by their numbers, which rise.
#[derive(Debug, Default)]
struct Queue {
    silent: BTreeSet<u64>,
    spoken: BTreeSet<u64>,
}

impl Queue {
    fn len(&self) -> usize {
        self.silent.len() + self.spoken.len()
    }

    /// Who has to go first.
    fn first(&self) -> Option<u64> {
        self.silent.first().or_else(|| self.spoken.first()).copied()
    }

    fn remove(&mut self, number: u64) {
        let _either = self.silent.remove(&number) || self.spoken.remove(&number);
    }

    fn speaks(&mut self, number: u64) {
        if self.silent.remove(&number) {
            self.spoken.insert(number);
        }
    }
}

impl Strangers {
    pub(super) fn new(room: usize, share: usize) -> Self {
        let table = Table {
            next: 0,
            known: HashMap::new(),
            all: Queue::default(),
            by_address: HashMap::new(),
            told: (Instant::now(), HashSet::new()),
            put_out: 0,
        };
        Self { room, share, table: Mutex::new(table) }
    }

    /// One more is there; who has to go for it is told.
    pub(super) fn admit(self: &Arc<Self>, peer: SocketAddr) -> Stranger {
        let address = network(peer.ip());
        let mut table = self.table.lock();
        let of_address = table.by_address.get(&address).filter(|queue| queue.len() >= self.share);
        let first = match of_address {
            Some(queue) => queue.first(),
            None if table.all.len() >= self.room => table.all.first(),
            None => None,
        };
        if let Some(known) = first.and_then(|first| table.remove(first)) {
            known.out.cancel();
            table.put_out += 1;
        }
        let (number, out) = (table.next, CancellationToken::new());
        table.next += 1;
        table.known.insert(number, Known { address, out: out.clone() });
        table.all.silent.insert(number);
        table.by_address.entry(address).or_default().silent.insert(number);
        Stranger { strangers: Arc::clone(self), number, peer, out }
    }

    /// How many are there.
    pub(super) fn len(&self) -> usize {
        self.table.lock().known.len()
    }

    /// How many had to go for others since the start.
    pub(super) fn put_out(&self) -> u64 {
        self.table.lock().put_out
    }
}

impl Table {
    fn remove(&mut self, number: u64) -> Option<Known> {
        let known = self.known.remove(&number)?;
        self.all.remove(number);
        if let Some(queue) = self.by_address.get_mut(&known.address) {
            queue.remove(number);
            if queue.len() == 0 {
                self.by_address.remove(&known.address);
            }
        }
        Some(known)
    }
}

/// The place of one who has not shown who it is.
#[derive(Debug)]
#[must_use = "dropping it gives the place back"]
pub(super) struct Stranger {
    strangers: Arc<Strangers>,
    number: u64,
    peer: SocketAddr,
    out: CancellationToken,
}

impl Stranger {
    /// Where it came from.
    pub(super) const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Cancelled when it has to go for others. Never after it was dropped.
    pub(super) fn out(&self) -> CancellationToken {
        self.out.clone()
    }

    /// Waits for its first byte, which a client of TLS says unasked.
    ///
    /// # Errors
    ///
    /// `TimedOut` when none came in time, `UnexpectedEof` when it has gone instead.
    ///
    /// # Cancel safety
    ///
    /// Nothing is taken from the socket.
    pub(super) async fn speaks(&self, socket: &TcpStream) -> io::Result<()> {
        match timeout(FIRST_BYTE_TIMEOUT, socket.peek(&mut [0])).await {
            Ok(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(Ok(_)) => {
                self.strangers.spoke(self.number);
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(_elapsed) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Has the log heard nothing of its address within this minute? Asking makes it so.
    pub(super) fn is_news(&self) -> bool {
        let (now, mut table) = (Instant::now(), self.strangers.table.lock());
        let (since, addresses) = &mut table.told;
        if now.saturating_duration_since(*since) >= WINDOW {
            (*since, *addresses) = (now, HashSet::new());
        }
        addresses.len() < MAX_TOLD && addresses.insert(network(self.peer.ip()))
    }
}

impl Strangers {
    fn spoke(&self, number: u64) {
        let mut table = self.table.lock();
        let Table { known, all, by_address, .. } = &mut *table;
        let Some(known) = known.get(&number) else { return };
        all.speaks(number);
        if let Some(queue) = by_address.get_mut(&known.address) {
            queue.speaks(number);
        }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _gone_already = self.strangers.table.lock().remove(self.number);
    }
}

/// More than the way there and back of any network.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(3);
const MAX_TOLD: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> SocketAddr {
        format!("{text}:4711").parse().expect("an address")
    }

    /// FAULTS row 23.
    #[tokio::test]
    async fn the_oldest_silent_one_has_to_go_and_an_address_has_only_its_share() {
        let strangers = Arc::new(Strangers::new(4, 2));
        let admit = |text: &str| strangers.admit(peer(text));
        let (honest, other) = (admit("192.0.2.1"), admit("192.0.2.2"));
        strangers.spoke(honest.number);
        let flood: Vec<_> = (0..100).map(|_| admit("192.0.2.3")).collect();
        let is_out = |stranger: &Stranger| stranger.out.is_cancelled();
        assert!(!is_out(&honest) && !is_out(&other), "another address has its own share");
        assert_eq!(flood.iter().filter(|one| is_out(one)).count(), 98, "the newest stay");
        // From everywhere: who was silent the longest goes, and who has spoken stays.
        let flood: Vec<_> = (0..100).map(|n| admit(&format!("198.51.100.{n}"))).collect();
        assert!(!is_out(&honest) && is_out(&other));
        assert_eq!(flood.iter().filter(|one| !is_out(one)).count(), 3);
        flood.iter().for_each(|one| strangers.spoke(one.number));
        let last = admit("203.0.113.1");
        assert!(is_out(&honest) && !is_out(&last), "even who spoke goes before one who may");
        assert_eq!((strangers.len(), strangers.put_out()), (4, 98 + 2 + 98 + 1));
        drop((honest, other, flood, last));
    }

    #[tokio::test]
    async fn nobody_is_left_in_the_table_who_has_gone() {
        let strangers = Arc::new(Strangers::new(10, 5));
        let all: Vec<_> = (0..20).map(|n| strangers.admit(peer(&format!("192.0.2.{n}")))).collect();
        strangers.spoke(all[19].number);
        drop(all);
        let table = strangers.table.lock();
        assert_eq!((table.known.len(), table.all.len(), table.by_address.len()), (0, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_log_hears_once_a_minute_of_an_address() {
        let strangers = Arc::new(Strangers::new(10, 5));
        let [one, two] = ["192.0.2.1", "2001:db8::1"];
        let news = |text: &str| {
            let peer = format!("[{text}]:1").parse().or_else(|_| format!("{text}:1").parse());
            strangers.admit(peer.expect("an address")).is_news()
        };
        assert!(news(one) && news(two));
        assert!(!news(one) && !news("2001:db8::2"), "the same network");
        tokio::time::sleep(WINDOW).await;
        assert!(news(one));
    }
}
