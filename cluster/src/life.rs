//! A node's life in the tier: it comes in, keeps its lease, and deals with what it is told.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    answers::{Message, What},
    counts::add,
    error::TierError,
    inbox::Inbox,
    names::told,
    node::{Cluster, Member, Origins, Shared},
    tier::Tier,
};

/// How long it is waited before the tier is tried again; each time longer, up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How long coming in may take.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the writes of nodes that are gone are looked for.
const ORPHANS_EVERY: Duration = Duration::from_secs(1);
/// How long the end of a write may take to be told.
const OWN_LEFT_OPEN: Duration = Duration::from_secs(5);
/// No write of a node that is gone lasts longer.
const LONGEST_ORPHAN: Duration = Duration::from_secs(3600);

/// The name under which a node is known, and how far it has read.
struct Identity {
    run: String,
    epoch: String,
    node: String,
    last: String,
    joined: Instant,
}

/// A read of the inbox that is under way.
type Reading =
    std::pin::Pin<Box<dyn Future<Output = (Inbox, Result<Vec<Message>, TierError>)> + Send>>;

impl Cluster {
    /// Lives as a node until `end`, then leaves. Called once.
    pub async fn run(&self, origins: impl Origins + 'static, end: CancellationToken) {
        let shared = &self.0;
        let _first = shared.origins.set(Box::new(origins));
        let mut identity = None;
        tokio::select! {
            () = end.cancelled() => {}
            () = shared.live(&mut identity) => {}
            () = shared.tell_ends() => {}
            () = shared.end_orphans() => {}
        }
        // Nobody is to wait for a node that has gone.
        shared.cache.serve_until(Instant::now());
        if let (Some(member), Some(identity)) = (shared.member(), identity) {
            let left = timeout(PAUSES.1, member.tier.expel(&identity.node, None)).await;
            tracing::debug!(in_time = left.is_ok(), "left the tier");
        }
    }
}

impl Shared {
    /// Connects again and again.
    async fn live(&self, identity: &mut Option<Identity>) {
        let mut pause = PAUSES.0;
        loop {
            let began = Instant::now();
            let Err(error) = self.serve(identity).await;
            let _gone = self.member.send_replace(None);
            if matches!(error, TierError::Epoch | TierError::Expelled) {
                *identity = None;
            }
            let said = error.to_string();
            if self.trouble.lock().replace(said.clone()).as_ref() != Some(&said) {
                let error = &error as &dyn std::error::Error;
                warn!(
                    tier = self.settings.place(),
                    error, "the cluster's tier is out of reach, trying on"
                );
            }
            pause =
                if began.elapsed() > PAUSES.1 * 2 { PAUSES.0 } else { (pause * 2).min(PAUSES.1) };
            sleep(pause).await;
        }
    }

