//! `jumpgate tunnel`: tunnels, and the hostnames that lead to them.

use std::collections::BTreeMap;

use serde::Serialize;
use tunnel::{
    edge::ConnectorInfo,
    state::{Route, State, Tunnel},
    store::Store,
    token::TunnelToken,
};

use super::{
    error::OperatorError,
    running,
    show::{json, moment, now},
};
use crate::{
    args::edge::{ShownToken, TunnelAction},
    report::table,
    tunnel_token::{self, PrivateFile},
};

pub(super) fn run(
    store: &Store,
    action: &TunnelAction,
    as_json: bool,
) -> Result<String, OperatorError> {
    Ok(match action {
        TunnelAction::Create { name, credentials_file, shown } => {
            // Opened first: once the tunnel is there its secret must not be lost.
            let file = credentials_file.as_deref().map(PrivateFile::create).transpose()?;
            let out = shown.out.as_deref().map(PrivateFile::create).transpose()?;
            let token = store.change(|state| state.create_tunnel(name, now()))?;
            if let Some(file) = file {
                file.fill(token.to_secret_credentials().as_bytes())?;
            }
            give(name, &token, shown, out)?
        }
        TunnelAction::Rotate { name, overlap, shown } => {
            let out = shown.out.as_deref().map(PrivateFile::replace).transpose()?;
            let token = store.change(|state| state.rotate_tunnel(name, *overlap, now()))?;
            let said = give(name, &token, shown, out)?;
            match overlap.as_secs() {
                _ if shown.quiet => said,
                0 => format!("{said}\n\nConnectors with the old token are let go now."),
                seconds => {
                    let end = moment(now().saturating_add(seconds));
                    format!(
                        "{said}\n\nThe old token stays valid until {end}. Connectors need the new one by then."
                    )
                }
            }
        }
        TunnelAction::List => shown_as(store, &store.read()?, as_json)?,
        TunnelAction::Info { name } | TunnelAction::Connections { name } => {
            let mut state = store.read()?;
            state.tunnels.retain(|tunnel| tunnel.name == *name);
            if state.tunnels.is_empty() {
                let why = format!("there is no tunnel {name:?}; `jumpgate tunnel list` shows all");
                return Err(OperatorError::Settings(why));
            }
            shown_as(store, &state, as_json)?
        }
        TunnelAction::Hostnames => hostnames(&store.read()?, as_json)?,
        TunnelAction::Token { .. } => {
            return Err(only_a_control_plane(
                "the edge's folder holds the hash of the tunnel's secret alone: `jumpgate tunnel rotate` gives it another token",
            ));
        }
        TunnelAction::Cleanup { .. } => {
            return Err(only_a_control_plane(
                "an edge with a folder is not told to end connections: `jumpgate tunnel rotate --overlap 0s` lets all go",
            ));
        }
        TunnelAction::Delete { name, .. } => {
            store.change(|state| state.delete_tunnel(name))?;
            format!("The tunnel {name} is gone.")
        }
        TunnelAction::Route { name, hostname, service, .. } => {
            store.change(|state| state.route(hostname, name, service.clone()))?;
            let state = store.read()?;
            let to = service.as_ref().map_or_else(
                || String::from("wherever the connector's own ingress rules say"),
                ToString::to_string,
            );
            let mut text = format!("{hostname} leads through the tunnel {name} to {to}.");
            text.push_str(&whose_rules(&state, name, hostname));
            if !state.applications.iter().any(|app| app.domain.eq_ignore_ascii_case(hostname)) {
                text.push_str(&format!(
                    "\nNobody may pass yet: jumpgate access app create {hostname} --token NAME"
                ));
            }
            text
        }
        TunnelAction::Unroute { hostname } => {
            store.change(|state| state.unroute(hostname))?;
            format!("{hostname} leads nowhere any more.")
        }
    })
}

fn only_a_control_plane(why: &str) -> OperatorError {
    OperatorError::Settings(format!("{why}; a control plane can (see `jumpgate tunnel --help`)"))
}

fn give(
    name: &str,
    token: &TunnelToken,
    shown: &ShownToken,
    out: Option<PrivateFile<'_>>,
) -> Result<String, OperatorError> {
    let id = token.tunnel().to_string();
    Ok(tunnel_token::give((name, &id), &token.to_secret_text(), shown, out)?)
}

fn shown_as(store: &Store, state: &State, as_json: bool) -> Result<String, OperatorError> {
    let connectors = running::connectors(store);
    if as_json {
        return list_json(state, connectors.as_deref());
    }
    Ok(list(state, connectors.as_deref()))
}

fn hostnames(state: &State, as_json: bool) -> Result<String, OperatorError> {
    if as_json {
        return json(&state.routes);
    }
    let head = ["HOSTNAME", "TUNNEL", "SERVICE"].map(String::from).to_vec();
    let rows = state.routes.iter().map(|route| {
        let tunnel = state.tunnels.iter().find(|tunnel| tunnel.id == route.tunnel);
        let tunnel = tunnel.map_or_else(String::new, |tunnel| tunnel.name.clone());
        let service = route.service.as_ref().map_or_else(String::new, ToString::to_string);
        vec![route.hostname.clone(), tunnel, service]
    });
    Ok(table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))
}

