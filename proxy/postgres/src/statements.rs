//! The client's statements and portals under our names: Parse, Bind, Describe, Execute, Close.

use std::{collections::BTreeSet, sync::Arc};

use bytes::{Bytes, BytesMut};
use cache::sql::postgres::{Analysis, Discarded, Kind, Pin};
use protocol::{
    postgres::{
        encode,
        frame::FrontendTag,
        message::{Bind, Execute, Parse, Target},
        pipeline::{Asker, Request as Sent},
    },
    reader::DecodeError,
};
use serving::{error::ClientError, memory::FEW_TEXTS, observe::CacheStatus};

use super::{
    backend::{Ahead, Backend, Note, Settling},
    batch::{Frame, Judged},
    client::Client,
    forward::send,
    lacking::{close_spare, describe_in_failed, keep},
    plan::{self, Cacheable, Standing, Text},
    prepared::{Before, Source, Statement},
    wire_error,
    work::Work,
};

/// The most statements that one client may have at once.
pub(crate) const MAX_PER_CLIENT: usize = 10_000;
/// The most bytes that their texts may have, with those of its portals.
const MAX_TEXTS: usize = 64 << 20;
/// Texts up to this length are bounded by their number.
const SHORT_TEXT: usize = 4096;

/// The ParameterDescription of a statement without parameters.
const NO_PARAMETERS: &[u8] = b"t\0\0\0\x06\0\0";

impl Client {
    /// A Parse is always parsed by the backend: what a statement is, only that shows (see [`super::prepared`]). `next` is
    /// the message behind it, if it is here.
    pub(crate) fn forward_parse(
        &mut self,
        work: &mut Work,
        frame: &Frame,
        next: Option<&Frame>,
    ) -> Result<(), DecodeError> {
        let body = &frame.body;
        let parse = Parse::decode(body)?;
        if !parse.name.is_empty()
            && let Some(known) = self.facts.statements.get(parse.name).cloned()
        {
            let analysis = self.analysis(frame.analysis.as_ref(), parse.query);
            return self.refuse_duplicate(work, &parse, &analysis, &known);
        }
        if self.facts.statements.is_by_sql(parse.name) {
            // Its backend has that one, and says so.
            send(&mut work.loan, b'P', body, Sent::Parse, None);
            return Ok(());
        }
        if !self.has_room_for(Some(work), parse.rest.len()) {
            let error = match self.database.registry.has_room(parse.rest.len()) {
                true => ClientError::Unsupported("another prepared statement"),
                false => ClientError::OutOfMemory,
            };
            refuse_in_place(&mut work.loan, error);
            return Ok(());
        }
        let stays = work.reads_unsure(&self.facts.statements);
        if !parse.name.is_empty() && stays {
            // With which settings its constants are read is not known, so that it stays where it is parsed.
            self.pin(work, Pin::UnknownSetting);
        }
        let backend: &mut Backend = &mut work.loan;
        close_spare(backend);
        let (statement, before) = self.register(&parse, frame.analysis.as_ref(), stays);
        let before = before.map(|statement| {
            let is_there = backend.prepared.has(&statement);
            Before { statement, is_there }
        });
        self.facts.statements.changes(parse.name);
        let name = body.slice_ref(parse.name);
        let parts = [statement.name.as_bytes(), b"\0", parse.rest];
        encode::frame(b'P', &parts, backend.framed.queue());
        let note = Note::Parse { statement: Arc::clone(&statement), name: name.clone(), before };
        backend.pipeline.sent(Sent::Parse, Asker::Client, Some(note));
        keep(backend, &statement, self.facts.statements.group());
        if wants_settling(&statement, next) {
            settle(backend, &statement, name, false);
        }
        Ok(())
    }

    /// Whether the client may have one more statement, of so many bytes.
    pub(crate) fn has_room_for(&self, work: Option<&Work>, length: usize) -> bool {
        let texts = || {
            // A portal holds its statement beyond its name.
            let mut seen = BTreeSet::new();
            let of_portals = work.into_iter().flat_map(|work| work.portals.statements());
            let all = self.facts.statements.all().chain(of_portals);
            let each = all.filter(|statement| seen.insert(Arc::as_ptr(statement)));
            each.map(|statement| statement.source.as_bytes().len()).sum::<usize>()
        };
        let registry = &self.database.registry;
        self.facts.statements.len() < MAX_PER_CLIENT
            && (length <= SHORT_TEXT || texts() + length <= MAX_TEXTS)
            && (registry.has_room(length)
                || texts() + length <= FEW_TEXTS
                || registry.makes_room(length))
    }

