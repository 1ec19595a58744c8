//! Prepared statements by the protocol: ids of ours, mapped to those of whichever backend runs them.
//!
//! * [`prepare`]: COM_STMT_PREPARE, and which statement is meant.
//! * [`execute`]: COM_STMT_EXECUTE, from the cache or at a backend.
//! * [`cursors`]: COM_STMT_FETCH, COM_STMT_SEND_LONG_DATA, COM_STMT_RESET, COM_STMT_CLOSE.

mod cursors;
mod execute;
mod prepare;
