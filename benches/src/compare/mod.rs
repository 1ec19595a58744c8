//! The comparison: the same work, round by round, against a database itself, Jumpgate, and what else stands before
//! databases; all of them started for this, on loopback of one machine, and ended with it.
//!
//! It knows Jumpgate only as a binary with a file of settings. It says which goals were met, and judges nothing: a goal
//! that was missed is a result.
//!
//! # Layout
//!
//! * [`args`]: the command line. [`scenarios`]: what is measured, and the goal of each row. [`run`]: in which order.
//! * [`world`]: the database and Jumpgate. [`peers`]: the others. [`contender`]: whatever the same work is given to.
//! * [`work`]: how each kind of work is done, by pgbench or by the load tester's own clients.
//! * [`figures`]: what was measured. [`goals`]: what it is held against. [`table`], [`json`]: how it is shown.

pub mod args;
pub mod contender;
pub mod figures;
pub mod goals;
pub mod json;
pub mod peers;
pub mod run;
pub mod scenarios;
pub mod table;
pub mod work;
pub mod world;
