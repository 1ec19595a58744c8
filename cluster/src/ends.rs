//! Ends of writes, which nobody waits for but other nodes' readers.

use std::{collections::HashSet, sync::Arc, time::Duration};

use cache::sql::Writes;
use futures_util::future::join_all;
use tokio::time::sleep;

use crate::{
    error::TierError,
    node::{Member, Shared},
    open::{End, Ends, Write},
    tier::Announced,
};

/// How long it is waited before the tier is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// So many ends are told at once.
const AT_ONCE: usize = 64;

impl Shared {
    /// Tells the tier of ends, for ever.
    pub(crate) async fn tell_ends(self: &Arc<Self>) {
        let mut members = self.member.subscribe();
        loop {
            let Ends { mut ends, beyond } = self.open.ends().await;
            for scope in beyond {
                // As one that has ended once it is announced.
                drop(self.announce(&scope, &Writes::Everything, 0));
                ends.push(End::Schema(scope));
            }
            for batch in ends.chunks(AT_ONCE) {
                loop {
                    let Some(member) = members.borrow_and_update().clone() else {
                        if members.changed().await.is_err() {
                            return;
                        }
                        continue;
                    };
                    match self.tell_of(&member, batch).await {
                        Ok(()) => break,
                        Err(error) => {
                            let error = &error as &dyn std::error::Error;
                            tracing::debug!(error, "an end is told again");
                            sleep(PAUSE).await;
                        }
                    }
                }
            }
        }
    }

    /// Changes of schemas come before the ends of the writes that made them.
    async fn tell_of(
        self: &Arc<Self>,
        member: &Arc<Member>,
        ends: &[End],
    ) -> Result<(), TierError> {
        for end in ends {
            if let End::Schema(scope) = end {
                member.tier.schema_changed(scope).await?;
            }
        }
        let ends = ends.iter().map(async |end| match end {
            End::Write(write) if write.is_of_everything => {
                let (shared, member) = (Arc::clone(self), Arc::clone(member));
                let write = Arc::clone(write);
                self.tasks.spawn(async move { shared.end_behind_others(&member, &write).await });
                Ok(())
            }
            End::Write(write) => self.end_one(member, write).await,
            End::Schema(_) => Ok(()),
        });
        join_all(ends).await.into_iter().collect()
    }

    /// Ends a write. A tier that has forgotten it is told of it first, so that what it outdated is outdated there.
    async fn end_one(&self, member: &Member, write: &Arc<Write>) -> Result<(), TierError> {
        if !member.tier.end(&write.id).await? {
            let Write { id, scope, by, words, slots, .. } = &**write;
            let announced = Announced { write: id, by, scope, words, slots };
            member.tier.announce(member.name(), &announced).await?;
            member.tier.end(id).await?;
        }
        Ok(())
    }

    /// Ends a write that may have changed what others do, once those have ended that were announced while it went on: they may
    /// have waited for it at the origin, and written more than they said.
    async fn end_behind_others(&self, member: &Member, write: &Arc<Write>) {
        let mut others: Option<HashSet<String>> = None;
        let ended = async {
            loop {
                let open = member.tier.open_of(&write.scope).await?;
                let left: HashSet<_> = match others.take() {
                    None => open.into_iter().filter(|id| *id != write.id).collect(),
                    Some(others) => others.into_iter().filter(|id| open.contains(id)).collect(),
                };
                if left.is_empty() {
                    return self.end_one(member, write).await;
                }
                others = Some(left);
                sleep(PAUSE).await;
            }
        };
        if let Err(error) = ended.await {
            tracing::debug!(error = &error as &dyn std::error::Error, "an end is told again");
            self.open.send(End::Write(Arc::clone(write)));
        }
    }
}
