//! The last steps to a MySQL or MariaDB database: its TLS, the login, and a query.

use std::time::Duration;

use origin::{
    failover::Server,
    net::{ConnectError, Stream},
};
use serving::config::{OriginConfig, OriginTls};
use tokio::time::{Instant, timeout};

use super::{
    step::{Fault, Took},
    walk::{CERTIFICATE_REMEDY, DATABASE_TLS, LOGIN, QUERY, QUERY_REMEDY, UNVERIFIED_REMEDY, Walk},
};
use crate::{
    probe::{marks::TlsMarks, mysql::Probe},
    report::chain,
};

/// Walks from an open stream to the answer of a query.
pub(super) async fn log_in(
    walk: &mut Walk,
    stream: Stream,
    origin: &OriginConfig,
    patience: Duration,
) {
    let (started, marks) = (Instant::now(), TlsMarks::default());
    let login = timeout(patience, Probe::login(stream, origin, &marks)).await;
    let ended = Instant::now();
    // The greeting comes before TLS and is in its time.
    let encrypted = marks.finished();
    if encrypted.is_some() || matches!(origin.tls, OriginTls::Plaintext) {
        walk.passed_tls(&origin.tls, encrypted.unwrap_or(started).duration_since(started));
    }
    let took = Took::Far(ended.duration_since(encrypted.unwrap_or(started)));
    match login.unwrap_or(Err(ConnectError::TimedOut)) {
        Ok(mut probe) => {
            walk.passed(LOGIN, format!("{} in {}", origin.user, origin.database), took);
            ask(walk, &mut probe, patience).await;
        }
        Err(error) => login_failed(walk, &error, took),
    }
}

/// Asks twice: what is slow once only is no round trip.
async fn ask(walk: &mut Walk, probe: &mut Probe, patience: Duration) {
    let mut times = [Duration::ZERO; 2];
    let mut version = None;
    for time in &mut times {
        let started = Instant::now();
        let asked = timeout(patience, probe.first_row("SELECT VERSION()")).await;
        *time = started.elapsed();
        match asked {
            Ok(Ok(row)) => version = row.into_iter().next().flatten(),
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
    let version = version.unwrap_or_else(|| String::from("of an unknown version"));
    // MariaDB says "10.11.19-MariaDB-0+deb12u1", MySQL "9.7.1".
    let shown = match version.split_once("-MariaDB") {
        Some((version, _)) => format!("MariaDB {version}"),
        None => format!("MySQL {version}"),
    };
    walk.passed_query(shown, times);
}

/// What the server is, if it says so.
async fn server(probe: &mut Probe, patience: Duration) -> Option<Server> {
    let asked = probe.first_row("SELECT @@global.read_only, @@global.innodb_read_only");
    let row = timeout(patience, asked).await.ok()?.ok()?;
    let is_on = |value: &Option<String>| !matches!(value.as_deref(), None | Some("0" | "OFF"));
    let is_standby = row.iter().any(is_on);
    Some(Server { is_standby, is_read_only: false })
}

fn login_failed(walk: &mut Walk, error: &ConnectError, took: Took) {
    let (step, remedy) = match error {
        ConnectError::TlsRequired => (
            DATABASE_TLS,
            "Give the database a certificate (ssl_cert, ssl_key). For a database on this machine \
             only, sslmode = \"plaintext-for-local-development\" goes without.",
        ),
        ConnectError::Certificate(_) => (DATABASE_TLS, CERTIFICATE_REMEDY),
        error => (LOGIN, login_remedy(error)),
    };
    walk.stopped(step, chain(error), remedy, took);
    walk.because(match error {
        ConnectError::TlsRequired => Some(Fault::NoTls),
        ConnectError::Authentication(_) => Some(Fault::Credentials),
        ConnectError::Refused { errno: Some(1044 | 1049), .. } => Some(Fault::NoDatabase),
        _ => None,
    });
}

/// Error numbers: MySQL, "Server Error Message Reference".
fn login_remedy(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::Authentication(_) => {
            "Check origin.user and origin.password, and that the user may log in from where the \
             proxy (through a tunnel: the connector) connects ('user'@'host')."
        }
        ConnectError::Unverified(_) => UNVERIFIED_REMEDY,
        ConnectError::CompressionNotOffered(_) => {
            "Set compression of [database.origin] to what the database has, or remove it."
        }
        ConnectError::Refused { errno: Some(1049), .. } => {
            "Check origin.database: the server has none of this name."
        }
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
            (refused(1049), "✗ login", "Check origin.database"),
            (refused(1040), "✗ login", "Lower origin_connection_limit"),
            (ConnectError::Unverified("in clear text"), "✗ login", "sslmode = \"verify-ca\""),
            (ConnectError::TimedOut, "✗ login", "does not speak MySQL"),
            (ConnectError::CompressionNotOffered("zstd"), "✗ login", "Set compression"),
        ];
        for (error, step, remedy) in table {
            let mut walk = Walk::default();
            login_failed(&mut walk, &error, Took::Untimed);
            assert!(!walk.is_complete());
            let shown = walk.lines().join("\n");
            assert!(shown.contains(step) && shown.contains(remedy), "{shown}");
        }
    }
}
