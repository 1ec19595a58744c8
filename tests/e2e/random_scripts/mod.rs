//! Random conversations in both protocols, on two clients that share two backends: what either client sees is what it sees of
//! the database itself, and what is in the database afterwards is the same.
//!
//! [`messages`] makes them of any messages, [`blocks`] of what drivers send around transactions. A script is made of its seed
//! alone, so that a difference can be had again: `JUMPGATE_SCRIPT_SEED=17 JUMPGATE_SCRIPTS=1`. How many there are says
//! `JUMPGATE_SCRIPTS`; `./run suites scripts` runs 20,000.

mod blocks;
mod messages;

use std::{fmt, panic::AssertUnwindSafe, time::Duration};

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage},
    wire::{Endpoint, Frame, Wire},
};
use futures_util::FutureExt;
use tokio::time::{Instant, timeout};

/// A difference is made smaller by at most so many replays, and for at most so long.
const MOST_TRIES: usize = 400;
const LONGEST: Duration = Duration::from_secs(45);

/// So many are run where nothing else is said: half a minute.
const SCRIPTS: u64 = 150;

/// Numbers that follow from a seed (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).expect("31 bits") % bound
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }
}

/// How scripts are made, and what is in the database before and after each.
struct Kind {
    script: fn(u64) -> Vec<Turn>,
    /// Run before each, through who is to be seen.
    fill: &'static [&'static str],
    /// What shows what a script has left.
    left: &'static str,
}

/// What one client sends in one write.
#[derive(Clone)]
struct Turn {
    client: usize,
    messages: Vec<Message>,
}

#[derive(Clone)]
struct Message {
    shown: String,
    bytes: Vec<u8>,
}

impl Turn {
    fn of(client: usize) -> Self {
        Self { client, messages: Vec::new() }
    }

    fn say(&mut self, shown: &str, bytes: &[u8]) {
        self.messages.push(Message { shown: shown.to_owned(), bytes: bytes.to_vec() });
    }

    /// How many ReadyForQuery it brings.
    fn groups(&self) -> usize {
        self.messages
            .iter()
            .filter(|message| matches!(message.bytes.first(), Some(b'S' | b'Q')))
            .count()
    }

    /// Whether its client wants to know what a statement is before it goes on.
    fn wants_description(&self) -> bool {
        let tag = |message: &Message| message.bytes.first().copied();
        matches!(&self.messages[..], [.., before, last]
            if tag(before) == Some(b'D') && tag(last) == Some(b'H'))
    }

    /// Whether there is anything to wait for.
    fn is_answered(&self) -> bool {
        self.groups() > 0 || self.wants_description()
    }
}

/// Longer than a client waits for a lock that the other one holds until the end of the script.
const WAIT: Duration = Duration::from_secs(2);

/// What both clients see, up to where the server has crashed, as PostgreSQL 15.18 does where a simple query meets what an error
/// in a block has left of a portal, or one client waits for the other, as a part of a script may have it.
async fn play(endpoint: &Endpoint, turns: &[Turn]) -> Vec<Vec<Frame>> {
    let mut clients = [Wire::connect(endpoint).await, Wire::connect(endpoint).await];
    let mut seen = Vec::new();
    for turn in turns {
        let client = &mut clients[turn.client];
        let bytes: Vec<u8> =
            turn.messages.iter().flat_map(|message| message.bytes.clone()).collect();
        client.send(&bytes).await;
        let mut frames = Vec::new();
        let (mut left, mut is_described) = (turn.groups(), !turn.wants_description());
        while left > 0 || !is_described {
            let Ok(Some(frame)) = timeout(WAIT, client.next()).await else { return seen };
            is_described |= left == 0 && matches!(frame.tag, b'T' | b'n' | b'E');
            left -= usize::from(frame.tag == b'Z');
            frames.push(without_place(frame));
        }
        seen.push(frames);
    }
    for client in clients {
        client.close().await;
    }
    seen
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}:", self.client)?;
        self.messages.iter().try_for_each(|message| write!(f, " [{}]", message.shown))
    }
}

/// What the database shows, and what Jumpgate does.
struct Seen {
    database: Vec<Vec<Frame>>,
    jumpgate: Vec<Vec<Frame>>,
}

impl Seen {
    /// The first turn in which they differ.
    fn difference(&self) -> Option<usize> {
        (0..self.database.len()).find(|at| self.jumpgate.get(*at) != Some(&self.database[*at]))
    }

    /// Whether Jumpgate refuses the unnamed statement that was parsed while settings changed, on another backend
    /// (docs/DIFFERENCES.md).
    fn is_refused(&self) -> bool {
        let refuses = |frame: &Frame| {
            frame.tag == b'E' && frame.field(b'M') == "cached plan must not change result type"
        };
        self.difference().is_some_and(|at| {
            let is_refused = self.jumpgate.get(at).is_some_and(|it| it.iter().any(refuses));
            is_refused && !self.database[at].iter().any(refuses)
        })
    }
}

/// The database, and who sees it directly and through Jumpgate.
struct World<'s> {
    stage: &'s Stage,
    kind: Kind,
    direct: Wire,
    through: Wire,
}

impl World<'_> {
    /// Plays a script on both. `None` where it shows nothing: the server has crashed, or a statement executes itself, which
    /// the database notices by its stack alone.
    async fn seen(&mut self, turns: &[Turn]) -> Option<Seen> {
        let Kind { fill, left, .. } = self.kind;
        for sql in fill {
            self.direct.run(sql).await;
        }
        let mut database = play(&self.stage.postgres.endpoint(), turns).await;
        if database.len() < turns.len() {
            self.direct = connected(&self.stage.postgres.endpoint()).await;
            return None;
        }
        let is_deep = |frame: &Frame| frame.tag == b'E' && frame.field(b'C') == "54001";
        if database.iter().flatten().any(is_deep) {
            return None;
        }
        database.push(self.direct.run(left).await);
        // Through Jumpgate, which is to know that its cache is of yesterday.
        for sql in fill {
            self.through.run(sql).await;
        }
        let mut jumpgate = play(&self.stage.endpoint(), turns).await;
        jumpgate.push(self.direct.run(left).await);
        Some(Seen { database, jumpgate })
    }
}

