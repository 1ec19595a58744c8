//! pgbench: runs it, and reads what it says at its end.

use std::{path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};
use e2e::{postgres::binaries, stage::Version, wire::Endpoint};
use tokio::process::Command;

use crate::{
    compare::{
        contender::Contender,
        figures::{self, Figures},
        world::World,
    },
    process::Meter,
};

/// A run of pgbench.
#[derive(Clone, Copy, Debug)]
pub struct Pgbench {
    /// `-M`.
    pub mode: Mode,
    /// What is asked.
    pub script: Script,
    /// `-c`.
    pub clients: u32,
    /// `-C`: a new connection for each transaction.
    pub reconnect: bool,
}

/// How statements are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A simple query.
    Simple,
    /// Parsed each time.
    Extended,
    /// Parsed once in each connection.
    Prepared,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// pgbench's own `-S`: one row of all.
    Select,
    /// One of the first thousand rows, all of which have been asked for before.
    Few,
    /// Three rows, in one pipeline.
    Pipeline,
}

impl Mode {
    /// What pgbench calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Extended => "extended",
            Self::Prepared => "prepared",
        }
    }
}

impl Script {
    /// The file that it is in; pgbench's own is in none.
    const fn file(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Select => None,
            Self::Few => Some((
                "few.sql",
                "\\set aid random(1, 1000)\n\
                 SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n",
            )),
            Self::Pipeline => Some((
                "pipeline.sql",
                "\\set a random(1, 1000000)\n\
                 \\set b random(1, 1000000)\n\
                 \\set c random(1, 1000000)\n\
                 \\startpipeline\n\
                 SELECT abalance FROM pgbench_accounts WHERE aid = :a;\n\
                 SELECT abalance FROM pgbench_accounts WHERE aid = :b;\n\
                 SELECT abalance FROM pgbench_accounts WHERE aid = :c;\n\
                 \\endpipeline\n",
            )),
        }
    }
}

impl Pgbench {
    /// `pgbench -S` with so many clients.
    #[must_use]
    pub const fn select(mode: Mode, clients: u32) -> Self {
        Self { mode, script: Script::Select, clients, reconnect: false }
    }

    /// About how long it takes.
    #[must_use]
    pub fn lasts(&self, seconds: u32) -> f64 {
        let warming = if self.script == Script::Few { 0.5 } else { 0.0 };
        // Every login costs the client two milliseconds of hashing.
        f64::from(seconds) + f64::from(self.clients) * 0.005 + 0.1 + warming
    }

    /// Runs it.
    ///
    /// # Errors
    ///
    /// A transaction failed, a client was aborted, or the contender's process has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills pgbench.
    pub async fn run(&self, world: &World, contender: &Contender, seconds: u32) -> Result<Figures> {
        if self.script == Script::Few {
            // On average each row is asked for eight times.
            let each = (8_000 / self.clients).to_string();
            self.call(world.folder(), &contender.endpoint, &["-t", &each]).await?;
        }
        let meter = Meter::start(contender.process.as_ref())?;
        let lasting = ["-T", &seconds.to_string()];
        let done = self.call(world.folder(), &contender.endpoint, &lasting).await?;
        Ok(figures::of_throughput(done.per_second, done.transactions, &meter.read()?))
    }

    async fn call(&self, folder: &Path, endpoint: &Endpoint, until: &[&str]) -> Result<Done> {
        let mut command = command(endpoint)?;
        let clients = self.clients.to_string();
        command.args(["-n", "-M", self.mode.name(), "-c", &clients, "-j", "2"]).args(until);
        if self.reconnect {
            command.arg("-C");
        }
        match self.script.file() {
            None => command.arg("-S"),
            Some((name, text)) => {
                let file = folder.join(name);
                std::fs::write(&file, text)?;
                command.arg("-f").arg(file)
            }
        };
        let said = output(&mut command).await?;
        Done::read(&said).with_context(|| format!("pgbench said:\n{said}"))
    }
}

