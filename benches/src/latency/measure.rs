//! The rounds: each case once in every round, so that what disturbs the machine disturbs all alike.

use std::{ops::RangeFrom, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use tokio::time::{Instant, sleep};

use super::{
    case::{Answer, Case, Sample, Statement, Way},
    client::{Client, Door},
    report::Row,
    say::say,
    world::{KEYS, World, value},
};

/// Measures every case, so many times.
///
/// # Errors
///
/// A client is refused, an answer is wrong, or the cache did not do what the case is about.
///
/// # Cancel safety
///
/// Dropping the future closes the connection that it has open.
pub async fn measure(world: &World, rounds: u32) -> Result<Vec<Row>> {
    let mut keys = CACHED_KEY + 1..;
    let mut rows = Vec::new();
    for way in [Way::Tcp, Way::Tunnel] {
        let case = Case { way, statement: Statement::Text, answer: Answer::Cold };
        let door = world.door(way);
        rows.push(Row { case, samples: vec![sample(&door, case, &mut keys).await?] });
        warm(&door).await.with_context(|| format!("{way}: warming up"))?;
    }
    let mut measured: Vec<_> =
        Case::all().into_iter().map(|case| Row { case, samples: Vec::new() }).collect();
    for round in 1..=rounds {
        say(&format!("{}: round {round} of {rounds}", world.name()));
        for Row { case, samples } in &mut measured {
            let door = world.door(case.way);
            let taken = sample(&door, *case, &mut keys).await;
            let Case { way, statement, answer } = case;
            samples.push(taken.with_context(|| format!("{way}, {statement}, {answer}"))?);
        }
    }
    rows.extend(measured);
    Ok(rows)
}

/// One client: it connects, asks twice and leaves.
async fn sample(door: &Door, case: Case, keys: &mut RangeFrom<i32>) -> Result<Sample> {
    let mut key = || match case.answer {
        Answer::Cached => Ok(CACHED_KEY),
        Answer::Cold | Answer::Uncached => {
            keys.next().filter(|key| *key <= KEYS).context("no key is left")
        }
    };
    let (one, other) = (key()?, key()?);
    let begun = Instant::now();
    let mut client = door.connect().await?;
    let answer = client.ask(case.statement, one).await?;
    let first = begun.elapsed();
    verify(&mut client, case, one, &answer).await.context("the first query")?;
    let begun = Instant::now();
    let answer = client.ask(case.statement, other).await?;
    let second = begun.elapsed();
    verify(&mut client, case, other, &answer).await.context("the second query")?;
    client.close().await;
    Ok(Sample { first, second })
}

async fn verify(client: &mut Client, case: Case, key: i32, answer: &str) -> Result<()> {
    ensure!(answer == value(key), "the answer is {answer:?}, not {:?}", value(key));
    if let Some(wanted) = case.cache_status() {
        let status = client.cache_status().await?;
        ensure!(status == wanted, "the cache status is {status}, not {wanted}");
    }
    Ok(())
}

/// Asks in both ways until the answer comes from the cache: the proxy must have read the catalog first.
async fn warm(door: &Door) -> Result<()> {
    let give_up = Instant::now() + WARM_TIMEOUT;
    let mut client = door.connect().await?;
    for statement in [Statement::Text, Statement::Prepared] {
        loop {
            client.ask(statement, CACHED_KEY).await?;
            let status = client.cache_status().await?;
            if status == "hit" {
                break;
            }
            if Instant::now() > give_up {
                bail!("after half a minute the cache status is still {status}");
            }
            sleep(WARM_PAUSE).await;
        }
    }
    client.close().await;
    Ok(())
}

/// The row that is asked for where the answer is to come from the cache.
const CACHED_KEY: i32 = 1;

const WARM_TIMEOUT: Duration = Duration::from_secs(30);

const WARM_PAUSE: Duration = Duration::from_millis(50);
