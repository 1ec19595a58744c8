//! Reaching a private database: Access in front, an edge in the middle, a connector behind.
//!
//! Nothing here knows of databases: a [`client::Stream`] carries bytes, whatever they mean.
//!
//! # Layout
//!
//! * [`access`]: service tokens, as a client holds them and as an edge stores them.
//! * [`client`]: dials a guarded hostname; works against any edge that speaks this protocol.
//! * `websocket`: the framing, as values fed with bytes, and the stream made of it.
//! * `http1`: the heads of the upgrade, both directions.

pub mod access;
pub mod client;
mod http1;
mod net;
mod websocket;
