//! The running edge and its folder: what is changed there takes effect, keys and certificates stay young.

use std::{fs, sync::Arc, time::Duration};

use tokio::{
    task::spawn_blocking,
    time::{interval, sleep},
};
use tunnel::{
    access::SigningKeys,
    certs::{Authority, Certificates},
    edge::Handle,
    state::State,
    store::{Store, StoreError},
};

use super::{
    OperatorError,
    edge::{CA_CERTIFICATE, CA_KEY},
    now,
};

/// The file with the keys that assertions are signed with, in the edge's folder.
const SIGNING_KEYS: &str = "signing-keys.json";
const KEYS_LOOK_INTERVAL: Duration = Duration::from_secs(3600);
const CERTIFICATES_INTERVAL: Duration = Duration::from_secs(24 * 3600);
const PAUSE_AFTER_PROBLEM: Duration = Duration::from_secs(1);

/// The folder of an edge with what was read from it.
#[derive(Debug)]
pub struct Keeper {
    store: Store,
    /// What the file of settings says; the folder's state counts beside it.
    base: State,
    certificates: Arc<Certificates>,
}

impl Keeper {
    /// Opens the folder.
    ///
    /// # Errors
    ///
    /// [`OperatorError`] when a file of it is missing or broken.
    pub fn open(store: Store, base: State) -> Result<Self, OperatorError> {
        let read = |name| {
            let path = store.path(name);
            fs::read_to_string(&path)
                .map_err(|source| OperatorError::Read { path: path.display().to_string(), source })
        };
        let authority = Authority::load(&read(CA_CERTIFICATE)?, &read(CA_KEY)?)?;
        let state = merged(&base, &store.read()?);
        let certificates = Certificates::new(authority, &hostnames(&state))?;
        Ok(Self { store, base, certificates })
    }

    /// What the edge knows now, from the file and the folder.
    ///
    /// # Errors
    ///
    /// [`OperatorError`] when the folder's file cannot be read.
    pub fn state(&self) -> Result<State, OperatorError> {
        Ok(merged(&self.base, &self.store.read()?))
    }

    /// What the edge shows connectors, and clients where it has nothing else.
    pub const fn certificates(&self) -> &Arc<Certificates> {
        &self.certificates
    }

    /// The keys that assertions are signed with. The first time they are made.
    ///
    /// # Errors
    ///
    /// [`OperatorError`] when they cannot be read, made or kept.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, keys that are being made may still be kept.
    pub async fn signing_keys(&self) -> Result<Arc<SigningKeys>, OperatorError> {
        let store = self.store.clone();
        let keys = spawn_blocking(move || match fs::read_to_string(store.path(SIGNING_KEYS)) {
            Ok(json) => Ok(SigningKeys::from_secret_json(&json)?),
            Err(_missing) => keep(&store, SigningKeys::generate(now())?),
        });
        keys.await.map_err(|_stopped| OperatorError::Stopped)?.map(Arc::new)
    }

    /// Keeps a running edge in step with its folder, for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the edge goes on with what it knows.
    pub async fn run(self, edge: Handle) {
        let (mut watch, mut days) = (self.store.watch(), interval(CERTIFICATES_INTERVAL));
        let (mut hours, store) = (interval(KEYS_LOOK_INTERVAL), self.store.clone());
        // What was changed between the reading at the start and the first look.
        self.take(self.store.read(), &edge);
        loop {
            tokio::select! {
                state = watch.changed() => {
                    let is_read = state.is_ok();
                    self.take(state, &edge);
                    if !is_read {
                        sleep(PAUSE_AFTER_PROBLEM).await;
                    }
                }
                _ = days.tick() => self.certify(&edge.state()),
                _ = hours.tick() => exchange(&store, &edge).await,
            }
        }
    }

    fn take(&self, state: Result<State, StoreError>, edge: &Handle) {
        let state = match state {
            Ok(state) => merged(&self.base, &state),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the edge's folder cannot be read, what it knew stays");
                return;
            }
        };
        if *edge.state() == state {
            return;
        }
        self.certify(&state);
        let version = state.version;
        match edge.set_state(state) {
            Ok(()) => tracing::info!(version, "the edge's folder was changed"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, version, "the change is not possible, what it knew stays");
            }
        }
    }

    fn certify(&self, state: &State) {
        if let Err(error) = self.certificates.issue(&hostnames(state)) {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "no new certificate, the one before stays");
        }
    }
}

/// Exchanges keys that have become too old.
async fn exchange(store: &Store, edge: &Handle) {
    let (keys, store) = (edge.signing_keys(), store.clone());
    let exchanged = spawn_blocking(move || match keys.rotated(now())? {
        Some(keys) => keep(&store, keys).map(Some),
        None => Ok(None),
    });
    match exchanged.await.map_err(|_stopped| OperatorError::Stopped).flatten() {
        Ok(Some(keys)) => edge.set_signing_keys(Arc::new(keys)),
        Ok(None) => {}
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "the signing keys stay as they are");
        }
    }
}

fn keep(store: &Store, keys: SigningKeys) -> Result<SigningKeys, OperatorError> {
    store.write_file(SIGNING_KEYS, keys.to_secret_json()?.as_bytes())?;
    Ok(keys)
}

/// Both count. Connectors tell newer rules from older ones by the folder's version.
fn merged(base: &State, kept: &State) -> State {
    let mut state = base.clone();
    state.version = kept.version;
    state.tunnels.extend(kept.tunnels.iter().cloned());
    state.routes.extend(kept.routes.iter().cloned());
    state.service_tokens.extend(kept.service_tokens.iter().cloned());
    state.policies.extend(kept.policies.iter().cloned());
    state.applications.extend(kept.applications.iter().cloned());
    state
}

fn hostnames(state: &State) -> Vec<&str> {
    state.routes.iter().map(|route| &*route.hostname).collect()
}
