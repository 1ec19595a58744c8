//! One connection to a PostgreSQL origin, and what the proxy knows of its state.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use cache::sql::postgres::Analysis;
use origin::{
    config::OnHost,
    net::Framed,
    pool::{Generation, TRUSTED},
};
use protocol::postgres::{
    frame::BackendTag,
    message,
    pipeline::{Pipeline, TransactionStatus},
};
use serving::activity::Counted;
use tokio::time::Instant;

use super::{
    beginning::{Beginning, CancelTarget},
    block::Isolation,
    described::Place,
    held::{Held, Prepared},
    ledger::Footprint,
    origin::take_frame,
    parameters::Parameters,
    places::Places,
    prepared::{Before, Statement},
    reset::Added,
    sequences::Home,
    settings::Settings,
};

/// The longest message an idle backend may send on its own.
const MAX_UNASKED_FRAME: usize = 64 * 1024;

/// What a request was, kept until its reply has come.
#[derive(Debug)]
pub(crate) enum Note {
    /// A simple query of the client's, what it may do, how many of its statements have completed, those of our own among
    /// them, where else its text is another, the statements that it names (by the client's name and the backend's), and the
    /// group that it is.
    /// If it is a PREPARE that is followed, also the statement that it makes. As it is counted, where it is.
    Query {
        analysis: Arc<Analysis>,
        footprint: Footprint,
        completed: usize,
        added: Option<Box<Added>>,
        places: Places,
        names: Vec<(Bytes, Arc<str>)>,
        group: u64,
        prepares: Option<Arc<Statement>>,
        asked: Option<Counted>,
    },
    /// The end of a group of the client's messages.
    Sync(u64),
    /// A FunctionCall of the client's, as a group of its own.
    Call(u64),
    /// An Execute of the client's, of a statement that is known, what that may do, what was believed ahead of its
    /// end, and as it is counted.
    Execute(Arc<Analysis>, Footprint, Option<Box<Ahead>>, Option<Counted>),
    /// An Execute of the client's that runs what nobody here has seen.
    Unseen,
    /// A Parse of the client's: its name for the statement, and what the name meant before.
    Parse { statement: Arc<Statement>, name: Bytes, before: Option<Before> },
    /// A request of the client's that names a statement: its name for it, and the backend's.
    Named(Bytes, Arc<str>),
    /// A Parse of our own that makes this statement known to the backend.
    Prepare(Arc<Statement>),
    /// A Describe, which settles a statement or shows that it is what was settled.
    Settle(Box<Settling>),
    /// An Execute of our own that prepares by SQL what SQL had prepared, under the client's name for it.
    Given { name: Bytes, statement: Arc<Statement> },
    /// A Close of our own that makes room for a newer statement.
    Evict(Held),
    /// A Close of our own of a name that nobody needs.
    Spare(Arc<str>),
    /// A Close of the client's that was answered without the backend.
    Unnamed(Bytes, Arc<Statement>),
    /// A request made to fail, so that the client gets this error in its place.
    Refuse(Bytes),
    /// The end of a question of our own that went behind a client's query in the same write.
    Behind,
    /// A request made to fail, so that the transaction block fails as the client was told.
    Fail,
    /// The BEGIN that a client was answered before a backend heard it.
    Begin,
    /// A Parse of our own of the text of a simple query.
    Text(Arc<Analysis>),
    /// The Bind behind it.
    Bound,
    /// A Describe of our own in a simple query's place, whose client is told of rows only.
    Rows,
    /// Our own query that gives the session's settings to the backend.
    Adopt,
    /// Our own query that asks whether what pinned the session is gone.
    PinProbe { still: bool },
    /// Our own query that asks whether a changed setting is the session's doing.
    ChangeProbe { of_session: bool },
    /// Our own query that takes a setting back which an idle backend must not have.
    Lift,
    /// Our own query whose failure is that of the client's statement behind it.
    Aside,
    /// Our own query at the end of a loan.
    Cleanup,
}

/// What a Describe has been answered with so far.
#[derive(Debug)]
pub(crate) struct Settling {
    pub(crate) statement: Arc<Statement>,
    /// The client's name for it.
    pub(crate) name: Bytes,
    /// Counted behind a PREPARE by SQL, whose error is the one that the client hears.
    pub(crate) is_aside: bool,
    /// The body of ParameterDescription.
    pub(crate) types: Bytes,
    /// Where the answer is remembered, of a text that its client has just prepared.
    pub(crate) place: Option<Place>,
}

/// What an Execute changes, believed when it is sent: it is taken back if an error comes before its end.
#[derive(Debug)]
pub(crate) enum Ahead {
    /// DEALLOCATE of this name, which meant this, and what the backend had.
    Closed(Bytes, Arc<Statement>, Option<Held>),
    /// DEALLOCATE ALL or DISCARD ALL.
    Cleared(foldhash::HashMap<Bytes, Arc<Statement>>, Prepared),
}

