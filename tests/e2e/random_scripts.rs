//! Random conversations in both protocols, on two clients that share two backends: what either client sees is what it sees of
//! the database itself.
//!
//! A script is made of its seed alone, so that a difference can be had again: `JUMPGATE_SCRIPT_SEED=17 JUMPGATE_SCRIPTS=1`. How
//! many there are says `JUMPGATE_SCRIPTS`; `./run suites scripts` runs 20,000.

use std::{fmt, panic::AssertUnwindSafe, time::Duration};

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage},
    wire::{Endpoint, Frame, Wire, say},
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

const STATEMENTS: [&str; 3] = ["", "a", "b"];
const PORTALS: [&str; 2] = ["", "p"];

const TEXTS: [&str; 26] = [
    "SELECT 1",
    "SELECT 'two'",
    "SELECT $1::int + 1",
    "SELECT $1",
    "SELECT pg_typeof($1)::text, $1::text",
    "SELECT v FROM script WHERE client = CLIENT",
    "UPDATE script SET v = v + 1 WHERE client = CLIENT RETURNING v",
    "UPDATE script SET v = v + 1 WHERE client = CLIENT",
    "SELECT generate_series(1, 3)",
    "SELECT '2020-01-01 12:00'::timestamptz",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT s",
    "ROLLBACK TO s",
    "SELECT 1/0",
    "selekt",
    "SELECT * FROM nosuch",
    "SET TimeZone TO 'Asia/Tokyo'",
    "SET LOCAL TimeZone TO 'Asia/Tokyo'",
    "RESET TimeZone",
    "EXECUTE a",
    "DEALLOCATE a",
    "DEALLOCATE ALL",
    "",
    "SHOW TimeZone",
];

const SIMPLE: [&str; 11] = [
    "SELECT 1; SELECT 2",
    "BEGIN; SELECT 1",
    "SELECT 1; SELECT 1/0; SELECT 2",
    "DEALLOCATE a; SELECT 1/0",
    "SELECT 'a'; DEALLOCATE b",
    "SET TimeZone TO 'Asia/Tokyo'; SELECT '2020-01-01 12:00'::timestamptz",
    "COMMIT; SELECT 1",
    "EXECUTE b",
    "PREPARE a AS SELECT 'by SQL'",
    "PREPARE b (int) AS SELECT $1 + 1",
    "SELECT concat(name, ': ', statement, from_sql) FROM pg_prepared_statements WHERE name IN ('a', 'b') ORDER BY name",
];

fn script(seed: u64) -> Vec<Turn> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    (0..3 + random.below(8)).map(|_turn| turn(&mut random)).collect()
}

fn turn(random: &mut Random) -> Turn {
    let (client, groups) = (random.below(2), 1 + random.below(3) * random.below(2));
    let mut turn = Turn { client, messages: Vec::new() };
    for _group in 0..groups {
        if random.below(4) == 0 {
            let texts = if random.below(2) == 0 { &TEXTS[..] } else { &SIMPLE[..] };
            let text = random.one(texts).replace("CLIENT", &client.to_string());
            turn.say(&format!("Query {text:?}"), &say::query(&text));
            continue;
        }
        for _message in 0..1 + random.below(6) {
            turn.message(random);
        }
        turn.say("Sync", &say::sync());
    }
    turn
}

impl Turn {
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

    fn message(&mut self, random: &mut Random) {
        let (name, portal) = (random.one(&STATEMENTS), random.one(&PORTALS));
        match random.below(12) {
            0..=2 => {
                let text = random.one(&TEXTS).replace("CLIENT", &self.client.to_string());
                self.say(&format!("Parse {name} {text:?}"), &say::parse(name, &text, &[]));
                if random.below(2) == 0 {
                    self.bind(random, name, portal);
                }
            }
            3 | 4 => self.bind(random, name, portal),
            5 => self.say(&format!("Describe S {name}"), &say::describe(b'S', name)),
            6 => self.say(&format!("Describe P {portal}"), &say::describe(b'P', portal)),
            7 | 8 => {
                let limit = [0, 0, 1][random.below(3)];
                self.say(&format!("Execute {portal} {limit}"), &say::execute(portal, limit));
            }
            9 => self.say(&format!("Close S {name}"), &say::close(b'S', name)),
            10 => self.say(&format!("Close P {portal}"), &say::close(b'P', portal)),
            _ => self.say("Flush", &say::flush()),
        }
    }

