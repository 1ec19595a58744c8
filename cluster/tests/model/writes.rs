//! Writes: announced, waited for, let go, ended; and what becomes of them when a node or its connection dies.

use crate::rules::{GIVES_UP, PROMPT, Rules, Sight, Step, Turns, Weakened};
use crate::world::{
    ANNOUNCEMENTS, Announcement, Node, Open, Tier, World, Write, WriteStage, bit, members,
};

impl Rules {
    pub(crate) fn writes(&self, world: &World, place: u8, out: &mut Turns<'_>) {
        let node = &world.nodes[usize::from(place)];
        match node.write {
            None => self.begin_write(world, place, out),
            Some(write) => {
                self.go_on(world, place, write, out);
                self.end_early(world, place, write, out);
            }
        }
        self.backend(world, place, out);
    }

    fn begin_write(&self, world: &World, place: u8, out: &mut Turns<'_>) {
        let writes = self.writers & bit(place) != 0;
        if !writes || world.left.writes == 0 || world.nodes[usize::from(place)].id == 0 {
            return;
        }
        for table in 0..self.tables {
            let mut next = *world;
            next.left.writes -= 1;
            let node = &mut next.nodes[usize::from(place)];
            node.write = Some(Write { table, stage: WriteStage::Announcing });
            if self.is(Weakened::ClearsOwnReader) {
                node.memory[usize::from(table)] = None;
                let fill = node.fill.as_mut().filter(|fill| fill.table == table);
                fill.into_iter().for_each(|fill| fill.outdated = true);
            } else {
                self.outdate(node, self.slot(table));
            }
            out.add(Step::Write { node: place, table }, next);
        }
    }

    fn go_on(&self, world: &World, place: u8, write: Write, out: &mut Turns<'_>) {
        let mut next = *world;
        let node = &mut next.nodes[usize::from(place)];
        let tier = &mut next.tiers[usize::from(node.tier)];
        let knows = tier.knows(place, node.id, node.epoch);
        let mut to = |stage| node.write = Some(Write { stage, ..write });
        match write.stage {
            WriteStage::Announcing if node.id != 0 => {
                if knows {
                    let number = self.announce(&mut next, place, write.table);
                    let Some(number) = number else { return };
                    let node = &world.nodes[usize::from(place)];
                    let is_heard =
                        self.has(PROMPT) && self.counts(&world.tiers[usize::from(node.tier)]);
                    let stage = if is_heard {
                        WriteStage::Waiting { announcement: number, left: self.wait() }
                    } else {
                        WriteStage::Announced(number)
                    };
                    next.nodes[usize::from(place)].write = Some(Write { stage, ..write });
                } else {
                    self.forget(node);
                }
                out.add(Step::Announce(place), next);
            }
            WriteStage::Announced(announcement) if node.id != 0 && self.counts(tier) => {
                to(WriteStage::Waiting { announcement, left: self.wait() });
                out.add(Step::AnnounceHeard(place), next);
            }
            WriteStage::Waiting { announcement, left } => {
                let open = tier.open_of(announcement);
                if knows && tier.unsettled == 0 && open.is_some_and(|open| open.waiting == 0) {
                    to(WriteStage::Free(announcement));
                    out.see(Step::AllAnswered(place), next, Sight::AllAnswered);
                } else if left == 0 && node.settled {
                    to(WriteStage::Free(announcement));
                    let silent = open.map_or(0, |open| match self.weakened {
                        Some(Weakened::ExpelsRenewed) => open.waiting,
                        _ => open.waiting & !open.renewed,
                    });
                    members(if knows { silent } else { 0 }).for_each(|silent| tier.expel(silent));
                    out.see(Step::WaitOver(place), next, Sight::WaitedOut);
                }
            }
            WriteStage::Free(number) if node.lease > 0 || self.is(Weakened::LetsGoWithoutLease) => {
                to(WriteStage::Sent(number));
                if self.is(Weakened::EndsBeforeTheStatement) {
                    tier.close(number);
                }
                out.add(Step::Send(place), next);
            }
            WriteStage::Sent(number) => {
                to(WriteStage::Ended(number));
                next.database[usize::from(write.table)] += 1;
                out.add(Step::Execute(place), next);
            }
            WriteStage::Lost(number) if world.orphans[usize::from(place)].is_none() => {
                to(WriteStage::Ended(number));
                out.add(Step::BackendKnownGone(place), next);
            }
            WriteStage::Ended(number) => {
                tier.close(number);
                node.write = None;
                out.add(Step::End(place), next);
            }
            _ => {}
        }
    }

