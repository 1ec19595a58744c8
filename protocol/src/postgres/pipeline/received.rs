//! What comes from a backend: whose it is, and what it leaves owed.

use super::{
    owed::{Copy, Doubt, Extended, Owed, Pipeline},
    reply::{Desync, Received, TransactionStatus},
    request::{Asker, Request},
    step::{Step, step},
};
use crate::postgres::frame::BackendTag;

impl<N> Pipeline<N> {
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
}
