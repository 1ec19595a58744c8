//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};
use e2e::jumpgate::Engine;

use crate::args::duration;

/// Counts the round trips of connecting and the first query, with a distant database.
#[derive(Clone, Debug, Parser)]
#[command(name = "latency", version)]
pub struct Latency {
    /// Which databases
    #[arg(long, value_enum, default_value_t = Engines::Both)]
    pub engine: Engines,
    /// How long bytes take to the database, and back again
    #[arg(long, value_name = "TIME", default_value = "40ms", value_parser = duration)]
    pub delay: Duration,
    /// How often each is measured; what is shown is the median
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Tells mysql_async what it would ask the server when it connects, before the first query
    ///
    /// The question is the driver's and not Jumpgate's, but an application waits for it too.
    #[arg(long)]
    pub no_questions: bool,
    /// Writes everything that was measured, for machines
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// The databases that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engines {
    /// PostgreSQL 18
    Postgres,
    /// MySQL 9
    Mysql,
    /// One after the other
    Both,
}

impl Engines {
    pub(super) const fn all(self) -> &'static [Engine] {
        match self {
            Self::Postgres => &[Engine::Postgres],
            Self::Mysql => &[Engine::MySql],
            Self::Both => &[Engine::Postgres, Engine::MySql],
        }
    }
}
