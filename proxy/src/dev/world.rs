//! The parts of `jumpgate dev`, made with throw-away credentials.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use rustls_pki_types::ServerName;
use tokio_postgres::config::{Host, SslMode as UrlSslMode};
use tunnel::{
    access::{InvalidToken, ServiceToken, StoredToken},
    certs::{Authority, CertsError},
    client::{Client, ClientConfig, InvalidHostname},
    connector::{Connector, ConnectorConfig, Ingress, InvalidService},
    edge::{BindError, Edge, EdgeConfig, Hostname, NamedToken, TunnelCredentials},
    token::{InvalidTunnelToken, TunnelId, TunnelToken},
};

use super::relay::Relay;
use crate::{
    args::DevArgs,
    config::{
        CacheConfig, CachingConfig, ClientUser, Config, DatabaseConfig, Dial, Engine, Fingerprint,
        ListenConfig, OriginConfig, OriginTls, PoolConfig,
    },
    net::tls::{self, IdentityPem, SslMode, TlsError},
    report,
    secret::Secret,
};

/// The hostname that the edge guards; it is never resolved.
const HOSTNAME: &str = "db.jumpgate.test";
/// Name of the database, and of its user, in the connection string.
const NAME: &str = "app";
const MAX_CLIENTS: usize = 10_000;
const TIMEOUT: Duration = Duration::from_secs(30);
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
const PING_INTERVAL: Duration = Duration::from_secs(30);
const DEFAULT_PORT: u16 = 5432;
/// Any free port of loopback.
const ANY: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// Why a part could not be made.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// `--origin` is no connection string.
    #[error("--origin is not a connection string like postgres://user:password@host:5432/database")]
    Url(#[source] tokio_postgres::Error),
    /// `--origin` leaves something out.
    #[error("--origin {0}")]
    Incomplete(&'static str),
    /// `--origin-ca` cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// No port for the relay.
    #[error("the relay cannot listen")]
    Relay(#[source] io::Error),
    /// Throw-away certificates.
    #[error("no certificates could be made")]
    Certificates(#[from] CertsError),
    /// TLS.
    #[error("TLS could not be set up")]
    Tls(#[from] TlsError),
    /// The edge.
    #[error("the edge could not start")]
    Edge(#[from] BindError),
    /// The service token.
    #[error("no service token could be made")]
    ServiceToken(#[from] InvalidToken),
    /// The tunnel's token.
    #[error("no tunnel token could be made")]
    TunnelToken(#[from] InvalidTunnelToken),
    /// The connector's target.
    #[error("the connector has no target")]
    Service(#[from] InvalidService),
    /// The tunnel's hostname.
    #[error("the tunnel has no hostname")]
    Hostname(#[from] InvalidHostname),
}

/// Every role, made and not yet running.
pub(super) struct World {
    pub(super) relay: Relay,
    pub(super) edge: Edge,
    pub(super) connector: Connector,
    pub(super) proxy: Config,
    pub(super) guide: Guide,
}

/// What a person, or the tour, needs to know to connect.
pub(super) struct Guide {
    /// The proxy.
    pub(super) proxy: SocketAddr,
    /// The relay, for a direct connection with the same distance.
    pub(super) relay: SocketAddr,
    /// The client's password.
    pub(super) password: Secret<String>,
    /// TLS towards the proxy, verified in full.
    pub(super) proxy_tls: OriginTls,
    /// TLS towards the database.
    pub(super) origin_tls: OriginTls,
    /// User, password and database of the origin.
    pub(super) origin: tokio_postgres::Config,
}

impl World {
    /// Makes every part; the listeners are open when it returns.
    pub(super) async fn make(args: &DevArgs) -> Result<Self, WorldError> {
        let origin = Origin::parse(args)?;
        let relay =
            Relay::bind(origin.address.clone(), args.delay).await.map_err(WorldError::Relay)?;
        let authority = Authority::generate("Jumpgate development")?;
        let roots = authority.certificate_pem().as_bytes();

        let certificate = authority.edge(&[HOSTNAME])?;
        let edge_tls = tls::server(IdentityPem {
            certificates: certificate.certificate_pem.as_bytes(),
            key: certificate.key_pem.as_bytes(),
        })?;
        let service_token = ServiceToken::new(format!("{}.access", random_hex()), random_hex())?;
        let tunnel = TunnelId::random();
        let tunnel_token = TunnelToken::new(random_hex(), tunnel, rand::random::<[u8; 32]>())?;
        let edge = Edge::bind(EdgeConfig {
            public: ANY.into(),
            connectors: ANY.into(),
            tls: edge_tls.config,
            service_tokens: vec![NamedToken {
                name: String::from("proxy"),
                token: StoredToken::from(&service_token),
            }],
            tunnels: vec![TunnelCredentials::from(&tunnel_token)],
            hostnames: vec![Hostname {
                name: HOSTNAME.into(),
                tunnel,
                service_tokens: vec![String::from("proxy")],
            }],
        })
        .await?;
        let connector = Connector::new(ConnectorConfig {
            edge: vec![edge.connectors_addr().to_string()],
            token: tunnel_token,
            tls: tls::edge_client(Some(roots))?,
            connections: 2,
            ingress: vec![Ingress {
                hostname: HOSTNAME.into(),
                service: format!("tcp://{}", relay.address()).parse()?,
            }],
            dial_timeout: ConnectorConfig::DEFAULT_DIAL_TIMEOUT,
            grace_period: Duration::from_secs(1),
        });
        let pool = PoolConfig::default();
        let dial = Dial::Tunnel(Arc::new(Client::new(ClientConfig {
            hostname: HOSTNAME.into(),
            address: Some(edge.public_addr()),
            token: Some(service_token),
            tls: tls::edge_client(Some(roots))?,
            connect_timeout: pool.connect_timeout,
            ping_interval: PING_INTERVAL,
        })?));
        let password = Secret::new(random_hex());
        let guide = Guide {
            proxy: SocketAddr::from(ANY),
            relay: relay.address(),
            password: password.clone(),
            proxy_tls: OriginTls::Required {
                client: tls::database_client(
                    Engine::Postgres.alpn(),
                    SslMode::VerifyFull,
                    Some(roots),
                    None,
                )?,
                server_name: ServerName::from(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST)),
            },
            origin_tls: origin.tls.clone(),
            origin: origin.config.clone(),
        };
        let proxy = proxy_config(args, &authority, &password, origin.into_config(dial), pool)?;
        Ok(Self { relay, edge, connector, proxy, guide })
    }
}

fn proxy_config(
    args: &DevArgs,
    authority: &Authority,
    password: &Secret<String>,
    origin: OriginConfig,
    pool: PoolConfig,
) -> Result<Config, WorldError> {
    let certificate = authority.server(&["localhost", "127.0.0.1"])?;
    let tls = tls::server(IdentityPem {
        certificates: certificate.certificate_pem.as_bytes(),
        key: certificate.key_pem.as_bytes(),
    })?;
    let verifier = postgres_protocol::password::scram_sha_256(password.expose().as_bytes());
    Ok(Config {
        listen: ListenConfig {
            postgres: Some((Ipv4Addr::LOCALHOST, args.port).into()),
            mysql: None,
            mysql_server_version: None,
            tls: Some(tls.config),
            channel_binding: tls.end_point,
            max_clients: MAX_CLIENTS,
            login_timeout: TIMEOUT,
            write_timeout: WRITE_TIMEOUT,
        },
        admin: Some(ANY.into()),
        cache: CacheConfig::default(),
        databases: vec![Arc::new(DatabaseConfig {
            id: random_hex().chars().take(32).collect(),
            name: NAME.into(),
            engine: Engine::Postgres,
            users: vec![ClientUser {
                name: NAME.into(),
                verifier: Secret::new(verifier),
                mysql: None,
            }],
            origin,
            pool,
            caching: CachingConfig::default(),
            fingerprint: Fingerprint::unique(),
        })],
    })
}

/// The database of `--origin`.
struct Origin {
    /// `host:port`, for the relay.
    address: String,
    config: tokio_postgres::Config,
    tls: OriginTls,
    database: String,
    user: String,
    password: Secret<String>,
}

impl Origin {
    fn parse(args: &DevArgs) -> Result<Self, WorldError> {
        let config: tokio_postgres::Config = args.origin.parse().map_err(WorldError::Url)?;
        let host = match config.get_hosts() {
            [Host::Tcp(host)] => host.clone(),
            _ => return Err(WorldError::Incomplete("must name one host")),
        };
        let port = config.get_ports().first().copied().unwrap_or(DEFAULT_PORT);
        let user = config.get_user().ok_or(WorldError::Incomplete("names no user"))?.to_owned();
        let database = config.get_dbname().unwrap_or(&user).to_owned();
        let password = config.get_password().unwrap_or_default();
        let password = String::from_utf8(password.to_vec())
            .map_err(|_not_utf8| WorldError::Incomplete("has a password that is not UTF-8"))?;
        let tls = match (config.get_ssl_mode(), &args.origin_ca) {
            // A person wrote sslmode=disable into the URL of a development database.
            (UrlSslMode::Disable, None) => OriginTls::Plaintext,
            (_, ca) => {
                let roots = ca.as_ref().map(|path| {
                    std::fs::read(path)
                        .map_err(|source| WorldError::Unreadable { path: path.clone(), source })
                });
                let roots = roots.transpose()?;
                let mode = if roots.is_some() { SslMode::VerifyFull } else { SslMode::Require };
                let server_name = ServerName::try_from(host.clone()).map_err(|_no_name| {
                    WorldError::Incomplete("has a host that TLS cannot name")
                })?;
                let client =
                    tls::database_client(Engine::Postgres.alpn(), mode, roots.as_deref(), None)?;
                OriginTls::Required { client, server_name }
            }
        };
        let address =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let password = Secret::new(password);
        Ok(Self { address, config, tls, database, user, password })
    }

    fn into_config(self, dial: Dial) -> OriginConfig {
        let Self { database, user, password, tls, .. } = self;
        OriginConfig { dial, database, user, password, tls }
    }
}

impl Guide {
    /// The same, with the address that the proxy really has.
    pub(super) fn at(self, proxy: SocketAddr) -> Self {
        Self { proxy, ..self }
    }

    /// How to log in at the proxy.
    pub(super) fn client(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.user(NAME).dbname(NAME).password(self.password.expose());
        config
    }

    /// Prints what to copy.
    pub(super) fn introduce(&self, admin: Option<SocketAddr>, delay: Duration) {
        let url = format!("postgres://{NAME}:{}@{}/{NAME}", self.password.expose(), self.proxy);
        report::line(&format!(
            "driver -> proxy -> edge (Access) -> tunnel -> connector -> {} ms away -> database\n",
            delay.as_millis(),
        ));
        report::line("Connect any PostgreSQL driver to");
        report::line(&format!("  {url}"));
        report::line("or in a terminal (TLS works too: add ?sslmode=require)");
        report::line(&format!("  psql '{url}'"));
        if let Some(admin) = admin {
            report::line("Metrics");
            report::line(&format!("  http://{admin}/metrics"));
        }
    }
}

/// 32 random bytes.
fn random_hex() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Args, Command};

    fn dev(origin: &str) -> DevArgs {
        let line = ["jumpgate", "dev", "--origin", origin, "--port", "0"];
        match Args::try_parse_from(line).unwrap().command {
            Some(Command::Dev(args)) => args,
            _ => panic!("dev was asked for"),
        }
    }

    #[test]
    fn an_origin_is_taken_apart_and_its_password_kept() {
        let args = dev("postgres://u:p%40ss@db.example.test:6000/shop");
        let origin = Origin::parse(&args).unwrap();
        assert_eq!(origin.address, "db.example.test:6000");
        assert_eq!((origin.user.as_str(), origin.database.as_str()), ("u", "shop"));
        assert_eq!(origin.password.expose(), "p@ss");
        assert!(matches!(origin.tls, OriginTls::Required { .. }));
        let plain = Origin::parse(&dev("postgres://u@h/d?sslmode=disable")).unwrap();
        assert!(matches!(plain.tls, OriginTls::Plaintext));
        assert_eq!(plain.address, "h:5432");
    }

    #[test]
    fn an_origin_that_leaves_something_out_is_refused() {
        for wrong in
            ["", "postgres://", "postgres:///d", "postgres://h/d", "nonsense", "mysql://u@h/d"]
        {
            assert!(Origin::parse(&dev(wrong)).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn every_part_is_made_on_a_free_port() {
        let world = World::make(&dev("postgres://u:p@127.0.0.1:1/d")).await.unwrap();
        assert_ne!(world.edge.public_addr().port(), 0);
        assert_ne!(world.relay.address().port(), 0);
        assert!(world.proxy.listen.channel_binding.is_some());
        let password = world.guide.password.expose();
        assert!(!format!("{:?}", world.proxy).contains(password.as_str()));
    }
}
