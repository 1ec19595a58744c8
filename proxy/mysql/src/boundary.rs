//! Where a transaction block begins and ends, as far as that needs no answer of the origin's.
//!
//! A block begins when it does something: until then no backend is held, and START TRANSACTION travels in front of the
//! first command that needs one. The end of a block that has only read is not waited for: its client is told at once, and
//! the backend is lent again when it has answered. What a text says beyond the usual words is left to the origin.

use bytes::BytesMut;
use cache::sql::mysql::Kind;
use protocol::mysql::{
    capabilities::{CapabilityFlags, StatusFlags},
    reply::{Change, OkPacket, encode_change},
};
use serving::{error::SessionError, hold::Hold, observe::Saved};
use tokio::time::{Instant, timeout};

use super::{
    backend::{Backend, Note},
    learnt::{Isolation, Transactions},
    outcome::Outcome,
    plan::{Text, one_kind},
    questions::{ask, hear_rows},
    session::Session,
    settle::ASK_TIMEOUT,
    work::Work,
};

/// What MySQL 9 tells of a block that has begun, and of none, also where it is to tell nothing of transactions
/// (`session_track_transaction_info`). MariaDB does not.
const IN_BLOCK: &[u8] = b"T_______";
const IN_NONE: &[u8] = b"________";

/// A block that the client has begun, and no backend knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    /// The client said READ ONLY.
    says_read_only: bool,
    /// It is, because of that or of a setting.
    is_read_only: bool,
}

/// A text that begins or ends a block, and says nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Boundary {
    Begin { read_only: bool },
    Commit,
    Rollback,
}

impl Begun {
    /// The flags of a session that is in it.
    pub(crate) fn flags(self) -> StatusFlags {
        let mut flags = StatusFlags::SERVER_STATUS_IN_TRANS;
        flags.set(StatusFlags::SERVER_STATUS_IN_TRANS_READONLY, self.is_read_only);
        flags
    }

    const fn sql(self) -> &'static str {
        if self.says_read_only { "START TRANSACTION READ ONLY" } else { "START TRANSACTION" }
    }
}

impl Boundary {
    /// `None` of any other text, and of one that says more: READ WRITE, which a server may refuse, a snapshot, AND CHAIN,
    /// RELEASE, or what is in comments.
    fn of(text: &Text) -> Option<Self> {
        let boundary = match one_kind(text)? {
            Kind::Begin => Self::Begin { read_only: false },
            Kind::Commit => Self::Commit,
            Kind::Rollback => Self::Rollback,
            _ => return None,
        };
        let said = text.sql.trim_ascii();
        let said = said.strip_suffix(b";").unwrap_or(said);
        let mut words = said.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let mut next = || words.next().unwrap_or_default();
        let (first, second, third, fourth, more) = (next(), next(), next(), next(), next());
        let is = |word: &[u8], known: &str| word.eq_ignore_ascii_case(known.as_bytes());
        let ends =
            |word: &[u8], next: &[u8]| next.is_empty() && (word.is_empty() || is(word, "WORK"));
        match boundary {
            Self::Begin { .. } if is(first, "BEGIN") && ends(second, third) => Some(boundary),
            Self::Begin { .. } if is(first, "START") && is(second, "TRANSACTION") => {
                let read_only = is(third, "READ") && is(fourth, "ONLY") && more.is_empty();
                (read_only || third.is_empty()).then_some(Self::Begin { read_only })
            }
            Self::Commit if is(first, "COMMIT") && ends(second, third) => Some(boundary),
            Self::Rollback if is(first, "ROLLBACK") && ends(second, third) => Some(boundary),
            _ => None,
        }
    }
}

