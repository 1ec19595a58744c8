//! Column definitions, as each client agreed to them: MariaDB extends them (`MARIADB_CLIENT_EXTENDED_METADATA`), and a
//! client may have agreed to another form than the backend whose reply it gets.
//!
//! Where both are the same, definitions go through unread.

use bytes::BytesMut;
use protocol::{
    mysql::{
        capabilities::{CapabilityFlags, MariaDbFlags},
        exchange::{CommandKind, Seen},
        packet::{self, HEADER_LEN, Header},
        reply,
    },
    reader::DecodeError,
};
use serving::error::SessionError;

use super::{
    backend::Backend, client_end::ClientEnd, columns_end::ColumnsEnd, relay::Relay,
    session::Session,
};

/// The longest definition: five names and what belongs to its type.
const MAX_DEFINITION: usize = 1 << 20;

impl Session {
    /// Passes on the definition that stands at the front of the backend's input. False when more must come first.
    pub(crate) fn pass_definition(
        &mut self,
        input: &mut BytesMut,
        relay: &mut Relay,
    ) -> Result<bool, SessionError> {
        let taken = packet::take(input, MAX_DEFINITION).map_err(SessionError::BackendProtocol)?;
        let Some(packet) = taken else { return Ok(false) };
        let loan = &mut self.hold.held("pass a definition on")?.loan;
        let (definition, from) = (packet.payload, loan.extends_metadata());
        let Seen::Column { last } = loan.exchange.received(definition.len(), &definition)? else {
            return Err(SessionError::BackendProtocol(DecodeError::Value("reply packet")));
        };
        let lacks_end = loan.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF)
            && !self.client.has(CapabilityFlags::CLIENT_DEPRECATE_EOF);
        relay.columns_left = relay.columns_left.saturating_sub(1);
        if last && lacks_end {
            relay.columns_end = ColumnsEnd::Owed;
        }
        relay.collect_description(&definition);
        let mut remade = BytesMut::with_capacity(definition.len());
        reply::put_definition(&definition, from, self.client.expects_extended(), &mut remade)
            .map_err(SessionError::BackendProtocol)?;
        self.client.pass(&remade, relay);
        Ok(true)
    }
}

impl ClientEnd {
    /// Whether the client expects extended definitions.
    const fn expects_extended(&self) -> bool {
        self.extended.contains(MariaDbFlags::MARIADB_CLIENT_EXTENDED_METADATA)
    }

    /// Whether what comes next from a backend is a definition that the client expects in another form.
    pub(crate) fn remakes_columns(&self, relay: &Relay, backend: &Backend) -> bool {
        let is_due = relay.columns_left > 0 || relay.kind == Some(CommandKind::FieldList);
        is_due && backend.extends_metadata() != self.expects_extended()
    }

    /// Queues a definition of ours, or one that was kept.
    pub(crate) fn put_definition(&mut self, definition: &[u8]) {
        let to = self.expects_extended();
        // What cannot be read was never sent by a server: it goes through as it is.
        let from = reply::is_extended(definition).unwrap_or(to);
        let mut remade = BytesMut::new();
        let is_remade =
            from != to && reply::put_definition(definition, from, to, &mut remade).is_ok();
        let payload = if is_remade { &remade[..] } else { definition };
        self.put(payload);
    }

    /// Queues the count and the definitions of a reply that was kept.
    pub(crate) fn put_kept_description(&mut self, packets: &[u8]) {
        let count_len = Header::peek(packets).map_or(0, Header::packet_len);
        let (count, definitions) = packets.split_at_checked(count_len).unwrap_or((packets, &[]));
        let first = Header::peek(definitions)
            .and_then(|header| definitions.get(HEADER_LEN..header.packet_len()));
        let is_extended = first.and_then(|first| reply::is_extended(first).ok());
        if is_extended.is_none_or(|is_extended| is_extended == self.expects_extended()) {
            self.put_packets(packets);
            return;
        }
        self.put_packets(count);
        let mut rest = definitions;
        while let Some(header) = Header::peek(rest) {
            let Some((one, next)) = rest.split_at_checked(header.packet_len()) else { break };
            self.put_definition(one.get(HEADER_LEN..).unwrap_or_default());
            rest = next;
        }
    }
}
