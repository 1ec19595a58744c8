//! The replication connection: its login, its commands, and what comes on it message by message.
//!
//! What a message means is not decided here: see `listener`.

use std::{
    io,
    time::{Duration, SystemTime},
};

use bytes::{Buf as _, Bytes};
use origin::net::{ConnectError, Framed};
use protocol::{
    postgres::{
        encode,
        frame::{BackendTag, HEADER_LEN, Header},
        message,
        replication::{self, Position},
    },
    reader::DecodeError,
};
use serving::config::{CaptureConfig, DatabaseConfig};
use tokio::time::timeout;

use super::{error::CaptureError, slot::Slot};
use crate::origin::{Login, open_stream, take_frame};

/// The longest message that is read as a whole: what a table of 1,600 columns is takes no more.
const MAX_WHOLE: usize = 1 << 20;
/// Of a longer one so much: the table of a row, and for whom something was emitted.
const BEGINNING: usize = 256;
/// Longest time for what needs no transaction of others to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// A slot begins once all transactions have ended that were there before it.
const SLOT_PATIENCE: Duration = Duration::from_secs(900);
/// From the beginning of 1970 to that of 2000, where PostgreSQL's clock begins.
const EPOCH: Duration = Duration::from_secs(946_684_800);

/// A replication connection.
pub(super) struct Stream {
    framed: Framed,
    /// So much of a long message is still to come, and of no interest.
    left: usize,
}

impl Stream {
    /// Logs in.
    pub(super) async fn open(
        config: &DatabaseConfig,
        capture: &CaptureConfig,
    ) -> Result<Self, CaptureError> {
        let opened = timeout(config.pool.connect_timeout, async {
            let stream = open_stream(config).await?;
            let mut login = Login::new(stream, &capture.origin);
            let more = [("replication", "database"), ("client_encoding", "UTF8")];
            login.begin(&format!("jumpgate/{} capture", config.name), &more).await?;
            login.finish().await
        });
        let (framed, _beginning, _key) =
            opened.await.unwrap_or(Err(ConnectError::TimedOut)).map_err(CaptureError::Connect)?;
        Ok(Self { framed, left: 0 })
    }

    /// Makes a slot.
    pub(super) async fn make(&mut self, slot: &Slot) -> Result<(), CaptureError> {
        self.command(&slot.making(), SLOT_PATIENCE).await
    }

    /// Throws a slot away that is of no use any more.
    pub(super) async fn drop_slot(&mut self, slot: &Slot) -> Result<(), CaptureError> {
        self.command(&slot.dropping(), PATIENCE).await
    }

    /// Gives the command from which on messages come.
    pub(super) async fn start(&mut self, command: &str) -> Result<(), CaptureError> {
        encode::query(command, self.framed.queue());
        loop {
            match timeout(PATIENCE, self.reply())
                .await
                .map_err(|_elapsed| CaptureError::Silent)??
            {
                BackendTag::CopyBothResponse => return Ok(()),
                BackendTag::ParameterStatus => {}
                _ => return Err(DecodeError::Value("answer to START_REPLICATION").into()),
            }
        }
    }

    async fn command(&mut self, text: &str, patience: Duration) -> Result<(), CaptureError> {
        encode::query(text, self.framed.queue());
        let ends = async {
            loop {
                if self.reply().await? == BackendTag::ReadyForQuery {
                    return Ok(());
                }
            }
        };
        timeout(patience, ends).await.map_err(|_elapsed| CaptureError::Silent)?
    }

    /// The next frame of a command's reply, of which the tag says all.
    async fn reply(&mut self) -> Result<BackendTag, CaptureError> {
        self.framed.flush().await?;
        loop {
            match take_frame(self.framed.buffer(), MAX_WHOLE)? {
                None => self.fill().await?,
                Some((tag, body)) => match BackendTag::from(tag) {
                    BackendTag::NoticeResponse => {}
                    BackendTag::ErrorResponse => return Err(refusal(&body)),
                    tag => return Ok(tag),
                },
            }
        }
    }

    /// Waits for more, and meanwhile writes what is queued.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, nothing was read, and what was not written is written by the next call.
    pub(super) async fn fill(&mut self) -> Result<(), CaptureError> {
        match self.framed.fill_while_flushing().await? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            _ => Ok(()),
        }
    }

    /// The next message that is there: what a CopyData holds, or the beginning of it.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, CaptureError> {
        loop {
            let buffer = self.framed.buffer();
            let skipped = self.left.min(buffer.len());
            buffer.advance(skipped);
            self.left -= skipped;
            let Some(header) = Header::peek(buffer)?.filter(|_| self.left == 0) else {
                return Ok(None);
            };
            let is_long = header.body_len > MAX_WHOLE;
            let wanted = if is_long { BEGINNING } else { header.body_len };
            if buffer.len() < HEADER_LEN + wanted {
                return Ok(None);
            }
            buffer.advance(HEADER_LEN);
            let body = buffer.split_to(wanted).freeze();
            self.left = header.body_len - wanted;
            match BackendTag::from(header.tag) {
                BackendTag::CopyData => return Ok(Some(body)),
                BackendTag::NoticeResponse | BackendTag::ParameterStatus => {}
                BackendTag::ErrorResponse => return Err(refusal(&body)),
                BackendTag::CopyDone => return Err(CaptureError::Ended),
                _ => return Err(DecodeError::Value("message of a walsender").into()),
            }
        }
    }

    /// Says how far we are, and may ask how far the database is. It is written with the next [`fill`](Self::fill).
    pub(super) fn tell(&mut self, done: Position, wants_answer: bool) {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + EPOCH);
        let micros = since.unwrap_or_default().as_micros();
        let now = u64::try_from(micros).unwrap_or(u64::MAX);
        // Whoever reads nothing is told no more.
        if self.framed.queued() < MAX_WHOLE {
            replication::status(done, now, wants_answer, self.framed.queue());
        }
    }
}

fn refusal(body: &[u8]) -> CaptureError {
    let field = |code| {
        String::from_utf8_lossy(message::error_field(body, code).unwrap_or_default()).into_owned()
    };
    CaptureError::Refused { sqlstate: field(b'C'), message: field(b'M') }
}
