//! The protocol of `docs/CLUSTER.md`, searched: every order of everything that can happen in small worlds, with messages that
//! are late or lost, nodes and writers that stop or die at any point, and a tier that forgets, fails over or is cut off.
//!
//! What must hold: *what anybody has seen of a write, no read that begins afterwards misses.* As somebody may look at the
//! database itself at any time, everything is seen as soon as it is there. Each rule, weakened alone, must be found out;
//! and what the worlds are for (a hit, a lease that ends, a new epoch) must happen in them.
//!
//! `JUMPGATE_MODEL=long` searches larger worlds, for some minutes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a search fails by panicking with the way to the fault, and says how far it went"
)]

mod membership;
mod reads;
mod rules;
mod search;
mod world;
mod writes;

use crate::rules::{
    ENTRIES, FOLLOWERS, GIVES_UP, HITS_IN_STEPS, OWN_SLOTS, PROMPT, Rules, Sight, WRITERS_LEASES,
    Weakened,
};
use crate::search::search;
use crate::world::Budget;

/// Two writes, and replies that are lost.
const WRITES: Rules = Rules::new(2, GIVES_UP, Budget { writes: 2, losses: 1, joins: 1, ..NOTHING });
/// Hits that are interrupted.
const HITS: Rules = Rules::new(2, HITS_IN_STEPS, Budget { writes: 1, ..NOTHING });
/// Reads that wait for others.
const FOLLOWS: Rules = Rules::new(2, FOLLOWERS, Budget { writes: 1, ..NOTHING });
/// Replies in the tier.
const SHARES: Rules = Rules::new(2, ENTRIES, Budget { writes: 2, ..NOTHING });
/// Two tables in one slot, and a node that writes the one and reads the other.
const TABLES: Rules = Rules {
    tables: 2,
    readers: 1,
    writers: 3,
    ..Rules::new(2, PROMPT, Budget { writes: 2, ..NOTHING })
};
/// Two tables that share nothing.
const SLOTS: Rules =
    Rules { tables: 2, ..Rules::new(2, PROMPT | OWN_SLOTS, Budget { writes: 2, ..NOTHING }) };
/// Two readers, of whom the one finds what the other left.
const READERS: Rules = Rules::new(3, ENTRIES | PROMPT, Budget { writes: 1, ..NOTHING });
/// A tier that forgets everything.
const RESTART: Rules =
    Rules::new(2, WRITERS_LEASES | PROMPT, Budget { writes: 1, restarts: 1, joins: 2, ..NOTHING });
/// A tier whose place is taken by a replica.
const FAILOVER: Rules =
    Rules::new(2, WRITERS_LEASES | PROMPT, Budget { writes: 1, failovers: 1, joins: 2, ..NOTHING });
/// The same with replies in it.
const FAILOVER_OF_ENTRIES: Rules = Rules::new(
    2,
    ENTRIES | WRITERS_LEASES | PROMPT,
    Budget { writes: 1, failovers: 1, joins: 1, ..NOTHING },
);
/// A tier that goes on after that.
const SPLIT: Rules =
    Rules::new(2, WRITERS_LEASES | PROMPT, Budget { writes: 1, splits: 1, joins: 1, ..NOTHING });
/// Nodes that die, and statements of dead nodes that run.
const CRASH: Rules =
    Rules::new(2, 0, Budget { writes: 1, crashes: 1, losses: 1, joins: 1, ..NOTHING });

/// Of one state in so many it is also looked whether its writes come to an end.
const EVERY: u64 = 64;

const NOTHING: Budget =
    Budget { writes: 0, restarts: 0, failovers: 0, splits: 0, crashes: 0, losses: 0, joins: 0 };

/// The most states of one world, of a search that is for every day and of a long one.
const LIMITS: [usize; 2] = [1_000_000, 40_000_000];

/// Nothing is missed anywhere, and this happens somewhere.
fn holds(rules: Rules, sights: &[Sight]) {
    let [limit, long] = LIMITS;
    let is_long = std::env::var_os("JUMPGATE_MODEL").is_some_and(|how| how == "long");
    let (rules, limit) = if is_long { (rules.larger(), long) } else { (rules, limit) };
    let Budget { restarts, failovers, splits, .. } = rules.budget;
    // A world in which the tier begins anew may end before a node that has to join once more may do so.
    let every = if restarts + failovers + splits == 0 { EVERY } else { 0 };
    let found = search(&rules, limit, every);
    eprintln!("{} states, at most {} steps away", found.states, found.depth);
    if let Some(broken) = found.broken {
        panic!("{} after {:?}", broken.what, broken.steps);
    }
    for sight in sights {
        assert!(found.sights.contains(sight), "{sight:?} never happens");
    }
}

