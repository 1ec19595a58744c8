//! What a client is greeted with, before it is known which database it wants.

use std::sync::Arc;

use bytes::Bytes;
use protocol::mysql::{
    auth::{self, Nonce},
    capabilities::{CapabilityFlags, MariaDbFlags, StatusFlags},
    handshake::Greeting,
};
use serving::config::ListenConfig;

use super::super::database::Database;

/// What clients are told while no origin's version is known.
const VERSION: &str = "8.0.36";
/// The same for the collation: `utf8mb4_general_ci`, which clients of all kinds and ages know.
const COLLATION: u8 = 45;

/// What clients are offered: only what can be translated for each origin.
pub(super) const OFFERED: CapabilityFlags = CapabilityFlags::CLIENT_LONG_PASSWORD
    .union(CapabilityFlags::CLIENT_FOUND_ROWS)
    .union(CapabilityFlags::CLIENT_LONG_FLAG)
    .union(CapabilityFlags::CLIENT_CONNECT_WITH_DB)
    .union(CapabilityFlags::CLIENT_LOCAL_FILES)
    .union(CapabilityFlags::CLIENT_IGNORE_SPACE)
    .union(CapabilityFlags::CLIENT_PROTOCOL_41)
    .union(CapabilityFlags::CLIENT_INTERACTIVE)
    .union(CapabilityFlags::CLIENT_TRANSACTIONS)
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_MULTI_STATEMENTS)
    .union(CapabilityFlags::CLIENT_MULTI_RESULTS)
    .union(CapabilityFlags::CLIENT_PS_MULTI_RESULTS)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH)
    .union(CapabilityFlags::CLIENT_CONNECT_ATTRS)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA)
    .union(CapabilityFlags::CLIENT_SESSION_TRACK)
    .union(CapabilityFlags::CLIENT_DEPRECATE_EOF)
    .union(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES);

/// What a client goes by from the first command on if it asks for it, whatever it was offered.
pub(super) const COMPRESSION: CapabilityFlags =
    CapabilityFlags::CLIENT_COMPRESS.union(CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM);

/// The greeting for a client that was given this thread id and this nonce.
pub(super) fn greeting(
    listen: &ListenConfig,
    databases: &[Arc<Database>],
    (thread_id, scramble): (u32, Nonce),
) -> Greeting {
    let (version, collation) = first_origin(databases);
    let extended = extended(databases);
    let version = match &listen.mysql_server_version {
        Some(version) => Bytes::copy_from_slice(version.as_bytes()),
        None => version,
    };
    Greeting {
        version,
        thread_id,
        scramble,
        capabilities: offered(listen, extended),
        extended,
        collation,
        status: StatusFlags::SERVER_STATUS_AUTOCOMMIT,
        plugin: Bytes::from_static(auth::CACHING_SHA2.as_bytes()),
    }
}

/// What clients of this listener are offered.
fn offered(listen: &ListenConfig, extended: MariaDbFlags) -> CapabilityFlags {
    let mut offered = OFFERED;
    // By its absence a server says that there is more.
    offered.set(CapabilityFlags::CLIENT_LONG_PASSWORD, extended.is_empty());
    offered.set(CapabilityFlags::CLIENT_SSL, listen.tls.is_some());
    offered.set(COMPRESSION, listen.mysql_compression);
    offered
}

/// What MariaDB has beyond 32 bits, where each origin has it: which one the client wants is not known yet, and an origin
/// that was never reached may be another.
fn extended(databases: &[Arc<Database>]) -> MariaDbFlags {
    let each = databases.iter().map(|database| database.learnt.extended());
    each.reduce(MariaDbFlags::intersection).unwrap_or_default()
}

/// The version and the collation for the greeting: those of the first origin that is known.
fn first_origin(databases: &[Arc<Database>]) -> (Bytes, u8) {
    let known = databases.iter().filter_map(|database| {
        let collation = database.learnt.collation().unwrap_or(COLLATION);
        Some((&database.config.name, (database.learnt.version()?, collation)))
    });
    let first = known.min_by(|(one, _), (other, _)| one.cmp(other));
    first.map_or((Bytes::from_static(VERSION.as_bytes()), COLLATION), |(_, said)| said)
}
