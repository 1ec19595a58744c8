//! Answers to who only prepares a statement, or asks what one is: an origin has said it before (see [`super::described`]).
//!
//! The statement is its client's from then on, settled as if its backend had said so. Whichever backend runs it is given it
//! by [`Client::ensure`], and has to say the same; nothing of it has run before that is known, or nothing that cannot be
//! taken back ([`Session::verify_ahead`]).

use std::sync::Arc;

use cache::sql::postgres::{Analysis, Kind};
use protocol::postgres::{
    encode,
    frame::FrontendTag,
    message::{self, Parse},
    pipeline::TransactionStatus,
};
use serving::{hold::Hold, observe::Saved};

use super::{
    backend::Note,
    batch::{Frame, Request, Subject},
    client::Client,
    described::{Described, Place},
    plan::{self, Standing},
    prepared::Statement,
    session::Session,
    statements::{is_read_by_parse, is_settled_by_parse},
    work::Work,
};

impl Session {
    /// Answers messages that only prepare a statement, or ask what it is, where that is known. Else returns where to
    /// remember it, if it may be.
    pub(crate) fn recall(
        &mut self,
        frames: &[Frame],
        request: &Request<'_>,
    ) -> Result<(), Option<Place>> {
        let generation = self.generation_of_plain().ok_or(None)?;
        let client = &mut self.client;
        let analysis = client.request_analysis(request);
        if !is_told_by_text(&analysis) {
            return Err(None);
        }
        let place = client.place(request.source(), generation);
        let Some(known) = client.database.registry.memo().descriptions.find(&place.key) else {
            return Err(matches!(request.subject, Subject::New(_)).then_some(place));
        };
        match &request.subject {
            // Its backend would be asked before it runs: nothing is saved.
            Subject::New(parse) if parse.name.is_empty() && known.settled.has_rows() => {
                if matches!(analysis.statements.as_slice(), [one] if one.kind == Kind::Write) {
                    return Err(None);
                }
            }
            Subject::New(_) => {}
            Subject::Known(statement) if statement.settled() == Some(&known.settled) => {}
            // It was something else when its client prepared it.
            Subject::Known(_) => return Err(None),
        }
        let status = self.transaction();
        self.client.tell_described(frames, &known, status);
        self.client.has_read(&analysis);
        self.client.database.metrics.saves(Saved::Describe);
        Ok(())
    }

    /// The generation of the backends that would be asked, where the key of its session is all that decides what a text of
    /// the client's means.
    fn generation_of_plain(&self) -> Option<u64> {
        let Client { database, facts, .. } = &self.client;
        if !database.config.round_trips.descriptions || !plan::is_standard(&facts.parameters) {
            return None;
        }
        let is_so = match self.standing() {
            Standing::Free => true,
            Standing::InTransaction => self.hold.work().is_none_or(Work::is_plain_block),
            Standing::Pinned | Standing::Bound => false,
        };
        let generation = match &self.hold {
            Hold::Held(work) => work.loan.generation(),
            Hold::Free => database.generations.number(),
        };
        is_so.then_some(generation)
    }
}

impl Client {
    /// Where it is remembered what a text is, of its types and settings, to backends of a generation.
    fn place(&mut self, source: &[u8], generation: u64) -> Place {
        let changes = self.database.catalog.changes();
        let key = plan::description_key(self.key(), source, [generation, changes]);
        Place { key, generation }
    }

    /// A backend has said that a statement is not what was remembered, or refused it.
    pub(crate) fn forget_described(&mut self, work: &Work, statement: &Statement) {
        let place = self.place(statement.source.as_bytes(), work.loan.generation());
        self.database.registry.memo().descriptions.forget(&place.key);
    }

    /// An error has ended a request: where it says that a statement cannot be what it was, that is forgotten.
    pub(crate) fn forget_refused(&mut self, work: &Work, error: &[u8], failed: &Note) {
        match failed {
            Note::Prepare(statement) => {
                let statement = Arc::clone(statement);
                self.forget_described(work, &statement);
            }
            // At a Bind: syntax errors and access rule violations, and "feature not supported". Also data exceptions, for a
            // parameter may have another type by now than the one that its value is refused for.
            Note::Named(name, _)
                if matches!(
                    message::error_field(error, b'C'),
                    Some([b'4' | b'2', b'2', ..] | b"0A000")
                ) =>
            {
                if let Some(statement) = self.facts.statements.get(name).cloned() {
                    self.forget_described(work, &statement);
                }
            }
            _ => {}
        }
    }

    /// Whether a message of a block, in which nothing is under way, may begin a request that is answered from memory.
    pub(crate) fn may_recall(&self, work: &Work) -> bool {
        self.database.config.round_trips.descriptions && work.is_plain_block()
    }

    fn tell_described(&mut self, frames: &[Frame], known: &Described, status: TransactionStatus) {
        for frame in frames {
            match frame.tag {
                FrontendTag::Parse => {
                    // It was decoded before.
                    let Ok(parse) = Parse::decode(&frame.body) else { continue };
                    let (statement, _) = self.register(&parse, frame.analysis.as_ref(), false);
                    if is_settled_by_parse(&statement) {
                        let settled = known.settled.clone();
                        let shared = self.database.registry.settle(&statement, settled);
                        self.facts.statements.share(parse.name, &statement, shared);
                    }
                    self.end.queue().extend_from_slice(encode::PARSE_COMPLETE);
                }
                FrontendTag::Describe => self.end.queue().extend_from_slice(&known.messages),
                FrontendTag::Sync => encode::ready_for_query(status, self.end.queue()),
                _ => {}
            }
        }
    }
}

impl Work {
    /// Whether it is an open block, in which nothing is under way and nothing was done that decides what a text means.
    pub(crate) fn is_plain_block(&self) -> bool {
        self.is_at_rest() && !self.is_pinned() && !self.loan.is_touched && self.ledger.is_plain()
    }
}

/// Whether what a text is hangs on nothing but the schema and settings: it names no statement, and is given to backends as
/// it is.
fn is_told_by_text(analysis: &Analysis) -> bool {
    let is_told = is_read_by_parse(analysis) || is_about_session(analysis);
    is_told && analysis.names.is_empty() && analysis.asked().next().is_none()
}

/// Whether a text is a statement that the server only reads when it runs, and describes as it describes all of them.
fn is_about_session(analysis: &Analysis) -> bool {
    match analysis.statements.as_slice() {
        [one] => match &one.kind {
            Kind::Set
            | Kind::Discard(_)
            | Kind::Deallocate(None)
            | Kind::Listen
            | Kind::Unlisten => true,
            // Of an extension's or application's it hangs on the backend whether there is one.
            Kind::Show(name) => !name.contains('.'),
            kind => kind.is_about_block(),
        },
        _ => false,
    }
}
