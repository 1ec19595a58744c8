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
//! | `life` | coming in, the lease, the inbox |
//! | `writes` | writes that are announced, until they end; those of nodes that are gone |
//! | `tier`, `scripts`, `names` | the connection, what is asked on it, and what things are called there |
//! | `entry` | a reply as it lies there |
//! | `counts` | [`Counts`] |

mod counts;
mod entry;
mod life;
mod names;
mod node;
mod scripts;
mod settings;
mod tier;
mod writes;

pub use counts::Counts;
pub use node::{Cluster, Origins, State};
pub use settings::{Settings, Unreachable};
pub use tier::TierError;
