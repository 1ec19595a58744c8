//! What goes to a backend: each request makes it owe a reply.

use super::{
    owed::{Copy, Doubt, Extended, Owed, Pipeline},
    request::{Asker, LocalReply, Request},
};

impl<N> Pipeline<N> {
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

    fn sent_copy_end(&mut self) {
        if self.copy == Copy::In {
            self.copy = Copy::InEnded;
        } else if !self.owed.is_empty() && self.extended != Extended::Discarding {
            self.owed.push_back(Owed::CopyEnd);
        }
    }
}