    /// The client does not wait, or the connection to the database is lost.
    fn end_early(&self, world: &World, place: u8, write: Write, out: &mut Turns<'_>) {
        let mut next = *world;
        let mut to = |stage| {
            next.nodes[usize::from(place)].write = Some(Write { stage, ..write });
        };
        match write.stage {
            WriteStage::Announced(number)
            | WriteStage::Waiting { announcement: number, .. }
            | WriteStage::Free(number)
                if self.has(GIVES_UP) =>
            {
                to(WriteStage::Ended(number));
                out.see(Step::GiveUp(place), next, Sight::GaveUp);
            }
            WriteStage::Sent(number)
                if world.left.losses > 0 && world.orphans[usize::from(place)].is_none() =>
            {
                let is_over = self.is(Weakened::EndsOnALostConnection);
                to(if is_over { WriteStage::Ended(number) } else { WriteStage::Lost(number) });
                next.left.losses -= 1;
                next.orphans[usize::from(place)] = Some(write.table);
                out.see(Step::ConnectionLost(place), next, Sight::LostConnection);
            }
            _ => {}
        }
    }

    /// A statement whose sender does not hear of it any more, and the sender's end.
    fn backend(&self, world: &World, place: u8, out: &mut Turns<'_>) {
        if let Some(table) = world.orphans[usize::from(place)] {
            let mut next = *world;
            next.orphans[usize::from(place)] = None;
            out.add(Step::BackendGone(place), next);
            next.database[usize::from(table)] += 1;
            out.see(Step::BackendRuns(place), next, Sight::LateStatement);
        }
        let node = &world.nodes[usize::from(place)];
        let is_free = world.orphans[usize::from(place)].is_none();
        let is_writer = self.writers & bit(place) != 0;
        if world.left.crashes > 0 && node.id != 0 && is_free && is_writer {
            let mut next = *world;
            next.left.crashes -= 1;
            let lease = u8::from(!self.has_leases(place));
            next.nodes[usize::from(place)] = Node { tier: node.tier, lease, ..Node::default() };
            if let Some(Write { table, stage: WriteStage::Sent(_) }) = node.write {
                next.orphans[usize::from(place)] = Some(table);
            }
            out.see(Step::Crash(place), next, Sight::Crashed);
        }
    }

    /// At one moment of the tier: the generation rises, the slot is marked, its readers are told. Its number, unless there
    /// were too many.
    pub(crate) fn announce(&self, world: &mut World, place: u8, table: u8) -> Option<u8> {
        let number = world.announced;
        let known = world
            .announcements
            .get_mut(usize::from(number))
            .filter(|_| usize::from(number) < ANNOUNCEMENTS)?;
        world.announced += 1;
        let node = &world.nodes[usize::from(place)];
        let (slot, tier) = (self.slot(table), &mut world.tiers[usize::from(node.tier)]);
        let generation = &mut tier.generations[usize::from(slot)];
        *generation += 1;
        *known = Announcement { slot, generation: *generation };
        let readers = &mut tier.readers[usize::from(slot)];
        let is_told = |reader: &u8| readers[usize::from(*reader)].is_some() && *reader != place;
        let told = (0..self.nodes).filter(is_told).fold(0, |set, reader| set | bit(reader));
        for reader in members(told) {
            tier.inboxes[usize::from(reader)] |= bit(number);
            if self.is(Weakened::ClearsAtAnnouncement) {
                readers[usize::from(reader)] = None;
            }
        }
        if self.is(Weakened::ClearsOwnReader) {
            readers[usize::from(place)] = None;
        }
        let id = node.id;
        let open = Open { node: place, id, announcement: number, slot, waiting: told, renewed: 0 };
        *tier.open.iter_mut().find(|open| open.is_none())? = Some(open);
        Some(number)
    }
}

impl Tier {
    /// Whether this is the epoch, and one of its nodes, that a command names.
    pub(crate) fn knows(&self, place: u8, id: u8, epoch: u8) -> bool {
        self.begun && self.epoch == epoch && id != 0 && self.members[usize::from(place)] == id
    }

    pub(crate) fn open_of(&self, announcement: u8) -> Option<Open> {
        self.open.into_iter().flatten().find(|open| open.announcement == announcement)
    }

    pub(crate) fn close(&mut self, announcement: u8) {
        for place in &mut self.open {
            if place.is_some_and(|open| open.announcement == announcement) {
                *place = None;
            }
        }
    }

    pub(crate) fn expel(&mut self, node: u8) {
        let place = usize::from(node);
        self.members[place] = 0;
        self.inboxes[place] = 0;
        self.readers.iter_mut().for_each(|readers| readers[place] = None);
        self.open.iter_mut().flatten().for_each(|open| open.waiting &= !bit(node));
    }
}
