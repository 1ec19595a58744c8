//! What was believed when messages were sent, once their replies come: statements are settled, names are certain, and what
//! an error skipped is taken back.

use std::sync::Arc;

use cache::sql::postgres::{Discarded, Kind};
use protocol::postgres::{
    encode,
    frame::{BackendTag, FrontendTag},
    pipeline::{Asker, Request as Sent, TransactionStatus},
};
use serving::error::{ClientError, SessionError};

use super::{
    backend::{Ahead, Backend, Note, Settling},
    batch::{Frame, Outgoing},
    client::Client,
    prepared::Before,
    session::Session,
    settled::Settled,
    statements::{fail, is_settled_by_parse},
    wire_error,
    work::{Hearing, Opening, Trouble, Work},
};

impl Session {
    /// Sends a group of messages to another backend, once the last one has skipped it to its end; or to the same, where it is
    /// the block of the group that was missing.
    pub(crate) async fn send_again(&mut self) -> Result<(), SessionError> {
        let work = self.hold.held("send a group again from")?;
        if !work.loan.pipeline.is_quiet() {
            return Ok(());
        }
        let frames = work.unheard.take().unwrap_or_default();
        if let Opening::Missed { error, is_cancelled } = std::mem::take(&mut work.opening) {
            return self.open_again(frames, (error, is_cancelled)).await;
        }
        let moves = (work.trouble == Trouble::Moves).then(|| work.loan.on.clone());
        // It is unfit, so that this closes it.
        self.checkin().await?;
        if let Some(on) = &moves {
            self.client.database.finder.look_again(on).await;
        }
        match <[Frame; 1]>::try_from(frames) {
            Ok([frame]) if frame.tag == FrontendTag::Query => self.simple_query(frame).await?,
            Ok([frame]) => self.forward_frames(Outgoing::of(vec![frame])).await?,
            Err(frames) => self.forward_frames(Outgoing::of(frames)).await?,
        }
        if let (Some(work), Some(_)) = (self.hold.work_mut(), moves) {
            // Another error is the client's.
            work.unheard = None;
        }
        Ok(())
    }
}

impl Client {
    /// A backend has said what a statement is: what it settles, or the same as what was settled.
    pub(crate) fn settled(
        &mut self,
        work: &mut Work,
        settling: &Settling,
        rows: Option<&[u8]>,
    ) -> Result<(), SessionError> {
        let Settling { statement, name, types, place, .. } = settling;
        let settled = Settled::new(types, rows);
        if statement.settled().is_some_and(|known| *known != settled) {
            self.forget_described(work, statement);
            return self.plan_changed(work, statement.number());
        }
        if let Some(place) = place {
            self.database.registry.memo().descriptions.learn(place.key, (types, rows), &settled);
            if !is_settled_by_parse(statement) {
                return Ok(());
            }
        }
        let shared = self.database.registry.settle(statement, settled);
        if !Arc::ptr_eq(&shared, statement) {
            work.loan.prepared.rename(statement, &shared);
            self.facts.statements.share(name, statement, shared);
        }
        Ok(())
    }

    /// A statement has other rows at this backend than its client was told: the client gets the error that it would have
    /// got, and what was sent behind it is not for it.
    fn plan_changed(&mut self, work: &mut Work, number: u64) -> Result<(), SessionError> {
        tracing::debug!("a prepared statement returns other rows than before");
        work.loan.prepared.retire(number);
        if work.hearing == Some(Hearing::Statement) {
            work.stale = Some(number);
            return Ok(());
        }
        // Outside a block other statements of the group may be committed: whether they are the client must find out.
        if work.executes > 1 && work.loan.pipeline.status() == TransactionStatus::Idle {
            return Err(ClientError::PlanChanged.into());
        }
        work.collect = None;
        work.gathers = None;
        work.ledger.failed();
        self.end.queue().extend_from_slice(wire_error::PLAN_CHANGED);
        work.trouble = Trouble::Refused;
        Ok(())
    }

