//! What a control plane keeps. Plain values, each with an id; how they are shown is the API's business.
//!
//! * `hyperdrive`: configs, and the credentials that clients log in with.
//! * `access`: service tokens, policies, applications.
//! * `tunnels`: tunnels and hostnames.
//! * `account`: accounts, zones, API tokens, sessions that were ended, certificates.
//! * `edge`: where edges are.

mod access;
mod account;
mod edge;
mod hyperdrive;
mod tunnels;

pub use self::{
    access::{Application, DENY, Policy, PreviousHash, Rule, SERVICE_AUTH, ServiceToken},
    account::{Account, ApiToken, Certificate, EndedSession, Scope, Zone},
    edge::EdgeAddress,
    hyperdrive::{Credential, Hyperdrive, PreviousPassword},
    tunnels::{Hostname, Tunnel, TunnelSecret},
};
