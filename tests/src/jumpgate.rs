//! The real `jumpgate`: proxy, and for tunnelled scenarios edge and connector, as processes of their own.
//!
//! Everything is said through `jumpgate.toml`, standard output and signals, as an operator would.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tempfile::TempDir;

use crate::{
    certificates::Authority,
    install,
    metrics::{self, Metrics},
    postgres::APP_PASSWORD,
    process::Process,
    relay::Relay,
    wire::Endpoint,
};

/// The password of the clients, which is not the origin's.
pub const CLIENT_PASSWORD: &str = "client-password";
/// The hostname that Access guards.
pub const HOSTNAME: &str = "db.example.test";

const TOKEN_ID: &str = "0123456789abcdef0123456789abcdef.access";
const TOKEN_SECRET: &str = "5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2";
const TUNNEL_ID: &str = "7f6c1b3a-52a1-4f0e-9a63-0d1f2a3b4c5d";
const ACCOUNT_TAG: &str = "00112233445566778899aabbccddeeff";
const TUNNEL_SECRET: [u8; 32] = [0x5a; 32];

/// A kind of database; its name is the key of `[listen]` and the scheme of the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    MySql,
}

impl Engine {
    const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
        }
    }
}

/// What differs from the usual world. Strings are lines of TOML for the section they are named after.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What kind of database it stands before.
    pub engine: Engine,
    /// `origin_connection_limit`.
    pub pool_size: u32,
    /// The hosts of the origin, where it has several.
    pub hosts: Vec<SocketAddr>,
    /// More of `[database.origin]`.
    pub origin: String,
    /// More of `[database.pool]`.
    pub pool: String,
    /// `[database.caching]`.
    pub caching: String,
    /// `[database.round_trips]`.
    pub round_trips: String,
    /// `[cache]`.
    pub cache: String,
    /// More of `[listen]`.
    pub listen: String,
    /// More tables, after the database `app`; a `[[database.user]]` is one of its own.
    pub more: String,
    /// `sslmode` towards the database.
    pub sslmode: &'static str,
    /// Lines of `postgresql.conf`.
    pub postgres: Vec<&'static str>,
    /// Arguments of the MariaDB or MySQL server.
    pub mysql: Vec<&'static str>,
    /// Connections between connector and edge.
    pub tunnel_connections: u32,
    /// Puts a relay in front of the database that holds every byte this long.
    pub relay_delay: Option<Duration>,
    /// Makes the edge so distant from the proxy, each way, with a relay between them.
    pub edge_delay: Option<Duration>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            engine: Engine::Postgres,
            pool_size: 10,
            hosts: Vec::new(),
            origin: String::new(),
            pool: String::new(),
            caching: String::new(),
            round_trips: String::new(),
            cache: String::new(),
            listen: String::new(),
            more: String::new(),
            sslmode: "verify-full",
            postgres: Vec::new(),
            mysql: Vec::new(),
            tunnel_connections: 2,
            relay_delay: None,
            edge_delay: None,
        }
    }
}

impl Setup {
    /// The usual world with `size` origin connections.
    pub fn pool_of(size: u32) -> Self {
        Self { pool_size: size, ..Self::default() }
    }

    /// The usual world with these lines of `[database.caching]`.
    pub fn caching(lines: &str) -> Self {
        Self { caching: lines.into(), ..Self::default() }
    }
}

/// Running processes of jumpgate.
#[derive(Debug)]
pub struct Jumpgate {
    // In the order in which they end.
    proxy: Process,
    /// The network between proxy and edge, where the setup asks for one.
    relay: Option<Relay>,
    connector: Option<Process>,
    edge: Option<Process>,
    address: SocketAddr,
    admin: SocketAddr,
    ports: Option<EdgePorts>,
    origin: SocketAddr,
    setup: Setup,
    home: TempDir,
}

/// Where the edge listens; kept so that a restarted edge is found again.
#[derive(Clone, Copy, Debug)]
struct EdgePorts {
    public: SocketAddr,
    connectors: SocketAddr,
}

impl Jumpgate {
    /// Starts what the route needs and waits until clients can connect.
    ///
    /// # Errors
    ///
    /// When the binary is missing or a process ends or stays silent; the error carries its log.
    pub fn start(
        authority: &Authority,
        origin: SocketAddr,
        tunnel: bool,
        setup: Setup,
    ) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("jumpgate-").tempdir()?;
        let folder = home.path();
        fs::write(folder.join("ca.pem"), &authority.pem)?;
        authority.leaf(&["localhost", "127.0.0.1"]).write(folder, "server")?;
        let edge_names = [HOSTNAME, "h2.cftunnel.com", "quic.cftunnel.com", "probe.cftunnel.com"];
        authority.leaf(&edge_names).write(folder, "edge")?;
        fs::write(folder.join("client-password"), CLIENT_PASSWORD)?;
        fs::write(folder.join("origin-password"), APP_PASSWORD)?;
        // Two files: revoking the token at the edge must not change what the proxy presents.
        fs::write(folder.join("token-secret"), TOKEN_SECRET)?;
        fs::write(folder.join("proxy-token-secret"), TOKEN_SECRET)?;
        fs::write(folder.join("tunnel-secret"), STANDARD.encode(TUNNEL_SECRET))?;
        fs::write(folder.join("connector-token"), connector_token())?;

