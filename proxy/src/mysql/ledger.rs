//! What a finished command changed: the session's state, other clients' cached replies, the schema.

use std::sync::Arc;

use cache::sql::{
    Writes,
    mysql::{Effect, Kind, Pin},
};

use super::{
    facts::Conditions,
    plan::Text,
    relay::Outcome,
    session::Session,
};

impl Session {
    /// Takes in what a command of the client's came to.
    pub(super) fn learn(&mut self, text: Option<&Text>, outcome: &Outcome) {
        let loan = self.loan.as_ref();
        let in_transaction = loan
            .is_some_and(|loan| loan.in_transaction() || loan.exchange.is_in_doubt());
        if !in_transaction {
            self.facts.pins.remove(Pin::Warnings);
            self.writes = Writes::None;
        }
        let Some(text) = text else { return };
        let succeeded = outcome.error.is_none();
        let ends_transaction = !in_transaction
            && !text.has(|kind| *kind == Kind::Set)
            && !text.effects().any(|effect| *effect == Effect::NextTransaction);
        if ends_transaction {
            self.facts.pins.remove(Pin::NextTransaction);
        }
        self.learn_effects(text, succeeded);
        self.learn_unseen(text, outcome, succeeded);
        if text.has(|kind| *kind == Kind::Ddl) {
            self.database.catalog.outdate();
        }
        self.remember_last(text, outcome);
    }

    fn learn_effects(&mut self, text: &Text, succeeded: bool) {
        let Some(analysis) = text.analysis.clone() else { return };
        for statement in &analysis.statements {
            let effects = match &statement.kind {
                // What it ran is what was prepared under that name, if that was seen.
                Kind::Execute(name) => match self.facts.sql_statements.get(name) {
                    Some(prepared) => Arc::clone(prepared),
                    None => Arc::from(&statement.effects[..]),
                },
                _ => Arc::from(&statement.effects[..]),
            };
            if let (Kind::Prepare(name), Some(prepared)) = (&statement.kind, &statement.prepared) {
                self.facts.remember_sql_statement(name, &prepared.effects);
            }
            for effect in effects.iter() {
                self.learn_effect(effect, succeeded);
            }
        }
    }

    fn learn_effect(&mut self, effect: &Effect, succeeded: bool) {
        if let Some(pin) = self.facts.pins.apply(effect, succeeded) {
            self.note_pin(pin);
        }
        let tracks = self.loan.as_ref().is_some_and(|loan| loan.tracks);
        match effect {
            Effect::NamedLockReleased(_) if succeeded => self.asks.locks = true,
            Effect::Schema(name) if succeeded && !tracks => {
                self.facts.schema = Some(name.as_str().into());
                if let Some(loan) = &mut self.loan {
                    loan.schema = Some(name.as_str().into());
                }
            }
            _ => {}
        }
    }

    /// State that no effect tells of.
    fn learn_unseen(&mut self, text: &Text, outcome: &Outcome, succeeded: bool) {
        let tracks = self.loan.as_ref().is_some_and(|loan| loan.tracks);
        if text.is_unread() && succeeded {
            self.pin(Pin::Unparsed);
        } else if outcome.state_changed && !outcome.reported && text.effects().next().is_none() {
            self.pin(Pin::UnknownSetting);
        } else if !tracks && text.has(|kind| *kind == Kind::Set) {
            // An origin that reports nothing.
            self.pin(Pin::UnknownSetting);
        } else if !succeeded && text.has(|kind| matches!(kind, Kind::Call | Kind::Code)) {
            // An ERR packet does not say what was done before it.
            self.pin(Pin::UnknownSetting);
        }
    }

    /// Keeps the session on its backend from now on.
    pub(super) fn pin(&mut self, pin: Pin) {
        if self.facts.pins.add(pin) {
            self.note_pin(pin);
        }
    }

    fn note_pin(&self, pin: Pin) {
        self.database.metrics.pin(pin.as_str());
        tracing::debug!(reason = pin.as_str(), "session is pinned to its backend");
    }

    /// What LAST_INSERT_ID(), FOUND_ROWS(), ROW_COUNT() and SHOW WARNINGS will be about.
    fn remember_last(&mut self, text: &Text, outcome: &Outcome) {
        self.asks.collation |= outcome.collation_unknown;
        let shows = |kind: &Kind| matches!(kind, Kind::ShowDiagnostics { .. } | Kind::GetDiagnostics);
        if text.has(shows) {
            return;
        }
        let last = &mut self.facts.last;
        last.conditions = match outcome.error {
            None if outcome.warnings == 0 => Conditions::None,
            _ => Conditions::AtBackend,
        };
        last.row_count = match (outcome.error, outcome.rows) {
            (None, None) => i64::try_from(outcome.affected).unwrap_or(i64::MAX),
            _ => -1,
        };
        if outcome.insert_id != 0 || text.may_set_insert_id() {
            last.insert_id = None;
            if let Some(loan) = &mut self.loan {
                loan.last_insert_id = None;
            }
        }
        if text.is_unread()
            || text.effects().any(|effect| *effect == Effect::FoundRows)
            || text.has(|kind| matches!(kind, Kind::Call | Kind::Code | Kind::Execute(_)))
        {
            last.found_rows = None;
        } else if let Some(rows) = outcome.rows {
            last.found_rows = Some(rows);
        }
    }
}
