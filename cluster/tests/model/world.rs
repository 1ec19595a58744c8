//! All that can be different: nodes, tiers, the database, and what is under way between them.
//!
//! Time passes in ticks. Every clock is as wrong as the drift allows, to the worse side: a lease lasts [`LEASE`] ticks, the
//! waiting for its end [`WAIT`], which is the same time by a clock that runs fast. A node is stopped by not taking a step;
//! a message is late by not being taken up.

/// The most nodes.
pub(crate) const NODES: usize = 3;
/// Tables, which may share a slot.
pub(crate) const TABLES: usize = 2;
/// The most announcements there can be.
pub(crate) const ANNOUNCEMENTS: usize = 8;
/// How long a lease lasts, by a clock that is slow.
pub(crate) const LEASE: u8 = 2;
/// How long its end is waited for, by a clock that is fast.
pub(crate) const WAIT: u8 = 2;

/// What a table holds: how often it was written.
pub(crate) type Version = u8;
/// A set of nodes, or of announcements.
pub(crate) type Set = u8;

/// Everything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct World {
    pub(crate) nodes: [Node; NODES],
    /// The tier, and the replica that may take its place.
    pub(crate) tiers: [Tier; 2],
    pub(crate) database: [Version; TABLES],
    /// Statements that the database may still run, though the node that sent them hears nothing of it.
    pub(crate) orphans: [Option<u8>; NODES],
    pub(crate) announcements: [Announcement; ANNOUNCEMENTS],
    pub(crate) announced: u8,
    pub(crate) epochs: u8,
    pub(crate) ids: u8,
    pub(crate) left: Budget,
}

/// How often things may still happen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub(crate) struct Budget {
    pub(crate) writes: u8,
    /// The tier is restarted and remembers nothing.
    pub(crate) restarts: u8,
    /// The tier is replaced by a replica that lacks the last command.
    pub(crate) failovers: u8,
    /// The tier is cut off from the replica that takes its place, and goes on.
    pub(crate) splits: u8,
    pub(crate) crashes: u8,
    /// A reply to a `renew` is lost, or a writer's connection to the database.
    pub(crate) losses: u8,
    /// Nodes that join.
    pub(crate) joins: u8,
}

/// One proxy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Node {
    /// Which tier it is connected to.
    pub(crate) tier: u8,
    /// As whom it has joined; 0 while it has not.
    pub(crate) id: u8,
    pub(crate) epoch: u8,
    pub(crate) settled: bool,
    /// How much is left of its lease.
    pub(crate) lease: u8,
    pub(crate) renew: Renew,
    pub(crate) memory: [Option<Version>; TABLES],
    pub(crate) fill: Option<Fill>,
    pub(crate) hit: Option<Hit>,
    pub(crate) write: Option<Write>,
    /// Announcements that it has dealt with and answers.
    pub(crate) answers: Set,
    /// Announcements that it has heard of and not dealt with (only if a rule is weakened).
    pub(crate) undealt: Set,
    pub(crate) store: Option<Store>,
}

/// A `renew` under way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) enum Renew {
    #[default]
    None,
    /// The lease that it will give has so much left.
    Sent(u8),
    Heard {
        left: u8,
        inbox: Set,
        settled: bool,
    },
}

/// A read that memory could not answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Fill {
    pub(crate) table: u8,
    /// What had been seen when it began.
    pub(crate) wanted: Version,
    /// As whom its node looked.
    pub(crate) id: u8,
    pub(crate) epoch: u8,
    /// Something has outdated it.
    pub(crate) outdated: bool,
    pub(crate) stage: Stage,
    /// What had been seen when somebody began to wait for the same reply.
    pub(crate) follower: Option<Version>,
}

/// How far a fill is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stage {
    Looking,
    /// It is a reader since this generation.
    Looked(u8),
    /// The tier had an entry.
    Found(Version),
    Answered {
        generation: u8,
        version: Version,
    },
    /// What it asks the database is for nobody else (and still followed, if that rule is weakened).
    Loose,
    LooseAnswered(Version),
}

/// A read that memory answers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Hit {
    pub(crate) table: u8,
    pub(crate) wanted: Version,
    /// What was looked up (before the lease, if that rule is weakened).
    pub(crate) found: Option<Version>,
}

/// A write of a node's client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Write {
    pub(crate) table: u8,
    pub(crate) stage: WriteStage,
}

/// How far a write is; with the number of its announcement.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum WriteStage {
    Announcing,
    /// The tier has it, its node does not know yet.
    Announced(u8),
    Waiting {
        announcement: u8,
        left: u8,
    },
    /// All have answered, or the wait is over.
    Free(u8),
    /// The statement is on its way to the database.
    Sent(u8),
    /// So it was when the connection was lost.
    Lost(u8),
    /// Its end is known, or it was never sent; `end` is under way.
    Ended(u8),
}

/// A reply on its way into the tier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Store {
    pub(crate) table: u8,
    pub(crate) epoch: u8,
    pub(crate) entry: Entry,
}

/// What the tier keeps of a table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Entry {
    pub(crate) generation: u8,
    pub(crate) version: Version,
}

/// What a writer told all readers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Announcement {
    pub(crate) slot: u8,
    pub(crate) generation: u8,
}

/// A server process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Tier {
    /// Its state was begun in this process.
    pub(crate) begun: bool,
    pub(crate) epoch: u8,
    /// How much is left until the epoch is settled.
    pub(crate) unsettled: u8,
    /// It has no replica any more: another process has taken its place.
    pub(crate) cut_off: bool,
    pub(crate) generations: [u8; TABLES],
    pub(crate) members: [u8; NODES],
    /// Of each slot and node, the generation at which it became a reader.
    pub(crate) readers: [[Option<u8>; NODES]; TABLES],
    pub(crate) inboxes: [Set; NODES],
    pub(crate) open: [Option<Open>; NODES],
    pub(crate) entries: [Option<Entry>; TABLES],
}

/// A write that was announced and has not ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Open {
    pub(crate) node: u8,
    pub(crate) id: u8,
    pub(crate) announcement: u8,
    pub(crate) slot: u8,
    /// Who has not answered.
    pub(crate) waiting: Set,
    /// Who has renewed since.
    pub(crate) renewed: Set,
}

pub(crate) const fn bit(number: u8) -> Set {
    1 << number
}

/// The members of a set.
pub(crate) fn members(set: Set) -> impl Iterator<Item = u8> {
    (0..8).filter(move |number| set & bit(*number) != 0)
}

impl World {
    /// The same, with the nodes in another order: the one at `order[i]` comes to the place `i`.
    pub(crate) fn reordered(&self, order: [usize; NODES]) -> Self {
        let mut place = [0; NODES];
        for (to, from) in order.into_iter().enumerate() {
            place[from] = to;
        }
        let set = |set: Set| {
            members(set)
                .fold(0, |sum, node| sum | 1 << place.get(usize::from(node)).copied().unwrap_or(0))
        };
        let mut next = *self;
        next.nodes = order.map(|from| self.nodes[from]);
        next.orphans = order.map(|from| self.orphans[from]);
        for (tier, old) in next.tiers.iter_mut().zip(&self.tiers) {
            tier.members = order.map(|from| old.members[from]);
            tier.inboxes = order.map(|from| old.inboxes[from]);
            tier.readers = old.readers.map(|readers| order.map(|from| readers[from]));
            for open in tier.open.iter_mut().flatten() {
                open.node = u8::try_from(place[usize::from(open.node)]).unwrap_or_default();
                (open.waiting, open.renewed) = (set(open.waiting), set(open.renewed));
            }
            tier.open.sort_unstable();
        }
        next
    }
}
