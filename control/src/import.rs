//! Taking over what an edge has kept in a folder of its own.

use std::collections::BTreeMap;

use serde_json::json;

use crate::{
    moment::Moment,
    plane::Edit,
    resources::{
        Application, Hostname, Policy, PreviousHash, SERVICE_AUTH, ServiceToken, Tunnel,
        TunnelSecret,
    },
    view::edge::{EdgePrevious, EdgeView},
};

/// Puts all that an edge knows into an account, each with its id: whoever is connected by it stays so. Says how much it was.
///
/// # Errors
///
/// What is there already, a line each; nothing is to be kept then.
pub fn import(edit: &mut Edit, account: &str, view: &EdgeView) -> Result<usize, String> {
    let clashes = clashes(edit, view);
    if !clashes.is_empty() {
        return Err(clashes.join("\n"));
    }
    let (now, account) = (Moment::now(), account.to_owned());
    let mut rules: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for route in &view.routes {
        if let Some(service) = &route.service {
            let rule = json!({ "hostname": route.hostname, "service": service });
            rules.entry(&route.tunnel).or_default().push(rule);
        }
        edit.put(Hostname {
            name: route.hostname.clone(),
            account: account.clone(),
            tunnel: route.tunnel.clone(),
            created_at: now,
        });
    }
    for tunnel in &view.tunnels {
        let mut ingress = rules.remove(tunnel.id.as_str()).unwrap_or_default();
        ingress.push(json!({ "service": "http_status:404" }));
        edit.put(Tunnel {
            id: tunnel.id.clone(),
            account: account.clone(),
            account_tag: Some(tunnel.account_tag.clone()).filter(|tag| *tag != account),
            name: tunnel.name.clone(),
            is_remote: tunnel.managed,
            secret: TunnelSecret { sha256: tunnel.secret.clone(), base64: None },
            previous: tunnel.previous.as_ref().map(previous),
            configuration: tunnel.managed.then(|| json!({ "ingress": ingress })),
            version: u32::from(tunnel.managed),
            metadata: None,
            created_at: moment(tunnel.created_at),
            deleted_at: None,
        });
    }
    for token in &view.service_tokens {
        let hours = token.expires_at.map(|end| end.saturating_sub(token.created_at) / 3600);
        edit.put(ServiceToken {
            id: token.id.clone(),
            account: account.clone(),
            name: token.name.clone(),
            client_id: token.client_id.clone(),
            secret_sha256: token.secret.clone(),
            previous: token.previous.as_ref().map(previous),
            version: token.secret_version,
            duration: hours.map_or_else(|| String::from("forever"), |hours| format!("{hours}h")),
            expires_at: token.expires_at.map(moment),
            is_enabled: true,
            created_at: moment(token.created_at),
            updated_at: now,
        });
    }
    access(edit, &account, view, now);
    Ok(count(view))
}

fn access(edit: &mut Edit, account: &str, view: &EdgeView, now: Moment) {
    for policy in &view.policies {
        edit.put(Policy {
            id: policy.id.clone(),
            account: account.to_owned(),
            name: policy.name.clone(),
            decision: SERVICE_AUTH.to_owned(),
            include: policy.include.clone(),
            require: policy.require.clone(),
            exclude: policy.exclude.clone(),
            session_duration: None,
            is_reusable: true,
            created_at: now,
            updated_at: now,
        });
    }
    for application in &view.applications {
        edit.put(Application {
            id: application.id.clone(),
            account: account.to_owned(),
            name: application.name.clone(),
            hostname: application.domain.clone(),
            path: application.path.clone(),
            aud: application.aud.clone(),
            policies: application.policies.clone(),
            service_auth_401: application.service_auth_401,
            token_header: application.token_header.clone(),
            session_duration: String::from("24h"),
            others: serde_json::Map::new(),
            created_at: now,
            updated_at: now,
        });
    }
}

/// Everything that cannot be put beside what is there.
fn clashes(edit: &Edit, view: &EdgeView) -> Vec<String> {
    let mut found = Vec::new();
    let mut there = |what: &str, name: &str, is_there: bool| {
        if is_there {
            found.push(format!("the {what} {name:?} is there already"));
        }
    };
    for it in &view.tunnels {
        let mut live = edit.tunnels.iter().filter(|known| known.deleted_at.is_none());
        let is_there = live.any(|known| known.name == it.name || known.id == it.id);
        there("tunnel", &it.name, is_there);
    }
    for it in &view.routes {
        there("hostname", &it.hostname, edit.hostnames.get(&it.hostname).is_some());
    }
    for it in &view.service_tokens {
        let is_there = edit.service_tokens.iter().any(|known| known.client_id == it.client_id);
        there("service token", &it.name, is_there || edit.service_tokens.get(&it.id).is_some());
    }
    for it in &view.policies {
        there("policy", &it.name, edit.policies.get(&it.id).is_some());
    }
    for it in &view.applications {
        let mut known = edit.applications.iter();
        let is_there = known.any(|known| known.hostname == it.domain && known.path == it.path);
        there("application", &it.name, is_there);
    }
    found
}

const fn count(view: &EdgeView) -> usize {
    view.tunnels.len()
        + view.routes.len()
        + view.service_tokens.len()
        + view.policies.len()
        + view.applications.len()
}

fn previous(previous: &EdgePrevious) -> PreviousHash {
    PreviousHash { sha256: previous.secret.clone(), expires_at: moment(previous.expires_at) }
}

fn moment(seconds: u64) -> Moment {
    Moment(i64::try_from(seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX))
}
