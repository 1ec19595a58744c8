//! A control node with its store's backups, and proxies that follow it.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    certificates::Authority,
    control::Control,
    install,
    process::Process,
    wire::{Endpoint, Wire},
};

/// What the store of a control plane consists of.
const STORE: [&str; 3] = ["control.db", "control.db-wal", "control.db-shm"];

/// A control node that others follow.
#[derive(Debug)]
pub struct Leader(Control);

impl Deref for Leader {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.0
    }
}

impl DerefMut for Leader {
    fn deref_mut(&mut self) -> &mut Control {
        &mut self.0
    }
}

impl From<Control> for Leader {
    fn from(control: Control) -> Self {
        Self(control)
    }
}

impl Leader {
    /// Makes a control plane, and starts its node.
    ///
    /// # Errors
    ///
    /// When the binary is missing or refuses.
    pub fn start() -> Result<Self> {
        Control::start().map(Self)
    }

    /// The same over TLS.
    ///
    /// # Errors
    ///
    /// When the binary is missing or refuses.
    pub fn start_over_tls(authority: &Authority) -> Result<Self> {
        Control::start_over_tls(authority).map(Self)
    }

    /// Another control node on the same store.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn beside(&self) -> Result<Self> {
        self.0.beside().map(Self)
    }

    /// Copies the store, with its node down.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn back_up(&mut self) -> Result<TempDir> {
        self.kill();
        let backup = tempfile::tempdir()?;
        copy(self.home(), backup.path())?;
        self.run()?;
        Ok(backup)
    }

    /// Puts a copy of the store back.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn put_back(&mut self, backup: &TempDir) -> Result<()> {
        self.kill();
        for file in STORE {
            let _missing = fs::remove_file(self.home().join(file));
        }
        copy(backup.path(), self.home())?;
        self.run()
    }

    /// What nodes follow it with: lines of `[control]`.
    pub fn section(&self) -> String {
        let token = self.home().join("node.token");
        format!(
            "[control]\nurl = \"http://{}\"\ntoken_file = {:?}\n",
            self.address,
            token.display().to_string()
        )
    }

    /// The same for nodes that follow this one and others, which speak TLS and are called `host`.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn section_with(
        &self,
        others: &[&Self],
        host: &str,
        authority: &Authority,
    ) -> Result<String> {
        let ca = self.home().join("ca.pem");
        fs::write(&ca, &authority.pem)?;
        let all = [&[self], others].concat();
        let urls: Vec<_> =
            all.iter().map(|it| format!("https://{host}:{}", it.address.port())).collect();
        let token = self.home().join("node.token");
        Ok(format!("[control]\nurl = {urls:?}\ntoken_file = {token:?}\nca_certificate = {ca:?}\n"))
    }

    /// What the API answers with success; `{a}` in the path is the account.
    ///
    /// # Errors
    ///
    /// When it cannot be reached, or refuses.
    pub async fn told(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let (_status, answer) = self.ask(method, path, body).await?;
        ensure!(answer["success"] == true, "{answer}");
        Ok(answer["result"].clone())
    }

    /// What it knows of nodes.
    ///
    /// # Errors
    ///
    /// When it cannot be reached, or refuses.
    pub async fn nodes(&self) -> Result<Vec<Value>> {
        let nodes = self.told("GET", "/nodes", &Value::Null).await?;
        Ok(nodes.as_array().cloned().unwrap_or_default())
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for file in STORE.iter().filter(|file| from.join(file).exists()) {
        fs::copy(from.join(file), to.join(file))?;
    }
    Ok(())
}

/// A proxy that follows a control node, in a folder of its own.
#[derive(Debug)]
pub struct Follower {
    /// The process; `None` while it is down.
    pub process: Option<Process>,
    /// Where its clients come.
    pub address: SocketAddr,
    /// Its pages.
    pub admin: SocketAddr,
    home: TempDir,
}

