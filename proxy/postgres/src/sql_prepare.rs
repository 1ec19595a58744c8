//! PREPARE by SQL, followed like a statement of the protocol.
//!
//! Where a text is one PREPARE the backend is given it under our name, and a Describe of ours behind it tells what it
//! settled. From then on it is what a Parse would have made: another backend gets the inner statement with the settled
//! types, and EXECUTE finds it by our name. Elsewhere (in a text with others, in code, in the extended protocol, while
//! settings change) a PREPARE keeps its backend.

use std::sync::Arc;

use bytes::Bytes;
use cache::sql::postgres::{
    Analysis, Deeds, FunctionCall, Kind, Pin, Reads, StatementFacts, is_lone_prepare, prepared_text,
};
use protocol::postgres::{
    encode,
    frame::FrontendTag,
    message::{Bind, Parse},
    pipeline::{Asker, Request as Sent},
};
use serving::error::SessionError;

use super::{
    backend::{Backend, Note, Settling},
    batch::Frame,
    client::Client,
    lacking::{run_in_group, run_noted},
    plan::{self, Text},
    prepared::Statement,
    reworded::{Executed, Reworded},
    session::Session,
    statements,
    work::Work,
};

/// Around what may fail in a block that must go on.
const SAVE: [&str; 1] = ["SAVEPOINT jumpgate_names"];
const UNDO: [&str; 1] = ["ROLLBACK TO SAVEPOINT jumpgate_names"];
const RELEASE: [&str; 1] = ["RELEASE SAVEPOINT jumpgate_names"];

impl Session {
    /// Before code runs that may EXECUTE by a text of its own, in which nobody can put our name: the backend is given what SQL
    /// has prepared under the client's own names, and keeps the session.
    pub(crate) async fn give_own_names(&mut self) -> Result<(), SessionError> {
        if self.hold.held("give statements to")?.loan.pipeline.is_open() {
            return Ok(());
        }
        self.hear_all().await?;
        self.still_held()?;
        for (name, statement, sql) in self.client.facts.statements.followed() {
            let Self { client, hold } = self;
            let work = hold.held("give a statement to")?;
            if work.loan.is_failed() {
                break;
            }
            let in_block = work.loan.in_transaction();
            // What can be prepared no more is in nobody's way.
            let (save, release): (&[_], &[_]) =
                if in_block { (&SAVE, &RELEASE) } else { (&[], &[]) };
            let (before, behind) = client.around_parse(work, &statement);
            client.facts.statements.stays(&name);
            client.pin(work, Pin::SqlPrepare);
            let backend: &mut Backend = &mut work.loan;
            let before = before.iter().map(String::as_str);
            save.iter().copied().chain(before).for_each(|sql| run_in_group(backend, sql));
            run_noted(backend, &sql, Some(Note::Given { name, statement }));
            let behind = behind.iter().map(String::as_str);
            behind.chain(release.iter().copied()).for_each(|sql| run_in_group(backend, sql));
            self.hear_group().await?;
            let work = self.hold.held("give a statement to")?;
            if in_block && work.loan.is_failed() {
                UNDO.iter().chain(&RELEASE).for_each(|sql| run_in_group(&mut work.loan, sql));
                self.hear_group().await?;
            }
        }
        Ok(())
    }
}

impl Client {
    /// The statement that a simple query prepares, if it can be followed; the text pins nothing then.
    pub(crate) fn prepares(
        &mut self,
        work: &Work,
        query: &[u8],
        text: &mut Text,
    ) -> Option<Arc<Statement>> {
        let analysis = Arc::clone(&text.analysis);
        let [name] = &*analysis.names else { return None };
        if !is_lone_prepare(&analysis) {
            return None;
        }
        let names = &self.facts.statements;
        let is_taken = name.name.is_empty()
            || names.get(name.name.as_bytes()).is_some()
            || names.is_by_sql(name.name.as_bytes());
        let is_elsewhere = work.loan.is_failed() || work.loan.pipeline.is_open();
        // With which settings its constants are read is not known while they change. A session that is pinned gains nothing,
        // and dynamic SQL finds the name that its client gave.
        let is_pinned = !work.pins.is_empty();
        if is_taken || is_elsewhere || is_pinned || work.ledger.has_set() {
            return None;
        }
        let whole = std::str::from_utf8(query)
            .ok()
            .filter(|whole| self.has_room_for(Some(work), whole.len()))?;
        let inner = whole.get(prepared_text(whole)?)?;
        let analysis = self.analysis(None, inner.as_bytes());
        let meaning = Arc::clone(self.facts.meaning(&self.database.meanings));
        let statement = self.database.registry.by_sql(whole, inner, meaning, analysis);
        self.facts.statements.will_follow();
        for one in &mut Arc::make_mut(&mut text.analysis).statements {
            one.effects.clear();
        }
        Some(statement)
    }

