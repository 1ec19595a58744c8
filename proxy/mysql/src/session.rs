//! One client from its login to its leaving.
//!
//! ```text
//!             a command that needs a backend: lend, adopt
//!   no loan ───────────────────────────────────────────► loan ──┐ IN_TRANS, an open cursor
//!      ▲                                                  │ ▲   │
//!      │ is_idle() and no pins: questions, checkin        │ └───┘
//!      └──────────────────────────────────────────────────┤
//!                                                         │ user variable, temp table, lock, …
//!                                                         ▼
//!                                                       pinned ── until the state is gone, or the client
//! ```
//!
//! MySQL clients say one thing at a time: [`Session::serve`] takes a command, answers it, and settles.
//! `forward` sends, `relay` passes replies on, `ledger` learns from them, `leave` ends.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cache::sql::{Writes, mysql::Rights};
use origin::pool::Loan;
use protocol::mysql::{
    capabilities::{CapabilityFlags, StatusFlags},
    command::CommandTag,
    packet::Packet,
    reply::OkPacket,
};
use serving::{
    config::{Limit, PoolMode},
    error::{ClientError, SessionError},
    observe::{CacheStatus, metrics::Entered},
    until::until,
};
use tokio::time::Instant;

use super::{
    Context,
    adopt::Refusal,
    client_end::ClientEnd,
    database::Database,
    facts::Facts,
    handshake::Client,
    initial::Initial,
    origin::Origin,
    plan::Text,
    relay::{Relay, SESSION_FLAGS},
    settings,
};

/// A peer that owes us a read is not given more than this.
pub(crate) const HIGH_WATER: usize = 64 * 1024;
/// Longest time for the questions that are asked at the end of a loan.
pub(crate) const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// One client.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: ClientEnd,
    /// What it logged in with, as long as it is not known what that means at the origin.
    pub(crate) collation: Option<u16>,
    pub(crate) database: Arc<Database>,
    pub(crate) context: Arc<Context>,
    pub(crate) loan: Option<Loan<Origin>>,
    pub(crate) facts: Facts,
    /// What the open transaction, or the statement under way, has written.
    pub(crate) writes: Writes,
    /// What the command under way may write, until it is heard that it ran.
    pub(crate) sent: Writes,
    /// The fingerprint of the catalog by which the first of them was judged.
    pub(crate) judged_by: Option<u64>,
    /// While a command is under way that may make those writes visible to others.
    pub(crate) writing: Option<cache::Writing>,
    pub(crate) asked_at: Option<Instant>,
    /// Counts it among those that keep their backend.
    pub(crate) pinned: Option<Entered>,
    /// How long a statement may run.
    pub(crate) statement_timeout: Limit,
    /// What is under way takes as long as it takes.
    pub(crate) is_untimed: bool,
    /// The running statement was killed because it ran too long.
    pub(crate) timed_out: bool,
    pub(crate) last_status: CacheStatus,
    /// What must be asked of the backend before it is given back.
    pub(crate) asks: Asks,
    /// Whether it has begun as the server has connections begin.
    pub(crate) initial: Initial,
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
    fn is_empty(&self) -> bool {
        let Self { locks, collation, variables, prepared, code, rights } = self;
        let is_text = variables.is_empty() && prepared.is_none() && code.is_none();
        !locks && !collation && is_text && *rights == Rights::Kept
    }
}

/// How a client left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goodbye {
    /// With COM_QUIT.
    Said,
    /// By closing the connection.
    Unsaid,
}