/// One connection to a PostgreSQL origin.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "things that may be true of it, in any combination"
)]
pub struct Backend {
    /// The stream and its buffers.
    pub(crate) framed: Framed,
    /// What it still owes.
    pub(crate) pipeline: Pipeline<Note>,
    /// What it reports of its settings.
    pub(crate) parameters: Parameters,
    /// The settings it was given for the session that uses it, or the last one that did.
    pub(crate) applied: Arc<Settings>,
    /// Whose it is that drew from a sequence here last.
    pub(crate) home: Option<Home>,
    /// The statements it has prepared.
    pub(crate) prepared: Prepared,
    /// What we know of its statements has turned out wrong: it is not lent again.
    pub(crate) unfit: bool,
    /// Another was lost since it was used last: it is asked whether it is there before it is used.
    pub(crate) is_doubtful: bool,
    /// Code ran on it that may have left anything behind: it is cleaned before anybody else has it.
    pub(crate) is_touched: bool,
    /// The group of messages with what may end a failed block, for as long as that is under way.
    pub(crate) ends_block: Option<u64>,
    /// How its transactions are isolated where nobody says so, if that is known.
    pub(crate) isolation: Option<Isolation>,
    /// Where to cancel its statement.
    pub(crate) key: Arc<CancelTarget>,
    /// Which of the origin's hosts it is on, and whether that is still in use.
    pub(crate) on: OnHost,
    /// Whether connections still begin as it did.
    generation: Generation<Beginning>,
    expires: Option<Instant>,
}

impl Backend {
    /// A connection that has just said its first ReadyForQuery.
    pub(crate) fn new(
        mut framed: Framed,
        parameters: Parameters,
        key: CancelTarget,
        (generation, expires): (Generation<Beginning>, Option<Instant>),
    ) -> Self {
        framed.reserve_input();
        Self {
            framed,
            pipeline: Pipeline::default(),
            parameters,
            applied: Arc::default(),
            home: None,
            prepared: Prepared::default(),
            unfit: false,
            is_doubtful: false,
            is_touched: false,
            ends_block: None,
            isolation: None,
            key: Arc::new(key),
            on: OnHost::ONLY,
            generation,
            expires,
        }
    }

    /// Whether it may be lent: in its lifetime, and neither closed nor out of step while it was idle.
    ///
    /// Looks at what the socket has, without waiting.
    pub(crate) fn is_usable(&mut self, now: Instant, rested: Duration) -> bool {
        if self.is_expired(now) || !self.pipeline.is_idle() {
            return false;
        }
        if !self.framed.stream().lend(rested <= TRUSTED) {
            return false;
        }
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match self.framed.poll_fill(&mut context) {
                Poll::Pending => return self.framed.input().is_empty(),
                Poll::Ready(Ok(0) | Err(_)) => return false,
                Poll::Ready(Ok(_)) if self.take_unasked() => {}
                Poll::Ready(Ok(_)) => return false,
            }
        }
    }

    /// Whether its time is over: its lifetime, that of its generation, or that of its host.
    pub(crate) fn is_expired(&self, now: Instant) -> bool {
        !self.generation.is_present()
            || !self.on.is_in_use()
            || self.expires.is_some_and(|expires| now >= expires)
    }

    /// Whether what it refuses to write might be written on another host.
    pub(crate) fn may_move(&self) -> bool {
        self.on.has_others() && !self.in_transaction()
    }

    /// The generation that it began with.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.number()
    }

    /// Takes what an idle backend may say on its own; anything else is the end of it.
    fn take_unasked(&mut self) -> bool {
        loop {
            match take_frame(self.framed.buffer(), MAX_UNASKED_FRAME) {
                Ok(None) => return true,
                Ok(Some((tag, body))) => match BackendTag::from(tag) {
                    BackendTag::ParameterStatus => match message::parameter_status(&body) {
                        Ok((name, value)) => self.parameters.set(name, value),
                        Err(_) => return false,
                    },
                    BackendTag::NoticeResponse | BackendTag::NotificationResponse => {}
                    _ => return false,
                },
                Err(_) => return false,
            }
        }
    }

    /// Whether it can serve somebody else now.
    pub(crate) fn is_idle(&self) -> bool {
        self.pipeline.is_idle() && self.framed.input().is_empty() && !self.framed.has_output()
    }

    /// The backend has not done what it was sent: what was recorded of it ahead is taken back.
    pub(crate) fn take_back(&mut self, note: &mut Note) {
        match note {
            Note::Parse { statement, before, .. } => {
                self.prepared.take_back(statement, before.as_ref());
            }
            Note::Prepare(statement) => drop(self.prepared.remove(statement)),
            Note::Evict(held) => self.prepared.restore(held.clone()),
            Note::Spare(name) => self.prepared.spare(Arc::clone(name)),
            Note::Execute(_, _, Some(ahead), _) => match &mut **ahead {
                Ahead::Closed(_, _, held) => {
                    held.take().into_iter().for_each(|held| self.prepared.restore(held));
                }
                Ahead::Cleared(_, prepared) => self.prepared = std::mem::take(prepared),
            },
            _ => {}
        }
    }

    /// Whether its transaction block has failed, and nothing is under way that may end it.
    pub(crate) fn is_failed(&self) -> bool {
        self.pipeline.status() == TransactionStatus::Failed && self.ends_block.is_none()
    }

    /// Whether a transaction block is open.
    pub(crate) fn in_transaction(&self) -> bool {
        self.pipeline.status() != TransactionStatus::Idle
    }
}
