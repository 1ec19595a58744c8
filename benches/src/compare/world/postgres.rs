//! The world of PostgreSQL.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{
    certificates::Authority,
    jumpgate::{Engine, Jumpgate, Setup},
    postgres::Postgres,
    stage::Version,
    wire::Endpoint,
};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::SimpleQueryMessage;

use super::{Database, World, folder, setup};
use crate::{
    args::Tls,
    client::postgres::plain,
    compare::{
        args::{self, Compare},
        contender::{Contender, Who},
        peers::{POOL_SIZE, haproxy, pgbouncer},
        work::{load, pgbench},
    },
    progress::Progress,
};

/// Starts a world of PostgreSQL; those who are in nobody's work are not started.
///
/// # Errors
///
/// A part of it cannot be had or does not start; the error says which, and carries its log.
///
/// # Cancel safety
///
/// Dropping the future ends what was started.
pub async fn start(compare: &Compare, who: &[Who], progress: &Progress) -> Result<World> {
    progress.say("starting PostgreSQL and what stands before it");
    let authority = Authority::new();
    let server = match compare.port {
        None => Postgres::start(Version::Fifteen, &authority, SETTINGS),
        Some(port) => Postgres::start_on(port, Version::Fifteen, &authority, SETTINGS)
            .with_context(|| format!("--port {port}")),
    }?;
    let (origin, direct) = (server.address(), server.endpoint());
    let verifier = verifier(&server.superuser()).await?;
    let mut about = vec![format!("PostgreSQL {}", ask(&direct, "SHOW server_version").await?)];
    let new = |who, endpoint| Contender::unwatched(who, "postgres", endpoint);
    let at = |address| Endpoint { address, ..direct.clone() };

    progress.say(&format!("PostgreSQL is on {origin}; filling it"));
    pgbench::fill(&direct, SCALE).await.context("filling the tables of pgbench")?;
    load::fill(&new(Who::Direct, direct.clone())).await?;
    // Else who comes first reads from the disk for all who come later.
    prewarm(&server.superuser()).await.context("reading the tables into memory")?;

    let jumpgate = Jumpgate::start(&authority, origin, false, setup(Engine::Postgres, origin))?;
    let (ours, pid) = (jumpgate.endpoint(), jumpgate.pid());
    let mut contenders = vec![
        new(Who::Direct, direct.clone()),
        Contender { tls: Tls::Require, ..new(Who::DirectTls, direct.clone()) },
        new(Who::Jumpgate, ours.clone()).watched(pid)?,
        new(Who::Cached, ours.with_database("cached")).watched(pid)?,
    ];
    let (mut jumpgates, mut peers) = (vec![jumpgate], Vec::new());
    if who.contains(&Who::Tunnel) {
        let tunnel = Jumpgate::start(&authority, origin, true, through_a_tunnel())?;
        contenders.push(new(Who::Tunnel, tunnel.endpoint()).watched(tunnel.pid())?);
        jumpgates.push(tunnel);
    }
    if who.contains(&Who::PgBouncer) {
        let leaf = authority.leaf(&["localhost", "127.0.0.1"]);
        let peer = pgbouncer::start(origin, &verifier, &leaf, "disable").await?;
        contenders.push(new(Who::PgBouncer, at(peer.address)).watched(peer.pid())?);
        peers.push(peer);
    }
    if who.contains(&Who::HaProxy) {
        let peer = haproxy::start(origin).await?;
        contenders.push(new(Who::HaProxy, at(peer.address)).watched(peer.pid())?);
        peers.push(peer);
    }
    about.extend(peers.iter().map(|peer| peer.version.clone()));
    if who.contains(&Who::Relays) {
        // In the places of connector, edge and proxy.
        let first = haproxy::start(origin).await?;
        let second = haproxy::start(first.address).await?;
        let third = haproxy::start(second.address).await?;
        about.push(format!("three of {} in a row", third.version));
        contenders.push(Contender { tls: Tls::Require, ..new(Who::Relays, at(third.address)) });
        peers.extend([first, second, third]);
    }
    for peer in &compare.peers {
        wait_for(peer, &direct, progress).await?;
        contenders.push(new(Who::Other(peer.name.clone()), at(peer.address)));
        about.push(format!("{} at {}", peer.name, peer.address));
    }
    for contender in contenders.iter().filter(|contender| who.contains(&contender.who)) {
        pgbench::warm(contender).await.with_context(|| contender.who.to_string())?;
    }
    Ok(World {
        contenders,
        about,
        jumpgates,
        _peers: peers,
        database: Database::Postgres { server, verifier },
        authority,
        home: folder()?,
    })
}

/// A tunnel of four connections, and the database's own TLS inside it.
fn through_a_tunnel() -> Setup {
    Setup {
        pool_size: POOL_SIZE,
        caching: "disabled = true".into(),
        more: "[log]\nfilter = \"warn\"\n".into(),
        tunnel_connections: 4,
        ..Setup::default()
    }
}

/// With an extension that the distribution's PostgreSQL brings.
async fn prewarm(superuser: &Endpoint) -> Result<()> {
    let connection = plain(&superuser.url(), Tls::Off).await?;
    let sql = "CREATE EXTENSION pg_prewarm; SELECT pg_prewarm('pgbench_accounts'), \
        pg_prewarm('pgbench_accounts_pkey')";
    Ok(connection.client.batch_execute(sql).await?)
}

/// What the database keeps of the password of `app`.
///
/// # Errors
///
/// The database cannot be asked.
///
/// # Cancel safety
///
/// Dropping the future closes the connection.
pub async fn verifier(superuser: &Endpoint) -> Result<String> {
    let sql = "SELECT rolpassword FROM pg_authid WHERE rolname = 'app'";
    ask(superuser, sql).await.context("the verifier of app")
}

/// The first column of the first row.
async fn ask(endpoint: &Endpoint, sql: &str) -> Result<String> {
    let connection = plain(&endpoint.url(), Tls::Off).await?;
    let messages = connection.client.simple_query(sql).await?;
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    row.map(ToOwned::to_owned).context("no row")
}

/// Waits until somebody else's pooler leads to the database of this run.
async fn wait_for(peer: &args::Peer, direct: &Endpoint, progress: &Progress) -> Result<()> {
    let Endpoint { user, password, database, .. } = direct;
    progress.say(&format!(
        "waiting for {} at {}: it must lead to {}, database {database}, user {user}, password \
         {password}, and take its clients with the same",
        peer.name, peer.address, direct.address
    ));
    let endpoint = Endpoint { address: peer.address, ..direct.clone() };
    let give_up = Instant::now() + PATIENCE;
    loop {
        let asking = timeout(Duration::from_secs(5), ask(&endpoint, PROBE)).await;
        let problem = match asking.context("no answer").flatten() {
            Ok(count) if count == (SCALE * 100_000).to_string() => return Ok(()),
            Ok(_) => "another database".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        ensure!(Instant::now() < give_up, "{}: {problem}", peer.name);
        sleep(Duration::from_millis(500)).await;
    }
}

const PROBE: &str = "SELECT count(*) FROM pgbench_accounts";
const PATIENCE: Duration = Duration::from_secs(120);
/// A million accounts, which all fit into memory.
const SCALE: u32 = 10;
const SETTINGS: &[&str] =
    &["log_statement = 'none'", "shared_buffers = '512MB'", "max_connections = 300"];
