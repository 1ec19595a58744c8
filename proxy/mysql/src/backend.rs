//! One connection to a MySQL or MariaDB origin, and what the proxy knows of its state.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use origin::{
    config::OnHost,
    net::{Framed, Stream},
    pool::{Generation, TRUSTED},
};
use protocol::mysql::{
    capabilities::{CapabilityFlags, MariaDbFlags, StatusFlags},
    exchange::{CommandKind, Exchange},
    packet,
};
use tokio::time::Instant;

use super::{
    origin::asking::{Login, Row, query_payload},
    prepared::Prepared,
    settings::Settings,
};

/// The command that switches several statements per text on and off (MySQL: COM_SET_OPTION).
const COM_SET_OPTION: u8 = 0x1b;
const COM_QUIT: u8 = 0x01;
/// Longest time for a server to close a connection that said goodbye.
const QUIT_TIMEOUT: Duration = Duration::from_secs(1);
/// A server that closes a connection for its silence has begun to count before we did, and closes it while what is
/// said to it is on its way.
const CLOSING_MARGIN: Duration = Duration::from_millis(500);
const COM_INIT_DB: u8 = 0x02;
const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_CLOSE: u8 = 0x19;
/// The schema of a backend that is in none: no schema has this name.
pub(crate) const NOWHERE: &str = "";

/// Whose reply comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// The client's.
    Client,
    /// Ours: the session's settings.
    Settings,
    /// Ours: the session's schema.
    Schema,
    /// Ours: whether a text may hold several statements.
    MultiStatements,
    /// Ours: the beginning of the client's block.
    Begin,
    /// Ours: the statement that the client's command behind it executes.
    Prepare,
    /// Ours: a question, or a reset.
    Question,
}

/// Whether a backend reports every setting that changes (MySQL: `session_track_system_variables`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tracking {
    /// It cannot.
    Never,
    /// It can, and must be told to.
    Off,
    /// It does.
    On,
}

/// What the highest id of a statement means to a backend: in MariaDB what it prepared last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastPrepared {
    /// It has prepared nothing.
    Nothing,
    /// This statement, which does nothing but read.
    Read(u32),
    /// It is another one, or closed.
    Other,
}

/// Which rows of an UPDATE a backend counts; agreed at the login (MySQL: CLIENT_FOUND_ROWS).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowsCounted {
    /// Those that it found.
    Found,
    /// Those that it changed.
    Changed,
}

impl RowsCounted {
    /// Those that a connection with these capabilities counts.
    pub(crate) fn of(found: bool) -> Self {
        if found { Self::Found } else { Self::Changed }
    }
}

/// Where a KILL must go to reach a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KillTarget {
    /// Which of the origin's hosts it is on.
    pub(crate) host: usize,
    /// Its own id there.
    pub(crate) thread: u32,
}

/// A command of ours that failed.
#[derive(Clone, Debug)]
pub(crate) struct OwnFailure {
    /// What it was for.
    pub(crate) note: Note,
    /// The payload of the ERR packet.
    pub(crate) error: Bytes,
}

/// What a session begins with: the rows of [`super::origin::BEGINNING`].
pub(crate) type Beginning = Vec<Row>;

/// One connection to a MySQL or MariaDB origin.
#[derive(Debug)]
pub struct Backend {
    /// The stream and its buffers.
    pub(crate) framed: Framed,
    /// Where the reply to the oldest command stands.
    pub(crate) exchange: Exchange,
    /// The commands that were sent and are not answered, oldest first.
    pub(crate) owed: VecDeque<Note>,
    /// What both sides agreed to when we logged in.
    pub(crate) capabilities: CapabilityFlags,
    /// The same of what MariaDB has beyond that.
    pub(crate) extended: MariaDbFlags,
    /// Its own id, for KILL.
    pub(crate) thread_id: u32,
    /// Which of the origin's hosts it is on, and whether that is still in use.
    pub(crate) on: OnHost,
    /// Which rows of an UPDATE it counts.
    pub(crate) counts: RowsCounted,
    /// Whether one text may hold several statements; `None` when that is not known.
    pub(crate) multi_statements: Option<bool>,
    /// The schema it is in; `None` when that is not known.
    pub(crate) schema: Option<Arc<str>>,
    /// The settings it was given for the session that uses it, or the last one that did.
    pub(crate) applied: Settings,
    /// Whether it reports every setting that changes.
    pub(crate) tracking: Tracking,
    /// What `LAST_INSERT_ID()` says here, where that is known.
    pub(crate) last_insert_id: Option<u64>,
    /// The statements it has prepared.
    pub(crate) prepared: Prepared,
    /// The last of them.
    pub(crate) last_prepared: LastPrepared,
    /// Changes of the session that it told of in answer to questions of ours.
    pub(crate) unheard: Vec<Bytes>,
    /// What we know of it has turned out wrong: it is not lent again.
    pub(crate) unfit: bool,
    /// Another was lost since it was used last: it is asked whether it is there before it is used.
    pub(crate) is_doubtful: bool,
    /// Whether connections still begin as it did.
    generation: Generation<Beginning>,
    expires: Option<Instant>,
}

