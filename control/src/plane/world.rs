//! Everything that is kept, at one position.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use super::error::PlaneError;
use crate::{
    database::{Change, Position},
    draft::OriginDraft,
    resources::{
        Account, ApiToken, Application, Certificate, Credential, EdgeAddress, EndedSession,
        Hostname, Hyperdrive, Policy, ServiceToken, Tunnel, Zone,
    },
    seal::Keyring,
};

/// All of one kind, by id. A copy shares its values.
#[derive(Clone, Debug)]
pub struct Table<R>(BTreeMap<String, Arc<R>>);

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<R> Table<R> {
    /// The one with this id.
    pub fn get(&self, id: &str) -> Option<&Arc<R>> {
        self.0.get(id)
    }

    /// All, ordered by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<R>> + Clone {
        self.0.values()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn put(&mut self, id: &str, value: R) {
        self.0.insert(id.to_owned(), Arc::new(value));
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Arc<R>> {
        self.0.remove(id)
    }
}

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

/// Everything that is kept.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// When.
    pub position: Position,
    /// Accounts.
    pub accounts: Table<Account>,
    /// Zones.
    pub zones: Table<Zone>,
    /// Tokens of the API and of nodes.
    pub api_tokens: Table<ApiToken>,
    /// Certificates.
    pub certificates: Table<Certificate>,
    /// Configs.
    pub hyperdrives: Table<Hyperdrive>,
    /// What clients log in with.
    pub credentials: Table<Credential>,
    /// Service tokens.
    pub service_tokens: Table<ServiceToken>,
    /// Policies.
    pub policies: Table<Policy>,
    /// Applications.
    pub applications: Table<Application>,
    /// Tunnels.
    pub tunnels: Table<Tunnel>,
    /// Hostnames.
    pub hostnames: Table<Hostname>,
    /// Where edges are.
    pub edges: Table<EdgeAddress>,
    /// Sessions of the dashboard that were ended before their time.
    pub ended_sessions: Table<EndedSession>,
}

impl World {
    /// What clients of a config log in with: ids of credentials begin with their config's.
    pub fn credentials_of(&self, config: &str) -> impl Iterator<Item = &Arc<Credential>> {
        let from = self.credentials.0.range(config.to_owned()..);
        from.map(|(_, credential)| credential).take_while(move |it| it.config == config)
    }

    /// The edge that a config leads through, where its hostname is one of ours. Every edge serves every hostname: the first
    /// by name of those that are not lost is as good as any, and always the same.
    pub fn edge_of(&self, origin: &OriginDraft) -> Option<&EdgeAddress> {
        let (host, _) = (origin.host.as_deref()?, origin.access_client_id.as_ref()?);
        // It may carry a path and a port.
        let name = host.split(['/', ':']).next().unwrap_or(host).to_ascii_lowercase();
        let edge = self.edges.iter().min_by_key(|edge| edge.lost.is_some())?;
        let is_ours = || {
            let mut live = self.tunnels.iter().filter(|tunnel| tunnel.deleted_at.is_none());
            live.any(|tunnel| tunnel.leads(&name))
        };
        (self.hostnames.get(&name).is_some() || is_ours()).then_some(&**edge)
    }
}

/// Where a record stands, which is what it is sealed for.
pub(super) fn place(kind: &str, id: &str) -> String {
    format!("{kind}/{id}")
}

impl World {
    /// Takes over what changed. A kind that is not known is of a newer version, and none of our business.
    pub(super) fn take(&mut self, change: &Change, keyring: &Keyring) -> Result<(), PlaneError> {
        match change.kind.as_str() {
            Account::KIND => self.take_one::<Account>(change, keyring),
            Zone::KIND => self.take_one::<Zone>(change, keyring),
            ApiToken::KIND => self.take_one::<ApiToken>(change, keyring),
            Certificate::KIND => self.take_one::<Certificate>(change, keyring),
            Hyperdrive::KIND => self.take_one::<Hyperdrive>(change, keyring),
            Credential::KIND => self.take_one::<Credential>(change, keyring),
            ServiceToken::KIND => self.take_one::<ServiceToken>(change, keyring),
            Policy::KIND => self.take_one::<Policy>(change, keyring),
            Application::KIND => self.take_one::<Application>(change, keyring),
            Tunnel::KIND => self.take_one::<Tunnel>(change, keyring),
            Hostname::KIND => self.take_one::<Hostname>(change, keyring),
            EdgeAddress::KIND => self.take_one::<EdgeAddress>(change, keyring),
            EndedSession::KIND => self.take_one::<EndedSession>(change, keyring),
            _ => Ok(()),
        }
    }

    fn take_one<R: Resource>(
        &mut self,
        change: &Change,
        keyring: &Keyring,
    ) -> Result<(), PlaneError> {
        let Some(sealed) = &change.sealed else {
            R::of_mut(self).remove(&change.id);
            return Ok(());
        };
        let place = place(R::KIND, &change.id);
        let json = keyring.open(&place, sealed)?;
        let value = serde_json::from_slice::<R>(&json)
            .map_err(|source| PlaneError::Record { place, source })?;
        R::of_mut(self).put(&change.id, value);
        Ok(())
    }
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
resource!(EndedSession, "ended_session", id, ended_sessions);
