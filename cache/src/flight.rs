//! Single flight: one query per key is under way, and the others wait for it.
//!
//! The map is split into shards, each behind its own lock, and is touched only when the store has
//! nothing (or something stale) to offer. How long a follower waits is its own affair.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use tokio::{sync::watch, time::Instant};

use crate::invalidation::Stamps;
use crate::key::Key;
use crate::reply::Reply;

/// A place in line behind the session that is asking the origin.
#[derive(Debug)]
pub struct Flight(watch::Receiver<Option<Arc<Reply>>>);

impl Flight {
    /// Waits until the leader has the reply.
    ///
    /// `None` when the leader failed, or when one of the tables was written while it asked: the
    /// follower must ask for itself. The wait has no bound of its own.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line and costs nobody anything.
    pub async fn landed(mut self) -> Option<Arc<Reply>> {
        match self.0.wait_for(Option::is_some).await {
            Ok(reply) => reply.clone(),
            Err(_leader_gone) => None,
        }
    }
}

/// The right to publish, as the flights know it.
#[derive(Debug)]
pub(crate) struct Ticket {
    key: Key,
    id: u64,
    born: Instant,
    sender: watch::Sender<Option<Arc<Reply>>>,
}

impl Ticket {
    pub(crate) const fn key(&self) -> Key {
        self.key
    }

    /// When it was given, which is before its query is sent.
    pub(crate) const fn born(&self) -> Instant {
        self.born
    }

    /// Wakes the followers with the reply.
    pub(crate) fn land(&self, reply: Arc<Reply>) {
        self.sender.send_replace(Some(reply));
    }
}

/// One query under way.
#[derive(Debug)]
struct Leader {
    id: u64,
    born: Instant,
    stamps: Stamps,
    reply: watch::Receiver<Option<Arc<Reply>>>,
}

/// What boarding a flight came to.
#[derive(Debug)]
pub(crate) enum Boarded {
    /// Nobody asks for this key at these generations: the caller must.
    Lead(Ticket),
    Follow(Flight),
}

/// The queries under way, by key.
#[derive(Debug)]
pub(crate) struct Flights {
    shards: Box<[Mutex<HashMap<Key, Leader>>]>,
    next_id: AtomicU64,
}

/// One shard, locked: nobody else leads or lands a flight of its keys meanwhile.
#[derive(Debug)]
pub(crate) struct Gate<'a> {
    leaders: MutexGuard<'a, HashMap<Key, Leader>>,
    next_id: &'a AtomicU64,
}

impl Flights {
    pub(crate) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, next_id: AtomicU64::new(0) }
    }

    pub(crate) fn gate(&self, key: Key) -> Gate<'_> {
        let [first, ..] = *key.as_bytes();
        let shard = usize::from(first) % SHARDS;
        // The shards are as many as the remainder can be.
        let leaders = self.shards[shard].lock();
        Gate { leaders, next_id: &self.next_id }
    }

    /// Takes the flight off the map, unless a newer one has its place.
    pub(crate) fn forget(&self, ticket: &Ticket) {
        let mut gate = self.gate(ticket.key);
        if gate.leaders.get(&ticket.key).is_some_and(|leader| leader.id == ticket.id) {
            gate.leaders.remove(&ticket.key);
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.shards.iter().map(|shard| shard.lock().len() as u64).sum()
    }
}

impl Gate<'_> {
    /// Leads, or follows a leader whose stamps are the same.
    ///
    /// `stamps` must have been taken while this gate was held: then a leader's different stamps are
    /// older ones, its reply may lack a write that the caller has seen, and the caller takes its
    /// place on the map. Followers of the older leader keep waiting for it: they asked before that
    /// write ended. So it is with a leader who asked at a time that `may_follow` refuses.
    pub(crate) fn board(
        self,
        key: Key,
        stamps: &Stamps,
        may_follow: impl FnOnce(Instant) -> bool,
    ) -> Boarded {
        if let Some(leader) = self.leaders.get(&key)
            && leader.stamps == *stamps
            && may_follow(leader.born)
        {
            return Boarded::Follow(Flight(leader.reply.clone()));
        }
        Boarded::Lead(self.lead(key, stamps))
    }

    /// Leads, whoever leads now: his followers keep waiting for him.
    pub(crate) fn lead(mut self, key: Key, stamps: &Stamps) -> Ticket {
        let (sender, reply) = watch::channel(None);
        let (id, born) = (self.next_id.fetch_add(1, Ordering::Relaxed), Instant::now());
        let leader = Leader { id, born, stamps: stamps.clone(), reply };
        match self.leaders.entry(key) {
            Entry::Occupied(mut older) => drop(older.insert(leader)),
            Entry::Vacant(place) => drop(place.insert(leader)),
        }
        Ticket { key, id, born, sender }
    }
}

const SHARDS: usize = 64;
