//! The nodes that follow this control node: what each has been told, what it is like, what it has to do.
//!
//! Of everything that a node could have much of there is a limit.

use std::{
    collections::{BTreeSet, HashMap},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::declared::Declared;
use super::node::{Facts, Node, Turns};
use super::wire::{Answer, Command, Identity, Order, Outcome, Role, Status};
use crate::{database::Position, moment::Moment, plane::World};

/// Most nodes; those that were lost for the longest make room.
const NODES_MAX: usize = 1_000;
/// Commands that wait for a node.
const COMMANDS_MAX: usize = 64;
/// One that was lost for longer is not shown any more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3600);
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

    /// What the files of proxies declare, as far as this account is shown it, by the names of the proxies.
    pub(super) fn declared(&self, account: &str, is_only: bool) -> Vec<(String, Declared)> {
        let inner = self.0.lock();
        let proxies = inner.nodes.values().filter(|node| node.is_of(Role::Proxy));
        let declared = proxies.flat_map(|node| {
            let shown = node.declared(account, is_only).iter();
            shown.map(|one| (node.identity.name.clone(), one.clone()))
        });
        let mut declared: Vec<_> = declared.collect();
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
