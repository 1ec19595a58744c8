//! Reaching a private database: Access in front, an edge in the middle, a connector behind.
//!
//! Nothing here knows of databases: a [`client::Stream`] carries bytes, whatever they mean.
//!
//! # Layout
//!
//! * [`access`]: service tokens, who may pass with them, and the signed word to origins that they did.
//! * [`client`]: dials a guarded hostname; works against any edge that speaks this protocol.
//! * [`edge`]: the public side; asks Access, finds a connector, forwards bytes.
//! * [`connector`]: the private side; dials out to edges, forwards to TCP services.
//! * [`state`]: what an edge knows, as it is kept; [`changes`] to it, and the [`store`] of it.
//! * [`token`]: a connector's credentials.
//! * [`certs`]: a private certificate authority for development and tests.
//! * [`Succession`]: what several hold, and whoever comes last changes for all.
//! * `websocket`: the framing, as values fed with bytes, and the byte stream made of it.
//! * `http1`: the heads of the upgrade, both directions.
//! * `carrier`: what edge and connector share of their HTTP/2 connection.
//! * `rpc`: the same in the words of `cloudflared`, Cap'n Proto RPC; to replace `registration`.
//! * `relay`: bytes both ways until either side ends.

pub mod access;
mod answers;
mod backoff;
mod carrier;
pub mod certs;
pub mod changes;
pub mod client;
pub mod connector;
pub mod edge;
#[doc(hidden)]
pub mod fuzzing;
mod http1;
mod net;
mod relay;
mod rpc;
pub mod state;
pub mod store;
mod succession;
pub mod token;
mod websocket;

pub use self::succession::Succession;
