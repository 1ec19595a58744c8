//! In which order: language by language, each with every target, without a distance and with it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use e2e::wire::Endpoint;

use super::{
    drivers::{Batch, Outcome},
    rows::{self, FIRST, Job, Language},
    rust,
    world::{Distance, Target, World},
};
use crate::latency::{args::Latency, say::say, world::Kind};

/// A line of the table, with what was measured for it.
#[derive(Debug)]
pub struct Measured {
    /// What was done.
    pub job: Job,
    /// What became of it with whom.
    pub cells: BTreeMap<Target, Result<Times, String>>,
}

/// What a job took, round by round.
#[derive(Clone, Debug)]
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
        let at = |distance| async move {
            let Some(endpoint) = world.endpoint(target, distance) else {
                return Ok(None);
            };
            say(&format!("{language:?}, {}, {distance:?}: {} jobs", target.name(), jobs.len()));
            let place = Place { world, target, distance, endpoint };
            let outcomes = match language {
                Language::Rust => place.in_process(jobs, rounds).await,
                Language::Node | Language::Python | Language::Ruby | Language::Java => {
                    place.script(language, jobs, rounds).await
                }
            };
            outcomes.map(Some).with_context(|| format!("{language:?}, {}", target.name()))
        };
        let Some((near, far)) = at(Distance::Near).await?.zip(at(Distance::Far).await?) else {
            continue;
        };
        for ((row, near), far) in measured.iter_mut().zip(near).zip(far) {
            let times = near.and_then(|near| far.map(|far| near.zip(far)));
            if let Some(times) = times.transpose() {
                row.cells.insert(target, times.map(|(near, far)| Times { near, far }));
            }
        }
    }
    Ok(measured)
}

/// Where jobs are done.
struct Place<'a> {
    world: &'a World,
    target: Target,
    distance: Distance,
    endpoint: Endpoint,
}

/// What became of a job; `None` where it cannot be.
type Found = Result<Option<Vec<Duration>>, String>;

impl Place<'_> {
    async fn script(
        &self,
        language: Language,
        jobs: &[(Job, i32)],
        rounds: u32,
    ) -> Result<Vec<Found>> {
        let (endpoint, ca) = (&self.endpoint, &self.world.ca());
        let outcomes = Batch { language, jobs, rounds, endpoint, ca }.run().await?;
        Ok(outcomes.into_iter().map(|outcome: Outcome| outcome.map(Some)).collect())
    }

    async fn in_process(&self, jobs: &[(Job, i32)], rounds: u32) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for (job, key) in jobs {
            let times = if job.name == FIRST {
                self.first(*job, *key, rounds).await
            } else {
                self.usual(*job, *key, rounds).await.map(Some)
            };
            found.push(times.map_err(|error| format!("{error:#}")));
        }
        Ok(found)
    }

    async fn usual(&self, job: Job, first: i32, rounds: u32) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        for (key, round) in (first..).zip(0..WARM_UP + rounds) {
            let took = rust::run(job, key, &self.endpoint, &self.world.authority).await?;
            if round >= WARM_UP {
                times.push(took);
            }
        }
        Ok(times)
    }

    /// Each time with a pooler that has just started.
    async fn first(&self, job: Job, first: i32, rounds: u32) -> Result<Option<Vec<Duration>>> {
        let mut times = Vec::new();
        for (key, _round) in (first..).zip(0..rounds) {
            let Some(fresh) = self.world.fresh(self.target, self.distance).await? else {
                return Ok(None);
            };
            times.push(rust::run(job, key, &fresh.endpoint(), &self.world.authority).await?);
        }
        Ok(Some(times))
    }
}

/// How often a job is done before it is measured; the scripts do as often.
const WARM_UP: u32 = 2;
