//! The nodes that follow this control node: what each has been told, what it is like, what it has to do.
//!
//! Of everything that a node could have much of there is a limit.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::wire::{Answer, Command, Declared, Identity, Order, Outcome, Role, Status};
use crate::{database::Position, moment::Moment, plane::World};

/// Most nodes; those that were lost for the longest make room.
const NODES_MAX: usize = 1_000;
/// Commands that wait for a node.
const COMMANDS_MAX: usize = 64;
/// A node that was not heard for longer is lost.
pub(super) const LOST_AFTER: Duration = Duration::from_secs(60);
/// One that was lost for longer is not shown any more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Of the texts of a node what is longer is cut off.
const NAME_MAX: usize = 128;
const LEFT_OUT_MAX: usize = 100;
const LEFT_OUT_LEN_MAX: usize = 500;

const LISTENERS_MAX: usize = 8;
const DECLARED_MAX: usize = 100;
/// As of a name in the DNS.
const HOST_MAX: usize = 253;

/// The nodes.
#[derive(Debug, Default)]
pub(super) struct Registry(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// By instance.
    nodes: HashMap<String, Node>,
    /// Commands that are not answered yet, with the instance that has to.
    pending: HashMap<u64, (String, oneshot::Sender<Outcome>)>,
}

#[derive(Debug)]
struct Node {
    identity: Identity,
    address: Option<IpAddr>,
    status: Status,
    heard: Instant,
    heard_at: Moment,
    /// What it may be told of; of any account, where it is none.
    account: Option<String>,
    /// What it says that it has.
    has: Option<Position>,
    /// What it was told last, and before that: it has one of the two.
    told: [Option<Arc<World>>; 2],
    queue: VecDeque<Command>,
    wake: Arc<Notify>,
    /// Only the last one of each kind is answered.
    turns: Turns,
}

/// Whose a node is, and the ids of what its file declares.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    account: Option<String>,
    declared: Vec<String>,
}

impl Facts {
    /// Whether its file declares a database with this id that this account is shown: one of its own proxy, or of any where
    /// there is no other account.
    pub(super) fn declares(&self, id: &str, account: &str, is_only: bool) -> bool {
        let is_shown = self.account.as_deref().map_or(is_only, |only| only == account);
        is_shown && !id.is_empty() && self.declared.iter().any(|declared| declared == id)
    }
}

/// Counts a node's requests.
#[derive(Clone, Copy, Debug, Default)]
struct Turns {
    news: u64,
    /// Those for news, too, which bring commands as well.
    commands: u64,
}

/// A node's request for news.
#[derive(Debug)]
pub(super) struct Turn {
    instance: String,
    only_commands: bool,
    turns: Turns,
    /// Woken where there is something to do.
    pub(super) wake: Arc<Notify>,
    /// What the node has been told, if that is known.
    pub(super) before: Option<Arc<World>>,
}

/// A command that was given to a node.
#[derive(Debug)]
pub(super) struct Given {
    /// The name of the node.
    pub(super) node: String,
    pub(super) facts: Facts,
    id: u64,
    outcome: oneshot::Receiver<Outcome>,
}

impl Registry {
    /// A node asks for news; `None` where there is no room for one more.
    pub(super) fn follows(
        &self,
        (identity, address): (Identity, Option<IpAddr>),
        account: Option<String>,
        (has, only_commands): (Option<Position>, bool),
        status: Status,
    ) -> Option<Turn> {
        let mut inner = self.0.lock();
        if !inner.nodes.contains_key(&identity.instance) && !inner.has_room() {
            return None;
        }
        let instance = identity.instance.clone();
        let node = inner.nodes.entry(instance.clone()).or_insert_with(|| Node::new(&identity));
        node.hear(identity, address, status);
        node.account = account;
        // The request before this one has nobody who waits for it any more. One for commands alone leaves that for news be.
        node.turns.commands += 1;
        node.turns.news += u64::from(!only_commands);
        node.wake.notify_waiters();
        let known = node.told.iter().flatten().find(|told| has.as_ref() == Some(&told.position));
        let before = known.cloned();
        node.has = has;
        let (turns, wake) = (node.turns, Arc::clone(&node.wake));
        Some(Turn { instance, only_commands, turns, wake, before })
    }