    /// What a text may do besides answering. An EXECUTE does what its statement does, which only the session knows.
    pub(crate) fn deeds_of(&self, text: &Text) -> Deeds {
        let deeds = text.deeds();
        let [one] = text.analysis.statements.as_slice() else { return deeds.into_owned() };
        let Kind::Execute(name) = &one.kind else { return deeds.into_owned() };
        let Some(Executed { statement, .. }) = self.executed(name) else {
            return deeds.into_owned();
        };
        let inner = self.judge_statement(&statement);
        if one.reads == Reads::default() {
            return inner.deeds().into_owned();
        }
        // So do its arguments.
        let mut deeds = deeds.into_owned();
        deeds.pins.extend(inner.deeds().pins.iter().copied());
        deeds
    }

    /// Whether a message of the extended protocol is about a statement that may run code that runs texts.
    pub(crate) fn is_of_texts(&self, frame: &Frame) -> bool {
        match frame.tag {
            FrontendTag::Parse => Parse::decode(&frame.body).is_ok_and(|parse| {
                let analysis = self.analysis(frame.analysis.as_ref(), parse.query);
                self.may_run_texts(&self.judge(parse.query, analysis))
            }),
            FrontendTag::Bind => Bind::decode(&frame.body).is_ok_and(|bind| {
                let statement = self.facts.statements.get(bind.statement);
                statement.is_some_and(|it| self.may_run_texts(&self.judge_statement(it)))
            }),
            _ => false,
        }
    }

    /// Whether a text may run code that runs texts.
    pub(crate) fn may_run_texts(&self, text: &Text) -> bool {
        if text.judged.is_some() {
            return self.deeds_of(text).is_opaque;
        }
        let is_own = |one: &StatementFacts| {
            matches!(one.kind, Kind::Code | Kind::Unknown)
                || one.reads.functions.iter().any(|call| !is_common(call))
        };
        text.analysis.statements.iter().any(|one| match &one.kind {
            Kind::Execute(name) => self
                .executed(name)
                .is_some_and(|it| it.statement.analysis.statements.iter().any(is_own)),
            _ => is_own(one),
        })
    }

    /// A PREPARE that is followed has run.
    pub(crate) fn prepared_by_sql(
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

/// The text of a PREPARE, under our name for what it makes, and where it differs.
pub(crate) fn under_its_name(
    query: &[u8],
    analysis: &Analysis,
    statement: &Statement,
) -> Option<Reworded> {
    let edits = plan::renamed(analysis, |_name| Some(plan::quoted(&statement.name)));
    let (text, places) = plan::edited(std::str::from_utf8(query).ok()?, edits)?;
    Some(Reworded { text, places, names: Vec::new() })
}

/// Whether a function is most likely one of the server's, none of which runs a text. Where the catalog is known, that tells.
fn is_common(call: &FunctionCall) -> bool {
    call.schema.as_deref().map_or_else(
        || COMMON.contains(&call.name.as_str()),
        |schema| schema == "pg_catalog" && !call.name.contains("_to_xml"),
    )
}

/// Functions of the server's that statements use most.
const COMMON: [&str; 40] = [
    "abs",
    "array_agg",
    "array_length",
    "avg",
    "bool_and",
    "bool_or",
    "btrim",
    "ceil",
    "char_length",
    "concat",
    "concat_ws",
    "count",
    "date_trunc",
    "floor",
    "format",
    "generate_series",
    "json_agg",
    "json_build_object",
    "jsonb_agg",
    "jsonb_build_object",
    "left",
    "length",
    "lower",
    "ltrim",
    "max",
    "md5",
    "min",
    "now",
    "nullif",
    "pg_sleep",
    "random",
    "regexp_replace",
    "replace",
    "right",
    "round",
    "row_number",
    "row_to_json",
    "string_agg",
    "sum",
    "upper",
];

/// Asks what a PREPARE has settled, in a group of its own. Where that has failed, this fails too.
pub(crate) fn settle(backend: &mut Backend, statement: &Arc<Statement>, analysis: &Analysis) {
    let name = analysis.names.first().map_or(&b""[..], |name| name.name.as_bytes());
    // Its client hears no error but that of its text.
    let settling = Settling::of(statement, Bytes::copy_from_slice(name));
    statements::settle(backend, Settling { is_aside: true, ..settling });
    backend.framed.queue().extend_from_slice(encode::SYNC);
    backend.pipeline.sent(Sent::Sync, Asker::Proxy, Some(Note::Behind));
}
