//! A control node as its operator makes it, and the tools of others that manage it.

use std::{fs, net::SocketAddr, path::Path, process::Command, sync::Arc};

use anyhow::{Context, Result};
use rustls::{ClientConfig, pki_types::ServerName};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{certificates::Authority, drivers, install, process::Process};

/// `jumpgate control` in a folder of its own.
#[derive(Debug)]
pub struct Control {
    process: Option<Process>,
    /// Where its API is.
    pub address: SocketAddr,
    /// The admin's token.
    pub token: String,
    /// The account's id.
    pub account: String,
    /// Which `wrangler` manages it.
    pub wrangler: Wrangler,
    /// Whose certificate it has, if it speaks TLS.
    tls: Option<Arc<ClientConfig>>,
    home: TempDir,
}

/// A release of `wrangler`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrangler {
    /// The last for Node 20.
    Node20,
    /// The newest.
    Newest,
}

/// The only name in the certificate of a control node.
pub const NAME: &str = "localhost";

impl Control {
    /// `jumpgate control init`, and then it runs.
    ///
    /// # Errors
    ///
    /// When the binary is missing or refuses.
    pub fn start() -> Result<Self> {
        Self::start_with(&[], "")
    }

    /// The same, for configs whose databases are not there.
    ///
    /// # Errors
    ///
    /// When the binary is missing or refuses.
    pub fn start_without_tests() -> Result<Self> {
        Self::start_with(&[], "test_connections = false\n")
    }

    /// The same, on a store of this URL.
    ///
    /// # Errors
    ///
    /// When the binary is missing or refuses.
    pub fn start_on(store: &str) -> Result<Self> {
        Self::start_with(&["--store", store], "test_connections = false\n")
    }

    /// The same over TLS, with a certificate for [`NAME`] alone.
    ///
    /// # Errors
    ///
    /// When the binary is missing or refuses.
    pub fn start_over_tls(authority: &Authority) -> Result<Self> {
        let mut control = Self::make(&[], "certificate = \"tls.pem\"\nkey = \"tls.key\"\n")?;
        authority.leaf(&[NAME]).write(control.home.path(), "tls")?;
        control.tls = Some(authority.client_config(None));
        control.run()?;
        Ok(control)
    }

