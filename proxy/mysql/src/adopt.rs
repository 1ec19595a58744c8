//! Getting a backend that looks to the client like its own: checkout, settings, schema.
//!
//! What differs is sent in front of the client's command in the same write. A backend runs what follows even if
//! a command before it failed, so whatever is not a plain read waits for a schema to be confirmed.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use cache::sql::mysql::{Kind, Pin};
use origin::{
    net::ConnectError,
    pool::{CheckoutError, Loan},
};
use protocol::mysql::capabilities::CapabilityFlags;
use serving::{
    activity::State,
    error::{ClientError, SessionError},
    hold::Hold,
};
use tokio::time::timeout;

use super::{
    astray::Astray,
    backend::{Backend, Note, OwnFailure, RowsCounted, Tracking},
    database::Database,
    origin::{Origin, TRACKING},
    plan::{Text, one_kind},
    questions::ask,
    relay::Relay,
    session::Session,
    settings::Settings,
    wait::Event,
    wire_error,
    work::Work,
};

/// Longest time for a connection to say that it is there.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a client gets no backend: in our words or in the origin's own.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// In none: the command is done once more.
    Again,
    /// In ours.
    Proxy(ClientError),
    /// In the origin's: the payload of its ERR packet.
    Origin(Bytes),
    /// In the origin's, said when we tried to log in.
    Login {
        /// MySQL's error number.
        errno: Option<u16>,
        /// SQLSTATE.
        sqlstate: String,
        /// Message.
        message: String,
    },
}

/// How a backend must be for what comes next.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    settings: Settings,
    schema: Option<Arc<str>>,
    multi_statements: Option<bool>,
    insert_id: Option<u64>,
    /// It may be sent before it is known that all of this could be had.
    may_go_ahead: bool,
}

impl Wanted {
    /// Whether something of ours must be sent to a backend, to make it so.
    pub(crate) fn is_lacking(&self, backend: &Backend) -> bool {
        self.multi_statements.is_some_and(|on| backend.multi_statements != Some(on))
            || self.settings != backend.applied
            || backend.tracking == Tracking::Off
            || self.insert_id.is_some_and(|id| backend.last_insert_id != Some(id))
            || self.schema.is_some() && backend.schema != self.schema
    }
}

impl From<CheckoutError<ConnectError>> for Refusal {
    fn from(error: CheckoutError<ConnectError>) -> Self {
        match error {
            CheckoutError::TimedOut => Self::Proxy(ClientError::CheckoutTimeout),
            CheckoutError::Closed => Self::Proxy(ClientError::ShuttingDown),
            CheckoutError::Connect(error) => error.into(),
        }
    }
}

impl From<ConnectError> for Refusal {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Refused { errno, sqlstate, message } => {
                Self::Login { errno, sqlstate, message }
            }
            error => Self::Proxy(ClientError::Connect(error.word())),
        }
    }
}

impl From<OwnFailure> for Refusal {
    fn from(failure: OwnFailure) -> Self {
        match failure.note {
            Note::Schema => Self::Origin(failure.error),
            _ => Self::Proxy(ClientError::SettingLost),
        }
    }
}

impl Refusal {
    /// Appends the payload of an ERR packet.
    pub(crate) fn encode(&self, capabilities: CapabilityFlags, out: &mut BytesMut) {
        match self {
            Self::Again => {}
            Self::Proxy(error) => wire_error::encode(*error, capabilities, out),
            Self::Origin(payload) => out.extend_from_slice(payload),
            Self::Login { errno, sqlstate, message } => {
                let number = errno.unwrap_or(wire_error::ER_UNKNOWN_ERROR);
                wire_error::encode_text(number, sqlstate, message, capabilities, out);
            }
        }
    }
}

/// Borrows a connection, with the wait in the metrics: if there is one, one that counts rows like this.
pub(crate) async fn checkout(
    database: &Database,
    counts: RowsCounted,
) -> Result<Loan<Origin>, Refusal> {
    let fits = |backend: &Backend| backend.counts == counts;
    loop {
        let mut loan = database.metrics.checkout(&database.pool, fits).await?;
        if database.whereabouts.are_left(&loan.on) {
            database.pool.sweep();
        }
        // Boxed: it is seldom asked.
        if !loan.is_doubtful || Box::pin(is_there(&mut loan)).await {
            return Ok(loan);
        }
    }
}

/// Whether a connection that may be lost answers.
async fn is_there(backend: &mut Backend) -> bool {
    let answered = timeout(PROBE_TIMEOUT, ask(backend, "DO 0")).await;
    backend.is_doubtful = !matches!(answered, Ok(Ok(_)));
    !backend.is_doubtful
}

impl Session {
    /// Makes sure that the session holds a backend. The inner error is for the client, which goes on.
    pub(crate) async fn lend(&mut self) -> Result<Result<(), Refusal>, SessionError> {
        self.lend_for(None).await
    }

