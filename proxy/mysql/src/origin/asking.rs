//! A connection of our own that has logged in, and questions on it.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};
use origin::net::{ConnectError, Framed};
use protocol::{
    mysql::{
        capabilities::{CapabilityFlags, MariaDbFlags, StatusFlags},
        command::Query,
        exchange::{CommandKind, Desync, Exchange, Seen},
        packet::{self, Packet},
        reply,
    },
    reader::DecodeError,
};

use super::super::fill;

/// The longest packet of a reply to a question of our own.
const MAX_ASKED_PACKET: usize = 1 << 20;
/// The most that such a reply may hold in all.
const MAX_ASKED_BYTES: usize = 64 << 20;
pub(super) const COM_QUIT: u8 = 0x01;

/// A connection that has logged in.
#[derive(Debug)]
pub struct Login {
    /// The stream, inside TLS where the config wants that.
    pub framed: Framed,
    /// What both sides agreed to.
    pub capabilities: CapabilityFlags,
    /// The same of what MariaDB has beyond that.
    pub extended: MariaDbFlags,
    /// The origin's id of the connection, for KILL.
    pub thread_id: u32,
    /// The version in the origin's greeting.
    pub version: Bytes,
    /// The collation in the origin's greeting.
    pub collation: u8,
    /// What the last OK of the login said.
    pub status: StatusFlags,
}

/// Why a question of our own has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AskError {
    /// The connection broke.
    #[error("the connection broke")]
    Lost(#[source] Arc<io::Error>),
    /// The origin answered with an error.
    #[error("the database refused: {message} ({code})")]
    Refused {
        /// MySQL's error number.
        code: u16,
        /// Its text.
        message: String,
    },
    /// What it said is not the protocol.
    #[error("the origin does not speak the MySQL protocol")]
    Protocol(#[from] DecodeError),
    /// What it said is the protocol, but no answer to a question.
    #[error("the origin is out of step")]
    Desync(#[from] Desync),
}

impl From<io::Error> for AskError {
    fn from(error: io::Error) -> Self {
        Self::Lost(Arc::new(error))
    }
}

impl From<AskError> for ConnectError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Lost(error) => Self::Lost(error),
            AskError::Refused { code, message } => {
                Self::Refused { errno: Some(code), sqlstate: String::from("HY000"), message }
            }
            AskError::Protocol(error) => Self::Protocol(error),
            AskError::Desync(_) => Self::Protocol(DecodeError::Value("packet of a reply")),
        }
    }
}

/// A row of a text result.
pub type Row = Vec<Option<Bytes>>;

/// Asks one question on a connection of our own, and collects its answer.
///
/// # Errors
///
/// [`AskError`]; unless it is [`AskError::Refused`] the connection cannot be used any more.
///
/// # Cancel safety
///
/// Dropped before it ends, the connection cannot be used any more.
pub async fn ask(
    framed: &mut Framed,
    capabilities: CapabilityFlags,
    sql: &str,
) -> Result<Vec<Row>, AskError> {
    put_query(framed, capabilities, sql);
    answer(framed, capabilities).await
}

/// COM_QUERY of a text of our own, for a server with these capabilities.
pub(crate) fn query_payload(sql: &str, capabilities: CapabilityFlags) -> BytesMut {
    let attributes = capabilities.contains(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES);
    let mut payload = BytesMut::with_capacity(sql.len() + 3);
    Query { attributes: Vec::new(), sql: sql.as_bytes() }.encode(attributes, &mut payload);
    payload
}

/// Puts a question of our own behind what is to be sent.
pub(crate) fn put_query(framed: &mut Framed, capabilities: CapabilityFlags, sql: &str) {
    packet::put(framed.queue(), &mut 0, &query_payload(sql, capabilities));
}

