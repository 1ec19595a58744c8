//! `…/cfd_tunnel/{id}/configurations`: the rules that the edge tells a tunnel's connectors.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{found::find_live, shown::source};
use crate::{
    api::{
        Api, Caller, body,
        claims::claim,
        envelope::{ApiError, Envelope},
    },
    ingress::rules,
    plane::Edit,
    resources::Tunnel,
};

pub(super) fn routes(tunnels: &str) -> Router<Api> {
    Router::new().route(&format!("{tunnels}/{{id}}/configurations"), get(one).put(update))
}

fn shown(tunnel: &Tunnel) -> Value {
    json!({
        "account_id": tunnel.account,
        "tunnel_id": tunnel.id,
        "version": tunnel.version,
        "source": source(tunnel),
        "config": tunnel.configuration,
        "created_at": tunnel.created_at,
    })
}

async fn one(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let tunnel = find_live(&*api.plane.current().await?, &account, &id)?;
    Ok(Envelope::of(shown(&tunnel)))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    config: Option<Value>,
}

async fn update(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let Asked { config } = body::read(&body)?;
    let config = config.filter(Value::is_object).ok_or_else(|| {
        ApiError::invalid(
            r#"config is missing: add "config": {"ingress": [{"service": "http_status:404"}]}"#,
        )
    })?;
    let changed = api.plane.change(caller.actor(), "configure tunnel", |edit| {
        let tunnel = find_live(edit, &account, &id)?;
        configure(edit, &tunnel, config.clone()).map(|tunnel| shown(&tunnel))
    });
    Ok(Envelope::of(changed.await?))
}

/// Gives a tunnel rules, which the edge tells its connectors from then on.
pub(super) fn configure(
    edit: &mut Edit,
    tunnel: &Tunnel,
    configuration: Value,
) -> Result<Tunnel, ApiError> {
    let rules = rules(&configuration)?;
    let led = rules.iter().filter(|rule| rule.is_exact());
    claim(edit, &tunnel.account, led.map(|rule| &*rule.hostname))?;
    let is_same = tunnel.is_remote && tunnel.configuration.as_ref() == Some(&configuration);
    let tunnel = Tunnel {
        is_remote: true,
        configuration: Some(configuration),
        version: tunnel.version.saturating_add(u32::from(!is_same)),
        ..tunnel.clone()
    };
    edit.put(tunnel.clone());
    Ok(tunnel)
}
