//! The command line.

use std::{path::PathBuf, time::Duration};

use super::world::Kind;
use crate::args::duration;
use clap::{Parser, ValueEnum};

/// Counts the round trips to a distant database: of connecting and the first query, and of whole jobs of real drivers.
///
/// Ends with 1 where Jumpgate takes more than it should: half a round trip over the limit of the first table, 0.3 over the
/// floor of the second.
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
    /// Only one of the two tables
    ///
    /// Jobs take about ten minutes for each database, and as long again for twice the rounds.
    #[arg(long, value_enum, value_name = "WHICH")]
    pub table: Option<Table>,
    /// Only jobs with this in their "driver, job", whatever its case; implies --table jobs
    #[arg(long, value_name = "PATTERN")]
    pub only: Option<String>,
    /// Tells mysql_async what it would ask the server when it connects, before the first query
    ///
    /// The question is the driver's and not Jumpgate's, but an application waits for it too. Of the first table only.
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
    /// MariaDB 10.11
    Mariadb,
    /// PostgreSQL and MySQL, one after the other
    Both,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Table {
    /// Connecting and the first query, on every way
    Ways,
    /// Jobs of real drivers, direct, through PgBouncer and through Jumpgate
    Jobs,
}

impl Latency {
    /// Whether this table was asked for.
    pub(super) fn wants(&self, table: Table) -> bool {
        let jobs = self.only.as_ref().map(|_| Table::Jobs);
        jobs.or(self.table).is_none_or(|asked| asked == table)
    }
}

impl Engines {
    pub(super) const fn all(self) -> &'static [Kind] {
        match self {
            Self::Postgres => &[Kind::Postgres],
            Self::Mysql => &[Kind::MySql],
            Self::Mariadb => &[Kind::MariaDb],
            Self::Both => &[Kind::Postgres, Kind::MySql],
        }
    }
}
