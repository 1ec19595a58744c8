//! Which replies a backend still owes, and so when it may serve somebody else.
//!
//! A [`Pipeline`] is fed with every frame in both directions and performs no I/O. It is deliberately
//! strict: a frame that was not owed is a [`Desync`], and where the protocol itself leaves a doubt (a
//! `Sync` that the backend may or may not have ignored during COPY) the backend is not idle until a probe
//! has settled it.
//!
//! The order of events is that of `PostgresMain` in `postgres.c`: each request is answered in turn; after an
//! error in the extended protocol everything up to `Sync` is skipped; `Flush` and `Sync` are ignored while a
//! COPY reads (`CopyGetData` in `copyfromparse.c`).

mod received;
mod request;
mod step;
mod whose;

use std::collections::VecDeque;

use self::step::{Copy, Step, step};
pub use self::{
    received::{Desync, Received, TransactionStatus},
    request::{Asker, Request},
};
use super::frame::BackendTag;

/// A reply that the proxy gives itself, in its place among the backend's.
pub type LocalReply = &'static [u8];

#[derive(Debug)]
enum Owed<N> {
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
    fn into_note(self) -> Option<N> {
        match self {
            Self::Reply { note, .. } | Self::Local { note, .. } => note,
            Self::CopyEnd | Self::Probe { .. } => None,
        }
    }
}

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
    owed: VecDeque<Owed<N>>,
    status: TransactionStatus,
    copy: Copy,
    extended: Extended,
    /// The running COPY has (as far as we know) ignored a `Sync`; its success proves that it did.
    ignored_sync: bool,
    doubt: Doubt,
}

/// Whether all that the backend owes is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    None,
    /// A COPY failed that may not have ignored a `Sync`: one more ReadyForQuery may come.
    Sync,
    /// It cannot be known any more: the backend is never idle again.
    Lost,
}

