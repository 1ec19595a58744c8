//! `jumpgate tunnel` through a control plane: tunnels, and the hostnames that lead to them.

use axum::http::Method;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    asker::{Asker, segment},
    error::ManageError,
    show,
};
use crate::{
    args::edge::TunnelAction,
    tunnel_token::{self, PrivateFile},
};

pub(super) async fn run(asker: &Asker<'_>, action: &TunnelAction) -> Result<String, ManageError> {
    let account = asker.account().await?;
    let all = format!("{account}/cfd_tunnel");
    let one = |name: &str| format!("{all}/{}", segment(name));
    match action {
        TunnelAction::Create { .. } | TunnelAction::Rotate { .. } | TunnelAction::Token { .. } => {
            token(asker, &all, action).await
        }
        TunnelAction::List => list(asker, &account).await,
        TunnelAction::Info { name } => {
            let tunnel = asker.ask(Method::GET, &one(name), None).await?;
            let hostnames = hostnames_of(asker, &account).await?;
            let shown = shown(asker, &tunnel, &hostnames);
            Ok(asker.shown(&tunnel, |_| show::table(&COLUMNS, &[shown])))
        }
        TunnelAction::Connections { name } => {
            asker.needs_nodes("shows who is connected")?;
            let path = format!("{}/connections", one(name));
            let clients = asker.ask(Method::GET, &path, None).await?;
            Ok(asker.shown(&clients, connections))
        }
        TunnelAction::Cleanup { name, connector } => {
            asker.needs_nodes("ends connections")?;
            let of = connector.as_deref().map(|id| format!("?client_id={}", segment(id)));
            let path = format!("{}/connections{}", one(name), of.unwrap_or_default());
            let answer = asker.ask(Method::DELETE, &path, None).await?;
            Ok(asker.shown(&answer, |_| {
                format!("The connections of {name} have ended; a connector that runs comes back.")
            }))
        }
        TunnelAction::Delete { name, force } => {
            let path = format!("{}{}", one(name), if *force { "?cascade=true" } else { "" });
            let answer = asker.ask(Method::DELETE, &path, None).await?;
            Ok(asker.shown(&answer, |_| format!("The tunnel {name} is gone.")))
        }
        TunnelAction::Route { .. } => route(asker, &account, action).await,
        TunnelAction::Hostnames => {
            let all = hostnames_of(asker, &account).await?;
            let columns = [
                ("HOSTNAME", "hostname"),
                ("TUNNEL", "tunnel_name"),
                ("SERVICE", "service"),
                ("GUARDED BY", "applications"),
            ];
            let rows: Vec<_> =
                all.iter().map(|it| show::with(it, "applications", show::words)).collect();
            Ok(asker.shown(&Value::from(all), |_| show::table(&columns, &rows)))
        }
        TunnelAction::Unroute { hostname } => {
            let path = format!("{account}/hostnames/{}", segment(hostname));
            let answer = asker.ask(Method::DELETE, &path, None).await?;
            Ok(asker.shown(&answer, |_| format!("{hostname} leads nowhere any more.")))
        }
    }
}

const COLUMNS: [(&str, &str); 6] = [
    ("NAME", "name"),
    ("ID", "id"),
    ("CREATED", "created_at"),
    ("STATUS", "status"),
    ("HOSTNAMES", "hostnames"),
    ("CONNECTIONS", "connections"),
];

/// Makes or changes a tunnel, or not, and gives its token.
async fn token(asker: &Asker<'_>, all: &str, action: &TunnelAction) -> Result<String, ManageError> {
    let (TunnelAction::Create { name, shown, .. }
    | TunnelAction::Rotate { name, shown, .. }
    | TunnelAction::Token { name, shown }) = action
    else {
        return Err(ManageError::Nowhere);
    };
    let one = format!("{all}/{}", segment(name));
    // Opened first: once the tunnel is there its secret must not be lost.
    let out = shown.out.as_deref().map(match action {
        TunnelAction::Create { .. } => PrivateFile::create,
        _ => PrivateFile::replace,
    });
    let out = out.transpose()?;
    let tunnel = match action {
        TunnelAction::Create { credentials_file, .. } => {
            let file = credentials_file.as_deref().map(PrivateFile::create).transpose()?;
            let made = asker.ask(Method::POST, all, Some(&json!({ "name": name }))).await?;
            if let Some(file) = file {
                file.fill(made["credentials_file"].to_string().as_bytes())?;
            }
            made
        }
        TunnelAction::Rotate { overlap, .. } => {
            let secret = STANDARD.encode(Zeroizing::new(rand::random::<[u8; 32]>()));
            let asked = json!({ "tunnel_secret": secret, "overlap": overlap.as_secs() });
            asker.ask(Method::PATCH, &one, Some(&asked)).await?
        }
        _ => asker.ask(Method::GET, &one, None).await?,
    };
    let id = show::cell(&tunnel, "id");
    let token = asker.ask(Method::GET, &format!("{all}/{id}/token"), None).await?;
    if asker.target.json {
        return Ok(show::json(&json!({ "id": id, "name": name, "token": token })));
    }
    let token = token.as_str().unwrap_or_default();
    Ok(tunnel_token::give((name, &id), token, shown, out)?)
}