    /// Serves on one connection until it fails.
    async fn serve(
        &self,
        known: &mut Option<Identity>,
    ) -> Result<std::convert::Infallible, TierError> {
        let connecting = timeout(JOIN_TIMEOUT, Tier::connect(&self.settings)).await;
        let tier = connecting.unwrap_or(Err(TierError::Nonsense))?;
        if known.as_ref().is_none_or(|known| known.run != tier.run) {
            *known = Some(self.come_in(&tier).await?);
        }
        let Some(identity) = known else { return Err(TierError::Nonsense) };
        let inbox = tier.inbox(&identity.node).await?;
        let (epoch, node) = (identity.epoch.clone(), identity.node.clone());
        let member = Arc::new(Member { tier, epoch, node });
        self.say_again(&member).await;
        self.member.send_replace(Some(Arc::clone(&member)));
        let mut reading = read(inbox, identity.last.clone());
        let mut renewal = interval(self.settings.lease / 4);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                (inbox, messages) = &mut reading => {
                    self.deal(&member, identity, messages?);
                    reading = read(inbox, identity.last.clone());
                }
                _tick = renewal.tick() => self.renew(&member, identity).await?,
            }
        }
    }

    /// Begins as a new node: nothing from before is known to be right.
    async fn come_in(&self, tier: &Tier) -> Result<Identity, TierError> {
        self.cache.serve_until(Instant::now());
        self.forget();
        let node: String = hex::encode(rand::random::<[u8; 8]>());
        let joined = Instant::now();
        let (epoch, _is_settled) = tier.join(&node, self.settings.lease).await?;
        let (run, last) = (tier.run.clone(), "0-0".to_owned());
        Ok(Identity { run, epoch, node, last, joined })
    }

    /// Renews the lease, which counts once all is dealt with that it came with.
    async fn renew(&self, member: &Arc<Member>, identity: &mut Identity) -> Result<(), TierError> {
        let sent = Instant::now();
        let (is_settled, messages) = member.tier.renew(member.name(), &identity.last).await?;
        self.deal(member, identity, messages);
        if is_settled {
            self.cache.serve_until(sent + self.settings.lease);
            if self.trouble.lock().take().is_some() {
                info!(
                    tier = self.settings.place(),
                    "the cache is shared through the cluster's tier"
                );
            }
        } else if identity.joined.elapsed() >= self.settings.outlast() {
            // Connected all the while: the process is the same that it was.
            member.tier.settle(&member.epoch).await?;
        }
        Ok(())
    }

    /// Does what it is told, each once and in order.
    fn deal(&self, member: &Arc<Member>, identity: &mut Identity, messages: Vec<Message>) {
        for Message { id, what } in messages {
            if order(&id) <= order(&identity.last) {
                continue;
            }
            identity.last = id;
            match what {
                What::Granted(write) => self.open.grant(&write),
                What::Unknown => self.forget(),
                What::Write { write, words, slots } => {
                    add(&self.counts.heard, 1);
                    if words == "*" {
                        self.forget();
                    } else {
                        let (scope, writes) = told(&words);
                        self.cache.invalidate(scope, &writes);
                    }
                    let member = Arc::clone(member);
                    self.tasks.spawn(async move {
                        if let Err(error) = member.tier.answer(&member.node, &write, &slots).await {
                            let error = &error as &dyn std::error::Error;
                            tracing::debug!(error, "a write was not answered");
                        }
                    });
                }
            }
        }
    }

    /// Empties the memory.
    fn forget(&self) {
        self.cache.forget_everything();
        add(&self.counts.emptied, 1);
    }

    /// Ends the writes of nodes that are gone, once their backends are, and what was left open of this node's own.
    async fn end_orphans(&self) {
        let mut since: HashMap<String, Instant> = HashMap::new();
        let mut renewed: HashMap<String, (String, Instant)> = HashMap::new();
        loop {
            sleep(ORPHANS_EVERY).await;
            let Some(member) = self.member() else { continue };
            let swept = async {
                self.expel_silent(&member, &mut renewed).await?;
                let orphans = member.tier.orphans(&member.node).await?;
                since.retain(|write, _| orphans.iter().any(|(orphan, _)| orphan == write));
                for (write, by) in orphans {
                    if self.open.has(&write) {
                        continue;
                    }
                    let first = *since.entry(write.clone()).or_insert_with(Instant::now);
                    let is_over = match &*by {
                        // Its own, which ended before the tier heard of it: not one whose end is just being told.
                        "" => first.elapsed() > OWN_LEFT_OPEN,
                        by => first.elapsed() > LONGEST_ORPHAN || self.is_gone(by).await,
                    };
                    if is_over {
                        member.tier.end(&write).await?;
                    }
                }
                Ok::<_, TierError>(())
            };
            if let Err(error) = swept.await {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "the writes of dead nodes stay open");
            }
        }
    }

    /// Expels the nodes that have not renewed their leases for longer than a lease lasts.
    async fn expel_silent(
        &self,
        member: &Member,
        renewed: &mut HashMap<String, (String, Instant)>,
    ) -> Result<(), TierError> {
        let nodes = member.tier.nodes().await?;
        renewed.retain(|node, _| nodes.contains_key(node));
        for (node, count) in nodes {
            let seen =
                renewed.entry(node.clone()).or_insert_with(|| (String::new(), Instant::now()));
            if seen.0 != count {
                *seen = (count, Instant::now());
            } else if seen.1.elapsed() > self.settings.outlast() {
                member.tier.expel(&node, Some(&count)).await?;
            }
        }
        Ok(())
    }

    /// Whether the backend that a write was sent to is gone, for all that is known here.
    async fn is_gone(&self, by: &str) -> bool {
        let (Some((scope, backend)), Some(origins)) = (by.split_once(' '), self.origins.get())
        else {
            return false;
        };
        match backend.parse() {
            // It was never sent to one.
            Ok(0) => true,
            Ok(backend) => origins.is_gone(scope, backend).await.unwrap_or_default(),
            Err(_) => false,
        }
    }
}

fn read(mut inbox: Inbox, last: String) -> Reading {
    Box::pin(async move {
        let messages = inbox.read(&last).await;
        (inbox, messages)
    })
}

/// The order of messages: milliseconds, then a number.
fn order(id: &str) -> (u64, u64) {
    let (time, number) = id.split_once('-').unwrap_or((id, "0"));
    (time.parse().unwrap_or(u64::MAX), number.parse().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_in_the_order_of_their_numbers() {
        assert!(order("9-1") < order("10-0") && order("10-0") < order("10-2"));
        assert!(order("10-9") < order("10-10"));
    }
}