    /// What a node has to do now, which it is told at once; `None` where a newer request has taken the place of this one.
    pub(super) fn take(&self, turn: &Turn) -> Option<Vec<Command>> {
        let mut inner = self.0.lock();
        let node = inner.nodes.get_mut(&turn.instance)?;
        let is_last = match turn.only_commands {
            true => node.turns.commands == turn.turns.commands,
            false => node.turns.news == turn.turns.news,
        };
        if !is_last {
            return None;
        }
        Some(node.queue.drain(..).collect())
    }

    /// A node is told this now.
    pub(super) fn tells(&self, turn: &Turn, world: &Arc<World>) {
        let mut inner = self.0.lock();
        let Some(node) = inner.nodes.get_mut(&turn.instance) else { return };
        (node.heard, node.heard_at) = (Instant::now(), Moment::now());
        // One that has not heard of the last asks again for what is after the one before.
        node.told = [Some(Arc::clone(world)), turn.before.clone()];
    }

    /// A node has said what it is like, and what came of commands.
    pub(super) fn reports(
        &self,
        (identity, address): (Identity, Option<IpAddr>),
        status: Status,
        known: Option<Position>,
        answers: Vec<Answer>,
    ) {
        let mut inner = self.0.lock();
        for answer in answers {
            let is_its = |(instance, _): &(String, _)| *instance == identity.instance;
            if inner.pending.get(&answer.id).is_some_and(is_its)
                && let Some((_, waiting)) = inner.pending.remove(&answer.id)
            {
                let _gone = waiting.send(answer.outcome);
            }
        }
        if let Some(node) = inner.nodes.get_mut(&identity.instance) {
            node.hear(identity, address, status);
            node.has = known.or(node.has.take());
        }
    }

    /// Gives an order to all nodes of a role that are there.
    pub(super) fn give_all(&self, role: Role, order: &Order) -> Vec<Given> {
        let mut inner = self.0.lock();
        let there = inner.nodes.values().filter(|node| node.is_of(role));
        let there: Vec<_> = there.map(|node| node.identity.instance.clone()).collect();
        there.iter().filter_map(|instance| inner.give(instance, order.clone())).collect()
    }

    /// Gives an order to all proxies that are there and may be told of an account; how many those are, with those that could
    /// not be given it.
    pub(super) fn give_proxies_of(
        &self,
        account: &str,
        order: &Order,
        is_meant: impl Fn(&Facts) -> bool,
    ) -> (usize, Vec<Given>) {
        let mut inner = self.0.lock();
        let there =
            inner.nodes.values().filter(|node| node.serves(account) && is_meant(&node.facts()));
        let there: Vec<_> = there.map(|node| node.identity.instance.clone()).collect();
        let given = there.iter().filter_map(|instance| inner.give(instance, order.clone()));
        (there.len(), given.collect())
    }

    /// Gives an order to the proxy that was heard of last and may be told everything.
    pub(super) fn give_one_proxy(&self, order: Order) -> Option<Given> {
        let mut inner = self.0.lock();
        let fit =
            inner.nodes.values().filter(|node| node.is_of(Role::Proxy) && node.account.is_none());
        let instance = fit.max_by_key(|node| node.heard)?.identity.instance.clone();
        inner.give(&instance, order)
    }

    /// Waits for what comes of a command; `None` where that takes too long.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, nobody waits for the answer any more; the order may be carried out.
    pub(super) async fn outcome(&self, given: Given, patience: Duration) -> Option<Outcome> {
        let _forgotten = Forget { registry: self, id: given.id };
        tokio::time::timeout(patience, given.outcome).await.ok()?.ok()
    }

