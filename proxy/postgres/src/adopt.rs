//! Getting a backend that looks to the client like its own: checkout, settings, reported parameters.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use cache::sql::postgres::assignment;
use origin::{
    net::ConnectError,
    pool::{CheckoutError, Loan},
};
use protocol::{
    postgres::{
        encode::{self, Severity},
        frame::BackendTag,
        message,
        pipeline::{Asker, Request},
    },
    reader::DecodeError,
};
use serving::error::{ClientError, SessionError};
use tokio::time::timeout;

use super::{
    backend::{Backend, Note},
    client::Client,
    database::Database,
    idle,
    origin::{Origin, take_frame},
    parameters::Parameters,
    settings::{Difference, Settings},
    wire_error,
};

/// The longest reply to a query of our own.
const MAX_OWN_FRAME: usize = 1 << 20;
/// Longest time for a connection to say that it is there.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// `NAMEDATALEN` - 1: a longer application name is cut by the server.
const MAX_NAME: usize = 63;

/// Settings that are reported, and that may be given the value that they have.
const REPEATABLE: [&str; 5] =
    ["client_encoding", "datestyle", "intervalstyle", "standard_conforming_strings", "timezone"];

/// An error on a backend that has a temporary schema.
const FAILS_WITH_TEMP: &str = "SELECT 1 OPERATOR(pg_catalog./) \
    (CASE WHEN pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.=) 0 THEN 1 ELSE 0 END)";

/// Why a client gets no backend: in our words or in the origin's own.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// In ours.
    Proxy(ClientError),
    /// In the origin's: the body of its ErrorResponse.
    Origin(Bytes),
    /// In the origin's, said when we tried to log in.
    Login { sqlstate: String, message: String },
}

impl Refusal {
    /// Appends the ErrorResponse.
    pub(crate) fn put(&self, out: &mut BytesMut) {
        match self {
            Self::Proxy(error) => wire_error::put(*error, out),
            Self::Origin(body) => encode::frame(b'E', &[body], out),
            Self::Login { sqlstate, message } => {
                encode::error(Severity::Error, sqlstate, message, out);
            }
        }
    }

    /// Appends the ErrorResponse as the end of a login.
    pub(crate) fn put_fatal(&self, out: &mut BytesMut) {
        match self {
            Self::Proxy(error) => wire_error::put_fatal(*error, out),
            Self::Origin(body) => {
                let field = |code| {
                    let value = message::error_field(body, code).unwrap_or_default();
                    String::from_utf8_lossy(value).into_owned()
                };
                encode::error(Severity::Fatal, &field(b'C'), &field(b'M'), out);
            }
            Self::Login { sqlstate, message } => {
                encode::error(Severity::Fatal, sqlstate, message, out);
            }
        }
    }
}

impl From<CheckoutError<ConnectError>> for Refusal {
    fn from(error: CheckoutError<ConnectError>) -> Self {
        match error {
            CheckoutError::TimedOut => Self::Proxy(ClientError::CheckoutTimeout),
            CheckoutError::Closed => Self::Proxy(ClientError::ShuttingDown),
            CheckoutError::Connect(ConnectError::Refused { sqlstate, message, .. }) => {
                Self::Login { sqlstate, message }
            }
            CheckoutError::Connect(error) => Self::Proxy(ClientError::Connect(error.word())),
        }
    }
}

/// Borrows a connection, with the wait in the metrics. One that may be lost is asked first whether it is there.
pub(crate) async fn checkout(database: &Database) -> Result<Loan<Origin>, Refusal> {
    loop {
        let mut loan = database.metrics.checkout(&database.pool, |_any| true).await?;
        if database.whereabouts.are_left(&loan.on) {
            database.pool.sweep();
        }
        // Boxed: it is seldom asked.
        if !loan.is_doubtful || Box::pin(is_there(&mut loan)).await {
            return Ok(loan);
        }
    }
}

