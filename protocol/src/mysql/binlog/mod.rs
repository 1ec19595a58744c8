//! The binary log as a server sends it to its replicas: what asks for it, the packets it comes in, and its events.
//!
//! Only what says *which tables a transaction changes* is read of an event; rows are not, so that no type of a column need be
//! known. Whatever is not understood becomes [`Event::Unseen`], which stands for a change of everything, unless its writer says
//! that it may be ignored. What a transaction is, and what its statements write, is not known here: see `capture` of the
//! `mysql` crate.
//!
//! * [`request`]: the commands of a replica.
//! * [`Packets`]: a stream cut into packets, of which only the beginning is kept: a row may be as long as a gigabyte.
//! * [`Format`]: how the events that follow are written, and [`Format::read`], which reads them.
//! * [`Payload`]: a transaction in one event, perhaps compressed, and [`Format::events`], which reads it.
//!
//! The decoder is our own and not that of `mysql_common`. That makes room for as many bytes as the header of an event claims
//! (4 GiB), needs each event whole, and knows none of MariaDB's events.
//!
//! Sources: "MySQL Internals: Binary Log", `libs/mysql/binlog/event` of MySQL, `sql/log_event.h` of MariaDB.

mod event;
mod header;
mod kept;
mod packets;
mod payload;
mod query;
#[cfg(test)]
mod real;
pub mod request;
#[cfg(test)]
mod tests;

pub use self::{
    event::{Event, Format, Gtid},
    header::{HEADER_LEN, Header, Kind},
    kept::KEPT_LEN,
    packets::{Packet, Packets},
    payload::Payload,
    query::Query,
};
