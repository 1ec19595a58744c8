//! A client's names for its statements, and which of them are certain.
//!
//! A Parse or Close changes a name when the backend reads it, and an error before it in the same group of messages, which
//! ends with `Sync`, takes that back. Within the group everything behind the error is skipped, so that what was sent may be
//! believed there. In the next group it may not: there a name is used once the group that changed it was heard to the end.

use std::sync::Arc;

use bytes::Bytes;
use cache::sql::postgres::{Analysis, Discarded, Kind};

use super::prepared::Statement;

/// Statements by the names that their client gave them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    known: foldhash::HashMap<Bytes, Arc<Statement>>,
    /// The names of statements that SQL prepared, at the backend that this pins.
    by_sql: foldhash::HashSet<Bytes>,
    /// The group in which SQL last prepared one that follows its client.
    followed_in: Option<u64>,
    /// Names of ours that a message was sent with, with the client's and the group: the client may close what has it, and
    /// some stand in the place of the client's for one message.
    aliases: Vec<(Arc<str>, Bytes, u64)>,
    /// The group in which the client last closed its unnamed statement.
    closed_in: Option<u64>,
    /// Names that changed in a group whose end was not heard, each with the last such group.
    unsure: foldhash::HashMap<Bytes, u64>,
    /// Whether one of them changed in a group before this one.
    has_unsure: bool,
    /// The group that is being sent, from 0.
    group: u64,
    /// The first group whose end was not heard.
    first_unheard: u64,
}

impl Names {
    /// The statement of this name, as far as was said.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&Arc<Statement>> {
        self.known.get(cut(name))
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Statement>> {
        self.known.values()
    }

    /// All but the unnamed one, with their names.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&Bytes, &Arc<Statement>)> {
        self.known.iter().filter(|(name, _)| !name.is_empty())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// The name of the statement that a backend knows under this name of ours.
    pub(crate) fn name_of(&self, number: u64) -> Option<&Bytes> {
        self.known.iter().find(|(_, known)| known.number() == number).map(|(name, _)| name)
    }

    /// Remembers what the client calls a statement, for errors in the group that is being sent.
    pub(crate) fn also_called(&mut self, ours: &Arc<str>, theirs: &Bytes) {
        self.aliases.push((Arc::clone(ours), theirs.clone(), self.group));
    }

    /// What the client calls such a statement.
    pub(crate) fn alias(&self, ours: &[u8]) -> Option<&Bytes> {
        let mut aliases = self.aliases.iter();
        aliases.find(|(name, ..)| name.as_bytes() == ours).map(|(_, theirs, _)| theirs)
    }

    /// Gives a name to a statement at once, where no backend is at work. Returns what had it.
    pub(crate) fn insert(
        &mut self,
        name: &[u8],
        statement: Arc<Statement>,
    ) -> Option<Arc<Statement>> {
        match self.known.get_mut(cut(name)) {
            Some(known) => Some(std::mem::replace(known, statement)),
            None => self.known.insert(Bytes::copy_from_slice(cut(name)), statement),
        }
    }

    /// Takes a name away at once.
    pub(crate) fn remove(&mut self, name: &[u8]) -> Option<Arc<Statement>> {
        self.known.remove(cut(name))
    }

    /// Takes a name away, where an error may have the Close skipped.
    pub(crate) fn close(&mut self, name: &[u8]) -> Option<Arc<Statement>> {
        if name.is_empty() {
            self.closed_in = Some(self.group);
        }
        self.remove(name).inspect(|_| self.changes(name))
    }

    /// Whether it is not known if the unnamed statement was closed.
    pub(crate) fn may_have_closed_unnamed(&self) -> bool {
        self.closed_in.is_some_and(|group| self.is_under_way(group))
    }

    /// Puts back what a name meant before the group that has just failed, unless a later group gave it another meaning.
    pub(crate) fn put_back(&mut self, name: &[u8], before: Option<Arc<Statement>>) {
        if self.unsure.get(cut(name)).is_some_and(|group| *group > self.first_unheard) {
            return;
        }
        match before.filter(|statement| !statement.is_taken_back()) {
            Some(statement) => {
                self.by_sql.remove(cut(name));
                // What it is may have been heard meanwhile.
                self.insert(name, statement.shared());
            }
            None => drop(self.remove(name)),
        }
    }

    /// The statement has turned out to be the same as another.
    pub(crate) fn share(
        &mut self,
        name: &[u8],
        statement: &Arc<Statement>,
        as_this: Arc<Statement>,
    ) {
        if let Some(known) = self.known.get_mut(cut(name))
            && Arc::ptr_eq(known, statement)
        {
            *known = as_this;
        }
    }

    /// The group that must be heard to its end before all names can be forgotten.
    pub(crate) fn unsure_of_any(&self) -> Option<u64> {
        self.unsure.values().copied().filter(|group| *group < self.group).max()
    }

    /// Records that a message was sent which changes what this name means.
    pub(crate) fn changes(&mut self, name: &[u8]) {
        match self.unsure.get_mut(cut(name)) {
            Some(group) => *group = self.group,
            None => drop(self.unsure.insert(Bytes::copy_from_slice(cut(name)), self.group)),
        }
    }

    /// The group that must be heard to its end before this name can be used.
    pub(crate) fn unsure(&self, name: &[u8]) -> Option<u64> {
        let group = *self.unsure.get(cut(name))?;
        (group < self.group).then_some(group)
    }

