//! How each kind of work is done, and what is measured of it.
//!
//! pgbench drives what it can; it is what others measure with. What it cannot is driven by the load tester's clients,
//! which check every answer.

pub mod bulk;
pub mod crowd;
pub mod idle;
pub mod load;
pub mod pgbench;
pub mod steady;
pub mod storm;
pub mod texts;

use anyhow::{Result, ensure};

use super::{
    contender::{Contender, Who},
    figures::Figures,
    world::World,
};

/// A kind of work.
#[derive(Clone, Debug)]
pub enum Work {
    /// A script of pgbench.
    Pgbench(pgbench::Pgbench),
    /// Reads of the load tester.
    Reads(load::Reads),
    /// Clients that do nothing.
    Idle(idle::Idle),
    /// Clients that all log in.
    Storm(storm::Storm),
    /// Large results.
    Bulk(bulk::Bulk),
    /// Texts that are heavy to read.
    Texts(texts::Texts),
}

impl Work {
    /// Has a contender do it once.
    ///
    /// # Errors
    ///
    /// It cannot, or answers wrongly, or a cache that was to answer did not.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends all clients.
    pub async fn run(&self, world: &World, contender: &Contender, seconds: u32) -> Result<Figures> {
        if contender.who != Who::Cached {
            return self.once(world, contender, seconds).await;
        }
        let (hits_before, all_before) = world.hits().await?;
        let figures = self.once(world, contender, seconds).await?;
        let (hits, all) = world.hits().await?;
        let share = (hits - hits_before) / (all - all_before).max(1.0);
        ensure!(share > MOST, "only {:.0} % of the answers came from the cache", share * 100.0);
        Ok(figures)
    }

    async fn once(&self, world: &World, contender: &Contender, seconds: u32) -> Result<Figures> {
        match self {
            Self::Pgbench(work) => work.run(world, contender, seconds).await,
            Self::Reads(work) => work.run(contender, seconds).await,
            Self::Idle(work) => work.run(world, contender).await,
            Self::Storm(work) => work.run(contender).await,
            Self::Bulk(work) => work.run(contender).await,
            Self::Texts(work) => work.run(contender, seconds).await,
        }
    }

    /// About how long that takes.
    #[must_use]
    pub fn lasts(&self, seconds: u32) -> f64 {
        match self {
            Self::Pgbench(work) => work.lasts(seconds),
            Self::Reads(work) => work.lasts(seconds),
            Self::Idle(work) => work.lasts(),
            Self::Storm(work) => work.lasts(),
            Self::Bulk(work) => work.lasts(),
            Self::Texts(work) => work.lasts(seconds),
        }
    }
}

/// Each row is missed once, and after that there are many more hits; a connection's own statements are few.
const MOST: f64 = 0.9;
