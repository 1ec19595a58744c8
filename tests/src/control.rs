//! A control node as a process, and proxies that follow it.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    install,
    process::Process,
    wire::{Endpoint, Wire},
};

/// What the store of a control plane consists of.
const STORE: [&str; 3] = ["control.db", "control.db-wal", "control.db-shm"];

/// A control plane with one node, in a folder of its own.
#[derive(Debug)]
pub struct Control {
    process: Option<Process>,
    /// Where its API is; the same after each start.
    pub address: SocketAddr,
    account: String,
    token: String,
    home: TempDir,
}

impl Control {
    /// Makes a control plane, and starts its node.
    ///
    /// # Errors
    ///
    /// When the binary is missing, or says something else than it should.
    pub fn start() -> Result<Self> {
        let home = tempfile::Builder::new().prefix("control-").tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let made = Command::new(install::jumpgate()?)
            .args(["control", "-c", "control.toml", "init", "--listen", &address.to_string()])
            .current_dir(home.path())
            .output()?;
        let said = String::from_utf8_lossy(&made.stdout).into_owned();
        ensure!(made.status.success(), "{said}{}", String::from_utf8_lossy(&made.stderr));
        let value = |name: &str| {
            let rest = said.split(name).nth(1).context("init says the token and the account")?;
            Ok::<_, anyhow::Error>(rest.split_whitespace().next().unwrap_or_default().to_owned())
        };
        let (token, account) = (value("CLOUDFLARE_API_TOKEN=")?, value("CLOUDFLARE_ACCOUNT_ID=")?);
        let mut control = Self { process: None, address, account, token, home };
        control.restart()?;
        Ok(control)
    }

    /// Starts its node, again.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.kill();
        let mut command = Command::new(install::jumpgate()?);
        command.args(["control", "-c", "control.toml"]);
        command.current_dir(self.home.path()).env_remove("RUST_LOG");
        let log = self.home.path().join("control.log");
        let mut process = Process::start("control", &mut command, log)?;
        process.says("jumpgate: control on ")?;
        self.process = Some(process);
        Ok(())
    }

    /// Ends its node with SIGKILL.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Copies the store, with its node down.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn back_up(&mut self) -> Result<TempDir> {
        self.kill();
        let backup = tempfile::tempdir()?;
        copy(self.home.path(), backup.path())?;
        self.restart()?;
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
            let _missing = fs::remove_file(self.home.path().join(file));
        }
        copy(backup.path(), self.home.path())?;
        self.restart()
    }

    /// What nodes follow it with: lines of `[control]`.
    pub fn section(&self) -> String {
        let token = self.home.path().join("node.token");
        format!(
            "[control]\nurl = \"http://{}\"\ntoken_file = {:?}\n",
            self.address,
            token.display().to_string()
        )
    }

    /// Asks the API; `path` is below the account.
    ///
    /// # Errors
    ///
    /// When it cannot be reached, or refuses.
    pub async fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let path = format!("/client/v4/accounts/{}{path}", self.account);
        self.ask_below(method, &path, body).await
    }

    /// What it knows of nodes.
    ///
    /// # Errors
    ///
    /// When it cannot be reached, or refuses.
    pub async fn nodes(&self) -> Result<Vec<Value>> {
        let nodes = self.ask_below("GET", "/client/v4/nodes", &Value::Null).await?;
        Ok(nodes.as_array().cloned().unwrap_or_default())
    }

    async fn ask_below(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            self.address,
            self.token,
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (_head, body) = answer.split_once("\r\n\r\n").context("an HTTP answer has a head")?;
        let answer: Value = serde_json::from_str(body).with_context(|| answer.clone())?;
        ensure!(answer["success"] == true, "{answer}");
        Ok(answer["result"].clone())
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
        let free = || Ok::<_, std::io::Error>(TcpListener::bind("127.0.0.1:0")?.local_addr()?);
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
    pub async fn has_kept_all(&self, control: &Control) -> Result<bool> {
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
            let connection = tokio::spawn(connection);
            let answered = client.simple_query("SELECT 1").await.is_ok();
            drop(client);
            let _ended = connection.await;
            Some(answered)
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
