//! The store: replies under keys, bounded in bytes, checked against writes and age at every lookup.
//!
//! ```text
//!            entry of the present generations?
//!   lookup ──┬─ fresh ──────────────────────────► Hit
//!            ├─ stale, nobody refreshes it ─────► Stale(reply, Some(fill))
//!            ├─ stale, somebody does ───────────► Stale(reply, None)
//!            └─ none ─┬─ a table is written now ► Written
//!                     ├─ a leader, same stamps ─► Follow(flight)
//!                     └─ else ──────────────────► Lead(fill)
//! ```
//!
//! Who wants nothing that was there before asks for [`Cache::renew`] instead.
//!
//! Where other nodes share what is kept ([`shared`]), nothing is found without a lease, and who leads asks them first.
//!
//! A hit takes no lock of ours. What may be stored at all is not decided here: see [`crate::sql`].

use std::collections::HashSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use moka::notification::RemovalCause;
use moka::ops::compute::Op;
use parking_lot::RwLock;
use tokio::time::Instant;

use crate::budget::{Budget, Held};
use crate::flight::{Boarded, Flight, Flights, Ticket};
use crate::invalidation::{Generations, Stamps};
use crate::key::Key;
use crate::peers::Peers;
use crate::reply::Reply;
use crate::sql::{TableName, Writes};
use crate::stats::{Counters, Stats, count, read};

use lease::{Lease, Shares};

/// How much the cache may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// Bytes of all replies together.
    pub capacity_bytes: u64,
    /// Bytes of all replies together that are being collected.
    pub collecting_bytes: u64,
    /// Bytes of one reply.
    pub max_entry_bytes: usize,
}

/// How old a reply may be for one caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Up to this age a reply is a hit.
    pub max_age: Duration,
    /// For this long after `max_age` it is served stale while one caller refreshes it.
    pub stale_while_revalidate: Duration,
    /// It must have been asked for by then; `None` where that does not matter.
    pub born_by: Option<Instant>,
}

impl Freshness {
    /// Whether a reply that was asked for then is fresh; `None` where it may not be served at all.
    fn judges(&self, born: Instant) -> Option<bool> {
        let age = born.elapsed();
        let is_late = self.born_by.is_some_and(|latest| born > latest);
        let is_dead = age >= self.max_age.saturating_add(self.stale_while_revalidate);
        (!is_late && !is_dead).then_some(age < self.max_age)
    }
}

/// The result cache of one process. Clones share it.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Shared>);

/// What a lookup found, and so what its caller must do.
#[derive(Debug)]
pub enum Lookup {
    /// Fresh: serve it.
    Hit(Arc<Reply>),
    /// Too old, but within the time it may be served. With a fill this caller, and no other, must
    /// ask the origin and commit.
    Stale(Arc<Reply>, Option<Fill>),
    /// Nothing there and nobody asks: this caller must ask the origin and commit.
    Lead(Fill),
    /// Another session asks the origin for the same reply at this moment.
    Follow(Flight),
    /// One of its tables is being written at this moment, or nothing may be served: this caller must ask the origin, and what
    /// it hears is for nobody else.
    Written,
}

/// The right to publish one reply. Dropping it wakes the followers empty-handed.
#[derive(Debug)]
#[must_use = "dropping a fill makes its followers ask for themselves"]
pub struct Fill {
    shared: Arc<Shared>,
    ticket: Ticket,
    stamps: Stamps,
    collected: Held,
    /// Where there are peers.
    shares: Option<Box<Shares>>,
}

#[derive(Debug)]
struct Shared {
    entries: moka::sync::Cache<Key, Arc<Entry>>,
    flights: Flights,
    generations: Generations,
    limits: CacheLimits,
    collecting: Budget,
    counters: Counters,
    evictions: Arc<AtomicU64>,
    peers: OnceLock<Arc<dyn Peers>>,
    /// Origins whose replies the peers are not given, and not asked for.
    unshared: RwLock<HashSet<Arc<str>>>,
    lease: Lease,
}

#[derive(Debug)]
struct Entry {
    reply: Arc<Reply>,
    stamps: Stamps,
    /// When it was asked for: what was written around us since may be missing.
    born: Instant,
}

/// How an entry looks to one caller.
enum Age {
    Fresh(Arc<Reply>),
    Stale(Arc<Reply>),
    Dead,
}

