//! One client from its login to its leaving.
//!
//! ```text
//!             a command that needs a backend: lend, adopt
//!   Free ──────────────────────────────────────────────► Held ──┐ IN_TRANS, an open cursor
//!      ▲                                                  │ ▲   │
//!      │ is_idle() and no pins: questions, checkin        │ └───┘
//!      └──────────────────────────────────────────────────┤
//!                                                         │ user variable, temp table, lock, …
//!                                                         ▼
//!                                                       pinned ── until the state is gone, or the client
//! ```
//!
//! MySQL clients say one thing at a time: [`Session::serve`] takes a command, answers it, and settles.
//! `forward` sends, `relay` passes replies on, `ledger` learns from them, `settle` gives back, `leave` gives up.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use protocol::mysql::{
    capabilities::{CapabilityFlags, StatusFlags},
    command::CommandTag,
    packet::Packet,
    reply::OkPacket,
};
use serving::{
    activity::Seen,
    config::CachingConfig,
    error::{ClientError, SessionError},
    hold::Hold,
    observe::{CacheStatus, metrics::Entered},
    until::until,
};

use super::{
    Context, accepted::Learning, boundary::Begun, client_end::ClientEnd, clock::Clock,
    database::Database, facts::Facts, handshake::Client, initial::Initial, moving::Moving,
    relay::SESSION_FLAGS, settings, work::Work,
};

/// A peer that owes us a read is not given more than this.
pub(crate) const HIGH_WATER: usize = 64 * 1024;

/// One client.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: ClientEnd,
    pub(crate) database: Arc<Database>,
    pub(crate) context: Arc<Context>,
    /// What follows the client from backend to backend.
    pub(crate) facts: Facts,
    /// The backend that it has, with what is under way there.
    pub(crate) hold: Hold<Work>,
    /// What it logged in with, as long as it is not known what that means at the origin.
    pub(crate) collation: Option<u16>,
    /// Whether it has begun as the server has connections begin.
    pub(crate) initial: Initial,
    /// How long its reads live.
    pub(crate) caching: Arc<CachingConfig>,
    /// How long its command may take.
    pub(crate) clock: Clock,
    /// Counts it among those that keep their backend.
    pub(crate) pinned: Option<Entered>,
    /// As others see it.
    pub(crate) seen: Seen,
    /// What it has asked of the origin that is to be remembered.
    pub(crate) learning: Option<Box<Learning>>,
    /// What the cache made of its last statement.
    pub(crate) last_status: CacheStatus,
    /// Whether its command is done once more on another host.
    pub(crate) moving: Moving,
}

/// One command of a client's.
#[derive(Debug)]
struct Request {
    tag: CommandTag,
    /// All of it.
    payload: Bytes,
    /// What follows its code.
    body: Bytes,
}

impl Request {
    /// `None` of one that has not even a code.
    fn read(packet: Packet) -> Option<Self> {
        let (code, body) = packet.payload.split_first()?;
        let (tag, body) = (CommandTag::from(*code), packet.payload.slice_ref(body));
        Some(Self { tag, payload: packet.payload, body })
    }

    /// Whether it must be known how the session has begun before it is answered.
    const fn is_about_the_session(&self) -> bool {
        !matches!(
            self.tag,
            CommandTag::Ping
                | CommandTag::SetOption
                | CommandTag::ResetConnection
                | CommandTag::ChangeUser
                | CommandTag::StmtClose
                | CommandTag::StmtSendLongData
        )
    }
}

