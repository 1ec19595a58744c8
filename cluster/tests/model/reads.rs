//! Reads: from memory, from the tier, from the database, and of those who wait for another's.

use crate::rules::{
    ENTRIES, FOLLOWERS, HITS_IN_STEPS, PROMPT, Rules, Sight, Step, Turns, Weakened,
};
use crate::world::{Entry, Fill, Hit, Stage, Store, World, WriteStage, bit};

impl Rules {
    pub(crate) fn reads(&self, world: &World, node: u8, out: &mut Turns<'_>) {
        if self.readers & bit(node) == 0 {
            return;
        }
        self.hits(world, node, out);
        match world.nodes[usize::from(node)].fill {
            None => self.begin_fill(world, node, out),
            Some(fill) => {
                self.follow(world, node, fill, out);
                match fill.stage {
                    Stage::Looking => self.look(world, node, fill, out),
                    Stage::Looked(_) | Stage::Loose => self.ask(world, node, fill, out),
                    Stage::Found(_) | Stage::Answered { .. } | Stage::LooseAnswered(_) => {
                        self.commit(world, node, fill, out);
                    }
                }
            }
        }
        self.store(world, node, out);
    }

    /// In two steps, for a node may be stopped between them; or in one where that is of no interest.
    fn hits(&self, world: &World, place: u8, out: &mut Turns<'_>) {
        let node = &world.nodes[usize::from(place)];
        if !self.has(HITS_IN_STEPS) {
            for (memory, present) in node.memory.iter().zip(world.database) {
                if let Some(version) = memory.filter(|_| node.lease > 0) {
                    let misses = version < present;
                    out.serve(Step::HitEnds(place), *world, Some(Sight::HitInMemory), misses);
                }
            }
            return;
        }
        let is_late = self.is(Weakened::LeaseCheckedAfter);
        if let Some(hit) = node.hit {
            let mut next = *world;
            next.nodes[usize::from(place)].hit = None;
            let memory = node.memory[usize::from(hit.table)];
            let found = if is_late { hit.found.filter(|_| node.lease > 0) } else { memory };
            let sight = found.map(|_| Sight::HitInMemory);
            let misses = found.is_some_and(|version| version < hit.wanted);
            out.serve(Step::HitEnds(place), next, sight, misses);
            return;
        }
        for table in 0..self.tables {
            let memory = node.memory[usize::from(table)];
            if memory.is_some() && (is_late || node.lease > 0) {
                let mut next = *world;
                let found = memory.filter(|_| is_late);
                let wanted = world.database[usize::from(table)];
                next.nodes[usize::from(place)].hit = Some(Hit { table, wanted, found });
                out.add(Step::Hit { node: place, table }, next);
            }
        }
    }

    fn begin_fill(&self, world: &World, place: u8, out: &mut Turns<'_>) {
        let node = &world.nodes[usize::from(place)];
        for table in 0..self.tables {
            let has = node.memory[usize::from(table)].is_some() && node.lease > 0;
            if node.id == 0 || has || self.is_writing(world, place, self.slot(table)) {
                continue;
            }
            let mut next = *world;
            let is_compared = self.has(FOLLOWERS | ENTRIES) || self.is(Weakened::AsksBeforeLooking);
            let wanted = if is_compared { world.database[usize::from(table)] } else { 0 };
            let fill = Fill {
                table,
                wanted,
                id: node.id,
                epoch: node.epoch,
                outdated: false,
                stage: Stage::Looking,
                follower: None,
            };
            next.nodes[usize::from(place)].fill = Some(fill);
            if self.has(PROMPT) {
                self.look(&next, place, fill, out);
            } else {
                out.add(Step::Fill { node: place, table }, next);
            }
        }
    }

    /// Whether this node itself writes it just now.
    fn is_writing(&self, world: &World, place: u8, slot: u8) -> bool {
        world.nodes[usize::from(place)].write.is_some_and(|write| {
            self.slot(write.table) == slot && !matches!(write.stage, WriteStage::Ended(_))
        })
    }

