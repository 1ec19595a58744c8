//! The client's side of the wire: what it agreed to, how far the answer to its command has got, and packets to it.
//!
//! Knows nothing of databases and backends. What is passed on to it from a backend comes by `relay`.

use std::time::Duration;

use bytes::BytesMut;
use origin::net::Framed;
use protocol::{
    mysql::{
        capabilities::{CapabilityFlags, MariaDbFlags, StatusFlags},
        packet::{self, Header, Packet},
        reply::{self, OkPacket},
    },
    reader::DecodeError,
};
use serving::{
    context::Place,
    error::{ClientError, SessionError},
};
use tokio::time::timeout;

use super::{adopt::Refusal, cancel::Thread, wire_error};

/// The longest command that is collected (MySQL: `max_allowed_packet` is 64 MiB by default).
const MAX_COMMAND: usize = 64 << 20;
/// Longest time for a client to take its last error.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_secs(2);

/// One client's end of its connection.
#[derive(Debug)]
pub(crate) struct ClientEnd {
    /// The stream and its buffers.
    pub(crate) framed: Framed,
    /// What the client agreed to.
    pub(crate) capabilities: CapabilityFlags,
    /// The same of what MariaDB has beyond that.
    pub(crate) extended: MariaDbFlags,
    /// Who it logged in as.
    pub(crate) user: String,
    /// Its place among the others; a session to which nobody listens takes none.
    pub(crate) place: Option<Place>,
    /// Of the greeting; COM_CHANGE_USER may answer it once more.
    pub(crate) scramble: [u8; 20],
    /// The number that it was told, by which others can kill it.
    pub(crate) thread: Thread,
    /// The sequence id of the next packet to it.
    pub(crate) sequence: u8,
    /// The first sequence id of the answer to the command under way.
    pub(crate) answering: Option<u8>,
    /// How long it may leave its answers unread.
    pub(crate) write_timeout: Duration,
    /// How often it failed to change its user.
    pub(crate) refused_changes: u8,
}

impl ClientEnd {
    /// One that agreed to the same, at the end of another stream.
    pub(crate) fn like(&self, framed: Framed, thread: Thread) -> Self {
        Self {
            framed,
            capabilities: self.capabilities,
            extended: self.extended,
            user: self.user.clone(),
            place: None,
            scramble: self.scramble,
            thread,
            sequence: 1,
            answering: None,
            write_timeout: self.write_timeout,
            refused_changes: 0,
        }
    }

    /// Whether the client agreed to this.
    pub(crate) const fn has(&self, capability: CapabilityFlags) -> bool {
        self.capabilities.contains(capability)
    }

    /// Whether it agreed to COM_STMT_BULK_EXECUTE.
    pub(crate) const fn executes_in_bulk(&self) -> bool {
        self.extended.contains(MariaDbFlags::MARIADB_CLIENT_STMT_BULK_OPERATIONS)
    }

    /// The next command of those that have been read, if it is there as a whole.
    pub(crate) fn take_command(&mut self) -> Result<Option<Packet>, SessionError> {
        let taken = packet::take(self.framed.buffer(), MAX_COMMAND);
        if let Err(DecodeError::Length(_)) = taken {
            // Behind the part that was too much.
            self.sequence = packet::last_sequence(self.framed.input()).wrapping_add(1);
            self.refuse_text(1153, "08S01", "Got a packet bigger than 'max_allowed_packet' bytes");
            return Err(ClientError::StatementTooLong.into());
        }
        let packet = taken.map_err(SessionError::ClientProtocol)?;
        if let Some(packet) = packet.as_ref() {
            self.sequence = packet.last_sequence.wrapping_add(1);
            if packet.sequence != 0 {
                self.refuse_text(1156, "08S01", "Got packets out of order");
                return Err(SessionError::ClientProtocol(DecodeError::Value("sequence id")));
            }
        }
        Ok(packet)
    }

    /// Whether nothing has been queued yet in answer to the command under way.
    pub(crate) fn has_heard_nothing(&self) -> bool {
        self.answering == Some(self.sequence)
    }

    /// Queues a packet of the answer.
    pub(crate) fn put(&mut self, payload: &[u8]) {
        packet::put(self.framed.queue(), &mut self.sequence, payload);
    }

    /// Queues an OK packet.
    pub(crate) fn put_ok_packet(&mut self, ok: OkPacket<'_>) {
        let mut payload = BytesMut::new();
        ok.encode(0x00, self.capabilities, &mut payload);
        self.put(&payload);
    }

    /// Queues an EOF packet.
    pub(crate) fn put_eof_packet(&mut self, warnings: u16, status: StatusFlags) {
        let mut payload = BytesMut::new();
        reply::encode_eof(warnings, status, &mut payload);
        self.put(&payload);
    }

    /// Queues the end of rows, as the client agreed to it.
    pub(crate) fn put_rows_end(&mut self, end: OkPacket<'_>) {
        let mut payload = BytesMut::new();
        end.encode_rows_end(self.capabilities, &mut payload);
        self.put(&payload);
    }

    /// Queues whole packets with sequence ids of this reply, and counts them. A packet of 16 MiB counts for
    /// each of its parts.
    pub(crate) fn put_packets(&mut self, packets: &[u8]) -> u64 {
        let (mut count, mut rest, mut continues) = (0, packets, false);
        while let Some(header) = Header::peek(rest) {
            count += u64::from(!continues);
            continues = header.continues();
            rest = rest.get(header.packet_len()..).unwrap_or_default();
        }
        let out = self.framed.queue();
        let begin = out.len();
        out.extend_from_slice(packets);
        packet::renumber(out.get_mut(begin..).unwrap_or_default(), &mut self.sequence);
        count
    }

    /// Tells the client why its command was not done; the session goes on.
    pub(crate) fn refuse(&mut self, refusal: &Refusal) {
        if matches!(refusal, Refusal::Again) {
            return;
        }
        let mut payload = BytesMut::new();
        refusal.encode(self.capabilities, &mut payload);
        self.put(&payload);
    }

    /// The same in words that MySQL itself has for the case.
    pub(crate) fn refuse_text(&mut self, code: u16, sqlstate: &str, message: &str) {
        let agreed = (self.capabilities, &mut self.sequence);
        wire_error::put_text(code, sqlstate, message, agreed, self.framed.queue());
    }

    /// Writes what waits for the client.
    pub(crate) async fn flush(&mut self) -> Result<(), SessionError> {
        timeout(self.write_timeout, self.framed.flush())
            .await
            .map_err(|_elapsed| SessionError::ClientStuck)?
            .map_err(SessionError::ClientLost)
    }

    /// Tells the client why its session ends, if it can still be told: in answer to its command, and not in the
    /// middle of a reply.
    pub(crate) async fn last_words(&mut self, error: &SessionError) {
        let Some(told) = error.told() else { return };
        // With nothing asked there is nothing to answer, and in the middle of a reply there is no place for it. To a client
        // that was killed servers say nothing.
        if self.has_heard_nothing() && told != ClientError::Killed {
            wire_error::put(told, self.capabilities, &mut self.sequence, self.framed.queue());
        }
        let said = timeout(LAST_WORDS_TIMEOUT, self.framed.shutdown()).await;
        if !matches!(said, Ok(Ok(()))) {
            tracing::debug!("the client did not take its last error");
        }
    }
}
