//! A cache as one of many: nodes in front of the same origins share what they keep, and none serves what another has outdated.
//!
//! They meet in a tier, a Valkey or Redis server, and nowhere else. The protocol, what it assumes and why it holds is told in
//! `docs/CLUSTER.md`; here is the node's side of it.
//!
//! # Layout
//!
//! | module | what |
//! |---|---|
//! | `settings` | [`Settings`] |
//! | `node` | [`Cluster`], what a node knows; its [`Peers`](cache::peers::Peers) |
//! | `life` | coming in, the lease, the inbox; nodes that are gone |
//! | `open`, `writes`, `ends` | the writes of this node; how they are announced; how their ends are told |
//! | `tier`, `inbox`, `scripts`, `answers`, `names` | the connection, what is asked on it and answered, and what things are called there |
//! | `entry` | a reply as it lies there |
//! | `counts` | [`Counts`] |

mod answers;
mod counts;
mod ends;
mod entry;
mod error;
mod inbox;
mod life;
mod names;
mod node;
mod open;
mod scripts;
mod settings;
mod tier;
mod writes;

pub use counts::Counts;
pub use error::TierError;
pub use node::{Cluster, Origins, State};
pub use settings::{Settings, Unreachable};
