//! An edge made by the commands of the walk-through, and foreign ends of its tunnel: scripts that share no code with ours.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{
    drivers, install,
    jumpgate::{self, CLIENT_PASSWORD, HOSTNAME},
    postgres::{APP_PASSWORD, Postgres},
    process::Process,
    wire::Endpoint,
};

/// The name of the tunnel.
pub const TUNNEL: &str = "office";

/// An edge in its folder, with one tunnel, one guarded hostname and one service token.
#[derive(Debug)]
pub struct Walk {
    edge: Option<Process>,
    public: SocketAddr,
    connectors: SocketAddr,
    token_id: String,
    token_secret: String,
    home: TempDir,
}

impl Walk {
    /// Makes the edge and starts it. With a `service` the edge tells its connectors where the hostname leads.
    ///
    /// # Errors
    ///
    /// When a command fails, with what it said.
    pub fn open(service: Option<SocketAddr>) -> Result<Self> {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut walk = Self {
            edge: None,
            public: anywhere,
            connectors: anywhere,
            token_id: String::new(),
            token_secret: String::new(),
            home: tempfile::Builder::new().prefix("jumpgate-walk-").tempdir()?,
        };
        walk.run("edge init --public 127.0.0.1:0 --connectors 127.0.0.1:0")?;
        let token = walk.run(&format!("tunnel create {TUNNEL} --quiet"))?;
        fs::write(walk.path("tunnel.token"), token)?;
        let more = service.map_or_else(String::new, |to| format!(" --service tcp://{to}"));
        walk.run(&format!("tunnel route {TUNNEL} {HOSTNAME}{more}"))?;
        let said = walk.run("access token create proxy")?;
        let quoted = |name: &str| {
            let rest = said.split_once(&format!("{name} = \""))?.1;
            Some(rest.split_once('"')?.0.to_owned())
        };
        walk.token_id = quoted("access_client_id").context("a client id is printed")?;
        walk.token_secret = quoted("access_client_secret").context("a secret is printed")?;
        walk.run(&format!("access app create {HOSTNAME} --token proxy"))?;
        walk.start_edge()?;
        Ok(walk)
    }

    /// Runs one command of the operator and returns what it printed.
    ///
    /// # Errors
    ///
    /// When it fails, with what it said.
    pub fn run(&self, line: &str) -> Result<String> {
        let arguments: Vec<&str> = line.split(' ').collect();
        let (code, stdout, stderr) = jumpgate::command(self.home.path(), &arguments)?;
        ensure!(code == 0, "jumpgate {line} ended with {code}\n{stdout}{stderr}");
        Ok(stdout)
    }

    /// Kills the edge with SIGKILL and starts it on the same ports.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn restart_edge(&mut self) -> Result<()> {
        self.edge = None;
        let settings = self.path("jumpgate.toml");
        let mut text = fs::read_to_string(&settings)?;
        for (name, address) in [("public", self.public), ("connectors", self.connectors)] {
            let any = format!("{name} = \"127.0.0.1:0\"");
            text = text.replace(&any, &format!("{name} = \"{address}\""));
        }
        fs::write(settings, text)?;
        self.start_edge()
    }

    fn start_edge(&mut self) -> Result<()> {
        let mut edge = self.launch("edge", Command::new(install::jumpgate()?).arg("edge"))?;
        self.public = edge.says("jumpgate: edge public on ")?.parse()?;
        self.connectors = edge.says("jumpgate: edge connectors on ")?.parse()?;
        self.edge = Some(edge);
        Ok(())
    }

    /// What the edge has logged.
    pub fn log(&self) -> String {
        self.edge.as_ref().map(Process::log).unwrap_or_default()
    }

    /// A foreign connector with the tunnel's token; `arguments` are those of `foreign_connector.py`.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn foreign_connector(&self, arguments: &[&str]) -> Result<Process> {
        let mut command = script("foreign_connector.py")?;
        command.args(["--edge", &self.connectors.to_string(), "--cacert", "edge/ca.pem"]);
        command.args(["--token-file", "tunnel.token", "--stagger", "0.1", "--pace", "0.2"]);
        self.launch("foreign-connector", command.args(arguments))
    }

    /// Our own connector with the tunnel's token, once it is registered.
    ///
    /// # Errors
    ///
    /// When it does not register.
    pub fn own_connector(&self, allow: SocketAddr) -> Result<Process> {
        let mut command = Command::new(install::jumpgate()?);
        let (edge, allow) = (self.connectors.to_string(), allow.to_string());
        command.args(["connector", "--token-file", "tunnel.token", "--cacert", "edge/ca.pem"]);
        let mut process =
            self.launch("connector", command.args(["--edge", &edge, "--allow", &allow]))?;
        process.says("jumpgate: connector registered ")?;
        Ok(process)
    }

    /// A foreign `access tcp`, and where it listens.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn foreign_client(&self) -> Result<(Process, SocketAddr)> {
        let mut command = script("foreign_access_tcp.py")?;
        command.args(["--hostname", HOSTNAME, "--id", &self.token_id]);
        command.args(["--dial", &self.public.to_string()]);
        command.env("TUNNEL_SERVICE_TOKEN_SECRET", &self.token_secret);
        command.env("SSL_CERT_FILE", self.path("edge/ca.pem"));
        let mut process = self.launch("foreign-client", &mut command)?;
        let address = process.says("listening on ")?.parse()?;
        Ok((process, address))
    }

    /// Our own proxy in front of the hostname, and what its clients connect to.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn proxy(&self, authority: &str) -> Result<(Process, Endpoint)> {
        fs::write(self.path("ca.pem"), authority)?;
        let (id, secret, edge) = (&self.token_id, &self.token_secret, self.public);
        let text = format!(
            r#"
[listen]
postgres = "127.0.0.1:0"
[[database]]
name = "app"
[[database.user]]
name = "app"
password = "{CLIENT_PASSWORD}"
[database.origin]
scheme = "postgres"
host = "{HOSTNAME}"
access_client_id = "{id}"
access_client_secret = "{secret}"
edge_address = "{edge}"
edge_ca_certificate = "edge/ca.pem"
database = "app"
user = "app"
password = "{APP_PASSWORD}"
[database.mtls]
sslmode = "verify-full"
ca_certificate = "ca.pem"
[database.caching]
disabled = true
"#
        );
        fs::write(self.path("proxy.toml"), text)?;
        let mut command = Command::new(install::jumpgate()?);
        let mut process = self.launch("proxy", command.args(["proxy", "-c", "proxy.toml"]))?;
        let address = process.says("jumpgate: postgres on ")?.parse()?;
        let (user, password) = ("app".into(), CLIENT_PASSWORD.into());
        Ok((process, Endpoint { address, user, password, database: "app".into() }))
    }

    /// What a client of the database itself connects to, when it listens at `address`.
    pub fn endpoint(address: SocketAddr, postgres: &Postgres) -> Endpoint {
        Endpoint { address, ..postgres.endpoint() }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.home.path().join(name)
    }

    fn launch(&self, name: &str, command: &mut Command) -> Result<Process> {
        command.current_dir(self.home.path()).env_remove("RUST_LOG");
        Process::start(name, command, self.path(&format!("{name}.log")))
    }
}

fn script(name: &str) -> Result<Command> {
    let mut command = Command::new(drivers::tunnel_python()?);
    let folder: &Path = &install::workspace().join("tests/e2e/scripts");
    command.arg(folder.join(name)).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}
