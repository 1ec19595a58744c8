//! Which statements one backend has.

use std::sync::Arc;

use super::prepared::{Before, Statement};

/// The most statements that one backend keeps; the one used longest ago goes.
const MAX_PER_BACKEND: usize = 512;
/// The most bytes of their texts, likewise.
const MAX_TEXTS: usize = 1 << 20;

/// What one backend has prepared, also what was sent and not yet confirmed.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    named: foldhash::HashMap<u64, Held>,
    /// The number of the unnamed one, and the group of messages in which it was sent.
    unnamed: Option<(u64, u64)>,
    /// The last two groups of messages in which statements were sent, the later one first.
    sent: [Option<u64>; 2],
    /// Names at the backend that nothing here means any more: closed in front of the next Parse.
    spare: Vec<Arc<str>>,
    clock: u64,
}

/// A statement, and what it is called at the backend.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// The statement.
    pub(crate) statement: Arc<Statement>,
    /// Its name at the backend: that of the statement which was parsed there, and is the same as this one.
    pub(crate) name: Arc<str>,
    used: u64,
    /// The group of messages in which it was sent.
    group: u64,
}

impl Prepared {
    /// What the backend has, of a named statement; it counts as used now.
    pub(crate) fn held(&mut self, statement: &Statement) -> Option<&Held> {
        self.clock += 1;
        let held = self.named.get_mut(&statement.number())?;
        held.used = self.clock;
        Some(held)
    }

    /// The name under which the backend has it, if it does; it counts as used now.
    pub(crate) fn find(&mut self, statement: &Statement) -> Option<&str> {
        if statement.is_unnamed() {
            return self.has(statement).then_some("");
        }
        self.held(statement).map(|held| &*held.name)
    }

    /// The statement that the backend knows under this name of ours.
    pub(crate) fn named(&self, name: &[u8]) -> Option<&Arc<Statement>> {
        let mut held = self.named.values();
        held.find(|held| held.name.as_bytes() == name).map(|held| &held.statement)
    }

    /// Whether the backend has it.
    pub(crate) fn has(&self, statement: &Statement) -> bool {
        if statement.is_unnamed() {
            self.unnamed.is_some_and(|(number, _)| number == statement.number())
        } else {
            self.named.contains_key(&statement.number())
        }
    }

    /// The group of messages in which it was sent: until that was heard, it may have been skipped.
    pub(crate) fn sent_in(&self, statement: &Statement) -> Option<u64> {
        if statement.is_unnamed() {
            return self.unnamed.filter(|_| self.has(statement)).map(|(_, group)| group);
        }
        Some(self.named.get(&statement.number())?.group)
    }

    /// The last groups of messages in which statements were sent: the present one, if it is one, and the one before.
    pub(crate) fn sent(&self) -> impl Iterator<Item = u64> {
        self.sent.into_iter().flatten()
    }

    /// Records that it was sent in this group, under its own name. Returns what should be closed to make room.
    pub(crate) fn insert(&mut self, statement: &Arc<Statement>, group: u64) -> Option<Held> {
        if self.sent[0] != Some(group) {
            self.sent = [Some(group), self.sent[0]];
        }
        if statement.is_unnamed() {
            self.unnamed = Some((statement.number(), group));
            return None;
        }
        self.clock += 1;
        let (statement, name) = (Arc::clone(statement), Arc::clone(&statement.name));
        let is_long = statement.source.as_bytes().len() > MAX_TEXTS / MAX_PER_BACKEND;
        self.restore(Held { statement, name, used: self.clock, group });
        if is_long {
            self.retire_texts();
        }
        if self.named.len() <= MAX_PER_BACKEND {
            return None;
        }
        let oldest = self.named.values().min_by_key(|held| held.used)?.statement.number();
        self.named.remove(&oldest)
    }

    /// Retires those used longest ago until the texts of the others are short enough.
    fn retire_texts(&mut self) {
        let len = |held: &Held| held.statement.source.as_bytes().len();
        let mut bytes = self.named.values().map(len).sum::<usize>();
        while bytes > MAX_TEXTS
            && self.named.len() > 1
            && let Some(oldest) = self.named.values().min_by_key(|held| held.used)
        {
            bytes = bytes.saturating_sub(len(oldest));
            self.retire(oldest.statement.number());
        }
    }

    /// Records that the backend has it still.
    pub(crate) fn restore(&mut self, held: Held) {
        // What it is may have been heard meanwhile.
        let held = Held { statement: held.statement.shared(), ..held };
        let older = self.named.insert(held.statement.number(), held);
        self.spare.extend(older.map(|older| older.name));
    }

    /// A statement has turned out to be the same as another, which it serves as from now on: it was parsed later.
    pub(crate) fn rename(&mut self, statement: &Statement, shared: &Arc<Statement>) {
        if let Some(held) = self.named.remove(&statement.number()) {
            let held = Held { statement: Arc::clone(shared), ..held };
            let older = self.named.insert(shared.number(), held);
            self.spare.extend(older.map(|older| older.name));
        }
    }

