//! What a node is told of all that is kept, as plain values: only what it needs, and as it needs it.

pub mod edge;
pub mod proxy;
