//! What a finished command changed: the session's state, other clients' cached replies, the schema.

use std::borrow::Cow;

use cache::sql::{
    Writes,
    mysql::{Effect, Kind, Pin, StatementFacts},
};

use super::{facts::Conditions, plan::Text, relay::Outcome, session::Session, settings};

/// MySQL: there is no prepared statement of that name.
const ER_UNKNOWN_STMT_HANDLER: u16 = 1243;

impl Session {
    /// Takes in what a command of the client's came to.
    pub(super) fn learn(&mut self, text: Option<&Text>, outcome: &Outcome) {
        let loan = self.loan.as_ref();
        let in_transaction =
            loan.is_some_and(|loan| loan.in_transaction() || loan.exchange.is_in_doubt());
        if !in_transaction {
            self.writes = Writes::None;
            self.judged_by = None;
        }
        let Some(text) = text else {
            if outcome.error.is_some() {
                self.facts.last.conditions = Conditions::AtBackend;
            }
            return;
        };
        let succeeded = outcome.error.is_none();
        if !in_transaction && succeeded && text.ends_transaction() {
            self.facts.pins.remove(Pin::NextTransaction);
        }
        self.learn_effects(text, outcome);
        self.learn_unseen(text, outcome);
        // What is made for one session only changes nothing for others.
        let changes_schema = text.has(|kind| *kind == Kind::Ddl) || text.is_unread();
        if changes_schema && text.writes() != Writes::None {
            self.database.catalog.outdate();
        }
        if succeeded && text.sets_for_all() {
            self.database.generations.outdate();
        }
        if succeeded && text.lacks() && self.facts.pins.is_empty() {
            self.database.catalog.suspect();
        }
        self.remember_last(text, outcome);
    }

