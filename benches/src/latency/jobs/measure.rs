//! In which order: language by language, each with every target, and each round without a distance and with it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use e2e::wire::Endpoint;

use super::{
    drivers::Batch,
    rows::{self, FIRST, Job, Language},
    rust,
    world::{Distance, Pair, Target, World},
};
use crate::latency::{args::Latency, say::say, world::Kind};

/// A line of the table, with what was measured for it.
#[derive(Debug)]
pub struct Measured {
    /// What was done.
    pub job: Job,
    /// What became of it with whom.
    pub cells: BTreeMap<Target, Outcome>,
}

/// What became of a job: its times, or why it could not be done.
pub type Outcome = Result<Times, String>;

/// What a job took, round by round; of each round the near one comes just before the far one, so that what slows the machine
/// down slows both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// With the database on this machine.
    pub near: Vec<Duration>,
    /// With the distance.
    pub far: Vec<Duration>,
}

/// Measures the jobs that were asked for; none, if nothing is of this kind.
///
/// # Errors
///
/// A part cannot be installed or does not start, or a script breaks down. That a job cannot be done is a result.
///
/// # Cancel safety
///
/// Dropping the future ends everything that was started.
pub async fn measure(kind: Kind, args: &Latency) -> Result<Vec<Measured>> {
    let jobs = rows::of(kind.engine()).into_iter();
    let jobs: Vec<Job> = jobs.filter(|job| job.fits(args.only.as_deref())).collect();
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let world = World::start(kind, args.delay).await?;
    let mut measured = Vec::new();
    for language in Language::ALL {
        let these: Vec<(Job, i32)> = jobs
            .iter()
            .copied()
            .zip(first_keys(args.rounds))
            .filter(|(job, _)| job.language == language)
            .collect();
        if !these.is_empty() {
            measured.extend(of_language(&world, language, &these, args.rounds).await?);
        }
    }
    Ok(measured)
}

/// The first row of each job: no two share one, so that nothing is answered from the cache.
fn first_keys(rounds: u32) -> impl Iterator<Item = i32> {
    let step = i32::try_from(rounds + WARM_UP).unwrap_or(i32::MAX);
    (0..).map(move |index: i32| index.saturating_mul(step).saturating_add(1))
}

async fn of_language(
    world: &World,
    language: Language,
    jobs: &[(Job, i32)],
    rounds: u32,
) -> Result<Vec<Measured>> {
    let mut measured: Vec<_> =
        jobs.iter().map(|(job, _)| Measured { job: *job, cells: BTreeMap::new() }).collect();
    for target in Target::ALL {
        let Some(endpoints) = world.endpoints(target) else {
            continue;
        };
        say(&format!("{language:?}, {}: {} jobs", target.name(), jobs.len()));
        let place = Place { world, target, endpoints, rounds };
        let outcomes = place.outcomes(language, jobs).await;
        let outcomes = outcomes.with_context(|| format!("{language:?}, {}", target.name()))?;
        for (row, outcome) in measured.iter_mut().zip(outcomes) {
            row.cells.extend(outcome.map(|outcome| (target, outcome)));
        }
    }
    Ok(measured)
}

/// Where jobs are done, and how often.
struct Place<'a> {
    world: &'a World,
    target: Target,
    endpoints: Pair<Endpoint>,
    rounds: u32,
}

impl Place<'_> {
    /// What became of each job; `None` where it cannot be.
    async fn outcomes(
        &self,
        language: Language,
        jobs: &[(Job, i32)],
    ) -> Result<Vec<Option<Outcome>>> {
        let Self { world, endpoints, rounds, .. } = self;
        if language != Language::Rust {
            let (rounds, ca) = (*rounds, &world.ca());
            let outcomes = Batch { language, jobs, rounds, endpoints, ca }.run().await?;
            return Ok(outcomes.into_iter().map(Some).collect());
        }
        let mut outcomes = Vec::new();
        for (job, key) in jobs {
            let times = if job.name == FIRST {
                self.first(*job, *key).await
            } else {
                self.usual(*job, *key).await.map(Some)
            };
            outcomes.push(times.map_err(|error| format!("{error:#}")).transpose());
        }
        Ok(outcomes)
    }

    async fn usual(&self, job: Job, first: i32) -> Result<Times> {
        let Pair { near, far } = &self.endpoints;
        let authority = &self.world.authority;
        let mut times = Times::default();
        for (key, round) in (first..).zip(0..WARM_UP + self.rounds) {
            let near = rust::run(job, key, near, authority).await?;
            let far = rust::run(job, key, far, authority).await?;
            if round >= WARM_UP {
                times.near.push(near);
                times.far.push(far);
            }
        }
        Ok(times)
    }

    /// Each time with a pooler that has just started.
    async fn first(&self, job: Job, first: i32) -> Result<Option<Times>> {
        let mut times = Times::default();
        for (key, _round) in (first..).zip(0..self.rounds) {
            for (distance, times) in
                [(Distance::Near, &mut times.near), (Distance::Far, &mut times.far)]
            {
                let Some(fresh) = self.world.fresh(self.target, distance).await? else {
                    return Ok(None);
                };
                let authority = &self.world.authority;
                times.push(rust::run(job, key, &fresh.endpoint(), authority).await?);
            }
        }
        Ok(Some(times))
    }
}

/// How often a job is done before it is measured; the scripts do as often.
const WARM_UP: u32 = 2;
