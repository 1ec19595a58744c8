//! What a finished command changed: the session's state, other clients' cached replies, the schema.

use std::borrow::Cow;

use cache::sql::{
    Obstacle,
    mysql::{Effect, Kind, Pin, Rights, StatementFacts, rights_by_words},
};
use serving::{catalog::Code, error::SessionError, hold::Hold};

use super::{
    last::Conditions,
    outcome::{Fate, Outcome, StateChange, Touched, touched},
    plan::{self, Text},
    session::Session,
    settings,
    work::Work,
};

/// MySQL: there is no prepared statement of that name.
const ER_UNKNOWN_STMT_HANDLER: u16 = 1243;

impl Session {
    /// Takes in what a command of the client's came to.
    pub(crate) fn learn(
        &mut self,
        text: Option<&Text>,
        outcome: &Outcome,
    ) -> Result<(), SessionError> {
        self.facts.pins.remove(Pin::Warnings);
        let work = self.hold.held("learn from a command")?;
        let in_transaction = work.may_be_in_transaction();
        if !in_transaction {
            work.forget_writes();
        }
        let Some(text) = text else {
            if outcome.error.is_some() {
                self.facts.last.conditions = Conditions::AtBackend;
            }
            return Ok(());
        };
        let succeeded = outcome.error.is_none();
        match !in_transaction && succeeded {
            // Of autocommit: what was said of the transaction that it ends holds for the next one too (`fix_autocommit` in
            // sys_vars.cc of both).
            true if work.was_open && text.has(|kind| *kind == Kind::Set) => {
                self.pin(Pin::NextTransaction);
            }
            true if text.ends_transaction() => self.facts.pins.remove(Pin::NextTransaction),
            _ => {}
        }
        self.learn_untold_transaction(text)?;
        // What is made for one session only changes nothing for others.
        match touched(text, outcome) {
            Touched::Nothing => {}
            Touched::Tables => self.database.catalog.outdate_tables(),
            Touched::Code => self.database.catalog.outdate(),
        }
        // A text of several may fail behind what counts, and MariaDB changes rights in part.
        if outcome.fate == Fate::Ran {
            match self.beginnings(text, outcome) {
                Rights::Kept => {}
                Rights::Unseen => {
                    self.hold.held("learn of rights")?.asks.rights = Rights::Unseen;
                }
                Rights::Changed => self.outdate_connections(),
            }
        }
        if succeeded && text.lacks() && self.facts.pins.is_empty() {
            self.database.catalog.suspect();
        }
        self.learn_effects(text, outcome)?;
        self.learn_code(text)?;
        self.learn_unseen(text, outcome)?;
        self.remember_last(text, outcome)
    }

    /// Whether it may have changed what connections begin with.
    pub(crate) fn beginnings(&self, text: &Text, outcome: &Outcome) -> Rights {
        if text.sets_for_all() { Rights::Changed } else { self.rights(text, outcome) }
    }

    /// Whether it may have changed what users may do, which a connection learns when it begins.
    fn rights(&self, text: &Text, outcome: &Outcome) -> Rights {
        let Some(analysis) = &text.analysis else { return rights_by_words(&text.sql) };
        let is_alone = analysis.statements.len() == 1;
        // Code may have prepared what it likes under any name.
        let pins = &self.facts.pins;
        let is_prepared_here = !pins.has(Pin::UnknownSetting) && !pins.has(Pin::Unparsed);
        let changes = |statement: &StatementFacts| {
            let run = match &statement.kind {
                Kind::Execute(_) if is_prepared_here => self.facts.executed(statement),
                _ => statement,
            };
            let run = run.prepared.as_deref().filter(|_| run.kind == Kind::Code).unwrap_or(run);
            match &run.kind {
                Kind::Execute(_) if outcome.error == Some(ER_UNKNOWN_STMT_HANDLER) => Rights::Kept,
                Kind::Execute(_) => Rights::Unseen,
                Kind::Call(_) => match self.database.catalog.code() {
                    Code::Known(code) => code.left(run).rights,
                    Code::Changing | Code::Never => Rights::Unseen,
                },
                // For an EXECUTE behind it.
                Kind::Prepare(_) if is_alone => Rights::Kept,
                Kind::Prepare(_) => run.prepared.as_ref().map_or(Rights::Unseen, |it| it.rights),
                _ => run.rights,
            }
        };
        analysis.statements.iter().map(changes).max().unwrap_or_default()
    }

    /// What connections begin with has changed at the server, whatever config they are of.
    pub(crate) fn outdate_connections(&self) {
        let scope = self.database.catalog.scope();
        let databases = self.context.directory.opened();
        for database in databases.iter().filter(|one| one.catalog.scope() == scope) {
            database.generations.outdate();
        }
    }

