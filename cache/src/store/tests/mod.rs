//! The rules of the store one by one, and a model: whatever the order of lookups, reads, commits and
//! writes, no reply is served that is older than what the origin showed at the lookup.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::Writing;
use crate::key::KeyBuilder;

mod ages;
mod shared;

fn cache() -> Cache {
    Cache::new(CacheLimits {
        capacity_bytes: 1 << 20,
        collecting_bytes: 6000,
        max_entry_bytes: 4096,
    })
}

fn scope() -> Arc<str> {
    Arc::from("origin")
}

fn key(name: &str) -> Key {
    KeyBuilder::new("origin").field("sql", name.as_bytes()).finish()
}

fn tables(names: &[&str]) -> Vec<TableName> {
    names.iter().map(|name| TableName::bare(name)).collect()
}

fn written(name: &str) -> Writes {
    Writes::Tables(tables(&[name]))
}

fn reply(text: &'static str) -> Reply {
    Reply { rows: vec![Bytes::from_static(text.as_bytes())], ..Reply::default() }
}

fn text(reply: &Reply) -> &[u8] {
    reply.rows.first().map(|row| row.as_ref()).unwrap_or_default()
}

const FRESH: Freshness = Freshness {
    max_age: Duration::from_secs(60),
    stale_while_revalidate: Duration::from_secs(15),
    born_by: None,
};

fn look(cache: &Cache) -> Lookup {
    cache.lookup(key("q"), &scope(), &tables(&["t"]), FRESH)
}

#[track_caller]
fn lead(lookup: Lookup) -> Fill {
    let Lookup::Lead(fill) = lookup else { panic!("expected to lead, not {lookup:?}") };
    fill
}

#[track_caller]
fn follow(lookup: Lookup) -> Flight {
    let Lookup::Follow(flight) = lookup else { panic!("expected to follow, not {lookup:?}") };
    flight
}

#[track_caller]
fn hit(lookup: Lookup) -> Arc<Reply> {
    let Lookup::Hit(reply) = lookup else { panic!("expected a hit, not {lookup:?}") };
    reply
}

/// FAULTS §4, a `no-cache` read does not replace the old entry.
#[tokio::test(start_paused = true)]
async fn a_renewed_reply_replaces_what_was_asked_for_before() {
    let cache = cache();
    assert!(lead(look(&cache)).commit(reply("old")));
    let renew = || cache.renew(key("q"), &scope(), &tables(&["t"]));
    let fill = renew().unwrap();
    assert_eq!(text(&hit(look(&cache))), b"old", "until it is there");
    assert!(fill.commit(reply("new")));
    assert_eq!(text(&hit(look(&cache))), b"new");
    // Whoever asked earlier and hears later does not put the old one back, and neither keeps nor frees anybody else's place.
    cache.purge("origin");
    let earlier = lead(look(&cache));
    let follower = follow(look(&cache));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(renew().unwrap().commit(reply("newer")));
    assert!(earlier.commit(reply("older")));
    assert_eq!(text(&follower.landed().await.unwrap()), b"older", "it asked before, too");
    assert_eq!(text(&hit(look(&cache))), b"newer");
    let writing = cache.write(&scope(), &written("t"), 0);
    assert!(renew().is_none(), "nothing is kept while it is written");
    drop(writing);
    assert_eq!(cache.stats().flights, 0);
}

#[tokio::test]
async fn followers_share_the_leader_s_reply() {
    let cache = cache();
    let fill = lead(look(&cache));
    let (one, two) = (follow(look(&cache)), follow(look(&cache)));
    assert!(fill.commit(reply("one")));
    assert_eq!(text(&one.landed().await.unwrap()), b"one");
    assert_eq!(text(&two.landed().await.unwrap()), b"one");
    assert_eq!(cache.stats().flights, 0);
}

#[tokio::test]
async fn a_leader_s_failure_wakes_the_followers_empty_handed() {
    let cache = cache();
    let fill = lead(look(&cache));
    let follower = follow(look(&cache));
    drop(fill);
    assert!(follower.landed().await.is_none());
    drop(lead(look(&cache)));
}

#[tokio::test]
async fn a_write_during_the_query_refuses_the_reply_and_frees_the_followers() {
    let cache = cache();
    let fill = lead(look(&cache));
    let follower = follow(look(&cache));
    cache.invalidate("origin", &written("t"));
    assert!(!fill.commit(reply("old")));
    assert!(follower.landed().await.is_none());
    drop(lead(look(&cache)));
    assert_eq!(cache.stats().outdated_fills, 1);
}

#[tokio::test]
async fn who_asks_after_a_write_does_not_follow_a_leader_from_before_it() {
    let cache = cache();
    let old = lead(look(&cache));
    cache.invalidate("origin", &written("t"));
    let new = lead(look(&cache));
    let follower = follow(look(&cache));
    // The old leader ends first; it must not take the new one off the map.
    assert!(!old.commit(reply("old")));
    let late = follow(look(&cache));
    assert!(new.commit(reply("new")));
    assert_eq!(text(&follower.landed().await.unwrap()), b"new");
    assert_eq!(text(&late.landed().await.unwrap()), b"new");
    assert_eq!(text(&hit(look(&cache))), b"new");
}

