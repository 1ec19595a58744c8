//! A Redis server that is nobody else's: no file, no password, a port of its own.

use std::{
    net::{SocketAddr, TcpListener},
    process::Command,
};

use anyhow::{Result, bail};
use tempfile::TempDir;

use crate::process::Process;

/// A running server, which keeps nothing over a restart.
#[derive(Debug)]
pub struct Redis {
    process: Option<Process>,
    port: u16,
    home: TempDir,
}

impl Redis {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// When it is not installed or does not start; the error carries its log.
    pub fn start() -> Result<Self> {
        let home = tempfile::Builder::new().prefix("jumpgate-redis-").tempdir()?;
        let mut redis = Self { process: None, port: 0, home };
        // A free port may be taken between finding it and the server's bind.
        for _attempt in 0..5 {
            redis.port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            match redis.restart() {
                Err(error) if format!("{error:#}").contains("Address already in use") => {}
                started => return started.map(|()| redis),
            }
        }
        bail!("no free port for Redis after five attempts")
    }

    /// Starts it on the same port, empty.
    ///
    /// # Errors
    ///
    /// When it does not start; the error carries its log.
    pub fn restart(&mut self) -> Result<()> {
        self.process = None;
        let folder = self.home.path();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &self.port.to_string()]);
        command.args(["--maxmemory-policy", "noeviction", "--logfile", ""]).current_dir(folder);
        let mut process = Process::start("redis", &mut command, folder.join("log"))?;
        process.says_somewhere("Ready to accept connections")?;
        self.process = Some(process);
        Ok(())
    }

    /// Kills it.
    pub fn kill_9(&mut self) {
        self.process = None;
    }

    /// Sends it a signal by name (`STOP`, `CONT`).
    ///
    /// # Panics
    ///
    /// Where it does not run.
    pub fn signal(&self, name: &str) {
        self.process.as_ref().expect("it runs").signal(name);
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }
}