/// Fills the tables of pgbench: a hundred thousand accounts for each unit of scale.
///
/// # Errors
///
/// pgbench is missing, or fails.
///
/// # Cancel safety
///
/// Dropping the future kills pgbench; what it has made stays.
pub async fn fill(endpoint: &Endpoint, scale: u32) -> Result<()> {
    let mut command = command(endpoint)?;
    command.args(["-i", "-q", "--unlogged-tables", "-s", &scale.to_string()]);
    output(&mut command).await.map(drop)
}

/// Has a contender do a little, so that connections are there and not all is done for the first time.
///
/// # Errors
///
/// Those of [`Pgbench::run`].
///
/// # Cancel safety
///
/// Dropping the future kills pgbench.
pub async fn warm(contender: &Contender) -> Result<()> {
    let mut command = command(&contender.endpoint)?;
    command.args(["-n", "-S", "-c", "20", "-j", "2", "-t", "100"]);
    output(&mut command).await.map(drop)
}

/// pgbench of the version that the database has, and not the wrapper that chooses one.
fn command(endpoint: &Endpoint) -> Result<Command> {
    let program = binaries(Version::Fifteen)?.join("pgbench");
    ensure!(program.exists(), "{} is missing: apt-get install postgresql-15", program.display());
    let mut command = Command::new(program);
    command
        .env("PGHOST", endpoint.address.ip().to_string())
        .env("PGPORT", endpoint.address.port().to_string())
        .env("PGUSER", &endpoint.user)
        .env("PGPASSWORD", &endpoint.password)
        .env("PGDATABASE", &endpoint.database)
        .env("PGSSLMODE", "disable")
        .env("PGGSSENCMODE", "disable")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}

async fn output(command: &mut Command) -> Result<String> {
    let output = command.output().await.with_context(|| format!("cannot start {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    let last = e2e::process::tail(&complained, 5);
    // It ends with 2 when a client was aborted.
    ensure!(output.status.success(), "pgbench ended with {}\n{last}", output.status);
    Ok(said)
}

/// What pgbench says at its end.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Done {
    transactions: u64,
    /// Without the time of the first connections; with `-C`, with that of all.
    per_second: f64,
}

impl Done {
    fn read(said: &str) -> Result<Self> {
        let after = |prefix: &str| said.lines().find_map(|line| line.strip_prefix(prefix));
        // With -t, how many there were to be follows a slash.
        let transactions = after("number of transactions actually processed: ")
            .and_then(|rest| rest.split('/').next()?.trim().parse().ok())
            .context("no count of transactions")?;
        let failed = after("number of failed transactions: ").unwrap_or("0");
        let failed = failed.split(' ').next().unwrap_or_default();
        ensure!(failed == "0", "{failed} transactions failed");
        ensure!(transactions > 0, "no transaction was done");
        let rate = after("tps = ").and_then(|rest| rest.split(' ').next()?.parse().ok());
        Ok(Self { transactions, per_second: rate.context("no rate")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\
pgbench (15.14 (Debian 15.14-0+deb12u1))
transaction type: <builtin: select only>
scaling factor: 10
query mode: simple
number of clients: 16
number of threads: 2
maximum number of tries: 1
duration: 1 s
number of transactions actually processed: 24153
number of failed transactions: 0 (0.000%)
latency average = 0.650 ms
initial connection time = 35.119 ms
tps = 24624.914325 (without initial connection time)
";

    #[test]
    fn counts_and_rates_are_found_in_what_it_says() {
        let done = Done::read(SAID).unwrap();
        assert_eq!(done, Done { transactions: 24153, per_second: 24624.914325 });
        let fixed = SAID.replace("processed: 24153", "processed: 8000/8000");
        assert_eq!(Done::read(&fixed).unwrap().transactions, 8000);
        let reconnecting = SAID.replace("(without initial", "(including re");
        assert_eq!(Done::read(&reconnecting).unwrap(), done);
    }

    #[test]
    fn failures_and_silence_are_errors() {
        for (wrong, expected) in [
            (SAID.replace("failed transactions: 0", "failed transactions: 3"), "3 transactions"),
            (SAID.replace("processed: 24153", "processed: 0"), "no transaction"),
            (SAID.replace("tps", "TPS"), "no rate"),
            (String::new(), "no count"),
        ] {
            let error = Done::read(&wrong).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
