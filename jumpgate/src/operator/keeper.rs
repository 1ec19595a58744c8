//! The running edge and its folder: what is changed there takes effect, keys and certificates stay young.

use std::{fs, io, pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{interval, sleep},
};
use tunnel::{
    access::SigningKeys,
    certs::{Authority, Certificates},
    edge::Handle,
    state::State,
    store::Store,
};

use super::{
    edge::{CA_CERTIFICATE, CA_KEY},
    error::OperatorError,
    running,
    show::now,
};

/// The file with the keys that assertions are signed with, in the edge's folder.
const SIGNING_KEYS: &str = "signing-keys.json";
const KEYS_LOOK_INTERVAL: Duration = Duration::from_secs(3600);
const CERTIFICATES_INTERVAL: Duration = Duration::from_secs(24 * 3600);
const PAUSE_AFTER_PROBLEM: Duration = Duration::from_secs(1);

/// The folder of an edge with what was read from it.
#[derive(Debug)]
pub struct Keeper {
    /// The folder, beside what the file of settings says.
    store: Store,
    certificates: Arc<Certificates>,
    ca_certificate: String,
}

impl Keeper {
    /// Opens the folder.
    ///
    /// # Errors
    ///
    /// [`OperatorError`] when a file of it is missing or broken.
    pub fn open(store: Store) -> Result<Self, OperatorError> {
        let read = |name| {
            let path = store.path(name);
            fs::read_to_string(&path)
                .map_err(|source| OperatorError::Read { path: path.display().to_string(), source })
        };
        let ca_certificate = read(CA_CERTIFICATE)?;
        let authority = Authority::load(&ca_certificate, &read(CA_KEY)?)?;
        let certificates = Certificates::new(authority, hostnames(&store.whole()?))?;
        Ok(Self { store, certificates, ca_certificate })
    }

    /// What the edge knows now, from the file and the folder.
    ///
    /// # Errors
    ///
    /// [`OperatorError`] when the folder's file cannot be read.
    pub fn state(&self) -> Result<State, OperatorError> {
        Ok(self.store.whole()?)
    }

    /// What the edge shows connectors, and clients where it has nothing else.
    pub const fn certificates(&self) -> &Arc<Certificates> {
        &self.certificates
    }

    /// The certificate of the authority that has issued them, in PEM.
    pub fn ca_certificate(&self) -> &str {
        &self.ca_certificate
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
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                keep(&store, SigningKeys::generate(now())?)
            }
            Err(source) => Err(OperatorError::Read {
                path: store.path(SIGNING_KEYS).display().to_string(),
                source,
            }),
        });
        keys.await.map_err(|_stopped| OperatorError::Stopped)?.map(Arc::new)
    }

    /// Keeps a running edge in step with its folder, and with what a control node tells, for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the edge goes on with what it knows.
    pub async fn run(self, edge: Handle, mut told: watch::Receiver<Arc<State>>) {
        let (mut watch, mut days) = (self.store.watch(), interval(CERTIFICATES_INTERVAL));
        let (mut hours, store) = (interval(KEYS_LOOK_INTERVAL), self.store.clone());
        let mut own = None;
        let mut answering = pin!(running::serve(&store, &edge));
        loop {
            tokio::select! {
                () = &mut answering => {}
                state = watch.changed() => match state {
                    Ok(state) => {
                        let told = Arc::clone(&told.borrow_and_update());
                        take(&edge, own.insert(state), &told, Some(&self.certificates));
                    }
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(error, "the edge's folder cannot be read, trying again");
                        sleep(PAUSE_AFTER_PROBLEM).await;
                    }
                },
                Ok(()) = told.changed() => {
                    let told = Arc::clone(&told.borrow_and_update());
                    // The folder comes first, and at once.
                    if let Some(own) = &own {
                        take(&edge, own, &told, Some(&self.certificates));
                    }
                }
                _ = days.tick() => self.certificates.serve(hostnames(&edge.state())),
                _ = hours.tick() => exchange(&store, &edge).await,
            }
        }
    }
}

/// Keeps a running edge without a folder in step with what a control node tells, for ever.
///
/// # Cancel safety
///
/// Dropped before it ends, the edge goes on with what it knows.
pub async fn follow(edge: &Handle, own: &State, mut told: watch::Receiver<Arc<State>>) {
    while told.changed().await.is_ok() {
        let now = Arc::clone(&told.borrow_and_update());
        take(edge, own, &now, None);
    }
    std::future::pending::<()>().await;
}

/// What an edge knows of both; says what it leaves out of the second.
pub fn together(own: &State, told: &State) -> State {
    let (state, left_out) = own.beside(told.clone());
    for why in left_out {
        tracing::warn!("left out of what the control node says: {why}");
    }
    state
}

fn take(edge: &Handle, own: &State, told: &State, certificates: Option<&Arc<Certificates>>) {
    let state = together(own, told);
    let before = edge.state();
    if *before == state {
        return;
    }
    let serve = |state: &State| {
        if let Some(certificates) = certificates {
            certificates.serve(hostnames(state));
        }
    };
    let (version, kept) = (state.version, state.clone());
    // First, so that who learns of a hostname finds its certificate.
    serve(&state);
    match edge.set_state(state) {
        Ok(()) => tracing::info!(version, "what the edge knows was changed"),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(
                error,
                version,
                "the edge cannot serve this; it only takes away what is gone"
            );
            // It was whole, and taking away leaves it so.
            let _is_whole = edge.set_state(before.without_what_is_gone(&kept));
            serve(&edge.state());
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

/// The names that an edge needs certificates for.
pub fn hostnames(state: &State) -> Vec<String> {
    state.routes.iter().map(|route| route.hostname.clone()).collect()
}
