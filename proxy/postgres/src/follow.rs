//! What a completed statement has changed in the session follows the client from now on.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use cache::sql::postgres::{Effect, Kind, Pin};
use protocol::postgres::{encode, message::Execute};

use super::{
    adopt,
    backend::{Backend, Note},
    client::Client,
    reworded::Executed,
    settings::DATE_STYLE,
    work::Work,
};

impl Client {
    /// One statement has completed. False when it was one of our own within the client's text.
    pub(crate) fn completed(&mut self, work: &mut Work, body: &[u8]) -> bool {
        let mut prepared = None;
        let (analysis, index) = match work.loan.pipeline.current() {
            Some(Note::Query { analysis, completed, added, prepares, .. }) => {
                prepared = prepares.take();
                let index = *completed;
                *completed += 1;
                let whose = added.as_ref().map_or(Some(index), |added| added.whose(index));
                let Some(index) = whose else { return false };
                (Arc::clone(analysis), Some(index))
            }
            Some(Note::Execute(analysis, ..)) => (Arc::clone(analysis), None),
            _ => return true,
        };
        let at = index.unwrap_or_default();
        // Of a text that we could not parse only the whole is known.
        let Some(facts) = analysis.statements.get(at).or(analysis.statements.last()) else {
            return true;
        };
        // Of an Execute it was believed when it was sent.
        if index.is_some() {
            let kind = self.kind_that_runs(&facts.kind);
            self.deallocated(&mut work.loan, &kind);
        }
        match (prepared, &facts.kind) {
            (Some(statement), Kind::Prepare(name)) => {
                self.prepared_by_sql(&mut work.loan, name, &statement);
            }
            _ => self.facts.statements.done_by_sql(&facts.kind),
        }
        if work.ledger.take_lack() {
            self.database.catalog.suspect();
        }
        let effects = work.ledger.completed(facts, body);
        self.apply(work, &effects);
        true
    }

    /// What a statement is, or what the one is that it runs as an EXECUTE.
    pub(crate) fn kind_that_runs<'k>(&self, kind: &'k Kind) -> Cow<'k, Kind> {
        let Kind::Execute(name) = kind else { return Cow::Borrowed(kind) };
        let executed = self.executed(name);
        match executed.as_ref().map(|it| it.statement.analysis.statements.as_slice()) {
            Some([one]) => Cow::Owned(one.kind.clone()),
            _ => Cow::Borrowed(kind),
        }
    }

    /// An EXECUTE by SQL does what a statement of the protocol does, and its own text does not say what that changes. What is
    /// behind it may be read another way, and names mean something else there.
    pub(crate) fn by_execute(&mut self, work: &mut Work, name: &str) {
        let Some(Executed { statement, .. }) = self.executed(name) else { return };
        for effect in statement.analysis.effects() {
            match effect {
                Effect::Pin(pin) => self.pin(work, *pin),
                _ => {
                    self.pin(work, Pin::UnknownSetting);
                    work.barrier = true;
                }
            }
        }
        for one in &statement.analysis.statements {
            match &one.kind {
                Kind::Deallocate(Some(name)) => self.facts.statements.changes(name.as_bytes()),
                Kind::Deallocate(None) => work.barrier = true,
                _ => {}
            }
        }
    }

    /// Brings committed changes of the session's state into force, here and in what we know of the backend, which has
    /// been given what its resets go back to.
    pub(crate) fn apply(&mut self, work: &mut Work, effects: &[Effect]) {
        if effects.is_empty() {
            return;
        }
        let mut settings = (*self.facts.settings).clone();
        let mut applied = (*work.loan.applied).clone();
        for effect in effects {
            settings.apply(effect, &self.facts.base);
            applied.apply(effect, &self.facts.base);
            match effect {
                Effect::Pin(pin) => self.pin(work, *pin),
                Effect::DiscardAll => {
                    self.loses_temp(work);
                    work.pins.retain(|pin| pin.is_for_life());
                    work.loan.home = None;
                }
                Effect::DiscardSequences => work.loan.home = None,
                _ => {}
            }
            match effect {
                Effect::Set { name, sql } if name == DATE_STYLE || sql.is_empty() => {
                    work.half_set.insert(name.clone());
                }
                Effect::Set { name, .. } | Effect::Reset { name } => {
                    work.half_set.remove(name);
                }
                Effect::ResetAll | Effect::DiscardAll => work.half_set.clear(),
                _ => {}
            }
        }
        let is_same = settings == applied;
        let settings = self.database.settings.intern(Arc::new(settings));
        work.loan.applied = if is_same { Arc::clone(&settings) } else { Arc::new(applied) };
        self.facts.change_settings(settings);
    }

    /// Outside a transaction, where what the backend reports is the session's own: takes it for what the client's words
    /// left open.
    pub(crate) fn complete(&mut self, work: &mut Work) {
        if work.half_set.is_empty() {
            return;
        }
        let half_set = std::mem::take(&mut work.half_set);
        let mut settings = (*self.facts.settings).clone();
        for name in half_set {
            let reported = work.loan.parameters.iter().find(|it| it.0.eq_ignore_ascii_case(&name));
            if !reported.is_some_and(|(_, value)| settings.complete(&name, value)) {
                self.pin(work, Pin::UnknownSetting);
            }
        }
        let settings = self.database.settings.intern(Arc::new(settings));
        if Arc::ptr_eq(&work.loan.applied, &self.facts.settings) {
            work.loan.applied = Arc::clone(&settings);
        }
        self.facts.change_settings(settings);
    }

    /// A backend has the session's settings now: what it reports is what this client may expect.
    pub(crate) fn lent(&mut self, work: &mut Work) {
        self.tell_parameters(work);
        work.lent_with = Some((Arc::clone(&work.loan.applied), work.loan.parameters.clone()));
    }

    /// Tells the client what its backend reports differently from the last one. A reply that is being collected
    /// was keyed by the old values and is not kept.
    pub(crate) fn tell_parameters(&mut self, work: &mut Work) {
        let values = &self.database.parameters;
        if self.facts.parameters.unite(&mut work.loan.parameters, values) {
            return;
        }
        if self.facts.settings == self.facts.base {
            // What new clients are told is out of date: the next one asks.
            self.database.forget_welcome(&adopt::shared(&self.facts.base));
        }
        let parameters = work.loan.parameters.clone();
        for (name, value) in parameters.iter() {
            if self.facts.parameters.get(name) != Some(value) {
                encode::parameter_status(name, value, self.end.queue());
                self.facts.tell(name, value);
                work.collect = None;
            }
        }
    }

    /// Passes on a notification. One that the session sent itself comes from the process id that it was told at its
    /// login: clients ask whether it is their own.
    pub(crate) fn notify(&mut self, backend: &Backend, body: &[u8]) {
        let (sender, rest) = body.split_at(body.len().min(4));
        let own = self.end.key.process.to_be_bytes();
        let is_own = sender == backend.key.process.to_be_bytes();
        let sender = if is_own { &own[..] } else { sender };
        encode::frame(b'A', &[sender, rest], self.end.queue());
    }

    /// Behind an Execute: what its resets go back to.
    pub(crate) fn put_back_behind(&self, work: &mut Work, body: &Bytes) {
        if let Ok(execute) = Execute::decode(body)
            && let Some(statement) = work.portals.statement(execute.portal)
        {
            self.put_back(&mut work.loan, &statement.analysis);
        }
    }
}
