//! A connection to an origin as one of its replicas.

use std::{sync::Arc, time::Duration};

use ::origin::net::{ConnectError, Framed};
use bytes::{Bytes, BytesMut};
use protocol::mysql::{
    binlog::{Packet, Packets, request},
    capabilities::CapabilityFlags,
    packet,
    reply::ErrPacket,
};
use serving::config::{CaptureConfig, DatabaseConfig};
use tokio::time::{Instant, timeout};

use super::{error::CaptureError, tracker::Place};
use crate::{
    backend::NOWHERE,
    origin::{self, Login, Row, asking::AskError},
};

/// The first byte of a packet with an event in it, of an error, and of what ends a stream.
const EVENT: u8 = 0x00;
const ERR: u8 = 0xff;
const EOF: u8 = 0xfe;
/// An EOF is shorter than that.
const EOF_LEN: usize = 9;
/// MySQL, MariaDB: ER_MASTER_FATAL_ERROR_READING_BINLOG. The place is not there any more, most often.
const NOT_READABLE: u16 = 1236;
/// ER_PARSE_ERROR: an older server, which says it in other words.
const PARSE_ERROR: u16 = 1064;
/// ER_SPECIFIC_ACCESS_DENIED_ERROR: a right is missing.
const NOT_ALLOWED: u16 = 1227;

/// Where the log ends, in the words of MySQL since 8.2, and of those before it and MariaDB.
const STATUS: [&str; 2] = ["SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"];

/// Of replicas nobody else's: who comes second with a number ends the first.
const FIRST_ID: u32 = 0x4000_0000;

/// By how much less a server may seem to have run than it has.
const TOLERANCE: Duration = Duration::from_secs(2);

/// Shortest and longest pause of a server that has nothing to say.
const HEARTBEAT: (Duration, Duration) = (Duration::from_millis(25), Duration::from_secs(1));

/// What tells one server from another at the same address; and how long it may wait for its replicas.
const VARIABLES: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uuid','server_id',\
    'hostname','port','datadir','rpl_semi_sync_master_enabled','rpl_semi_sync_source_enabled',\
    'rpl_semi_sync_master_timeout','rpl_semi_sync_source_timeout')";
const UPTIME: &str = "SHOW GLOBAL STATUS LIKE 'Uptime'";
const CLOCK: &str = "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED)";

/// A connection that has logged in, and what the server said of itself.
#[derive(Debug)]
pub(super) struct Source {
    framed: Framed,
    capabilities: CapabilityFlags,
    /// Which server it is.
    pub(super) identity: Identity,
    /// Where its log ends.
    pub(super) end: Place,
    /// For how long it has run, in whole seconds.
    up: Duration,
    /// What it may wait for between the log and the commit.
    pub(super) waits: Duration,
    pub(super) clock: Clock,
}

/// What tells a server from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity(Vec<Row>);

/// The server's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// At this moment of ours it was not later.
    ours: Instant,
    /// Since 1970.
    theirs: Duration,
}

impl Clock {
    /// How long ago, at this moment, the server's clock said this.
    pub(super) fn since(&mut self, at: Duration, now: Instant) -> Duration {
        let there = self.theirs + (now - self.ours);
        if at > there {
            // It was set forward, or goes faster than ours.
            *self = Self { ours: now, theirs: at };
        }
        there.saturating_sub(at)
    }
}

/// How often a server is asked to say something, where changes may come so late.
pub(super) fn heartbeat(max_lag: Duration) -> Duration {
    (max_lag / 4).clamp(HEARTBEAT.0, HEARTBEAT.1)
}

impl Source {
    /// Logs in, and asks what must be known.
    pub(super) async fn open(
        config: &DatabaseConfig,
        capture: &CaptureConfig,
    ) -> Result<Self, CaptureError> {
        let program = format!("jumpgate/{} capture", config.name);
        let patience = config.pool.connect_timeout;
        let open = async {
            let how = (program.as_str(), false, NOWHERE);
            let host = (config.origin.host_in_use(), patience);
            let login = origin::login_as(&capture.origin, host, how).await?;
            Self::ask(login, capture).await
        };
        timeout(patience, open).await.unwrap_or(Err(ConnectError::TimedOut.into()))
    }