impl Session {
    /// Answers a text that begins or ends a block without the origin, or ahead of it. False where it must be asked.
    pub(crate) async fn answer_boundary(&mut self, text: &Text) -> Result<bool, SessionError> {
        let Some(boundary) = Boundary::of(text) else { return Ok(false) };
        // What keeps a backend may be what a boundary ends.
        if self.is_kept() {
            return Ok(false);
        }
        let Some(usual) = self.transactions() else { return Ok(false) };
        self.put_back_untouched().await?;
        let had_begun = self.facts.begun.is_some();
        let is_block = self.hold.work().is_some_and(|work| work.is_block());
        let tells = match self.client.has(CapabilityFlags::CLIENT_SESSION_TRACK) {
            true => self.database.learnt.tells_blocks(),
            false => Some(false),
        };
        let Some(tells) = tells else { return Ok(false) };
        let (saved, state) = match (boundary, self.hold.is_free()) {
            (Boundary::Begin { read_only }, true) if self.database.config.round_trips.begin => {
                // MySQL ends a block with a BEGIN, and goes on with what was said of it (`trans_begin` in transaction.cc).
                let said_before = self.facts.begun.is_some_and(|begun| begun.says_read_only);
                let says_read_only = read_only || (said_before && !self.is_mariadb());
                let is_read_only = says_read_only || self.is_read_only(usual);
                self.facts.begun = Some(Begun { says_read_only, is_read_only });
                self.facts.answered = None;
                (Saved::Begin, Some(IN_BLOCK).filter(|_| !had_begun))
            }
            (Boundary::Begin { .. }, _) => return Ok(false),
            _ if self.chains(usual) => return Ok(false),
            (_, true) => {
                if !had_begun && !self.database.config.round_trips.commit {
                    return Ok(false);
                }
                (self.facts.begun, self.facts.answered) = (None, None);
                (Saved::Commit, Some(IN_NONE).filter(|_| had_begun))
            }
            (boundary, false) => {
                if !self.may_end_ahead(usual) {
                    return Ok(false);
                }
                let sql = if boundary == Boundary::Commit { "COMMIT" } else { "ROLLBACK" };
                self.end_ahead(sql).await;
                (Saved::Commit, Some(IN_NONE).filter(|_| is_block))
            }
        };
        let mut changes = BytesMut::new();
        if let Some(state) = state.filter(|_| tells) {
            encode_change(&Change::TransactionState(state), &mut changes);
        }
        let status = self.status();
        self.client.put_ok_packet(OkPacket { status, changes: &changes, ..OkPacket::default() });
        let is_mariadb = self.is_mariadb();
        self.facts.last.ran(text, &Outcome::default(), is_mariadb);
        self.facts.last.is_elsewhere();
        self.database.metrics.saves(saved);
        self.count(false);
        Ok(true)
    }

    /// Gives a backend back that was borrowed to learn how sessions begin: what comes next may need none.
    pub(crate) async fn put_back_untouched(&mut self) -> Result<(), SessionError> {
        match self.hold.work().is_some_and(Work::is_untouched) {
            true => self.checkin().await,
            false => Ok(()),
        }
    }

    /// Ends a transaction that has only read, of a client that leaves it. False where more must be cleaned.
    pub(crate) async fn leaves_a_read(&mut self) -> bool {
        if self.hold.is_free() || self.is_kept() {
            return false;
        }
        let usual = self.transactions();
        let is_left = usual.is_some_and(|usual| !self.chains(usual) && self.may_end_ahead(usual));
        if is_left {
            self.end_ahead("ROLLBACK").await;
        }
        is_left
    }

    /// What transactions of this account are like where nothing is set.
    fn transactions(&self) -> Option<Transactions> {
        let user = &self.database.config.origin.user;
        self.database.learnt.transactions(user, self.database.generations.number())
    }

    /// Queues the beginning of a block that the backend does not know of yet, in front of what makes it begin.
    ///
    /// # Errors
    ///
    /// When there is no backend.
    pub(crate) fn begin_there(&mut self, text: Option<&Text>) -> Result<(), SessionError> {
        let Some(begun) = self.facts.begun.take() else { return Ok(()) };
        // MariaDB may have a KILL QUERY end a START TRANSACTION, and what is behind it would commit by itself. One KILL
        // ends one statement, so that of two of them one has begun the block. MySQL ends no START TRANSACTION.
        let is_doubled = self.is_mariadb() && !text.is_some_and(Text::is_plain_read);
        let work = self.hold.held("begin a block")?;
        work.begin();
        for _ in 0..=usize::from(is_doubled) {
            work.loan.send_query(begun.sql(), Note::Begin);
        }
        Ok(())
    }