    fn learn_effects(&mut self, text: &Text, outcome: &Outcome) {
        let Some(analysis) = text.analysis.clone() else { return };
        let succeeded = outcome.error.is_none();
        let moves = text.effects().any(|effect| matches!(effect, Effect::Schema(_)));
        for statement in &analysis.statements {
            self.learn_prepared(statement, text);
            if matches!(statement.kind, Kind::Execute(_))
                && outcome.error == Some(ER_UNKNOWN_STMT_HANDLER)
            {
                continue;
            }
            let effects: Cow<'_, [Effect]> = match &statement.kind {
                // What it ran is what was prepared under that name, if that was seen.
                Kind::Execute(name) => match self.facts.sql_statements.get(name) {
                    // And what it hands out through USING.
                    Some(prepared) => {
                        let own =
                            statement.effects.iter().filter(|e| **e != Effect::UnknownSetting);
                        own.chain(prepared.iter()).cloned().collect()
                    }
                    None => Cow::from(&statement.effects),
                },
                _ => Cow::from(&statement.effects),
            };
            for effect in effects.iter() {
                match self.located(effect, moves) {
                    Some(effect) => self.learn_effect(&effect, succeeded),
                    None => self.pin(Pin::TempTable),
                }
            }
        }
        if analysis.statements.iter().any(|one| one.kind == Kind::Set) {
            self.learn_assigned(text, outcome);
        }
    }

    /// Remembers what a statement prepared by SQL will do.
    fn learn_prepared(&mut self, statement: &StatementFacts, text: &Text) {
        match (&statement.kind, &statement.prepared) {
            (Kind::Prepare(name), Some(prepared)) => {
                self.facts.remember_sql_statement(name, &prepared.effects);
            }
            (Kind::Prepare(name), None) => {
                self.facts.sql_statements.remove(name);
                let sql = String::from_utf8_lossy(&text.sql);
                let sql = sql.get(statement.text.clone()).unwrap_or_default();
                self.asks.prepared =
                    variable_after_from(sql).map(|variable| (name.clone(), variable));
            }
            (Kind::Deallocate(name), _) => {
                self.facts.sql_statements.remove(name);
            }
            _ => {}
        }
    }

    /// An effect with the name of its temporary table in full. `None` where it is not certain which one it is.
    fn located(&self, effect: &Effect, moves: bool) -> Option<Effect> {
        let full = |name: &String| match &self.facts.schema {
            _ if name.contains('.') => Some(name.clone()),
            Some(schema) if !moves => Some(format!("{schema}.{name}")),
            _ => None,
        };
        match effect {
            Effect::TempTable(name) => full(name).map(Effect::TempTable),
            // Of another schema's table of that name: then it drops nothing of this session's.
            Effect::TempTableDropped(name) => {
                Some(Effect::TempTableDropped(full(name).unwrap_or_default()))
            }
            Effect::TempTableRenamed { .. } if self.facts.pins.has(Pin::TempTable) => None,
            effect => Some(effect.clone()),
        }
    }

    fn learn_effect(&mut self, effect: &Effect, succeeded: bool) {
        if let Some(pin) = self.facts.pins.apply(effect, succeeded) {
            self.note_pin(pin);
        }
        match effect {
            // It may have failed to get it.
            Effect::NamedLock(_) => self.asks.locks = true,
            Effect::NamedLockReleased(_) if succeeded => self.asks.locks = true,
            Effect::SessionTracking => {
                if let Some(loan) = &mut self.loan {
                    loan.lose_tracking();
                }
            }
            Effect::Schema(name) if succeeded && !self.tracks() => {
                self.facts.schema = Some(name.as_str().into());
                if let Some(loan) = &mut self.loan {
                    loan.schema = Some(name.as_str().into());
                }
            }
            _ => {}
        }
    }

    /// What a SET may have assigned without a report of it.
    fn learn_assigned(&mut self, text: &Text, outcome: &Outcome) {
        let sql = String::from_utf8_lossy(&text.sql);
        let mut names = settings::assigned_unscoped(&sql);
        names.retain(|name| !outcome.told.contains(name));
        self.asks.variables.extend(names);
        let lower = sql.to_ascii_lowercase();
        let tracked = settings::TRACKED.into_iter().filter(|name| lower.contains(name));
        self.asks.variables.extend(tracked.map(String::from));
        let blinds = text.effects().any(|effect| *effect == Effect::SessionTracking);
        if blinds && (sql.contains(',') || text.kinds().count() > 1) {
            // What came behind was not reported any more.
            self.pin(Pin::UnknownSetting);
        }
    }

    /// State that no effect tells of.
    fn learn_unseen(&mut self, text: &Text, outcome: &Outcome) {
        let succeeded = outcome.error.is_none();
        let is_explained =
            text.sort().is_for_once || !outcome.told.is_empty() || text.effects().next().is_some();
        let asks = text.effects().any(|effect| *effect == Effect::SessionTracking);
        if text.is_unread() && succeeded {
            self.pin(Pin::Unparsed);
        } else if outcome.state_changed && (text.runs_code() || !is_explained) {
            self.pin(Pin::UnknownSetting);
        } else if !self.tracks() && !asks && text.has(|kind| *kind == Kind::Set) {
            // An origin that reports nothing.
            self.pin(Pin::UnknownSetting);
        } else if !succeeded && text.has(|kind| matches!(kind, Kind::Call | Kind::Code)) {
            // An ERR packet does not say what was done before it.
            self.pin(Pin::UnknownSetting);
        }
    }

    fn tracks(&self) -> bool {
        self.loan.as_ref().is_some_and(|loan| loan.tracks())
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
        let shows =
            |kind: &Kind| matches!(kind, Kind::ShowDiagnostics { .. } | Kind::GetDiagnostics);
        if text.has(shows) {
            return;
        }
        let last = &mut self.facts.last;
        last.is_ours = false;
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
            || text.runs_code()
            || text.effects().any(|effect| *effect == Effect::FoundRows)
        {
            last.found_rows = None;
        } else if let Some(rows) = outcome.rows {
            last.found_rows = Some(rows);
        }
    }
}

/// The name of the user variable in `PREPARE … FROM @name`.
fn variable_after_from(sql: &str) -> Option<String> {
    let at = sql.to_ascii_lowercase().find("from")?;
    let rest = sql.get(at + "from".len()..)?.trim_start().strip_prefix('@')?.trim_end();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_$.".contains(c);
    (!rest.is_empty() && rest.chars().all(is_plain)).then(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_of_a_prepare_is_found() {
        let found = |sql| variable_after_from(sql);
        assert_eq!(found("PREPARE s FROM @sql").as_deref(), Some("sql"));
        assert_eq!(found("prepare s from  @a_b ").as_deref(), Some("a_b"));
        assert_eq!(found("prepare s from 'select 1'"), None);
        assert_eq!(found("prepare s from @`a b`"), None);
    }
}
