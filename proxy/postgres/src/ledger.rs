//! What the running transaction has done to the session and to tables, until it commits.
//!
//! A pure value: it is fed with the statements that completed and with the end of the transaction.

use std::collections::BTreeSet;

use cache::sql::{
    Writes,
    postgres::{Effect, Kind, Pin, StatementFacts},
};

/// More open savepoints than this are not followed.
const MAX_SAVEPOINTS: usize = 10_000;

/// What is pending in the current transaction, which may be an implicit one.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    effects: Vec<Effect>,
    /// What was sent may do.
    sent: Footprint,
    /// What of it ran may have done.
    ran: Footprint,
    /// How many of those that were sent are under way still.
    open: usize,
    marks: BTreeSet<Mark>,
    /// The open savepoints, each with how many effects came before it.
    savepoints: Vec<(String, usize)>,
    /// How often the schema had changed when its first statement was judged.
    judged_at: Option<u64>,
    /// It is a block that has only read so far, so that its end need not be waited for.
    only_reads: bool,
    /// It is a block at READ COMMITTED.
    sees_commits: bool,
    /// What its BEGIN said of it, where that is known ([`super::block::Begun::modes`]).
    modes: Option<Box<str>>,
}

/// What is true of the current transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    /// There were too many savepoints to follow: what is in force is not known any more.
    Muddled,
    /// The implicit transaction saw an error.
    Failed,
    /// A setting was changed, perhaps for this transaction only.
    Sets,
    /// A setting may have been given another value for this transaction, without a word of which.
    Configures,
    /// Something was done that may have ended what pins the session.
    MayRelease,
    /// A statement is under way that names what the catalog does not know.
    Lacks,
}

/// What a commit brings into force.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Committed {
    /// Changes of the session, in order.
    pub(crate) effects: Vec<Effect>,
    /// What was done that others can see, also if the transaction was rolled back after all.
    pub(crate) footprint: Footprint,
    /// Whether it is worth asking if the session is still pinned.
    pub(crate) may_release: bool,
}

/// What a statement may do that others can see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Footprint {
    pub(crate) writes: Writes,
    pub(crate) changed: Changed,
}

/// What is changed for everybody, rolled back or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    /// The schema.
    pub(crate) schema: bool,
    /// What sessions begin with.
    pub(crate) defaults: bool,
}

impl Footprint {
    /// That of what nobody has seen.
    pub(crate) fn unseen() -> Self {
        Self { writes: Writes::Everything, ..Self::default() }
    }

    fn is_none(&self) -> bool {
        *self == Self::default()
    }

    fn absorb(&mut self, other: Self) {
        self.writes.merge(other.writes);
        self.changed.schema |= other.changed.schema;
        self.changed.defaults |= other.changed.defaults;
    }
}

impl Ledger {
    /// Records that a block is beginning with these modes, whether its end need not be waited for as long as it only reads, and
    /// whether each of its statements sees what is committed when that begins.
    pub(crate) fn begins(&mut self, may_part: bool, sees_commits: bool, modes: &str) {
        (self.only_reads, self.sees_commits) = (may_part, sees_commits);
        self.modes = Some(modes.into());
        self.savepoints.clear();
    }

    /// What the BEGIN of the block said of it, if that is all that tells it from others: it has only read.
    pub(crate) fn plain_modes(&self) -> Option<&str> {
        self.modes.as_deref().filter(|_| self.only_reads && self.is_plain())
    }

    /// Records whether what is sent does nothing but read.
    pub(crate) fn runs(&mut self, only_reads: impl FnOnce() -> bool) {
        self.only_reads = self.only_reads && only_reads();
    }

    /// Whether it is a block that has only read, whose end need not be waited for.
    pub(crate) fn has_only_read(&self) -> bool {
        self.only_reads
    }

    /// Whether each statement of it sees what is committed when that begins.
    pub(crate) fn sees_commits(&self) -> bool {
        self.sees_commits
    }

    /// Records what a statement may do, before it is sent.
    pub(crate) fn sent(&mut self, footprint: &Footprint) {
        if !footprint.is_none() {
            self.open = self.open.saturating_add(1);
            self.sent.absorb(footprint.clone());
        }
    }

    /// Records that a statement ran: even if it failed, it counts as done.
    pub(crate) fn ran(&mut self, footprint: Footprint) {
        self.is_over(&footprint);
        self.ran.absorb(footprint);
    }