    /// The connectors that edges have for a tunnel.
    pub(super) fn connectors(&self, tunnel: &str) -> Vec<Value> {
        let inner = self.0.lock();
        let edges = inner.nodes.values().filter(|node| node.is_of(Role::Edge));
        let tunnels = edges.filter_map(|node| node.status.edge.as_ref()?.tunnels.get(tunnel));
        tunnels.flatten().cloned().collect()
    }

    /// The names of the nodes of a role that are there.
    pub(super) fn names(&self, role: Role) -> BTreeSet<String> {
        let inner = self.0.lock();
        let there = inner.nodes.values().filter(|node| node.is_of(role));
        there.map(|node| node.identity.name.clone()).collect()
    }

    /// Where clients of an account's configs reach a proxy of an engine: as one says itself, else where one is heard from, else on this machine.
    pub(super) fn clients_at(&self, account: &str, engine: &str) -> Option<(String, u16)> {
        let inner = self.0.lock();
        let proxies = inner.nodes.values().filter(|node| node.serves(account));
        let places = proxies.flat_map(|node| {
            let of_engine = node.status.listeners.iter().filter(|it| it.engine == engine);
            of_engine.map(|listener| {
                let heard = node.address.filter(|address| !address.is_loopback());
                let is_here = |host: &String| {
                    host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
                };
                let host = listener.host.clone();
                let (rank, host) = match (host.filter(|host| !is_here(host)), heard) {
                    (Some(host), _) => (0, host),
                    (None, Some(heard)) if listener.host.is_none() => (1, heard.to_string()),
                    _ => (2, Ipv4Addr::LOCALHOST.to_string()),
                };
                (rank, &node.identity.name, host, listener.port)
            })
        });
        places.min().map(|(_, _, host, port)| (host, port))
    }

    /// What the files of proxies declare that are of this account, or, with `of_all`, of no account.
    pub(super) fn declared(&self, account: &str, of_all: bool) -> Vec<(String, Declared)> {
        let inner = self.0.lock();
        let proxies = inner.nodes.values().filter(|node| {
            node.is_of(Role::Proxy)
                && node.account.as_deref().map_or(of_all, |only| only == account)
        });
        let mut declared: Vec<_> = proxies
            .flat_map(|node| {
                node.status.declared.iter().map(|one| (node.identity.name.clone(), one.clone()))
            })
            .collect();
        declared.sort_by(|one, other| one.0.cmp(&other.0));
        declared
    }

    /// What each node is like, beside where the plane stands.
    pub(super) fn shown(&self, position: &Position) -> Vec<Value> {
        let mut inner = self.0.lock();
        inner.nodes.retain(|_, node| node.heard.elapsed() < FORGOTTEN_AFTER);
        let mut nodes: Vec<_> = inner.nodes.values().collect();
        nodes.sort_by_key(|node| (&node.identity.name, &node.identity.instance));
        nodes.into_iter().map(|node| node.shown(position)).collect()
    }
}

impl Inner {
    fn has_room(&mut self) -> bool {
        if self.nodes.len() < NODES_MAX {
            return true;
        }
        let lost = self.nodes.iter().filter(|(_, node)| node.is_lost());
        let oldest = lost.min_by_key(|(_, node)| node.heard).map(|(instance, _)| instance.clone());
        oldest.is_some_and(|oldest| self.nodes.remove(&oldest).is_some())
    }

    fn give(&mut self, instance: &str, order: Order) -> Option<Given> {
        let node = self.nodes.get_mut(instance)?;
        if node.queue.len() >= COMMANDS_MAX {
            return None;
        }
        // JSON of others may not hold more digits.
        let id = rand::random::<u64>() >> 12;
        let (answer, outcome) = oneshot::channel();
        node.queue.push_back(Command { id, order });
        node.wake.notify_waiters();
        let (name, facts) = (node.identity.name.clone(), node.facts());
        self.pending.insert(id, (instance.to_owned(), answer));
        Some(Given { node: name, facts, id, outcome })
    }
}

