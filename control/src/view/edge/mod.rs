//! What an edge is told: tunnels, hostnames, and who may pass.
//!
//! It always fits together, whatever order things were asked in: what is deleted, disabled or leads nowhere is left out.
//! Accounts share an edge, so that nothing here concerns more than its own: `any_valid_service_token` becomes the tokens of
//! the policy's account.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::{
    ingress::{self, Rule},
    moment::Moment,
    plane::World,
    resources::{self, Rule as Selector},
};

/// All that an edge is told. Its JSON is that of the state that an edge keeps in a file, key by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeView {
    /// How many changes there were. An edge whose connectors know of a greater one, as after a restored backup, goes on
    /// from that.
    pub version: u32,
    /// What connectors may register for.
    pub tunnels: Vec<EdgeTunnel>,
    /// Where hostnames lead; no two have one name.
    pub routes: Vec<EdgeRoute>,
    /// What policies name.
    pub service_tokens: Vec<EdgeToken>,
    /// What applications name.
    pub policies: Vec<EdgePolicy>,
    /// What guards the hostnames.
    pub applications: Vec<EdgeApplication>,
}

/// A tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeTunnel {
    /// A UUID.
    pub id: String,
    /// For people.
    pub name: String,
    /// Connectors must name it.
    pub account_tag: String,
    /// The SHA-256 of the secret's bytes, in hex.
    pub secret: String,
    /// After a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<EdgePrevious>,
    /// Seconds since 1970.
    pub created_at: u64,
    /// Its rules come from the edge.
    pub managed: bool,
}

/// A secret that is valid beside the new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgePrevious {
    /// Its SHA-256, in hex.
    pub secret: String,
    /// Until then; seconds since 1970.
    pub expires_at: u64,
}

/// Where a hostname leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeRoute {
    /// In lower case.
    pub hostname: String,
    /// The id of its tunnel.
    pub tunnel: String,
    /// `tcp://host:port`; without it the connector's own rules say it, or nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// A service token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeToken {
    /// A UUID.
    pub id: String,
    /// For people.
    pub name: String,
    /// The public half.
    pub client_id: String,
    /// The SHA-256 of the secret half, in hex.
    pub secret: String,
    /// After a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<EdgePrevious>,
    /// Seconds since 1970; `None` for one that never expires.
    pub expires_at: Option<u64>,
    /// Seconds since 1970.
    pub created_at: u64,
    /// Counts the rotations, from 1.
    pub secret_version: u32,
}

/// A policy that lets requests pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgePolicy {
    /// A UUID.
    pub id: String,
    /// For people.
    pub name: String,
    /// One must apply.
    pub include: Vec<Selector>,
    /// All must apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require: Vec<Selector>,
    /// None may apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Selector>,
}

/// A guarded place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeApplication {
    /// A UUID.
    pub id: String,
    /// For people.
    pub name: String,
    /// The hostname.
    pub domain: String,
    /// The path below which it guards; empty for all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// 64 hex digits.
    pub aud: String,
    /// Ids of policies.
    pub policies: Vec<String>,
    /// Refuses with 401 and not with 403.
    pub service_auth_401: bool,
    /// Also reads a token from this header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_header: Option<String>,
}

impl EdgeView {
    /// What every edge is told of this world.
    pub fn of(world: &World) -> Self {
        let policies: Vec<_> =
            world.policies.iter().filter_map(|policy| self::policy(world, policy)).collect();
        let is_told = |id: &&String| policies.iter().any(|policy| policy.id == **id);
        let applications = world.applications.iter().map(|it| EdgeApplication {
            id: it.id.clone(),
            name: it.name.clone(),
            domain: it.hostname.clone(),
            path: it.path.clone(),
            aud: it.aud.clone(),
            policies: it.policies.iter().filter(is_told).cloned().collect(),
            service_auth_401: it.service_auth_401,
            token_header: it.token_header.clone(),
        });
        let applications = applications.collect();
        Self {
            version: u32::try_from(world.position.revision).unwrap_or(u32::MAX),
            tunnels: tunnels(world).map(tunnel).collect(),
            routes: routes(world),
            service_tokens: world.service_tokens.iter().filter_map(|it| token(it)).collect(),
            policies,
            applications,
        }
    }
}

