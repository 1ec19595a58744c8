//! Membership: leases and what they bring, joining, being expelled; and the faults of the tier.

use crate::rules::{PROMPT, Rules, Sight, Step, Turns, Weakened};
use crate::world::{LEASE, Node, Renew, Tier, WAIT, World, Write, WriteStage, bit, members};

impl Rules {
    pub(crate) fn membership(&self, world: &World, place: u8, out: &mut Turns<'_>) {
        let node = &world.nodes[usize::from(place)];
        if node.id == 0 {
            self.join(world, place, out);
        }
        self.renew(world, place, out);
        self.answer(world, place, out);
        if node.tier == 0 && world.tiers[0].cut_off {
            let mut next = *world;
            self.forget(&mut next.nodes[usize::from(place)]);
            next.nodes[usize::from(place)].tier = 1;
            out.add(Step::Reconnect(place), next);
        }
    }

    /// Whether what this process does counts: its replica has it.
    pub(crate) fn counts(&self, tier: &Tier) -> bool {
        !tier.cut_off || self.is(Weakened::NoReplicasNeeded)
    }

    fn join(&self, world: &World, place: u8, out: &mut Turns<'_>) {
        let mut next = *world;
        let node = &mut next.nodes[usize::from(place)];
        let tier = &mut next.tiers[usize::from(node.tier)];
        if world.left.joins == 0 || !self.counts(tier) {
            return;
        }
        next.left.joins -= 1;
        let mut sight = Sight::JoinedAgain;
        if !tier.begun {
            next.epochs += 1;
            self.begin_epoch(tier, next.epochs);
            sight = Sight::NewEpoch;
        }
        next.ids += 1;
        tier.members[usize::from(place)] = next.ids;
        (node.id, node.epoch) = (next.ids, tier.epoch);
        if let Some(write) = node.write {
            let Some(again) = self.announce_again(&mut next, place, write) else { return };
            if again != write {
                sight = Sight::AnnouncedAgain;
            }
            next.nodes[usize::from(place)].write = Some(again);
        }
        out.see(Step::Join(place), next, sight);
    }

    fn begin_epoch(&self, tier: &mut Tier, epoch: u8) {
        let unsettled = if self.is(Weakened::EpochsNotSettled) { 0 } else { WAIT };
        let keeps = self.is(Weakened::EntriesOutliveEpochs);
        let entries = if keeps { tier.entries } else { Default::default() };
        // What is known of writes under way stays.
        let mut open = tier.open;
        open.iter_mut().flatten().for_each(|open| open.waiting = 0);
        *tier = Tier { begun: true, epoch, unsettled, entries, open, ..Tier::default() };
    }

    /// A write under way when its node joins: one that was not let go begins anew, one that was is announced to all.
    fn announce_again(&self, world: &mut World, place: u8, write: Write) -> Option<Write> {
        let stage = match write.stage {
            WriteStage::Announcing
            | WriteStage::Announced(_)
            | WriteStage::Waiting { .. }
            | WriteStage::Free(_) => {
                if self.is(Weakened::LetsGoWithoutLease) {
                    write.stage
                } else {
                    WriteStage::Announcing
                }
            }
            WriteStage::Sent(_) if !self.is(Weakened::NotAnnouncedAgain) => {
                WriteStage::Sent(self.mark_again(world, place, write)?)
            }
            WriteStage::Lost(_) if !self.is(Weakened::NotAnnouncedAgain) => {
                WriteStage::Lost(self.mark_again(world, place, write)?)
            }
            other => other,
        };
        Some(Write { stage, ..write })
    }

    fn mark_again(&self, world: &mut World, place: u8, write: Write) -> Option<u8> {
        let (WriteStage::Sent(old) | WriteStage::Lost(old)) = write.stage else { return None };
        let number = self.announce(world, place, write.table)?;
        let node = &world.nodes[usize::from(place)];
        world.tiers[usize::from(node.tier)].close(old);
        Some(number)
    }

    fn renew(&self, world: &World, place: u8, out: &mut Turns<'_>) {
        let mut next = *world;
        let node = &mut next.nodes[usize::from(place)];
        let tier = &mut next.tiers[usize::from(node.tier)];
        match node.renew {
            Renew::None if node.id != 0 && self.has_leases(place) => {
                node.renew = Renew::Sent(LEASE);
                if self.has(PROMPT) {
                    // No later than now: in a tick nothing happens in between.
                    let sight = self.run_renew(node, place, tier);
                    self.hear(node, &world.announcements.map(|known| known.slot));
                    out.serve(Step::Renew(place), next, sight, false);
                } else {
                    out.add(Step::Renew(place), next);
                }
            }
            Renew::None => {}
            Renew::Sent(_) => {
                let sight = self.run_renew(node, place, tier);
                out.serve(Step::RenewRuns(place), next, sight, false);
            }
            Renew::Heard { .. } => {
                self.hear(node, &world.announcements.map(|known| known.slot));
                out.add(Step::RenewHeard(place), next);
            }
        }
        if node_renews(world, place) && world.left.losses > 0 {
            let mut next = *world;
            next.left.losses -= 1;
            next.nodes[usize::from(place)].renew = Renew::None;
            out.see(Step::RenewLost(place), next, Sight::LostRenew);
        }
        if world.nodes[usize::from(place)].undealt != 0 {
            let mut next = *world;
            let node = &mut next.nodes[usize::from(place)];
            let undealt = std::mem::take(&mut node.undealt);
            members(undealt).for_each(|number| {
                self.outdate(node, world.announcements[usize::from(number)].slot);
            });
            node.answers |= undealt;
            out.add(Step::Deal(place), next);
        }
    }