    /// Records that a statement was refused, or skipped, before anything of it ran.
    pub(crate) fn never_ran(&mut self, footprint: &Footprint) {
        self.is_over(footprint);
    }

    fn is_over(&mut self, footprint: &Footprint) {
        if !footprint.is_none() {
            self.open = self.open.saturating_sub(1);
        }
    }

    /// Records when a statement was judged, and whether it names what the catalog does not know.
    pub(crate) fn judged(&mut self, changes: u64, lacks: bool) {
        self.judged_at.get_or_insert(changes);
        self.mark(Mark::Lacks, lacks);
        self.recheck(changes);
    }

    /// A statement may wait for somebody who changes what it will do: if the schema has changed since the first
    /// was judged, anything may have been written.
    pub(crate) fn recheck(&mut self, changes: u64) {
        if self.judged_at.is_some_and(|judged_at| judged_at != changes) {
            self.sent.writes = Writes::Everything;
            self.ran.writes = Writes::Everything;
        }
    }

    /// Whether the statement that has completed named what the catalog does not know, although it is there.
    pub(crate) fn take_lack(&mut self) -> bool {
        self.marks.remove(&Mark::Lacks) && !self.sent.changed.schema
    }

    /// Records that a statement changes a setting.
    pub(crate) fn sets(&mut self) {
        self.mark(Mark::Sets, true);
    }

    /// Whether the end of this transaction may change a setting.
    pub(crate) fn has_set(&self) -> bool {
        self.marks.contains(&Mark::Sets)
    }

    /// Whether it has neither changed settings nor the schema, as far as was seen.
    pub(crate) fn is_plain(&self) -> bool {
        self.effects.is_empty()
            && !self.has_set()
            && !self.marks.contains(&Mark::Configures)
            && !self.sent.changed.schema
    }

    /// Records that a statement may give any setting another value for this transaction.
    pub(crate) fn configures(&mut self) {
        self.mark(Mark::Configures, true);
    }

    /// Whether one of these settings was changed in this transaction, which has not ended.
    pub(crate) fn has_changed_any(&self, names: &[&str]) -> bool {
        self.effects.iter().any(|effect| match effect {
            Effect::Set { name, .. }
            | Effect::SetLocal { name }
            | Effect::Reset { name }
            | Effect::ResetLocal { name } => names.contains(&name.as_str()),
            Effect::ResetAll => true,
            _ => false,
        })
    }

    /// What may be written by what was sent so far.
    pub(crate) fn writes(&self) -> &Writes {
        &self.sent.writes
    }

    /// What may have been written, once nothing is owed: all that was sent, unless it is known of each statement what
    /// became of it.
    pub(crate) fn written(&self) -> &Writes {
        if self.open == 0 { &self.ran.writes } else { &self.sent.writes }
    }

    /// Records that a statement completed with this tag, and returns what that committed.
    pub(crate) fn completed(&mut self, facts: &StatementFacts, tag: &[u8]) -> Vec<Effect> {
        self.mark(Mark::MayRelease, facts.may_release_pin);
        match &facts.kind {
            Kind::Savepoint(name) => self.savepoint(name),
            Kind::Release(name) => {
                if let Some(at) = self.find(name) {
                    self.savepoints.truncate(at);
                }
            }
            Kind::RollbackTo(name) => {
                if let Some(at) = self.find(name) {
                    let effects = self.savepoints.get(at).map_or(0, |(_, effects)| *effects);
                    self.effects.truncate(effects);
                    self.savepoints.truncate(at + 1);
                }
            }
            _ if tag.starts_with(b"ROLLBACK") => self.rolled_back(),
            _ if tag.starts_with(b"COMMIT") => return self.commit_effects(),
            _ => self.add(&facts.effects),
        }
        Vec::new()
    }

    /// What is set with rights that end with the transaction could not be set again elsewhere.
    fn add(&mut self, effects: &[Effect]) {
        let is_right = |name: &str| matches!(name, "role" | "session_authorization");
        for effect in effects {
            let has_lent_rights = || {
                let mut before = self.effects.iter();
                before.any(|it| matches!(it, Effect::SetLocal { name } if is_right(name)))
            };
            self.effects.push(match effect {
                Effect::Set { .. } if has_lent_rights() => Effect::Pin(Pin::UnknownSetting),
                other => other.clone(),
            });
        }
    }

    /// Records an ErrorResponse.
    pub(crate) fn failed(&mut self) {
        self.mark(Mark::Failed, true);
        self.marks.remove(&Mark::Lacks);
    }