    /// The same in front of a COM_STMT_PREPARE, of which a block that only reads refuses some.
    pub(crate) fn begin_to_prepare(&mut self, text: &Text) -> Result<(), SessionError> {
        match self.facts.begun {
            Some(Begun { is_read_only: true, .. }) if !text.is_plain_read() => {
                self.begin_there(Some(text))
            }
            _ => Ok(()),
        }
    }

    /// Whether transactions of this session are read only where nothing else is said.
    fn is_read_only(&self, usual: Transactions) -> bool {
        let own = ["transaction_read_only", "tx_read_only"];
        let own = own.iter().find_map(|name| self.facts.settings.get(name));
        own.map_or(usual.are_read_only, |sql| sql != "'OFF'" && sql != "0")
    }

    /// How transactions of this session are isolated, as far as that is known.
    pub(crate) fn isolation(&self) -> Option<Isolation> {
        self.transactions().map(|usual| self.isolation_beside(usual))
    }

    fn isolation_beside(&self, usual: Transactions) -> Isolation {
        let own = ["transaction_isolation", "tx_isolation"];
        let own = own.iter().find_map(|name| self.facts.settings.get(name));
        own.map_or(usual.isolation, |sql| Isolation::of(sql.trim_matches('\'').as_bytes()))
    }

    /// Whether the end of a transaction may begin another, or end the connection.
    fn chains(&self, usual: Transactions) -> bool {
        let own = self.facts.settings.get("completion_type");
        own.map_or(usual.chain, |sql| sql != "'NO_CHAIN'" && sql != "0")
    }

    /// Whether the transaction has reached a backend, has only read there, and its end could go unheard.
    pub(crate) fn has_only_read(&self) -> bool {
        self.transactions().is_some_and(|usual| self.may_end_ahead(usual))
    }

    /// Whether the backend has a transaction that has only read, and nothing else of the client's.
    fn may_end_ahead(&self, usual: Transactions) -> bool {
        let Hold::Held(work) = &self.hold else { return false };
        self.database.config.round_trips.commit
            && self.isolation_beside(usual) != Isolation::Other
            && work.has_only_read()
            && work.loan.in_transaction()
            && !self.facts.asks_charsets
            && self.facts.last.is_known()
            && !self.has_conditions()
            && !self.clock.timed_out
            && !self.client.thread.slot.is_being_killed()
    }

    /// Sends the end of a transaction that has only read, and leaves the backend to go back by itself.
    async fn end_ahead(&mut self, sql: &str) {
        let Some(mut work) = self.hold.take() else { return };
        work.loan.send_query(sql, Note::Question);
        let was_hit = self.client.thread.slot.point_at(None).await;
        if self.client.thread.slot.is_in_doubt() {
            // Dropped, it is closed, which ends the transaction as well.
            return;
        }
        let doubt = std::sync::Arc::clone(&self.database.doubt);
        self.context.common.tasks.spawn(async move {
            match timeout(ASK_TIMEOUT, ended(&mut work.loan, was_hit)).await {
                Ok(Ok(true)) => {
                    work.loan.framed.trim_buffers();
                    let Work { loan, .. } = *work;
                    loan.checkin();
                }
                Ok(Ok(false)) => {}
                Ok(Err(error)) => {
                    tracing::debug!(
                        error = &error as &dyn std::error::Error,
                        "backend lost behind a transaction"
                    );
                    doubt.raise();
                }
                Err(_elapsed) => {
                    tracing::debug!("the end of a transaction was not answered in time");
                }
            }
        });
    }
}

/// Hears the end of a transaction. True if the backend can serve somebody else.
async fn ended(backend: &mut Backend, was_hit: bool) -> Result<bool, SessionError> {
    let mut done = hear_rows(backend).await?.is_ok();
    if was_hit {
        // A KILL QUERY that came too late may wait for the next statement: this is it.
        done &= ask(backend, "DO 0").await?.is_ok();
    }
    // Nobody is there to be told.
    backend.unheard.clear();
    Ok(done && backend.is_idle() && !backend.unfit && !backend.is_expired(Instant::now()))
}
