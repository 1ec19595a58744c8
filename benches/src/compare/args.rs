//! The command line of the comparison.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use e2e::jumpgate::Engine;

/// Compares Jumpgate with databases themselves, PgBouncer, HAProxy and MySQL Router, and with its goals.
///
/// Starts a database, Jumpgate and the others on this machine, gives each the same work in turn, round by round, and
/// shows medians side by side, the ratio that each goal names, and whether it was met. Nothing is installed: the others
/// are unpacked from Debian's packages into the folder that keeps what the tests download.
#[derive(Clone, Debug, Parser)]
#[command(name = "compare", version)]
pub struct Compare {
    /// Which databases
    #[arg(long, value_enum, default_value_t = Engines::Postgres)]
    pub engine: Engines,
    /// Under a minute: one round of a second; without --only, of the contenders that a goal names
    #[arg(long, conflicts_with_all = ["rounds", "seconds"])]
    pub quick: bool,
    /// Only rows with this word in their title, whatever its case
    #[arg(long, value_name = "WORD")]
    pub only: Option<String>,
    /// Rounds; each gives the work to every contender once, and medians are over them
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// Seconds of work for each contender in each round, where the work has no end of its own
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub seconds: u32,
    /// Another pooler, which leads to the database of this run; as often as there are others
    ///
    /// What it must connect to is said at the start, and then it is waited for. --port makes that the same each time.
    #[arg(long = "peer", value_name = "NAME=HOST:PORT", value_parser = peer)]
    pub peers: Vec<Peer>,
    /// Port of PostgreSQL; without it, any that is free
    #[arg(long)]
    pub port: Option<u16>,
    /// Writes all that was measured, for machines
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// No progress
    #[arg(long)]
    pub quiet: bool,
}

/// The kinds of databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engines {
    /// PostgreSQL 15
    Postgres,
    /// MySQL 9.7
    Mysql,
    /// One after the other
    Both,
}

impl From<Engine> for Engines {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Postgres => Self::Postgres,
            Engine::MySql => Self::Mysql,
        }
    }
}

/// A pooler that somebody else has started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its column.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Compare {
    /// What clap cannot see.
    ///
    /// # Errors
    ///
    /// Says which arguments do not go together.
    pub fn check(&self) -> Result<()> {
        let one = self.engine != Engines::Both;
        ensure!(one || self.peers.is_empty(), "--peer leads to one database: give --engine");
        ensure!(one || self.port.is_none(), "--port is for one database: give --engine");
        let postgres = self.engine == Engines::Postgres;
        ensure!(postgres || self.port.is_none(), "--port is for PostgreSQL");
        Ok(())
    }

    /// How many rounds there are.
    #[must_use]
    pub const fn rounds(&self) -> u32 {
        if self.quick { 1 } else { self.rounds }
    }

    /// How many seconds a piece of work takes that has no end of its own.
    #[must_use]
    pub const fn seconds(&self) -> u32 {
        if self.quick { 1 } else { self.seconds }
    }
}

fn peer(text: &str) -> Result<Peer> {
    use std::net::ToSocketAddrs;
    let (name, address) = text.split_once('=').context("not NAME=HOST:PORT")?;
    ensure!(!name.is_empty(), "a name is missing");
    let mut found = address.to_socket_addrs().context("not HOST:PORT")?;
    // The databases here listen on IPv4 only, and so do most poolers.
    let address = found.find(SocketAddr::is_ipv4).context("no IPv4 address")?;
    Ok(Peer { name: name.to_owned(), address })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn compare(arguments: &str) -> Compare {
        Compare::parse_from(["compare"].into_iter().chain(arguments.split_whitespace()))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Compare::command().debug_assert();
    }

    #[test]
    fn a_peer_is_a_name_and_an_address() {
        let found = peer("other=127.0.0.1:6432").unwrap();
        assert_eq!(found.address, SocketAddr::from(([127, 0, 0, 1], 6432)));
        for wrong in ["", "other", "=127.0.0.1:6432", "other=127.0.0.1", "other=[::1]:6432"] {
            assert!(peer(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_belongs_to_one_database_needs_one() {
        compare("--engine mysql --peer a=127.0.0.1:1").check().unwrap();
        compare("--peer a=127.0.0.1:1 --port 5433").check().unwrap();
        compare("--engine both").check().unwrap();
        for wrong in [
            "--engine both --peer a=127.0.0.1:1",
            "--engine both --port 1",
            "--engine mysql --port 1",
        ] {
            assert!(compare(wrong).check().is_err(), "{wrong}");
        }
    }

    #[test]
    fn quick_is_one_round_of_a_second() {
        let quick = compare("--quick");
        assert_eq!((quick.rounds(), quick.seconds()), (1, 1));
        let slow = compare("--rounds 7 --seconds 9");
        assert_eq!((slow.rounds(), slow.seconds()), (7, 9));
    }
}