    /// Records a ReadyForQuery outside a transaction block.
    ///
    /// Where more is owed, what was sent counts on, and what of it ran is heard later.
    pub(crate) fn idle(&mut self, more_is_owed: bool) -> Committed {
        if self.marks.contains(&Mark::Failed) {
            self.rolled_back();
        }
        let effects = self.commit_effects();
        let done = std::mem::take(self);
        let may_release = done.marks.contains(&Mark::MayRelease);
        if more_is_owed {
            (self.sent, self.open) = (done.sent, done.open);
            self.judged_at = done.judged_at;
            return Committed { effects, footprint: done.ran, may_release };
        }
        let footprint = if done.open == 0 { done.ran } else { done.sent };
        Committed { effects, footprint, may_release }
    }

    /// Records a ReadyForQuery inside a transaction block: an error there has its own end.
    pub(crate) fn in_transaction(&mut self) {
        self.marks.remove(&Mark::Failed);
    }

    fn mark(&mut self, mark: Mark, is_so: bool) {
        if is_so {
            self.marks.insert(mark);
        }
    }

    /// Records that a savepoint is made.
    pub(crate) fn savepoint(&mut self, name: &str) {
        if self.savepoints.len() < MAX_SAVEPOINTS {
            self.savepoints.push((name.to_owned(), self.effects.len()));
        } else {
            self.mark(Mark::Muddled, true);
        }
    }

    /// The savepoint of this name that was made last: it hides the others.
    fn find(&self, name: &str) -> Option<usize> {
        self.savepoints.iter().rposition(|(known, _)| known == name)
    }

    fn rolled_back(&mut self) {
        self.effects.clear();
        self.savepoints.clear();
        self.marks.remove(&Mark::Muddled);
        self.marks.remove(&Mark::Failed);
    }

    fn commit_effects(&mut self) -> Vec<Effect> {
        self.savepoints.clear();
        let mut effects = std::mem::take(&mut self.effects);
        if self.marks.remove(&Mark::Muddled) {
            effects.push(Effect::Pin(Pin::UnknownSetting));
        }
        effects
    }
}

#[cfg(test)]
mod tests {
    use cache::sql::{TableName, postgres::analyse};

    use super::*;

    fn run(ledger: &mut Ledger, sql: &str, tag: &str) -> Vec<Effect> {
        let analysis = analyse(sql);
        ledger.completed(&analysis.statements[0], tag.as_bytes())
    }

    fn names(effects: &[Effect]) -> Vec<&str> {
        fn name(effect: &Effect) -> &str {
            match effect {
                Effect::Set { name, .. } => name,
                Effect::Pin(pin) => pin.as_str(),
                _ => "other",
            }
        }
        effects.iter().map(name).collect()
    }

    #[test]
    fn a_set_outside_a_transaction_holds_at_once() {
        let mut ledger = Ledger::default();
        run(&mut ledger, "SET search_path TO a", "SET");
        assert_eq!(names(&ledger.idle(false).effects), ["search_path"]);
        assert_eq!(ledger.idle(false), Committed::default());
    }

    #[test]
    fn a_rolled_back_set_never_was() {
        let mut ledger = Ledger::default();
        run(&mut ledger, "BEGIN", "BEGIN");
        ledger.in_transaction();
        run(&mut ledger, "SET search_path TO a", "SET");
        ledger.in_transaction();
        run(&mut ledger, "COMMIT", "ROLLBACK");
        assert!(ledger.idle(false).effects.is_empty());
    }

    #[test]
    fn a_commit_in_mid_text_keeps_what_came_before_it() {
        let mut ledger = Ledger::default();
        run(&mut ledger, "SET a.b TO 1", "SET");
        assert_eq!(names(&run(&mut ledger, "COMMIT", "COMMIT")), ["a.b"]);
        run(&mut ledger, "SET a.c TO 1", "SET");
        ledger.failed();
        assert!(ledger.idle(false).effects.is_empty());
    }

    #[test]
    fn a_savepoint_takes_back_only_what_came_after_it() {
        let mut ledger = Ledger::default();
        run(&mut ledger, "SET a.b TO 1", "SET");
        run(&mut ledger, "SAVEPOINT s", "SAVEPOINT");
        run(&mut ledger, "SET a.c TO 1", "SET");
        run(&mut ledger, "SAVEPOINT t", "SAVEPOINT");
        run(&mut ledger, "RELEASE t", "RELEASE");
        run(&mut ledger, "ROLLBACK TO s", "ROLLBACK");
        run(&mut ledger, "SET a.d TO 1", "SET");
        ledger.in_transaction();
        assert_eq!(names(&run(&mut ledger, "COMMIT", "COMMIT")), ["a.b", "a.d"]);
    }