/// A command for which nobody waits any more.
struct Forget<'a> {
    registry: &'a Registry,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        let mut inner = self.registry.0.lock();
        if let Some((instance, _)) = inner.pending.remove(&self.id)
            && let Some(node) = inner.nodes.get_mut(&instance)
        {
            node.queue.retain(|command| command.id != self.id);
        }
    }
}

impl Node {
    fn new(identity: &Identity) -> Self {
        Self {
            identity: identity.clone(),
            address: None,
            status: Status::default(),
            heard: Instant::now(),
            heard_at: Moment::now(),
            account: None,
            has: None,
            told: [None, None],
            queue: VecDeque::new(),
            wake: Arc::default(),
            turns: Turns::default(),
        }
    }

    fn hear(&mut self, mut identity: Identity, address: Option<IpAddr>, mut status: Status) {
        cut(&mut identity.name, NAME_MAX);
        cut(&mut identity.version, NAME_MAX);
        status.left_out.truncate(LEFT_OUT_MAX);
        status.left_out.iter_mut().for_each(|text| cut(text, LEFT_OUT_LEN_MAX));
        status.declared.truncate(DECLARED_MAX);
        for one in &mut status.declared {
            let Declared { id, name, scheme, host, database, user, .. } = one;
            for text in [id, name, scheme, host, database, user] {
                cut(text, HOST_MAX);
            }
        }
        status.listeners.truncate(LISTENERS_MAX);
        status.listeners.retain(|it| it.host.as_deref().is_none_or(|host| host.len() <= HOST_MAX));
        (self.identity, self.address, self.status) = (identity, address, status);
        (self.heard, self.heard_at) = (Instant::now(), Moment::now());
    }

    fn facts(&self) -> Facts {
        let declared = self.status.declared.iter().map(|one| one.id.clone());
        Facts { account: self.account.clone(), declared: declared.collect() }
    }

    fn is_lost(&self) -> bool {
        self.heard.elapsed() > LOST_AFTER
    }

    fn serves(&self, account: &str) -> bool {
        self.is_of(Role::Proxy) && self.account.as_deref().is_none_or(|only| only == account)
    }

    fn is_of(&self, role: Role) -> bool {
        self.identity.role == role && !self.is_lost()
    }

    fn shown(&self, position: &Position) -> Value {
        let Identity { instance, name, role, version } = &self.identity;
        let Status { connections, databases, listeners, declared: _, left_out, edge } =
            &self.status;
        let is_behind = self.has.as_ref() != Some(position);
        // One that waits for news has all: it is told at once.
        let behind = if is_behind { self.heard.elapsed() } else { Duration::ZERO };
        let mut shown = json!({
            "id": instance,
            "name": name,
            "role": role,
            "version": version,
            "status": if self.is_lost() { "lost" } else { "connected" },
            "address": self.address,
            "last_seen": self.heard_at,
            "connections": connections,
            "revision": self.has.as_ref().map(|has| has.revision),
            "is_current": !is_behind,
            "behind_seconds": behind.as_secs(),
            "left_out": left_out,
        });
        let Some(fields) = shown.as_object_mut() else { return shown };
        match edge {
            Some(edge) => {
                let connectors: usize = edge.tunnels.values().map(Vec::len).sum();
                fields.insert("public".to_owned(), json!(edge.public));
                fields.insert("connectors_address".to_owned(), json!(edge.connectors));
                fields.insert("connectors".to_owned(), json!(connectors));
            }
            None => {
                fields.insert("databases".to_owned(), json!(databases));
                fields.insert("listeners".to_owned(), json!(listeners));
            }
        }
        shown
    }
}

/// Cuts a text off.
fn cut(text: &mut String, longest: usize) {
    if text.len() > longest {
        text.truncate(text.floor_char_boundary(longest));
    }
}