    /// Another control node on the same store.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn beside(&self) -> Result<Self> {
        let home = tempfile::tempdir()?;
        for name in ["jumpgate.toml", "control.key", "node.token", "tls.pem", "tls.key"] {
            let file = self.home.path().join(name);
            if file.exists() {
                fs::copy(file, home.path().join(name))?;
            }
        }
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let file = home.path().join("jumpgate.toml");
        let settings = fs::read_to_string(&file)?;
        let store = format!("sqlite:{}", self.home.path().join("control.db").display());
        let settings = settings.replace(&self.address.to_string(), &free.to_string());
        fs::write(&file, settings.replace("sqlite:control.db", &store))?;
        let (token, account, tls) = (self.token.clone(), self.account.clone(), self.tls.clone());
        let wrangler = self.wrangler;
        let mut control =
            Self { process: None, address: free, token, account, wrangler, tls, home };
        control.run()?;
        Ok(control)
    }

    /// With more arguments of `init`, and lines of `[control]` and what follows it.
    ///
    /// # Errors
    ///
    /// When the binary is missing or refuses.
    pub fn start_with(arguments: &[&str], lines: &str) -> Result<Self> {
        let mut control = Self::make(arguments, lines)?;
        control.run()?;
        Ok(control)
    }

    fn make(arguments: &[&str], lines: &str) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let mut init = Command::new(install::jumpgate()?);
        init.args(["control", "init", "--listen", "127.0.0.1:0"]).args(arguments);
        init.current_dir(home.path());
        let said = install::run(&mut init)?;
        let value = |name: &str| {
            let found = said.split_whitespace().find_map(|word| word.strip_prefix(name));
            found.map(str::to_owned).with_context(|| format!("{name} is not in {said}"))
        };
        let (token, account) = (value("CLOUDFLARE_API_TOKEN=")?, value("CLOUDFLARE_ACCOUNT_ID=")?);
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let file = home.path().join("jumpgate.toml");
        fs::write(&file, fs::read_to_string(&file)? + lines)?;
        let wrangler = Wrangler::Node20;
        Ok(Self { process: None, address, token, account, wrangler, tls: None, home })
    }

    /// Starts it, again perhaps: at the address that it had.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn run(&mut self) -> Result<()> {
        let file = self.home.path().join("jumpgate.toml");
        let settings = fs::read_to_string(&file)?;
        let free = SocketAddr::from(([127, 0, 0, 1], 0)).to_string();
        fs::write(&file, settings.replace(&free, &self.address.to_string()))?;
        let mut command = Command::new(install::jumpgate()?);
        command.arg("control").current_dir(self.home.path());
        let log = self.home.path().join("control.log");
        let mut process = Process::start("control", &mut command, log)?;
        self.address = process.says("jumpgate: control on ")?.parse()?;
        self.process = Some(process);
        Ok(())
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// The folder with its file, its store and its tokens.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("control.log")).unwrap_or_default()
    }

    /// Asks the API; `{a}` in the path below the base is the account. Status and answer.
    ///
    /// # Errors
    ///
    /// When it is not there, or does not answer with JSON.
    pub async fn ask(&self, method: &str, path: &str, body: &Value) -> Result<(u16, Value)> {
        let path = path.replace("{a}", &format!("accounts/{}", self.account));
        self.send(method, &format!("/client/v4{path}"), &self.token, body).await
    }

    /// Reports as a node does, with the token that was made for nodes. Status and answer.
    ///
    /// # Errors
    ///
    /// When it is not there, or does not answer with JSON.
    pub async fn report(&self, report: &Value) -> Result<(u16, Value)> {
        let token = fs::read_to_string(self.home.path().join("node.token"))?;
        self.send("POST", "/nodes/v1/report", token.trim(), report).await
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: &Value,
    ) -> Result<(u16, Value)> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let stream = TcpStream::connect(self.address).await?;
        let answer = match &self.tls {
            None => exchange(stream, &request).await?,
            Some(tls) => {
                let connector = TlsConnector::from(Arc::clone(tls));
                let stream = connector.connect(ServerName::try_from(NAME)?, stream).await?;
                exchange(stream, &request).await?
            }
        };
        let answer = String::from_utf8(answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an HTTP answer has a head")?;
        let status = head.split(' ').nth(1).context("an HTTP answer has a status")?.parse()?;
        Ok((status, serde_json::from_str(body).with_context(|| body.to_owned())?))
    }

    /// Runs one of our own tools in the control node's folder, so in its store: exit code and what it printed.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn tool(&self, arguments: &[&str]) -> Result<(i32, String)> {
        let mut command = Command::new(install::jumpgate()?);
        command.args(arguments).current_dir(self.home.path());
        output(self.environment(&mut command))
    }

    /// Runs `wrangler`: exit code and what it printed.
    ///
    /// # Errors
    ///
    /// When it cannot be installed or started.
    pub fn wrangler(&self, arguments: &[&str]) -> Result<(i32, String)> {
        let (installed, mut command) = match self.wrangler {
            Wrangler::Node20 => (drivers::wrangler()?, Command::new("node")),
            Wrangler::Newest => {
                let installed = drivers::newest_wrangler()?;
                let node = installed.join("node_modules/node/bin/node");
                (installed, Command::new(node))
            }
        };
        command.arg(installed.join("node_modules/wrangler/bin/wrangler.js")).args(arguments);
        command.current_dir(self.home.path());
        output(self.environment(&mut command))
    }

    /// Runs a script of `tests/e2e/scripts` with an SDK.
    ///
    /// # Errors
    ///
    /// When the SDK cannot be installed, or the script ends with an error; the error carries what it printed.
    pub fn script(&self, name: &str) -> Result<String> {
        let mut command = if Path::new(name).extension().is_some_and(|it| it == "py") {
            Command::new(drivers::sdk_python()?)
        } else {
            let mut node = Command::new("node");
            node.env("NODE_PATH", drivers::sdk_modules()?.join("node_modules"));
            node
        };
        command.arg(install::workspace().join("tests/e2e/scripts").join(name));
        install::run(self.environment(&mut command))
    }

    /// What others' tools are told of it.
    fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let base = format!("http://{}/client/v4", self.address);
        for (name, value) in [
            ("CLOUDFLARE_API_BASE_URL", base.as_str()),
            ("CLOUDFLARE_BASE_URL", &base),
            ("CLOUDFLARE_API_TOKEN", &self.token),
            ("CLOUDFLARE_ACCOUNT_ID", &self.account),
            ("WRANGLER_SEND_METRICS", "false"),
            ("WRANGLER_SEND_ERROR_REPORTS", "false"),
            ("WRANGLER_HIDE_BANNER", "true"),
            ("CI", "1"),
            ("NO_COLOR", "1"),
        ] {
            command.env(name, value);
        }
        command.env("HOME", self.home.path())
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &str,
) -> Result<Vec<u8>> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer).await {
        // Whoever closes without a close_notify has said all the same.
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => Err(error.into()),
        _ => Ok(answer),
    }
}

fn output(command: &mut Command) -> Result<(i32, String)> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned()))
}
