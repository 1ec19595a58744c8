//! The last steps to a PostgreSQL database: its TLS, the login, and a query.

use std::time::Duration;

use origin::{
    failover::Server,
    net::{ConnectError, Stream},
};
use serving::config::{OriginConfig, OriginTls};
use tokio::time::{Instant, timeout};
use tokio_postgres::{SimpleQueryMessage, error::SqlState};

use super::{
    step::{Fault, Took},
    walk::{CERTIFICATE_REMEDY, DATABASE_TLS, LOGIN, QUERY, QUERY_REMEDY, UNVERIFIED_REMEDY, Walk},
};
use crate::{
    probe::{
        marks::TlsMarks,
        postgres::{Probe, first_value, held_back, login_config},
    },
    report::chain,
};

/// The database's own TLS, the login, and a query.
pub(super) async fn log_in(
    walk: &mut Walk,
    stream: Stream,
    origin: &OriginConfig,
    patience: Duration,
) {
    let mut config = login_config(origin);
    config.application_name("jumpgate/check");
    let (started, marks) = (Instant::now(), TlsMarks::default());
    let login = timeout(patience, Probe::login(stream, &origin.tls, &config, &marks)).await;
    let ended = Instant::now();
    let failure = match &login {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(Some(error)),
        Err(_elapsed) => Some(None),
    };
    let wants_tls = matches!(origin.tls, OriginTls::Required { .. });
    let is_refusal = failure.flatten().is_some_and(|error| error.as_db_error().is_some());
    let encrypted = marks.finished();
    if failure.is_some() && wants_tls && encrypted.is_none() && !is_refusal {
        let took = Took::Far(ended.duration_since(started));
        return tls_failed(walk, failure.flatten(), marks.started().is_some(), took);
    }
    // A database that is full says so in place of its answer to the request for TLS.
    if !wants_tls || encrypted.is_some() {
        walk.passed_tls(&origin.tls, encrypted.unwrap_or(started).duration_since(started));
    }
    let took = Took::Far(ended.duration_since(encrypted.unwrap_or(started)));
    match login {
        Ok(Ok(probe)) => {
            walk.passed(LOGIN, format!("{} in {}", origin.user, origin.database), took);
            ask(walk, &probe, patience).await;
        }
        Ok(Err(error)) => {
            walk.stopped(LOGIN, chain(&error), login_remedy(&error), took);
            walk.because(login_fault(&error));
        }
        Err(_elapsed) => {
            let remedy = "It takes logins too long, or does not speak PostgreSQL: see its log.";
            walk.stopped(LOGIN, "no answer in time".into(), remedy, took);
        }
    }
}

/// Asks twice: what is slow once only (a cold path, a plan) is no round trip.
async fn ask(walk: &mut Walk, probe: &Probe, patience: Duration) {
    let mut times = [Duration::ZERO; 2];
    let mut version = None;
    for time in &mut times {
        let started = Instant::now();
        let asked = timeout(patience, probe.client().simple_query("SHOW server_version")).await;
        *time = started.elapsed();
        match asked {
            Ok(Ok(reply)) => version = first_value(&reply).map(ToOwned::to_owned),
            Ok(Err(error)) => {
                return walk.stopped(QUERY, chain(&error), QUERY_REMEDY, Took::Far(*time));
            }
            Err(_elapsed) => {
                let reason = String::from("no answer in time");
                return walk.stopped(QUERY, reason, QUERY_REMEDY, Took::Far(*time));
            }
        }
    }
    walk.server = server(probe, patience).await;
    let version = version.as_deref().unwrap_or("of an unknown version");
    walk.passed_query(format!("PostgreSQL {version}"), times);
}

/// What the server is, if it says so.
async fn server(probe: &Probe, patience: Duration) -> Option<Server> {
    const ROLE: &str = "SELECT pg_catalog.pg_is_in_recovery(), \
        pg_catalog.current_setting('default_transaction_read_only')";
    let reply = timeout(patience, probe.client().simple_query(ROLE)).await.ok()?.ok()?;
    reply.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(Server {
            is_standby: row.get(0) == Some("t"),
            is_read_only: row.get(1) == Some("on"),
        }),
        _ => None,
    })
}

fn tls_failed(
    walk: &mut Walk,
    error: Option<&tokio_postgres::Error>,
    is_started: bool,
    took: Took,
) {
    let reason = error.map_or_else(|| String::from("no answer in time"), |error| chain(error));
    let remedy = if is_started {
        CERTIFICATE_REMEDY
    } else if error.is_some() {
        "Turn ssl on in postgresql.conf (with ssl_cert_file and ssl_key_file). For a database on \
         this machine only, sslmode = \"plaintext-for-local-development\" goes without."
    } else {
        "Something accepts connections there, but does not speak PostgreSQL: check the port."
    };
    walk.stopped(DATABASE_TLS, reason, remedy, took);
    walk.because((!is_started && error.is_some()).then_some(Fault::NoTls));
}

fn login_fault(error: &tokio_postgres::Error) -> Option<Fault> {
    let code = error.code()?;
    let is_of_who_we_are = *code == SqlState::INVALID_PASSWORD
        || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
    let is_of_the_database = *code == SqlState::INVALID_CATALOG_NAME;
    is_of_who_we_are
        .then_some(Fault::Credentials)
        .or_else(|| is_of_the_database.then_some(Fault::NoDatabase))
}

fn login_remedy(error: &tokio_postgres::Error) -> &'static str {
    if let Some(ConnectError::Unverified(_)) = held_back(error) {
        return UNVERIFIED_REMEDY;
    }
    match error.code() {
        Some(code)
            if *code == SqlState::INVALID_PASSWORD
                || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION =>
        {
            "Check origin.user and origin.password, and that pg_hba.conf of the database lets this \
             user in from where the proxy (through a tunnel: the connector) connects."
        }
        Some(code) if *code == SqlState::INVALID_CATALOG_NAME => {
            "Check origin.database: the server has none of this name."
        }
        Some(code) if *code == SqlState::TOO_MANY_CONNECTIONS => {
            "Lower origin_connection_limit, or raise max_connections of the database."
        }
        _ => "The database's log says more.",
    }
}
