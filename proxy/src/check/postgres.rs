//! The last steps to a PostgreSQL database: its TLS, the login, and a query.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::error::SqlState;

use super::{DATABASE_TLS, LOGIN, QUERY, Walk};
use crate::{
    config::{OriginConfig, OriginTls},
    net::Stream,
    probe::postgres::{LoginError, Probe, first_value, login_config},
    report::chain,
};

/// The database's own TLS, the login, and a query.
pub(super) async fn log_in(
    walk: &mut Walk,
    stream: Stream,
    origin: &OriginConfig,
    timeout: Duration,
) {
    let mut config = login_config(origin);
    config.application_name("jumpgate/check");
    let started = Instant::now();
    let login = Probe::login(stream, &origin.tls, &config);
    let Ok(login) = tokio::time::timeout(timeout, login).await else {
        let remedy = "Something accepts connections there, but does not speak PostgreSQL.";
        walk.stopped(LOGIN, "no answer in time".into(), remedy, Some(started.elapsed()));
        return;
    };
    let (probe, marks) = match login {
        Ok(login) => login,
        Err(error) => return login_failed(walk, &error, origin, started),
    };
    let mut begun = started;
    match &origin.tls {
        OriginTls::Plaintext => walk.passed(DATABASE_TLS, "none, as the config says", None),
        OriginTls::Required { .. } => {
            let finished = marks.finished.unwrap_or(started);
            walk.passed(DATABASE_TLS, "", Some(finished.duration_since(started)));
            begun = finished;
        }
    }
    let who = format!("{} in {}", origin.user, origin.database);
    walk.passed(LOGIN, who, Some(begun.elapsed()));
    let started = Instant::now();
    match probe.client().simple_query("SHOW server_version").await {
        Ok(reply) => {
            let version = first_value(&reply);
            let detail = format!("PostgreSQL {}", version.unwrap_or("of an unknown version"));
            walk.passed(QUERY, detail, Some(started.elapsed()));
        }
        Err(error) => {
            let remedy = "The database accepted the login and then failed: see its log.";
            walk.stopped(QUERY, chain(&error), remedy, Some(started.elapsed()));
        }
    }
}

fn login_failed(walk: &mut Walk, error: &LoginError, origin: &OriginConfig, started: Instant) {
    let took = Some(started.elapsed());
    let is_refusal = error.source.as_db_error().is_some();
    let wants_tls = matches!(origin.tls, OriginTls::Required { .. });
    match (error.marks.started, error.marks.finished) {
        (None, _) if wants_tls && !is_refusal => {
            let remedy = "Turn ssl on in postgresql.conf. For a database on this machine only, \
                          sslmode = \"plaintext-for-local-development\" goes without.";
            walk.stopped(DATABASE_TLS, chain(&error.source), remedy, took);
        }
        (Some(_), None) => {
            let remedy = "Check mtls: ca_certificate must have signed the database's \
                          certificate, and verify-full wants origin.host in it.";
            walk.stopped(DATABASE_TLS, chain(&error.source), remedy, took);
        }
        (_, finished) => {
            if let Some(finished) = finished {
                walk.passed(DATABASE_TLS, "", Some(finished.duration_since(started)));
            }
            let remedy = login_remedy(&error.source);
            walk.stopped(LOGIN, chain(&error.source), remedy, took);
        }
    }
}

fn login_remedy(error: &tokio_postgres::Error) -> &'static str {
    match error.code() {
        Some(code)
            if *code == SqlState::INVALID_PASSWORD
                || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION =>
        {
            "Check origin.user and origin.password, and pg_hba.conf of the database."
        }
        Some(code) if *code == SqlState::INVALID_CATALOG_NAME => "Check origin.database.",
        Some(code) if *code == SqlState::TOO_MANY_CONNECTIONS => {
            "Lower origin_connection_limit, or raise max_connections of the database."
        }
        _ => "The database's log says more.",
    }
}