impl Session {
    /// A session of a client that has just logged in.
    pub(crate) fn new(client: Client, context: Arc<Context>, write_timeout: Duration) -> Self {
        let schema = client.schema.as_deref().unwrap_or(&client.database.config.origin.database);
        let statement_timeout = client.database.config.statement_timeout(&client.user);
        let several = client.capabilities.contains(CapabilityFlags::CLIENT_MULTI_STATEMENTS);
        Self {
            facts: Facts::new(settings::Settings::default(), Some(schema), several),
            collation: Some(client.collation),
            client: ClientEnd {
                framed: client.framed,
                capabilities: client.capabilities,
                extended: client.extended,
                user: client.user,
                scramble: client.scramble,
                thread: client.thread,
                sequence: 0,
                answering: None,
                write_timeout,
                refused_changes: 0,
            },
            database: client.database,
            context,
            loan: None,
            writes: Writes::None,
            sent: Writes::None,
            judged_by: None,
            writing: None,
            asked_at: None,
            pinned: None,
            statement_timeout,
            is_untimed: false,
            timed_out: false,
            last_status: CacheStatus::NotAQuery,
            asks: Asks::default(),
            initial: Initial::Due,
        }
    }

    /// Serves until the client leaves, then gives back what it holds.
    ///
    /// # Errors
    ///
    /// Why it ended early; the client has been told where it could be.
    pub(crate) async fn run(mut self: Box<Self>) -> Result<(), SessionError> {
        let (context, slot) = (Arc::clone(&self.context), Arc::clone(&self.client.thread.slot));
        let ended = async {
            tokio::select! {
                () = slot.end().cancelled() => ClientError::Killed.into(),
                ended = context.common.ended() => ended,
            }
        };
        let result = until(self.serve(), ended).await.flatten();
        if let Err(error) = &result {
            if matches!(error, SessionError::BackendLost(_)) {
                self.database.doubt.raise();
            }
            self.tell_of_idleness(error);
            self.client.last_words(error).await;
        }
        // Boxed, as is what a session is opened with: while it lasts it pays for neither.
        Box::pin(self.leave()).await;
        result.map(|_goodbye| ())
    }

    /// The story of a session: a command is taken and answered, what is idle goes back.
    async fn serve(&mut self) -> Result<Goodbye, SessionError> {
        loop {
            let Some(command) = self.next_command().await? else { return Ok(Goodbye::Unsaid) };
            let Some((code, body)) = command.payload.split_first() else {
                // To the servers it is COM_SLEEP (`dispatch_command`), which nobody may send.
                self.client.refuse_text(1047, "08S01", "Unknown command");
                continue;
            };
            let tag = CommandTag::from(*code);
            if tag == CommandTag::Quit {
                return Ok(Goodbye::Said);
            }
            if std::mem::take(&mut self.timed_out) {
                // The KILL for the last statement must not reach this one.
                self.client.thread.slot.settled().await;
            }
            self.client.answering = Some(self.client.sequence);
            self.asked_at = Some(Instant::now());
            self.is_untimed = false;
            self.database.metrics.query_bytes.inc_by(command.payload.len() as u64);
            let body = command.payload.slice_ref(body);
            // Boxed: most sessions are idle, and have no room for it.
            Box::pin(self.answer(tag, &command.payload, body.clone())).await?;
            if self.begins_again() {
                Box::pin(self.answer(tag, &command.payload, body)).await?;
            }
            self.client.answering = None;
            self.settle().await?;
        }
    }