impl Backend {
    /// A connection that has just logged in.
    pub(crate) fn new(
        mut login: Login,
        schema: &str,
        found_rows: bool,
        (generation, expires): (Generation<Beginning>, Option<Instant>),
    ) -> Self {
        login.framed.reserve_input();
        Self {
            exchange: {
                let mut exchange = Exchange::new(login.capabilities);
                exchange.logged_in(login.status);
                exchange
            },
            framed: login.framed,
            owed: VecDeque::new(),
            capabilities: login.capabilities,
            extended: login.extended,
            thread_id: login.thread_id,
            on: OnHost::ONLY,
            counts: RowsCounted::of(found_rows),
            multi_statements: Some(false),
            schema: Some(schema.into()),
            applied: Settings::of_collation("utf8mb4", "utf8mb4_general_ci"),
            tracking: Tracking::Never,
            last_insert_id: Some(0),
            prepared: Prepared::default(),
            last_prepared: LastPrepared::Nothing,
            unheard: Vec::new(),
            unfit: false,
            is_doubtful: false,
            generation,
            expires,
        }
    }

    /// Where to kill its statement.
    pub(crate) fn target(&self) -> KillTarget {
        KillTarget { host: self.on.host(), thread: self.thread_id }
    }

    /// Queues a command, whose payload begins with its code.
    pub(crate) fn send(&mut self, kind: CommandKind, payload: &[u8], note: Note) {
        packet::put(self.framed.queue(), &mut 0, payload);
        self.sent(kind, note);
    }

    /// Records a command that was queued.
    pub(crate) fn sent(&mut self, kind: CommandKind, note: Note) {
        self.exchange.sent(kind);
        if !matches!(kind, CommandKind::Silent | CommandKind::StatementClose { .. }) {
            self.owed.push_back(note);
        }
    }

    /// Queues a text of our own.
    pub(crate) fn send_query(&mut self, sql: &str, note: Note) {
        let payload = query_payload(sql, self.capabilities);
        self.send(CommandKind::Query, &payload, note);
    }

    /// Queues the change of the schema.
    pub(crate) fn send_schema(&mut self, schema: &Arc<str>) {
        let payload = [&[COM_INIT_DB], schema.as_bytes()].concat();
        self.send(CommandKind::Simple, &payload, Note::Schema);
        self.schema = Some(Arc::clone(schema));
    }

    /// Whether it is in no schema.
    pub(crate) fn is_nowhere(&self) -> bool {
        self.schema.as_deref() == Some(NOWHERE)
    }

    /// Queues the switch of `CLIENT_MULTI_STATEMENTS`.
    pub(crate) fn send_multi_statements(&mut self, on: bool) {
        // 0 is on and 1 is off (MySQL: enum_mysql_set_option).
        let payload = [COM_SET_OPTION, u8::from(!on), 0];
        self.send(CommandKind::Simple, &payload, Note::MultiStatements);
        self.multi_statements = Some(on);
    }

    /// Queues the preparing of a text.
    pub(crate) fn send_prepare(&mut self, sql: &[u8], note: Note) {
        let payload = [&[COM_STMT_PREPARE], sql].concat();
        self.send(CommandKind::Prepare, &payload, note);
    }

    /// Takes in that a text was prepared, and whether that does nothing but read.
    pub(crate) fn has_prepared(&mut self, id: u32, is_read: bool) {
        self.last_prepared = if is_read { LastPrepared::Read(id) } else { LastPrepared::Other };
    }

    /// Queues the closing of a statement, which has no reply.
    pub(crate) fn send_close(&mut self, id: u32) {
        if self.last_prepared == LastPrepared::Read(id) {
            self.last_prepared = LastPrepared::Other;
        }
        let [a, b, c, d] = id.to_le_bytes();
        let kind = CommandKind::StatementClose { statement: id };
        self.send(kind, &[COM_STMT_CLOSE, a, b, c, d], Note::Client);
    }

