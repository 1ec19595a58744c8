//! The command line: what it says, and what it rules out before anything connects.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, Subcommand, ValueEnum};

/// Load-tests PostgreSQL, MySQL and what stands before them, and verifies every answer.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Puts a load on one or more targets, round by round, and compares them
    Load(Box<Load>),
}

/// Arguments of `bench load`.
#[derive(Debug, Parser)]
pub struct Load {
    /// URL or NAME=URL of what to measure: postgres://… or mysql://…
    ///
    /// A password in an argument can be read by every user of the machine; the environment cannot.
    #[arg(value_name = "URL")]
    pub urls: Vec<String>,
    /// NAME=URL, as often as there are targets; ratios are to the first
    #[arg(
        long = "target",
        value_name = "NAME=URL",
        env = "BENCH_TARGETS",
        hide_env_values = true,
        value_delimiter = ' '
    )]
    pub targets: Vec<String>,
    /// How much, how often, how long.
    #[command(flatten)]
    pub shape: Shape,
    /// What is asked.
    #[command(flatten)]
    pub workload: Workload,
    /// How it is asked.
    #[command(flatten)]
    pub wire: Wire,
    /// What is made of the result.
    #[command(flatten)]
    pub output: Output,
    /// Process whose CPU time per transaction and memory per client are shown with that target
    ///
    /// Threads count, child processes do not; PostgreSQL's own backends are such.
    #[arg(long = "pid", value_name = "NAME=PID")]
    pub pids: Vec<String>,
    /// Makes and fills the table jumpgate_bench first, where it does not hold enough rows
    #[arg(long)]
    pub prepare: bool,
    /// Drops the table at the end
    #[arg(long)]
    pub cleanup: bool,
}

/// How much, how often, how long.
#[derive(Clone, Copy, Debug, Parser)]
pub struct Shape {
    /// Connections, each with one transaction (or pipeline) at a time
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub clients: u32,
    /// Open loop: so many transactions a second, whether or not the target keeps up
    ///
    /// Latency is counted from when a transaction was due, not from when a client was free for it.
    #[arg(long, value_name = "PER_SECOND")]
    pub rate: Option<f64>,
    /// Closed loop: pause of each client between its transactions, such as 5ms
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = duration)]
    pub think_time: Duration,
    /// A new connection for each transaction (or pipeline); opening it counts
    #[arg(long)]
    pub reconnect: bool,
    /// Statements that are sent together before the first answer is awaited (PostgreSQL)
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub pipeline: u32,
    /// Rounds; each measures every target once
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rounds: u32,
    /// Seconds for each target in each round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub seconds: u32,
    /// How long a connection or a transaction may take before it counts as an error
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub timeout: Duration,
}

/// What is asked.
#[derive(Clone, Copy, Debug, Parser)]
pub struct Workload {
    /// Rows that are asked for: keys 1 to N
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(i32).range(1..))]
    pub keys: i32,
    /// Exponent of the keys' Zipf distribution; 0 asks for all alike, 1 much for few
    #[arg(long, value_name = "S", default_value_t = 0.0)]
    pub zipf: f64,
    /// Percentage of transactions that write
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    pub writes: f64,
    /// Makes keys and mix the same in every run
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Accepts that a client sees others' older versions after newer ones; its own writes it must see
    #[arg(long)]
    pub allow_stale: bool,
}

/// How it is asked.
#[derive(Clone, Debug, Parser)]
pub struct Wire {
    /// Kind of statement
    #[arg(long, value_enum, default_value_t = Protocol::Prepared)]
    pub protocol: Protocol,
    /// Whether connections are encrypted
    #[arg(long, value_enum, default_value_t = Tls::Off)]
    pub tls: Tls,
    /// Checks the target's certificate against the authorities in this PEM file; else it is not checked
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// The kinds of statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// PostgreSQL's simple query, MySQL's COM_QUERY
    #[value(alias = "text")]
    Simple,
    /// PostgreSQL's unnamed statement, parsed each time in one round trip
    Extended,
    /// Prepared once in each connection
    Prepared,
}

/// Whether connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tls {
    /// Never
    Off,
    /// Always, or it is an error
    Require,
}

/// What is made of the result.
#[derive(Clone, Debug, Parser)]
pub struct Output {
    /// Writes everything that was measured, for machines
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Writes a page with charts of latency and throughput
    #[arg(long, value_name = "FILE")]
    pub chart: Option<PathBuf>,
    /// No progress
    #[arg(long)]
    pub quiet: bool,
}

impl Load {
    /// What clap cannot see.
    ///
    /// # Errors
    ///
    /// Says which arguments do not go together.
    pub fn check(&self) -> Result<()> {
        ensure!(!(self.urls.is_empty() && self.targets.is_empty()), "no target: give a URL");
        if let Some(rate) = self.shape.rate {
            ensure!((0.01..=1e6).contains(&rate), "--rate must be between 0.01 and 1000000");
            ensure!(self.shape.think_time.is_zero(), "--think-time is for the closed loop");
        }
        let Workload { writes, zipf, .. } = self.workload;
        ensure!((0.0..=100.0).contains(&writes), "--writes must be between 0 and 100");
        ensure!((0.0..=10.0).contains(&zipf), "--zipf must be between 0 and 10");
        ensure!(!self.shape.timeout.is_zero(), "--timeout must be more than 0");
        ensure!(
            self.wire.ca.is_none() || self.wire.tls == Tls::Require,
            "--ca needs --tls require"
        );
        Ok(())
    }
}

/// A time such as `40ms`, `2s` or `250us`.
pub(crate) fn duration(text: &str) -> Result<Duration> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).context("a unit is missing")?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().context("not a whole number")?;
    match unit {
        "us" => Ok(Duration::from_micros(number)),
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        _ => bail!("the unit must be us, ms or s"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn load(arguments: &str) -> Load {
        let words = ["bench", "load"].into_iter().chain(arguments.split_whitespace());
        let Command::Load(load) = Args::parse_from(words).command;
        *load
    }

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn times_carry_their_unit() {
        assert_eq!(duration("250us").unwrap(), Duration::from_micros(250));
        assert_eq!(duration("40ms").unwrap(), Duration::from_millis(40));
        assert_eq!(duration("2s").unwrap(), Duration::from_secs(2));
        for wrong in ["", "5", "ms", "-1s", "1.5s", "2h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn arguments_that_do_not_go_together_are_refused() {
        for good in
            ["postgres://a", "--rate 100 mysql://a", "--think-time 5ms --writes 100 mysql://a"]
        {
            load(good).check().unwrap_or_else(|error| panic!("{good}: {error}"));
        }
        for bad in [
            "--rate 100 --think-time 5ms mysql://a",
            "--rate 0 mysql://a",
            "--rate NaN mysql://a",
            "--writes 101 mysql://a",
            "--zipf -1 mysql://a",
            "--ca ca.pem mysql://a",
        ] {
            assert!(load(&bad.replace("-1", "=-1").replace(" =", "=")).check().is_err(), "{bad}");
        }
    }
}
