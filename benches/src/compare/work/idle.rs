//! Clients that have logged in and do nothing, and the memory that each costs.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::sleep;

use super::crowd;
use crate::{
    args::Tls,
    compare::{
        contender::Contender,
        figures::{Figure, Figures},
        world::World,
    },
};

/// So many of them.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// How many.
    pub clients: u32,
    /// Whether their connections are encrypted.
    pub tls: Tls,
}

impl Idle {
    /// About how long it takes.
    #[must_use]
    pub fn lasts(&self) -> f64 {
        let login = if self.tls == Tls::Require { 0.004 } else { 0.002 };
        f64::from(self.clients) * login + 2.0
    }

    /// Counts what a process of its own holds for them, beyond what it held for the first few.
    ///
    /// A process that has done other work holds memory that was freed, and would hand that out.
    ///
    /// # Errors
    ///
    /// It does not start, a client cannot log in, or one is not served afterwards.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the process and all clients.
    pub async fn run(&self, world: &World, contender: &Contender) -> Result<Figures> {
        let fresh = world.fresh(&contender.who).await?;
        let target = Contender { tls: self.tls, ..fresh.contender.clone() };
        let process = target.process.as_ref().context("it has no process")?;
        let mut first = crowd::open(&target, FIRST, FIRST).await?;
        crowd::ask_all(&mut first).await?;
        sleep(SETTLE).await;
        let before = process.resident_kb()?;
        let mut others = crowd::open(&target, self.clients, AT_ONCE).await?;
        sleep(SETTLE).await;
        let grown = process.resident_kb()?.saturating_sub(before);
        crowd::ask_all(&mut others).await.context("after the idle time")?;
        let each = crate::report::float(grown) / f64::from(self.clients);
        Ok(Figures::from([(Figure::KbPerClient, each)]))
    }
}

/// Who comes first opens the pool's connections and whatever else is made once.
const FIRST: u32 = 20;
const AT_ONCE: u32 = 32;
/// Longer than what is done once after a login.
const SETTLE: Duration = Duration::from_millis(500);
