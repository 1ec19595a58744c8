//! A backend while a session holds it, and what is under way there.
//!
//! All of it ends with the loan: none of it can be carried to another backend. What must outlive a checkin is in `facts`,
//! or in the session.

use std::{collections::BTreeMap, sync::Arc};

use cache::{
    Cache,
    sql::{Writes, mysql::Rights},
};
use origin::pool::Loan;
use protocol::mysql::capabilities::StatusFlags;

use super::{
    backend::Note, catalog::Part, facts::Open, forward::Command, origin::Origin, plan::Text,
};

/// One loan.
#[derive(Debug)]
pub(crate) struct Work {
    /// The backend. Dropped, it is closed.
    pub(crate) loan: Loan<Origin>,
    /// What the open transaction, or the statement under way, has written.
    writes: Writes,
    /// What the command under way may write, until it is heard that it ran.
    sent: Writes,
    /// The fingerprint of the catalog by which the first of them was judged.
    judged_by: Option<u64>,
    /// While a command is under way that may make those writes visible to others.
    pub(crate) writing: Option<cache::Writing>,
    /// What must be asked of the backend before it is given back.
    pub(crate) asks: Asks,
    /// The block that was begun here for the client.
    block: Block,
    /// Something ran that was no plain read.
    has_acted: bool,
    /// The command under way was sent into a transaction.
    pub(crate) was_open: bool,
    /// The statements of which the backend has something of the client's, a cursor or long data, by the ids that it was told.
    pub(crate) statements: BTreeMap<u32, There>,
}

/// Where a block stands that is begun for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    None,
    /// With the command under way.
    Begins,
    Begun,
}

/// What a backend has of one of the client's statements.
#[derive(Debug)]
pub(crate) struct There {
    /// What it calls it.
    pub(crate) id: u32,
    /// The parameters whose values came by COM_STMT_SEND_LONG_DATA.
    pub(crate) long_data: Vec<u16>,
}

/// Questions that have come up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asks {
    /// Which named locks are left.
    pub(crate) locks: bool,
    /// Which collation a character set came with.
    pub(crate) collation: bool,
    /// Settings that were assigned without a report.
    pub(crate) variables: Vec<String>,
    /// A name, and the user variable that holds the text which was prepared under it.
    pub(crate) prepared: Option<(String, String)>,
    /// What ran while it was not known which code there is.
    pub(crate) code: Option<Box<Text>>,
    /// Whether something ran unseen that may have changed rights.
    pub(crate) rights: Rights,
}

impl Asks {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { locks, collation, variables, prepared, code, rights } = self;
        let is_text = variables.is_empty() && prepared.is_none() && code.is_none();
        !locks && !collation && is_text && *rights == Rights::Kept
    }
}

impl Work {
    /// A backend that has just been borrowed.
    pub(crate) fn new(loan: Loan<Origin>) -> Self {
        Self {
            loan,
            writes: Writes::None,
            sent: Writes::None,
            judged_by: None,
            writing: None,
            asks: Asks::default(),
            block: Block::None,
            has_acted: false,
            was_open: false,
            statements: BTreeMap::new(),
        }
    }

    /// A block begins with the command that comes next.
    pub(crate) fn begin(&mut self) {
        self.block = Block::Begins;
    }

    /// The command has ended with which a block may have begun.
    pub(crate) fn has_begun(&mut self) {
        if self.begins() {
            self.block = Block::Begun;
        }
    }

    /// Whether a block begins with the command under way.
    pub(crate) fn begins(&self) -> bool {
        self.block == Block::Begins
    }

    /// Whether its transaction is a block that was begun here for the client.
    pub(crate) fn is_block(&self) -> bool {
        self.block != Block::None
    }

    /// Whether the backend has something of the client's that no other one has, pins aside.
    pub(crate) fn holds_state(&self) -> bool {
        self.loan.in_transaction() || self.loan.exchange.has_cursor()
    }

    /// Whether a transaction may be open: after an error it is not known.
    pub(crate) fn may_be_in_transaction(&self) -> bool {
        self.loan.in_transaction() || self.loan.exchange.is_in_doubt()
    }