    async fn ask(login: Login, capture: &CaptureConfig) -> Result<Self, CaptureError> {
        let Login { mut framed, capabilities, .. } = login;
        let pause = heartbeat(capture.max_lag).as_nanos();
        // Each server knows one name of two, or none. MariaDB would tell transactions otherwise to a replica that does not know
        // its identities of them.
        let wants = format!(
            "SET @master_binlog_checksum='NONE', @source_binlog_checksum='NONE', \
             @master_heartbeat_period={pause}, @source_heartbeat_period={pause}, \
             @mariadb_slave_capability=4"
        );
        let ours = Instant::now();
        [&*wants, CLOCK, UPTIME, VARIABLES]
            .iter()
            .for_each(|sql| origin::put_query(&mut framed, capabilities, sql));
        origin::answer(&mut framed, capabilities).await?;
        let clock = origin::answer(&mut framed, capabilities).await?;
        let micros = number(clock.first().and_then(|row| row.first()?.as_deref()));
        let theirs = Duration::from_micros(micros.ok_or(CaptureError::Answer)?);
        let up = origin::answer(&mut framed, capabilities).await?;
        let up = number(up.first().and_then(|row| row.get(1)?.as_deref()));
        let up = Duration::from_secs(up.ok_or(CaptureError::Answer)?);
        let variables = origin::answer(&mut framed, capabilities).await?;
        let end = end(&mut framed, capabilities).await?;
        let (of_waiting, mut identity): (Vec<Row>, Vec<Row>) =
            variables.into_iter().partition(|row| name(row).starts_with(b"rpl_semi_sync_"));
        identity.sort_unstable();
        let clock = Clock { ours, theirs };
        let (identity, waits) = (Identity(identity), waits(&of_waiting));
        Ok(Self { framed, capabilities, identity, end, up, waits, clock })
    }

    /// How long the server will have run at this moment, if it has not been restarted.
    pub(super) fn up(&self, now: Instant) -> Duration {
        self.up + (now - self.clock.ours)
    }

    /// Whether it is the server that was asked before and should have run for `up` by now. One that was restarted may have
    /// lost what it had told, and rows that were in its memory.
    pub(super) fn is_same(&self, identity: &Identity, up: Duration) -> bool {
        self.identity == *identity && self.up(Instant::now()) + TOLERANCE >= up
    }

    /// Asks for all that stands in the log behind a place.
    pub(super) async fn dump(&mut self, place: &Place) -> Result<(), CaptureError> {
        let at = place.at.ok_or(CaptureError::Unreachable)?;
        let server_id = FIRST_ID | rand::random::<u32>() >> 2;
        let mut payload = BytesMut::new();
        request::register(server_id, &mut payload);
        packet::put(self.framed.queue(), &mut 0, &payload);
        let registered = origin::answer(&mut self.framed, self.capabilities).await;
        registered.map_err(|error| refused(error, "follow its binary log"))?;
        payload.clear();
        request::dump(server_id, &place.file, at, &mut payload);
        packet::put(self.framed.queue(), &mut 0, &payload);
        self.framed.flush().await.map_err(|error| AskError::from(error).into())
    }

    /// The next event that has been read: its beginning and how long it is. `None` when more must be read.
    pub(super) fn next(
        &mut self,
        packets: &mut Packets,
    ) -> Result<Option<(Bytes, usize)>, CaptureError> {
        let taken = packets.take(self.framed.buffer())?;
        let Some(Packet { mut head, len }) = taken else { return Ok(None) };
        match head.first() {
            Some(&EVENT) => Ok(Some((head.split_off(1), len.saturating_sub(1)))),
            Some(&ERR) => {
                let error = ErrPacket::decode(&head)?;
                let message = String::from_utf8_lossy(error.message).into_owned();
                Err(match error.code {
                    NOT_READABLE => CaptureError::Purged(message),
                    code => refused(AskError::Refused { code, message }, "follow its binary log"),
                })
            }
            Some(&EOF) if len < EOF_LEN => Err(CaptureError::Ended),
            _ => Err(CaptureError::Answer),
        }
    }