    /// A message for a client that was refused in the middle of a group: nothing of it is passed on but the group's end.
    pub(crate) fn refused(&mut self, work: &mut Work, tag: BackendTag) -> Result<(), SessionError> {
        if tag == BackendTag::CopyInResponse {
            return Err(ClientError::PlanChanged.into());
        }
        if tag != BackendTag::ReadyForQuery {
            return Ok(());
        }
        work.trouble = Trouble::None;
        let status = match work.loan.pipeline.status() {
            // The block must have failed there too, before anything else runs in it.
            TransactionStatus::InTransaction if work.loan.pipeline.owes() => {
                return Err(ClientError::PlanChanged.into());
            }
            TransactionStatus::InTransaction => {
                fail(&mut work.loan, Asker::Proxy, Note::Fail);
                work.loan.framed.queue().extend_from_slice(encode::SYNC);
                work.loan.pipeline.sent(Sent::Sync, Asker::Proxy, None);
                TransactionStatus::Failed
            }
            status => status,
        };
        encode::ready_for_query(status, self.end.queue());
        if status == TransactionStatus::Idle {
            self.after_ready(work);
        }
        Ok(())
    }

    /// A group of the client's messages has ended.
    pub(crate) fn heard(&mut self, work: &mut Work, done: Option<Note>) {
        let names = &mut self.facts.statements;
        if work.loan.pipeline.is_quiet() {
            names.heard_all();
        } else if let Some(Note::Sync(group) | Note::Call(group) | Note::Query { group, .. }) = done
        {
            names.heard(group);
        }
        self.send_signals(work);
    }

    /// A statement of a simple query has taken names of statements away.
    pub(crate) fn deallocated(&mut self, backend: &mut Backend, kind: &Kind) {
        match kind {
            Kind::Deallocate(None) | Kind::Discard(Discarded::All) => {
                self.facts.statements.clear();
                backend.prepared.clear();
            }
            Kind::Deallocate(Some(name)) => {
                if let Some(statement) = self.facts.statements.remove(name.as_bytes()) {
                    backend.prepared.remove(&statement);
                }
            }
            _ => {}
        }
    }

    /// An error has ended one request, and the backend skips those behind it: what was said of them ahead is taken back.
    pub(crate) fn take_back(
        &mut self,
        work: &mut Work,
        error: &[u8],
        (failed, skipped): (Option<Note>, Vec<Note>),
    ) {
        work.end_skipped(error, failed.as_ref(), &skipped);
        if let Some(failed) = &failed {
            self.forget_refused(work, error, failed);
        }
        // What was bound behind the error is not there.
        let names = &self.facts.statements;
        work.portals.forget(|group| names.is_first_unheard(group));
        // The last one first: each puts back what it found.
        for note in skipped.into_iter().rev() {
            self.take_one_back(&mut work.loan, note);
        }
        match failed {
            // The backend has dropped the last one before it read the next (`exec_parse_message`).
            Some(Note::Parse { statement, name, .. }) if name.is_empty() => {
                work.loan.prepared.remove(&statement);
                statement.take_back(None);
                self.facts.statements.put_back(&name, None);
            }
            Some(note) => self.take_one_back(&mut work.loan, note),
            None => {}
        }
    }

    fn take_one_back(&mut self, backend: &mut Backend, mut note: Note) {
        if let Note::Parse { statement, before, .. } = &mut note {
            *before = Before::standing(before.take());
            statement.take_back(before.clone());
        }
        backend.take_back(&mut note);
        let names = &mut self.facts.statements;
        match note {
            Note::Parse { name, before, .. } => {
                names.put_back(&name, before.map(|before| before.statement));
            }
            Note::Unnamed(name, statement) | Note::Given { name, statement } => {
                names.put_back(&name, Some(statement));
            }
            Note::Execute(_, _, Some(ahead), _) => match *ahead {
                Ahead::Closed(name, statement, _) => names.put_back(&name, Some(statement)),
                Ahead::Cleared(known, _) => names.put_all_back(known),
            },
            _ => {}
        }
    }
}