#[tokio::test]
async fn a_write_to_another_table_or_origin_changes_nothing() {
    let cache = cache();
    assert!(lead(look(&cache)).commit(reply("one")));
    cache.invalidate("origin", &written("other"));
    cache.invalidate("elsewhere", &written("t"));
    cache.purge("elsewhere");
    hit(look(&cache));
}

#[tokio::test]
async fn a_purge_empties_the_scope() {
    let cache = cache();
    assert!(lead(look(&cache)).commit(reply("one")));
    cache.purge("origin");
    drop(lead(look(&cache)));
    assert_eq!(cache.stats().entries, 0);
}

#[tokio::test]
async fn a_reply_that_is_too_large_reaches_the_followers_but_is_not_stored() {
    let cache = cache();
    let fill = lead(look(&cache));
    assert!(fill.fits(4096) && !fill.fits(4097));
    let follower = follow(look(&cache));
    let large = Reply { rows: vec![Bytes::from(vec![0; 5000])], ..Reply::default() };
    assert!(!fill.commit(large));
    assert!(follower.landed().await.is_some());
    drop(lead(look(&cache)));
}

/// FAULTS row 60.
#[tokio::test]
async fn replies_that_are_being_collected_are_bounded_together() {
    let cache = cache();
    let lead_of = |name| lead(cache.lookup(key(name), &scope(), &[], FRESH));
    let (mut one, mut other) = (lead_of("one"), lead_of("other"));
    assert!(one.grow(4000) && !one.grow(4000), "no more than an entry may have");
    assert!(!other.grow(4000), "6000 bytes for all");
    assert!(other.grow(2000));
    drop(one);
    assert!(other.grow(2000));
}

#[tokio::test]
async fn the_capacity_in_bytes_is_kept() {
    let cache = Cache::new(CacheLimits {
        capacity_bytes: 10_000,
        collecting_bytes: 10_000,
        max_entry_bytes: 4096,
    });
    for number in 0..100 {
        let key = key(&number.to_string());
        let large = Reply { rows: vec![Bytes::from(vec![0; 1000])], ..Reply::default() };
        lead(cache.lookup(key, &scope(), &[], FRESH)).commit(large);
    }
    let stats = cache.stats();
    assert!(stats.bytes <= 10_000 && stats.entries > 0, "{stats:?}");
}

#[tokio::test]
async fn a_follower_may_stop_waiting() {
    let cache = cache();
    let fill = lead(look(&cache));
    let waiting = follow(look(&cache));
    let gone = tokio::time::timeout(Duration::ZERO, waiting.landed()).await;
    assert!(gone.is_err());
    assert!(fill.commit(reply("one")));
}

#[tokio::test]
async fn while_a_table_is_written_its_replies_are_neither_served_nor_stored() {
    let cache = cache();
    assert!(lead(look(&cache)).commit(reply("old")));
    let other = |cache: &Cache| cache.lookup(key("o"), &scope(), &tables(&["t"]), FRESH);
    let fill = lead(other(&cache));
    let writing = cache.write(&scope(), &written("t"), 0);
    assert!(matches!(look(&cache), Lookup::Written));
    assert!(!fill.commit(reply("old")), "the write may have been seen by others already");
    drop(writing);
    assert!(lead(look(&cache)).commit(reply("new")));
    assert_eq!(text(&hit(look(&cache))), b"new");
}

/// One step of one of the sessions in the model.
#[derive(Clone, Debug)]
enum Step {
    /// Look up one of the keys.
    Look(usize),
    /// The origin answers one of the queries under way: it sees the tables as they are now.
    Answer(usize),
    /// One of the answered queries commits.
    Commit(usize),
    /// One of the queries under way fails.
    Fail(usize),
    /// A write to this table is sent.
    Send(usize),
    /// One of the writes under way becomes visible at the origin.
    Write(usize),
    /// The origin's answer to one of the writes arrives.
    Hear(usize),
    /// The cache is told that the table was written by somebody else.
    Invalidate(usize),
    /// Time passes.
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3_usize).prop_map(Step::Look),
        3 => any::<usize>().prop_map(Step::Answer),
        3 => any::<usize>().prop_map(Step::Commit),
        1 => any::<usize>().prop_map(Step::Fail),
        2 => (0..2_usize).prop_map(Step::Send),
        2 => any::<usize>().prop_map(Step::Write),
        2 => any::<usize>().prop_map(Step::Hear),
        1 => (0..2_usize).prop_map(Step::Invalidate),
        1 => (0..50_u64).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..120)
}

