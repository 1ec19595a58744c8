//! `/zones/{zone}/tunnels/{id}/routes`, and ours: `/accounts/{account}/hostnames`, where each public hostname leads.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, put},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{configuration::configure, found::find_live};
use crate::{
    api::{
        Api, Caller, Query, body,
        claims::{claim, is_ours, route},
        envelope::{ApiError, Envelope, Page, TAKEN},
    },
    ingress::{self, hostname},
    moment::Moment,
    plane::{Edit, World},
    resources::{Hostname, Tunnel},
    view::edge::{EdgeRoute, routes as all_routes},
};

pub(super) fn routes() -> Router<Api> {
    let one = "/accounts/{account}/hostnames/{name}";
    Router::new()
        .route("/zones/{zone}/tunnels/{id}/routes", put(route_dns))
        .route("/accounts/{account}/hostnames", get(list))
        .route(one, get(one_hostname).put(update).delete(delete))
}

fn shown(world: &World, route: &EdgeRoute) -> Value {
    let tunnel = world.tunnels.get(&route.tunnel);
    let record = world.hostnames.get(&route.hostname).filter(|it| it.tunnel == route.tunnel);
    let guards = world.applications.iter().filter(|app| app.hostname == route.hostname);
    json!({
        "hostname": route.hostname,
        "tunnel_id": route.tunnel,
        "tunnel_name": tunnel.map(|tunnel| tunnel.name.clone()),
        "service": route.service,
        // A route is kept by itself; else it is one of the tunnel's rules.
        "source": if record.is_some() { "route" } else { "ingress" },
        "applications": guards.map(|app| app.name.clone()).collect::<Vec<_>>(),
        "created_at": record.map(|record| record.created_at),
    })
}

async fn list(
    State(api): State<Api>,
    Path(account): Path<String>,
    query: Query,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let tunnel = match query.get("tunnel") {
        Some(tunnel) => Some(find_live(&world, &account, tunnel)?),
        None => None,
    };
    let ours = all_routes(&world).into_iter().filter(|route| {
        is_ours(&world, &account, route)
            && tunnel.as_ref().is_none_or(|tunnel| tunnel.id == route.tunnel)
    });
    Ok(Envelope::page(ours.map(|route| shown(&world, &route)).collect(), Page::of(&query)?))
}

/// A hostname of this account that leads somewhere.
fn find(world: &World, account: &str, name: &str) -> Result<EdgeRoute, ApiError> {
    let found = route(world, &name.to_ascii_lowercase());
    let ours = found.filter(|route| is_ours(world, account, route));
    ours.ok_or_else(|| ApiError::missing("hostname", name))
}

