//! The parts of `jumpgate dev`, made with throw-away credentials.

use std::{io, net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use tunnel::{
    access::{InvalidToken, ServiceToken},
    certs::{Authority, CertsError},
    client::{Client, ClientConfig, InvalidHostname},
    connector::{Connector, ConnectorConfig, Ingress, InvalidService, Targets},
    edge::{BindError, Edge, EdgeConfig},
    state::{State, TokenRecord, Tunnel},
    token::{InvalidTunnelToken, TunnelId, TunnelToken},
};

use super::{
    guide::{Guide, NAME},
    kept::Kept,
    origin::Origin,
    relay::Relay,
};
use crate::{
    args::DevArgs,
    config::{
        CacheConfig, CachingConfig, ClientUser, Config, DatabaseConfig, Dial, DirectTls, Engine,
        Fingerprint, ListenConfig, LogConfig, OriginConfig, PoolConfig,
    },
    net::tls::{self, IdentityPem, TlsError},
    salts::Salts,
};

const MAX_CLIENTS: usize = 10_000;
const TIMEOUT: Duration = Duration::from_secs(30);
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// Any free port of loopback.
const ANY: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// Why a part could not be made.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// `--origin` is no connection string.
    #[error(
        "--origin is not a connection string like postgres://user:password@host:5432/database (or mysql://…)"
    )]
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
    pub(super) relays: Vec<Relay>,
    pub(super) edge: Edge,
    pub(super) connector: Connector,
    pub(super) proxy: Config,
    /// One for each database.
    pub(super) guides: Vec<Guide>,
}

/// One database of the world.
struct Lane {
    origin: Origin,
    relay: Relay,
    /// The hostname that the edge guards; it is never resolved.
    hostname: &'static str,
    /// Its name in the connection string.
    name: String,
}

impl Lane {
    async fn open(args: &DevArgs) -> Result<Vec<Self>, WorldError> {
        let mut lanes: Vec<Self> = Vec::with_capacity(args.origin.len());
        for url in &args.origin {
            let origin = Origin::parse(url, args.origin_ca.as_ref())?;
            let engine = origin.engine;
            if lanes.iter().any(|lane| lane.origin.engine == engine) {
                return Err(WorldError::Incomplete("is given twice for one engine"));
            }
            let name = if args.origin.len() > 1 {
                format!("{NAME}-{}", engine.word())
            } else {
                NAME.into()
            };
            let hostname = match engine {
                Engine::Postgres => "postgres.jumpgate.test",
                Engine::MySql => "mysql.jumpgate.test",
            };
            let relay = Relay::bind(origin.address.clone(), args.delay).await;
            let relay = relay.map_err(WorldError::Relay)?;
            lanes.push(Self { origin, relay, hostname, name });
        }
        Ok(lanes)
    }
}

impl World {
    /// Makes every part; the listeners are open when it returns.
    pub(super) async fn make(args: &DevArgs, kept: &Kept) -> Result<Self, WorldError> {
        let lanes = Lane::open(args).await?;
        let hostnames: Vec<_> = lanes.iter().map(|lane| lane.hostname).collect();
        let authority = Authority::generate("Jumpgate development")?;
        let roots = authority.certificate_pem().as_bytes();

        let certificate = authority.edge(&hostnames)?;
        let edge_tls = tls::server(IdentityPem {
            certificates: certificate.certificate_pem.as_bytes(),
            key: certificate.key_pem.as_bytes(),
        })?;
        let service_token = ServiceToken::new(format!("{}.access", random_hex()), random_hex())?;
        let tunnel = TunnelId::random();
        let tunnel_token = TunnelToken::new(random_hex(), tunnel, rand::random::<[u8; 32]>())?;
        let token = TokenRecord::of("proxy", &service_token);
        let mut state = State { tunnels: vec![Tunnel::from(&tunnel_token)], ..State::default() };
        for name in &hostnames {
            state.guard(name, tunnel, &[token.id]);
        }
        state.service_tokens.push(token);
        let edge = Edge::bind(EdgeConfig {
            public: ANY.into(),
            connectors: ANY.into(),
            public_tls: Arc::clone(&edge_tls.config),
            connector_tls: edge_tls.config,
            state,
            signing_keys: None,
            max_refusals_per_minute: EdgeConfig::DEFAULT_MAX_REFUSALS_PER_MINUTE,
            drain_timeout: Duration::from_millis(500),
        })
        .await?;
        let connector = Connector::new(ConnectorConfig {
            edge: vec![edge.connectors_addr().to_string()],
            token: tunnel_token,
            tls: tls::edge_client(Some(roots))?,
            connections: 2,
            ingress: lanes.iter().map(ingress).collect::<Result<_, _>>()?,
            targets: Targets::Any,
            dial_timeout: ConnectorConfig::DEFAULT_DIAL_TIMEOUT,
            grace_period: Duration::from_secs(1),
        });
        let mut proxy = proxy_config(args, &authority)?;
        proxy.admin = Some(kept.admin());
        let password = kept.password();
        let (mut relays, mut guides) = (Vec::new(), Vec::new());
        for Lane { origin, relay, hostname, name } in lanes {
            let credentials = (name.clone(), password.clone());
            guides.push(Guide::new(&origin, relay.address(), credentials, roots)?);
            let engine = origin.engine;
            let port = match engine {
                Engine::Postgres => args.port,
                Engine::MySql => args.mysql_port,
            };
            proxy.listen.open(engine, (Ipv4Addr::LOCALHOST, port).into());
            let dial = Dial::Tunnel(Arc::new(Client::new(ClientConfig {
                hostname: hostname.into(),
                address: Some(edge.public_addr()),
                token: Some(service_token.clone()),
                tls: tls::edge_client(Some(roots))?,
                connect_timeout: PoolConfig::default().connect_timeout,
                ping_interval: PING_INTERVAL,
            })?));
            let user = ClientUser::with_password(engine, NAME.into(), &password, &proxy.salts);
            let database = database_config(engine, name, user, origin.by(dial));
            proxy.databases.push(Arc::new(database));
            relays.push(relay);
        }
        Ok(Self { relays, edge, connector, proxy, guides })
    }
}