    /// The same for the names in a text of SQL.
    pub(crate) fn unsure_in(&self, analysis: &Analysis) -> Option<u64> {
        analysis.names.iter().filter_map(|name| self.unsure(name.name.as_bytes())).max()
    }

    /// Whether every name may be used.
    pub(crate) fn are_sure(&self) -> bool {
        !self.has_unsure
    }

    /// The group that is being sent.
    pub(crate) fn group(&self) -> u64 {
        self.group
    }

    /// The last group that was sent to its end, which was not heard.
    pub(crate) fn last_under_way(&self) -> Option<u64> {
        (self.first_unheard < self.group).then(|| self.group.saturating_sub(1))
    }

    /// Whether this group was sent to its end, which was not heard.
    pub(crate) fn is_under_way(&self, group: u64) -> bool {
        (self.first_unheard..self.group).contains(&group)
    }

    /// Whether this group is the one that is being heard.
    pub(crate) fn is_first_unheard(&self, group: u64) -> bool {
        group == self.first_unheard
    }

    /// Whether this group was heard to its end.
    pub(crate) fn was_heard(&self, group: u64) -> bool {
        group < self.first_unheard
    }

    /// Ends the group that is being sent, and returns its number.
    pub(crate) fn end_group(&mut self) -> u64 {
        let ended = self.group;
        self.group = self.group.saturating_add(1);
        self.has_unsure = !self.unsure.is_empty();
        ended
    }

    /// A group was heard to its end.
    pub(crate) fn heard(&mut self, ended: u64) {
        self.first_unheard = ended.saturating_add(1);
        self.aliases.retain(|(.., group)| *group > ended);
        if self.unsure.is_empty() {
            return;
        }
        self.unsure.retain(|_name, group| *group > ended);
        self.has_unsure = self.unsure.values().any(|group| *group < self.group);
    }

    /// All that was sent was heard.
    pub(crate) fn heard_all(&mut self) {
        self.first_unheard = self.group;
        self.aliases.clear();
        self.unsure.clear();
        self.has_unsure = false;
    }

    /// Forgets all, as DEALLOCATE ALL does. Returns what there was.
    pub(crate) fn clear(&mut self) -> foldhash::HashMap<Bytes, Arc<Statement>> {
        let known = std::mem::take(&mut self.known);
        // The unnamed statement is not among those that it drops (`DropAllPreparedStatements`).
        if let Some(unnamed) = known.get(&b""[..]) {
            self.known.insert(Bytes::new(), Arc::clone(unnamed));
        }
        known
    }

    /// Whether SQL prepared a statement of this name.
    pub(crate) fn is_by_sql(&self, name: &[u8]) -> bool {
        self.by_sql.contains(cut(name))
    }

    /// The group in which SQL last prepared something that follows its client.
    pub(crate) fn followed_in(&self) -> Option<u64> {
        self.followed_in
    }

    /// SQL prepares something that follows its client if that succeeds.
    pub(crate) fn will_follow(&mut self) {
        self.followed_in = Some(self.group);
    }

    /// What SQL has prepared and follows its client, with its name and its text.
    pub(crate) fn followed(&self) -> Vec<(Bytes, Arc<Statement>, Bytes)> {
        let followed = |(name, it): (&Bytes, &Arc<Statement>)| {
            Some((name.clone(), Arc::clone(it), it.by_sql.clone()?))
        };
        self.known.iter().filter_map(followed).collect()
    }

    /// A statement follows its client no more: its backend is given it by SQL, under the client's name.
    pub(crate) fn stays(&mut self, name: &[u8]) {
        if self.remove(name).is_some() {
            self.by_sql.insert(Bytes::copy_from_slice(name));
        }
    }

    /// A statement of SQL has prepared or deallocated others.
    pub(crate) fn done_by_sql(&mut self, kind: &Kind) {
        match kind {
            Kind::Prepare(name) => {
                self.by_sql.insert(Bytes::copy_from_slice(name.as_bytes()));
            }
            Kind::Deallocate(Some(name)) => {
                self.by_sql.remove(name.as_bytes());
            }
            Kind::Deallocate(None) | Kind::Discard(Discarded::All) => self.by_sql.clear(),
            _ => {}
        }
    }

    /// Takes back that all was forgotten.
    pub(crate) fn put_all_back(&mut self, known: foldhash::HashMap<Bytes, Arc<Statement>>) {
        self.known = known;
        self.known.values_mut().for_each(|statement| *statement = statement.shared());
    }
}

/// So much of a name the server knows it by (`NAMEDATALEN` - 1).
fn cut(name: &[u8]) -> &[u8] {
    name.get(..63).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_name_is_sure_in_its_own_group_and_once_that_was_heard() {
        let mut names = Names::default();
        names.changes(b"a");
        assert_eq!(names.unsure(b"a"), None, "what an error ends, it ends for all that follows");
        let first = names.end_group();
        assert_eq!((names.unsure(b"a"), names.unsure(b"b")), (Some(first), None));
        names.changes(b"b");
        let second = names.end_group();
        names.heard(first);
        assert_eq!((names.unsure(b"a"), names.unsure(b"b")), (None, Some(second)));
        assert!(!names.are_sure());
        names.heard_all();
        assert!(names.are_sure());
    }
}