/// The origin's two tables as versions, and who is asking and writing.
#[derive(Default)]
struct Model {
    visible: [u64; 2],
    writes: Vec<(Writing, usize)>,
    queries: Vec<(Fill, Option<[u64; 2]>)>,
    followers: Vec<(Flight, usize, [u64; 2])>,
}

const TABLES: [&[&str]; 3] = [&["t0"], &["t1"], &["t0", "t1"]];

impl Model {
    /// A reply of `key` must show at least these versions of the tables that it reads.
    fn check(key: usize, reply: &Reply, least: [u64; 2]) {
        let seen: Vec<u64> = text(reply)
            .chunks(8)
            .map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
            .collect();
        for table in 0..2 {
            let reads = TABLES[key].contains(&["t0", "t1"][table]);
            assert!(!reads || seen[table] >= least[table], "{key}: {seen:?} < {least:?}");
        }
    }

    async fn step(&mut self, cache: &Cache, step: Step) {
        let pick = |number: usize, len: usize| number.checked_rem(len);
        match step {
            Step::Look(number) => self.look(cache, number),
            Step::Answer(number) => {
                if let Some(at) = pick(number, self.queries.len()) {
                    self.queries[at].1.get_or_insert(self.visible);
                }
            }
            Step::Commit(number) => {
                let Some(at) = pick(number, self.queries.len()) else { return };
                if let Some([one, two]) = self.queries[at].1 {
                    let row = [one.to_le_bytes(), two.to_le_bytes()].concat();
                    let (fill, _) = self.queries.swap_remove(at);
                    fill.commit(Reply { rows: vec![Bytes::from(row)], ..Reply::default() });
                }
            }
            Step::Fail(number) => {
                if let Some(at) = pick(number, self.queries.len()) {
                    drop(self.queries.swap_remove(at));
                }
            }
            Step::Send(table) => {
                let writing = cache.write(&scope(), &written(["t0", "t1"][table]), 0);
                self.writes.push((writing, table));
            }
            Step::Write(number) => {
                if let Some(at) = pick(number, self.writes.len()) {
                    self.visible[self.writes[at].1] += 1;
                }
            }
            Step::Hear(number) => {
                if let Some(at) = pick(number, self.writes.len()) {
                    drop(self.writes.swap_remove(at));
                }
            }
            Step::Invalidate(table) => {
                cache.invalidate("origin", &written(["t0", "t1"][table]));
            }
            Step::Wait(seconds) => tokio::time::advance(Duration::from_secs(seconds)).await,
        }
    }

    fn look(&mut self, cache: &Cache, number: usize) {
        let key_of = key(["k0", "k1", "k2"][number]);
        match cache.lookup(key_of, &scope(), &tables(TABLES[number]), FRESH) {
            Lookup::Hit(reply) | Lookup::Stale(reply, None) => {
                Self::check(number, &reply, self.visible);
            }
            Lookup::Stale(reply, Some(fill)) => {
                Self::check(number, &reply, self.visible);
                self.queries.push((fill, None));
            }
            Lookup::Lead(fill) => self.queries.push((fill, None)),
            Lookup::Written => assert!(!self.writes.is_empty()),
            Lookup::Follow(flight) => self.followers.push((flight, number, self.visible)),
        }
    }

    async fn end(self) {
        drop(self.queries);
        for (flight, number, least) in self.followers {
            if let Some(reply) = flight.landed().await {
                Self::check(number, &reply, least);
            }
        }
    }
}

proptest! {
    #[test]
    fn no_reply_is_older_than_what_anybody_could_see_at_the_lookup(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let cache = cache();
            let mut model = Model::default();
            for step in steps {
                model.step(&cache, step).await;
            }
            model.end().await;
        });
    }
}

/// The same rule with real threads: one writes, the others look up, lead and commit.
#[test]
fn no_reply_is_older_than_what_could_be_seen_across_threads() {
    let (cache, visible) = (cache(), AtomicU64::new(0));
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for version in 1..=3000 {
                let writing = cache.write(&scope(), &written("t"), 0);
                visible.store(version, Ordering::SeqCst);
                drop(writing);
                if version % 7 == 0 {
                    std::thread::yield_now();
                }
            }
        });
        for _ in 0..3 {
            threads.spawn(|| {
                for _ in 0..3000 {
                    let least = visible.load(Ordering::SeqCst);
                    match look(&cache) {
                        Lookup::Hit(reply) | Lookup::Stale(reply, _) => {
                            let seen = u64::from_le_bytes(text(&reply).try_into().unwrap());
                            assert!(seen >= least);
                        }
                        Lookup::Lead(fill) => {
                            let row = visible.load(Ordering::SeqCst).to_le_bytes().to_vec();
                            fill.commit(Reply { rows: vec![row.into()], ..Reply::default() });
                        }
                        Lookup::Follow(flight) => drop(flight),
                        Lookup::Written => {}
                    }
                }
            });
        }
    });
}
