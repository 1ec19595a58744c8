//! The whole way to a private database, made with its config: tunnel, hostname, service token, policy, application.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Map, Value, json};
use tokio::{
    signal::ctrl_c,
    time::{sleep, timeout},
};

use super::{
    asker::{Asker, segment},
    error::ManageError,
};
use crate::args::manage::PrivateFlags;

/// How long a connector is waited for, and how often it is looked for.
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What was made for a config, to be shown, or to be undone where the config itself is refused.
pub(super) struct Made {
    hostname: String,
    tunnel: String,
    /// The id of the tunnel.
    id: String,
    token: String,
    service: Option<String>,
    /// Where connectors dial an edge, as far as it is known.
    edge: String,
    /// Paths below the account's, the last made first.
    made: Vec<String>,
}

impl Made {
    pub(super) fn json(&self) -> Value {
        json!({ "hostname": self.hostname, "tunnel": self.tunnel, "tunnel_token": self.token })
    }

    /// How its connector is run.
    pub(super) fn words(&self) -> String {
        let allow = self.service.as_deref().and_then(|it| it.strip_prefix("tcp://"));
        let allow = allow.map(|target| format!(" --allow {target}")).unwrap_or_default();
        format!(
            "{hostname} leads to the tunnel {tunnel}. In the private network, with its token in tunnel.token:\n  \
               {token}\n  \
               jumpgate connector --edge {edge} --token-file tunnel.token{allow}\n\
             or\n  \
               cloudflared tunnel --edge {edge} --protocol http2 run --token-file tunnel.token\n\
             Either trusts an edge's own CA with --cacert ca.pem.",
            edge = self.edge,
            hostname = self.hostname,
            tunnel = self.tunnel,
            token = self.token,
        )
    }

    /// Waits until somebody is connected for the tunnel, without whom no config of it can be tested.
    ///
    /// # Errors
    ///
    /// Where nobody is for long, or whoever waits does so no longer.
    pub(super) async fn connected(
        &self,
        asker: &Asker<'_>,
        account: &str,
    ) -> Result<(), ManageError> {
        let path = format!("{account}/cfd_tunnel/{}/connections", self.id);
        let waiting = async {
            while asker.ask(Method::GET, &path, None).await?.as_array().is_none_or(Vec::is_empty) {
                sleep(LOOK_INTERVAL).await;
            }
            Ok(())
        };
        tokio::select! {
            waited = timeout(PATIENCE, waiting) => waited.unwrap_or_else(|_elapsed| {
                let message = "no connector came within ten minutes; what was made is taken back";
                Err(ManageError::Given(message.to_owned()))
            }),
            _interrupt = ctrl_c() => {
                Err(ManageError::Given(String::from("interrupted; what was made is taken back")))
            }
        }
    }

    /// Takes back what was made. What cannot be taken back stays, and does nothing.
    pub(super) async fn undo(&self, asker: &Asker<'_>, account: &str) {
        for path in self.made.iter().rev() {
            let gone = asker.ask(Method::DELETE, &format!("{account}{path}"), None).await;
            if let Err(error) = gone {
                tracing::warn!(path, error = &error as &dyn std::error::Error, "left behind");
            }
        }
    }
}

/// Makes what flags ask for, and has the config go that way.
pub(super) async fn make(
    asker: &Asker<'_>,
    account: &str,
    name: &str,
    flags: &PrivateFlags,
    config: &mut Map<String, Value>,
) -> Result<Option<Made>, ManageError> {
    let (Some(tunnel), Some(hostname)) = (&flags.tunnel, &flags.hostname) else { return Ok(None) };
    let (id, is_new) = tunnel_of(asker, account, tunnel).await?;
    let mut made = Made {
        hostname: hostname.clone(),
        tunnel: tunnel.clone(),
        id: id.clone(),
        token: String::new(),
        service: flags.service.clone(),
        edge: edge(asker).await.unwrap_or_else(|| String::from("EDGE:7844")),
        made: Vec::new(),
    };
    if is_new {
        made.made.push(format!("/cfd_tunnel/{id}?cascade=true"));
    }
    match lead(asker, account, name, (&id, &mut made), config).await {
        Ok(()) => Ok(Some(made)),
        Err(error) => {
            made.undo(asker, account).await;
            Err(error)
        }
    }
}

/// Where connectors dial an edge, where one is there that says so.
async fn edge(asker: &Asker<'_>) -> Option<String> {
    // Not everybody may ask.
    let nodes = asker.ask(Method::GET, "/nodes", None).await.ok()?;
    let edge = nodes.as_array()?.iter().find(|node| node["role"] == "edge")?;
    edge["connectors_address"].as_str().map(str::to_owned)
}

/// The id of the tunnel of this name or id; a new one where there is none.
async fn tunnel_of(
    asker: &Asker<'_>,
    account: &str,
    tunnel: &str,
) -> Result<(String, bool), ManageError> {
    let path = format!("{account}/cfd_tunnel");
    let all = asker.all(&path).await?;
    let known = all
        .iter()
        .find(|it| (it["name"] == tunnel || it["id"] == tunnel) && it["deleted_at"].is_null());
    if let Some(id) = known.and_then(|it| it["id"].as_str()) {
        return Ok((id.to_owned(), false));
    }
    let asked = json!({ "name": tunnel, "config_src": "cloudflare" });
    let made = asker.ask(Method::POST, &path, Some(&asked)).await?;
    Ok((made["id"].as_str().unwrap_or_default().to_owned(), true))
}

async fn lead(
    asker: &Asker<'_>,
    account: &str,
    name: &str,
    (tunnel, made): (&str, &mut Made),
    config: &mut Map<String, Value>,
) -> Result<(), ManageError> {
    let hostname = made.hostname.clone();
    let path = format!("{account}/hostnames/{}", segment(&hostname));
    let asked = json!({ "tunnel": tunnel, "service": made.service });
    asker.ask(Method::PUT, &path, Some(&asked)).await?;
    made.made.push(format!("/hostnames/{}", segment(&hostname)));
    let path = format!("{account}/access/service_tokens");
    let asked = json!({ "name": format!("jumpgate {name}"), "duration": "forever" });
    let token = asker.ask(Method::POST, &path, Some(&asked)).await?;
    let token_id = token["id"].as_str().unwrap_or_default();
    made.made.push(format!("/access/service_tokens/{token_id}"));
    let path = format!("{account}/access/apps");
    let asked = json!({
        "type": "self_hosted",
        "name": format!("jumpgate {name}"),
        "domain": hostname,
        "policies": [{
            "name": format!("jumpgate {name}"),
            "decision": "non_identity",
            "include": [{ "service_token": { "token_id": token_id } }],
        }],
    });
    let app = asker.ask(Method::POST, &path, Some(&asked)).await?;
    made.made.push(format!("/access/apps/{}", app["id"].as_str().unwrap_or_default()));
    let path = format!("{account}/cfd_tunnel/{tunnel}/token");
    let tunnel_token = asker.ask(Method::GET, &path, None).await?;
    made.token = tunnel_token.as_str().unwrap_or_default().to_owned();
    let origin = config.entry("origin").or_insert_with(|| Value::from(Map::new()));
    if let Some(origin) = origin.as_object_mut() {
        origin.remove("port");
        origin.insert(String::from("host"), json!(hostname));
        origin.insert(String::from("access_client_id"), token["client_id"].clone());
        origin.insert(String::from("access_client_secret"), token["client_secret"].clone());
    }
    Ok(())
}
