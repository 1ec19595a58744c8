//! Where edges are, for configs that lead through one: kept while an edge is away, and passed over once it is lost.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{
    Caller, Nodes,
    node::LOST_AFTER,
    wire::{Identity, Role, Status},
};
use crate::{
    moment::Moment,
    plane::{Actor, ChangeError, World},
    resources::EdgeAddress,
};

/// How often it is looked who is lost.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

impl Nodes {
    /// Marks edges as lost that are not heard any more while others are, so that configs lead through one of those, for as
    /// long as it is polled.
    pub async fn look_after_edges(&self) {
        let mut ticks = interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (began, mut marked) = (Instant::now(), BTreeSet::new());
        loop {
            ticks.tick().await;
            // Until then one may have been heard by the process before this one.
            if began.elapsed() > LOST_AFTER {
                self.mark_lost_edges(&mut marked).await;
            }
        }
    }

    /// Each once until it is heard again: another control node may hear one that this one does not, and say so.
    pub(super) async fn mark_lost_edges(&self, marked: &mut BTreeSet<String>) {
        let live = self.0.registry.names(Role::Edge);
        marked.retain(|name| !live.contains(name));
        // Whoever hears none at all is cut off itself.
        if live.is_empty() {
            return;
        }
        let world = self.0.plane.known();
        let lost = world.edges.iter().filter(|edge| {
            edge.lost.is_none() && !live.contains(&edge.id) && !marked.contains(&edge.id)
        });
        let lost: Vec<_> = lost.map(|edge| edge.id.clone()).collect();
        if lost.is_empty() {
            return;
        }
        let actor = Actor { who: String::from("control"), whence: String::from("clock") };
        let change = self.0.plane.change(actor, "edge lost", |edit| {
            for name in &lost {
                let edge = edit.edges.get(name).filter(|edge| edge.lost.is_none());
                if let Some(edge) = edge.map(|edge| EdgeAddress::clone(edge)) {
                    edit.put(EdgeAddress { lost: Some(Moment::now()), ..edge });
                }
            }
            Ok::<_, ()>(())
        });
        match change.await {
            Ok(()) => {
                tracing::warn!(edges = ?lost, "not heard any more; configs lead through the others");
                marked.extend(lost);
            }
            Err(ChangeError::Plane(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "that edges are lost cannot be kept now");
            }
            Err(ChangeError::Refused(())) => {}
        }
    }

    /// Remembers where an edge is, and what it is trusted by.
    pub(super) async fn keep_address(&self, node: &Identity, status: &Status, caller: &Caller) {
        if node.role != Role::Edge || caller.token.account.is_some() {
            return;
        }
        let Some(address) = status.edge.as_ref().and_then(|edge| edge.address(&node.name)) else {
            return;
        };
        let is_same =
            |world: &World| world.edges.get(&address.id).is_some_and(|it| **it == address);
        let plane = &self.0.plane;
        if is_same(&plane.known()) {
            return;
        }
        let whence = caller.address.map_or_else(String::new, |address| address.to_string());
        let actor = Actor { who: caller.token.name.clone(), whence };
        let kept = plane.change(actor, "edge address", |edit| {
            if !is_same(edit) {
                edit.put::<EdgeAddress>(address.clone());
            }
            Ok::<_, ()>(())
        });
        if let Err(ChangeError::Plane(error)) = kept.await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, edge = node.name, "where this edge is cannot be kept now");
        }
    }
}