/// Those that are not deleted, ordered by when they were made.
fn tunnels(world: &World) -> impl Iterator<Item = &resources::Tunnel> {
    let mut live: Vec<_> =
        world.tunnels.iter().map(AsRef::as_ref).filter(|it| it.deleted_at.is_none()).collect();
    live.sort_by_key(|tunnel| (tunnel.created_at, &tunnel.id));
    live.into_iter()
}

/// Whether its rules come from the edge: as soon as there are some.
const fn is_managed(tunnel: &resources::Tunnel) -> bool {
    tunnel.is_remote && tunnel.configuration.is_some()
}

fn rules(tunnel: &resources::Tunnel) -> Vec<Rule> {
    let configuration = tunnel.configuration.as_ref().filter(|_| is_managed(tunnel));
    configuration.and_then(|it| ingress::rules(it).ok()).unwrap_or_default()
}

/// Every hostname that leads somewhere, ordered by name. Where it was led by name decides; else the tunnel with a rule for
/// it does, of several the oldest.
pub fn routes(world: &World) -> Vec<EdgeRoute> {
    let live: Vec<_> = tunnels(world).map(|tunnel| (tunnel, rules(tunnel))).collect();
    let mut routes = BTreeMap::new();
    let route = |hostname: &str, tunnel: &str, rules: &[Rule]| EdgeRoute {
        hostname: hostname.to_owned(),
        tunnel: tunnel.to_owned(),
        service: ingress::service(rules, hostname).map(ToOwned::to_owned),
    };
    let by_id: HashMap<_, _> = live.iter().map(|one| (&*one.0.id, one)).collect();
    for hostname in world.hostnames.iter() {
        if let Some((tunnel, rules)) = by_id.get(&*hostname.tunnel) {
            routes.insert(hostname.name.clone(), route(&hostname.name, &tunnel.id, rules));
        }
    }
    for (tunnel, rules) in &live {
        for Rule { hostname, .. } in rules.iter().filter(|rule| rule.is_exact()) {
            routes.entry(hostname.clone()).or_insert_with(|| route(hostname, &tunnel.id, rules));
        }
    }
    routes.into_values().collect()
}

fn tunnel(tunnel: &resources::Tunnel) -> EdgeTunnel {
    let previous = tunnel.previous.as_ref().map(|previous| EdgePrevious {
        secret: previous.sha256.clone(),
        expires_at: previous.expires_at.unix_seconds(),
    });
    EdgeTunnel {
        id: tunnel.id.clone(),
        name: tunnel.name.clone(),
        account_tag: tunnel.account_tag().to_owned(),
        secret: tunnel.secret.sha256.clone(),
        previous,
        created_at: tunnel.created_at.unix_seconds(),
        managed: is_managed(tunnel),
    }
}

fn token(token: &resources::ServiceToken) -> Option<EdgeToken> {
    let previous = token.previous.as_ref().map(|previous| EdgePrevious {
        secret: previous.sha256.clone(),
        expires_at: previous.expires_at.unix_seconds(),
    });
    token.is_enabled.then(|| EdgeToken {
        id: token.id.clone(),
        name: token.name.clone(),
        client_id: token.client_id.clone(),
        secret: token.secret_sha256.clone(),
        previous,
        expires_at: token.expires_at.map(Moment::unix_seconds),
        created_at: token.created_at.unix_seconds(),
        secret_version: token.version,
    })
}

/// `None` for one that lets nothing pass.
fn policy(world: &World, policy: &resources::Policy) -> Option<EdgePolicy> {
    if policy.decision != resources::SERVICE_AUTH {
        return None;
    }
    let of_account = || {
        let ours = world.service_tokens.iter().filter(|token| token.account == policy.account);
        ours.map(|token| Selector::ServiceToken { token_id: token.id.clone() })
    };
    let is_any = |rule: &Selector| *rule == Selector::AnyValidServiceToken {};
    let one_of = |rules: &[Selector]| -> Vec<Selector> {
        if rules.iter().any(is_any) { of_account().collect() } else { rules.to_vec() }
    };
    // Whom `include` names holds a valid token of the account.
    let require = policy.require.iter().filter(|rule| !is_any(rule)).cloned();
    Some(EdgePolicy {
        id: policy.id.clone(),
        name: policy.name.clone(),
        include: one_of(&policy.include),
        require: require.collect(),
        exclude: one_of(&policy.exclude),
    })
}

#[cfg(test)]
mod tests;