    /// Whether nothing has run here but plain reads, and the backend has answered all and has nothing else of the client's.
    pub(crate) fn has_only_read(&self) -> bool {
        !self.has_acted
            && self.asks.is_empty()
            && self.statements.is_empty()
            && self.loan.is_quiet()
            && !self.loan.unfit
            && !self.loan.exchange.has_cursor()
            && !self.loan.exchange.is_in_doubt()
    }

    /// Whether the client has nothing here: it was borrowed to be asked something.
    pub(crate) fn is_untouched(&self) -> bool {
        self.has_only_read() && !self.loan.in_transaction()
    }

    /// What the backend calls the client's statement of this id, if it has it.
    pub(crate) fn id_of(&mut self, id: u32, open: &Open) -> Option<u32> {
        let held = self.statements.get(&id).map(|there| there.id);
        held.or_else(|| self.loan.prepared.find(&open.statement, &open.types))
    }

    /// The parameters of a statement whose values the backend has already.
    pub(crate) fn long_data_of(&self, id: u32) -> &[u16] {
        self.statements.get(&id).map_or(&[], |there| &there.long_data)
    }

    /// Queues a command of the client's. From now on, until its end is heard, no reply is kept of what it may make visible
    /// to others.
    pub(crate) fn send(
        &mut self,
        command: &Command<'_>,
        payload: &[u8],
        (cache, scope): (&Cache, &Arc<str>),
    ) {
        let text = command.text;
        self.has_acted |= !text.is_some_and(Text::is_plain_read);
        let is_open = self.begins() || self.loan.in_transaction();
        self.was_open = is_open;
        let may_commit = !is_open || text.is_some_and(Text::may_commit);
        self.loan.send(command.kind, payload, Note::Client);
        self.sent = text.map_or(Writes::None, Text::writes);
        let judged = text.and_then(|text| text.judged.as_deref());
        self.judged_by = self.judged_by.or(judged.map(|judged| judged.judged_by));
        if may_commit && (self.writes != Writes::None || self.sent != Writes::None) {
            let mut writing = cache.write(scope, &self.writes, self.loan.thread_id);
            writing.extend(&self.sent);
            if let Some(gate) = writing.gate() {
                self.loan.framed.hold(serving::hold::behind(gate));
            }
            self.writing = Some(writing);
        }
    }

    /// Takes in that the command under way ran: what it may write counts.
    pub(crate) fn ran(&mut self) {
        self.writes.merge(std::mem::take(&mut self.sent));
    }

    /// Takes in that it was refused before it did anything.
    pub(crate) fn never_ran(&mut self) {
        self.sent = Writes::None;
    }

    /// What was written can be seen by others as soon as no transaction is open.
    pub(crate) fn note_writes(&self, status: StatusFlags, (cache, catalog): (&Cache, &Part)) {
        if !status.contains(StatusFlags::SERVER_STATUS_IN_TRANS) && self.writes != Writes::None {
            // It may have waited for somebody who changed what it did.
            let is_present = self.judged_by.is_none_or(|judged_by| {
                let present = catalog.known();
                present.is_some_and(|present| present.catalog().fingerprint() == judged_by)
            });
            if is_present {
                cache.invalidate(catalog.scope(), &self.writes);
            } else {
                // More than was announced.
                cache.invalidate_everywhere(catalog.scope(), &Writes::Everything);
            }
        }
    }

    /// What was written may be visible by now, and it is not known.
    pub(crate) fn invalidate(&self, cache: &Cache, scope: &str) {
        cache.invalidate(scope, &self.writes);
    }

    /// No transaction is open: what is written from now on is another's.
    pub(crate) fn forget_writes(&mut self) {
        self.writes = Writes::None;
        self.judged_by = None;
    }

    /// Takes in whether a transaction is open still.
    pub(crate) fn note_open_transaction(&mut self, known: (&Cache, &Part)) {
        self.note_writes(self.loan.status(), known);
        if !self.loan.in_transaction() {
            self.forget_writes();
        }
    }
}