async fn one_hostname(
    State(api): State<Api>,
    Path((account, name)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let route = find(&world, &account, &name)?;
    Ok(Envelope::of(shown(&world, &route)))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Route {
    r#type: Option<String>,
    user_hostname: Option<String>,
    overwrite_existing: bool,
}

/// What `cloudflared tunnel route dns` asks. Any hostname may be in any zone: whose it is says the zone's account.
async fn route_dns(
    caller: Caller,
    State(api): State<Api>,
    Path((zone, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: Route = body::read(&body)?;
    if asked.r#type.as_deref().is_some_and(|kind| kind != "dns") {
        let message =
            "only routes of the type \"dns\" are possible here: there are no load balancers";
        return Err(ApiError::invalid(message));
    }
    let name = checked(asked.user_hostname.as_deref().unwrap_or_default(), "user_hostname")?;
    let now = Moment::now();
    let done = api.plane.change(caller.actor(), "route hostname", |edit| {
        let zone = edit.zones.get(&zone).ok_or_else(|| ApiError::missing("zone", &zone))?;
        let tunnel = find_live(edit, &zone.account.clone(), &id)?;
        let done = lead(edit, &name, &tunnel, asked.overwrite_existing, now)?;
        Ok::<_, ApiError>(json!({
            "cname": done,
            "name": name,
            "dns_tag": tunnel.id,
        }))
    });
    Ok(Envelope::of(done.await?))
}

fn checked(name: &str, key: &str) -> Result<String, ApiError> {
    hostname(name).map_err(|why| ApiError::invalid(format!("{key}: {name:?} {why}")))
}

/// Leads a hostname to a tunnel; says whether that is news.
fn lead(
    edit: &mut Edit,
    name: &str,
    tunnel: &Tunnel,
    may_overwrite: bool,
    now: Moment,
) -> Result<&'static str, ApiError> {
    claim(edit, &tunnel.account, [name])?;
    let before = route(edit, name);
    let leads_elsewhere = before.filter(|before| before.tunnel != tunnel.id);
    if let Some(before) = &leads_elsewhere
        && !may_overwrite
    {
        let other = edit.tunnels.get(&before.tunnel).map_or("", |other| &other.name);
        let message = format!(
            "the hostname {name:?} leads to the tunnel {other:?} already; ask with overwrite_existing (cloudflared: \
             --overwrite-dns) to lead it away"
        );
        return Err(ApiError::new(StatusCode::BAD_REQUEST, TAKEN, message));
    }
    if edit.hostnames.get(name).is_some_and(|there| there.tunnel == tunnel.id) {
        return Ok("unchanged");
    }
    edit.put(Hostname {
        name: name.to_owned(),
        account: tunnel.account.clone(),
        tunnel: tunnel.id.clone(),
        created_at: now,
    });
    Ok(if leads_elsewhere.is_some() { "updated" } else { "new" })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    /// Its id or its name.
    tunnel: Option<String>,
    /// `tcp://host:port`: makes it a rule of the tunnel, whose rules the edge tells then.
    service: Option<String>,
    overwrite_existing: bool,
}

/// Leads a hostname to a tunnel, and says to which service.
async fn update(
    caller: Caller,
    State(api): State<Api>,
    Path((account, name)): Path<(String, String)>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: Asked = body::read(&body)?;
    let name = checked(&name, "hostname")?;
    let id = asked.tunnel.ok_or_else(|| ApiError::invalid("tunnel is missing: add its name"))?;
    if let Some(service) = &asked.service {
        ingress::check_service(service)
            .map_err(|why| ApiError::invalid(format!("service: {why}; write tcp://host:port")))?;
    }
    let now = Moment::now();
    let changed = api.plane.change(caller.actor(), "route hostname", |edit| {
        let tunnel = find_live(edit, &account, &id)?;
        lead(edit, &name, &tunnel, asked.overwrite_existing, now)?;
        if let Some(service) = &asked.service {
            check_told(edit, &tunnel, &name)?;
            let configuration = with_service(tunnel.configuration.as_ref(), &name, service);
            configure(edit, &tunnel, configuration)?;
        }
        let route = find(edit, &account, &name)?;
        Ok::<_, ApiError>(shown(edit, &route))
    });
    Ok(Envelope::of(changed.await?))
}

/// Refuses to tell the rules of a tunnel that its connector's own file has, as long as other hostnames go by that file:
/// they would lead nowhere.
fn check_told(world: &World, tunnel: &Tunnel, name: &str) -> Result<(), ApiError> {
    let others = world.hostnames.iter().filter(|it| it.tunnel == tunnel.id && it.name != name);
    let others: Vec<_> = others.map(|it| it.name.as_str()).collect();
    if tunnel.is_remote || others.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the rules of the tunnel {:?} are in its connector's own file, by which {} can be reached: add {name:?} to that file \
         and leave the service out, or take another tunnel",
        tunnel.name,
        others.join(", ")
    );
    Err(ApiError::in_use(message))
}

/// Whether a rule is for this hostname alone.
fn is_for(rule: &Value, name: &str) -> bool {
    rule["hostname"].as_str().is_some_and(|of| hostname(of).is_ok_and(|of| of == name))
}

/// The rules with this one, in front of those that it would not be reached behind.
fn with_service(configuration: Option<&Value>, name: &str, service: &str) -> Value {
    let mut configuration = configuration
        .cloned()
        .unwrap_or_else(|| json!({ "ingress": [{ "service": "http_status:404" }] }));
    if let Some(rules) = configuration["ingress"].as_array_mut() {
        match rules.iter_mut().find(|rule| is_for(rule, name)) {
            Some(rule) => rule["service"] = json!(service),
            None => rules.insert(0, json!({ "hostname": name, "service": service })),
        }
    }
    configuration
}

/// Has a hostname lead nowhere: the route goes, and the rules of the account's tunnels that are for it alone.
async fn delete(
    caller: Caller,
    State(api): State<Api>,
    Path((account, name)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let gone = api.plane.change(caller.actor(), "delete hostname", |edit| {
        let route = find(edit, &account, &name)?;
        let shown = shown(edit, &route);
        edit.delete::<Hostname>(&route.hostname);
        let tunnels = edit.tunnels.iter().filter(|tunnel| tunnel.account == account);
        for tunnel in tunnels.cloned().collect::<Vec<_>>() {
            let Some(mut configuration) = tunnel.configuration.clone() else { continue };
            let Some(rules) = configuration["ingress"].as_array_mut() else { continue };
            let count = rules.len();
            rules.retain(|rule| !is_for(rule, &route.hostname));
            if rules.len() < count && tunnel.deleted_at.is_none() {
                configure(edit, &tunnel, configuration)?;
            }
        }
        Ok::<_, ApiError>(shown)
    });
    Ok(Envelope::of(gone.await?))
}