/// Where the extended protocol stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extended {
    /// Nothing sent since the last `Sync`.
    Synced,
    /// An implicit transaction may be open until the next `Sync`.
    Open,
    /// The backend skips everything up to the next `Sync`.
    Discarding,
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

    /// Records a frame on its way to the backend.
    pub fn sent(&mut self, request: Request, asker: Asker, note: Option<N>) {
        match request {
            Request::Flush | Request::CopyData => return,
            Request::CopyEnd => return self.sent_copy_end(),
            Request::Sync if self.copy == Copy::In => {
                // The backend ignores it, unless an error that we have not seen yet ended the COPY first.
                self.ignored_sync = true;
                return;
            }
            Request::Sync => self.extended = Extended::Synced,
            _ if self.extended == Extended::Discarding => {
                // If the `Sync` in doubt was not ignored, this is not skipped, and will be answered.
                if self.doubt != Doubt::None {
                    self.doubt = Doubt::Lost;
                }
                return;
            }
            // Its ReadyForQuery ends the implicit transaction too.
            Request::Query | Request::FunctionCall => self.extended = Extended::Synced,
            Request::Parse
            | Request::Bind
            | Request::DescribeStatement
            | Request::DescribePortal
            | Request::Execute
            | Request::Close => self.extended = Extended::Open,
        }
        self.owed.push_back(Owed::Reply { request, asker, note, begun: false });
    }

    /// Puts a reply of the proxy's own in its place; [`Pipeline::due`] hands it out when its turn comes. The note
    /// comes back only if an error overtakes it.
    pub fn answer_locally(&mut self, reply: LocalReply, note: Option<N>) {
        if self.extended != Extended::Discarding {
            self.extended = Extended::Open;
            self.owed.push_back(Owed::Local { reply, note });
        }
    }

    /// The next local reply whose turn has come; call until `None` after each change.
    pub fn due(&mut self) -> Option<LocalReply> {
        match self.owed.front() {
            Some(Owed::Local { reply, .. }) => {
                let reply = *reply;
                self.pop();
                Some(reply)
            }
            _ => None,
        }
    }

    /// Records that an empty query was sent to settle a doubt.
    pub fn probe(&mut self) {
        self.owed.push_back(Owed::Probe { answered: false });
    }

    /// Records a frame from the backend and says whose it is. `status` is the body's byte of a ReadyForQuery.
    ///
    /// # Errors
    ///
    /// [`Desync`] when the frame is not one the backend owed; the connection must be closed.
    pub fn received(&mut self, tag: BackendTag, status: Option<u8>) -> Result<Received<N>, Desync> {
        use BackendTag::*;
        match tag {
            NoticeResponse => return Ok(Received::more(self.current_asker())),
            ParameterStatus | NotificationResponse => {
                return Ok(Received::more(Asker::Client));
            }
            ErrorResponse => return Ok(self.failed()),
            ReadyForQuery => return self.ready(status),
            _ => {}
        }
        let desync = Desync { tag };
        match self.owed.front_mut() {
            Some(Owed::Probe { answered }) if tag == EmptyQueryResponse => {
                *answered = true;
                Ok(Received::more(Asker::Proxy))
            }
            Some(Owed::Reply { request, asker, begun, .. }) => {
                let (request, to) = (*request, *asker);
                *begun = true;
                match step(request, tag) {
                    Step::Wrong => Err(desync),
                    Step::More => Ok(Received::more(to)),
                    Step::Done => Ok(Received::done(to, self.pop())),
                    Step::Copy(copy) => {
                        self.copy_begins(copy);
                        Ok(Received::more(to))
                    }
                    Step::Result => {
                        (self.copy, self.ignored_sync) = (Copy::None, false);
                        let done = if request == Request::Execute { self.pop() } else { None };
                        Ok(Received::done(to, done))
                    }
                }
            }
            Some(Owed::Probe { .. } | Owed::Local { .. } | Owed::CopyEnd) | None => Err(desync),
        }
    }

    /// An ErrorResponse ends the request at the front, and in the extended protocol all up to `Sync`.
    fn failed(&mut self) -> Received<N> {
        let to = self.current_asker();
        self.copy = Copy::None;
        if std::mem::take(&mut self.ignored_sync) && self.doubt == Doubt::None {
            self.doubt = Doubt::Sync;
        }
        match self.owed.front_mut() {
            Some(Owed::Reply {
                request: Request::Query | Request::FunctionCall | Request::Sync,
                begun,
                ..
            }) => *begun = true,
            Some(Owed::Probe { .. }) => {}
            // Unasked, so a FATAL one: the end of the connection follows.
            None => {}
            Some(_) => {
                let sync = self.owed.iter().position(|owed| {
                    matches!(owed, Owed::Reply { request: Request::Sync, .. } | Owed::Probe { .. })
                });
                if sync.is_none() {
                    self.extended = Extended::Discarding;
                }
                let mut skipped = self.owed.drain(..sync.unwrap_or(self.owed.len()));
                let failed = skipped.next().and_then(Owed::into_note);
                let dropped = skipped.filter_map(Owed::into_note).collect();
                // Also what we slipped in ourselves stands for the client's request behind it.
                return Received { to: Asker::Client, done: None, failed, dropped };
            }
        }
        Received::more(to)
    }

    fn ready(&mut self, status: Option<u8>) -> Result<Received<N>, Desync> {
        let desync = Desync { tag: BackendTag::ReadyForQuery };
        let status = status.and_then(TransactionStatus::from_byte).ok_or(desync)?;
        let to = self.current_asker();
        match self.owed.front() {
            Some(Owed::Reply {
                request: Request::Query | Request::FunctionCall, begun, ..
            }) if *begun || self.doubt == Doubt::None => {
                self.status = status;
                self.copy = Copy::None;
                Ok(Received::done(to, self.pop()))
            }
            Some(Owed::Reply { request: Request::Sync, .. }) => {
                self.status = status;
                self.copy = Copy::None;
                Ok(Received::done(to, self.pop()))
            }
            Some(Owed::Probe { answered: true }) => {
                self.status = status;
                if self.doubt == Doubt::Sync {
                    self.doubt = Doubt::None;
                }
                self.pop();
                Ok(Received::more(Asker::Proxy))
            }
            // The answer to a `Sync` that could have been ignored and was not.
            _ if self.doubt != Doubt::None => {
                self.status = status;
                if self.extended == Extended::Discarding {
                    self.extended = Extended::Synced;
                }
                Ok(Received::more(Asker::Client))
            }
            _ => Err(desync),
        }
    }

    fn copy_begins(&mut self, copy: Copy) {
        self.copy = copy;
        if copy == Copy::Out {
            return;
        }
        // What was sent behind the COPY before it was announced is read by the COPY: every `Sync` up to the
        // client's own end is ignored.
        let mut at = 1;
        while let Some(owed) = self.owed.get(at) {
            match owed {
                Owed::Reply { request: Request::Sync, .. } => {
                    self.owed.remove(at);
                    self.ignored_sync = true;
                }
                Owed::CopyEnd => {
                    self.owed.remove(at);
                    self.copy = Copy::InEnded;
                    break;
                }
                Owed::Local { .. } => at = at.saturating_add(1),
                Owed::Reply { .. } | Owed::Probe { .. } => break,
            }
        }
        let extended =
            matches!(self.owed.front(), Some(Owed::Reply { request: Request::Execute, .. }));
        let synced = self.owed.iter().skip(1).any(|owed| {
            matches!(owed, Owed::Reply { request: Request::Sync | Request::Query, .. })
        });
        if extended && !synced {
            self.extended = Extended::Open;
        }
    }

    fn sent_copy_end(&mut self) {
        if self.copy == Copy::In {
            self.copy = Copy::InEnded;
        } else if !self.owed.is_empty() && self.extended != Extended::Discarding {
            self.owed.push_back(Owed::CopyEnd);
        }
    }

    fn pop(&mut self) -> Option<N> {
        let note = self.owed.pop_front().and_then(Owed::into_note);
        // A COPY's end that met no COPY is ignored by the backend.
        while matches!(self.owed.front(), Some(Owed::CopyEnd)) {
            self.owed.pop_front();
        }
        note
    }
}

#[cfg(test)]
mod tests;
