//! `jumpgate tunnel`: tunnels, and the hostnames that lead to them.

use std::{fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use tunnel::{state::State, store::Store, token::TunnelToken};

use super::{OperatorError, args::TunnelAction, moment, now, table};

pub(super) fn run(store: &Store, action: &TunnelAction) -> Result<String, OperatorError> {
    Ok(match action {
        TunnelAction::Create { name, credentials_file, quiet } => {
            let token = store.change(|state| state.create_tunnel(name, now()))?;
            if let Some(file) = credentials_file {
                write_credentials(file, &token)?;
            }
            shown(name, &token, *quiet)
        }
        TunnelAction::Rotate { name, quiet } => {
            shown(name, &store.change(|state| state.rotate_tunnel(name))?, *quiet)
        }
        TunnelAction::List => list(&store.read()?),
        TunnelAction::Delete { name } => {
            store.change(|state| state.delete_tunnel(name))?;
            format!("The tunnel {name} is gone.")
        }
        TunnelAction::Route { name, hostname, service } => {
            store.change(|state| state.route(hostname, name, service.clone()))?;
            let state = store.read()?;
            let to = service.as_ref().map_or_else(
                || String::from("wherever the connector's own ingress rules say"),
                ToString::to_string,
            );
            let mut text = format!("{hostname} leads through the tunnel {name} to {to}.");
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

/// The token with what to do with it. It holds the secret.
fn shown(name: &str, token: &TunnelToken, quiet: bool) -> String {
    let text = token.to_secret_text();
    if quiet {
        return text.to_string();
    }
    let edges = "--edge EDGE:7844 ".repeat(5);
    format!(
        "The tunnel {name} is {id}. Its token holds its secret and is not shown again:\n\
         \n{token}\n\n\
         In the private network, with the edge's ca.pem and the token in the file tunnel.token, run\n  \
           jumpgate connector --edge EDGE:7844 --cacert ca.pem --allow 127.0.0.1:5432 --token-file tunnel.token\n\
         or\n  \
           cloudflared tunnel {edges}--cacert ca.pem --protocol http2 --no-autoupdate --no-prechecks \
           run --token-file tunnel.token",
        id = token.tunnel(),
        token = *text,
    )
}

/// The file has the secret, so only its owner may read it.
fn write_credentials(path: &Path, token: &TunnelToken) -> Result<(), OperatorError> {
    let json = token.to_secret_credentials();
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(json.as_bytes()))
        .map_err(|source| OperatorError::Write { path: path.display().to_string(), source })
}

fn list(state: &State) -> String {
    if state.tunnels.is_empty() {
        return String::from("There is no tunnel yet: jumpgate tunnel create NAME");
    }
    let head = ["NAME", "ID", "CREATED", "HOSTNAMES"].map(String::from).to_vec();
    let rows = state.tunnels.iter().map(|tunnel| {
        let routes = state.routes.iter().filter(|route| route.tunnel == tunnel.id);
        let hostnames: Vec<_> = routes
            .map(|route| match &route.service {
                Some(service) => format!("{} → {service}", route.hostname),
                None => route.hostname.clone(),
            })
            .collect();
        let hostnames = hostnames.join(", ");
        vec![tunnel.name.clone(), tunnel.id.to_string(), moment(tunnel.created_at), hostnames]
    });
    table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}