impl Session {
    /// A session of a client that has just logged in.
    pub(crate) fn new(client: Client, context: Arc<Context>, write_timeout: Duration) -> Self {
        let schema = client.schema.as_deref().unwrap_or(&client.database.config.origin.database);
        let several = client.capabilities.contains(CapabilityFlags::CLIENT_MULTI_STATEMENTS);
        Self {
            facts: Facts::new(settings::Settings::default(), Some(schema), several),
            caching: client.database.config.caching.of_user(&client.user),
            clock: Clock::new(client.database.config.statement_timeout(&client.user)),
            client: ClientEnd {
                framed: client.framed,
                capabilities: client.capabilities,
                extended: client.extended,
                user: client.user,
                place: Some(client.place),
                scramble: client.scramble,
                thread: client.thread,
                sequence: 0,
                answering: None,
                write_timeout,
                refused_changes: 0,
            },
            database: client.database,
            context,
            hold: Hold::Free,
            collation: Some(client.collation),
            initial: Initial::Due,
            pinned: None,
            seen: client.seen,
            learning: None,
            last_status: CacheStatus::NotAQuery,
            moving: Moving::No,
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
        result
    }

    /// The story of a session: a command is taken and answered, and what is idle goes back.
    async fn serve(&mut self) -> Result<(), SessionError> {
        while let Some(packet) = self.next_command().await? {
            let Some(request) = Request::read(packet) else {
                // To the servers it is COM_SLEEP (`dispatch_command`), which nobody may send.
                self.client.refuse_text(1047, "08S01", "Unknown command");
                continue;
            };
            if request.tag == CommandTag::Quit {
                break;
            }
            self.begin_answer(&request).await;
            // Boxed: most sessions are idle, and have no room for it.
            Box::pin(self.answer(&request)).await?;
            if self.begins_again() || Box::pin(self.has_moved()).await {
                Box::pin(self.answer(&request)).await?;
            }
            self.client.answering = None;
            self.settle().await?;
            self.learn_accepted();
            self.is_done();
        }
        Ok(())
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

    /// A command has come: its time runs.
    async fn begin_answer(&mut self, request: &Request) {
        if std::mem::take(&mut self.clock.timed_out) {
            // The KILL for the last statement must not reach this one.
            self.client.thread.slot.settled().await;
        }
        self.client.answering = Some(self.client.sequence);
        self.moving = Moving::No;
        self.clock.restart();
        self.database.metrics.query_bytes.inc_by(request.payload.len() as u64);
    }

    /// Answers one command.
    async fn answer(&mut self, request: &Request) -> Result<(), SessionError> {
        let Request { tag, payload, body } = request;
        if request.is_about_the_session()
            && let Err(refusal) = self.begin().await?
        {
            self.client.refuse(&refusal);
            return Ok(());
        }
        match tag {
            CommandTag::Query => self.query(body).await,
            CommandTag::StmtPrepare => self.prepare(body).await,
            CommandTag::StmtExecute => self.execute(body).await,
            CommandTag::StmtBulkExecute if self.client.executes_in_bulk() => {
                self.execute_in_bulk(body).await
            }
            CommandTag::StmtFetch => self.fetch(payload).await,
            CommandTag::StmtSendLongData => self.send_long_data(payload).await,
            CommandTag::StmtReset => self.reset_statement(body).await,
            CommandTag::StmtClose => self.close_statement(body).await,
            CommandTag::Ping => {
                self.put_ok();
                self.facts.last.passed(0);
                Ok(())
            }
            CommandTag::InitDb => self.init_db(body).await,
            CommandTag::SetOption => self.set_option(body),
            CommandTag::ResetConnection => self.reset_connection().await,
            CommandTag::ChangeUser => self.change_user(body).await,
            CommandTag::ProcessKill => self.process_kill(body).await,
            CommandTag::FieldList | CommandTag::Statistics | CommandTag::ProcessInfo => {
                self.pass(*tag, payload).await
            }
            _ => {
                self.client.refuse_text(1047, "08S01", "Unknown command");
                Ok(())
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

    /// The status flags of this session: what its backend said last, or what one would say.
    pub(crate) fn status(&mut self) -> StatusFlags {
        let begun = self.facts.begun.map_or(StatusFlags::empty(), Begun::flags);
        if let Hold::Held(work) = &self.hold {
            return work.loan.status() & SESSION_FLAGS | begun;
        }
        let mut status = begun;
        let is_autocommit = self.facts.settings.is_autocommit();
        status.set(StatusFlags::SERVER_STATUS_AUTOCOMMIT, is_autocommit);
        if self.facts.answered.is_some() && !is_autocommit {
            status |= StatusFlags::SERVER_STATUS_IN_TRANS;
        }
        let modes = self.reading().modes.unwrap_or_default();
        status.set(StatusFlags::SERVER_STATUS_NO_BACKSLASH_ESCAPES, modes.no_backslash_escapes);
        let says_ansi = modes.ansi_quotes && self.is_mariadb();
        status.set(StatusFlags::SERVER_STATUS_ANSI_QUOTES, says_ansi);
        status
    }

    /// Whether a transaction is open, as far as the backend that it has told, or begins with what comes next.
    pub(crate) fn in_transaction(&self) -> bool {
        let is_open = |work: &Work| work.begins() || work.loan.in_transaction();
        self.facts.begun.is_some() || self.hold.work().is_some_and(is_open)
    }

    /// Whether the origin is MariaDB.
    pub(crate) fn is_mariadb(&self) -> bool {
        self.database.learnt.is_mariadb()
    }

    /// How texts are read in this session.
    pub(crate) fn reading(&mut self) -> settings::Reading {
        self.facts.reading(self.database.learnt.sql_mode())
    }
}