    /// The note of the oldest command, if its reply has come to its end since this was asked last.
    pub(crate) fn answered(&mut self) -> Option<Note> {
        let unanswered = self.owed.len() <= self.exchange.owed();
        if unanswered { None } else { self.owed.pop_front() }
    }

    /// Whether it may be lent: in its lifetime, and neither closed nor out of step while it was idle.
    ///
    /// Looks at what the socket has, without waiting.
    pub(crate) fn is_usable(&mut self, now: Instant, rested: Duration) -> bool {
        if self.is_expired(now) || !self.is_quiet() || self.closes_soon(rested) {
            return false;
        }
        if !self.framed.stream().lend(rested <= TRUSTED) {
            return false;
        }
        let mut context = Context::from_waker(Waker::noop());
        // An idle server has nothing to say but that it will close (MySQL 8.0.24: error 4031).
        matches!(self.framed.poll_fill(&mut context), Poll::Pending)
    }

    /// Whether the server may close it before it hears from us: the last client set a `wait_timeout`, which has passed or
    /// is about to.
    fn closes_soon(&self, rested: Duration) -> bool {
        rested >= TRUSTED
            && self.applied.idle_limit().is_some_and(|limit| rested + CLOSING_MARGIN >= limit)
    }

    /// Whether its column definitions are extended.
    pub(crate) fn extends_metadata(&self) -> bool {
        self.extended.contains(MariaDbFlags::MARIADB_CLIENT_EXTENDED_METADATA)
    }

    /// Whether it reports every setting that changes.
    pub(crate) fn tracks(&self) -> bool {
        self.tracking == Tracking::On
    }

    /// It does not any more, until it is told to.
    pub(crate) fn lose_tracking(&mut self) {
        if self.tracking == Tracking::On {
            self.tracking = Tracking::Off;
        }
    }

    /// Whether its time is over: its lifetime, that of its generation, or that of its host.
    pub(crate) fn is_expired(&self, now: Instant) -> bool {
        !self.generation.is_present()
            || !self.on.is_in_use()
            || self.expires.is_some_and(|expires| now >= expires)
    }

    /// Says goodbye, and waits a moment until the server has closed. Nothing can be said to it afterwards.
    pub(crate) async fn quit(&mut self) {
        let nobody = Framed::new(Stream::Duplex(tokio::io::duplex(1).0));
        let mut framed = std::mem::replace(&mut self.framed, nobody);
        packet::put(framed.queue(), &mut 0, &[COM_QUIT]);
        let closed = async {
            framed.flush().await?;
            while framed.fill().await? > 0 {
                framed.buffer().clear();
            }
            Ok::<(), std::io::Error>(())
        };
        if !matches!(tokio::time::timeout(QUIT_TIMEOUT, closed).await, Ok(Ok(()))) {
            tracing::debug!("a connection did not end in order");
        }
    }

    /// Whether nothing is owed, read or to be written.
    pub(crate) fn is_quiet(&self) -> bool {
        self.owed.is_empty() && self.framed.input().is_empty() && !self.framed.has_output()
    }

    /// Whether it can serve somebody else now.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_quiet() && self.exchange.is_idle()
    }

    /// Whether a transaction is open.
    pub(crate) fn in_transaction(&self) -> bool {
        self.exchange.in_transaction()
    }

    /// Whether a block that was to begin twice has begun once, or may do so yet.
    pub(crate) fn may_have_begun(&self) -> bool {
        self.in_transaction() || self.owed.contains(&Note::Begin)
    }

    /// The status flags it said last.
    pub(crate) fn status(&self) -> StatusFlags {
        self.exchange.status()
    }

    /// What is known after COM_RESET_CONNECTION: everything is back at its default, also the character sets
    /// and session tracking.
    pub(crate) fn was_reset(&mut self) {
        self.applied = Settings::default();
        self.lose_tracking();
        self.multi_statements = None;
        self.schema = None;
        self.last_insert_id = Some(0);
        self.prepared.clear();
        self.last_prepared = LastPrepared::Other;
        self.unheard.clear();
    }
}

/// Says goodbye where no reply is owed, so that the server does not log an aborted connection. It does not
/// wait: what the socket does not take at once is not said.
impl Drop for Backend {
    fn drop(&mut self) {
        if !self.is_quiet() {
            return;
        }
        packet::put(self.framed.queue(), &mut 0, &[COM_QUIT]);
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(Err(error)) = self.framed.poll_flush(&mut context) {
            tracing::trace!(%error, "backend had gone");
        }
    }
}
