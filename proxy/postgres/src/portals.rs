//! The statements of a client's open portals.

use std::sync::Arc;

use bytes::Bytes;
use cache::sql::postgres::Analysis;

use super::{prepared::Statement, statements::MAX_PER_CLIENT};

/// The statements of portals, by the portals' names.
#[derive(Debug, Default)]
pub(crate) struct Portals {
    /// That of the unnamed one, which most clients never have beside another.
    unnamed: Option<Bound>,
    named: foldhash::HashMap<Bytes, Bound>,
}

/// A statement, and the group of messages that bound it.
#[derive(Debug)]
struct Bound {
    statement: Arc<Statement>,
    /// What its text says with the values that were bound, where these decide.
    analysis: Option<Arc<Analysis>>,
    group: u64,
}

impl Portals {
    /// The statement of an open portal.
    pub(crate) fn statement(&self, name: &[u8]) -> Option<&Arc<Statement>> {
        self.get(name).map(|bound| &bound.statement)
    }

    /// What an open portal does, where the values decide that were bound.
    pub(crate) fn analysis(&self, name: &[u8]) -> Option<&Arc<Analysis>> {
        self.get(name).and_then(|bound| bound.analysis.as_ref())
    }

    /// The group of messages that bound an open portal.
    pub(crate) fn bound_in(&self, name: &[u8]) -> Option<u64> {
        self.get(name).map(|bound| bound.group)
    }

    fn get(&self, name: &[u8]) -> Option<&Bound> {
        if name.is_empty() { self.unnamed.as_ref() } else { self.named.get(name) }
    }

    /// Records that a message was sent which binds a statement. One too many is not followed.
    pub(crate) fn bind(
        &mut self,
        name: &[u8],
        (statement, analysis): (Arc<Statement>, Option<Arc<Analysis>>),
        group: u64,
    ) {
        let bound = Bound { statement, analysis, group };
        if name.is_empty() {
            self.unnamed = Some(bound);
        } else if let Some(known) = self.named.get_mut(name) {
            *known = bound;
        } else if self.named.len() < MAX_PER_CLIENT {
            self.named.insert(Bytes::copy_from_slice(name), bound);
        }
    }

    /// Their statements.
    pub(crate) fn statements(&self) -> impl Iterator<Item = &Arc<Statement>> {
        self.unnamed.iter().chain(self.named.values()).map(|bound| &bound.statement)
    }

    /// Forgets those that were bound in a group.
    pub(crate) fn forget(&mut self, is_group: impl Fn(u64) -> bool) {
        self.unnamed.take_if(|bound| is_group(bound.group));
        self.named.retain(|_name, bound| !is_group(bound.group));
    }

    /// The end of a transaction closes all.
    pub(crate) fn clear(&mut self) {
        self.unnamed = None;
        self.named.clear();
    }
}
