//! What a session has while it has a backend: the loan, and what is under way on it.
//!
//! It begins with the checkout and ends with the loan, so that nothing of it can be carried to another backend. What
//! follows the client from one to the next is in `facts`.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use cache::sql::postgres::Pin;
use origin::pool::Loan;
use protocol::postgres::pipeline::TransactionStatus;
use serving::{activity::Counted, config::Limit, observe::metrics::Entered};
use tokio::time::Instant;

use super::{
    batch::Frame, client_end::HIGH_WATER, described::Place, fill::Collect, ledger::Ledger,
    origin::Origin, parameters::Parameters, portals::Portals, reworded::Signal, said::Gather,
    sequences::Drawn, settings::Settings,
};

/// The most replies that a client may be ahead of.
const MAX_DEPTH: usize = 8192;

/// A backend, and what is under way on it.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) loan: Loan<Origin>,
    /// What the running transaction has done.
    pub(crate) ledger: Ledger,
    /// While a transaction may be ending of which we have not heard the end.
    pub(crate) writing: Option<cache::Writing>,
    /// The reply that is gathered for the cache.
    pub(crate) collect: Option<Box<Collect>>,
    pub(crate) trouble: Trouble,
    /// Where it stands with a block of which its client was told before it was.
    pub(crate) opening: Opening,
    /// Why the session must keep this backend.
    pub(crate) pins: BTreeSet<Pin>,
    /// Counts the session among those that keep theirs.
    pub(crate) pinned: Option<Entered>,
    /// The client's open portals.
    pub(crate) portals: Portals,
    /// The settings that were given by half, or by an expression, and of which the backend has not yet reported what that
    /// makes.
    pub(crate) half_set: BTreeSet<String>,
    /// What the backend reported when it had just been given these settings.
    pub(crate) lent_with: Option<(Arc<Settings>, Parameters)>,
    /// What it draws from sequences.
    pub(crate) drawn: Drawn,
    /// A statement is under way that takes back settings or statements: what is behind it waits for its end.
    pub(crate) barrier: bool,
    /// Something was done that may have ended what pins the session.
    pub(crate) may_release: bool,
    pub(crate) hearing: Option<Hearing>,
    /// The group of messages that last changed a setting.
    pub(crate) last_set: Option<u64>,
    /// The number of a statement that has other rows at this backend than its client was told.
    pub(crate) stale: Option<u64>,
    /// The messages that were sent, for as long as the client has heard nothing of them.
    pub(crate) unheard: Option<Vec<Frame>>,
    /// The error of what was sent ahead of a simple query, until that has ended.
    pub(crate) failed_ahead: Option<Box<[u8]>>,
    /// The answer that is gathered to be said again.
    pub(crate) gathers: Option<Box<Gather>>,
    /// Where to remember what a statement is, until it is asked for.
    pub(crate) describes: Option<Place>,
    /// How many Executes were sent since the backend was idle.
    pub(crate) executes: u32,
    /// What statements that are under way do to other sessions, once they are over.
    pub(crate) signals: Vec<Signal>,
    /// What has completed last, and when: its answer was over then, or is with the end of its group.
    pub(crate) completed: Option<(Counted, Instant)>,
    /// How many pins others were told of.
    pub(crate) pins_told: usize,
    /// When what is under way was asked.
    pub(crate) asked_at: Option<Instant>,
    /// How long it may run.
    pub(crate) limit: Limit,
}

/// What went wrong and is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    /// The running statement was cancelled because it ran too long.
    TimedOut,
    /// The client was given an error of ours in the place of a reply: the rest of its group is not for it.
    Refused,
    /// The backend lacks a statement that it should have, and the client has heard nothing yet: once the group has ended, it
    /// is sent to another backend.
    Again,
    /// The same where the backend is on a host that does not write any more, as it seems: first that is looked into.
    Moves,
}

impl Trouble {
    /// Whether what was sent is sent again.
    pub(crate) const fn goes_again(self) -> bool {
        matches!(self, Self::Again | Self::Moves)
    }
}

/// Where a backend stands with a block that its client was told has begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Opening {
    /// There is none of which it has not heard.
    #[default]
    No,
    /// BEGIN is under way, with what the client has asked behind it.
    Ahead,
    /// BEGIN is under way, and nothing behind it.
    Alone,
    /// An error came before the block was open: as a message, and whether it is of a cancel request.
    Missed { error: Bytes, is_cancelled: bool },
}

/// What is waited for before the client is listened to again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// The end of a group of its messages, which decides what the next message means.
    Group(u64),
    /// What a backend says of a statement that it was just given.
    Statement,
}

impl Work {
    /// With a backend that nothing was sent to yet, and statements that may run so long.
    pub(crate) fn new(loan: Loan<Origin>, limit: Limit) -> Self {
        Self {
            loan,
            ledger: Ledger::default(),
            writing: None,
            collect: None,
            trouble: Trouble::None,
            opening: Opening::No,
            pins: BTreeSet::new(),
            pinned: None,
            portals: Portals::default(),
            half_set: BTreeSet::new(),
            lent_with: None,
            drawn: Drawn::default(),
            barrier: false,
            may_release: false,
            hearing: None,
            last_set: None,
            stale: None,
            unheard: None,
            failed_ahead: None,
            gathers: None,
            describes: None,
            executes: 0,
            signals: Vec::new(),
            completed: None,
            pins_told: 0,
            asked_at: None,
            limit,
        }
    }

    /// Whether the backend is at work for the client, so that what comes belongs to what it is doing.
    pub(crate) fn is_busy(&self) -> bool {
        !self.loan.pipeline.is_idle()
    }

    /// Whether the backend has nothing to do and nothing to say.
    pub(crate) fn is_settled(&self) -> bool {
        !self.is_busy() && self.loan.framed.input().is_empty()
    }

    /// Whether its block is open and nothing is under way in it.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.loan.pipeline.is_quiet()
            && self.loan.pipeline.status() == TransactionStatus::InTransaction
            && self.opening == Opening::No
            && self.trouble == Trouble::None
    }

    /// Whether what is sent now runs in a block.
    pub(crate) fn is_in_block(&self) -> bool {
        self.loan.in_transaction() || self.opening != Opening::No
    }

    /// Whether the session must keep this backend.
    pub(crate) fn is_pinned(&self) -> bool {
        !self.pins.is_empty()
    }

    /// Whether the backend must read, or reply, before more is taken from the client.
    pub(crate) fn is_congested(&self) -> bool {
        self.loan.framed.queued() >= HIGH_WATER || self.is_deep()
    }

    /// Whether the client is so far ahead of its replies that some must come first.
    pub(crate) fn is_deep(&self) -> bool {
        self.loan.pipeline.depth() >= MAX_DEPTH
    }

    /// Whether what comes next must wait for the end of what is under way.
    pub(crate) fn is_barred(&self) -> bool {
        // The rest of a pipeline, or of a COPY, is part of what is waited for.
        let pipeline = &self.loan.pipeline;
        self.hearing.is_some()
            || self.opening != Opening::No
            || self.trouble.goes_again()
            || self.barrier && !pipeline.is_open() && !pipeline.is_copying_in()
    }
}
