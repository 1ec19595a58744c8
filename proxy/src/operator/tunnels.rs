//! `jumpgate tunnel`: tunnels, and the hostnames that lead to them.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use tunnel::{state::State, store::Store, token::TunnelToken};

use super::{OperatorError, args::TunnelAction, moment, now, table};

pub(super) fn run(store: &Store, action: &TunnelAction) -> Result<String, OperatorError> {
    Ok(match action {
        TunnelAction::Create { name, credentials_file, quiet } => {
            // Opened first: once the tunnel is there its secret must not be lost.
            let file = credentials_file.as_deref().map(PrivateFile::create).transpose()?;
            let token = store.change(|state| state.create_tunnel(name, now()))?;
            if let Some(file) = file {
                file.fill(token.to_secret_credentials().as_bytes())?;
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

/// A new file that only its owner may read.
struct PrivateFile<'a> {
    path: &'a Path,
    file: File,
}

impl<'a> PrivateFile<'a> {
    fn create(path: &'a Path) -> Result<Self, OperatorError> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|source| failed(path, source))?;
        Ok(Self { path, file })
    }

    fn fill(mut self, content: &[u8]) -> Result<(), OperatorError> {
        self.file.write_all(content).map_err(|source| failed(self.path, source))
    }
}

fn failed(path: &Path, source: io::Error) -> OperatorError {
    OperatorError::Write { path: path.display().to_string(), source }
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
