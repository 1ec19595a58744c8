//! The walk over queries and expressions that collects what a statement reads, writes and uses.
//!
//! The walk knows every node that a query may hold, by name; whatever it does not know becomes an
//! obstacle, so a new construct of the grammar is refused and not overlooked. It recurses, which is
//! safe because the decoder of the tree (prost) refuses trees of more than a hundred levels.
//!
//! Names are only collected here; `classify` asks the catalog what they mean.

use std::collections::BTreeSet;

use pg_query::protobuf::{Node, SelectStmt};

use super::effects::{Effect, Pin};
use super::facts::{Kind, Mention, StatementFacts};
use super::look_ups::Rows;
use super::reads::{Reads, Value};
use crate::sql::common::{Clock, Obstacle, Volatile, Writes};

mod cast;
mod expression;
mod session;
mod source;
mod value;
mod write;

/// What has been collected so far.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) reads: Reads,
    pub(super) writes: Writes,
    pub(super) pins: BTreeSet<Pin>,
    /// The settings that its calls of set_config may change, which the server reports.
    pub(super) sets: Vec<Effect>,
    /// A session-level advisory lock is given up.
    pub(super) unlocks: bool,
    /// Where it asks about its own session, each from where it begins.
    pub(super) asked: Vec<Mention>,
    /// How many calls and functions in FROM it is in.
    in_calls: usize,
    /// The names of the CTEs in scope.
    scope: Vec<String>,
    /// What it does with rows of which some columns change by themselves.
    rows: Rows,
}

impl Walk {
    pub(super) fn select(&mut self, select: &SelectStmt) {
        let (outer, around) = (self.scope.len(), self.rows.enter());
        self.with(select.with_clause.as_ref());
        if select.into_clause.is_some() {
            self.obstacle(Obstacle::CreatesTable);
        }
        if !select.locking_clause.is_empty() {
            self.obstacle(Obstacle::LocksRows);
        }
        self.reads.mixes.values |= !select.values_lists.is_empty();
        for list in [
            &select.distinct_clause,
            &select.target_list,
            &select.from_clause,
            &select.group_clause,
            &select.window_clause,
            &select.values_lists,
            &select.sort_clause,
        ] {
            self.list(list);
        }
        for part in
            [&select.where_clause, &select.having_clause, &select.limit_offset, &select.limit_count]
        {
            self.boxed(part.as_deref());
        }
        for side in [&select.larg, &select.rarg].into_iter().flatten() {
            self.reads.mixes.columns = true;
            self.select(side);
        }
        self.scope.truncate(outer);
        self.rows.leave(around);
    }

    pub(super) fn list(&mut self, nodes: &[Node]) {
        nodes.iter().for_each(|node| self.node(node));
    }

    pub(super) fn boxed(&mut self, node: Option<&Node>) {
        if let Some(node) = node {
            self.node(node);
        }
    }

    pub(super) fn node(&mut self, node: &Node) {
        let Some(node) = &node.node else { return };
        if !self.expression(node) && !self.compound(node) && !self.source(node) && !self.write(node)
        {
            self.obstacle(Obstacle::Opaque);
            self.reads.is_partial = true;
        }
    }

    pub(super) fn obstacle(&mut self, obstacle: Obstacle) {
        self.reads.obstacles.insert(obstacle);
    }

    fn volatile(&mut self, volatile: Volatile) {
        self.reads.volatile.insert(volatile);
    }

    fn clock(&mut self, clock: Clock, volatile: Volatile) {
        self.reads.clock.insert((clock, volatile));
    }

    /// A name that the statement gives to what may be this.
    fn alias(&mut self, name: &str, value: Value) {
        if !name.is_empty() {
            self.reads.names(name, value);
        }
    }
}

/// The facts of a statement of this kind that was walked.
pub(super) fn walked(kind: Kind, mut walk: Walk) -> StatementFacts {
    walk.reads.restless.columns = walk.rows.are_read();
    StatementFacts {
        kind,
        effects: walk.pins.into_iter().map(Effect::Pin).chain(walk.sets).collect(),
        writes: walk.writes,
        may_release_pin: walk.unlocks,
        reads: walk.reads,
        ..StatementFacts::default()
    }
}