/// The answer to the question that was put first and not answered yet.
///
/// # Errors
///
/// [`AskError`]; unless it is [`AskError::Refused`] the connection cannot be used any more.
///
/// # Cancel safety
///
/// Dropped before it ends, the connection cannot be used any more.
pub(crate) async fn answer(
    framed: &mut Framed,
    capabilities: CapabilityFlags,
) -> Result<Vec<Row>, AskError> {
    let mut rows = Vec::new();
    hear(framed, capabilities, |seen, packet| {
        if *seen == Seen::Row {
            rows.push(text_row(packet)?);
        }
        Ok(())
    })
    .await?;
    Ok(rows)
}

/// The same as the cache keeps it. Nothing of an answer that is not to be kept.
///
/// # Errors
///
/// [`AskError`]; unless it is [`AskError::Refused`] the connection cannot be used any more.
///
/// # Cancel safety
///
/// Dropped before it ends, the connection cannot be used any more.
pub(super) async fn reply(
    framed: &mut Framed,
    capabilities: CapabilityFlags,
) -> Result<Option<cache::Reply>, AskError> {
    let (mut description, mut rows, mut complete) = Default::default();
    hear(framed, capabilities, |seen, packet| {
        match seen {
            Seen::ColumnCount(_) | Seen::Column { .. } => {
                packet::put(&mut description, &mut 0, packet);
            }
            Seen::Row => packet::put(&mut rows, &mut 0, packet),
            Seen::RowsEnd(end) => complete = fill::end_of(end, false),
            _ => {}
        }
        Ok(())
    })
    .await?;
    let (description, rows): (BytesMut, BytesMut) = (description, rows);
    let whole = |complete| cache::Reply {
        description: description.freeze(),
        rows: vec![rows.freeze()],
        complete,
    };
    Ok(complete.map(whole))
}

/// Hears the answer to one question, packet by packet.
async fn hear(
    framed: &mut Framed,
    capabilities: CapabilityFlags,
    mut take: impl FnMut(&Seen<'_>, &Bytes) -> Result<(), DecodeError>,
) -> Result<(), AskError> {
    let mut exchange = Exchange::new(capabilities);
    exchange.sent(CommandKind::Query);
    let mut total = 0_usize;
    loop {
        let packet = next_packet(framed, MAX_ASKED_PACKET).await?.payload;
        total = total.saturating_add(packet.len());
        if total > MAX_ASKED_BYTES {
            return Err(DecodeError::Length(u32::try_from(total).unwrap_or(u32::MAX)).into());
        }
        match exchange.received(packet.len(), &packet)? {
            Seen::Err(error) => return Err(refused(&error)),
            // Whoever asks us for a file is not to be trusted.
            Seen::LocalInfile(_) => return Err(DecodeError::Value("request for a file").into()),
            seen => take(&seen, &packet)?,
        }
        if exchange.is_ready() {
            return Ok(());
        }
    }
}

fn refused(error: &reply::ErrPacket<'_>) -> AskError {
    let message = String::from_utf8_lossy(error.message).into_owned();
    AskError::Refused { code: error.code, message }
}

fn text_row(packet: &Bytes) -> Result<Row, DecodeError> {
    reply::text_row(packet).map(|cell| Ok(cell?.map(|cell| packet.slice_ref(cell)))).collect()
}

/// Flushes, and waits for the next packet of at most `limit` bytes.
pub(super) async fn next_packet(framed: &mut Framed, limit: usize) -> Result<Packet, AskError> {
    framed.flush().await?;
    loop {
        if let Some(packet) = packet::take(framed.buffer(), limit)? {
            return Ok(packet);
        }
        if framed.fill().await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
}

/// Says goodbye on a connection of our own, so that the server does not count it as aborted.
pub(crate) async fn leave(mut framed: Framed) {
    packet::put(framed.queue(), &mut 0, &[COM_QUIT]);
    if let Err(error) = framed.shutdown().await {
        tracing::debug!(%error, "origin had gone");
    }
}
