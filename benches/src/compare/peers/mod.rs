//! Those that Jumpgate is compared with: started in a folder of their own, on loopback, and ended by their pid.
//!
//! Each is the newest that Debian has, with settings that suit the work and no others. Their programs come from packages
//! that are unpacked, not installed; where Debian's sid cannot be reached, what is installed is used.

pub mod haproxy;
pub mod pgbouncer;
pub mod router;

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use e2e::{
    install,
    postgres::{as_postgres, give},
    process::Process,
    sid,
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// Connections to the database that each pooler may hold.
pub const POOL_SIZE: u32 = 20;

/// A process that was started, and its folder.
#[derive(Debug)]
pub struct Peer {
    process: Process,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it says of its version.
    pub version: String,
    _home: TempDir,
}

impl Peer {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// A program that is there.
#[derive(Clone, Debug)]
struct Program {
    name: &'static str,
    /// Where it was unpacked; `None` where it is installed.
    home: Option<PathBuf>,
    path: &'static str,
}

impl Program {
    /// Unpacks it, or finds what is installed.
    fn find(name: &'static str, path: &'static str) -> Result<Self> {
        let unpacked = install::once("sid-peers", |folder| {
            sid::unpack(folder, &["pgbouncer", "haproxy", "mysql-router"])
        });
        match unpacked {
            Ok(home) => {
                ensure!(home.join(path).exists(), "{} is not in its package", home.display());
                Ok(Self { name, home: Some(home), path })
            }
            Err(_) if Path::new("/").join(path).exists() => Ok(Self { name, home: None, path }),
            Err(error) => Err(error).with_context(|| {
                format!("{name} cannot be had from Debian's sid, and there is no /{path}")
            }),
        }
    }

    /// A command that runs it, as `postgres` where we are root.
    fn command(&self) -> Result<Command> {
        let Some(home) = &self.home else {
            return as_postgres(&Path::new("/").join(self.path));
        };
        let (loader, arguments) = sid::loader(home, self.path);
        let mut command = as_postgres(&loader)?;
        command.args(arguments);
        Ok(command)
    }

    /// The first line of what it says when it is asked for its version.
    fn version(&self, argument: &str) -> Result<String> {
        let text = install::run(self.command()?.arg(argument).current_dir("/"))?;
        Ok(text.lines().next().unwrap_or_default().trim().to_owned())
    }

    /// Starts it with a file of settings, and waits until it listens.
    async fn start(
        &self,
        settings: Settings<'_>,
        address: SocketAddr,
        version: String,
    ) -> Result<Peer> {
        let home = tempfile::Builder::new().prefix("jumpgate-peer-").tempdir()?;
        for (name, text) in settings.files {
            std::fs::write(home.path().join(name), text)?;
        }
        give(home.path())?;
        let mut command = self.command()?;
        command.args(settings.arguments).current_dir(home.path());
        let mut process = Process::start(self.name, &mut command, home.path().join("log"))?;
        listens(&mut process, self.name, address).await?;
        Ok(Peer { process, address, version, _home: home })
    }
}

/// What a peer is started with.
#[derive(Debug)]
struct Settings<'a> {
    /// Name and text of the files in its folder, which it runs in.
    files: &'a [(&'a str, String)],
    /// Its arguments.
    arguments: &'a [&'a str],
}

/// A port of loopback that is free now.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").context("no free port on 127.0.0.1")?.local_addr()?)
}

async fn listens(process: &mut Process, name: &str, address: SocketAddr) -> Result<()> {
    let give_up = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(address).is_err() {
        if !process.is_running() {
            bail!("{name} ended at its start\n{}{}", process.said().join("\n"), process.log());
        }
        ensure!(Instant::now() < give_up, "{name} does not listen\n{}", process.log());
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
