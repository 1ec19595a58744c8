//! The whole tunnel on loopback: client, edge, connector and a TCP service, in one process.

mod hostile;
mod leaving;
mod many;
mod path;
mod registration;
mod stage;
mod strangers;
