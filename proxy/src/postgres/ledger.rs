//! What the running transaction has done to the session and to tables, until it commits.
//!
//! A pure value: it is fed with the statements that completed and with the end of the transaction.

use std::collections::BTreeSet;

use cache::sql::{Effect, Kind, Pin, StatementFacts, Writes};

/// More open savepoints than this are not followed.
const MAX_SAVEPOINTS: usize = 10_000;

/// What is pending in the current transaction, which may be an implicit one.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    effects: Vec<Effect>,
    writes: Writes,
    marks: BTreeSet<Mark>,
    /// The open savepoints, each with how many effects came before it.
    savepoints: Vec<(String, usize)>,
    /// How often the schema had changed when its first statement was judged.
    judged_at: Option<u64>,
}

/// What is true of the current transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    /// It changes the schema.
    Ddl,
    /// It changes what sessions begin with.
    Defaults,
    /// There were too many savepoints to follow: what is in force is not known any more.
    Muddled,
    /// The implicit transaction saw an error.
    Failed,
    /// A setting was changed, perhaps for this transaction only.
    Sets,
    /// Something was done that may have ended what pins the session.
    MayRelease,
    /// A statement is under way that names what the catalog does not know.
    Lacks,
}

/// What a commit brings into force.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Committed {
    /// Changes of the session, in order.
    pub(super) effects: Vec<Effect>,
    /// Tables that changed, also if the transaction was rolled back after all.
    pub(super) writes: Writes,
    /// What changed for everybody.
    pub(super) changed: Changed,
    /// Whether it is worth asking if the session is still pinned.
    pub(super) may_release: bool,
}

/// What a transaction changed for everybody, rolled back or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// The schema.
    pub(super) schema: bool,
    /// What sessions begin with.
    pub(super) defaults: bool,
}

impl Ledger {
    /// Records what a statement will write, before it is sent: whatever becomes of it, its tables count as
    /// written.
    pub(super) fn sent(&mut self, writes: Writes) {
        self.writes.merge(writes);
    }

    /// Records when a statement was judged, and whether it names what the catalog does not know.
    pub(super) fn judged(&mut self, changes: u64, lacks: bool) {
        self.judged_at.get_or_insert(changes);
        self.mark(Mark::Lacks, lacks);
        self.recheck(changes);
    }

    /// A statement may wait for somebody who changes what it will do: if the schema has changed since the first
    /// was judged, anything may have been written.
    pub(super) fn recheck(&mut self, changes: u64) {
        if self.judged_at.is_some_and(|judged_at| judged_at != changes) {
            self.writes = Writes::Everything;
        }
    }

    /// Whether the statement that has completed named what the catalog does not know, although it is there.
    pub(super) fn take_lack(&mut self) -> bool {
        self.marks.remove(&Mark::Lacks) && !self.marks.contains(&Mark::Ddl)
    }

    /// Records that a statement will change the schema.
    pub(super) fn changes_schema(&mut self) {
        self.mark(Mark::Ddl, true);
    }

    /// Records that a statement changes what sessions begin with.
    pub(super) fn changes_defaults(&mut self) {
        self.mark(Mark::Defaults, true);
    }

    /// Records that a statement changes a setting.
    pub(super) fn sets(&mut self) {
        self.mark(Mark::Sets, true);
    }

    /// Whether the end of this transaction may change a setting.
    pub(super) fn has_set(&self) -> bool {
        self.marks.contains(&Mark::Sets)
    }

    /// What may have been written so far.
    pub(super) fn writes(&self) -> &Writes {
        &self.writes
    }

    /// Records that a statement completed with this tag, and returns what that committed.
    pub(super) fn completed(&mut self, facts: &StatementFacts, tag: &[u8]) -> Vec<Effect> {
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
    pub(super) fn failed(&mut self) {
        self.mark(Mark::Failed, true);
        self.marks.remove(&Mark::Lacks);
    }

    /// Records a ReadyForQuery outside a transaction block.
    ///
    /// Where more is owed, its writes may commit only later: they are kept for then too.
    pub(super) fn idle(&mut self, more_is_owed: bool) -> Committed {
        if self.marks.contains(&Mark::Failed) {
            self.rolled_back();
        }
        let effects = self.commit_effects();
        let done = std::mem::take(self);
        let ddl = done.marks.contains(&Mark::Ddl);
        let defaults = done.marks.contains(&Mark::Defaults);
        let may_release = done.marks.contains(&Mark::MayRelease);
        if more_is_owed {
            self.writes = done.writes.clone();
            self.judged_at = done.judged_at;
            self.mark(Mark::Ddl, ddl);
            self.mark(Mark::Defaults, defaults);
        }
        let changed = Changed { schema: ddl, defaults };
        Committed { effects, writes: done.writes, changed, may_release }
    }

    /// Records a ReadyForQuery inside a transaction block: an error there has its own end.
    pub(super) fn in_transaction(&mut self) {
        self.marks.remove(&Mark::Failed);
    }

    fn mark(&mut self, mark: Mark, is_so: bool) {
        if is_so {
            self.marks.insert(mark);
        }
    }

    fn savepoint(&mut self, name: &str) {
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
    use cache::sql::analyse;

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
    fn writes_behind_a_ready_for_query_are_not_credited_to_it() {
        let mut ledger = Ledger::default();
        ledger.sent(Writes::Everything);
        ledger.changes_schema();
        assert_eq!(ledger.idle(true).writes, Writes::Everything);
        assert_eq!(ledger.idle(false).writes, Writes::Everything);
        assert_eq!(ledger.idle(false).writes, Writes::None);
    }

    #[test]
    fn writes_count_even_if_they_fail() {
        let mut ledger = Ledger::default();
        ledger.sent(Writes::Everything);
        ledger.changes_schema();
        ledger.failed();
        let committed = ledger.idle(false);
        assert!(committed.changed.schema);
        assert_eq!(committed.writes, Writes::Everything);
    }
}