impl Cache {
    /// An empty cache.
    pub fn new(limits: CacheLimits) -> Self {
        let evictions = Arc::new(AtomicU64::new(0));
        let evicted = Arc::clone(&evictions);
        let entries = moka::sync::Cache::builder()
            .max_capacity(limits.capacity_bytes)
            .weigher(|_key, entry: &Arc<Entry>| u32::try_from(entry.weight()).unwrap_or(u32::MAX))
            .time_to_live(LONGEST_LIFE)
            .eviction_listener(move |_key, _entry, cause| {
                if cause == RemovalCause::Size {
                    count(&evicted);
                }
            })
            .build();
        Self(Arc::new(Shared {
            entries,
            flights: Flights::new(),
            generations: Generations::new(),
            limits,
            collecting: Budget::new(limits.collecting_bytes),
            counters: Counters::default(),
            evictions,
            peers: OnceLock::new(),
            unshared: RwLock::default(),
            lease: Lease::endless(),
        }))
    }

    /// Looks for the reply of `key`, a statement that reads `tables` of the origin `scope`.
    ///
    /// The generations of the tables are taken now, so ask **before** the query is sent.
    pub fn lookup(
        &self,
        key: Key,
        scope: &Arc<str>,
        tables: &[TableName],
        fresh: Freshness,
    ) -> Lookup {
        if !self.0.lease.is_valid() {
            return Lookup::Written;
        }
        match self.0.look(key, scope, tables, fresh) {
            Age::Fresh(reply) => return Lookup::Hit(reply),
            Age::Stale(_) | Age::Dead => {}
        }
        // Behind the gate nobody lands: what is neither stored nor flying must be asked for. The
        // stamps are taken here, so that a leader's can only be the same or older.
        let gate = self.0.flights.gate(key);
        let Some(stamps) = self.0.generations.stamp(scope, tables) else { return Lookup::Written };
        self.0.remove_outdated(key, &stamps);
        let fill = |ticket, stamps| self.fill(ticket, stamps, (scope, tables));
        match self.0.look(key, scope, tables, fresh) {
            Age::Fresh(reply) => Lookup::Hit(reply),
            Age::Stale(reply) => match gate.board(key, &stamps, |_born| true) {
                Boarded::Lead(ticket) => Lookup::Stale(reply, Some(fill(ticket, stamps))),
                Boarded::Follow(_) => Lookup::Stale(reply, None),
            },
            // Who asked long ago hears what is too old for this caller.
            Age::Dead => match gate.board(key, &stamps, |born| fresh.judges(born).is_some()) {
                Boarded::Lead(ticket) => Lookup::Lead(fill(ticket, stamps)),
                Boarded::Follow(flight) => Lookup::Follow(flight),
            },
        }
    }

    /// The right to publish the reply of a caller who wants what the origin says now: it replaces what is there, and
    /// who leads asked before. `None` while one of the tables is written.
    pub fn renew(&self, key: Key, scope: &Arc<str>, tables: &[TableName]) -> Option<Fill> {
        let gate = self.0.flights.gate(key);
        let stamps = self.0.generations.stamp(scope, tables)?;
        Some(self.fill(gate.lead(key, &stamps), stamps, (scope, tables)))
    }

    /// Makes every reply that read one of the written tables worthless, also those being fetched.
    ///
    /// When this returns, no lookup that starts later finds a reply from before the write.
    pub fn invalidate(&self, scope: &str, writes: &Writes) {
        if *writes != Writes::None {
            count(&self.0.counters.invalidations);
            if *writes == Writes::Everything {
                count(&self.0.counters.flushes);
            }
            self.0.generations.raise(scope, writes);
        }
    }

    /// Makes every reply of the origin worthless.
    pub fn purge(&self, scope: &str) {
        self.invalidate(scope, &Writes::Everything);
    }

    /// What the cache holds and has done.
    pub fn stats(&self) -> Stats {
        self.0.entries.run_pending_tasks();
        let counters = &self.0.counters;
        Stats {
            entries: self.0.entries.entry_count(),
            bytes: self.0.entries.weighted_size(),
            fills: read(&counters.fills),
            outdated_fills: read(&counters.outdated_fills),
            oversized_fills: read(&counters.oversized_fills),
            invalidations: read(&counters.invalidations),
            flushes: read(&counters.flushes),
            evictions: read(&self.0.evictions),
            flights: self.0.flights.len(),
        }
    }

