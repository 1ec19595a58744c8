//! Texts that are heavy to read, sent by one client, and how long the others wait meanwhile.

use anyhow::{Context, Result, ensure};
use tokio::time::{Duration, Instant, timeout};

use super::{
    crowd,
    steady::{Served, Steady},
};
use crate::{
    client,
    compare::{
        contender::Contender,
        figures::{Figure, Figures},
    },
};

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texts {
    /// What lexers and parsers are slow in.
    Pathological,
    /// INSERTs of half a megabyte, each another one.
    Large,
}

impl Texts {
    /// About how long it takes.
    #[must_use]
    pub fn lasts(self, seconds: u32) -> f64 {
        f64::from(seconds) + 1.0
    }

    /// Sends one after the other while a few light clients keep asking. What the database says of them is its own
    /// affair; mostly it is an error.
    ///
    /// # Errors
    ///
    /// A light client was not served, or none of the texts was answered.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends all clients.
    pub async fn run(self, contender: &Contender, seconds: u32) -> Result<Figures> {
        let texts = match self {
            Self::Pathological => pathological(contender.scheme),
            Self::Large => Vec::new(),
        };
        let mut heavy = one(contender).await?;
        let steady = Steady::start(contender).await.context("the light clients")?;
        let end = Instant::now() + Duration::from_secs(seconds.into());
        let mut sent = 0;
        while Instant::now() < end {
            let text = match texts.get(sent % texts.len().max(1)) {
                Some(text) => text.clone(),
                None => insert(contender.scheme, sent),
            };
            sent += 1;
            // Answered or not: then somebody else's texts are next.
            drop(timeout(PATIENCE, heavy.execute(&text)).await);
            let is_there = timeout(PATIENCE, heavy.state()).await.is_ok_and(|state| state.is_ok());
            if !is_there {
                heavy = one(contender).await?;
            }
        }
        let served = steady.end().await.context("the light clients")?;
        ensure!(sent > 0 && served.count() > 0, "nobody was served meanwhile");
        Ok(figures(&served))
    }
}

fn figures(served: &Served) -> Figures {
    Figures::from([
        (Figure::P50Micros, served.wait_ms(0.5) * 1e3),
        (Figure::P99Ms, served.wait_ms(0.99)),
        (Figure::LongestMs, served.longest_ms()),
    ])
}

async fn one(contender: &Contender) -> Result<client::Client> {
    let clients = crowd::open(contender, 1, 1).await?;
    clients.into_iter().next().context("a client")
}

/// Of 20 to 500 KB; what is quadratic takes seconds.
fn pathological(scheme: &str) -> Vec<String> {
    let many = |part: &str, times: usize| part.repeat(times);
    let mut texts = vec![
        many("/*", 30_000),
        format!("select {}1", many("+", 60_000)),
        format!("select {}1", many("/**/+", 10_000)),
        format!("select {}1{}", many("(", 50_000), many(")", 50_000)),
        format!("select 1{}", many(" + 1", 50_000)),
        format!("select {}1{}", many("abs(", 20_000), many(")", 20_000)),
        format!("select 1 where 1 in ({}1)", many("1, ", 150_000)),
        many("'", 100_001),
    ];
    texts.extend(match scheme {
        "postgres" => [
            format!("{}{}select 1", many("/*", 20_000), many("*/", 20_000)),
            format!("select {}", many("@a ", 50_000)),
            format!("select 1{}", many("::int", 50_000)),
        ],
        _ => [
            many("/*!", 60_000),
            many("select @a:=", 20_000),
            format!("select 1{}", many(" is null", 50_000)),
        ],
    });
    texts
}

/// Half a megabyte of rows that are there already, in a text that was never seen.
fn insert(scheme: &str, number: usize) -> String {
    let rows = (0..16_000).map(|n| format!("({}, 0, 'text {number} of {n}')", n % 1000 + 1));
    let rows = rows.collect::<Vec<_>>().join(", ");
    match scheme {
        "postgres" => format!(
            "INSERT INTO jumpgate_bench (id, version, check_text) VALUES {rows} ON CONFLICT DO NOTHING"
        ),
        _ => format!("INSERT IGNORE INTO jumpgate_bench (id, version, check_text) VALUES {rows}"),
    }
}

/// A database that is slow in one itself takes its time.
const PATIENCE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_insert_is_half_a_megabyte_and_another_one() {
        for scheme in ["postgres", "mysql"] {
            let (one, other) = (insert(scheme, 1), insert(scheme, 2));
            assert!(one != other && (400_000..600_000).contains(&one.len()), "{}", one.len());
            let texts = pathological(scheme);
            assert!(texts.iter().all(|text| (20_000..600_000).contains(&text.len())));
        }
    }
}
