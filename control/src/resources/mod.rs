//! What a control plane keeps. Plain values, each with an id; how they are shown is the API's business.
//!
//! * `hyperdrive`: configs, and the credentials that clients log in with.
//! * `access`: service tokens, policies, applications.
//! * `tunnels`: tunnels and hostnames.
//! * `account`: accounts, zones, API tokens, certificates.
//! * `edge`: where edges are.

mod access;
mod account;
mod edge;
mod hyperdrive;
mod tunnels;

use serde::{Serialize, de::DeserializeOwned};

pub use self::{
    access::{Application, DENY, Policy, PreviousHash, Rule, SERVICE_AUTH, ServiceToken},
    account::{Account, ApiToken, Certificate, Scope, Zone},
    edge::EdgeAddress,
    hyperdrive::{Credential, Hyperdrive, PreviousPassword},
    tunnels::{Hostname, Tunnel, TunnelSecret},
};
use crate::plane::{Table, World};

/// One kind of what is kept.
pub trait Resource: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Its name in the database. Never changed: it is part of what a record is sealed for.
    const KIND: &'static str;

    /// Unique among its kind.
    fn id(&self) -> &str;

    /// All of the kind.
    fn of(world: &World) -> &Table<Self>;

    /// All of the kind, to change.
    fn of_mut(world: &mut World) -> &mut Table<Self>;
}

macro_rules! resource {
    ($type:ty, $kind:literal, $id:ident, $table:ident) => {
        impl Resource for $type {
            const KIND: &'static str = $kind;

            fn id(&self) -> &str {
                &self.$id
            }

            fn of(world: &World) -> &Table<Self> {
                &world.$table
            }

            fn of_mut(world: &mut World) -> &mut Table<Self> {
                &mut world.$table
            }
        }
    };
}

resource!(Account, "account", id, accounts);
resource!(Zone, "zone", id, zones);
resource!(ApiToken, "api_token", id, api_tokens);
resource!(Certificate, "certificate", id, certificates);
resource!(Hyperdrive, "hyperdrive", id, hyperdrives);
resource!(Credential, "credential", id, credentials);
resource!(ServiceToken, "service_token", id, service_tokens);
resource!(Policy, "policy", id, policies);
resource!(Application, "application", id, applications);
resource!(Tunnel, "tunnel", id, tunnels);
resource!(Hostname, "hostname", name, hostnames);
resource!(EdgeAddress, "edge", id, edges);