impl Follower {
    /// Starts a proxy with these lines in its file, beside its listeners.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn start(lines: &str) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("follower-").tempdir()?;
        let free = || TcpListener::bind("127.0.0.1:0")?.local_addr();
        let (address, admin) = (free()?, free()?);
        let text =
            format!("[listen]\npostgres = \"{address}\"\n[admin]\nlisten = \"{admin}\"\n{lines}");
        fs::write(home.path().join("proxy.toml"), text)?;
        let mut follower = Self { process: None, address, admin, home };
        follower.restart()?;
        Ok(follower)
    }

    /// Ends it with SIGKILL, and starts it again.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.process = None;
        let mut command = Command::new(install::jumpgate()?);
        command.args(["proxy", "-c", "proxy.toml", "--log", "info,jumpgate=debug"]);
        command.current_dir(self.home.path()).env_remove("RUST_LOG");
        let log = self.home.path().join("proxy.log");
        let mut process = Process::start("proxy", &mut command, log)?;
        process.says("jumpgate: postgres on ")?;
        process.says("jumpgate: admin on ")?;
        self.process = Some(process);
        Ok(())
    }

    /// Where it keeps what it was told.
    pub fn snapshot(&self) -> PathBuf {
        self.home.path().join("control-proxy.snapshot")
    }

    /// Whether it has kept what the control node said last.
    ///
    /// # Errors
    ///
    /// When the control node cannot be asked.
    pub async fn has_kept_all(&self, control: &Leader) -> Result<bool> {
        let nodes = control.nodes().await?;
        let current = nodes.iter().find(|node| node["is_current"] == true);
        Ok(current.is_some_and(|node| {
            let kept = format!("kept what the control node said revision={}", node["revision"]);
            self.log().contains(&kept)
        }))
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// Whether a client of a database can log in, and what it is told of its query.
    pub async fn serves(&self, database: &str, password: &str) -> bool {
        let endpoint = Endpoint {
            address: self.address,
            user: "app".into(),
            password: password.into(),
            database: database.into(),
        };
        let connect = async {
            let (client, connection) =
                tokio_postgres::connect(&endpoint.url(), tokio_postgres::NoTls).await.ok()?;
            // No cache can answer it.
            tokio::select! {
                answer = client.simple_query("SELECT random()") => Some(answer.is_ok()),
                _ended = connection => None,
            }
        };
        connect.await == Some(true)
    }

    /// A client of a database.
    pub async fn client(&self, database: &str, password: &str) -> Wire {
        let endpoint = Endpoint {
            address: self.address,
            user: "app".into(),
            password: password.into(),
            database: database.into(),
        };
        Wire::connect(&endpoint).await
    }
}

/// An edge that follows a control node, in a folder of its own, and its connector.
#[derive(Debug)]
pub struct FollowingEdge {
    process: Option<Process>,
    connector: Option<Process>,
    connectors: SocketAddr,
    home: TempDir,
}

impl FollowingEdge {
    /// Makes an edge with an authority of its own, and starts it with these lines in its file.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn start(lines: &str) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("edge-").tempdir()?;
        let free = || TcpListener::bind("127.0.0.1:0")?.local_addr();
        let (public, connectors) = (free()?, free()?);
        let mut init = Command::new(install::jumpgate()?);
        init.args(["edge", "-c", "edge.toml", "init", "--public", &public.to_string()]);
        init.args(["--connectors", &connectors.to_string()]).current_dir(home.path());
        install::run(&mut init)?;
        let file = home.path().join("edge.toml");
        fs::write(&file, format!("{}{lines}", fs::read_to_string(&file)?))?;
        let mut edge = Self { process: None, connector: None, connectors, home };
        edge.restart()?;
        Ok(edge)
    }

    /// Ends it with SIGKILL, and starts it again.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.process = None;
        let mut command = Command::new(install::jumpgate()?);
        command.args(["edge", "-c", "edge.toml", "--log", "info,jumpgate=debug"]);
        command.current_dir(self.home.path()).env_remove("RUST_LOG");
        let log = self.home.path().join("edge.log");
        let mut process = Process::start("edge", &mut command, log)?;
        process.says("jumpgate: edge connectors on ")?;
        self.process = Some(process);
        Ok(())
    }

    /// The CA of its certificate.
    pub fn authority(&self) -> PathBuf {
        self.home.path().join("edge/ca.pem")
    }

    /// Starts a connector, as soon as it is let in.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn connect(&mut self, token: &str, allow: SocketAddr) -> Result<()> {
        let mut command = Command::new(install::jumpgate()?);
        command.args(["connector", "--edge", &self.connectors.to_string(), "--token", token]);
        command.args(["--cacert", "edge/ca.pem", "--allow", &allow.to_string()]);
        command.current_dir(self.home.path()).env_remove("RUST_LOG");
        let log = self.home.path().join("connector.log");
        let mut process = Process::start("connector", &mut command, log)?;
        process.says("jumpgate: connector registered ")?;
        self.connector = Some(process);
        Ok(())
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }
}
