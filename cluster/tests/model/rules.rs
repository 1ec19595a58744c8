//! The rules of `docs/CLUSTER.md`, and what each would be without its point.

use crate::search::{Model, Turn};
use crate::world::{
    Budget, LEASE, NODES, Node, Renew, Set, Tier, WAIT, World, Write, WriteStage, bit,
};

/// The protocol in a world of a certain size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) nodes: u8,
    pub(crate) tables: u8,
    /// All tables are in one slot.
    /// Who reads, and who writes.
    pub(crate) readers: Set,
    pub(crate) writers: Set,
    pub(crate) parts: u8,
    pub(crate) budget: Budget,
    pub(crate) weakened: Option<Weakened>,
}

/// A hit may be interrupted between the look at the lease and the one at memory.
pub(crate) const HITS_IN_STEPS: u8 = 1;
/// Some wait for what others ask.
pub(crate) const FOLLOWERS: u8 = 2;
/// The tier keeps replies.
pub(crate) const ENTRIES: u8 = 4;
/// Who only writes may lose its lease as well.
pub(crate) const WRITERS_LEASES: u8 = 8;
/// A write may be given up.
pub(crate) const GIVES_UP: u8 = 16;

/// What is asked of the tier is answered in the same step.
pub(crate) const PROMPT: u8 = 32;

/// Tables do not share a slot.
pub(crate) const OWN_SLOTS: u8 = 64;

/// A rule that does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Weakened {
    /// Readers are forgotten when they are told and not when they answer.
    ClearsAtAnnouncement,
    /// A lease counts from when the reply came.
    LeasesFromTheReply,
    /// A writer waits for as long as a lease lasts by its own clock.
    NoDrift,
    /// What the tier has of a key answers whoever looks.
    EntriesWithoutGenerations,
    /// Replies are kept while one of their tables is written.
    KeepsWhileWritten,
    /// The marks go before the statement comes.
    EndsBeforeTheStatement,
    /// A write ends when its connection is lost.
    EndsOnALostConnection,
    /// An epoch is settled when it begins.
    EpochsNotSettled,
    /// Who joins a new epoch does not announce again.
    NotAnnouncedAgain,
    /// A new epoch is settled though a statement is under way that nobody has announced in it: the double fault.
    DoubleFault,
    /// Numbers of generations begin anew and entries stay.
    EntriesOutliveEpochs,
    /// Memory stays when a node joins again.
    MemoryOutlivesExpulsion,
    /// A fill that was under way stays when a node joins again.
    FillsOutliveExpulsion,
    /// The lease is looked at after memory.
    LeaseCheckedAfter,
    /// The lease counts before its messages were dealt with.
    LeaseBeforeDealing,
    /// Messages are answered before they were dealt with.
    AnswersBeforeDealing,
    /// A fill is outdated only by what comes after the reply to its `look`.
    StampsAfterLooking,
    /// The database is asked before the `look`.
    AsksBeforeLooking,
    /// Who asks for nobody else is followed.
    FollowsUnkept,
    /// Somebody is followed without a lease.
    FollowsWithoutLease,
    /// A write is let go without a lease.
    LetsGoWithoutLease,
    /// The marks of a dead writer go with time, not with its backend.
    ClearsByTime,
    /// An announcement clears its own node as a reader, which outdated the table and not the slot.
    ClearsOwnReader,
    /// `renew` empties the inbox.
    RenewDrains,
    /// An answer takes back a reader of the same generation too.
    AnswersClearAll,
    /// A waiting writer expels who has renewed since.
    ExpelsRenewed,
    /// Connections are made again without a look at the process.
    ReconnectsUnchecked,
    /// A primary need not have its replicas.
    NoReplicasNeeded,
}

/// What happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Tick,
    Join(u8),
    Renew(u8),
    RenewRuns(u8),
    RenewHeard(u8),
    RenewLost(u8),
    Deal(u8),
    Answer { node: u8, announcement: u8 },
    Hit { node: u8, table: u8 },
    HitEnds(u8),
    Fill { node: u8, table: u8 },
    Look(u8),
    Ask(u8),
    Commit(u8),
    Follow(u8),
    Store(u8),
    Write { node: u8, table: u8 },
    Announce(u8),
    AnnounceHeard(u8),
    AllAnswered(u8),
    WaitOver(u8),
    Send(u8),
    Execute(u8),
    GiveUp(u8),
    End(u8),
    ConnectionLost(u8),
    BackendRuns(u8),
    BackendGone(u8),
    BackendKnownGone(u8),
    Crash(u8),
    Reconnect(u8),
    Expel { tier: u8, node: u8 },
    Clear { tier: u8, announcement: u8 },
    Restart,
    Failover,
    Split,
}

