//! PREPARE by SQL, followed like a statement of the protocol.
//!
//! Where a text is one PREPARE the backend is given it under our name, and a Describe of ours behind it tells what it
//! settled. From then on it is what a Parse would have made: another backend gets the inner statement with the settled
//! types, and EXECUTE finds it by our name. Elsewhere (in a text with others, in code, in the extended protocol, while
//! settings change) a PREPARE keeps its backend.

use std::sync::Arc;

use bytes::Bytes;
use cache::sql::{Analysis, Deeds, Effect, Kind, NamedBy, Parse, Pin, Reads, prepared_text};
use protocol::postgres::{
    encode,
    pipeline::{Asker, Request as Sent, TransactionStatus},
};

use super::{
    backend::{Backend, Note},
    plan::{self, Text},
    prepared::Statement,
    session::Session,
    statements,
};

impl Session {
    /// The statement that a simple query prepares, if it can be followed; the text pins nothing then.
    pub(super) fn prepares(
        &mut self,
        backend: &Backend,
        query: &[u8],
        text: &mut Text,
    ) -> Option<Arc<Statement>> {
        let analysis = Arc::clone(&text.analysis);
        let ([_one], [name]) = (analysis.statements.as_slice(), &*analysis.names) else {
            return None;
        };
        if name.by != NamedBy::Prepare || analysis.parse != Parse::Full {
            return None;
        }
        let names = &self.facts.statements;
        let is_taken = name.name.is_empty()
            || names.get(name.name.as_bytes()).is_some()
            || names.is_by_sql(name.name.as_bytes());
        let is_elsewhere =
            backend.pipeline.status() == TransactionStatus::Failed || backend.pipeline.is_open();
        let mut effects = analysis.effects();
        let keeps_more = effects.any(|effect| *effect != Effect::Pin(Pin::SqlPrepare));
        // With which settings its constants are read is not known while they change. A session that is pinned gains nothing,
        // and dynamic SQL finds the name that its client gave.
        let is_pinned = !self.facts.pins.is_empty();
        if is_taken || is_elsewhere || keeps_more || is_pinned || self.ledger.has_set() {
            return None;
        }
        let whole =
            std::str::from_utf8(query).ok().filter(|whole| self.has_room_for(whole.len()))?;
        let inner = whole.get(prepared_text(whole)?)?;
        let analysis = self.analysis(None, inner.as_bytes());
        let meaning = Arc::clone(self.facts.meaning(&self.database.meanings));
        let statement = self.database.registry.by_sql(whole, inner, meaning, analysis);
        for one in &mut Arc::make_mut(&mut text.analysis).statements {
            one.effects.clear();
        }
        Some(statement)
    }

    /// What a text may do besides answering. An EXECUTE does what its statement does, which only the session knows.
    pub(super) fn deeds_of(&self, text: &Text) -> Deeds {
        let deeds = text.deeds();
        let [one] = text.analysis.statements.as_slice() else { return deeds.into_owned() };
        let Kind::Execute(name) = &one.kind else { return deeds.into_owned() };
        let Some((statement, _)) = self.executed(name) else { return deeds.into_owned() };
        let inner = self.judge_statement(&statement);
        if one.reads == Reads::default() {
            return inner.deeds().into_owned();
        }
        // So do its arguments.
        let mut deeds = deeds.into_owned();
        deeds.pins.extend(inner.deeds().pins.iter().copied());
        deeds
    }

    /// A PREPARE that is followed has run.
    pub(super) fn prepared_by_sql(
        &mut self,
        backend: &mut Backend,
        name: &str,
        statement: &Arc<Statement>,
    ) {
        let names = &mut self.facts.statements;
        names.insert(name.as_bytes(), Arc::clone(statement));
        if let Some(oldest) = backend.prepared.insert(statement, names.group()) {
            backend.prepared.spare(oldest.name);
        }
    }
}

/// The text of a PREPARE, under our name for what it makes.
pub(super) fn under_its_name(
    query: &[u8],
    analysis: &Analysis,
    statement: &Statement,
) -> Option<Bytes> {
    let edits = plan::renamed(analysis, |_name| Some(plan::quoted(&statement.name)));
    plan::edited(std::str::from_utf8(query).ok()?, edits)
}

/// Asks what a PREPARE has settled, in a group of its own. Where that has failed, this fails too.
pub(super) fn settle(backend: &mut Backend, statement: &Arc<Statement>, analysis: &Analysis) {
    let name = analysis.names.first().map_or(&b""[..], |name| name.name.as_bytes());
    statements::settle(backend, statement, Bytes::copy_from_slice(name), true);
    backend.framed.queue().extend_from_slice(encode::SYNC);
    backend.pipeline.sent(Sent::Sync, Asker::Proxy, Some(Note::Behind));
}
