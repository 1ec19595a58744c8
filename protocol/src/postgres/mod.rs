//! PostgreSQL's frontend/backend protocol (manual, chapter "Frontend/Backend Protocol").
//!
//! * [`frame`]: headers and tags; what is only passed on is never looked at deeper than that.
//! * [`message`]: borrowed views of the bodies that must be understood.
//! * [`encode`]: the messages the proxy itself says, made with pgwire.
//! * [`startup`]: the first packet of a connection.
//! * [`scram`]: the server's side of SCRAM-SHA-256.
//! * [`replication`]: what a walsender says of the changes that others make.
//! * [`pipeline`]: which replies a backend still owes, and so when it is idle.
//!
//! Untrusted bytes are read with our own bounded views: pgwire's decoders panic on a body that is shorter
//! than its fields claim and replace text that is not UTF-8, so pgwire makes messages here and does not
//! read them.

pub mod encode;
pub mod frame;
pub mod message;
pub mod pipeline;
pub mod replication;
pub mod scram;
pub mod startup;
