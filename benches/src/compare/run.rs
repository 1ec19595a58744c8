//! In which order: each scenario round by round, and in each round everybody in turn.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use e2e::jumpgate::Engine;
use tokio::time::Instant;

use super::{
    args::{Compare, Engines},
    contender::{Contender, Who},
    figures::{Figures, medians},
    goals::Verdict,
    scenarios::{self, Row, Scenario},
    world::{self, World},
};
use crate::progress::Progress;

/// What the harness starts unless it is told otherwise.
const DEBUG_BUILD: &str =
    "Jumpgate as a debug build, whose figures say nothing (./run bench compare makes another)";

/// All that was measured.
#[derive(Debug)]
pub struct Report {
    /// Who took part, with versions.
    pub about: Vec<String>,
    /// How many rounds there were.
    pub rounds: u32,
    /// How many seconds each piece of work took that has no end of its own.
    pub seconds: u32,
    /// The lines of the table.
    pub rows: Vec<Measured>,
    /// What others than the database and Jumpgate could not do, and why.
    pub failures: Vec<String>,
}

/// A line of the table, with what was measured for it.
#[derive(Debug)]
pub struct Measured {
    /// What it is about.
    pub row: Row,
    /// The median of each contender.
    pub medians: BTreeMap<Who, f64>,
    /// What that is the median of.
    pub rounds: BTreeMap<Who, Vec<f64>>,
}

/// Does what the arguments say.
///
/// # Errors
///
/// A part is missing or does not start, or a contender cannot do the work.
///
/// # Cancel safety
///
/// Dropping the future ends all that was started.
pub async fn run(compare: &Compare) -> Result<Report> {
    compare.check()?;
    let mut report = Report {
        about: Vec::new(),
        rounds: compare.rounds(),
        seconds: compare.seconds(),
        rows: Vec::new(),
        failures: Vec::new(),
    };
    if std::env::var_os("JUMPGATE_BIN").is_none() {
        report.about.push(DEBUG_BUILD.to_owned());
    }
    for engine in [Engine::Postgres, Engine::MySql] {
        if compare.engine != Engines::Both && compare.engine != engine.into() {
            continue;
        }
        let scenarios = chosen(scenarios::of(engine, compare.quick), compare);
        if scenarios.is_empty() {
            continue;
        }
        let seconds = whole_seconds(expected(&scenarios, compare));
        let progress = Progress::new(compare.quiet, seconds);
        let who: Vec<Who> = scenarios.iter().flat_map(|of| of.who.iter().cloned()).collect();
        let world = match engine {
            Engine::Postgres => world::postgres::start(compare, &who, &progress).await,
            Engine::MySql => world::mysql::start(compare, &who, &progress).await,
        }?;
        progress.say(&format!("measuring for about {}", spoken(seconds)));
        measure(compare, &world, scenarios, &progress, &mut report).await?;
        progress.end();
    }
    let only = compare.only.as_deref().unwrap_or_default();
    ensure!(!report.rows.is_empty(), "no row has {only:?} in its title");
    Ok(report)
}

/// Those with a row that was asked for; of a quick run of all only what has a goal, and whom that needs.
fn chosen(all: Vec<Scenario>, compare: &Compare) -> Vec<Scenario> {
    let fit = all.into_iter().filter_map(|scenario| scenario.only(compare.only.as_deref()));
    let brief = compare.quick && compare.only.is_none();
    let fit = fit.filter(|scenario| !brief || scenario.has_goal());
    fit.map(|mut scenario| {
        if brief {
            scenario.who = scenario.needed();
        }
        let others = compare.peers.iter().map(|peer| Who::Other(peer.name.clone()));
        scenario.who.extend(others);
        scenario
    })
    .collect()
}