    /// Remembers a client's statement under the client's name; whether it `stays` where it is parsed, as it is not known what
    /// its constants were read with. Returns also what had the name before.
    pub(crate) fn register(
        &mut self,
        parse: &Parse<'_>,
        ahead: Option<&Arc<Analysis>>,
        stays: bool,
    ) -> (Arc<Statement>, Option<Arc<Statement>>) {
        let (source, analysis) = match self.prepared_before(parse) {
            Some(last) => (last.source.clone(), Arc::clone(&last.analysis)),
            None => (Source::of(parse), self.analysis(ahead, parse.query)),
        };
        let meaning = Arc::clone(self.facts.meaning(&self.database.meanings));
        let registry = &self.database.registry;
        let statement = if parse.name.is_empty() {
            registry.unnamed(source, meaning, analysis, stays)
        } else {
            registry.named(source, meaning, analysis)
        };
        if let Some(target) = plan::executes(&statement.analysis)
            && let Some(meant) = self.facts.statements.get(target.as_bytes())
        {
            statement.means(meant);
        }
        let before = self.facts.statements.insert(parse.name, Arc::clone(&statement));
        (statement, before)
    }

    /// The client's unnamed statement, if this is the same once more: drivers without prepared statements parse
    /// one text again and again.
    pub(crate) fn prepared_before(&self, parse: &Parse<'_>) -> Option<&Arc<Statement>> {
        let last = self.facts.statements.get(b"")?;
        (parse.name.is_empty() && last.source.as_bytes() == parse.rest).then_some(last)
    }

    pub(crate) fn forward_bind(
        &mut self,
        work: &mut Work,
        body: &Bytes,
    ) -> Result<(), DecodeError> {
        let bind = Bind::decode(body)?;
        let Some(statement) = self.facts.statements.get(bind.statement).cloned() else {
            forget_unnamed(&mut work.loan, bind.statement);
            send(&mut work.loan, b'B', body, Sent::Bind, None);
            return Ok(());
        };
        if self.refuse_miscounted(&mut work.loan, &bind, &statement) {
            return Ok(());
        }
        if work.stale == Some(statement.number()) || would_misread(&work.loan, &statement) {
            refuse_plan(&mut work.loan);
            return Ok(());
        }
        let name = body.slice_ref(bind.statement);
        let resolved = self.resolve(work, &statement, &name, Some(&bind));
        let bound = resolved.as_ref().unwrap_or(&statement);
        self.ensure(work, bound, &name);
        let Backend { prepared, framed, pipeline, .. } = &mut *work.loan;
        let ours = prepared.held(bound).map(|held| Arc::clone(&held.name)).unwrap_or_default();
        let parts = [bind.portal, b"\0", ours.as_bytes(), b"\0", bind.rest];
        encode::frame(b'B', &parts, framed.queue());
        let note = (!ours.is_empty()).then_some(Note::Named(name, ours));
        pipeline.sent(Sent::Bind, Asker::Client, note);
        if let Some(resolved) = resolved {
            close(&mut work.loan, &resolved);
        }
        work.portals.bind(bind.portal, statement, self.facts.statements.group());
        Ok(())
    }

    pub(crate) fn forward_describe(
        &mut self,
        work: &mut Work,
        body: &Bytes,
    ) -> Result<(), DecodeError> {
        let Target::Statement(name) = Target::decode(body)? else {
            send(&mut work.loan, b'D', body, Sent::DescribePortal, None);
            return Ok(());
        };
        let Some(statement) = self.facts.statements.get(name).cloned() else {
            forget_unnamed(&mut work.loan, name);
            send(&mut work.loan, b'D', body, Sent::DescribeStatement, None);
            return Ok(());
        };
        if let Some(target) = self.lacks_target(&statement)
            && !work.loan.is_failed()
        {
            // The server looks for it once it has described the parameters, and says so.
            work.loan.pipeline.answer_locally(NO_PARAMETERS, None);
            encode::frame(b'D', &[b"S", target.as_bytes(), b"\0"], work.loan.framed.queue());
            work.loan.pipeline.sent(Sent::DescribeStatement, Asker::Client, None);
            return Ok(());
        }
        if describe_in_failed(&mut work.loan, &statement) {
            return Ok(());
        }
        if would_misread(&work.loan, &statement) {
            refuse_plan(&mut work.loan);
            return Ok(());
        }
        let name = body.slice_ref(name);
        let resolved = self.resolve(work, &statement, &name, None);
        let described = resolved.as_ref().unwrap_or(&statement);
        self.ensure(work, described, &name);
        let Backend { prepared, framed, pipeline, .. } = &mut *work.loan;
        let ours = prepared.find(described).unwrap_or_default().as_bytes();
        encode::frame(b'D', &[b"S", ours, b"\0"], framed.queue());
        let settles = is_settled_by_parse(described) && described.settled().is_none();
        let note = settles.then(|| settling(described, name, false));
        pipeline.sent(Sent::DescribeStatement, Asker::Client, note);
        if let Some(resolved) = resolved {
            close(&mut work.loan, &resolved);
        }
        Ok(())
    }

