//! What a client uses and its backend lacks: it is parsed there again, or the backend is made to say what it would say.

use std::sync::Arc;

use bytes::Bytes;
use cache::sql::postgres::{Analysis, Kind};
use protocol::{
    postgres::{
        encode,
        message::{Bind, Parse},
        pipeline::{Asker, Request as Sent},
    },
    reader::DecodeError,
};

use super::{
    backend::{Backend, Note, Settling},
    client::Client,
    meaning,
    prepared::Statement,
    statements::{fail, is_settled_by_parse, settle},
    wire_error,
    work::Work,
};

impl Client {
    /// Sees to it that the backend has the statement by the time of the next message: parsed with the types that its
    /// client was told and with the settings that its constants were read with, and with the same rows.
    pub(crate) fn ensure(&mut self, work: &mut Work, statement: &Arc<Statement>, name: &Bytes) {
        if work.loan.prepared.has(statement) {
            return;
        }
        let (before, behind) = self.around_parse(work, statement);
        let backend: &mut Backend = &mut work.loan;
        close_spare(backend);
        before.iter().for_each(|sql| run_in_group(backend, sql));
        let [query, zero, types] = statement.parse_again();
        let parts = [statement.name.as_bytes(), b"\0", query, zero, types];
        encode::frame(b'P', &parts, backend.framed.queue());
        let note = Note::Prepare(Arc::clone(statement));
        backend.pipeline.sent(Sent::Parse, Asker::Proxy, Some(note));
        keep(backend, statement, self.facts.statements.group());
        behind.iter().for_each(|sql| run_in_group(backend, sql));
        if is_settled_by_parse(statement) && !statement.is_for_once {
            settle(backend, Settling::of(statement, name.clone()));
        }
    }

    /// What must be set before a statement is parsed once more, so that its constants are read as they were, and what puts
    /// that back.
    pub(crate) fn around_parse(
        &mut self,
        work: &Work,
        statement: &Statement,
    ) -> (Vec<String>, Vec<String>) {
        let now = Arc::clone(self.facts.meaning(&self.database.meanings));
        let is_same = Arc::ptr_eq(&now, &statement.meaning)
            || now == statement.meaning
            || (!is_settled_by_parse(statement) && now.has_words_of(&statement.meaning));
        match () {
            // A failed block takes neither settings nor statements: its error is the right one.
            () if work.loan.is_failed() => (Vec::new(), Vec::new()),
            () if work.reads_unsure(&self.facts.statements) && is_settled_by_parse(statement) => {
                (statement.meaning.instead_of_any(), vec![meaning::put_back()])
            }
            () if is_same => (Vec::new(), Vec::new()),
            () => (statement.meaning.difference(&now), now.difference(&statement.meaning)),
        }
    }

    /// Gives the backend something to deallocate in the place of a statement that it lacks, which need not be parsed for that.
    pub(crate) fn stand_in(&self, backend: &mut Backend, statement: &Statement) -> Arc<str> {
        let stand_in = self.database.registry.for_once(statement, b"");
        encode::frame(b'P', &[stand_in.name.as_bytes(), b"\0\0\0\0"], backend.framed.queue());
        let note = Note::Prepare(Arc::clone(&stand_in));
        backend.pipeline.sent(Sent::Parse, Asker::Proxy, Some(note));
        keep(backend, &stand_in, self.facts.statements.group());
        Arc::clone(&stand_in.name)
    }

    /// Lets the backend say that a name is taken, or that the text is wrong: it is asked to parse the text as what it has
    /// under this name.
    pub(crate) fn refuse_duplicate(
        &mut self,
        work: &mut Work,
        parse: &Parse<'_>,
        analysis: &Analysis,
        known: &Arc<Statement>,
    ) -> Result<(), DecodeError> {
        let name = Bytes::copy_from_slice(parse.name);
        if !work.loan.is_failed() {
            self.ensure(work, known, &name);
        } else if !work.loan.prepared.has(known) && is_taken_by_failed(analysis) {
            let error = wire_error::name_is_taken(parse.name);
            fail(&mut work.loan, Asker::Client, Note::Refuse(error));
            return Ok(());
        }
        // A failed block refuses any other: but for a text that cannot be read, which comes first.
        let Backend { prepared, framed, pipeline, .. } = &mut *work.loan;
        let held = prepared.held(known).map(|held| &held.name);
        let ours = Arc::clone(held.unwrap_or(&known.name));
        encode::frame(b'P', &[ours.as_bytes(), b"\0", parse.rest], framed.queue());
        pipeline.sent(Sent::Parse, Asker::Client, Some(Note::Named(name, ours)));
        Ok(())
    }

    /// Whether a failed block is bound a statement that the backend lacks with another number of values than it has
    /// parameters, which comes before all else. The client is told so.
    pub(crate) fn refuse_miscounted(
        &self,
        backend: &mut Backend,
        bind: &Bind<'_>,
        statement: &Statement,
    ) -> bool {
        if !backend.is_failed() || backend.prepared.has(statement) {
            return false;
        }
        let Some((given, expected)) = miscounts(bind, statement) else { return false };
        let error = wire_error::miscounted(bind.statement, given, expected);
        fail(backend, Asker::Client, Note::Refuse(error));
        true
    }
}