/// Each of these rules is needed: without it something is missed.
fn are_needed(rules: &[(Weakened, Rules)]) {
    for (weakened, rules) in rules {
        let found = search(&rules.weakened(*weakened), LIMITS[0], 0);
        let broken = found.broken.unwrap_or_else(|| panic!("{weakened:?} harms nobody"));
        eprintln!(
            "{weakened:?}: {} states, {} after {:?}",
            found.states, broken.what, broken.steps
        );
    }
}

#[test]
fn two_writes_of_one_slot_and_lost_replies() {
    use Sight::*;
    let sights = [AllAnswered, WaitedOut, GaveUp, HitInMemory, OutdatedFill, RefusedLook];
    holds(WRITES, &sights);
    let sights = [LeaseOver, LostRenew, LostConnection, LateStatement, Expelled, JoinedAgain];
    holds(Rules { budget: Budget { writes: 1, ..WRITES.budget }, ..WRITES }, &sights);
}

#[test]
fn hits_that_are_interrupted() {
    holds(HITS, &[Sight::AllAnswered, Sight::WaitedOut, Sight::HitInMemory]);
}

#[test]
fn reads_that_wait_for_others() {
    holds(FOLLOWS, &[Sight::AllAnswered, Sight::Followed, Sight::OutdatedFill]);
}

#[test]
fn replies_in_the_tier() {
    holds(SHARES, &[Sight::AllAnswered, Sight::HitInTheTier]);
}

#[test]
fn two_tables_in_one_slot() {
    holds(TABLES, &[Sight::AllAnswered, Sight::HitInMemory]);
}

#[test]
fn two_tables_that_share_nothing() {
    holds(SLOTS, &[Sight::AllAnswered, Sight::WaitedOut, Sight::HitInMemory]);
}

#[test]
fn two_readers() {
    holds(
        READERS,
        &[Sight::AllAnswered, Sight::WaitedOut, Sight::HitInMemory, Sight::HitInTheTier],
    );
}

#[test]
fn a_tier_that_forgets_everything() {
    use Sight::*;
    holds(RESTART, &[Restarted, NewEpoch, AnnouncedAgain, AllAnswered, HitInMemory]);
}

#[test]
fn a_replica_that_lacks_the_last_commands() {
    use Sight::*;
    holds(FAILOVER, &[FailedOver, NewEpoch, AllAnswered, HitInMemory]);
    holds(FAILOVER_OF_ENTRIES, &[FailedOver, NewEpoch, HitInTheTier]);
}

#[test]
fn a_tier_that_was_cut_off_and_goes_on() {
    use Sight::*;
    holds(SPLIT, &[Split, NewEpoch, RenewWithoutReplica, AllAnswered, HitInMemory]);
}

#[test]
fn nodes_that_die_and_statements_that_run_without_them() {
    use Sight::*;
    holds(CRASH, &[Crashed, LateStatement, Cleared, Expelled, JoinedAgain, HitInMemory]);
}

#[test]
fn each_rule_of_leases_and_messages_is_needed() {
    use Weakened::*;
    are_needed(&[
        (LeasesFromTheReply, WRITES),
        (NoDrift, WRITES),
        (LeaseCheckedAfter, HITS),
        (LeaseBeforeDealing, WRITES),
        (AnswersBeforeDealing, WRITES),
        (RenewDrains, WRITES),
        (AnswersClearAll, WRITES),
        (ExpelsRenewed, SLOTS),
        (MemoryOutlivesExpulsion, WRITES),
        (FillsOutliveExpulsion, WRITES),
    ]);
}

#[test]
fn each_rule_of_reads_is_needed() {
    use Weakened::*;
    are_needed(&[
        (EntriesWithoutGenerations, SHARES),
        (KeepsWhileWritten, WRITES),
        (StampsAfterLooking, WRITES),
        (AsksBeforeLooking, WRITES),
        (FollowsUnkept, FOLLOWS),
        (FollowsWithoutLease, FOLLOWS),
    ]);
}

#[test]
fn each_rule_of_writes_is_needed() {
    use Weakened::*;
    are_needed(&[
        (ClearsAtAnnouncement, WRITES),
        (ClearsOwnReader, TABLES),
        (EndsBeforeTheStatement, WRITES),
        (EndsOnALostConnection, WRITES),
        (ClearsByTime, CRASH),
    ]);
}

#[test]
fn each_rule_of_epochs_is_needed() {
    use Weakened::*;
    are_needed(&[
        (EpochsNotSettled, RESTART),
        (NotAnnouncedAgain, RESTART),
        (DoubleFault, RESTART),
        (LetsGoWithoutLease, RESTART),
        (EntriesOutliveEpochs, FAILOVER_OF_ENTRIES),
        (ReconnectsUnchecked, FAILOVER),
        (NoReplicasNeeded, SPLIT),
    ]);
}