fn ingress(lane: &Lane) -> Result<Ingress, InvalidService> {
    let service = format!("tcp://{}", lane.relay.address()).parse()?;
    Ok(Ingress { hostname: lane.hostname.into(), service })
}

/// A proxy without a listener and without a database.
fn proxy_config(args: &DevArgs, authority: &Authority) -> Result<Config, WorldError> {
    let certificate = authority.server(&["localhost", "127.0.0.1"])?;
    let tls = tls::server(IdentityPem {
        certificates: certificate.certificate_pem.as_bytes(),
        key: certificate.key_pem.as_bytes(),
    })?;
    Ok(Config {
        listen: ListenConfig {
            postgres: None,
            mysql: None,
            mysql_server_version: None,
            mysql_compression: true,
            tls: Some(tls.config),
            require_tls: false,
            direct_tls: DirectTls::Named,
            channel_binding: tls.end_point,
            max_clients: MAX_CLIENTS,
            login_timeout: TIMEOUT,
            max_failed_logins: 0,
            write_timeout: WRITE_TIMEOUT,
        },
        admin: Some(ANY.into()),
        cache: CacheConfig::default(),
        databases: Vec::with_capacity(args.origin.len()),
        log: LogConfig::default(),
        salts: Salts::random(),
        notes: Vec::new(),
    })
}

fn database_config(
    engine: Engine,
    name: String,
    user: ClientUser,
    origin: OriginConfig,
) -> DatabaseConfig {
    DatabaseConfig {
        id: random_hex().chars().take(32).collect(),
        name,
        engine,
        users: vec![user],
        origin,
        pool: PoolConfig::default(),
        caching: CachingConfig::default(),
        fingerprint: Fingerprint::unique(),
        connections: Fingerprint::unique(),
    }
}

/// 32 random bytes.
pub(super) fn random_hex() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Args, Command};

    fn dev(origins: &[&str]) -> DevArgs {
        let mut line = vec!["jumpgate", "dev", "--port", "0", "--mysql-port", "0"];
        line.extend(origins.iter().flat_map(|origin| ["--origin", *origin]));
        match Args::try_parse_from(line).unwrap().command {
            Some(Command::Dev(args)) => args,
            _ => panic!("dev was asked for"),
        }
    }

    #[tokio::test]
    async fn every_part_is_made_on_a_free_port() {
        let world =
            World::make(&dev(&["postgres://u:p@127.0.0.1:1/d"]), &Kept::of(None)).await.unwrap();
        assert_ne!(world.edge.public_addr().port(), 0);
        assert_ne!(world.relays[0].address().port(), 0);
        assert!(world.proxy.listen.channel_binding.is_some());
        let password = world.guides[0].proxy.password.expose();
        assert!(!format!("{:?}", world.proxy).contains(password.as_str()));
    }

    #[tokio::test]
    async fn one_world_holds_a_database_of_each_engine() {
        let both = ["postgres://u:p@127.0.0.1:1/d", "mysql://u:p@127.0.0.1:1/d"];
        let world = World::make(&dev(&both), &Kept::of(None)).await.unwrap();
        let listen = &world.proxy.listen;
        assert!(listen.postgres.is_some() && listen.mysql.is_some());
        let names: Vec<_> = world.proxy.databases.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["app-postgres", "app-mysql"]);
        assert!(world.proxy.databases[1].users[0].mysql.is_some());
        assert!(World::make(&dev(&[both[1], both[1]]), &Kept::of(None)).await.is_err());
    }
}
