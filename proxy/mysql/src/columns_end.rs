//! The EOF between columns and rows, for clients of the old framing whose backend sends none.
//!
//! It says what the end of the same rows will say (`SERVER_MORE_RESULTS_EXISTS`, `SERVER_PS_OUT_PARAMS` and the rest),
//! and clients go by it: who leaves a result unread asks for the next one only if this packet promised it. So it is
//! queued with a blank in it, and what stands behind it is held back until the end is known. Rows that do not come at
//! once, or are many, go out with what the text lets foresee.

use std::sync::Arc;

use bytes::BytesMut;
use cache::sql::mysql::{Analysis, Kind};
use protocol::mysql::{
    capabilities::StatusFlags, exchange::CommandKind, packet::HEADER_LEN, reply,
};

use super::{
    client_end::ClientEnd,
    plan::Text,
    relay::{Place, Relay, SESSION_FLAGS},
    session::{HIGH_WATER, Session},
};

/// The packet, and how far its rows have got.
#[derive(Debug, Default)]
pub(crate) enum ColumnsEnd {
    /// Sent, or not due.
    #[default]
    Settled,
    /// Due before the next row.
    Owed,
    /// In the client's queue from this place on, with a blank.
    Blank(usize),
    /// The same, with all that stands behind it, where it cannot be written yet.
    Held(BytesMut),
}

/// What the text of a command says of its results before they come.
#[derive(Debug, Default)]
pub(crate) struct Foresight {
    analysis: Option<Arc<Analysis>>,
    /// How many of its statements have ended; `None` when that is not known.
    ended: Option<usize>,
}

/// Whether another result follows the present one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum More {
    Surely(bool),
    Perhaps(bool),
}

impl Foresight {
    /// What can be known of a command.
    pub(crate) fn of(text: Option<&Text>) -> Self {
        let analysis = text.and_then(|text| text.analysis.clone());
        Self { ended: analysis.is_some().then_some(0), analysis }
    }

    fn kind(&self) -> Option<(&Kind, bool)> {
        let statements = &self.analysis.as_ref()?.statements;
        let ended = self.ended?;
        Some((&statements.get(ended)?.kind, ended + 1 < statements.len()))
    }

    fn more(&self, command: Option<CommandKind>) -> More {
        match self.kind() {
            // Its last result may be that of the OUT parameters.
            Some((Kind::Call(_), _)) if !matches!(command, Some(CommandKind::Query)) => {
                More::Perhaps(true)
            }
            Some((Kind::Call(_), _)) => More::Surely(true),
            Some((Kind::Code | Kind::Execute(_) | Kind::Unknown, others)) => More::Perhaps(others),
            Some((_, others)) => More::Surely(others),
            None => More::Perhaps(false),
        }
    }

    /// A result has ended. Those of a CALL are its own until its OK.
    pub(crate) fn result_ended(&mut self, is_ok: bool) {
        self.ended = match (self.kind(), self.ended) {
            (Some((Kind::Call(_), _)), ended) if !is_ok => ended,
            (Some((Kind::Code | Kind::Execute(_) | Kind::Unknown, _)) | None, _) => None,
            (Some(_), ended) => ended.map(|ended| ended + 1),
        };
    }
}

impl Session {
    /// The rows broke off: nothing says more than what could be foreseen.
    pub(crate) fn settle_columns_end_early(&mut self, relay: &mut Relay) {
        let status = self.foreseen(relay).0;
        self.client.settle_columns_end(status, relay);
    }

    /// More of the reply must come: what can go out with what is known goes, the rest is held back.
    pub(crate) fn hold_back(&mut self, relay: &mut Relay) {
        let ColumnsEnd::Blank(at) = relay.columns_end else { return };
        let (status, is_sure) = self.foreseen(relay);
        if is_sure || self.client.framed.queued().saturating_sub(at) >= HIGH_WATER {
            self.client.settle_columns_end(status, relay);
        } else if at < self.client.framed.queued() {
            relay.columns_end = ColumnsEnd::Held(self.client.framed.queue().split_off(at));
        }
    }

    /// The status that is most likely, and whether what matters of it is certain.
    fn foreseen(&mut self, relay: &Relay) -> (StatusFlags, bool) {
        let (more, is_sure) = match relay.foresight.more(relay.kind) {
            _ if relay.place == Place::Before => (true, true),
            More::Surely(more) => (more, true),
            More::Perhaps(more) => (more, false),
        };
        let mut status = self.status() & SESSION_FLAGS;
        status.set(StatusFlags::SERVER_MORE_RESULTS_EXISTS, more);
        (status, is_sure)
    }
}

impl ClientEnd {
    /// Queues the packet with a blank, if it is due.
    pub(crate) fn put_blank_end(&mut self, relay: &mut Relay) {
        if !matches!(relay.columns_end, ColumnsEnd::Owed) {
            return;
        }
        if relay.is_mute() {
            relay.columns_end = ColumnsEnd::Settled;
            return;
        }
        relay.columns_end = ColumnsEnd::Blank(self.framed.queued());
        self.put_eof(StatusFlags::empty(), relay);
    }

    /// The end of the rows says this status: so does the packet in front of them.
    pub(crate) fn settle_columns_end(&mut self, status: StatusFlags, relay: &mut Relay) {
        match std::mem::take(&mut relay.columns_end) {
            ColumnsEnd::Settled => {}
            ColumnsEnd::Owed => self.put_eof(status, relay),
            ColumnsEnd::Blank(at) => self.fill_blank(at, status),
            ColumnsEnd::Held(held) => {
                let at = self.release(held);
                self.fill_blank(at, status);
            }
        }
    }

    /// Puts what was held back into the queue again, since more of the reply has come.
    pub(crate) fn take_back(&mut self, relay: &mut Relay) {
        if let ColumnsEnd::Held(held) = &mut relay.columns_end {
            let held = std::mem::take(held);
            relay.columns_end = ColumnsEnd::Blank(self.release(held));
        }
    }

    fn put_eof(&mut self, status: StatusFlags, relay: &mut Relay) {
        let mut eof = BytesMut::new();
        // How many warnings there are is not known before the rows, and servers say 0 here.
        reply::encode_eof(0, status, &mut eof);
        self.pass(&eof, relay);
    }

    fn release(&mut self, held: BytesMut) -> usize {
        let at = self.framed.queued();
        if at == 0 {
            *self.framed.queue() = held;
        } else {
            self.framed.queue().extend_from_slice(&held);
        }
        at
    }

    fn fill_blank(&mut self, at: usize, status: StatusFlags) {
        let mut eof = BytesMut::new();
        reply::encode_eof(0, status, &mut eof);
        let place = self.framed.queue().get_mut(at + HEADER_LEN..);
        if let Some(place) = place.and_then(|place| place.get_mut(..eof.len())) {
            place.copy_from_slice(&eof);
        }
    }
}
