//! What an origin must have and allow so that its changes can be captured, and how to give it that.

use ::origin::net::ConnectError;
use protocol::mysql::binlog::Packets;
use serving::config::{CaptureConfig, DatabaseConfig};
use tokio::time::timeout;

use super::{error::CaptureError, source::Source};
use crate::{
    backend::NOWHERE,
    origin::{self, AskError, Row},
};

/// What [`rehearse`] asks first: who asks, what server it is, and how it logs.
const WHO: &str = "SELECT CURRENT_USER(), VERSION()";
const FORMAT: &str = "SHOW GLOBAL VARIABLES LIKE 'binlog_format'";

/// Why nothing can be captured, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What is seen.
    pub reason: String,
    /// What to do, with the statements that do it.
    pub remedy: String,
}

/// What a server said of itself.
#[derive(Debug, Default)]
struct Server {
    /// As an account is written in statements.
    account: String,
    is_mariadb: bool,
    format: String,
}

/// Goes as far as a capture has to go to hear its first event, and says where that is.
///
/// # Errors
///
/// [`Missing`].
///
/// # Cancel safety
///
/// Dropped before it ends, its connections are closed.
pub async fn rehearse(config: &DatabaseConfig, capture: &CaptureConfig) -> Result<String, Missing> {
    let patience = config.pool.connect_timeout;
    let mut server = Server::default();
    let heard = async {
        server = ask(config, capture).await?;
        let mut source = Source::open(config, capture).await?;
        let place = source.end.clone();
        source.dump(&place).await?;
        let mut packets = Packets::default();
        while source.next(&mut packets)?.is_none() {
            source.fill().await?;
        }
        Ok::<_, CaptureError>(place)
    };
    let heard = timeout(patience, heard).await;
    match heard.unwrap_or_else(|_elapsed| Err(ConnectError::TimedOut.into())) {
        Ok(place) => {
            let file = String::from_utf8_lossy(&place.file);
            let format = &server.format;
            Ok(match format.as_str() {
                "ROW" => format!("rows, from {file}"),
                _ => format!(
                    "from {file}; binlog_format is {format}: a statement outdates more than its rows \
                     would (SET GLOBAL binlog_format = 'ROW')"
                ),
            })
        }
        Err(error) => Err(missing(&error, &server)),
    }
}

async fn ask(config: &DatabaseConfig, capture: &CaptureConfig) -> Result<Server, CaptureError> {
    let program = format!("jumpgate/{} capture", config.name);
    let how = (program.as_str(), false, NOWHERE);
    let login = origin::login_as(&capture.origin, config.pool.connect_timeout, how).await?;
    let (mut framed, capabilities) = (login.framed, login.capabilities);
    let who = origin::ask(&mut framed, capabilities, WHO).await?;
    let format = origin::ask(&mut framed, capabilities, FORMAT).await?;
    origin::leave(framed).await;
    let text = |rows: &[Row], at: usize| {
        let value = rows.first().and_then(|row| row.get(at)?.as_deref());
        String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
    };
    Ok(Server {
        account: account(&text(&who, 0)),
        is_mariadb: text(&who, 1).contains("MariaDB"),
        format: text(&format, 1),
    })
}

/// `CURRENT_USER()` as statements have it.
fn account(user: &str) -> String {
    let quoted = |part: &str| format!("'{}'", part.replace('\'', "''"));
    match user.rsplit_once('@') {
        Some((name, host)) => format!("{}@{}", quoted(name), quoted(host)),
        None => quoted(user),
    }
}

fn missing(error: &CaptureError, server: &Server) -> Missing {
    let remedy = match error {
        CaptureError::NoLog => String::from(
            "Start the server with a binary log, in [mysqld] of its my.cnf: log_bin = binlog, \
             server_id = 1, binlog_format = ROW.",
        ),
        CaptureError::Filtered => String::from(
            "Remove binlog_do_db and binlog_ignore_db from the server's my.cnf and restart it.",
        ),
        CaptureError::NotAllowed(_) => {
            let sees = if server.is_mariadb { "BINLOG MONITOR" } else { "REPLICATION CLIENT" };
            let account = &server.account;
            format!("GRANT REPLICATION SLAVE, {sees} ON *.* TO {account};")
        }
        CaptureError::Connect(ConnectError::Authentication(_)) => {
            String::from("Check user and password of [database.capture].")
        }
        _ => String::from("The database's log says more."),
    };
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    Missing { reason, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_that_is_missing_is_told_with_what_gives_it() {
        let mut server = Server { account: account("rep'l@%"), ..Server::default() };
        let remedy = |error, server: &Server| missing(&error, server).remedy;
        let not_allowed = || CaptureError::NotAllowed("follow it");
        let grant = "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'rep''l'@'%';";
        assert_eq!(remedy(not_allowed(), &server), grant);
        server.is_mariadb = true;
        let grant = "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO 'rep''l'@'%';";
        assert_eq!(remedy(not_allowed(), &server), grant);
        assert!(remedy(CaptureError::NoLog, &server).contains("log_bin = binlog"));
        assert!(remedy(CaptureError::Filtered, &server).contains("binlog_do_db"));
        let refused = || AskError::Refused { code: 7, message: String::from("no") };
        let told = missing(&refused().into(), &server).reason;
        assert_eq!(told, "asking for the binary log: the database refused: no (7)");
    }
}
