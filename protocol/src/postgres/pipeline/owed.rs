//! What a backend owes, and what can be asked of that.

use std::collections::VecDeque;

use super::{
    reply::TransactionStatus,
    request::{Asker, LocalReply, Request},
};

/// Replies the backend still owes, oldest first.
///
/// ```text
///   sent(Parse) sent(Bind) sent(Execute) sent(Sync)        received(E) in the extended protocol
///   ┌───────┬──────┬─────────┬──────┐                      drops up to the next Sync
///   │ Parse │ Bind │ Execute │ Sync │ ──► received(1) …    ┌──────┐
///   └───────┴──────┴─────────┴──────┘     pops the front   │ Sync │ ──► received(Z) ──► idle if 'I'
///                                                          └──────┘
/// ```
///
/// `N` is a note that the caller attaches to a request and gets back when it completed.
#[derive(Debug)]
pub struct Pipeline<N> {
    pub(super) owed: VecDeque<Owed<N>>,
    pub(super) status: TransactionStatus,
    pub(super) copy: Copy,
    pub(super) extended: Extended,
    /// The running COPY has (as far as we know) ignored a `Sync`; its success proves that it did.
    pub(super) ignored_sync: bool,
    pub(super) doubt: Doubt,
}

#[derive(Debug)]
pub(super) enum Owed<N> {
    Reply {
        request: Request,
        asker: Asker,
        note: Option<N>,
        begun: bool,
    },
    Local {
        reply: LocalReply,
        note: Option<N>,
    },
    /// The client ended a COPY that had not been announced when it did.
    CopyEnd,
    /// An empty query of ours; a ReadyForQuery before its EmptyQueryResponse belongs to an older `Sync`.
    Probe {
        answered: bool,
    },
}

impl<N> Owed<N> {
    pub(super) fn into_note(self) -> Option<N> {
        match self {
            Self::Reply { note, .. } | Self::Local { note, .. } => note,
            Self::CopyEnd | Self::Probe { .. } => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copy {
    None,
    In,
    /// The client has sent CopyDone or CopyFail.
    InEnded,
    Out,
}

/// Where the extended protocol stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extended {
    /// Nothing sent since the last `Sync`.
    Synced,
    /// An implicit transaction may be open until the next `Sync`.
    Open,
    /// The backend skips everything up to the next `Sync`.
    Discarding,
}

/// Whether all that the backend owes is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    None,
    /// A COPY failed that may not have ignored a `Sync`: one more ReadyForQuery may come.
    Sync,
    /// It cannot be known any more: the backend is never idle again.
    Lost,
}

impl<N> Default for Pipeline<N> {
    fn default() -> Self {
        Self {
            owed: VecDeque::new(),
            status: TransactionStatus::Idle,
            copy: Copy::None,
            extended: Extended::Synced,
            ignored_sync: false,
            doubt: Doubt::None,
        }
    }
}

impl<N> Pipeline<N> {
    /// Nothing owed, no transaction open, nothing in doubt: the backend may be checked in.
    pub fn is_idle(&self) -> bool {
        self.is_quiet() && self.status == TransactionStatus::Idle && self.doubt == Doubt::None
    }

    /// Nothing owed and no pipeline left open by a missing `Sync`; a transaction block may be open.
    pub fn is_quiet(&self) -> bool {
        self.owed.is_empty() && self.copy == Copy::None && self.extended == Extended::Synced
    }

    /// Whether messages of the extended protocol were sent that no `Sync` has ended yet.
    pub fn is_open(&self) -> bool {
        self.extended != Extended::Synced
    }

    /// Whether the backend owes any reply.
    pub fn owes(&self) -> bool {
        !self.owed.is_empty()
    }

    /// How many replies are outstanding; a caller bounds how far a client may run ahead.
    pub fn depth(&self) -> usize {
        self.owed.len()
    }

    /// Whether a [`Pipeline::probe`] is needed before the backend can be called idle.
    pub fn is_in_doubt(&self) -> bool {
        self.doubt == Doubt::Sync && self.is_quiet()
    }

    /// The status of the last ReadyForQuery.
    pub fn status(&self) -> TransactionStatus {
        self.status
    }

    /// Whether the backend skips what it is sent until `Sync`.
    pub fn is_discarding(&self) -> bool {
        self.extended == Extended::Discarding
    }

    /// Whether the backend reads a COPY from the client, so that only COPY messages make sense.
    pub fn is_copying_in(&self) -> bool {
        self.copy == Copy::In
    }

    /// The note of the request that is being answered.
    pub fn current(&mut self) -> Option<&mut N> {
        match self.owed.front_mut() {
            Some(Owed::Reply { note, .. }) => note.as_mut(),
            _ => None,
        }
    }

    /// Who asked for what is being answered.
    pub fn current_asker(&self) -> Asker {
        match self.owed.front() {
            Some(Owed::Reply { asker, .. }) => *asker,
            Some(Owed::Probe { .. }) => Asker::Proxy,
            Some(Owed::Local { .. } | Owed::CopyEnd) | None => Asker::Client,
        }
    }

    /// Whether what is being answered is a message of the proxy's own, in a group that the proxy ends itself: what its client
    /// said comes behind that.
    pub fn is_ahead(&self) -> bool {
        let is_end =
            |request| matches!(request, Request::Sync | Request::Query | Request::FunctionCall);
        let end = self.owed.iter().find_map(|owed| match owed {
            Owed::Reply { request, asker, .. } if is_end(*request) => Some((*request, *asker)),
            _ => None,
        });
        let is_message = matches!(
            self.owed.front(),
            Some(Owed::Reply { request, asker: Asker::Proxy, .. }) if !is_end(*request)
        );
        is_message && end == Some((Request::Sync, Asker::Proxy))
    }

    pub(super) fn pop(&mut self) -> Option<N> {
        let note = self.owed.pop_front().and_then(Owed::into_note);
        // A COPY's end that met no COPY is ignored by the backend.
        while matches!(self.owed.front(), Some(Owed::CopyEnd)) {
            self.owed.pop_front();
        }
        note
    }
}