    fn learn_effects(&mut self, text: &Text, outcome: &Outcome) -> Result<(), SessionError> {
        let Some(analysis) = text.analysis.clone() else { return Ok(()) };
        let succeeded = outcome.error.is_none();
        let moves = text.effects().any(|effect| matches!(effect, Effect::Schema(_)));
        for statement in &analysis.statements {
            self.learn_prepared(statement, text)?;
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
                        own.chain(&prepared.effects).cloned().collect()
                    }
                    None => Cow::from(&statement.effects),
                },
                _ => Cow::from(&statement.effects),
            };
            for effect in effects.iter() {
                match self.located(effect, moves) {
                    Some(effect) => self.learn_effect(&effect, succeeded)?,
                    None => self.pin(Pin::TempTable),
                }
            }
        }
        if analysis.statements.iter().any(|one| one.kind == Kind::Set) {
            self.learn_assigned(text, outcome)?;
        }
        Ok(())
    }

    /// Remembers what a statement prepared by SQL will do.
    fn learn_prepared(
        &mut self,
        statement: &StatementFacts,
        text: &Text,
    ) -> Result<(), SessionError> {
        match (&statement.kind, &statement.prepared) {
            (Kind::Prepare(name), Some(prepared)) => {
                self.facts.remember_sql_statement(name, prepared);
            }
            (Kind::Prepare(name), None) => {
                self.facts.sql_statements.remove(name);
                let sql = String::from_utf8_lossy(&text.sql);
                let sql = sql.get(statement.text.clone()).unwrap_or_default();
                let variable = variable_after_from(sql);
                self.hold.held("learn what was prepared")?.asks.prepared =
                    variable.map(|variable| (name.clone(), variable));
            }
            (Kind::Deallocate(name), _) => {
                self.facts.sql_statements.remove(name);
            }
            _ => {}
        }
        Ok(())
    }

    /// What the stored code left that the text has run. While that is not known, it is found out before the backend is
    /// given back.
    fn learn_code(&mut self, text: &Text) -> Result<(), SessionError> {
        let Some(analysis) = &text.analysis else { return Ok(()) };
        let effects = match &text.judged {
            Some(judged) if !text.has(|kind| matches!(kind, Kind::Execute(_))) => {
                judged.left.effects.clone()
            }
            _ => match self.database.catalog.code() {
                Code::Known(code) => {
                    let runs = |one| code.left(self.facts.executed(one)).effects;
                    analysis.statements.iter().flat_map(runs).collect()
                }
                Code::Changing if text.may_run_code() => {
                    let work = self.hold.held("learn what code left")?;
                    work.asks.code = Some(Box::new(text.clone()));
                    return Ok(());
                }
                Code::Never if text.has(|kind| matches!(kind, Kind::Call(_))) => {
                    vec![Effect::UnknownSetting]
                }
                Code::Changing | Code::Never => return Ok(()),
            },
        };
        for effect in effects {
            self.learn_effect(&effect, true)?;
        }
        Ok(())
    }

    /// With autocommit off a transaction may be open that the server does not tell of: behind a savepoint, behind what has
    /// used but tables without transactions, and behind what failed. Until its end it has the locks of those tables.
    fn learn_untold_transaction(&mut self, text: &Text) -> Result<(), SessionError> {
        let loan = &self.hold.held("learn of a transaction")?.loan;
        let is_told = loan.in_transaction() && !loan.exchange.is_in_doubt();
        if is_told || self.facts.settings.is_autocommit() {
            self.facts.pins.remove(Pin::UntoldTransaction);
            return Ok(());
        }
        let mut is_open = self.facts.pins.has(Pin::UntoldTransaction) || text.is_unread();
        for statement in text.analysis.iter().flat_map(|analysis| &analysis.statements) {
            let reads = &statement.reads;
            match statement.kind {
                Kind::Commit | Kind::Rollback | Kind::Begin | Kind::Ddl | Kind::LockTables => {
                    is_open = false;
                }
                Kind::Savepoint
                | Kind::Insert
                | Kind::Write
                | Kind::Call(_)
                | Kind::Code
                | Kind::Execute(_) => is_open = true,
                Kind::Select => {
                    // A sequence is named without a FROM.
                    let only_variables = statement.is_tableless
                        && reads.calls.is_empty()
                        && !reads.obstacles.contains(&Obstacle::Sequence);
                    let is_known = reads.is_complete || only_variables;
                    is_open |= !is_known || !reads.relations.is_empty();
                }
                // Of the server's own schema, of which nothing is locked.
                Kind::Show => {}
                // Of what is no query it is not known which tables it names.
                _ => is_open |= !reads.relations.is_empty(),
            }
        }
        match is_open {
            true => self.pin(Pin::UntoldTransaction),
            false => self.facts.pins.remove(Pin::UntoldTransaction),
        }
        Ok(())
    }

    /// An effect with the name of its temporary table in full. `None` where it is not certain which one it is.
    fn located(&self, effect: &Effect, moves: bool) -> Option<Effect> {
        let folds = self.database.learnt.folds_tables();
        let full = |name: &String| {
            let full = match &self.facts.schema {
                _ if name.contains('.') => name.clone(),
                Some(schema) if !moves => format!("{schema}.{name}"),
                _ => return None,
            };
            Some(if folds { full.to_lowercase() } else { full })
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

    pub(crate) fn learn_effect(
        &mut self,
        effect: &Effect,
        succeeded: bool,
    ) -> Result<(), SessionError> {
        if let Some(pin) = self.facts.pins.apply(effect, succeeded) {
            self.note_pin(pin);
        }
        let Work { loan, asks, .. } = self.hold.held("learn what a statement did")?;
        match effect {
            // It may have failed to get it.
            Effect::NamedLock(_) => asks.locks = true,
            Effect::NamedLockReleased(_) if succeeded => asks.locks = true,
            Effect::SessionTracking => loan.lose_tracking(),
            Effect::Schema(name) if succeeded && !loan.tracks() => {
                self.facts.schema = Some(name.as_str().into());
                loan.schema = Some(name.as_str().into());
            }
            _ => {}
        }
        Ok(())
    }

    /// What a SET may have assigned without a report of it.
    fn learn_assigned(&mut self, text: &Text, outcome: &Outcome) -> Result<(), SessionError> {
        let sql = String::from_utf8_lossy(&text.sql);
        let mut names = settings::assigned_unscoped(&sql);
        names.retain(|name| !outcome.told.contains(name));
        let asks = &mut self.hold.held("learn what was assigned")?.asks;
        asks.variables.extend(names);
        let lower = sql.to_ascii_lowercase();
        let tracked = settings::TRACKED.into_iter().filter(|name| lower.contains(name));
        asks.variables.extend(tracked.map(String::from));
        let blinds = text.effects().any(|effect| *effect == Effect::SessionTracking);
        if blinds && (sql.contains(',') || text.kinds().count() > 1) {
            // What came behind was not reported any more.
            self.pin(Pin::UnknownSetting);
        }
        Ok(())
    }

    /// State that no effect tells of.
    fn learn_unseen(&mut self, text: &Text, outcome: &Outcome) -> Result<(), SessionError> {
        let tracks = self.hold.held("learn what was not seen")?.loan.tracks();
        let succeeded = outcome.error.is_none();
        // Of an EXECUTE it is what was prepared that counts, if that was seen.
        let statements = || text.analysis.iter().flat_map(|analysis| &analysis.statements);
        let run = || statements().map(|one| self.facts.executed(one));
        let runs_code = || run().any(plan::runs_code);
        let is_explained = || {
            text.sort().is_for_once
                || !outcome.told.is_empty()
                || run().any(|one| !one.effects.is_empty())
        };
        let asks = text.effects().any(|effect| *effect == Effect::SessionTracking);
        let is_changed = match outcome.state {
            StateChange::None => false,
            StateChange::CameBack => runs_code(),
            StateChange::Changed => runs_code() || !is_explained(),
        };
        if text.is_unread() && succeeded {
            self.pin(Pin::Unparsed);
        } else if is_changed {
            self.pin(Pin::UnknownSetting);
        } else if !tracks && !asks && text.has(|kind| *kind == Kind::Set) {
            // An origin that reports nothing.
            self.pin(Pin::UnknownSetting);
        } else if !succeeded
            && outcome.fate == Fate::Ran
            && text.has(|kind| matches!(kind, Kind::Call(_) | Kind::Code))
        {
            // An ERR packet does not say what was done before it.
            self.pin(Pin::UnknownSetting);
        }
        Ok(())
    }

    /// Keeps the session on its backend from now on, or on the next one that it gets: what was prepared may need that before
    /// there is any.
    pub(crate) fn pin(&mut self, pin: Pin) {
        if self.facts.pins.add(pin) {
            self.note_pin(pin);
        }
    }

    fn note_pin(&mut self, pin: Pin) {
        if matches!(pin, Pin::UnknownSetting | Pin::OneShot | Pin::Unparsed)
            && let Hold::Held(work) = &mut self.hold
        {
            // It may be what COM_RESET_CONNECTION leaves, as SET ROLE is on both servers.
            work.loan.unfit = true;
        }
        self.database.metrics.pin(pin.as_str());
        tracing::debug!(reason = pin.as_str(), "session is pinned to its backend");
    }

    /// What LAST_INSERT_ID(), FOUND_ROWS(), ROW_COUNT() and SHOW WARNINGS will be about.
    fn remember_last(&mut self, text: &Text, outcome: &Outcome) -> Result<(), SessionError> {
        let is_mariadb = self.is_mariadb();
        self.facts.last.ran(text, outcome, is_mariadb);
        if self.facts.last.insert_id.is_none() {
            self.hold.held("forget an insert id")?.loan.last_insert_id = None;
        }
        Ok(())
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
