//! Writes that are announced: from before they are sent until their end is known to the tier.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use cache::{
    peers::{Announcement, Untold},
    sql::Writes,
};
use futures_util::future::join_all;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

use crate::{
    counts::add,
    error::TierError,
    node::{Member, Shared},
    open::{End, Write},
    settings::Unreachable,
    tier::{Announced, Awaited},
};

/// How long it is waited before the tier is tried again.
const PAUSE: Duration = Duration::from_millis(50);

impl Shared {
    /// Begins to announce a write.
    pub(crate) fn announce(
        self: &Arc<Self>,
        scope: &Arc<str>,
        writes: &Writes,
        backend: u32,
    ) -> Announcement {
        add(&self.counts.announced, 1);
        let by = format!("{scope} {backend}");
        let write = self.open.begin(Write::new(scope, writes, by));
        let id = write.id.clone();
        let (granted, told) = oneshot::channel();
        let shared = Arc::clone(self);
        self.tasks.spawn(async move {
            // Whoever waited may have gone; the write is announced all the same, if it has not ended.
            let _heard = granted.send(shared.tell(&write).await);
        });
        let shared = Arc::clone(self);
        Announcement::new(told, move || shared.open.end(&id))
    }

    /// Until the write may be sent, or must not be.
    async fn tell(&self, write: &Arc<Write>) -> Result<(), Untold> {
        let began = Instant::now();
        let granted = timeout(self.settings.write_wait, self.granted(write)).await;
        let waited = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        add(&self.counts.waited_micros, waited);
        match (granted, self.settings.unreachable) {
            (Ok(()), _) => Ok(()),
            (Err(_elapsed), Unreachable::Forward) => {
                add(&self.counts.untold, 1);
                // So that the tier is told of it as soon as it can be: while it is open, or when it ends.
                write.is_told.store(true, Ordering::Release);
                Ok(())
            }
            (Err(_elapsed), Unreachable::Refuse) => {
                add(&self.counts.refused, 1);
                Err(Untold)
            }
        }
    }

    /// Until no other node serves what the write outdates.
    async fn granted(&self, write: &Arc<Write>) {
        let mut members = self.member.subscribe();
        let mut asks_all = false;
        loop {
            let Some(member) = members.borrow_and_update().clone() else {
                // Whoever would send it has ended.
                if members.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let answered = async {
                let awaited = self.say(&member, write).await?;
                if asks_all || self.may_do_more(write, &awaited) {
                    asks_all = true;
                    let all = self.open.more(write);
                    let awaited = self.say(&member, &all).await?;
                    self.answered(&member, &all, &awaited).await;
                }
                self.answered(&member, write, &awaited).await;
                Ok::<_, TierError>(())
            };
            tokio::select! {
                answered = answered => match answered {
                    Ok(()) => if self.may_go(&member).await { return },
                    Err(error) => {
                        tracing::debug!(error = &error as &dyn std::error::Error, "a write waits");
                        sleep(PAUSE).await;
                    }
                },
                // Another epoch, perhaps.
                changed = members.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Until all have answered who may hold what a write outdates, or their leases are over.
    async fn answered(&self, member: &Member, write: &Write, awaited: &Awaited) {
        let heard = Instant::now();
        if awaited.is_settled && awaited.nodes.is_empty() {
            return;
        }
        add(&self.counts.awaited, 1);
        let answered = async {
            write.granted.notified().await;
            if !awaited.is_settled {
                // Leases of before the epoch are to end as well.
                std::future::pending::<()>().await;
            }
        };
        let outlasted = timeout(self.settings.outlast(), answered).await.is_err();
        if outlasted {
            tracing::debug!(waited = ?heard.elapsed(), "nodes were silent");
            add(&self.counts.outlasted, 1);
            expel(member, awaited).await;
        }
    }

    /// Whether what was said counts: this node is the one that said it, in the epoch in which it did. Its own lease says so,
    /// since one that was sent for before another epoch began is over before that is settled.
    async fn may_go(&self, member: &Arc<Member>) -> bool {
        loop {
            let is_same = self.member().is_some_and(|present| Arc::ptr_eq(&present, member));
            if !is_same || self.cache.may_serve() {
                return is_same;
            }
            sleep(PAUSE / 5).await;
        }
    }

    /// Whether the write may do more than was known when it was judged: its schema has changed, or is just being changed.
    fn may_do_more(&self, write: &Write, awaited: &Awaited) -> bool {
        let knows = self.knows_schema(&write.scope, &awaited.schema);
        !write.is_of_everything && (awaited.is_all_written || !knows)
    }

    /// Announces a write once.
    async fn say(&self, member: &Member, write: &Arc<Write>) -> Result<Awaited, TierError> {
        write.is_told.store(true, Ordering::Release);
        let Write { id, scope, by, words, slots, .. } = &**write;
        let announced = Announced { write: id, by, scope, words, slots };
        let awaited = member.tier.announce(member.name(), &announced).await?;
        if !self.open.has(id) {
            // It ended meanwhile, and that may have been said before this.
            self.open.send(End::Write(Arc::clone(write)));
        }
        Ok(awaited)
    }

    /// Announces once more what was sent already, to a tier that may have forgotten it.
    pub(crate) async fn say_again(&self, member: &Member) {
        let told = self.open.told();
        join_all(told.iter().map(|write| async {
            if let Err(error) = self.say(member, write).await {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "a write is not announced"
                );
            }
        }))
        .await;
    }
}

/// Nobody waits any more for those that were silent.
async fn expel(member: &Member, awaited: &Awaited) {
    let expelled = awaited.nodes.iter().map(|(node, count)| member.tier.expel(node, Some(count)));
    for done in join_all(expelled).await {
        if let Err(error) = done {
            tracing::debug!(error = &error as &dyn std::error::Error, "a silent node stays");
        }
    }
}
