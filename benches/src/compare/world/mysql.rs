//! The world of MySQL.

use anyhow::{Context, Result};
use e2e::{
    certificates::Authority,
    jumpgate::{Engine, Jumpgate},
    mysql::{Mysql, Server, install::command_line},
    wire::Endpoint,
};

use super::{Database, World, folder, setup};
use crate::{
    compare::{
        args::Compare,
        contender::{Contender, Who},
        peers::{haproxy, router},
        work::load,
    },
    progress::Progress,
};

/// Starts a world of MySQL; those who are in nobody's work are not started.
///
/// # Errors
///
/// Those of [`super::postgres::start`].
///
/// # Cancel safety
///
/// As of [`super::postgres::start`].
pub async fn start(compare: &Compare, who: &[Who], progress: &Progress) -> Result<World> {
    progress.say("starting MySQL and what stands before it");
    let authority = Authority::new();
    let server = Mysql::start(Server::MySql, &authority, SETTINGS)?;
    let (origin, direct) = (server.address(), server.endpoint());
    let new = |who, endpoint| Contender::unwatched(who, "mysql", endpoint);
    let at = |address| Endpoint { address, ..direct.clone() };
    progress.say(&format!("MySQL is on {origin}; filling it"));
    load::fill(&new(Who::Direct, direct.clone())).await?;

    let jumpgate = Jumpgate::start(&authority, origin, false, setup(Engine::MySql, origin))?;
    let (ours, pid) = (jumpgate.endpoint(), jumpgate.pid());
    let mut contenders = vec![
        new(Who::Direct, direct.clone()),
        new(Who::Jumpgate, ours.clone()).watched(pid)?,
        new(Who::Cached, ours.with_database("cached")).watched(pid)?,
    ];
    let mut peers = Vec::new();
    if who.contains(&Who::HaProxy) {
        let peer = haproxy::start(origin).await?;
        contenders.push(new(Who::HaProxy, at(peer.address)).watched(peer.pid())?);
        peers.push(peer);
    }
    if who.contains(&Who::Router) {
        let peer = router::start(origin).await?;
        contenders.push(new(Who::Router, at(peer.address)).watched(peer.pid())?);
        peers.push(peer);
    }
    let mut about = vec![format!("MySQL {}", version(&direct)?)];
    about.extend(peers.iter().map(|peer| peer.version.clone()));
    for peer in &compare.peers {
        let other = new(Who::Other(peer.name.clone()), at(peer.address));
        load::probe(&other).await.with_context(|| {
            format!("{} must lead to {origin}, database app, user app", peer.name)
        })?;
        about.push(format!("{} at {}", peer.name, peer.address));
        contenders.push(other);
    }
    Ok(World {
        contenders,
        about,
        jumpgates: vec![jumpgate],
        _peers: peers,
        database: Database::MySql(server),
        authority,
        home: folder()?,
    })
}

/// By the server's own command line.
fn version(direct: &Endpoint) -> Result<String> {
    let mut client = command_line(Server::MySql)?;
    client.args(["-h", "127.0.0.1", "-P", &direct.address.port().to_string(), "-u", &direct.user]);
    client.args(["--ssl-mode=DISABLED", "--get-server-public-key", "-N", "-e", "SELECT VERSION()"]);
    Ok(e2e::install::run(client.env("MYSQL_PWD", &direct.password))?.trim().to_owned())
}

/// The log of all statements is the harness's own wish.
const SETTINGS: &[&str] = &["--general-log=OFF"];
