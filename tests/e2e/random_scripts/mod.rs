//! Random conversations of two clients that share two backends: what either client sees is what it sees of the database
//! itself, and what is in the database afterwards is the same.
//!
//! [`messages`] makes them of any messages in both protocols of PostgreSQL, [`blocks`] of what drivers send around
//! transactions; `mysql/random_scripts.rs` does the latter for MySQL and MariaDB, of the same [`shape`]. A script is made of
//! its seed alone, so that a difference can be had again: `JUMPGATE_SCRIPT_SEED=17 JUMPGATE_SCRIPTS=1`. How many there are
//! says `JUMPGATE_SCRIPTS`; `./run suites scripts` runs 20,000. [`comparing`] makes what differs small.

mod blocks;
pub(crate) mod comparing;
mod messages;
mod postgres;
pub(crate) mod shape;
mod turn;
