//! What an edge knows: the tunnels, the hostnames, and who may pass to them.
//!
//! Plain values with the JSON that they are kept as. Secrets are not among them, only their hashes.
//! Nothing is decided here: [`crate::access`] judges requests, [`crate::edge`] serves.
//!
//! * `values`: the parts as they are kept.
//! * `beside`: a state of two.
//! * `check`: whether the parts fit together.
//! * `derived`: a state made of what a configuration file says.

mod beside;
mod check;
mod derived;
mod values;

pub(crate) use self::check::{check_hostname, is_plain_path};
pub use self::{
    check::InvalidState,
    values::{
        Application, InvalidHash, Policy, PreviousSecret, Route, Rule, SecretHash, State,
        TokenRecord, Tunnel, UnixSeconds,
    },
};
