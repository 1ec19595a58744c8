//! An edge as its operator makes it: with the commands of the walk-through, in the order in which they are typed.
//!
//! [`Walk`] is the edge and its folder, [`Connector`] one that is run by flags alone, [`Proxy`] one in front of any
//! number of hostnames. Each ends when it is dropped; declared in the order in which they are started, they end in the
//! opposite one.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{
    certificates::Authority,
    install,
    jumpgate::{CLIENT_PASSWORD, Engine, command},
    metrics,
    postgres::APP_PASSWORD,
    process::Process,
    wire::Endpoint,
};

/// The edge, and the folder in which all commands are run.
#[derive(Debug)]
pub struct Walk {
    edge: Option<Process>,
    /// Where proxies dial.
    pub public: SocketAddr,
    /// Where connectors dial.
    pub connectors: SocketAddr,
    /// Where its pages are.
    pub metrics: SocketAddr,
    home: TempDir,
}

/// A service token, as it was printed.
#[derive(Clone, Debug)]
pub struct Token {
    id: String,
    secret: String,
}

/// What a proxy leads to.
#[derive(Clone, Debug)]
pub struct Way<'a> {
    /// What clients call it.
    pub name: &'a str,
    /// What it is.
    pub engine: Engine,
    /// The hostname that the edge guards.
    pub hostname: &'a str,
    /// What it shows there.
    pub token: &'a Token,
    /// Where the edge is, or a relay to it.
    pub edge: SocketAddr,
}

