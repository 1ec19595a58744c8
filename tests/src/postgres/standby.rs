//! Servers that follow others, and become primaries.

use std::{fs, process::Command};

use anyhow::Result;

use super::{Postgres, SUPERUSER_PASSWORD, as_postgres, binaries, give};
use crate::install;

impl Postgres {
    /// A server that follows this one, which is restarted for it and needs the settings [`REPLICATES`](super::REPLICATES).
    ///
    /// # Errors
    ///
    /// When one of the two does not start.
    pub fn standby(&mut self) -> Result<Self> {
        self.shut_down();
        let data = self.home.path().join("data");
        let rules = data.join("pg_hba.conf");
        let more = "host replication postgres 127.0.0.1/32 scram-sha-256\n";
        fs::write(&rules, fs::read_to_string(&rules)? + more)?;
        let home =
            tempfile::Builder::new().prefix("jumpgate-standby-").tempdir_in(install::scratch())?;
        install::run(Command::new("cp").arg("-a").arg(&data).arg(home.path().join("data")))?;
        give(home.path())?;
        self.launch()?;
        let mut standby = Self { version: self.version, process: None, home, port: 0, ahead: None };
        standby.set_to_follow(self)?;
        standby.launch_on_a_free_port()?;
        Ok(standby)
    }

    /// Starts it again as one that follows another, after [`Self::shut_down`].
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn follow(&mut self, primary: &Self) -> Result<()> {
        self.set_to_follow(primary)?;
        self.launch()
    }

    fn set_to_follow(&self, primary: &Self) -> Result<()> {
        let data = self.home.path().join("data");
        fs::write(data.join("standby.signal"), "")?;
        let (port, password) = (primary.port, SUPERUSER_PASSWORD);
        let way = format!("host=127.0.0.1 port={port} user=postgres password={password}");
        fs::write(data.join("postgresql.auto.conf"), format!("primary_conninfo = '{way}'\n"))?;
        give(&data)
    }

    /// Makes a primary of a standby.
    ///
    /// # Errors
    ///
    /// When it does not become one.
    pub fn promote(&self) -> Result<()> {
        let mut promote = as_postgres(&binaries(self.version)?.join("pg_ctl"))?;
        promote.args(["promote", "-w", "-D"]).arg(self.home.path().join("data"));
        install::run(promote.current_dir(self.home.path())).map(drop)
    }

    /// Ends it in good order, as an operator would: clients are disconnected, and who follows it has all of it.
    pub fn shut_down(&mut self) {
        self.stop("INT");
    }
}
