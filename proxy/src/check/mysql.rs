//! The last steps to a MySQL or MariaDB database: its TLS, the login, and a query.

use std::time::Duration;

use tokio::time::Instant;

use super::{DATABASE_TLS, LOGIN, QUERY, Walk};
use crate::{
    config::{OriginConfig, OriginTls},
    net::{ConnectError, Stream},
    probe::mysql::Probe,
    report::chain,
};

/// Walks from an open stream to the answer of a query.
pub(super) async fn log_in(
    walk: &mut Walk,
    stream: Stream,
    origin: &OriginConfig,
    timeout: Duration,
) {
    let started = Instant::now();
    let login = tokio::time::timeout(timeout, Probe::login(stream, origin)).await;
    let took = Some(started.elapsed());
    let mut probe = match login.unwrap_or(Err(ConnectError::TimedOut)) {
        Ok(probe) => probe,
        Err(error) => return login_failed(walk, &error, origin, took),
    };
    passed_tls(walk, origin);
    // TLS begins in the midst of the login, so it has no time of its own.
    walk.passed(LOGIN, format!("{} in {}", origin.user, origin.database), took);
    let started = Instant::now();
    let asked = tokio::time::timeout(timeout, probe.first_row("SELECT VERSION()")).await;
    let took = Some(started.elapsed());
    let remedy = "The database accepted the login and then failed: see its log.";
    match asked {
        Ok(Ok(row)) => {
            let version = row.into_iter().next().flatten();
            let version = version.unwrap_or_else(|| String::from("of an unknown version"));
            // MariaDB says "10.11.19-MariaDB-0+deb12u1", MySQL "9.7.1".
            let shown = match version.split_once("-MariaDB") {
                Some((version, _)) => format!("MariaDB {version}"),
                None => format!("MySQL {version}"),
            };
            walk.passed(QUERY, shown, took);
        }
        Ok(Err(error)) => walk.stopped(QUERY, chain(&error), remedy, took),
        Err(_elapsed) => walk.stopped(QUERY, "no answer in time".into(), remedy, took),
    }
}

fn passed_tls(walk: &mut Walk, origin: &OriginConfig) {
    match &origin.tls {
        OriginTls::Plaintext => walk.passed(DATABASE_TLS, "none, as the config says", None),
        OriginTls::Required { .. } => walk.passed(DATABASE_TLS, "", None),
    }
}

fn login_failed(
    walk: &mut Walk,
    error: &ConnectError,
    origin: &OriginConfig,
    took: Option<Duration>,
) {
    let tls_remedy = match error {
        ConnectError::TlsRequired => Some(
            "Give the database a certificate (ssl_cert, ssl_key). For a database on this machine \
             only, sslmode = \"plaintext-for-local-development\" goes without.",
        ),
        ConnectError::Certificate(_) => Some(
            "Check mtls: ca_certificate must have signed the database's certificate, and \
             verify-full wants origin.host in it.",
        ),
        _ => None,
    };
    if let Some(remedy) = tls_remedy {
        walk.stopped(DATABASE_TLS, chain(error), remedy, took);
        return;
    }
    let is_before_tls = match error {
        // In place of a greeting: too many connections, a blocked host, a host that may not connect.
        ConnectError::Refused { errno, .. } => matches!(errno, Some(1040 | 1129 | 1130) | None),
        ConnectError::Authentication(_) => false,
        _ => true,
    };
    if !is_before_tls {
        passed_tls(walk, origin);
    }
    walk.stopped(LOGIN, chain(error), login_remedy(error), took);
}

/// Error numbers: MySQL, "Server Error Message Reference".
fn login_remedy(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::Authentication(_) => {
            "Check origin.user and origin.password, and from which hosts the user may log in."
        }
        ConnectError::Refused { errno: Some(1049), .. } => "Check origin.database.",
        ConnectError::Refused { errno: Some(1044), .. } => {
            "Check origin.database, and GRANT the user what it needs there."
        }
        ConnectError::Refused { errno: Some(1040 | 1203 | 1226), .. } => {
            "Lower origin_connection_limit, or raise max_connections of the database."
        }
        ConnectError::Refused { errno: Some(1129 | 1130), .. } => {
            "The database lets nobody in from this host: see its users and its blocked hosts."
        }
        ConnectError::TimedOut | ConnectError::Protocol(_) => {
            "Something accepts connections there, but does not speak MySQL."
        }
        _ => "The database's log says more.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Dial;
    use crate::secret::Secret;

    fn origin() -> OriginConfig {
        OriginConfig {
            dial: Dial::Tcp { host: String::from("h"), port: 1 },
            database: String::from("d"),
            user: String::from("u"),
            password: Secret::new(String::new()),
            tls: OriginTls::Plaintext,
        }
    }

    #[test]
    fn each_failure_ends_at_its_step_with_its_remedy() {
        let refused = |errno| ConnectError::Refused {
            errno: Some(errno),
            sqlstate: String::from("HY000"),
            message: String::from("no"),
        };
        let table = [
            (ConnectError::TlsRequired, "✗ database TLS", "Give the database a certificate"),
            (ConnectError::Authentication("no".into()), "✗ login", "Check origin.user"),
            (refused(1049), "✗ login", "Check origin.database."),
            (refused(1040), "✗ login", "Lower origin_connection_limit"),
            (ConnectError::TimedOut, "✗ login", "does not speak MySQL"),
        ];
        for (error, step, remedy) in table {
            let mut walk = Walk::default();
            login_failed(&mut walk, &error, &origin(), None);
            assert!(!walk.is_complete());
            let shown = walk.steps().last().unwrap().to_string();
            assert!(shown.contains(step) && shown.contains(remedy), "{shown}");
        }
    }
}
