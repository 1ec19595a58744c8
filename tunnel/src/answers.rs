//! Bodies of an edge's answers that say more than their status does: the edge says them, the client knows them.

/// Status 404: no route has this hostname.
pub(crate) const UNKNOWN_HOSTNAME: &str = "unknown hostname";
/// Status 502: where the hostname leads is not in the connector's allow-list.
pub(crate) const NOT_ALLOWED: &str =
    "the connector's allow-list (--allow) does not have where the hostname leads";
/// Whatever else a connector answered that has no service for a hostname: mostly 404 or 503.
pub(crate) const REFUSED_BY_CONNECTOR: &str = "the connector refused the stream";
/// Status 421: for connectors.
pub(crate) const MISDIRECTED: &str =
    "this port is for proxies; connectors dial the other one, 7844 unless it was changed";