    /// Answers one command.
    async fn answer(
        &mut self,
        tag: CommandTag,
        payload: &Bytes,
        body: Bytes,
    ) -> Result<(), SessionError> {
        let needs_settings = !matches!(
            tag,
            CommandTag::Ping
                | CommandTag::SetOption
                | CommandTag::ResetConnection
                | CommandTag::ChangeUser
                | CommandTag::StmtClose
                | CommandTag::StmtSendLongData
        );
        if needs_settings && let Err(refusal) = self.settle_collation().await? {
            // Without an origin it is not known what it would have made of the login.
            self.client.refuse(&refusal);
            return Ok(());
        }
        if needs_settings
            && self.initial == Initial::Due
            && let Err(refusal) = Box::pin(self.begin()).await?
        {
            self.client.refuse(&refusal);
            return Ok(());
        }
        match tag {
            CommandTag::Query => self.query(&body).await,
            CommandTag::StmtPrepare => self.prepare(body).await,
            CommandTag::StmtExecute => self.execute(&body).await,
            CommandTag::StmtBulkExecute if self.client.executes_in_bulk() => {
                self.execute_in_bulk(&body).await
            }
            CommandTag::StmtFetch => self.fetch(payload).await,
            CommandTag::StmtSendLongData => self.send_long_data(payload).await,
            CommandTag::StmtReset => self.reset_statement(&body).await,
            CommandTag::StmtClose => self.close_statement(&body).await,
            CommandTag::Ping => {
                self.put_ok();
                self.facts.last.passed(0);
                Ok(())
            }
            CommandTag::InitDb => self.init_db(&body).await,
            CommandTag::SetOption => self.set_option(&body),
            CommandTag::ResetConnection => self.reset_connection().await,
            CommandTag::ChangeUser => self.change_user(&body).await,
            CommandTag::ProcessKill => self.process_kill(&body).await,
            CommandTag::FieldList | CommandTag::Statistics | CommandTag::ProcessInfo => {
                self.pass(tag, payload).await
            }
            _ => {
                self.client.refuse_text(1047, "08S01", "Unknown command");
                Ok(())
            }
        }
    }

    /// Makes sure that it is known what the login's collation means, and how texts are read. The first client of
    /// all waits for a backend to say so.
    async fn settle_collation(&mut self) -> Result<Result<(), Refusal>, SessionError> {
        let Some(collation) = self.collation else { return Ok(Ok(())) };
        if self.database.learnt.collations().is_none()
            && let Err(refusal) = self.lend().await?
        {
            return Ok(Err(refusal));
        }
        let collations = self.database.learnt.collations().unwrap_or_default();
        self.facts.begin(settings::at_login(collation, self.client.capabilities, &collations));
        self.facts.intern(&self.database.settings);
        self.collation = None;
        Ok(Ok(()))
    }

    /// The client's next command. `None` when it has left.
    async fn next_command(&mut self) -> Result<Option<Packet>, SessionError> {
        loop {
            if let Some(command) = self.client.take_command()? {
                return Ok(Some(command));
            }
            if !self.wait_for_client().await? {
                return Ok(None);
            }
        }
    }

    /// Answers OK, of our own.
    pub(crate) fn put_ok(&mut self) {
        self.put_ok_with(StatusFlags::empty());
    }

    /// The same, with more flags.
    pub(crate) fn put_ok_with(&mut self, flags: StatusFlags) {
        let status = self.status() | flags;
        self.client.put_ok_packet(OkPacket { status, ..OkPacket::default() });
    }

    /// The status flags of this session.
    pub(crate) fn status(&mut self) -> StatusFlags {
        if let Some(loan) = &self.loan {
            return loan.status() & SESSION_FLAGS;
        }
        let mut status = StatusFlags::empty();
        status.set(StatusFlags::SERVER_STATUS_AUTOCOMMIT, self.facts.settings.is_autocommit());
        let modes = self.reading().modes.unwrap_or_default();
        status.set(StatusFlags::SERVER_STATUS_NO_BACKSLASH_ESCAPES, modes.no_backslash_escapes);
        let says_ansi = modes.ansi_quotes && self.is_mariadb();
        status.set(StatusFlags::SERVER_STATUS_ANSI_QUOTES, says_ansi);
        status
    }