/// What should happen somewhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Sight {
    HitInMemory,
    HitInTheTier,
    Followed,
    OutdatedFill,
    RefusedLook,
    AllAnswered,
    WaitedOut,
    Expelled,
    LostRenew,
    LostConnection,
    LateStatement,
    Crashed,
    Cleared,
    Restarted,
    FailedOver,
    Split,
    RenewWithoutReplica,
    NewEpoch,
    JoinedAgain,
    AnnouncedAgain,
    LeaseOver,
    GaveUp,
}

/// What is gathered for the search.
pub(crate) struct Turns<'a>(pub(crate) &'a mut Vec<Turn<Rules>>);

impl Turns<'_> {
    pub(crate) fn add(&mut self, step: Step, after: World) {
        self.0.push(Turn { step, after, sight: None, broken: None });
    }

    pub(crate) fn see(&mut self, step: Step, after: World, sight: Sight) {
        self.0.push(Turn { step, after, sight: Some(sight), broken: None });
    }

    /// A reply was given; whether it missed what somebody had seen before it was asked for.
    pub(crate) fn serve(&mut self, step: Step, after: World, sight: Option<Sight>, misses: bool) {
        let broken = misses.then_some("a read missed what had been seen before it");
        self.0.push(Turn { step, after, sight, broken });
    }
}

impl Rules {
    /// One writes and the others read; all have joined, in an epoch that is settled.
    pub(crate) const fn new(nodes: u8, parts: u8, budget: Budget) -> Self {
        let writers = 1;
        let readers = (1 << nodes) - 1 - writers;
        Self { nodes, tables: 1, readers, writers, parts, budget, weakened: None }
    }

    pub(crate) const fn has(&self, part: u8) -> bool {
        self.parts & part != 0
    }

    /// Whether it is of interest when this node has a lease; if not, it always has one.
    pub(crate) const fn has_leases(&self, node: u8) -> bool {
        self.has(WRITERS_LEASES) || self.readers & bit(node) != 0
    }

    /// The same with replies that are late, and another chance to come in.
    pub(crate) const fn larger(self) -> Self {
        let budget = Budget { joins: self.budget.joins + 1, ..self.budget };
        let parts = if self.nodes == 2 { self.parts & !PROMPT } else { self.parts };
        Self { parts, budget, ..self }
    }

    pub(crate) const fn weakened(self, rule: Weakened) -> Self {
        Self { weakened: Some(rule), ..self }
    }

    pub(crate) fn is(&self, weakened: Weakened) -> bool {
        self.weakened == Some(weakened)
    }

    pub(crate) const fn slot(&self, table: u8) -> u8 {
        if self.has(OWN_SLOTS) { table } else { 0 }
    }

    /// Makes a node one that has not joined.
    pub(crate) fn forget(&self, node: &mut Node) {
        if !self.is(Weakened::MemoryOutlivesExpulsion) {
            node.memory = Default::default();
        }
        if let Some(fill) = &mut node.fill
            && !self.is(Weakened::FillsOutliveExpulsion)
        {
            fill.outdated = true;
        }
        let Node { tier, memory, fill, hit, write, store, .. } = *node;
        *node = Node { tier, memory, fill, hit, write, store, ..Node::default() };
    }

    /// What was read of a slot is worth nothing any more.
    pub(crate) fn outdate(&self, node: &mut Node, slot: u8) {
        for table in 0..self.tables {
            if self.slot(table) == slot {
                node.memory[usize::from(table)] = None;
            }
        }
        if let Some(fill) = &mut node.fill
            && self.slot(fill.table) == slot
        {
            fill.outdated = true;
        }
    }

    fn tick(&self, world: &World, out: &mut Turns<'_>) {
        let mut next = *world;
        let mut is_over = false;
        for (number, node) in (0..).zip(&mut next.nodes) {
            is_over |= node.lease == 1;
            node.lease = node.lease.saturating_sub(u8::from(self.has_leases(number)));
            match &mut node.renew {
                Renew::None => {}
                Renew::Sent(left) | Renew::Heard { left, .. } => {
                    *left = left.saturating_sub(1);
                }
            }
            if let Some(Write { stage: WriteStage::Waiting { left, .. }, .. }) = &mut node.write {
                *left = left.saturating_sub(1);
            }
        }
        for tier in &mut next.tiers {
            let may_settle = self.is(Weakened::DoubleFault) || !has_unannounced(world, tier);
            if tier.unsettled > 1 || may_settle {
                tier.unsettled = tier.unsettled.saturating_sub(1);
            }
        }
        if is_over {
            out.see(Step::Tick, next, Sight::LeaseOver);
        } else {
            out.add(Step::Tick, next);
        }
    }

    pub(crate) const fn wait(&self) -> u8 {
        match self.weakened {
            Some(Weakened::NoDrift) => WAIT - 1,
            _ => WAIT,
        }
    }
}

