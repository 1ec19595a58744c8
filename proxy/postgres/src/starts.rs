//! What must be known before a statement runs: what it may write and leave behind, and what waits for its end.

use cache::{
    Writing,
    sql::{
        Writes,
        postgres::{Deeds, Effect, Kind, Pin, StatementFacts},
    },
};
use tokio::time::Instant;

use super::{
    client::Client,
    ledger::{Changed, Footprint},
    plan::{self, Text},
    questions::is_probed,
    work::Work,
};

impl Client {
    /// What must be known before a statement runs: what it may write and leave behind, and the locks it may take,
    /// which no rollback gives back. Returns what it may do that others can see.
    pub(crate) fn starts(&mut self, work: &mut Work, text: &Text) -> Footprint {
        let deeds = self.deeds_of(text);
        work.ledger.runs(|| text.only_reads());
        self.facts.hides_list |= text.hides_list;
        let lacks = text.lacks() || text.may_define(&deeds);
        work.ledger.judged(text.changes, lacks && !work.is_pinned());
        self.may_leave(work, &deeds);
        let schema = text.is_ddl() || text.defines(&deeds);
        let changed = Changed { schema, defaults: text.alters_defaults };
        let footprint = Footprint { writes: deeds.writes, changed };
        let may_end_block = text.may_end_block();
        self.will_write(work, &footprint, may_end_block);
        if text.ends_failure() {
            work.loan.ends_block = Some(self.facts.statements.group());
        }
        for effect in text.analysis.effects() {
            match effect {
                // No rollback takes these back, and notifications may come before the commit is heard of.
                Effect::Pin(
                    pin @ (Pin::AdvisoryLock
                    | Pin::Load
                    | Pin::Backup
                    | Pin::SqlPrepare
                    | Pin::Listen),
                ) => {
                    self.pin(work, *pin);
                }
                // What is behind it is read another way.
                Effect::DiscardAll | Effect::ResetAll => work.barrier = true,
                Effect::Reset { name } | Effect::ResetLocal { name } => {
                    work.barrier |= plan::decides_reading(name);
                }
                Effect::Set { name, .. } | Effect::SetLocal { name } => {
                    work.barrier |= plan::decides_reading(name);
                    if !plan::is_repeatable(effect, &self.facts.parameters) {
                        self.pin(work, Pin::UnknownSetting);
                    }
                }
                _ => {}
            }
        }
        for statement in &text.analysis.statements {
            if configures(statement) {
                work.ledger.configures();
            }
            match &statement.kind {
                Kind::Set => work.ledger.sets(),
                Kind::Deallocate(None) => work.barrier = true,
                Kind::Execute(name) => self.by_execute(work, name),
                _ => {}
            }
        }
        self.sets_ahead(work, &text.analysis);
        if text.takes_its_time() {
            work.limit = None;
        }
        work.asked_at = Some(Instant::now());
        footprint
    }

    /// What code that the statement runs may leave behind: what is known keeps the backend until the backend says
    /// that it is gone, what is not known is cleaned away before anybody else has the backend.
    fn may_leave(&self, work: &mut Work, deeds: &Deeds) {
        work.loan.is_touched |= deeds.is_opaque;
        for pin in &deeds.pins {
            self.pin(work, *pin);
            work.may_release |= is_probed(*pin);
        }
    }

    /// Something runs of which nothing is known.
    pub(crate) fn runs_unseen(&self, work: &mut Work) {
        work.ledger.runs(|| false);
        self.may_leave(work, &Deeds::opaque());
        self.will_write(work, &Footprint::unseen(), true);
    }

    /// What must be known before something is written. Until the origin has answered others may see it or not,
    /// unless the transaction block that it runs in stays open.
    fn will_write(&self, work: &mut Work, footprint: &Footprint, may_end_block: bool) {
        work.ledger.sent(footprint);
        if !self.database.catalog.is_cached() {
            return;
        }
        work.ledger.recheck(self.database.catalog.changes());
        let stays_open = work.is_in_block() && work.writing.is_none() && !may_end_block;
        let writes = work.ledger.writes();
        if stays_open || (*writes == Writes::None && !may_end_block) {
            return;
        }
        match &mut work.writing {
            Some(writing) => writing.extend(writes),
            None => {
                let cache = &self.context.common.cache;
                let backend = work.loan.key.process;
                work.writing = Some(cache.write(self.database.catalog.scope(), writes, backend));
            }
        }
        if let Some(gate) = work.writing.as_mut().and_then(Writing::gate) {
            work.loan.framed.hold(serving::hold::behind(gate));
        }
    }
}

/// Whether a statement may give a setting another value until the transaction ends, and its effects do not say so.
pub(crate) fn configures(statement: &StatementFacts) -> bool {
    matches!(statement.kind, Kind::Execute(_))
        || statement.reads.functions.iter().any(|call| call.name == "set_config")
}