async fn hostnames_of(asker: &Asker<'_>, account: &str) -> Result<Vec<Value>, ManageError> {
    asker.all(&format!("{account}/hostnames")).await
}

async fn list(asker: &Asker<'_>, account: &str) -> Result<String, ManageError> {
    let mut all = asker.all(&format!("{account}/cfd_tunnel")).await?;
    all.retain(|tunnel| tunnel["deleted_at"].is_null());
    if asker.target.json {
        return Ok(show::json(&Value::from(all)));
    }
    if all.is_empty() {
        return Ok(String::from("There is no tunnel yet: jumpgate tunnel create NAME"));
    }
    let hostnames = hostnames_of(asker, account).await?;
    let rows: Vec<_> = all.iter().map(|tunnel| shown(asker, tunnel, &hostnames)).collect();
    Ok(show::table(&COLUMNS, &rows))
}

/// A tunnel as a row.
fn shown(asker: &Asker<'_>, tunnel: &Value, hostnames: &[Value]) -> Value {
    let ours = hostnames.iter().filter(|it| it["tunnel_id"] == tunnel["id"]);
    let ours = ours.map(|it| match it["service"].as_str() {
        Some(service) => format!("{} → {service}", show::cell(it, "hostname")),
        None => show::cell(it, "hostname"),
    });
    let ours = ours.collect::<Vec<_>>().join(", ");
    let mut row = show::with(tunnel, "connections", |all| match all.as_array() {
        Some(all) if !asker.client.is_beside() => all.len().to_string(),
        _ => String::from("?"),
    });
    row["hostnames"] = Value::from(ours);
    if asker.client.is_beside() {
        row["status"] = Value::from("?");
    }
    row
}

fn connections(clients: &Value) -> String {
    let clients = clients.as_array().map_or(&[][..], Vec::as_slice);
    if clients.is_empty() {
        return String::from("Nobody is connected.");
    }
    let columns = [
        ("CONNECTOR", "id"),
        ("VERSION", "version"),
        ("SINCE", "run_at"),
        ("CONNECTIONS", "count"),
        ("FROM", "from"),
    ];
    let rows = clients.iter().map(|client| {
        let conns = client["conns"].as_array().map_or(&[][..], Vec::as_slice);
        let mut from: Vec<_> = conns.iter().map(|it| show::cell(it, "origin_ip")).collect();
        from.sort_unstable();
        from.dedup();
        let mut row = client.clone();
        row["count"] = Value::from(conns.len());
        row["from"] = Value::from(from.join(", "));
        row
    });
    show::table(&columns, &rows.collect::<Vec<_>>())
}

async fn route(
    asker: &Asker<'_>,
    account: &str,
    action: &TunnelAction,
) -> Result<String, ManageError> {
    let TunnelAction::Route { name, hostname, service, overwrite } = action else {
        return Err(ManageError::Nowhere);
    };
    let path = format!("{account}/hostnames/{}", segment(hostname));
    let service = service.as_ref().map(ToString::to_string);
    let asked = json!({ "tunnel": name, "service": service, "overwrite_existing": overwrite });
    let routed = asker.ask(Method::PUT, &path, Some(&asked)).await?;
    Ok(asker.shown(&routed, |routed| {
        let to = service.as_deref().unwrap_or("wherever the connector's own ingress rules say");
        let mut words = format!("{hostname} leads through the tunnel {name} to {to}.");
        if routed["applications"].as_array().is_none_or(Vec::is_empty) {
            words.push_str(&format!(
                "\nNobody may pass yet: jumpgate access app create {hostname} --token NAME"
            ));
        }
        words
    }))
}