    /// A client's statement is forgotten here; the backend keeps it for others.
    pub(crate) fn forward_close(
        &mut self,
        work: &mut Work,
        body: &Bytes,
    ) -> Result<(), DecodeError> {
        let Target::Statement(name) = Target::decode(body)? else {
            send(&mut work.loan, b'C', body, Sent::Close, None);
            return Ok(());
        };
        match self.facts.statements.close(name) {
            Some(statement) => {
                let note = Note::Unnamed(Bytes::copy_from_slice(name), statement);
                work.loan.pipeline.answer_locally(encode::CLOSE_COMPLETE, Some(note));
                self.send_due(work);
            }
            // It may be the name of an SQL-level PREPARE; our own names the client does not know.
            None => {
                forget_unnamed(&mut work.loan, name);
                send(&mut work.loan, b'C', body, Sent::Close, None);
            }
        }
        Ok(())
    }

    pub(crate) fn forward_execute(
        &mut self,
        work: &mut Work,
        body: &Bytes,
        judged: &mut Option<Judged>,
    ) -> Result<(), DecodeError> {
        let execute = Execute::decode(body)?;
        work.executes = work.executes.saturating_add(1);
        let note = match work.portals.statement(execute.portal).cloned() {
            Some(statement) => {
                let (text, status) = self.judged(&statement, judged.take());
                self.before_sequences(work, &text, false);
                let length = statement.source.query().len();
                self.database.metrics.query_bytes.inc_by(length as u64);
                self.count(status.unwrap_or_else(|| self.status_at(work, &text)));
                let footprint = self.starts(work, &text);
                let ahead = self.goes_ahead(&mut work.loan, &text.analysis);
                Note::Execute(text.analysis, footprint, ahead)
            }
            // A cursor of SQL, or one too many to be followed.
            None => {
                self.runs_unseen(work);
                Note::Unseen
            }
        };
        send(&mut work.loan, b'E', body, Sent::Execute, Some(note));
        Ok(())
    }

    /// What a statement means that is about to run, and its status if the cache was asked: as it was judged then, but for one
    /// that is read otherwise since.
    fn judged(&self, statement: &Statement, judged: Option<Judged>) -> (Text, Option<CacheStatus>) {
        match judged {
            Some(Judged { text, status }) if Arc::ptr_eq(&text.analysis, &statement.analysis) => {
                (text, Some(status))
            }
            other => (self.judge_statement(statement), other.map(|other| other.status)),
        }
    }

    /// Why the cache does not answer a statement that it was not asked for.
    fn status_at(&self, work: &Work, text: &Text) -> CacheStatus {
        let standing = || match work.loan.in_transaction() {
            true => Standing::InTransaction,
            false if work.is_pinned() => Standing::Pinned,
            false => Standing::Bound,
        };
        match text.verdict(standing, &self.database.config.caching) {
            Cacheable::No(status) => status,
            Cacheable::Yes(_) => CacheStatus::Uncacheable,
        }
    }

    /// What an Execute does to the names of statements holds for the messages behind it, which may be in the same group.
    pub(crate) fn goes_ahead(
        &mut self,
        backend: &mut Backend,
        analysis: &Analysis,
    ) -> Option<Box<Ahead>> {
        let [one] = analysis.statements.as_slice() else { return None };
        match &*self.kind_that_runs(&one.kind) {
            Kind::Deallocate(Some(name)) => {
                let statement = self.facts.statements.remove(name.as_bytes())?;
                self.facts.statements.changes(name.as_bytes());
                let held = backend.prepared.remove(&statement);
                let name = Bytes::copy_from_slice(name.as_bytes());
                Some(Box::new(Ahead::Closed(name, statement, held)))
            }
            Kind::Deallocate(None) | Kind::Discard(Discarded::All) => {
                let names = self.facts.statements.clear();
                let held = std::mem::take(&mut backend.prepared);
                Some(Box::new(Ahead::Cleared(names, held)))
            }
            _ => None,
        }
    }
}

