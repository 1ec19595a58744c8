//! Real MariaDB and MySQL servers: data folders of their own, on loopback, with TLS.
//!
//! A data folder is copied from a template that is made once per server (see [`install`]), so a start costs less than
//! a second. The distribution's own service is never touched.
//!
//! # Layout
//!
//! * [`stage`]: one scenario's world, and the `mysql_scenarios!` matrix.
//! * [`wire`]: a raw protocol client that checks every sequence id. [`say`] makes commands, [`reply`] reads replies,
//!   [`login`] logs in with either plugin, [`flags`] names the bits.

pub mod flags;
pub mod install;
pub mod login;
pub mod reply;
pub mod say;
pub mod stage;
pub mod wire;

use std::{
    fmt, fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Result, bail, ensure};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::{
    certificates::Authority, install::scratch, postgres::APP_PASSWORD, process::Process,
    wire::Endpoint,
};

/// The password of `root`.
pub const ROOT_PASSWORD: &str = "root-password";

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// MariaDB 10.11: `mysql_native_password`, no query attributes.
    MariaDb,
    /// MySQL 9.7: `caching_sha2_password` only.
    MySql,
}

impl Server {
    /// What only this server understands.
    const fn own_fixture(self) -> &'static str {
        match self {
            Self::MariaDb => "CREATE SEQUENCE ticket;\n",
            Self::MySql => "",
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MariaDb => "mariadb",
            Self::MySql => "mysql",
        })
    }
}

/// A running server.
#[derive(Debug)]
pub struct Mysql {
    server: Server,
    process: Option<Process>,
    home: TempDir,
    port: u16,
    settings: Vec<&'static str>,
}

impl Mysql {
    /// Starts a server whose certificate `authority` signs; `settings` are arguments of the program.
    ///
    /// # Errors
    ///
    /// When the server cannot be installed or does not start; the error carries its log.
    pub fn start(server: Server, authority: &Authority, settings: &[&'static str]) -> Result<Self> {
        let template = install::template(server)?;
        let home = tempfile::Builder::new().prefix("jumpgate-mysql-").tempdir_in(scratch())?;
        let data = home.path().join("data");
        crate::install::run(
            Command::new("cp")
                .args(["-a", "--sparse=always"])
                .arg(template.join("data"))
                .arg(&data),
        )?;
        // Each server is its own: a copied identity would be one server twice.
        if data.join("auto.cnf").exists() {
            fs::remove_file(data.join("auto.cnf"))?;
        }
        authority
            .leaf(&["localhost", "127.0.0.1", "db.example.test"])
            .write(home.path(), "server")?;
        fs::write(home.path().join("ca.pem"), &authority.pem)?;
        let mut mysql = Self { server, process: None, home, port: 0, settings: settings.to_vec() };
        mysql.launch_on_a_free_port()?;
        Ok(mysql)
    }

    fn launch_on_a_free_port(&mut self) -> Result<()> {
        // A free port may be taken between finding it and the server's bind.
        for _attempt in 0..5 {
            self.port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            match self.launch() {
                Err(error) if format!("{error:#}").contains("Address already in use") => {}
                result => return result,
            }
        }
        bail!("no free port for {} after five attempts", self.server)
    }

    fn launch(&mut self) -> Result<()> {
        let home = self.home.path();
        let (log, general) = (home.join("log"), home.join("general.log"));
        let seen = fs::read_to_string(&log).unwrap_or_default().len();
        let mut command = install::server(self.server)?;
        listening(&mut command, self.server, &home.join("data"), self.port)?;
        for (option, file) in [("ca", "ca.pem"), ("cert", "server.pem"), ("key", "server.key")] {
            command.arg(format!("--ssl-{option}={}", home.join(file).display()));
        }
        command.arg("--general-log=ON").arg(format!("--general-log-file={}", general.display()));
        command.arg("--local-infile=ON").args(&self.settings).current_dir(home);
        let mut process = Process::start(&self.server.to_string(), &mut command, log)?;
        ready(&mut process, seen)?;
        self.process = Some(process);
        Ok(())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// What a client needs to connect to it without jumpgate, as the user `app`.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            address: self.address(),
            user: "app".into(),
            password: APP_PASSWORD.into(),
            database: "app".into(),
        }
    }

    /// As [`Self::endpoint`], as `root`.
    pub fn root(&self) -> Endpoint {
        self.endpoint().with_user("root", ROOT_PASSWORD)
    }

    /// Kills the server with SIGKILL.
    pub fn kill_9(&mut self) {
        self.process = None;
    }

    /// Starts the server again on the same port and data.
    ///
    /// # Errors
    ///
    /// Those of [`Self::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.kill_9();
        self.launch()
    }

    /// How many statements that contain `marker` were executed, according to the server's own log.
    pub fn executions(&self, marker: &str) -> usize {
        let executed = |line: &&str| line.contains(" Query\t") || line.contains(" Execute\t");
        self.general_log().lines().filter(executed).filter(|line| line.contains(marker)).count()
    }

    /// Every command that it was given.
    pub fn general_log(&self) -> String {
        let log = fs::read(self.home.path().join("general.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}

/// Waits until a server says that it accepts connections, after the first `seen` bytes of its log.
fn ready(process: &mut Process, seen: usize) -> Result<()> {
    let give_up = Instant::now() + Duration::from_secs(60);
    loop {
        let log = process.log();
        let new = log.get(seen..).unwrap_or_default();
        if new.contains("ready for connections") {
            return Ok(());
        }
        ensure!(process.is_running(), "the server ended at start\n{new}");
        ensure!(Instant::now() < give_up, "the server does not become ready\n{new}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The arguments that every server needs, template or not.
fn listening(command: &mut Command, server: Server, data: &Path, port: u16) -> Result<()> {
    command.args(SETTINGS).args(install::as_root()?);
    command.arg(format!("--datadir={}", data.display()));
    // Relative to the folder that the server runs in: a socket's path must be short.
    command.arg("--socket=socket");
    // A server that starts removes what looks like its own leftovers from the folder for temporary files.
    let temporary = data.with_extension("tmp");
    fs::create_dir_all(&temporary)?;
    command.arg(format!("--tmpdir={}", temporary.display()));
    command.arg(format!("--pid-file={}", data.with_extension("pid").display()));
    command.arg(format!("--port={port}")).args([
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        "--skip-log-bin",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=0",
        "--innodb-buffer-pool-dump-at-shutdown=0",
        "--innodb-buffer-pool-load-at-startup=0",
        "--performance-schema=OFF",
        "--max-connections=200",
        "--max-allowed-packet=64M",
        "--default-time-zone=+00:00",
        // Two servers that are given the same plan the same: statistics are those of the template.
        "--innodb-stats-auto-recalc=OFF",
    ]);
    // Nothing outlives a scenario, so nothing need reach a disk.
    if server == Server::MariaDb {
        command.arg("--innodb-flush-method=nosync");
    }
    Ok(())
}

/// What the template is made with, and each copy needs too: a copy costs less the smaller it is.
const SETTINGS: [&str; 4] = [
    "--innodb-data-file-path=ibdata1:5M:autoextend",
    "--innodb-buffer-pool-size=32M",
    // The one is MySQL's name for it, the other MariaDB's.
    "--loose-innodb-redo-log-capacity=8M",
    "--loose-innodb-log-file-size=4M",
];
