//! Names that go: Close, DEALLOCATE and DISCARD.

use bytes::Bytes;
use cache::sql::postgres::{Analysis, Discarded, Kind};
use protocol::{
    postgres::{
        encode,
        message::Target,
        pipeline::{Asker, Request as Sent},
    },
    reader::DecodeError,
};

use super::super::{
    backend::{Ahead, Backend, Note},
    client::Client,
    forward::send,
    work::Work,
};

impl Client {
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
pub(super) fn forget_unnamed(backend: &mut Backend, name: &[u8]) {
    if name.is_empty() {
        encode::frame(b'C', &[b"S\0"], backend.framed.queue());
        backend.pipeline.sent(Sent::Close, Asker::Proxy, None);
        backend.prepared.forget_unnamed();
    }
}