        let (mut edge, mut connector, mut ports, mut relay) = (None, None, None, None);
        if tunnel {
            let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
            let (process, bound) =
                start_edge(folder, EdgePorts { public: anywhere, connectors: anywhere })?;
            (edge, ports) = (Some(process), Some(bound));
            connector = Some(start_connector(folder, bound, origin, setup.tunnel_connections)?);
            let delay = setup.edge_delay;
            relay = delay.map(|delay| Relay::distant(bound.public, delay)).transpose()?;
        }
        fs::write(
            folder.join("proxy.toml"),
            proxy_toml(&setup, origin, seen(ports, relay.as_ref())),
        )?;
        let mut proxy = launch(folder, "proxy")?;
        let address = proxy.says(&format!("jumpgate: {} on ", setup.engine.name()))?.parse()?;
        let admin = proxy.says("jumpgate: admin on ")?.parse()?;
        Ok(Self { proxy, relay, connector, edge, address, admin, ports, origin, setup, home })
    }

    /// What clients connect to.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            address: self.address,
            user: "app".into(),
            password: CLIENT_PASSWORD.into(),
            database: "app".into(),
        }
    }

    /// Where `/metrics` is.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// What `/metrics` says now.
    pub async fn metrics(&self) -> Metrics {
        let (status, body) =
            metrics::get(self.admin, "/metrics").await.expect("the admin port answers");
        assert_eq!(status, 200, "/metrics answers: {body}");
        Metrics::parse(&body)
    }

    /// Writes the proxy's file anew with other settings, and has it reloaded with SIGHUP.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn reload(&mut self, change: impl FnOnce(&mut Setup)) -> Result<()> {
        change(&mut self.setup);
        let text = proxy_toml(&self.setup, self.origin, seen(self.ports, self.relay.as_ref()));
        fs::write(self.home.path().join("proxy.toml"), text)?;
        self.proxy.signal("HUP");
        Ok(())
    }

    /// Starts the edge again without the service token, as if it had been revoked.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn revoke_token(&mut self) -> Result<()> {
        fs::write(self.home.path().join("token-secret"), TOKEN_SECRET.replace('5', "7"))?;
        self.restart_edge()
    }

    /// Kills the edge with SIGKILL and starts it on the same ports.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn restart_edge(&mut self) -> Result<()> {
        self.edge = None;
        let ports = self.ports.context("there is no edge on this route")?;
        self.edge = Some(start_edge(self.home.path(), ports)?.0);
        Ok(())
    }

    /// Kills the connector with SIGKILL.
    pub fn kill_connector(&mut self) {
        self.connector = None;
    }

    /// Starts a connector again and waits until it is registered.
    ///
    /// # Errors
    ///
    /// When it does not register.
    pub fn start_connector(&mut self) -> Result<()> {
        let ports = self.ports.context("there is no edge on this route")?;
        let (home, count) = (self.home.path(), self.setup.tunnel_connections);
        self.connector = Some(start_connector(home, ports, self.origin, count)?);
        Ok(())
    }

    /// The proxy's process id.
    pub fn pid(&self) -> u32 {
        self.proxy.pid()
    }

    /// The proxy's process.
    pub fn proxy(&mut self) -> &mut Process {
        &mut self.proxy
    }

    /// Runs a tool of the binary on the proxy's own file: exit code, standard output, standard error.
    ///
    /// # Errors
    ///
    /// When the binary is missing.
    pub fn tool(&self, arguments: &[&str]) -> Result<(i32, String, String)> {
        let mut all = arguments.to_vec();
        all.extend(["-c", "proxy.toml"]);
        command(self.home.path(), &all)
    }

    /// As [`Self::tool`], on a copy of the file that was changed.
    ///
    /// # Errors
    ///
    /// When the binary is missing.
    pub fn tool_with(
        &self,
        change: impl FnOnce(String) -> String,
        arguments: &[&str],
    ) -> Result<(i32, String, String)> {
        let folder = self.home.path();
        // A CA that has signed nothing here.
        fs::write(folder.join("other-ca.pem"), Authority::new().pem)?;
        let text = fs::read_to_string(folder.join("proxy.toml"))?;
        fs::write(folder.join("changed.toml"), change(text))?;
        let mut all = arguments.to_vec();
        all.extend(["-c", "changed.toml"]);
        command(folder, &all)
    }

    /// The logs of everything that runs.
    pub fn logs(&self) -> String {
        let others = [&self.edge, &self.connector];
        let mut logs = self.proxy.log();
        for process in others.into_iter().flatten() {
            logs.push_str(&process.log());
        }
        logs
    }

    /// The secrets that no log may hold.
    pub fn secrets() -> [&'static str; 3] {
        [CLIENT_PASSWORD, APP_PASSWORD, TOKEN_SECRET]
    }
}