    /// Reads once.
    pub(super) async fn fill(&mut self) -> Result<(), CaptureError> {
        match self.framed.fill().await {
            Ok(0) => Err(CaptureError::Ended),
            Ok(_read) => Ok(()),
            Err(error) => Err(AskError::Lost(Arc::new(error)).into()),
        }
    }
}

/// Where the log ends. Nothing may be left out of it.
async fn end(framed: &mut Framed, capabilities: CapabilityFlags) -> Result<Place, CaptureError> {
    let [words, older_words] = STATUS;
    let mut asked = origin::ask(framed, capabilities, words).await;
    if let Err(AskError::Refused { code: PARSE_ERROR, .. }) = asked {
        asked = origin::ask(framed, capabilities, older_words).await;
    }
    let rows = asked.map_err(|error| refused(error, "see where its binary log ends"))?;
    let row = rows.first().ok_or(CaptureError::NoLog)?;
    let column = |at: usize| row.get(at).and_then(Option::as_ref);
    // Which schemas alone are logged, and which are not.
    if [2, 3].into_iter().filter_map(column).any(|schemas| !schemas.is_empty()) {
        return Err(CaptureError::Filtered);
    }
    let at = number(column(1).map(|text| &text[..])).ok_or(CaptureError::Answer)?;
    let file = column(0).cloned().ok_or(CaptureError::Answer)?;
    Ok(Place { file, at: u32::try_from(at).ok(), began: 0 })
}

/// Why something was not done.
fn refused(error: AskError, what: &'static str) -> CaptureError {
    match error {
        AskError::Refused { code: NOT_ALLOWED, .. } => CaptureError::NotAllowed(what),
        error => error.into(),
    }
}

/// How long the server may wait for a replica's receipt before a commit is seen.
fn waits(variables: &[Row]) -> Duration {
    let value = |suffix: &[u8]| {
        let mut found = variables.iter().filter(|row| name(row).ends_with(suffix));
        found.find_map(|row| row.get(1)?.as_deref())
    };
    match value(b"_enabled") {
        Some(b"ON" | b"1") => Duration::from_millis(number(value(b"_timeout")).unwrap_or(10_000)),
        _ => Duration::ZERO,
    }
}

/// What a row of variables is about.
fn name(row: &Row) -> &[u8] {
    row.first().and_then(Option::as_deref).unwrap_or_default()
}

fn number(text: Option<&[u8]>) -> Option<u64> {
    str::from_utf8(text?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lag_is_told_by_the_servers_clock_which_may_go_ahead() {
        let now = Instant::now();
        let mut clock = Clock { ours: now, theirs: Duration::from_secs(1000) };
        let later = now + Duration::from_secs(10);
        assert_eq!(clock.since(Duration::from_secs(1007), later), Duration::from_secs(3));
        assert_eq!(clock.since(Duration::from_secs(1500), later), Duration::ZERO);
        assert_eq!(clock.since(Duration::from_secs(1499), later), Duration::from_secs(1));
        assert_eq!(heartbeat(Duration::from_millis(10)), HEARTBEAT.0);
        assert_eq!(heartbeat(Duration::from_secs(2)), Duration::from_millis(500));
        assert_eq!(heartbeat(Duration::from_secs(3600)), HEARTBEAT.1);
    }

    #[test]
    fn a_server_says_whether_it_waits_for_its_replicas() {
        let row = |name: &'static str, value: &'static str| -> Row {
            [name, value].map(|text| Some(Bytes::from_static(text.as_bytes()))).into()
        };
        assert_eq!(waits(&[]), Duration::ZERO);
        let [off, on, timeout] = [
            row("rpl_semi_sync_master_enabled", "OFF"),
            row("rpl_semi_sync_source_enabled", "ON"),
            row("rpl_semi_sync_source_timeout", "2500"),
        ];
        assert_eq!(waits(&[off, timeout.clone()]), Duration::ZERO);
        assert_eq!(waits(&[on, timeout]), Duration::from_millis(2500));
    }
}
