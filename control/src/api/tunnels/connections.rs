//! `…/cfd_tunnel/{id}/connections` and `/connectors`: who is connected for a tunnel, as its edges say.

use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use serde_json::Value;

use super::found::{find, find_live};
use crate::api::{
    Api, Query,
    envelope::{ApiError, Envelope},
};

pub(super) fn routes(tunnels: &str) -> Router<Api> {
    let one = format!("{tunnels}/{{id}}");
    Router::new()
        .route(&format!("{one}/connections"), get(list).delete(clean_up))
        .route(&format!("{one}/connectors/{{connector}}"), get(connector))
        .route(&format!("{one}/management"), post(management))
        .route(&format!("{one}/management/{{resource}}"), post(management_of))
}

async fn list(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let tunnel = find(&*api.plane.current().await?, &account, &id)?;
    Ok(Envelope::of(api.fleet.connections(&tunnel.id)))
}

/// A connector of a tunnel, by its id.
fn find_client(api: &Api, tunnel: &str, id: &str) -> Result<Value, ApiError> {
    let found = api.fleet.connections(tunnel).into_iter().find(|client| client["id"] == id);
    found.ok_or_else(|| ApiError::missing("connector of this tunnel", id))
}

async fn connector(
    State(api): State<Api>,
    Path((account, id, connector)): Path<(String, String, String)>,
) -> Result<Envelope, ApiError> {
    let tunnel = find(&*api.plane.current().await?, &account, &id)?;
    Ok(Envelope::of(find_client(&api, &tunnel.id, &connector)?))
}

/// Ends the connections of a tunnel's connectors, or of one. A connector that runs comes back.
async fn clean_up(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
    query: Query,
) -> Result<Envelope, ApiError> {
    let tunnel = find(&*api.plane.current().await?, &account, &id)?;
    let connector = query.get("client_id");
    if let Some(connector) = connector {
        find_client(&api, &tunnel.id, connector)?;
    }
    api.fleet.disconnect(&tunnel.id, connector).await;
    Ok(Envelope::nothing())
}

async fn management(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    refuse(&api, &account, &id).await
}

async fn management_of(
    State(api): State<Api>,
    Path((account, id, _resource)): Path<(String, String, String)>,
) -> Result<Envelope, ApiError> {
    refuse(&api, &account, &id).await
}

/// A token would lead to a service that is not there.
async fn refuse(api: &Api, account: &str, id: &str) -> Result<Envelope, ApiError> {
    let tunnel = find_live(&*api.plane.current().await?, account, id)?;
    let message = format!(
        "connectors' logs cannot be followed from here; read them where the connector runs, and see who is connected with \
         `cloudflared tunnel info {}`",
        tunnel.name
    );
    Err(ApiError::invalid(message))
}
