//! `/nodes/v1`: proxies and edges follow a control node.
//!
//! A node asks, and its request is held until there is something new for it: so it works through whatever passes HTTP, and a
//! node needs neither the store's credentials nor its key. What it is told it keeps, and serves by that alone.
//!
//! * `wire`: what is said; `activity`: of it, what clients do, `declared`: what files declare.
//! * `news`: what is new for a node.
//! * `node`: one of them.
//! * `registry`: the nodes, and what they have to do; `edges`: where edges are.
//!
//! A node takes news from one control node of a store, and asks each other one what it has to do: so all of them know every
//! node, and what is to be asked of all nodes can be asked of any control node.

pub mod activity;
mod asking;
pub mod declared;
mod edges;
mod news;
mod node;
mod registry;
#[cfg(test)]
mod tests;
pub mod wire;

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, FromRequestParts, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::post,
};
use tokio::time::{Instant, timeout_at};

use self::{
    registry::{Registry, Turn},
    wire::{FOLLOW, Follow, Identity, News, REPORT, Report, Role, VERSION},
};
use crate::{
    api::{ApiError, CONFLICT, THROTTLED, UNAVAILABLE, bearer, find, read, unauthenticated},
    database::Position,
    draft::Draft,
    fleet::{Asked, Reached},
    history::History,
    plane::{Plane, World},
    resources::{ApiToken, Scope},
};

/// How long a request is held where there is nothing new. Shorter than what load balancers wait.
const HOLD: Duration = Duration::from_secs(25);
/// More than an edge with all its connectors has to say.
const BODY_MAX: usize = 2 << 20;
const INSTANCE_MAX: usize = 64;

/// Walks to a database from here, where there is no proxy to do so.
pub type LocalCheck = Box<dyn Fn(Draft) -> Asked<'static, Reached> + Send + Sync>;

/// The nodes that follow this control node.
#[derive(Clone)]
pub struct Nodes(Arc<Inner>);

struct Inner {
    plane: Arc<Plane>,
    registry: Registry,
    history: History,
    local_check: LocalCheck,
}

impl Nodes {
    /// Of this plane; `local_check` is for when no proxy is there.
    pub fn new(plane: Arc<Plane>, local_check: LocalCheck) -> Self {
        let history = History::new(Arc::clone(&plane));
        Self(Arc::new(Inner { plane, registry: Registry::default(), history, local_check }))
    }

    /// Keeps what proxies tell of their clients for a week, for as long as it is polled.
    ///
    /// # Cancel safety
    ///
    /// Dropped, what was told last is not kept.
    pub async fn keep_history(&self) {
        self.0.history.keep().await;
    }

    /// What nodes ask. A server that serves it must not end connections that are silent for less than half a minute.
    pub fn router(&self) -> Router {
        Router::new()
            .route(FOLLOW, post(follow))
            .route(REPORT, post(report))
            .layer(DefaultBodyLimit::max(BODY_MAX))
            .with_state(self.clone())
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Nodes").field(&self.0.registry).finish()
    }
}

/// A node that may ask, before anything of its request is read.
struct Caller {
    token: Arc<ApiToken>,
    text: String,
    address: Option<std::net::IpAddr>,
}

impl FromRequestParts<Nodes> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, nodes: &Nodes) -> Result<Self, ApiError> {
        let text = bearer(&parts.headers).ok_or_else(unauthenticated)?.to_owned();
        // With the store away nodes are told what is known.
        let token = allowed(&nodes.0.plane.known(), &text)?;
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let address = peer.map(|ConnectInfo(peer)| peer.ip().to_canonical());
        Ok(Self { token, text, address })
    }
}

/// The token of a node, if it is one and valid.
fn allowed(world: &World, text: &str) -> Result<Arc<ApiToken>, ApiError> {
    let token = find(world, text).ok_or_else(unauthenticated)?;
    if token.scope == Scope::Node {
        return Ok(token);
    }
    Err(ApiError::forbidden("nodes follow with a token of the scope node, and with no other"))
}