impl Walk {
    /// `jumpgate edge init`, on free ports, and the databases' authority for the proxies.
    ///
    /// # Errors
    ///
    /// When the binary is missing or refuses.
    pub fn init(databases: &Authority) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("jumpgate-walk-").tempdir()?;
        let folder = home.path();
        fs::write(folder.join("databases.pem"), &databases.pem)?;
        databases.leaf(&["localhost", "127.0.0.1"]).write(folder, "server")?;
        fs::write(folder.join("client-password"), CLIENT_PASSWORD)?;
        fs::write(folder.join("origin-password"), APP_PASSWORD)?;
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let walk =
            Self { edge: None, public: anywhere, connectors: anywhere, metrics: anywhere, home };
        walk.run("edge init --public 127.0.0.1:0 --connectors 127.0.0.1:0")?;
        let file = walk.home.path().join("edge.toml");
        let text = fs::read_to_string(&file)?;
        let offered = "# metrics = \"127.0.0.1:9845\"";
        ensure!(text.contains(offered), "{offered} is not in {text}");
        fs::write(file, text.replace(offered, "metrics = \"127.0.0.1:0\""))?;
        Ok(walk)
    }

    /// The whole walk up to a running edge: a tunnel, these hostnames with their services, the token `proxy`.
    ///
    /// # Errors
    ///
    /// When a command refuses or the edge does not start.
    pub fn with_routes(
        databases: &Authority,
        routes: &[(&str, SocketAddr)],
    ) -> Result<(Self, Token)> {
        let mut walk = Self::init(databases)?;
        walk.create_tunnel("office")?;
        for (hostname, service) in routes {
            walk.run(&format!("tunnel route office {hostname} --service tcp://{service}"))?;
        }
        let token = walk.create_token("proxy", "8760h")?;
        for (hostname, _) in routes {
            walk.run(&format!("access app create {hostname} --token proxy"))?;
        }
        walk.start()?;
        Ok((walk, token))
    }

    /// Runs `jumpgate` with these words on the edge's file and returns what it says.
    ///
    /// # Errors
    ///
    /// When it refuses.
    pub fn run(&self, words: &str) -> Result<String> {
        let words: Vec<_> = words.split(' ').chain(["-c", "edge.toml"]).collect();
        let (code, said, problems) = command(self.home.path(), &words)?;
        ensure!(code == 0, "{words:?}: {said}{problems}");
        Ok(said)
    }

    /// `jumpgate tunnel create`; the token goes into a file of this name.
    ///
    /// # Errors
    ///
    /// When it refuses.
    pub fn create_tunnel(&self, name: &str) -> Result<()> {
        self.run(&format!("tunnel create {name} --out {name}.token")).map(drop)
    }

    /// `jumpgate access token create`.
    ///
    /// # Errors
    ///
    /// When it refuses.
    pub fn create_token(&self, name: &str, duration: &str) -> Result<Token> {
        Token::read(&self.run(&format!("access token create {name} --duration {duration}"))?)
    }

    /// `jumpgate access token rotate`.
    ///
    /// # Errors
    ///
    /// When it refuses.
    pub fn rotate_token(&self, name: &str, overlap: &str) -> Result<Token> {
        Token::read(&self.run(&format!("access token rotate {name} --overlap {overlap}"))?)
    }

    /// `jumpgate edge`, and keeps its ports for the next time.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn start(&mut self) -> Result<()> {
        let mut edge = launch(self.home.path(), "edge", &["edge", "-c", "edge.toml"])?;
        self.public = edge.says("jumpgate: edge public on ")?.parse()?;
        self.connectors = edge.says("jumpgate: edge connectors on ")?.parse()?;
        self.metrics = edge.says("jumpgate: edge metrics on ")?.parse()?;
        self.edge = Some(edge);
        let file = self.home.path().join("edge.toml");
        let (public, connectors) = (self.public, self.connectors);
        let text = fs::read_to_string(&file)?
            .replace("public = \"127.0.0.1:0\"", &format!("public = \"{public}\""))
            .replace("connectors = \"127.0.0.1:0\"", &format!("connectors = \"{connectors}\""));
        Ok(fs::write(file, text)?)
    }

    /// Another edge with the same folder, on ports of its own: its process, where proxies dial, and where connectors do.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn second_edge(&self) -> Result<(Process, SocketAddr, SocketAddr)> {
        let mut text = fs::read_to_string(self.home.path().join("edge.toml"))?;
        for address in [self.public, self.connectors] {
            text = text.replace(&address.to_string(), "127.0.0.1:0");
        }
        fs::write(self.home.path().join("second.toml"), text)?;
        let mut edge = launch(self.home.path(), "second-edge", &["edge", "-c", "second.toml"])?;
        let public = edge.says("jumpgate: edge public on ")?.parse()?;
        let connectors = edge.says("jumpgate: edge connectors on ")?.parse()?;
        Ok((edge, public, connectors))
    }

    /// One of the edge's pages: status and body.
    pub async fn page(&self, path: &str) -> (u16, String) {
        metrics::get(self.metrics, path).await.expect("the edge answers")
    }

    /// The edge's process.
    ///
    /// # Panics
    ///
    /// When none was started.
    pub fn edge(&mut self) -> &mut Process {
        self.edge.as_mut().expect("the edge was started")
    }

    /// `jumpgate connector` by flags alone, registered, and leading to nothing but what is allowed.
    ///
    /// # Errors
    ///
    /// When it does not register.
    pub fn connector(&self, name: &str, allow: &[SocketAddr]) -> Result<Connector> {
        self.connector_over(name, allow, self.connectors)
    }

    /// As [`Self::connector`], to the edge at this address.
    ///
    /// # Errors
    ///
    /// When it does not register.
    pub fn connector_over(
        &self,
        name: &str,
        allow: &[SocketAddr],
        edge: SocketAddr,
    ) -> Result<Connector> {
        self.connector_to(name, allow, &[edge])
    }

    /// As [`Self::connector`], with a connection to each of two edges, or both to the same.
    ///
    /// # Errors
    ///
    /// When it does not register.
    pub fn connector_to(
        &self,
        name: &str,
        allow: &[SocketAddr],
        edges: &[SocketAddr],
    ) -> Result<Connector> {
        let edges: Vec<_> = edges.iter().map(ToString::to_string).collect();
        let allow: Vec<_> = allow.iter().map(ToString::to_string).collect();
        let mut words = vec!["connector", "--cacert", "edge/ca.pem"];
        words.extend(edges.iter().flat_map(|edge| ["--edge", edge]));
        words.extend(allow.iter().flat_map(|target| ["--allow", target]));
        words.extend(["--token-file", "office.token", "--metrics", "127.0.0.1:0"]);
        words.extend(["--connections", "2"]);
        let mut process = launch(self.home.path(), name, &words)?;
        let metrics = process.says("jumpgate: connector metrics on ")?.parse()?;
        process.says("jumpgate: connector registered 2")?;
        Ok(Connector { process, metrics })
    }

    /// `jumpgate proxy` in front of these.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn proxy(&self, name: &str, ways: &[Way<'_>]) -> Result<Proxy> {
        let folder = self.home.path();
        let engines = [(Engine::Postgres, "postgres"), (Engine::MySql, "mysql")];
        let listens: String = engines
            .iter()
            .filter(|(engine, _)| ways.iter().any(|way| way.engine == *engine))
            .map(|(_, word)| format!("{word} = \"127.0.0.1:0\"\n"))
            .collect();
        let mut text = format!(
            "[listen]\n{listens}tls_certificate = \"server.pem\"\ntls_key = \"server.key\"\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n"
        );
        text.extend(ways.iter().map(Way::toml));
        let file = format!("{name}.toml");
        fs::write(folder.join(&file), text)?;
        let mut process = launch(folder, name, &["proxy", "-c", &file])?;
        let mut addresses = [None; 2];
        for ((engine, word), address) in engines.iter().zip(&mut addresses) {
            if ways.iter().any(|way| way.engine == *engine) {
                *address = Some(process.says(&format!("jumpgate: {word} on "))?.parse()?);
            }
        }
        let [postgres, mysql] = addresses;
        Ok(Proxy { process, postgres, mysql, folder: folder.to_owned(), file })
    }
}