/// A client without an unnamed statement must not find another client's.
fn forget_unnamed(backend: &mut Backend, name: &[u8]) {
    if name.is_empty() {
        encode::frame(b'C', &[b"S\0"], backend.framed.queue());
        backend.pipeline.sent(Sent::Close, Asker::Proxy, None);
        backend.prepared.forget_unnamed();
    }
}

/// Gives the client an error in the place where its request stands: the backend is sent something that
/// must fail, so that it too aborts the transaction and skips to `Sync`.
fn refuse_in_place(backend: &mut Backend, error: ClientError) {
    let mut frame = BytesMut::new();
    wire_error::put(error, &mut frame);
    fail(backend, Asker::Client, Note::Refuse(frame.freeze()));
}

/// Whether a statement would have to be parsed again, and it is not known with which settings it was read.
fn would_misread(backend: &Backend, statement: &Statement) -> bool {
    statement.stays
        && is_settled_by_parse(statement)
        && !backend.is_failed()
        && !backend.prepared.has(statement)
}

/// Refuses what a statement of other rows, or of other constants, would answer.
fn refuse_plan(backend: &mut Backend) {
    let error = Bytes::from_static(wire_error::PLAN_CHANGED);
    fail(backend, Asker::Client, Note::Refuse(error));
}

/// Sends a Parse that no server takes.
pub(crate) fn fail(backend: &mut Backend, asker: Asker, note: Note) {
    // It drops the unnamed statement before it fails.
    backend.prepared.forget_unnamed();
    encode::frame(b'P', &[b"\0jumpgate refuses\0\0\0"], backend.framed.queue());
    backend.pipeline.sent(Sent::Parse, asker, Some(note));
}

/// Whether its Parse fixes types and rows: what the server only reads when it runs has none to fix.
pub(crate) fn is_settled_by_parse(statement: &Statement) -> bool {
    let [one] = statement.analysis.statements.as_slice() else { return false };
    matches!(
        one.kind,
        Kind::Select | Kind::Write | Kind::Explain { .. } | Kind::Code | Kind::Ddl | Kind::Unknown
    )
}

/// Whether a Describe of ours must follow the client's Parse: of a named statement always, of the unnamed one unless it is
/// used at once, as all drivers do that do not keep it. The client's own Describe serves as well.
fn wants_settling(statement: &Statement, next: Option<&Frame>) -> bool {
    let next = next.map(|frame| (frame.tag, Target::decode(&frame.body)));
    let is_described = matches!(next, Some((FrontendTag::Describe, Ok(Target::Statement(_)))));
    let is_used = statement.is_unnamed()
        && next.is_none_or(|(tag, _)| !matches!(tag, FrontendTag::Sync | FrontendTag::Flush));
    is_settled_by_parse(statement) && !is_described && !is_used
}

/// Asks what a statement is, behind what makes it. Of one that SQL makes the client hears no error but that of its text:
/// this is aside.
pub(crate) fn settle(
    backend: &mut Backend,
    statement: &Arc<Statement>,
    name: Bytes,
    is_aside: bool,
) {
    encode::frame(b'D', &[b"S", statement.name.as_bytes(), b"\0"], backend.framed.queue());
    let note = settling(statement, name, is_aside);
    backend.pipeline.sent(Sent::DescribeStatement, Asker::Proxy, Some(note));
}

fn settling(statement: &Arc<Statement>, name: Bytes, is_aside: bool) -> Note {
    let (statement, types) = (Arc::clone(statement), Bytes::new());
    Note::Settle(Box::new(Settling { statement, name, is_aside, types }))
}

/// Closes a statement that was made for one message.
fn close(backend: &mut Backend, statement: &Statement) {
    if let Some(held) = backend.prepared.remove(statement) {
        encode::frame(b'C', &[b"S", held.name.as_bytes(), b"\0"], backend.framed.queue());
        backend.pipeline.sent(Sent::Close, Asker::Proxy, None);
    }
}