    /// FAULTS row 25: no other backend would accept it from a session without those rights.
    #[test]
    fn what_a_transaction_sets_with_lent_rights_pins() {
        let mut ledger = Ledger::default();
        run(&mut ledger, "BEGIN", "BEGIN");
        run(&mut ledger, "SET a.b TO 1", "SET");
        run(&mut ledger, "SAVEPOINT s", "SAVEPOINT");
        run(&mut ledger, "SET LOCAL ROLE x", "SET");
        run(&mut ledger, "ROLLBACK TO s", "ROLLBACK");
        run(&mut ledger, "SET a.c TO 1", "SET");
        run(&mut ledger, "SET LOCAL SESSION AUTHORIZATION x", "SET");
        run(&mut ledger, "SET a.d TO 1", "SET");
        let effects = run(&mut ledger, "COMMIT", "COMMIT");
        assert_eq!(names(&effects), ["a.b", "a.c", "other", "unknown_setting"]);
    }

    #[test]
    fn a_block_has_only_read_until_one_statement_does_more() {
        let mut ledger = Ledger::default();
        ledger.runs(|| true);
        assert!(!ledger.has_only_read(), "there is no block");
        ledger.begins(true, true, "");
        ledger.runs(|| true);
        ledger.in_transaction();
        assert!(ledger.has_only_read());
        ledger.runs(|| false);
        ledger.runs(|| true);
        assert!(!ledger.has_only_read());
        ledger.begins(true, true, "");
        ledger.idle(false);
        assert!(!ledger.has_only_read(), "it is over");
    }

    fn definition() -> Footprint {
        Footprint { writes: Writes::Everything, changed: Changed { schema: true, defaults: false } }
    }

    #[test]
    fn writes_behind_a_ready_for_query_are_not_credited_to_it() {
        let mut ledger = Ledger::default();
        ledger.sent(&definition());
        assert_eq!(ledger.idle(true).footprint, Footprint::default());
        assert_eq!(*ledger.writes(), Writes::Everything, "it is under way still");
        ledger.ran(definition());
        assert_eq!(ledger.idle(false).footprint, definition());
        assert_eq!(ledger.idle(false), Committed::default());
        assert_eq!(*ledger.writes(), Writes::None);
    }

    #[test]
    fn writes_count_even_if_they_fail() {
        let mut ledger = Ledger::default();
        ledger.sent(&definition());
        ledger.ran(definition());
        ledger.failed();
        assert_eq!(ledger.idle(false).footprint, definition());
    }

    /// FAULTS §4: what never ran has written nothing, and takes nothing from what did.
    #[test]
    fn what_was_refused_is_no_write() {
        let table = |name| Writes::Tables(vec![TableName::bare(name)]);
        let one = Footprint { writes: table("one"), ..Footprint::default() };
        let mut ledger = Ledger::default();
        ledger.sent(&one);
        ledger.sent(&Footprint::unseen());
        ledger.ran(one.clone());
        ledger.never_ran(&Footprint::unseen());
        ledger.failed();
        assert_eq!(*ledger.writes(), Writes::Everything, "it could have been");
        assert_eq!(*ledger.written(), table("one"));
        assert_eq!(ledger.idle(false).footprint, one);
    }

    #[test]
    fn what_is_not_heard_of_counts_as_run() {
        let mut ledger = Ledger::default();
        ledger.sent(&Footprint::unseen());
        assert_eq!(*ledger.written(), Writes::Everything);
        assert_eq!(ledger.idle(false).footprint, Footprint::unseen());
    }

    /// FAULTS row 5, and §4: a refused statement is no reason to believe what was judged by an older catalog.
    #[test]
    fn what_ran_while_the_schema_changed_may_have_written_anything() {
        let mut ledger = Ledger::default();
        ledger.judged(1, false);
        ledger.sent(&Footprint::unseen());
        ledger.never_ran(&Footprint::unseen());
        ledger.recheck(1);
        assert_eq!(*ledger.written(), Writes::None);
        ledger.recheck(2);
        assert_eq!(*ledger.written(), Writes::Everything);
    }
}