    fn fill(
        &self,
        ticket: Ticket,
        stamps: Stamps,
        (scope, tables): (&Arc<str>, &[TableName]),
    ) -> Fill {
        let collected = self.0.collecting.hold(0);
        let shares = self.peers().map(|_| Box::new(Shares::new(scope, tables)));
        Fill { shared: Arc::clone(&self.0), ticket, stamps, collected, shares }
    }
}

impl Shared {
    /// Finds the entry of `key` and says how old it is for this caller.
    fn look(&self, key: Key, scope: &str, tables: &[TableName], fresh: Freshness) -> Age {
        let is_present =
            |entry: &Arc<Entry>| self.generations.are_present(&entry.stamps, scope, tables);
        let Some(entry) = self.entries.get(&key).filter(is_present) else { return Age::Dead };
        let reply = || Arc::clone(&entry.reply);
        match fresh.judges(entry.born) {
            Some(true) => Age::Fresh(reply()),
            Some(false) => Age::Stale(reply()),
            None => Age::Dead,
        }
    }

    /// Removes an entry that a write has outdated.
    ///
    /// An entry that is only too old for one caller stays: another may ask for less.
    fn remove_outdated(&self, key: Key, stamps: &Stamps) {
        if self.entries.get(&key).is_some_and(|entry| entry.stamps != *stamps) {
            self.entries.invalidate(&key);
        }
    }
}

impl Entry {
    fn weight(&self) -> usize {
        self.reply.weight() + size_of::<Self>() + ENTRY_OVERHEAD
    }
}

impl Fill {
    /// Publishes the reply: stores it and hands it to the followers. True when it was stored.
    ///
    /// Refused when one of its tables was written since the lookup or is being written: the followers then wake
    /// empty-handed, for the reply may lack that write. A reply that is too large is not stored,
    /// but the followers get it.
    ///
    /// The reply must come from a query that was sent after the lookup and ended cleanly outside a
    /// transaction.
    pub fn commit(mut self, reply: Reply) -> bool {
        let shared = &self.shared;
        if self.shares.as_ref().is_some_and(|shares| !shares.may_keep()) {
            return false;
        }
        if !shared.generations.is_current(&self.stamps) {
            count(&shared.counters.outdated_fills);
            return false;
        }
        let reply = Arc::new(reply);
        let stored = reply.weight() <= shared.limits.max_entry_bytes;
        if stored {
            // A write between the check and here costs nothing: the entry's stamps are old then,
            // and the next lookup removes it.
            let (reply, stamps) = (Arc::clone(&reply), self.stamps.clone());
            let born = self.ticket.born();
            let entry = Arc::new(Entry { reply, stamps, born });
            let is_large = entry.weight() >= LARGE;
            shared.entries.entry(self.ticket.key()).and_compute_with(|known| match known {
                // Asked for later, and answered earlier.
                Some(known) if known.value().born > born => Op::Nop,
                _ => Op::Put(entry),
            });
            if is_large {
                // Else it is some dozens of entries later that the map makes room.
                shared.entries.run_pending_tasks();
            }
            count(&shared.counters.fills);
        } else {
            count(&shared.counters.oversized_fills);
        }
        if stored {
            self.hand_on(&reply);
        }
        self.ticket.land(reply);
        stored
    }

    /// Whether that many bytes more can be collected: of this reply, and of all that are collected now.
    pub fn fits(&self, bytes: usize) -> bool {
        let all = self.collected.bytes().saturating_add(bytes);
        all <= self.shared.limits.max_entry_bytes && self.collected.has(bytes)
    }

    /// Counts what is collected. False if it does not fit: drop the fill then, and stream.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let fits = self.fits(bytes);
        if fits {
            self.collected.grow(bytes);
        }
        fits
    }
}

impl Drop for Fill {
    fn drop(&mut self) {
        self.shared.flights.forget(&self.ticket);
        self.gives_up();
    }
}

/// Hints are capped at an hour; no entry is served longer than this, whatever the callers ask.
const LONGEST_LIFE: Duration = Duration::from_secs(2 * 3600);

/// The weight of an entry that room is made for at once.
const LARGE: usize = 64 * 1024;

/// What the map itself needs for an entry, about.
const ENTRY_OVERHEAD: usize = 256;

mod lease;
pub(crate) mod shared;
#[cfg(test)]
mod tests;
pub(crate) mod writing;