/// What is to be known of a hostname without a service, beside one that has one or had one.
fn whose_rules(state: &State, name: &str, hostname: &str) -> String {
    let Some(tunnel) = state.tunnels.iter().find(|tunnel| tunnel.name == name) else {
        return String::new();
    };
    let is_it = |route: &&Route| route.hostname.eq_ignore_ascii_case(hostname);
    let has_service = state.routes.iter().find(is_it).is_some_and(|route| route.service.is_some());
    match (has_service, tunnel.managed) {
        (true, _) => String::new(),
        (false, true) => String::from(
            "\nBut connectors of this tunnel are told their rules, because another hostname of it has a service, and \
             those\nhave nothing for this one: give it a --service, too, or a tunnel of its own.",
        ),
        (false, false) => String::from(
            "\nA cloudflared that was told rules before goes by its own again once it is started anew.",
        ),
    }
}

/// `connectors` are unknown where no edge runs.
fn list(state: &State, connectors: Option<&[ConnectorInfo]>) -> String {
    if state.tunnels.is_empty() {
        return String::from("There is no tunnel yet: jumpgate tunnel create NAME");
    }
    let head = ["NAME", "ID", "CREATED", "HOSTNAMES", "CONNECTORS"].map(String::from).to_vec();
    let rows = state.tunnels.iter().map(|tunnel| {
        let routes = state.routes.iter().filter(|route| route.tunnel == tunnel.id);
        let hostnames: Vec<_> = routes
            .map(|route| match &route.service {
                Some(service) => format!("{} → {service}", route.hostname),
                None => route.hostname.clone(),
            })
            .collect();
        let hostnames = hostnames.join(", ");
        let Tunnel { name, id, created_at, .. } = tunnel;
        let connectors = connectors.map_or_else(
            || String::from("?"),
            |all| shown(all.iter().filter(|one| one.tunnel == *id)),
        );
        vec![name.clone(), id.to_string(), moment(*created_at), hostnames, connectors]
    });
    let mut text = table(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    for tunnel in &state.tunnels {
        if let Some(end) = overlap(tunnel) {
            let (name, end) = (&tunnel.name, moment(end));
            text.push_str(&format!(
                "\nThe token of {name} before the last rotation is valid until {end}."
            ));
        }
    }
    if connectors.is_none() {
        text.push_str("\nNo edge runs with this folder, so nobody knows of connectors.");
    }
    text
}

/// The connectors of one tunnel: a process each, with where its connections come from.
fn shown<'a>(infos: impl Iterator<Item = &'a ConnectorInfo>) -> String {
    let mut processes: BTreeMap<_, (Vec<String>, usize, &str)> = BTreeMap::new();
    for info in infos {
        let (addresses, streams, version) =
            processes.entry(info.connector).or_insert_with(|| (Vec::new(), 0, &info.version));
        addresses.push(info.address.ip().to_canonical().to_string());
        *streams += info.streams;
        *version = &info.version;
    }
    let process = |(mut addresses, streams, version): (Vec<String>, usize, &str)| {
        let count = addresses.len();
        addresses.sort_unstable();
        addresses.dedup();
        format!("{} ×{count} ({version}, {streams} streams)", addresses.join(" "))
    };
    let all: Vec<_> = processes.into_values().map(process).collect();
    if all.is_empty() { String::from("none") } else { all.join(", ") }
}

/// Until when the token before is valid, if it is.
fn overlap(tunnel: &Tunnel) -> Option<u64> {
    let previous = tunnel.previous.as_ref()?;
    (previous.expires_at > now()).then_some(previous.expires_at)
}

#[derive(Serialize)]
struct TunnelJson<'a> {
    name: &'a str,
    id: String,
    created_at: u64,
    previous_token_valid_until: Option<u64>,
    hostnames: Vec<HostnameJson<'a>>,
    /// `null` where no edge runs.
    connectors: Option<Vec<&'a ConnectorInfo>>,
}

#[derive(Serialize)]
struct HostnameJson<'a> {
    hostname: &'a str,
    service: Option<String>,
}

fn list_json(state: &State, connectors: Option<&[ConnectorInfo]>) -> Result<String, OperatorError> {
    let tunnels = state.tunnels.iter().map(|tunnel| tunnel_json(state, tunnel, connectors));
    json(&tunnels.collect::<Vec<_>>())
}

fn tunnel_json<'a>(
    state: &'a State,
    tunnel: &'a Tunnel,
    connectors: Option<&'a [ConnectorInfo]>,
) -> TunnelJson<'a> {
    let routes = state.routes.iter().filter(|route| route.tunnel == tunnel.id);
    let hostname = |route: &'a Route| HostnameJson {
        hostname: &route.hostname,
        service: route.service.as_ref().map(ToString::to_string),
    };
    TunnelJson {
        name: &tunnel.name,
        id: tunnel.id.to_string(),
        created_at: tunnel.created_at,
        previous_token_valid_until: overlap(tunnel),
        hostnames: routes.map(hostname).collect(),
        connectors: connectors
            .map(|all| all.iter().filter(|one| one.tunnel == tunnel.id).collect()),
    }
}