async fn measure(
    compare: &Compare,
    world: &World,
    scenarios: Vec<Scenario>,
    progress: &Progress,
    report: &mut Report,
) -> Result<()> {
    report.about.extend(world.about().iter().cloned());
    let (whole, begin) = (expected(&scenarios, compare), Instant::now());
    let mut done = 0.0;
    for scenario in scenarios {
        let mut contenders: Vec<&Contender> = world
            .contenders()
            .iter()
            .filter(|contender| scenario.who.contains(&contender.who))
            .collect();
        let lasts = scenario.work.lasts(compare.seconds());
        let mut measured: BTreeMap<Who, Vec<Figures>> = BTreeMap::new();
        for round in 0..compare.rounds() {
            if round > 0 && !contenders.is_empty() {
                // Nobody always comes first.
                contenders.rotate_left(1);
            }
            let mut failed = Vec::new();
            for contender in &contenders {
                let left = left(whole, done, begin.elapsed().as_secs_f64());
                let (title, who) = (&scenario.title, &contender.who);
                let place = format!("round {} of {}", round + 1, compare.rounds());
                progress.part(
                    &format!("{title}: {who}, {place}; about {} left", spoken(left)),
                    whole_seconds(done),
                );
                let working = scenario.work.run(world, contender, compare.seconds());
                done += lasts;
                match working.await.with_context(|| format!("{title}: {who}")) {
                    Ok(figures) => measured.entry(who.clone()).or_default().push(figures),
                    Err(error) if *who == Who::Direct || who.is_ours() => return Err(error),
                    Err(error) => failed.push((who.clone(), format!("{error:#}"))),
                }
            }
            for (who, why) in failed {
                progress.say(&why);
                contenders.retain(|contender| contender.who != who);
                measured.remove(&who);
                report.failures.push(why);
            }
        }
        report.rows.extend(scenario.rows.into_iter().map(|row| Measured::of(row, &measured)));
    }
    Ok(())
}

impl Measured {
    /// Holds it against its goal; `None` where there is none, or not all was measured that it needs.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        let goal = self.row.goal.as_ref()?;
        let other = goal.other().and_then(|who| self.medians.get(who)).copied();
        goal.judge(*self.medians.get(&self.row.ours)?, other)
    }

    fn of(row: Row, measured: &BTreeMap<Who, Vec<Figures>>) -> Self {
        let figure = row.figure;
        let middle = |(who, rounds): (&Who, &Vec<Figures>)| {
            medians(rounds).get(&figure).map(|value| (who.clone(), *value))
        };
        let all = |(who, rounds): (&Who, &Vec<Figures>)| {
            (who.clone(), rounds.iter().filter_map(|round| round.get(&figure).copied()).collect())
        };
        Self {
            row,
            medians: measured.iter().filter_map(middle).collect(),
            rounds: measured.iter().map(all).collect(),
        }
    }
}

/// About how many seconds all of it takes.
fn expected(scenarios: &[Scenario], compare: &Compare) -> f64 {
    let each = scenarios.iter().map(|scenario| {
        let who = u32::try_from(scenario.who.len()).unwrap_or(u32::MAX);
        scenario.work.lasts(compare.seconds()) * f64::from(who)
    });
    each.sum::<f64>() * f64::from(compare.rounds())
}

/// What is left of the whole, when what is done took longer or shorter than was expected.
fn left(whole: f64, done: f64, took: f64) -> u64 {
    let pace = if done > 0.0 { took / done } else { 1.0 };
    whole_seconds((whole - done) * pace)
}

fn whole_seconds(seconds: f64) -> u64 {
    std::time::Duration::try_from_secs_f64(seconds).map_or(0, |time| time.as_secs())
}

fn spoken(seconds: u64) -> String {
    if seconds < 100 { format!("{seconds} s") } else { format!("{} min", seconds.div_ceil(60)) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn what_is_left_follows_the_pace_so_far() {
        assert_eq!(left(100.0, 0.0, 0.0), 100);
        assert_eq!(left(100.0, 50.0, 100.0), 100);
        assert_eq!(left(100.0, 110.0, 100.0), 0);
        assert_eq!((spoken(99), spoken(121)), ("99 s".to_owned(), "3 min".to_owned()));
    }

    #[test]
    fn a_peer_that_was_named_does_all_the_work() {
        let words = ["compare", "--quick", "--only", "cached", "--peer", "x=127.0.0.1:1"];
        let chosen = chosen(scenarios::of(Engine::Postgres, true), &Compare::parse_from(words));
        assert_eq!(chosen.len(), 1);
        assert!(chosen.iter().all(|scenario| scenario.who.contains(&Who::Other("x".into()))));
    }
}