async fn follow(
    State(nodes): State<Nodes>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, ApiError> {
    let Follow { node, known, told_by, status, only_commands } = read(&body)?;
    let inner = &*nodes.0;
    check_identity(&node)?;
    if !only_commands {
        inner.catch_up(known.as_ref()).await?;
    }
    let role = node.role;
    if role == Role::Edge && caller.token.account.is_some() {
        let message = "an edge serves all accounts: give it a token of no account";
        return Err(ApiError::forbidden(message));
    }
    nodes.keep_address(&node, &status, &caller).await;
    let (address, account) = (caller.address, caller.token.account.clone());
    let has = known.clone();
    let turn = inner.registry.follows((node, address), account, (has, only_commands), status);
    let mut turn = turn.ok_or_else(|| {
        let message = "there are too many nodes; stop some, those that are lost make room";
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, THROTTLED, message)
    })?;
    if turn.before.is_none() {
        // It may have been told by another, or by us in another life; of another version, it may have been told otherwise.
        let is_ours = told_by.as_deref() == Some(VERSION);
        turn.before = Some(inner.plane.known())
            .filter(|world| is_ours && known.as_ref() == Some(&world.position));
    }
    let asked = if only_commands { None } else { Some(role) };
    json(&inner.wait(&turn, asked, &caller).await?)
}

async fn report(
    State(nodes): State<Nodes>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, ApiError> {
    let Report { node, status, known, answers, minutes } = read(&body)?;
    check_identity(&node)?;
    nodes.0.history.take(&node.instance, caller.token.account.as_deref(), &minutes);
    nodes.keep_address(&node, &status, &caller).await;
    nodes.0.registry.reports((node, caller.address), status, known, answers);
    json(&())
}

fn json(value: &impl serde::Serialize) -> Result<Response, ApiError> {
    let bytes = serde_json::to_vec(value).map_err(|_unwritable| {
        let message = "the answer cannot be written as JSON";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, UNAVAILABLE, message)
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response())
}

fn check_identity(node: &Identity) -> Result<(), ApiError> {
    let is_good = (1..=INSTANCE_MAX).contains(&node.instance.len()) && !node.name.is_empty();
    is_good.then_some(()).ok_or_else(|| {
        ApiError::invalid("a node must say its name and its instance, of at most 64 characters")
    })
}

impl Inner {
    /// A node that has followed another control node may know more than this one does. While the store is away, who knows
    /// less cannot tell whether the node's is of a history that was put back or what others have said meanwhile.
    async fn catch_up(&self, known: Option<&Position>) -> Result<(), ApiError> {
        let Some(known) = known else {
            let _away = self.plane.current().await;
            return Ok(());
        };
        let ours = self.plane.known().position.clone();
        if *known == ours {
            return Ok(());
        }
        match self.plane.current().await {
            Err(_away) if known.revision >= ours.revision => {
                let message = "the store cannot be read now, and this node has been told more than is known here";
                Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, message))
            }
            _ => Ok(()),
        }
    }

    /// Waits for news for a node of this role, if it asks for any, or commands, or until the request was held for long
    /// enough.
    async fn wait(
        &self,
        turn: &Turn,
        role: Option<Role>,
        caller: &Caller,
    ) -> Result<News, ApiError> {
        let (mut worlds, end) = (self.plane.watch(), Instant::now() + HOLD);
        loop {
            let mut woken = std::pin::pin!(turn.wake.notified());
            // From here on nothing is missed.
            woken.as_mut().enable();
            let world = Arc::clone(&worlds.borrow_and_update());
            // A token may be revoked while its node waits.
            allowed(&world, &caller.text)?;
            let replaced = || {
                let message = "a newer request of this node has taken the place of this one";
                ApiError::new(StatusCode::CONFLICT, CONFLICT, message)
            };
            let commands = self.registry.take(turn).ok_or_else(replaced)?;
            let is_news = role.is_some()
                && turn.before.as_ref().is_none_or(|before| before.position != world.position);
            if is_news || !commands.is_empty() || Instant::now() >= end {
                let mut news = match role {
                    Some(role) => self.tell(turn, &world, role, caller),
                    None => News::none(world.position.clone()),
                };
                let commands = commands.iter().map(serde_json::to_value);
                news.commands = commands.filter_map(Result::ok).collect();
                return Ok(news);
            }
            let changed = async {
                tokio::select! {
                    // It ends with the plane, which this holds.
                    _changed = worlds.changed() => {}
                    () = woken => {}
                }
            };
            let _news_or_late = timeout_at(end, changed).await;
        }
    }

    fn tell(&self, turn: &Turn, world: &Arc<World>, role: Role, caller: &Caller) -> News {
        let news = news::news(turn.before.as_deref(), world, role, &caller.token);
        if news.is_whole {
            tracing::info!(
                role = role.word(),
                revision = news.position.revision,
                "a node is told everything"
            );
        }
        self.registry.tells(turn, world);
        news
    }
}
