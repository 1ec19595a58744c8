//! What an origin must have and allow so that its changes can be captured, and how to give it that.

use ::origin::net::ConnectError;
use protocol::mysql::binlog::Packets;
use serving::{
    capture::Finding,
    config::{CaptureConfig, DatabaseConfig},
};
use tokio::time::timeout;

use super::{error::CaptureError, source::Source};
use crate::{
    backend::NOWHERE,
    origin::{self, Row},
};

/// What [`findings`] asks first: who asks, what server it is, and how it logs.
const WHO: &str = "SELECT CURRENT_USER(), VERSION()";
const FORMAT: &str = "SHOW GLOBAL VARIABLES LIKE 'binlog_format'";

/// What a server said of itself.
#[derive(Debug, Default)]
struct Server {
    /// As an account is written in statements.
    account: String,
    is_mariadb: bool,
    format: String,
}

/// What is found of the capture of a config, for `jumpgate check`: it goes as far as a capture has to go to hear its first
/// event. Nothing where none is asked for.
///
/// # Cancel safety
///
/// Dropped before it ends, its connections are closed.
pub async fn findings(config: &DatabaseConfig) -> Vec<Finding> {
    let Some(capture) = &config.capture else { return Vec::new() };
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
    let heard = timeout(config.pool.connect_timeout, heard).await;
    match heard.unwrap_or_else(|_elapsed| Err(ConnectError::TimedOut.into())) {
        Ok(place) => {
            let file = String::from_utf8_lossy(&place.file);
            let user = &capture.origin.user;
            let fine = Finding::Fine(format!("{user} may follow the binary log, from {file}"));
            [Some(fine), server.gap()].into_iter().flatten().collect()
        }
        Err(error) => vec![missing(&error, &server)],
    }
}

impl Server {
    /// What it could do better.
    fn gap(&self) -> Option<Finding> {
        let format = self.format.as_str();
        let what = || {
            format!(
                "binlog_format is {format}: a statement that is logged in words may outdate everything"
            )
        };
        let remedy = || vec![String::from("SET GLOBAL binlog_format = 'ROW';")];
        (format != "ROW").then(|| Finding::Gap(what(), remedy()))
    }
}

async fn ask(config: &DatabaseConfig, capture: &CaptureConfig) -> Result<Server, CaptureError> {
    let program = format!("jumpgate/{} capture", config.name);
    let how = (program.as_str(), false, NOWHERE);
    let host = (config.origin.host_in_use(), config.pool.connect_timeout);
    let login = origin::login_as(&capture.origin, host, how).await?;
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

fn missing(error: &CaptureError, server: &Server) -> Finding {
    let remedy = match error {
        CaptureError::NoLog => vec![String::from(
            "in [mysqld] of the server's my.cnf, and a restart: log_bin = binlog, server_id = 1, \
             binlog_format = ROW",
        )],
        CaptureError::Filtered => vec![String::from(
            "remove binlog_do_db and binlog_ignore_db from the server's my.cnf, and restart it",
        )],
        CaptureError::NotAllowed(_) => {
            let sees = if server.is_mariadb { "BINLOG MONITOR" } else { "REPLICATION CLIENT" };
            vec![format!("GRANT REPLICATION SLAVE, {sees} ON *.* TO {};", server.account)]
        }
        CaptureError::Connect(ConnectError::Authentication(_)) => {
            vec![String::from("check user and password of [database.capture]")]
        }
        _ => Vec::new(),
    };
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    Finding::Missing(reason, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::AskError;

    #[test]
    fn each_thing_that_is_missing_is_told_with_what_gives_it() {
        let mut server = Server { account: account("rep'l@%"), ..Server::default() };
        let told = |error: CaptureError, server: &Server| match missing(&error, server) {
            Finding::Missing(what, remedy) => format!("{what} | {}", remedy.join(" ")),
            found => panic!("{found:?}"),
        };
        let not_allowed = || CaptureError::NotAllowed("follow it");
        let grant = "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'rep''l'@'%';";
        assert!(told(not_allowed(), &server).ends_with(grant));
        server.is_mariadb = true;
        let grant = "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO 'rep''l'@'%';";
        assert!(told(not_allowed(), &server).ends_with(grant));
        assert!(told(CaptureError::NoLog, &server).contains("log_bin = binlog"));
        assert!(told(CaptureError::Filtered, &server).contains("binlog_do_db"));
        let refused = AskError::Refused { code: 7, message: String::from("no") };
        let said = "asking for the binary log: the database refused: no (7) | ";
        assert_eq!(told(refused.into(), &server), said);
    }

    #[test]
    fn statements_in_words_are_a_gap() {
        let gap = |format: &str| Server { format: format.to_owned(), ..Server::default() }.gap();
        assert_eq!(gap("ROW"), None);
        assert!(matches!(gap("MIXED"), Some(Finding::Gap(..))));
    }
}
