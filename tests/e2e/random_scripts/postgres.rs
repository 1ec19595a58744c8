//! PostgreSQL, in both protocols; the server may crash of a script.

use std::{panic::AssertUnwindSafe, time::Duration};

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage},
    wire::{Endpoint, Frame, Wire},
};
use futures_util::FutureExt;
use tokio::time::timeout;

use super::{
    blocks,
    comparing::{self, Seen, World},
    messages,
    turn::{Kind, Turn},
};

/// So many are run where nothing else is said: half a minute.
const SCRIPTS: u64 = 150;

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

/// The database, and who sees it directly and through Jumpgate.
struct Postgres {
    stage: Stage,
    kind: Kind,
    direct: Wire,
    through: Wire,
}

impl World for Postgres {
    type Turn = Turn;
    type Told = Vec<Frame>;

    fn script(&self, seed: u64) -> Vec<Turn> {
        (self.kind.script)(seed)
    }

    /// Nothing is seen where the server has crashed, or a statement executes itself, which the database notices by its
    /// stack alone.
    async fn seen(&mut self, turns: &[Turn]) -> Option<Seen<Vec<Frame>>> {
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

    /// Each without one message.
    fn smaller(turns: &[Turn]) -> Vec<Vec<Turn>> {
        let messages =
            |(at, turn): (usize, &Turn)| (0..turn.messages.len()).map(move |it| (at, it));
        let places: Vec<_> = turns.iter().enumerate().flat_map(messages).collect();
        let without = |(turn, message): (usize, usize)| {
            let mut fewer = turns.to_vec();
            fewer[turn].messages.remove(message);
            fewer.retain(Turn::is_answered);
            fewer
        };
        places.into_iter().rev().map(without).collect()
    }

    /// Jumpgate refuses the unnamed statement that was parsed while settings changed, on another backend
    /// (docs/DIFFERENCES.md).
    fn is_known(seen: &Seen<Vec<Frame>>) -> bool {
        let refuses = |frame: &Frame| {
            frame.tag == b'E' && frame.field(b'M') == "cached plan must not change result type"
        };
        seen.difference().is_some_and(|at| {
            let is_refused = seen.jumpgate.get(at).is_some_and(|it| it.iter().any(refuses));
            is_refused && !seen.database[at].iter().any(refuses)
        })
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

/// Plays scripts of a kind, `SCRIPTS` by this share of them, where these round trips are spared.
async fn compare(place: Place, kind: Kind, share: u64, round_trips: &str) {
    let round_trips = round_trips.to_owned();
    let stage = Stage::with(place, Setup { round_trips, ..Setup::pool_of(2) }).await;
    let mut direct = stage.direct().await;
    direct.run("CREATE TABLE script (client int PRIMARY KEY, v int)").await;
    let through = stage.client().await;
    let mut world = Postgres { stage, kind, direct, through };
    comparing::compare(&mut world, SCRIPTS, share).await;
}

async fn random_conversations_show_what_the_database_shows(place: Place) {
    compare(place, messages::KIND, 1, "").await;
}

async fn random_transactions_show_what_the_database_shows(place: Place) {
    compare(place, blocks::KIND, 1, "").await;
}

async fn random_transactions_show_the_same_whatever_is_waited_for(place: Place) {
    for round_trips in comparing::switched_off() {
        compare(place, blocks::KIND, 10, &round_trips).await;
    }
}

e2e::scenarios! {
    jumpgate_twice: [
        random_conversations_show_what_the_database_shows,
        random_transactions_show_what_the_database_shows,
        random_transactions_show_the_same_whatever_is_waited_for,
    ],
}
