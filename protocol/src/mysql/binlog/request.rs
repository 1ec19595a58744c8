//! What a replica says: `COM_REGISTER_SLAVE` and `COM_BINLOG_DUMP`.

use bytes::{BufMut as _, BytesMut};

use crate::mysql::command::CommandTag;

/// Appends what makes a replica known, so that it is listed by `SHOW REPLICAS`, without an address or a login.
pub fn register(server_id: u32, out: &mut BytesMut) {
    out.put_u8(CommandTag::RegisterSlave.byte());
    out.put_u32_le(server_id);
    // Host, user and password, each with its length.
    out.put_bytes(0, 3);
    // Port, rank, and the id of its source.
    out.put_bytes(0, 2 + 4 + 4);
}

/// Appends what asks for all events of a file from a place on, and of those behind it for ever. No number but 0, which asks
/// for what is there and no more, may be another replica's.
pub fn dump(server_id: u32, file: &[u8], position: u32, out: &mut BytesMut) {
    out.put_u8(CommandTag::BinlogDump.byte());
    out.put_u32_le(position);
    out.put_u16_le(0);
    out.put_u32_le(server_id);
    out.put_slice(file);
}
