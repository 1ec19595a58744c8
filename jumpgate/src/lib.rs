//! Jumpgate as a program: the one crate that knows all others.
//!
//! `args` is the command line and `config` the file of settings, to which `follow` adds what a control node tells. `roles`
//! runs what serves: proxy, edge, connector, control; `pages` shows edge and connector to their operator. The rest are tools
//! for a person at a terminal: `check`, `why`, `purge`, `dev`, `operator` for an edge's tunnels and access, `manage` for a
//! whole fleet; `control_plane` is what `jumpgate control` and the tools beside its store need. `probe` is the client that
//! they log in with, `tunnel_token` the way of a tunnel's token to its connector.

pub mod args;
pub mod check;
pub mod config;
pub mod control_plane;
pub mod dev;
pub mod follow;
pub mod logging;
pub mod manage;
pub mod operator;
pub mod pages;
pub mod probe;
pub mod purge;
pub mod report;
pub mod roles;
pub mod signals;
pub mod tunnel_token;
pub mod why;