/// Where the edge is, as the proxy sees it.
fn seen(ports: Option<EdgePorts>, relay: Option<&Relay>) -> Option<EdgePorts> {
    let EdgePorts { public, connectors } = ports?;
    Some(EdgePorts { public: relay.map_or(public, Relay::address), connectors })
}

/// Runs `jumpgate` with these arguments to its end: exit code, standard output, standard error.
///
/// # Errors
///
/// When the binary is missing.
pub fn command(folder: &Path, arguments: &[&str]) -> Result<(i32, String, String)> {
    let output = Command::new(install::jumpgate()?).args(arguments).current_dir(folder).output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr)))
}

fn launch(folder: &Path, role: &str) -> Result<Process> {
    let mut command = Command::new(install::jumpgate()?);
    let file: PathBuf = folder.join(format!("{role}.toml"));
    command.arg(role).arg("-c").arg(file).current_dir(folder).env_remove("RUST_LOG");
    command.env("RUST_BACKTRACE", "1");
    Process::start(role, &mut command, folder.join(format!("{role}.log")))
}

fn start_edge(folder: &Path, ports: EdgePorts) -> Result<(Process, EdgePorts)> {
    let EdgePorts { public, connectors } = ports;
    let text = format!(
        r#"
[edge]
public = "{public}"
connectors = "{connectors}"
certificate = "edge.pem"
key = "edge.key"
[[edge.service_token]]
name = "proxy"
id = "{TOKEN_ID}"
secret_file = "token-secret"
[[edge.tunnel]]
id = "{TUNNEL_ID}"
account_tag = "{ACCOUNT_TAG}"
secret_file = "tunnel-secret"
[[edge.hostname]]
name = "{HOSTNAME}"
tunnel = "{TUNNEL_ID}"
service_tokens = ["proxy"]
"#
    );
    fs::write(folder.join("edge.toml"), text)?;
    let mut process = launch(folder, "edge")?;
    let public = process.says("jumpgate: edge public on ")?.parse()?;
    let connectors = process.says("jumpgate: edge connectors on ")?.parse()?;
    Ok((process, EdgePorts { public, connectors }))
}

fn start_connector(
    folder: &Path,
    ports: EdgePorts,
    origin: SocketAddr,
    connections: u32,
) -> Result<Process> {
    let text = format!(
        r#"
[connector]
edge = ["{}"]
token_file = "connector-token"
ca_certificate = "ca.pem"
connections = {connections}
[[connector.ingress]]
hostname = "{HOSTNAME}"
service = "tcp://{origin}"
"#,
        ports.connectors
    );
    fs::write(folder.join("connector.toml"), text)?;
    let mut process = launch(folder, "connector")?;
    process.says("jumpgate: connector registered ")?;
    Ok(process)
}

fn connector_token() -> String {
    let secret = STANDARD.encode(TUNNEL_SECRET);
    STANDARD.encode(format!(r#"{{"a":"{ACCOUNT_TAG}","t":"{TUNNEL_ID}","s":"{secret}"}}"#))
}

fn proxy_toml(setup: &Setup, origin: SocketAddr, ports: Option<EdgePorts>) -> String {
    let Setup { pool_size, pool, caching, round_trips, cache, listen, more, sslmode, .. } = setup;
    let of_origin = &setup.origin;
    let engine = setup.engine.name();
    let way = match ports {
        None if !setup.hosts.is_empty() => {
            let hosts: Vec<_> = setup.hosts.iter().map(ToString::to_string).collect();
            format!("hosts = {hosts:?}")
        }
        None => format!("host = \"127.0.0.1\"\nport = {}", origin.port()),
        Some(EdgePorts { public, .. }) => format!(
            "host = \"{HOSTNAME}\"\naccess_client_id = \"{TOKEN_ID}\"\naccess_client_secret_file = \"proxy-token-secret\"\n\
             edge_address = \"{public}\"\nedge_ca_certificate = \"ca.pem\""
        ),
    };
    let mut text = format!(
        r#"
[listen]
{engine} = "127.0.0.1:0"
tls_certificate = "server.pem"
tls_key = "server.key"
{listen}
[admin]
listen = "127.0.0.1:0"
[cache]
{cache}
"#
    );
    let database = format!(
        r#"
[[database]]
name = "app"
[[database.user]]
name = "app"
password_file = "client-password"
[database.origin]
scheme = "{engine}"
{way}
database = "app"
user = "app"
password_file = "origin-password"
{of_origin}
[database.mtls]
sslmode = "{sslmode}"
ca_certificate = "ca.pem"
[database.caching]
{caching}
[database.round_trips]
{round_trips}
[database.pool]
origin_connection_limit = {pool_size}
{pool}
{more}
"#
    );
    text.push_str(&database);
    text
}