    /// At one moment of the tier.
    fn run_renew(&self, node: &mut Node, place: u8, tier: &mut Tier) -> Option<Sight> {
        let Renew::Sent(left) = node.renew else { return None };
        if !tier.knows(place, node.id, node.epoch) {
            self.forget(node);
            return None;
        }
        let inbox = tier.inboxes[usize::from(place)];
        for open in tier.open.iter_mut().flatten() {
            open.renewed |= open.waiting & bit(place);
        }
        if self.is(Weakened::RenewDrains) {
            tier.inboxes[usize::from(place)] = 0;
        }
        if !self.counts(tier) {
            node.renew = Renew::None;
            return Some(Sight::RenewWithoutReplica);
        }
        node.renew = Renew::Heard { left, inbox, settled: tier.unsettled == 0 };
        None
    }

    fn hear(&self, node: &mut Node, slots: &[u8]) {
        let Renew::Heard { left, inbox, settled } = node.renew else { return };
        node.renew = Renew::None;
        node.settled |= settled;
        if self.is(Weakened::AnswersBeforeDealing) && inbox != 0 {
            node.answers |= inbox;
            node.undealt |= inbox;
            return;
        }
        if self.is(Weakened::LeaseBeforeDealing) {
            node.undealt |= inbox;
        } else {
            for number in members(inbox) {
                self.outdate(node, slots.get(usize::from(number)).copied().unwrap_or_default());
            }
            node.answers |= inbox;
        }
        node.lease = if self.is(Weakened::LeasesFromTheReply) { LEASE } else { left };
    }

    fn answer(&self, world: &World, place: u8, out: &mut Turns<'_>) {
        for number in members(world.nodes[usize::from(place)].answers) {
            let mut next = *world;
            let node = &mut next.nodes[usize::from(place)];
            node.answers &= !bit(number);
            let tier = &mut next.tiers[usize::from(node.tier)];
            if tier.knows(place, node.id, node.epoch) {
                let known = world.announcements[usize::from(number)];
                tier.inboxes[usize::from(place)] &= !bit(number);
                for open in tier.open.iter_mut().flatten() {
                    if open.announcement == number {
                        open.waiting &= !bit(place);
                    }
                }
                let reader = &mut tier.readers[usize::from(known.slot)][usize::from(place)];
                let is_later = |since: &u8| *since >= known.generation;
                *reader = reader.filter(is_later).filter(|_| !self.is(Weakened::AnswersClearAll));
            }
            out.add(Step::Answer { node: place, announcement: number }, next);
        }
    }

    /// What happens to the tier, and what others do about nodes that are silent and writers that are gone.
    pub(crate) fn faults(&self, world: &World, out: &mut Turns<'_>) {
        if world.left.restarts > 0 {
            let mut next = *world;
            next.left.restarts -= 1;
            next.tiers[0] = Tier::default();
            out.see(Step::Restart, next, Sight::Restarted);
        }
        if world.left.failovers > 0 {
            let mut next = *world;
            next.left.failovers -= 1;
            next.tiers[0] = if self.is(Weakened::ReconnectsUnchecked) {
                Tier { readers: Default::default(), ..world.tiers[0] }
            } else {
                promoted(&world.tiers[0])
            };
            out.see(Step::Failover, next, Sight::FailedOver);
        }
        if world.left.splits > 0 {
            let mut next = *world;
            next.left.splits -= 1;
            next.tiers[1] = promoted(&world.tiers[0]);
            next.tiers[0].cut_off = true;
            out.see(Step::Split, next, Sight::Split);
        }
        for (number, tier) in (0..).zip(&world.tiers).filter(|(_, tier)| !tier.cut_off) {
            self.sweep(world, number, tier, out);
        }
    }

    fn sweep(&self, world: &World, number: u8, tier: &Tier, out: &mut Turns<'_>) {
        for place in 0..self.nodes {
            let node = &world.nodes[usize::from(place)];
            let id = tier.members[usize::from(place)];
            // It was not heard of for so long that its lease must be over.
            let has_lease = node.lease > 0 || matches!(node.renew, Renew::Heard { left: 1.., .. });
            if id != 0 && (node.id != id || !has_lease) {
                let mut next = *world;
                next.tiers[usize::from(number)].expel(place);
                out.see(Step::Expel { tier: number, node: place }, next, Sight::Expelled);
            }
        }
        for open in tier.open.iter().flatten() {
            let place = usize::from(open.node);
            let (node, announcement) = (&world.nodes[place], open.announcement);
            let is_gone = tier.members[place] != open.id;
            // Whatever it is announced as now: what was lent for it is not given back.
            let may_send = node.write.is_some_and(|write| {
                let stage = write.stage;
                matches!(stage, WriteStage::Free(_) | WriteStage::Sent(_) | WriteStage::Lost(_))
            });
            let has_backend = may_send || world.orphans[place].is_some();
            if is_gone && (!has_backend || self.is(Weakened::ClearsByTime)) {
                let mut next = *world;
                next.tiers[usize::from(number)].close(announcement);
                out.see(Step::Clear { tier: number, announcement }, next, Sight::Cleared);
            }
        }
    }
}

/// What a replica has that matters to a new epoch.
fn promoted(tier: &Tier) -> Tier {
    Tier { open: tier.open, entries: tier.entries, ..Tier::default() }
}

fn node_renews(world: &World, place: u8) -> bool {
    world.nodes[usize::from(place)].renew != Renew::None
}