    /// Records that the backend does not have it after all.
    pub(crate) fn remove(&mut self, statement: &Statement) -> Option<Held> {
        if statement.is_unnamed() {
            self.unnamed = self.unnamed.filter(|(number, _)| *number != statement.number());
            return None;
        }
        self.named.remove(&statement.number())
    }

    /// Records that the backend has skipped its Parse, and so has what it had before.
    pub(crate) fn take_back(&mut self, statement: &Statement, before: Option<&Before>) {
        if !statement.is_unnamed() {
            self.named.remove(&statement.number());
        } else if let Some((number, group)) = self.unnamed
            && number == statement.number()
        {
            let before = before.filter(|before| before.is_there);
            self.unnamed = before.map(|before| (before.statement.number(), group));
        }
    }

    /// The backend has the statement of this number, and it is not to be used again.
    pub(crate) fn retire(&mut self, number: u64) {
        self.spare.extend(self.named.remove(&number).map(|held| held.name));
        self.unnamed = self.unnamed.filter(|(unnamed, _)| *unnamed != number);
    }

    /// The backend has this name still, and nobody needs it.
    pub(crate) fn spare(&mut self, name: Arc<str>) {
        self.spare.push(name);
    }

    /// The names to close now.
    pub(crate) fn take_spare(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.spare)
    }

    /// A simple query drops the unnamed statement (`exec_simple_query`).
    pub(crate) fn forget_unnamed(&mut self) {
        self.unnamed = None;
    }

    /// DISCARD ALL and DEALLOCATE ALL leave nothing.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use protocol::postgres::message::Parse;

    use super::super::{
        prepared::{Memo, Registry, Source},
        settled::Settled,
    };
    use super::*;

    fn source(query: &str) -> Source {
        let body = Bytes::from(format!("\0{query}\0\0\0"));
        Source::of(&Parse::decode(&body).expect("a Parse"))
    }

    fn named(registry: &Registry, query: &str) -> Arc<Statement> {
        registry.named(source(query), Arc::default(), Arc::default())
    }

    #[test]
    fn a_backend_closes_the_statement_used_longest_ago() {
        let registry = Registry::new(&Memo::new(1 << 20, &cache::Budget::new(1 << 20)));
        let mut prepared = Prepared::default();
        let all: Vec<_> = (0..=MAX_PER_BACKEND).map(|n| named(&registry, &n.to_string())).collect();
        for statement in &all[..MAX_PER_BACKEND] {
            assert!(prepared.insert(statement, 0).is_none());
        }
        assert!(prepared.find(&all[0]).is_some());
        let closed = prepared.insert(&all[MAX_PER_BACKEND], 0).expect("one too many");
        assert!(Arc::ptr_eq(&closed.statement, &all[1]));
        assert!(prepared.has(&all[0]) && !prepared.has(&all[1]));
    }

    #[test]
    fn only_the_last_unnamed_statement_is_there() {
        let registry = Registry::new(&Memo::new(1 << 20, &cache::Budget::new(1 << 20)));
        let mut prepared = Prepared::default();
        let make = || registry.unnamed(source("select 1"), Arc::default(), Arc::default(), false);
        let (one, two) = (make(), make());
        prepared.insert(&one, 0);
        prepared.insert(&two, 0);
        assert!(!prepared.has(&one) && prepared.has(&two));
        prepared.forget_unnamed();
        assert!(!prepared.has(&two));
    }

    #[test]
    fn what_was_parsed_last_serves_and_what_it_replaces_is_closed() {
        let registry = Registry::new(&Memo::new(1 << 20, &cache::Budget::new(1 << 20)));
        let mut prepared = Prepared::default();
        let settled = || Settled::new(b"\0\0", None);
        let first = named(&registry, "select 1");
        prepared.insert(&first, 0);
        assert!(Arc::ptr_eq(&registry.settle(&first, settled()), &first));
        let again = named(&registry, "select 1");
        prepared.insert(&again, 0);
        let shared = registry.settle(&again, settled());
        prepared.rename(&again, &shared);
        assert_eq!(prepared.find(&first), Some(&*again.name));
        assert_eq!(prepared.take_spare(), std::slice::from_ref(&first.name));
        prepared.retire(shared.number());
        assert_eq!(prepared.find(&first), None);
        assert_eq!(prepared.take_spare(), std::slice::from_ref(&again.name));
    }

    /// FAULTS row 60.
    #[test]
    fn long_texts_make_place_for_one_another() {
        let registry = Registry::new(&Memo::new(1 << 20, &cache::Budget::new(1 << 20)));
        let mut prepared = Prepared::default();
        let long = |n: usize| named(&registry, &format!("select '{}', {n}", "x".repeat(300_000)));
        let short = named(&registry, "select 1");
        let all = [long(0), long(1), long(2), short, long(3)];
        for (group, statement) in (0..).zip(&all) {
            assert!(prepared.insert(statement, group).is_none());
        }
        assert_eq!(prepared.take_spare(), [Arc::clone(&all[0].name)]);
        assert!(!prepared.has(&all[0]) && all[1..].iter().all(|kept| prepared.has(kept)));
    }
}
