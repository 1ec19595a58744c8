//! The client/server protocol of MySQL 5.7 to 9 and MariaDB ("MySQL Internals: Client/Server Protocol").
//!
//! * [`packet`]: headers, sequence ids, and payloads of 16 MiB and more.
//! * [`capabilities`]: what both sides agreed on, status flags and column types.
//! * [`handshake`]: greeting, response, AuthSwitch, `COM_CHANGE_USER`.
//! * [`auth`]: the proofs of `mysql_native_password` and `caching_sha2_password`.
//! * [`command`]: what a client asks for; query attributes and parameters.
//! * [`values`]: how long a value of the binary protocol is.
//! * [`reply`]: OK, ERR, EOF, session state, columns and rows.
//! * [`exchange`]: which replies a backend still owes, and so when it is idle.
//! * [`compress`]: packets of packets, with zlib or zstd.
//! * [`binlog`]: what servers send to their replicas.
//!
//! Everything above [`packet`] is about payloads: headers are put on by [`packet::put`] and taken off by
//! [`packet::take`]. The flags are our own and not those of `mysql_common`, which would bring big numbers and
//! regular expressions into a crate that needs none of them; the names are the same.

pub mod auth;
pub mod binlog;
pub mod capabilities;
pub mod command;
pub mod compress;
pub mod exchange;
pub mod handshake;
pub mod packet;
pub mod reply;
pub mod values;