    fn look(&self, world: &World, place: u8, fill: Fill, out: &mut Turns<'_>) {
        let mut next = *world;
        let node = &mut next.nodes[usize::from(place)];
        let tier = &mut next.tiers[usize::from(node.tier)];
        let slot = self.slot(fill.table);
        let is_written = tier.open.iter().flatten().any(|open| open.slot == slot);
        let keeps = tier.knows(place, fill.id, fill.epoch)
            && tier.unsettled == 0
            && (!is_written || self.is(Weakened::KeepsWhileWritten));
        if !keeps {
            // Who follows wakes, and asks as well.
            node.fill =
                self.is(Weakened::FollowsUnkept).then_some(Fill { stage: Stage::Loose, ..fill });
            out.see(Step::Look(place), next, Sight::RefusedLook);
            return;
        }
        let generation = tier.generations[usize::from(slot)];
        tier.readers[usize::from(slot)][usize::from(place)] = Some(generation);
        let is_good = |entry: &Entry| {
            entry.generation == generation || self.is(Weakened::EntriesWithoutGenerations)
        };
        let entry = tier.entries[usize::from(fill.table)].filter(is_good);
        let stage = entry.map_or(Stage::Looked(generation), |entry| Stage::Found(entry.version));
        node.fill = Some(Fill { stage, ..fill });
        out.add(Step::Look(place), next);
    }

    fn ask(&self, world: &World, place: u8, fill: Fill, out: &mut Turns<'_>) {
        let mut next = *world;
        let present = world.database[usize::from(fill.table)];
        let version = if self.is(Weakened::AsksBeforeLooking) { fill.wanted } else { present };
        let stage = match fill.stage {
            Stage::Looked(generation) => Stage::Answered { generation, version },
            _ => Stage::LooseAnswered(version),
        };
        let outdated = fill.outdated && !self.is(Weakened::StampsAfterLooking);
        next.nodes[usize::from(place)].fill = Some(Fill { stage, outdated, ..fill });
        out.add(Step::Ask(place), next);
    }

    fn commit(&self, world: &World, place: u8, fill: Fill, out: &mut Turns<'_>) {
        let mut next = *world;
        let node = &mut next.nodes[usize::from(place)];
        node.fill = None;
        let (version, keeps) = match fill.stage {
            Stage::Found(version) => (version, true),
            Stage::Answered { generation, version } => {
                let entry = Entry { generation, version };
                let store = Store { table: fill.table, epoch: fill.epoch, entry };
                node.store = self.has(ENTRIES).then_some(store);
                (version, true)
            }
            Stage::LooseAnswered(version) => (version, false),
            Stage::Looking | Stage::Looked(_) | Stage::Loose => return,
        };
        if keeps && !fill.outdated {
            node.memory[usize::from(fill.table)] = Some(version);
        }
        let follower = fill.follower.filter(|_| !fill.outdated);
        let misses = version < fill.wanted || follower.is_some_and(|wanted| version < wanted);
        let sight = match fill {
            Fill { outdated: true, .. } => Some(Sight::OutdatedFill),
            Fill { follower: Some(_), .. } => Some(Sight::Followed),
            Fill { stage: Stage::Found(_), .. } => Some(Sight::HitInTheTier),
            _ => None,
        };
        out.serve(Step::Commit(place), next, sight, misses);
    }

    /// Somebody comes who wants the same, and waits for it.
    fn follow(&self, world: &World, place: u8, fill: Fill, out: &mut Turns<'_>) {
        let node = &world.nodes[usize::from(place)];
        let may = node.lease > 0 || self.is(Weakened::FollowsWithoutLease);
        if self.has(FOLLOWERS) && may && fill.follower.is_none() && !fill.outdated {
            let mut next = *world;
            let follower = Some(world.database[usize::from(fill.table)]);
            next.nodes[usize::from(place)].fill = Some(Fill { follower, ..fill });
            out.add(Step::Follow(place), next);
        }
    }

    fn store(&self, world: &World, place: u8, out: &mut Turns<'_>) {
        let mut next = *world;
        let node = &mut next.nodes[usize::from(place)];
        if let Some(Store { table, epoch, entry }) = node.store.take() {
            let tier = &mut next.tiers[usize::from(node.tier)];
            if tier.begun && tier.epoch == epoch {
                tier.entries[usize::from(table)] = Some(entry);
            }
            out.add(Step::Store(place), next);
        }
    }
}