/// The script without each message that the difference does not need, and what is seen then.
async fn shrunk(world: &mut World<'_>, found: Vec<Turn>, seen_first: Seen) -> (Vec<Turn>, Seen) {
    let (mut turns, mut shown, mut tries) = (found, seen_first, 0);
    let until = Instant::now() + LONGEST;
    loop {
        let mut is_smaller = false;
        turns.truncate(shown.difference().map_or(turns.len(), |at| at + 1));
        let places = turns
            .iter()
            .enumerate()
            .flat_map(|(turn, of)| (0..of.messages.len()).map(move |at| (turn, at)));
        for (turn, at) in places.collect::<Vec<_>>().into_iter().rev() {
            tries += 1;
            if Instant::now() > until {
                return (turns, shown);
            }
            let mut fewer = turns.clone();
            fewer[turn].messages.remove(at);
            fewer.retain(Turn::is_answered);
            if let Some(seen) = world.seen(&fewer).await
                && seen.difference().is_some()
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

/// A connection to a server that may be starting again.
async fn connected(endpoint: &Endpoint) -> Wire {
    // It takes a moment to notice, and ends all other connections then.
    tokio::time::sleep(Duration::from_millis(500)).await;
    for _attempt in 0..200 {
        if let Ok(wire) = AssertUnwindSafe(Wire::connect(endpoint)).catch_unwind().await {
            return wire;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server does not come back");
}

/// A row description without the numbers of its tables, which are made anew for each play; an error or a notice without the
/// place in the server's source: a statement that a backend lacks is refused at its Parse,
/// and not at its Bind, and a COMMIT behind what is ours is one of an implicit block.
fn without_place(frame: Frame) -> Frame {
    if frame.tag == b'T' {
        return without_tables(frame);
    }
    if !matches!(frame.tag, b'E' | b'N') {
        return frame;
    }
    let fields = frame.body.split(|byte| *byte == 0);
    let kept = fields.filter(|field| !matches!(field.first(), Some(b'F' | b'L' | b'R')));
    Frame { tag: frame.tag, body: kept.collect::<Vec<_>>().join(&0).into() }
}

fn without_tables(frame: Frame) -> Frame {
    let mut body = frame.body.to_vec();
    let mut at = 2;
    while let Some(end) = body.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0)) {
        at += end + 1;
        body[at..at + 4].fill(0);
        at += 18;
    }
    Frame { tag: frame.tag, body: body.into() }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Plays scripts of a kind, `SCRIPTS` by this share of them, where these round trips are spared.
async fn compare(place: Place, kind: Kind, share: u64, round_trips: &str) {
    let round_trips = round_trips.to_owned();
    let stage = Stage::with(place, Setup { round_trips, ..Setup::pool_of(2) }).await;
    let direct = stage.direct().await;
    let through = stage.client().await;
    let mut world = World { stage: &stage, kind, direct, through };
    world.direct.run("CREATE TABLE script (client int PRIMARY KEY, v int)").await;
    let first = number("JUMPGATE_SCRIPT_SEED").unwrap_or(1);
    let (mut differences, mut unseen, mut refused) = (Vec::new(), 0, 0);
    let scripts = number("JUMPGATE_SCRIPTS").unwrap_or(SCRIPTS / share);
    for seed in first..first + scripts {
        let turns = (world.kind.script)(seed);
        let Some(first_seen) = world.seen(&turns).await else {
            unseen += 1;
            continue;
        };
        if first_seen.is_refused() {
            refused += 1;
            continue;
        }
        if first_seen.difference().is_some() {
            let (turns, seen) = shrunk(&mut world, turns, first_seen).await;
            let at = seen.difference().expect("one that was kept");
            let (database, jumpgate) = (&seen.database[at], seen.jumpgate.get(at));
            let shown: Vec<_> = turns.iter().map(Turn::to_string).collect();
            differences.push(format!(
                "seed {seed}:\n{}\n  database: {database:?}\n  jumpgate: {jumpgate:?}",
                shown.join("\n")
            ));
        }
        assert!(differences.len() < 5, "{}", differences.join("\n"));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(refused <= 2 + scripts / 100, "{refused} of {scripts} were refused");
    assert!(
        unseen <= 2 + scripts / 10,
        "{unseen} of {scripts} scripts crashed the database itself, or executed themselves"
    );
}

async fn random_conversations_show_what_the_database_shows(place: Place) {
    compare(place, messages::KIND, 1, "").await;
}

async fn random_transactions_show_what_the_database_shows(place: Place) {
    compare(place, blocks::KIND, 1, "").await;
}

/// Each round trip alone is waited for, and all of them.
async fn random_transactions_show_the_same_whatever_is_waited_for(place: Place) {
    let switches = ["descriptions", "begin", "commit", "settings", "catalog"];
    let off: Vec<String> = switches.iter().map(|it| format!("{it} = false")).collect();
    for round_trips in off.iter().cloned().chain([off.join("\n")]) {
        compare(place, blocks::KIND, 6, &round_trips).await;
    }
}

e2e::scenarios! {
    jumpgate_twice: [
        random_conversations_show_what_the_database_shows,
        random_transactions_show_what_the_database_shows,
    ],
    jumpgate_once: [random_transactions_show_the_same_whatever_is_waited_for],
}
