//! A tunnel as it is shown: without its secret, and with who is connected for it.

use serde_json::{Value, json};

use crate::resources::Tunnel;

/// A tunnel and its connectors.
pub(super) fn shown(tunnel: &Tunnel, clients: &[Value]) -> Value {
    let connections = connections(clients);
    json!({
        "id": tunnel.id,
        "account_tag": tunnel.account,
        "name": tunnel.name,
        "config_src": source(tunnel),
        "remote_config": tunnel.is_remote,
        "tun_type": "cfd_tunnel",
        "status": status(&connections),
        "connections": connections,
        "conns_active_at": active_since(&connections),
        "conns_inactive_at": null,
        "created_at": tunnel.created_at,
        "deleted_at": tunnel.deleted_at,
        "metadata": tunnel.metadata.clone().unwrap_or_else(|| json!({})),
    })
}

/// Who says its rules.
pub(super) const fn source(tunnel: &Tunnel) -> &'static str {
    if tunnel.is_remote { "cloudflare" } else { "local" }
}

/// The connections of all its connectors, each with whose it is.
pub(super) fn connections(clients: &[Value]) -> Vec<Value> {
    let of = |client: &Value| {
        let connections = client["conns"].as_array().cloned().unwrap_or_default();
        let (id, version) = (client["id"].clone(), client["version"].clone());
        connections.into_iter().map(move |mut connection| {
            if let Some(connection) = connection.as_object_mut() {
                let uuid = connection.get("id").cloned().unwrap_or_default();
                connection.insert(String::from("uuid"), uuid);
                connection.insert(String::from("client_id"), id.clone());
                connection.insert(String::from("client_version"), version.clone());
            }
            connection
        })
    };
    clients.iter().flat_map(of).collect()
}

/// What is connected now is all that is known: one that is down was perhaps never up.
pub(super) fn status(connections: &[Value]) -> &'static str {
    let is_pending = |it: &Value| it["is_pending_reconnect"] == true;
    match connections {
        [] => "inactive",
        connections if connections.iter().all(is_pending) => "degraded",
        _ => "healthy",
    }
}

/// When the oldest of them was opened.
pub(super) fn active_since(connections: &[Value]) -> Option<&str> {
    connections.iter().filter_map(|connection| connection["opened_at"].as_str()).min()
}