    fn bind(&mut self, random: &mut Random, name: &str, portal: &str) {
        // One value too many or too few is an error that names the statement.
        let values: &[Option<&[u8]>] = if random.below(3) == 0 { &[Some(b"7")] } else { &[] };
        let shown = format!("Bind {portal} {name} {}", values.len());
        self.say(&shown, &say::bind(portal, name, &[], values, &[]));
        self.say(&format!("Execute {portal}"), &say::execute(portal, 0));
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
        let mut left = turn.groups();
        while left > 0 {
            let Ok(Some(frame)) = timeout(WAIT, client.next()).await else { return seen };
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

/// Plays a script on both. `None` where it shows nothing: the server has crashed, or a statement executes itself, which the
/// database notices by its stack alone.
async fn seen(stage: &Stage, around: &mut Wire, turns: &[Turn]) -> Option<Seen> {
    let fill = "DELETE FROM script; INSERT INTO script VALUES (0, 0), (1, 0)";
    around.run(fill).await;
    let database = play(&stage.postgres.endpoint(), turns).await;
    if database.len() < turns.len() {
        *around = connected(&stage.postgres.endpoint()).await;
        return None;
    }
    if database.iter().flatten().any(|frame| frame.tag == b'E' && frame.field(b'C') == "54001") {
        return None;
    }
    around.run(fill).await;
    let jumpgate = play(&stage.endpoint(), turns).await;
    Some(Seen { database, jumpgate })
}

/// The script without each message that the difference does not need, and what is seen then.
async fn shrunk(
    stage: &Stage,
    around: &mut Wire,
    found: Vec<Turn>,
    seen_first: Seen,
) -> (Vec<Turn>, Seen) {
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
            fewer.retain(|turn| turn.groups() > 0);
            if let Some(seen) = seen(stage, around, &fewer).await
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

/// An error or a notice without the place in the server's source: a statement that a backend lacks is refused at its Parse,
/// and not at its Bind, and a COMMIT behind what is ours is one of an implicit block.
fn without_place(frame: Frame) -> Frame {
    if !matches!(frame.tag, b'E' | b'N') {
        return frame;
    }
    let fields = frame.body.split(|byte| *byte == 0);
    let kept = fields.filter(|field| !matches!(field.first(), Some(b'F' | b'L' | b'R')));
    Frame { tag: frame.tag, body: kept.collect::<Vec<_>>().join(&0).into() }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

async fn random_conversations_show_what_the_database_shows(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut around = stage.direct().await;
    around.run("CREATE TABLE script (client int PRIMARY KEY, v int)").await;
    let first = number("JUMPGATE_SCRIPT_SEED").unwrap_or(1);
    let (mut differences, mut unseen, mut refused) = (Vec::new(), 0, 0);
    let scripts = number("JUMPGATE_SCRIPTS").unwrap_or(SCRIPTS);
    for seed in first..first + scripts {
        let turns = script(seed);
        let Some(first_seen) = seen(&stage, &mut around, &turns).await else {
            unseen += 1;
            continue;
        };
        if first_seen.is_refused() {
            refused += 1;
            continue;
        }
        if first_seen.difference().is_some() {
            let (turns, seen) = shrunk(&stage, &mut around, turns, first_seen).await;
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

e2e::scenarios! {
    jumpgate_twice: [random_conversations_show_what_the_database_shows],
}
