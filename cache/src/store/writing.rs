//! Writes that are under way.

use std::pin::Pin;
use std::sync::Arc;

use super::{Cache, Shared};
use crate::peers::{Announcement, Untold};
use crate::sql::Writes;
use crate::stats::count;

/// A write that is under way at the origin, where it may be visible already, or not yet.
///
/// As long as it lives no reply that reads one of its tables is served or stored; dropping it
/// invalidates those that were read before. Begin it **before** the statement is sent and drop it once
/// the origin has said that the transaction is over.
#[derive(Debug)]
#[must_use = "dropping it says that the write is over"]
pub struct Writing {
    shared: Arc<Shared>,
    scope: Arc<str>,
    backend: u32,
    slots: Vec<usize>,
    /// It may write any table.
    is_of_everything: bool,
    /// What the peers are told, until it ends.
    announced: Vec<Announcement>,
    /// What they were told.
    told: Writes,
    /// It is announced to them.
    is_ours: bool,
}

/// What a write waits for before it is sent.
pub type Gate = Pin<Box<dyn Future<Output = Result<(), Untold>> + Send + Sync>>;

impl Cache {
    /// [Invalidates](Cache::invalidate) what a write has written, here and, where that is more than `writing` announced, on the
    /// other nodes.
    pub fn written(&self, scope: &Arc<str>, writes: &Writes, writing: Option<&Writing>) {
        if writing.is_some_and(|writing| writing.was_told(writes)) {
            self.invalidate(scope, writes);
        } else {
            self.invalidate_everywhere(scope, writes);
        }
    }

    /// Begins a write, which lasts until what is returned is dropped, on the `backend` that the origin knows by this number.
    pub fn write(&self, scope: &Arc<str>, writes: &Writes, backend: u32) -> Writing {
        let mut writing = self.unwritten(scope, backend, true);
        writing.extend(writes);
        writing
    }

    /// Begins a write that is somebody else's, of which the peers hear by themselves.
    pub fn write_of_others(&self, scope: &Arc<str>, writes: &Writes) -> Writing {
        let mut writing = self.unwritten(scope, 0, false);
        writing.extend(writes);
        writing
    }

    fn unwritten(&self, scope: &Arc<str>, backend: u32, is_ours: bool) -> Writing {
        let (shared, scope) = (Arc::clone(&self.0), Arc::clone(scope));
        Writing {
            shared,
            scope,
            backend,
            slots: Vec::new(),
            is_of_everything: false,
            announced: Vec::new(),
            told: Writes::None,
            is_ours,
        }
    }
}

impl Writing {
    /// It is over, and what was written has been [invalidated](Cache::invalidate): nothing else was.
    pub fn settle(mut self) {
        self.shared.generations.settle(&std::mem::take(&mut self.slots));
    }

    /// What must be waited for before anything of the write is sent; `None` where there is nothing (more) to wait for.
    pub fn gate(&mut self) -> Option<Gate> {
        let pending: Vec<_> =
            self.announced.iter_mut().filter_map(|announced| announced.granted()).collect();
        if pending.is_empty() {
            return None;
        }
        Some(Box::pin(async move {
            for granted in pending {
                // Who was to answer is gone.
                granted.await.unwrap_or(Err(Untold))?;
            }
            Ok(())
        }))
    }

    /// Whether the peers, if there are any, were told of all of that.
    pub fn was_told(&self, writes: &Writes) -> bool {
        let all = || {
            let mut all = self.told.clone();
            all.merge(writes.clone());
            all
        };
        self.shared.peers.get().is_none() || all() == self.told
    }

    /// The same transaction is about to write this too.
    pub fn extend(&mut self, writes: &Writes) {
        self.is_of_everything |= *writes == Writes::Everything;
        self.shared.generations.begin(&self.scope, writes, &mut self.slots);
        if let Some(peers) = self.shared.peers.get().filter(|_| self.is_ours) {
            // By names: two of them may share a slot here and not there.
            let mut all = self.told.clone();
            all.merge(writes.clone());
            if all != self.told {
                self.told = all;
                self.announced.push(peers.announce(&self.scope, writes, self.backend));
            }
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.slots.is_empty() {
            count(&self.shared.counters.invalidations);
            if self.is_of_everything {
                count(&self.shared.counters.flushes);
            }
            self.shared.generations.end(&self.slots);
        }
    }
}
