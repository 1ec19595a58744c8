//! Plays scripts by their seeds, and makes those small that show a difference.

use std::{
    fmt::{Debug, Display},
    time::Duration,
};

use tokio::time::Instant;

/// A difference is made smaller by at most so many replays, and for at most so long.
const MOST_TRIES: usize = 400;
const LONGEST: Duration = Duration::from_secs(45);

/// What is shown of a difference, of each side.
const MOST_SHOWN: usize = 2000;

/// The database, and who sees it directly and through Jumpgate.
pub(crate) trait World {
    /// What a client says before it waits.
    type Turn: Clone + Display;
    /// What it is told then.
    type Told: PartialEq + Debug;

    /// The script of a seed.
    fn script(&self, seed: u64) -> Vec<Self::Turn>;

    /// Plays a script on both. `None` where it shows nothing.
    async fn seen(&mut self, turns: &[Self::Turn]) -> Option<Seen<Self::Told>>;

    /// The scripts that are a little smaller than this one.
    fn smaller(turns: &[Self::Turn]) -> Vec<Vec<Self::Turn>>;

    /// Whether what differs is a known difference.
    fn is_known(seen: &Seen<Self::Told>) -> bool;
}

/// What the database shows, and what Jumpgate does, turn by turn; last of all, what the script has left.
pub(crate) struct Seen<T> {
    pub(crate) database: Vec<T>,
    pub(crate) jumpgate: Vec<T>,
}

impl<T: PartialEq> Seen<T> {
    /// The first turn in which they differ.
    pub(crate) fn difference(&self) -> Option<usize> {
        (0..self.database.len()).find(|at| self.jumpgate.get(*at) != Some(&self.database[*at]))
    }
}

/// The script without each part that the difference does not need, and what is seen then.
async fn shrunk<W: World>(
    world: &mut W,
    found: Vec<W::Turn>,
    seen_first: Seen<W::Told>,
) -> (Vec<W::Turn>, Seen<W::Told>) {
    let (mut turns, mut shown, mut tries) = (found, seen_first, 0);
    let until = Instant::now() + LONGEST;
    loop {
        let mut is_smaller = false;
        turns.truncate(shown.difference().map_or(turns.len(), |at| at + 1));
        for fewer in W::smaller(&turns) {
            tries += 1;
            if Instant::now() > until {
                return (turns, shown);
            }
            if let Some(seen) = world.seen(&fewer).await
                && seen.difference().is_some()
                && !W::is_known(&seen)
            {
                (turns, shown, is_smaller) = (fewer, seen, true);
                break;
            }
        }
        if !is_smaller || tries > MOST_TRIES {
            return (turns, shown);
        }
    }
}

/// What a variable of the environment says, if that is a number.
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn excerpt(told: &impl Debug) -> String {
    format!("{told:?}").chars().take(MOST_SHOWN).collect()
}

/// Plays this share of so many scripts, or of as many as `JUMPGATE_SCRIPTS` says.
pub(crate) async fn compare<W: World>(world: &mut W, usual: u64, share: u64) {
    let first = number("JUMPGATE_SCRIPT_SEED").unwrap_or(1);
    let (mut differences, mut unseen, mut known) = (Vec::new(), 0, 0);
    let scripts = number("JUMPGATE_SCRIPTS").unwrap_or(usual).div_ceil(share);
    for seed in first..first + scripts {
        let turns = world.script(seed);
        let Some(first_seen) = world.seen(&turns).await else {
            unseen += 1;
            continue;
        };
        if W::is_known(&first_seen) {
            known += 1;
            continue;
        }
        if first_seen.difference().is_some() {
            let (turns, seen) = shrunk(world, turns, first_seen).await;
            let at = seen.difference().expect("one that was kept");
            let (database, jumpgate) =
                (excerpt(&seen.database[at]), excerpt(&seen.jumpgate.get(at)));
            let shown: Vec<_> = turns.iter().map(W::Turn::to_string).collect();
            differences.push(format!(
                "seed {seed}:\n{}\n  database: {database}\n  jumpgate: {jumpgate}",
                shown.join("\n")
            ));
        }
        assert!(differences.len() < 5, "{}", differences.join("\n"));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(known <= 2 + scripts / 100, "{known} of {scripts} have shown known differences");
    assert!(unseen <= 2 + scripts / 10, "{unseen} of {scripts} have shown nothing");
}

/// The keys of `[database.round_trips]` with which each round trip alone is waited for, and all of them.
pub(crate) fn switched_off() -> Vec<String> {
    let switches = ["descriptions", "begin", "commit", "settings", "catalog"];
    let mut off: Vec<String> = switches.iter().map(|it| format!("{it} = false")).collect();
    off.push(off.join("\n"));
    off
}