/// Borrows a connection on which nobody has made a temporary object, as on one of the client's own: what the server says
/// of a search_path with `pg_temp` in front hangs on it. Those on which somebody has are closed, for the schema stays.
pub(crate) async fn checkout_without_temp(database: &Database) -> Result<Loan<Origin>, Refusal> {
    for _connection in 0..database.config.pool.max_size.get() {
        let mut loan = checkout(database).await?;
        let asked = timeout(PROBE_TIMEOUT, own_query(&mut loan, FAILS_WITH_TEMP)).await;
        if matches!(asked, Ok(Ok(Ok(())))) {
            return Ok(loan);
        }
    }
    checkout(database).await
}

async fn is_there(backend: &mut Backend) -> bool {
    let answered = timeout(PROBE_TIMEOUT, own_query(backend, "")).await;
    backend.is_doubtful = !matches!(answered, Ok(Ok(Ok(()))));
    !backend.is_doubtful
}

/// The startup settings that clients have in common. Every program has a name of its own, which the server
/// repeats: no reason to ask for each.
pub(crate) fn shared(base: &Settings) -> Settings {
    let mut shared = base.clone();
    if base.application_name().is_some() {
        shared.remove("application_name");
    }
    shared
}

/// What a client with these startup settings is told of its settings.
///
/// The first client with new settings waits for a backend to say what it makes of them, where they are not what it says
/// already; the next ones do not.
pub(crate) async fn welcome(database: &Database, base: &Settings) -> Result<Parameters, Refusal> {
    let shared = shared(base);
    let named = base.application_name();
    if let Some(mut parameters) = database.welcome(&shared) {
        if let Some(name) = named {
            parameters.set("application_name", &name);
        }
        return Ok(parameters);
    }
    let mut loan = loop {
        let mut loan = checkout(database).await?;
        if loan.applied.is_empty() && shared.are_reported(&loan.parameters) {
            break loan;
        }
        let Some(Difference { sql, .. }) = shared.difference(&loan.applied) else { break loan };
        let answer = own_query(&mut loan, &sql).await;
        match answer.map_err(|_lost| Refusal::Proxy(ClientError::BackendLost))? {
            Ok(()) => {
                loan.applied = database.settings.intern(shared.clone().into());
                break loan;
            }
            // What another client had set cannot be undone, as where its role is gone: that ends the backend.
            Err(_body) if !loan.applied.is_empty() => drop(loan),
            Err(body) => {
                // It rolled back, so the backend is as it was.
                loan.checkin();
                return Err(Refusal::Origin(body));
            }
        }
    };
    if idle::has_limit(&loan) {
        let answer = own_query(&mut loan, idle::LIFT).await;
        answer
            .map_err(|_lost| Refusal::Proxy(ClientError::BackendLost))?
            .map_err(Refusal::Origin)?;
        idle::lifted(&mut loan);
    }
    database.learn_welcome(&shared, &loan);
    let mut parameters = loan.parameters.clone();
    loan.checkin();
    if let Some(name) = named {
        parameters.set("application_name", &name);
    }
    Ok(parameters)
}

impl Client {
    /// Gives a backend the session's settings, and says whether that may go on.
    pub(crate) async fn give_settings(&self, loan: &mut Backend) -> bool {
        let settings = &self.facts.settings;
        if Arc::ptr_eq(&loan.applied, settings) {
            return true;
        }
        match settings.difference(&loan.applied) {
            None => {}
            Some(Difference { sql, touches_rights: true }) => {
                // Nothing may run with other rights than the client believes: this one is waited for.
                let limit = self.database.config.pool.connect_timeout;
                let query = Box::pin(own_query(loan, &sql));
                if !matches!(timeout(limit, query).await, Ok(Ok(Ok(())))) {
                    return false;
                }
            }
            Some(Difference { sql, .. }) => {
                encode::query(&sql, loan.framed.queue());
                loan.prepared.forget_unnamed();
                loan.pipeline.sent(Request::Query, Asker::Proxy, Some(Note::Adopt));
            }
        }
        loan.applied = Arc::clone(settings);
        true
    }
}

impl Settings {
    /// The application name of the startup packet as the server would report it. What is not plain ASCII it replaces in
    /// a way that depends on its version (`pg_clean_ascii`): then it is asked.
    fn application_name(&self) -> Option<String> {
        let sql = self.get("application_name")?;
        let value = sql.strip_prefix("SELECT pg_catalog.set_config('application_name', '")?;
        let value = value.strip_suffix("', false)")?.replace("''", "'");
        let is_plain = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        is_plain.then(|| value.chars().take(MAX_NAME).collect())
    }

