//! One budget for all that is remembered (`[cache] capacity_bytes`), whoever asks for how much; and it is given back.

use std::time::Duration;

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage},
    wire::{Wire, say, sqlstate},
};
use tokio::time::{Instant, sleep};

const MIB: u64 = 1 << 20;
/// The budget.
const CAPACITY: u64 = 32 * MIB;
/// What a process may need besides: buffers of connections, and what the allocator has not given back yet.
const BESIDES: u64 = 48 * MIB;

async fn stage(place: Place) -> Stage {
    let cache = format!("capacity_bytes = {CAPACITY}");
    Stage::with(place, Setup { cache, ..Setup::pool_of(4) }).await
}

/// FAULTS row 60: results, statements that clients prepare, and what was found of texts.
async fn what_is_remembered_stays_within_its_budget(place: Place) {
    let mut stage = stage(place).await;
    let mut client = stage.client().await;
    client.run("SELECT name FROM item WHERE id = 1").await;
    let before = stage.jumpgate().proxy().peak_memory();
    let most = before + CAPACITY + BESIDES;
    for n in 0..300 {
        client.run(&format!("SELECT repeat('x', 1000000), {n} FROM item WHERE id = 1")).await;
    }
    let peak = stage.jumpgate().proxy().peak_memory();
    assert!(peak < most, "{} MiB after 300 results of a megabyte", peak / MIB);
    for n in 0..400 {
        client
            .run(&format!("SELECT {} FROM item WHERE id = {n}", "id + ".repeat(3000) + "1"))
            .await;
    }
    let peak = stage.jumpgate().proxy().peak_memory();
    assert!(peak < most, "{} MiB after texts of 27 kB", peak / MIB);
    let filler = "x".repeat(100_000);
    let mut greedy = Vec::new();
    let mut refused = 0;
    for _client in 0..3 {
        let mut client = stage.client().await;
        for n in 0..200 {
            let sql = format!("SELECT '{filler}', {n}");
            let parse = say::parse(&format!("s{n}"), &sql, &[]);
            match sqlstate(&client.ask(&[parse, say::sync()]).await).as_str() {
                "" => {}
                "53200" => refused += 1,
                other => panic!("{other}"),
            }
        }
        greedy.push(client);
    }
    assert!(refused > 400, "{refused} refused: 60 MB do not fit");
    let peak = stage.jumpgate().proxy().peak_memory();
    assert!(peak < most, "{} MiB after statements of 100 kB", peak / MIB);
    // Who wants little has it all the while, and those go on with what they have.
    let mut modest = stage.client().await;
    for n in 0..20 {
        let parse = say::parse(&format!("s{n}"), "SELECT name FROM item WHERE id = $1", &[]);
        assert_eq!(sqlstate(&modest.ask(&[parse, say::sync()]).await), "");
    }
    for client in &mut greedy {
        assert_eq!(client.value("SELECT 'still here'").await, "still here");
    }
    let close = (0..200).map(|n| say::close(b'S', &format!("s{n}"))).collect::<Vec<_>>();
    let mut first = greedy.remove(0);
    first.ask(&[close.concat(), say::sync()].map(|bytes| bytes.to_vec())).await;
    let parse = say::parse("again", &format!("SELECT '{filler}'"), &[]);
    assert_eq!(sqlstate(&first.ask(&[parse, say::sync()]).await), "", "closed ones make room");
}

/// FAULTS row 60: what is not needed any more goes back to the system. (The C library kept all of it: many small pieces, of which
/// some are in use.)
async fn memory_is_given_back(place: Place) {
    let cache = format!("capacity_bytes = {}", 256 * MIB);
    let mut stage = Stage::with(place, Setup { cache, ..Setup::pool_of(4) }).await;
    let mut client = stage.client().await;
    client.run("CREATE TABLE large AS SELECT 'x'::text AS filler").await;
    let before = stage.jumpgate().proxy().memory();
    let deadline = Instant::now() + Duration::from_secs(60);
    while fill(&stage, &mut client, "repeat('x', 4000)").await < 4e7 {
        assert!(Instant::now() < deadline, "the new table's rows are kept");
    }
    assert!(fill(&stage, &mut client, "'small'").await < 1.2e7);
    loop {
        let more = stage.jumpgate().proxy().memory().saturating_sub(before);
        if more < 28 * MIB {
            return;
        }
        assert!(Instant::now() < deadline, "{} MiB more than at first", more / MIB);
        sleep(Duration::from_millis(500)).await;
    }
}

/// What the cache holds after 10,000 reads of a row like this, in bytes.
async fn fill(stage: &Stage, client: &mut Wire, filler: &str) -> f64 {
    client.run(&format!("UPDATE large SET filler = {filler}")).await;
    for n in 0..10_000 {
        client.run(&format!("SELECT filler, {n} FROM large")).await;
    }
    stage.metrics().await.sum("jumpgate_cache_bytes", &[])
}

e2e::scenarios! {
    jumpgate_once: [what_is_remembered_stays_within_its_budget, memory_is_given_back],
}
