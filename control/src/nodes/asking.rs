//! What the API asks of the nodes.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::{
    Nodes,
    activity::Activity,
    declared::Declared,
    node::Facts,
    registry::Given,
    wire::{Order, Outcome, Role},
};
use crate::{
    draft::Draft,
    fleet::{Activities, Asked, Fleet, Reached, Unreachable},
    plane::World,
};

/// How long a walk to a database may take.
const CHECK_PATIENCE: Duration = Duration::from_secs(30);
/// How long other orders are waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// The code of whatever has no code of its own.
const GENERIC: u32 = 2015;

/// What is of an account.
pub(super) struct Ours<'a> {
    world: Arc<World>,
    account: &'a str,
    is_only: bool,
}

impl Ours<'_> {
    /// Whether what a proxy knows by an id is: a config, or of a file that the account is shown.
    pub(super) fn has(&self, facts: &Facts, id: &str) -> bool {
        let config = self.world.hyperdrives.get(id);
        config.is_some_and(|config| config.account == self.account)
            || facts.declares(id, self.account, self.is_only)
    }
}

impl Fleet for Nodes {
    fn check<'a>(&'a self, draft: &'a Draft) -> Asked<'a, Reached> {
        Box::pin(self.check_by_a_proxy(draft))
    }

    fn purge<'a>(
        &'a self,
        account: &'a str,
        (name, id): (&'a str, &'a str),
        tables: &'a [String],
    ) -> Asked<'a, usize> {
        let (database, only) = (name.to_owned(), Some(id.to_owned()));
        let order = Order::Purge { database, id: only, tables: tables.to_vec() };
        let ours = self.ours(account);
        let (_, given) =
            self.0.registry.give_proxies_of(account, &order, |facts| ours.has(facts, id));
        Box::pin(self.done(given))
    }

    fn activity<'a>(
        &'a self,
        account: &'a str,
        database: Option<&'a str>,
        statements: usize,
        sessions: usize,
    ) -> Asked<'a, Activities> {
        let database = database.map(ToOwned::to_owned);
        let order = Order::Activity { database, statements, sessions };
        Box::pin(self.activities(account, order))
    }

    fn connections(&self, tunnel: &str) -> Vec<Value> {
        self.0.registry.connectors(tunnel)
    }

    fn disconnect<'a>(&'a self, tunnel: &'a str, connector: Option<&'a str>) -> Asked<'a, ()> {
        let (tunnel, connector) = (tunnel.to_owned(), connector.map(ToOwned::to_owned));
        let order = Order::Disconnect { tunnel, connector };
        Box::pin(async {
            let _edges = self.carried_out(Role::Edge, order).await;
        })
    }

    fn nodes(&self) -> Vec<Value> {
        self.0.registry.shown(&self.0.plane.known().position)
    }

    /// Those of a proxy that serves all accounts are shown where there is but one.
    fn declared(&self, account: &str) -> Vec<(String, Declared)> {
        self.0.registry.declared(account, self.is_only(account))
    }

    fn clients_at(&self, account: &str, engine: &str) -> Option<(String, u16)> {
        self.0.registry.clients_at(account, engine)
    }
}

impl Nodes {
    fn is_only(&self, account: &str) -> bool {
        self.0.plane.known().accounts.iter().all(|other| other.id == account)
    }

    pub(super) fn ours<'a>(&self, account: &'a str) -> Ours<'a> {
        Ours { world: self.0.plane.known(), account, is_only: self.is_only(account) }
    }

    async fn check_by_a_proxy(&self, draft: &Draft) -> Reached {
        let registry = &self.0.registry;
        let generic =
            |message: String| Err(Unreachable { code: GENERIC, message, steps: Vec::new() });
        let Ok(config) = serde_json::to_value(draft) else {
            return generic(String::from("the config cannot be sent to a proxy"));
        };
        let Some(given) = registry.give_one_proxy(Order::Check { config }) else {
            return (self.0.local_check)(draft.clone()).await;
        };
        let node = given.node.clone();
        match registry.outcome(given, CHECK_PATIENCE).await {
            Some(Outcome::Done(steps)) => Ok(steps),
            Some(Outcome::Unreachable(unreachable)) => Err(unreachable),
            Some(Outcome::Failed(why)) => {
                generic(format!("the proxy {node:?} cannot check the connection: {why}"))
            }
            None => generic(format!(
                "the proxy {node:?} has not answered within {} s; see its log, and try again",
                CHECK_PATIENCE.as_secs()
            )),
        }
    }

    async fn activities(&self, account: &str, order: Order) -> Activities {
        let registry = &self.0.registry;
        let end = tokio::time::Instant::now() + PATIENCE;
        let (asked, given) = registry.give_proxies_of(account, &order, |_| true);
        let ours = self.ours(account);
        let mut answers = Vec::with_capacity(given.len());
        for given in given {
            let (node, facts) = (given.node.clone(), given.facts.clone());
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            let Some(Outcome::Done(told)) = registry.outcome(given, left).await else { continue };
            match serde_json::from_value::<Activity>(told) {
                Ok(mut activity) => {
                    activity.databases.retain(|it| ours.has(&facts, &it.id));
                    answers.push((node, activity));
                }
                Err(error) => {
                    tracing::debug!(node, %error, "what a proxy says of its clients cannot be read");
                }
            }
        }
        Activities { asked, answers }
    }

    /// Gives an order to all nodes of a role at once; how many have carried it out.
    async fn carried_out(&self, role: Role, order: Order) -> usize {
        self.done(self.0.registry.give_all(role, &order)).await
    }

    /// How many have carried out what they were given.
    async fn done(&self, all: Vec<Given>) -> usize {
        let registry = &self.0.registry;
        let end = tokio::time::Instant::now() + PATIENCE;
        let mut done = 0;
        // Each has the order already: who is waited for later answers meanwhile.
        for given in all {
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            let outcome = registry.outcome(given, left).await;
            done += usize::from(matches!(outcome, Some(Outcome::Done(_))));
        }
        done
    }
}