    /// As [`Self::lend`], for this text. What asks for the last draw from a sequence gets a connection on which nobody has
    /// drawn, and keeps it; one that is held already is taken as it is.
    pub(crate) async fn lend_for(
        &mut self,
        text: Option<&Text>,
    ) -> Result<Result<(), Refusal>, SessionError> {
        if !self.hold.is_free() {
            return Ok(Ok(()));
        }
        let asks_for_draw = text.is_some_and(Text::asks_for_last_draw);
        let found_rows = self.client.has(CapabilityFlags::CLIENT_FOUND_ROWS);
        self.database.prefer_found_rows(found_rows);
        let Self { client, database, seen, clock, .. } = self;
        seen.is(State::Waiting, clock.asked_at());
        let mut loan = tokio::select! {
            biased;
            loan = checkout(database, RowsCounted::of(found_rows)) => match loan {
                Ok(loan) => loan,
                Err(refusal) => return Ok(Err(refusal)),
            },
            left = left(&mut client.framed) => return Err(SessionError::ClientLost(left)),
        };
        seen.is(State::Active, clock.asked_at());
        if asks_for_draw || loan.counts != RowsCounted::of(found_rows) {
            // What was agreed at the login cannot be changed (MySQL: CLIENT_FOUND_ROWS). First it goes, then another
            // takes its place: the origin never sees more than there may be.
            loan.quit().await;
            match Box::pin(self.database.reconnect(RowsCounted::of(found_rows))).await {
                Ok(backend) => *loan = backend,
                Err(error) => return Ok(Err(error.into())),
            }
        }
        self.client.thread.slot.point_at(Some(loan.target())).await;
        self.hold = Hold::Held(Box::new(Work::new(loan)));
        if asks_for_draw {
            self.pin(Pin::UnknownSetting);
        }
        self.facts.last.is_counted_there = false;
        self.facts.answered = None;
        Ok(Ok(()))
    }

    /// How a backend must be for this text.
    pub(crate) fn wanted(&self, text: Option<&Text>) -> Wanted {
        let several = text.is_some_and(Text::may_be_several);
        let insert_id = match (text, self.facts.last.insert_id) {
            (Some(text), Some(id)) if text.needs_insert_id() => Some(id),
            _ => None,
        };
        Wanted {
            settings: self.facts.settings.clone(),
            schema: match text.and_then(one_kind) {
                // It goes to another one, wherever it was.
                Some(Kind::Use(_)) => None,
                _ => self.facts.schema.clone(),
            },
            multi_statements: several.then_some(self.facts.multi_statements),
            insert_id,
            may_go_ahead: text.is_none_or(Text::only_reads),
        }
    }

    /// How a backend must be to prepare a text that was first prepared with these.
    pub(crate) fn wanted_for(&self, settings: &Settings, schema: Option<Arc<str>>) -> Wanted {
        Wanted { settings: settings.clone(), schema, ..self.wanted(None) }
    }

    /// Queues what the backend lacks, in front of what comes next, and waits for the answers if that may not go
    /// ahead of them. The inner error is for the client.
    pub(crate) async fn adopt(
        &mut self,
        wanted: &Wanted,
    ) -> Result<Result<(), Refusal>, SessionError> {
        let loan = &mut self.hold.held("adopt")?.loan;
        let mut must_wait = false;
        if let Some(on) = wanted.multi_statements.filter(|on| loan.multi_statements != Some(*on)) {
            loan.send_multi_statements(on);
            must_wait = true;
        }
        let mut assignments = match loan.applied.unite(&wanted.settings) {
            true => String::new(),
            false => wanted.settings.difference(&loan.applied).unwrap_or_default(),
        };
        if loan.tracking == Tracking::Off {
            let comma = if assignments.is_empty() { "" } else { "," };
            assignments = format!("{TRACKING}{comma}{assignments}");
        }
        let confirmed = assignments.is_empty() || self.database.has_confirmed(&assignments);
        let known = assignments.clone();
        if let Some(id) = wanted.insert_id.filter(|id| loan.last_insert_id != Some(*id)) {
            let comma = if assignments.is_empty() { "" } else { "," };
            assignments = format!("{assignments}{comma}last_insert_id={id}");
            loan.last_insert_id = Some(id);
        }
        if !assignments.is_empty() {
            must_wait |= !confirmed;
            loan.send_query(&format!("SET {assignments}"), Note::Settings);
            loan.applied = wanted.settings.clone();
            if loan.tracking == Tracking::Off {
                loan.tracking = Tracking::On;
            }
        }
        let was = loan.schema.clone();
        match &wanted.schema {
            Some(schema) if was.as_ref() != Some(schema) => {
                loan.send_schema(schema);
                // A block must not begin where the client may not be.
                must_wait |= !wanted.may_go_ahead
                    || self.facts.astray != Astray::No
                    || self.facts.begun.is_some();
            }
            _ => {}
        }
        if !must_wait {
            return Ok(Ok(()));
        }
        match self.hear_own_replies().await? {
            None => {
                self.facts.astray = Astray::No;
                if !confirmed {
                    self.database.confirm(known);
                }
                Ok(Ok(()))
            }
            Some(failure) if failure.note == Note::Schema => {
                self.stay_out(wanted, failure, was).await
            }
            Some(failure) => self.not_led(failure).await.map(Err),
        }
    }

    /// Waits until the commands of our own are answered.
    async fn hear_own_replies(&mut self) -> Result<Option<OwnFailure>, SessionError> {
        let mut relay = Relay::default();
        while !self.hold.held("hear what was adopted")?.loan.owed.is_empty() {
            if !self.pass_on(&mut relay)? {
                match self.turn().await? {
                    Event::Read => {}
                    Event::BackendLeft(error) => return Err(SessionError::BackendLost(error)),
                    Event::StatementTimeout => self.cancel_statement(),
                }
            }
        }
        Ok(relay.failure)
    }
}

/// Ends when the client has closed its connection. Reads what it says meanwhile, up to a bound.
async fn left(client: &mut origin::net::Framed) -> std::io::Error {
    loop {
        if client.input().len() >= super::session::HIGH_WATER {
            std::future::pending::<()>().await;
        }
        match client.fill_while_flushing().await {
            Ok(0) => return std::io::ErrorKind::UnexpectedEof.into(),
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}
