//! The parts of `jumpgate dev`, made with throw-away credentials.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use origin::net::tls::{self, IdentityPem};
use serving::{
    config::{
        CacheConfig, ClientUser, Config, DatabaseConfig, Dial, Engine, Fingerprint, ListenConfig,
        LogConfig, OriginConfig, PoolConfig, RoundTrips,
    },
    salts::Salts,
};
use tunnel::{
    access::ServiceToken,
    certs::Authority,
    client::{Client, ClientConfig},
    connector::{Connector, ConnectorConfig, Ingress, InvalidService, Targets},
    edge::{Edge, EdgeConfig},
    state::{State, TokenRecord, Tunnel},
    token::{TunnelId, TunnelToken},
};

use super::{
    error::WorldError,
    guide::{Guide, NAME},
    kept::{Kept, random_hex},
    origin::Origin,
    relay::Relay,
};
use crate::args::DevArgs;

const PING_INTERVAL: Duration = Duration::from_secs(30);
/// Any free port of loopback.
const ANY: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

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
            let user =
                ClientUser::with_password(engine, NAME.into(), &password, &proxy.salts, None);
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
            tls: Some(tls.config),
            channel_binding: tls.end_point,
            max_failed_logins: 0,
            ..ListenConfig::default()
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
        // So that the first client finds it as the next ones do.
        pool: PoolConfig { min_idle: 1, ..PoolConfig::default() },
        caching: Arc::default(),
        round_trips: RoundTrips::default(),
        capture: None,
        max_clients: None,
        fingerprint: Fingerprint::unique(),
        connections: Fingerprint::unique(),
    }
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
        let password = world.guides[0].proxy.password.now();
        assert!(!format!("{:?}", world.proxy).contains(password.expose().as_str()));
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