    /// Gives the backend back if it is idle and nothing keeps it.
    pub(crate) async fn settle(&mut self) -> Result<(), SessionError> {
        if self.facts.pins.is_empty() == self.pinned.is_some() {
            let is_pinned = !self.facts.pins.is_empty();
            self.pinned = is_pinned.then(|| self.database.metrics.pinned.enter());
        }
        let Some(loan) = &mut self.loan else { return Ok(()) };
        if loan.framed.has_output() && loan.owed.is_empty() {
            // The closing of a statement, which nobody answers.
            let flushed =
                tokio::time::timeout(self.client.write_timeout, loan.framed.flush()).await;
            flushed
                .unwrap_or_else(|_elapsed| Err(std::io::ErrorKind::TimedOut.into()))
                .map_err(SessionError::BackendLost)?;
        }
        let is_quiet = loan.is_quiet();
        // After an error it is not known whether a transaction is open.
        let in_doubt = loan.exchange.is_in_doubt();
        if is_quiet && in_doubt {
            self.client.flush().await?;
            self.ask_whether_a_transaction_is_open().await?;
        }
        let Some(loan) = &mut self.loan else { return Ok(()) };
        let may_go = !loan.in_transaction() && !loan.exchange.has_cursor() && !self.is_kept();
        let is_known = self.facts.last.is_known();
        if is_quiet && (!self.asks.is_empty() || (may_go && !is_known)) {
            // The client has its answer before anything is asked on its behalf.
            self.client.flush().await?;
            let asked = tokio::time::timeout(ASK_TIMEOUT, self.ask_all()).await;
            let asked = asked.unwrap_or_else(|_elapsed| {
                Err(SessionError::BackendLost(std::io::ErrorKind::TimedOut.into()))
            });
            if let Err(error) = asked {
                // It closed after its last word. What was on it is lost to the client only if there was something.
                if !may_go {
                    return Err(error);
                }
                self.part().await;
            }
            self.note_open_transaction();
        }
        let Some(loan) = &self.loan else { return Ok(()) };
        if loan.is_idle() && !self.is_kept() {
            if self.has_conditions() {
                let forgotten = tokio::time::timeout(ASK_TIMEOUT, self.forget_conditions()).await;
                if !matches!(forgotten, Ok(Ok(()))) {
                    self.leave().await;
                }
            }
            self.checkin().await;
        } else if !is_quiet && may_go {
            // It has said what nobody asked for: good-bye, mostly. It has answered all, and runs nothing.
            self.part().await;
        }
        Ok(())
    }

    /// Whether the session keeps its backend between transactions.
    pub(crate) fn is_kept(&self) -> bool {
        !self.facts.pins.is_empty()
            || self.facts.schema.is_none()
            || self.database.config.pool.mode == PoolMode::Session
    }

    /// Asks what is not known, the warnings first: any other statement would clear them. Nothing is asked for the sake of
    /// whoever comes next of a backend that stays.
    async fn ask_all(&mut self) -> Result<(), SessionError> {
        self.await_code().await;
        let stays = self.is_kept() || self.holds_state();
        if stays && self.asks.is_empty() {
            return Ok(());
        }
        if !self.facts.last.is_known() {
            self.ask_what_is_left().await?;
        }
        self.ask_what_holds().await?;
        self.hear_unheard()
    }

    /// Takes in what the answers to questions of ours told of the session.
    pub(crate) fn hear_unheard(&mut self) -> Result<(), SessionError> {
        self.facts.last.is_elsewhere();
        let unheard = self.loan.as_mut().map(|loan| std::mem::take(&mut loan.unheard));
        for changes in unheard.into_iter().flatten() {
            drop(self.hear_changes(&changes, &mut Relay::default())?);
        }
        Ok(())
    }

    /// Takes in whether a transaction is open still.
    pub(crate) fn note_open_transaction(&mut self) {
        let Some(loan) = &self.loan else { return };
        let (status, in_transaction) = (loan.status(), loan.in_transaction());
        self.note_writes(status);
        if !in_transaction {
            self.writes = Writes::None;
            self.judged_by = None;
        }
    }

    /// How texts are read in this session.
    pub(crate) fn reading(&mut self) -> settings::Reading {
        self.facts.reading(self.database.learnt.sql_mode())
    }
}