/// Has a failed block describe a statement without rows that the backend lacks, and that it would not parse: one
/// without a text has the same description, if its parameters have the same types.
pub(crate) fn describe_in_failed(backend: &mut Backend, statement: &Statement) -> bool {
    let has_rows = returns_rows(statement) != Some(false);
    if has_rows || !backend.is_failed() || backend.prepared.has(statement) {
        return false;
    }
    let [_, _, types] = statement.parse_again();
    let queue = backend.framed.queue();
    encode::frame(b'C', &[b"S", OWN], queue);
    encode::frame(b'P', &[OWN, b"\0", types], queue);
    encode::frame(b'D', &[b"S", OWN], queue);
    encode::frame(b'C', &[b"S", OWN], queue);
    backend.pipeline.sent(Sent::Close, Asker::Proxy, None);
    backend.pipeline.sent(Sent::Parse, Asker::Proxy, None);
    backend.pipeline.sent(Sent::DescribeStatement, Asker::Client, None);
    backend.pipeline.sent(Sent::Close, Asker::Proxy, None);
    true
}

/// Whether a statement returned rows when it was parsed, where that is known.
pub(crate) fn returns_rows(statement: &Statement) -> Option<bool> {
    if let Some(settled) = statement.settled() {
        return Some(settled.has_rows());
    }
    match statement.analysis.statements.as_slice() {
        [] => Some(false),
        [one] => match &one.kind {
            Kind::Deallocate(_) | Kind::Set => Some(false),
            kind if kind.is_about_block() => Some(false),
            Kind::Execute(_) => match statement.meant() {
                Some(meant) => returns_rows(&meant),
                None => Some(false),
            },
            Kind::Show(_) => Some(true),
            _ => None,
        },
        _ => None,
    }
}

/// How many values a Bind has and how many parameters its statement, where that is known and not the same.
pub(crate) fn miscounts(bind: &Bind<'_>, statement: &Statement) -> Option<(usize, usize)> {
    let expected = match statement.settled() {
        Some(settled) => settled.parameter_types().len(),
        None if is_settled_by_parse(statement) => return None,
        None => 0,
    };
    let given = bind.parameters().ok()?.values.len();
    (given != expected).then_some((given, expected))
}

/// Whether a failed block parses such a text: one that ends the block, and one without a statement.
fn is_taken_by_failed(analysis: &Analysis) -> bool {
    let ends = |kind: &Kind| {
        matches!(
            kind,
            Kind::Commit | Kind::Rollback | Kind::RollbackTo(_) | Kind::PrepareTransaction
        )
    };
    analysis.statements.iter().all(|one| ends(&one.kind))
}

/// Records that a backend is being given a statement, and closes the one used longest ago where there are too many.
pub(crate) fn keep(backend: &mut Backend, statement: &Arc<Statement>, group: u64) {
    if let Some(oldest) = backend.prepared.insert(statement, group) {
        encode::frame(b'C', &[b"S", oldest.name.as_bytes(), b"\0"], backend.framed.queue());
        backend.pipeline.sent(Sent::Close, Asker::Proxy, Some(Note::Evict(oldest)));
    }
}

/// Closes what the backend has and nobody needs. Our name for a statement may be free again by that, so that this comes in
/// front of each Parse.
pub(crate) fn close_spare(backend: &mut Backend) {
    for name in backend.prepared.take_spare() {
        encode::frame(b'C', &[b"S", name.as_bytes(), b"\0"], backend.framed.queue());
        backend.pipeline.sent(Sent::Close, Asker::Proxy, Some(Note::Spare(name)));
    }
}

/// Runs a statement of our own among the client's messages, which no simple query may stand between. Names of its own keep
/// the client's unnamed statement and portal.
pub(crate) fn run_in_group(backend: &mut Backend, sql: &str) {
    run_noted(backend, sql.as_bytes(), None);
}

/// The same, with a note at its Execute.
pub(crate) fn run_noted(backend: &mut Backend, sql: &[u8], note: Option<Note>) {
    let queue = backend.framed.queue();
    // An error may have left them there.
    encode::frame(b'C', &[b"P", OWN], queue);
    encode::frame(b'C', &[b"S", OWN], queue);
    encode::frame(b'P', &[OWN, sql, b"\0\0\0"], queue);
    encode::frame(b'B', &[OWN, OWN, b"\0\0\0\0\0\0"], queue);
    encode::frame(b'E', &[OWN, b"\0\0\0\0"], queue);
    encode::frame(b'C', &[b"P", OWN], queue);
    encode::frame(b'C', &[b"S", OWN], queue);
    for sent in [Sent::Close, Sent::Close, Sent::Parse, Sent::Bind] {
        backend.pipeline.sent(sent, Asker::Proxy, None);
    }
    backend.pipeline.sent(Sent::Execute, Asker::Proxy, note);
    for sent in [Sent::Close, Sent::Close] {
        backend.pipeline.sent(sent, Asker::Proxy, None);
    }
}

/// The name of the statement and of the portal of [`run_in_group`].
const OWN: &[u8] = b"jumpgate_setting\0";