    /// Whether those of a startup packet give nothing another value than a server reports without them.
    fn are_reported(&self, parameters: &Parameters) -> bool {
        self.iter().all(|(name, _)| {
            let reported = parameters.iter().find(|it| it.0.eq_ignore_ascii_case(name));
            let reported = reported.and_then(|(_, value)| assignment(name, value));
            let is_same = |(given, reported): (&str, &str)| match name {
                // As `clean_encoding_name` does.
                "client_encoding" => letters(given).eq(letters(reported)),
                _ => given == reported,
            };
            let given = self.assignment(name).zip(reported.as_deref());
            REPEATABLE.contains(&name) && given.is_some_and(is_same)
        })
    }
}

fn letters(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
}

/// Runs a query of our own on a backend that owes nothing, and waits for its end. The inner error is the body
/// of the origin's ErrorResponse.
///
/// # Errors
///
/// When the backend is lost or out of step; it must be dropped then.
///
/// # Cancel safety
///
/// Dropped before it ends, the backend owes a reply and so is never lent again.
pub(crate) async fn own_query(
    backend: &mut Backend,
    sql: &str,
) -> Result<Result<(), Bytes>, SessionError> {
    encode::query(sql, backend.framed.queue());
    backend.prepared.forget_unnamed();
    backend.pipeline.sent(Request::Query, Asker::Proxy, Some(Note::Cleanup));
    backend.framed.flush().await.map_err(SessionError::BackendLost)?;
    let mut failure = None;
    loop {
        let taken = take_frame(backend.framed.buffer(), MAX_OWN_FRAME);
        let Some((tag, body)) = taken.map_err(SessionError::BackendProtocol)? else {
            if backend.framed.fill().await.map_err(SessionError::BackendLost)? == 0 {
                return Err(SessionError::BackendLost(std::io::ErrorKind::UnexpectedEof.into()));
            }
            continue;
        };
        let tag = BackendTag::from(tag);
        backend.pipeline.received(tag, body.first().copied())?;
        match tag {
            BackendTag::ErrorResponse => failure = Some(body),
            BackendTag::ParameterStatus => note_parameter(backend, &body)?,
            BackendTag::ReadyForQuery if backend.pipeline.is_quiet() => {
                return Ok(failure.map_or(Ok(()), Err));
            }
            _ => {}
        }
    }
}

/// Records a reported setting.
pub(crate) fn note_parameter(backend: &mut Backend, body: &[u8]) -> Result<(), SessionError> {
    let reported: Result<_, DecodeError> = message::parameter_status(body);
    let (name, value) = reported.map_err(SessionError::BackendProtocol)?;
    backend.parameters.set(name, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn startup_settings_that_a_server_reports_already_are_told_from_others() {
        let mut reported = Parameters::default();
        for (name, value) in [
            ("client_encoding", "UTF8"),
            ("DateStyle", "ISO, MDY"),
            ("TimeZone", "Europe/Berlin"),
            ("server_version", "18"),
            ("is_superuser", "off"),
            ("session_authorization", "app"),
        ] {
            reported.set(name, value);
        }
        for (settings, expected) in [
            (&[("client_encoding", "UTF8")][..], true),
            (&[("client_encoding", "'utf-8'"), ("TimeZone", "Europe/Berlin")], true),
            (&[("DATESTYLE", "ISO, MDY")], true),
            (&[("client_encoding", "UNICODE")], false),
            (&[("client_encoding", "LATIN1")], false),
            (&[("DateStyle", "ISO")], false),
            (&[("TimeZone", "europe/berlin")], false),
            (&[("client_encoding", "UTF8"), ("extra_float_digits", "2")], false),
            // Not to be set, be it to what they are.
            (&[("server_version", "18")], false),
            (&[("session_authorization", "app")], false),
        ] {
            let named = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
            let settings = Settings::from_startup(&BTreeMap::from_iter(named)).expect("settings");
            assert_eq!(shared(&settings).are_reported(&reported), expected, "{settings:?}");
        }
    }
}