impl Token {
    /// Finds both halves in what the tool prints.
    fn read(said: &str) -> Result<Self> {
        let half = |key: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(key));
            line.map(|value| value.trim_matches('"').to_owned()).context("a half of the token")
        };
        Ok(Self { id: half("access_client_id = ")?, secret: half("access_client_secret = ")? })
    }
}

impl Way<'_> {
    fn toml(&self) -> String {
        let Self { name, hostname, edge, .. } = self;
        let Token { id, secret } = self.token;
        let scheme = match self.engine {
            Engine::Postgres => "postgres",
            Engine::MySql => "mysql",
        };
        format!(
            r#"
[[database]]
name = "{name}"
[[database.user]]
name = "app"
password_file = "client-password"
[database.origin]
scheme = "{scheme}"
host = "{hostname}"
access_client_id = "{id}"
access_client_secret = "{secret}"
edge_address = "{edge}"
edge_ca_certificate = "edge/ca.pem"
database = "app"
user = "app"
password_file = "origin-password"
[database.mtls]
sslmode = "verify-ca"
ca_certificate = "databases.pem"
[database.caching]
disabled = true
"#
        )
    }
}

/// A running connector.
#[derive(Debug)]
pub struct Connector {
    /// Its process.
    pub process: Process,
    metrics: SocketAddr,
}

impl Connector {
    /// One of its pages: status and body.
    pub async fn page(&self, path: &str) -> (u16, String) {
        metrics::get(self.metrics, path).await.expect("the connector answers")
    }

    /// The value of a series without labels.
    pub async fn metric(&self, name: &str) -> f64 {
        metrics::Metrics::parse(&self.page("/metrics").await.1).sum(name, &[])
    }

    /// How many streams are open.
    pub async fn active(&self) -> f64 {
        self.metric("cloudflared_tunnel_concurrent_requests_per_tunnel").await
    }
}

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    /// Its process.
    pub process: Process,
    postgres: Option<SocketAddr>,
    mysql: Option<SocketAddr>,
    folder: std::path::PathBuf,
    file: String,
}

impl Proxy {
    /// What a client of one of its databases connects to.
    ///
    /// # Panics
    ///
    /// When the proxy has no such engine.
    pub fn endpoint(&self, engine: Engine, database: &str) -> Endpoint {
        let address = match engine {
            Engine::Postgres => self.postgres,
            Engine::MySql => self.mysql,
        };
        Endpoint {
            address: address.expect("the proxy has this engine"),
            user: "app".into(),
            password: CLIENT_PASSWORD.into(),
            database: database.into(),
        }
    }

    /// `jumpgate check` on one of its databases: exit code and all that is said.
    ///
    /// # Errors
    ///
    /// When the binary is missing.
    pub fn check(&self, database: &str) -> Result<(i32, String)> {
        let (code, said, problems) = command(&self.folder, &["check", database, "-c", &self.file])?;
        Ok((code, said + &problems))
    }
}

/// Starts `jumpgate` with these words, its log in `NAME.log`.
fn launch(folder: &Path, name: &str, words: &[&str]) -> Result<Process> {
    let mut command = Command::new(install::jumpgate()?);
    command.args(words).current_dir(folder).env_remove("RUST_LOG").env("RUST_BACKTRACE", "1");
    Process::start(name, &mut command, folder.join(format!("{name}.log")))
}

/// Makes one `#[test]` of each scenario, which is an `async fn` without arguments.
#[macro_export]
macro_rules! walks {
    ($($name:ident),+ $(,)?) => {
        mod walk {
            $(
                #[test]
                fn $name() {
                    $crate::stage::run_on_a_runtime(super::$name);
                }
            )+
        }
    };
}
