//! The store as one of many: what is asked of the [peers](crate::peers), and the lease without which nothing is served.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Cache, Entry, Fill, Freshness};
use crate::peers::{Look, Looked, Peers};
use crate::sql::Writes;

/// What came of asking the peers for a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A peer had it: it is in the cache now.
    Found,
    /// The caller asks the origin, and the fill may be committed.
    Lead,
    /// Another node asks the origin at this moment.
    Elsewhere,
    /// The caller asks the origin, and what that says is for nobody else.
    Nothing,
}

impl Cache {
    /// Shares what it keeps with `peers` from now on, and serves nothing before [`Cache::serve_until`]. Called once, before
    /// anything is kept; a second call changes nothing.
    pub fn join(&self, peers: Arc<dyn Peers>) {
        self.0.lease.set(self.0.lease.base);
        let _has_some = self.0.peers.set(peers);
    }

    /// The other nodes, where there are any.
    pub fn peers(&self) -> Option<&Arc<dyn Peers>> {
        self.0.peers.get()
    }

    /// The replies of an origin stay here, for who outdates them tells this node alone: the peers are asked for the right to
    /// keep them, and told of writes, and no more.
    pub fn keep_to_itself(&self, scope: &Arc<str>) {
        self.0.unshared.write().insert(Arc::clone(scope));
    }

    /// What is kept may be served until then. What the peers have outdated before they allowed it must have been
    /// [invalidated](Cache::invalidate).
    pub fn serve_until(&self, until: Instant) {
        self.0.lease.set(until);
    }

    /// Whether what is kept may be served.
    pub fn may_serve(&self) -> bool {
        self.0.lease.is_valid()
    }

    /// Forgets all that is kept or under way, of every origin.
    pub fn forget_everything(&self) {
        self.0.generations.raise_all();
        self.0.entries.invalidate_all();
    }

    /// [Invalidates](Cache::invalidate) here and on the other nodes, for what no [`Writing`](crate::Writing) has announced. Here it is done
    /// when this returns; there soon.
    pub fn invalidate_everywhere(&self, scope: &Arc<str>, writes: &Writes) {
        self.invalidate(scope, writes);
        if let Some(peers) = self.peers().filter(|_| *writes != Writes::None) {
            peers.outdate(scope, writes);
        }
    }
}

impl Fill {
    /// Asks the peers, before the origin is asked. Where there are none, the caller leads. `anew` if nothing will do that
    /// was there before.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the fill is as it was, and others may wait a moment in vain.
    pub async fn ask(&mut self, fresh: Freshness, anew: bool) -> Asked {
        let (Some(shares), Some(peers)) = (&mut self.shares, self.shared.peers.get()) else {
            return Asked::Lead;
        };
        let is_shared = !self.shared.unshared.read().contains(&shares.scope);
        let max_age = (!anew && is_shared).then_some(fresh.max_age);
        let key = self.ticket.key();
        let look = Look { key, scope: &shares.scope, tables: &shares.tables, max_age };
        // The reply's age is of a moment after this one.
        let before = Instant::now();
        match peers.look(look).await {
            Looked::Lead(stamps) => {
                shares.life = fresh.max_age.saturating_add(fresh.stale_while_revalidate);
                shares.stamps = Some(stamps);
                Asked::Lead
            }
            Looked::Found(reply, age, _) => {
                let born = before.checked_sub(age);
                if let Some(born) =
                    born.filter(|_| self.shared.generations.is_current(&self.stamps))
                {
                    let (reply, stamps) = (Arc::new(reply), self.stamps.clone());
                    let entry = Arc::new(Entry { reply, stamps, born });
                    self.shared.entries.insert(key, entry);
                    Asked::Found
                } else {
                    // It was written meanwhile.
                    Asked::Nothing
                }
            }
            Looked::Elsewhere => Asked::Elsewhere,
            Looked::Nothing => Asked::Nothing,
        }
    }

    /// Gives a reply that is kept here to the peers.
    pub(super) fn hand_on(&mut self, reply: &Arc<crate::Reply>) {
        if let (Some(shares), Some(peers)) = (&mut self.shares, self.shared.peers.get())
            && let Some(stamps) = shares.stamps.take()
            && !self.shared.unshared.read().contains(&shares.scope)
        {
            peers.keep(self.ticket.key(), &stamps, shares.life, reply);
        }
    }

    /// Nothing came of it.
    pub(super) fn gives_up(&self) {
        let leads = self.shares.as_ref().is_some_and(|shares| shares.may_keep());
        if let Some(peers) = self.shared.peers.get().filter(|_| leads) {
            peers.give_up(self.ticket.key());
        }
    }
}