/// Whether a statement is under way that nobody has announced here. That an epoch is not settled then is what the protocol
/// assumes: see the last paragraph of `docs/CLUSTER.md`.
fn has_unannounced(world: &World, tier: &Tier) -> bool {
    let is_marked =
        |place: usize| tier.open.iter().flatten().any(|open| usize::from(open.node) == place);
    (0..NODES).any(|place| {
        let node = &world.nodes[place];
        let stage = node.write.map(|write| write.stage);
        let is_sent = matches!(stage, Some(WriteStage::Sent(_) | WriteStage::Lost(_)));
        // Who has joined has had its chance.
        let could_not = is_sent && (node.id == 0 || tier.members[place] != node.id);
        (could_not || world.orphans[place].is_some()) && !is_marked(place)
    })
}

impl Model for Rules {
    type State = World;
    type Step = Step;
    type Sight = Sight;

    fn first(&self) -> World {
        let mut world = World { left: self.budget, epochs: 1, ids: self.nodes, ..World::default() };
        world.tiers[0] = Tier { begun: true, epoch: 1, ..Tier::default() };
        for place in 0..self.nodes {
            let id = place + 1;
            let lease = u8::from(!self.has_leases(place));
            let node = Node { id, epoch: 1, settled: true, lease, ..Node::default() };
            world.nodes[usize::from(place)] = node;
            world.tiers[0].members[usize::from(place)] = id;
        }
        world
    }

    fn turns(&self, world: &World, turns: &mut Vec<Turn<Self>>) {
        let mut out = Turns(turns);
        self.tick(world, &mut out);
        for node in 0..self.nodes {
            self.membership(world, node, &mut out);
            self.reads(world, node, &mut out);
            self.writes(world, node, &mut out);
        }
        self.faults(world, &mut out);
    }

    fn stuck(&self, world: &World) -> Option<&'static str> {
        let is_stuck = (0..self.nodes).any(|silent| !self.ends_without(silent, world));
        is_stuck.then_some("a write never ends")
    }

    fn canonical(&self, world: &World) -> World {
        let role = |node: usize| (self.readers >> node & 1, self.writers >> node & 1);
        let orders = ORDERS.iter().filter(|order| (0..NODES).all(|to| role(order[to]) == role(to)));
        orders.map(|order| world.reordered(*order)).min().unwrap_or(*world)
    }
}

impl Rules {
    /// Whether every write ends though one node does nothing any more, and nothing else goes wrong: within a few leases.
    fn ends_without(&self, silent: u8, world: &World) -> bool {
        let rules = Self { weakened: Some(Weakened::DoubleFault), ..*self };
        let left = Budget { joins: u8::MAX, ..Budget::default() };
        let mut world = World { left, ..*world };
        let (mut turns, mut found) = (Vec::new(), None);
        let others = |world: &World| {
            let nodes = (0..).zip(&world.nodes).filter(|(node, _)| *node != silent);
            nodes.into_iter().all(|(_, node)| node.write.is_none())
        };
        for _tick in 0..ROUNDS {
            // Leases are renewed once in a tick, and all else is done as soon as it can be.
            for renews in [true, false] {
                for _turn in 0..TURNS {
                    rules.turns(&world, &mut turns);
                    let goes_on = |turn: &Turn<Self>| match turn.step.node() {
                        Some(node) if node == silent => false,
                        _ => turn.step.goes_on(renews, silent, &world),
                    };
                    found = turns.drain(..).find(goes_on).map(|turn| turn.after);
                    let Some(next) = found else { break };
                    world = next;
                }
            }
            if others(&world) {
                return true;
            }
            rules.tick(&world.clone(), &mut Turns(&mut turns));
            world = turns.drain(..).next().map_or(world, |turn| turn.after);
        }
        found.is_some() && others(&world)
    }
}

impl Step {
    /// Whose it is.
    const fn node(self) -> Option<u8> {
        match self {
            Self::Join(node)
            | Self::Renew(node)
            | Self::RenewRuns(node)
            | Self::RenewHeard(node)
            | Self::Answer { node, .. }
            | Self::Announce(node)
            | Self::AnnounceHeard(node)
            | Self::AllAnswered(node)
            | Self::WaitOver(node)
            | Self::Send(node)
            | Self::Execute(node)
            | Self::End(node)
            | Self::BackendKnownGone(node)
            | Self::Reconnect(node) => Some(node),
            _ => None,
        }
    }

    /// Whether it brings somebody's write nearer to its end.
    fn goes_on(self, renews: bool, silent: u8, world: &World) -> bool {
        match self {
            Self::Renew(node) => renews && world.nodes[usize::from(node)].lease < LEASE,
            Self::BackendGone(_) | Self::Clear { .. } => true,
            Self::Expel { node, .. } => node == silent,
            other => other.node().is_some(),
        }
    }
}

/// Ticks within which a write must end: an epoch is settled, leases end, and it is announced once more.
const ROUNDS: u8 = 4 * WAIT;
/// More than there is to do in one.
const TURNS: u8 = 100;

/// All that three nodes can stand in.
const ORDERS: [[usize; NODES]; 6] =
    [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
