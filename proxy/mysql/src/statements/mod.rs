//! Prepared statements by the protocol: ids of ours, mapped to those of whichever backend runs them.
//!
//! * [`prepare`]: COM_STMT_PREPARE, and which statement is meant.
//! * [`execute`]: COM_STMT_EXECUTE, from the cache or at a backend.
//! * [`along`]: a statement that is prepared in the same write with its execution.
//! * [`cursors`]: COM_STMT_FETCH, COM_STMT_SEND_LONG_DATA, COM_STMT_RESET, COM_STMT_CLOSE.

mod along;
mod cursors;
mod execute;
mod prepare;
