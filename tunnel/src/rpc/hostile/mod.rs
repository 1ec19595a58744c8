//! Peers that break the protocol, on purpose or not: nothing panics, nothing grows without bound.

mod malformed;
mod messages;
mod order;
