//! What is new for a node: the difference between two states of the world.
//!
//! Records are shared between states until they change, so what is the same is seen without looking into it. With 10,000
//! configs a change of one sends one.

use std::sync::Arc;

use serde_json::Value;

use super::wire::{News, Role};
use crate::{
    plane::{Table, World},
    resources::{ApiToken, Hyperdrive},
    view::{edge::EdgeView, proxy::draft},
};

/// What a node has to be told that has been told `before`; everything, where that is not known or is of a later time.
pub(super) fn news(before: Option<&World>, now: &World, role: Role, token: &ApiToken) -> News {
    let before = before.filter(|before| before.position.revision <= now.position.revision);
    let mut news = News { is_whole: before.is_none(), ..News::none(now.position.clone()) };
    match role {
        Role::Proxy => configs(before, now, token, &mut news),
        Role::Edge => {
            let view = EdgeView::of(now);
            // Its version counts every change, and most concern no edge.
            let is_same = before.is_some_and(|before| {
                EdgeView { version: view.version, ..EdgeView::of(before) } == view
            });
            news.edge = (!is_same).then_some(view);
        }
    }
    news
}

fn configs(before: Option<&World>, now: &World, token: &ApiToken, news: &mut News) {
    let is_for_it =
        |config: &&Arc<Hyperdrive>| token.account.as_ref().is_none_or(|it| *it == config.account);
    let are_edges_same = before.is_some_and(|before| are_edges_same(before, now));
    for config in now.hyperdrives.iter().filter(is_for_it) {
        let is_same = before.is_some_and(|before| {
            is_same(before, now, config)
                && (are_edges_same || before.edge_of(&config.origin) == now.edge_of(&config.origin))
        });
        if is_same {
            continue;
        }
        match written(config, now) {
            Ok(draft) => news.configs.push(draft),
            Err(error) => {
                tracing::warn!(config = config.name, error, "no proxy is told of this config");
                news.removed.push(config.id.clone());
            }
        }
    }
    let Some(before) = before else { return };
    let gone = before.hyperdrives.iter().filter(is_for_it);
    let gone = gone.filter(|old| now.hyperdrives.get(&old.id).is_none_or(|new| !is_for_it(&new)));
    news.removed.extend(gone.map(|old| old.id.clone()));
}

fn written(config: &Hyperdrive, world: &World) -> Result<Value, String> {
    let draft = draft(world, config).map_err(|mistake| mistake.to_string())?;
    // Says nothing of the values: a draft can always be written.
    serde_json::to_value(&draft).map_err(|error| error.to_string())
}

/// Whether hostnames lead through the same edges in both.
fn are_edges_same(before: &World, now: &World) -> bool {
    fn is_same<R>(before: &Table<R>, now: &Table<R>) -> bool {
        before.iter().map(Arc::as_ptr).eq(now.iter().map(Arc::as_ptr))
    }
    is_same(&before.edges, &now.edges)
        && is_same(&before.hostnames, &now.hostnames)
        && is_same(&before.tunnels, &now.tunnels)
}

/// Whether all that a config's draft is made of is the very same in both, but for the edge that it leads through.
fn is_same(before: &World, now: &World, config: &Arc<Hyperdrive>) -> bool {
    let certificates = [&config.ca_certificate_id, &config.mtls_certificate_id];
    before.hyperdrives.get(&config.id).is_some_and(|old| Arc::ptr_eq(old, config))
        && before
            .credentials_of(&config.id)
            .map(Arc::as_ptr)
            .eq(now.credentials_of(&config.id).map(Arc::as_ptr))
        && certificates.into_iter().flatten().all(|id| {
            let of = |world: &World| world.certificates.get(id).map(Arc::as_ptr);
            of(before) == of(now)
        })
}
