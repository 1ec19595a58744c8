//! Asking the cache for a reply: what is kept, what somebody else is asking for, or the right to ask for it oneself.

use std::{sync::Arc, time::Duration};

use cache::{
    Asked, Cache, Fill, Flight, Freshness, Key, Lookup, Reply,
    sql::{Hint, TableName},
};
use tokio::time::{sleep, timeout};

use crate::observe::CacheStatus;

/// Who answers a request that may be cached.
#[derive(Debug)]
pub enum Answer {
    /// The cache has it.
    Cache(Arc<Reply>, CacheStatus),
    /// The origin does. The reply is to be kept if it comes with a place to keep it.
    Origin(Option<Fill>),
}

/// What is asked of the cache.
#[derive(Debug)]
pub struct Question<'a> {
    /// Of the whole process.
    pub cache: &'a Cache,
    /// What the cache knows the origin by.
    pub scope: &'a Arc<str>,
    /// Of the request, and of all that shapes its reply.
    pub key: Key,
    /// What it reads.
    pub tables: &'a [TableName],
    /// How old the answer may be.
    pub fresh: Freshness,
    /// What its text says of the cache.
    pub hint: &'a Hint,
    /// How long another who asks the same may be waited for; `None` by a session that holds a backend, which may be the very
    /// one that the other waits for.
    pub follows: Option<Duration>,
}

/// How long it is waited between two looks at what another node asks the origin for; some three seconds in all.
const PAUSES_MS: [u64; 12] = [5, 10, 20, 40, 80, 160, 320, 320, 500, 500, 500, 500];

impl Question<'_> {
    /// The answer. What is due for a refresh goes to `refresh`.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, nothing is lost: who leads is not known yet.
    pub async fn ask(&self, mut refresh: impl FnMut(Fill, Freshness)) -> Answer {
        let Self { cache, scope, key, tables, fresh, hint, .. } = *self;
        if hint.no_cache {
            let Some(mut fill) = cache.renew(key, scope, tables) else {
                return Answer::Origin(None);
            };
            let may_keep = Box::pin(fill.ask(fresh, true)).await == Asked::Lead;
            return Answer::Origin(may_keep.then_some(fill));
        }
        let mut has_followed = false;
        let (mut has_found, mut pauses) = (false, PAUSES_MS.iter());
        loop {
            match cache.lookup(key, scope, tables, fresh) {
                Lookup::Hit(reply) => return Answer::Cache(reply, CacheStatus::Hit),
                Lookup::Stale(reply, fill) => {
                    if let Some(fill) = fill {
                        refresh(fill, fresh);
                    }
                    return Answer::Cache(reply, CacheStatus::Stale);
                }
                Lookup::Lead(fill) if cache.peers().is_none() => return Answer::Origin(Some(fill)),
                // Boxed: a hit does not come here.
                Lookup::Lead(mut fill) => match Box::pin(fill.ask(fresh, false)).await {
                    Asked::Lead => return Answer::Origin(Some(fill)),
                    Asked::Nothing => return Answer::Origin(None),
                    Asked::Found => {
                        drop(fill);
                        // Followers find it as well.
                        if std::mem::replace(&mut has_found, true) {
                            return Answer::Origin(None);
                        }
                    }
                    Asked::Elsewhere => match pauses.next().filter(|_| self.follows.is_some()) {
                        Some(pause) => sleep(Duration::from_millis(*pause)).await,
                        None => return Answer::Origin(None),
                    },
                },
                Lookup::Follow(flight) => {
                    // Boxed: few wait for another's answer.
                    if let Some(reply) = Box::pin(self.landed(flight)).await {
                        return Answer::Cache(reply, CacheStatus::Hit);
                    }
                    // The leader failed. One of those who followed leads once more, or else all would ask at once;
                    // what fails twice would keep them in line.
                    if std::mem::replace(&mut has_followed, true) || self.follows.is_none() {
                        return Answer::Origin(None);
                    }
                }
                Lookup::Written => return Answer::Origin(None),
            }
        }
    }

    /// Waits for the session that asks the origin for the same reply.
    async fn landed(&self, flight: Flight) -> Option<Arc<Reply>> {
        timeout(self.follows?, flight.landed()).await.ok().flatten()
    }
}
