//! Parse: a client's statement gets a name of ours.

use std::{collections::BTreeSet, sync::Arc};

use cache::sql::postgres::{Analysis, Pin};
use protocol::{
    postgres::{
        encode,
        message::Parse,
        pipeline::{Asker, Request as Sent},
    },
    reader::DecodeError,
};
use serving::{error::ClientError, memory::FEW_TEXTS};

use super::super::{
    backend::{Backend, Note, Settling},
    batch::Frame,
    client::Client,
    forward::send,
    lacking::{close_spare, keep},
    plan::{self},
    prepared::{Before, Source, Statement},
    work::Work,
};
use super::{
    refused::refuse_in_place,
    settling::{settle, wants_settling},
};

/// The most statements that one client may have at once.
pub(crate) const MAX_PER_CLIENT: usize = 10_000;

/// The most bytes that their texts may have, with those of its portals.
const MAX_TEXTS: usize = 64 << 20;

/// Texts up to this length are bounded by their number.
const SHORT_TEXT: usize = 4096;

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
            let place = work.describes.take();
            settle(backend, Settling { place, ..Settling::of(&statement, name) });
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
}
