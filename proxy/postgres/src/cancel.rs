//! Cancel requests: keys of our own, and their way to the backend that serves the client now.
//!
//! While a cancel request is on its way its backend is not handed to anybody else: a checkin waits for the
//! slot, so that a request can never hit another client's statement.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use subtle::ConstantTimeEq as _;
use tokio::sync::{MutexGuard, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{
    beginning::CancelTarget,
    database::Database,
    origin::{self, CancelError},
};

/// Longest that the delivery of one cancel request may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// The most deliveries at once: a storm of them must not crowd out the statements.
const MAX_AT_ONCE: usize = 32;
/// `PID_MAX_LIMIT` of Linux: no process there has this id or one above it.
const PID_MAX_LIMIT: u32 = 1 << 22;
/// Length of a secret for protocol 3.2; a 3.0 client gets 4 bytes.
const SECRET_LEN: usize = 32;

/// The keys that were issued to the clients of this process.
#[derive(Debug)]
pub struct CancelKeys {
    issued: Mutex<HashMap<u32, Issued>>,
    deliveries: Semaphore,
}

/// A secret, and whose it is.
type Issued = (Vec<u8>, Arc<Slot>);

/// Where one client's cancel requests go at this moment.
#[derive(Debug)]
pub(crate) struct Slot {
    database: Arc<Database>,
    target: Arc<tokio::sync::Mutex<Option<Arc<CancelTarget>>>>,
    /// A request may still be on its way to the last target, which nobody else may have then.
    is_in_doubt: AtomicBool,
    /// Somebody has ended the session.
    end: CancellationToken,
}

/// A key on loan to one client; dropping it withdraws it.
#[derive(Debug)]
pub(crate) struct IssuedKey {
    keys: Arc<CancelKeys>,
    /// The process id that the client was told.
    pub(crate) process: u32,
    /// The secret that the client was told.
    pub(crate) secret: Vec<u8>,
    /// Where its requests go.
    pub(crate) slot: Arc<Slot>,
}

impl Default for CancelKeys {
    fn default() -> Self {
        Self { issued: Mutex::default(), deliveries: Semaphore::new(MAX_AT_ONCE) }
    }
}

impl CancelKeys {
    /// Issues a key to a client of `database`. Only a client of protocol 3.2 can hold a long secret.
    pub(crate) fn issue(self: &Arc<Self>, database: &Arc<Database>, long: bool) -> IssuedKey {
        let random: [u8; SECRET_LEN] = rand::random();
        let secret =
            random.into_iter().take(if long { SECRET_LEN } else { 4 }).collect::<Vec<u8>>();
        let slot = Arc::new(Slot {
            database: Arc::clone(database),
            target: Arc::default(),
            is_in_doubt: AtomicBool::new(false),
            end: CancellationToken::new(),
        });
        let mut issued = self.issued.lock();
        let process = loop {
            // A positive i32, as process ids are, and more than any that a server has.
            let process = (rand::random::<u32>() >> 1) | PID_MAX_LIMIT;
            if !issued.contains_key(&process) {
                break process;
            }
        };
        issued.insert(process, (secret.clone(), Arc::clone(&slot)));
        drop(issued);
        IssuedKey { keys: Arc::clone(self), process, secret, slot }
    }

    /// Delivers a client's request, if its key is one of ours. Says nothing either way.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the request may or may not have been delivered.
    pub(crate) async fn deliver(&self, process: u32, secret: &[u8]) {
        let Some(slot) = self.find(process, secret) else {
            tracing::debug!("cancel request with an unknown key");
            return;
        };
        // First its turn at the slot, so that one client's requests cannot take everybody's places.
        let target = slot.target.lock().await;
        let Ok(_place) = self.deliveries.try_acquire() else {
            tracing::warn!("too many cancel requests at once, one is dropped");
            return;
        };
        slot.deliver(target.as_deref()).await;
    }

    /// The client of the same database that was told this process id. All clients of a database log in to the origin as the
    /// same user, so they may signal each other as they could there; nobody else may.
    pub(crate) fn of_database(&self, database: &Database, process: u32) -> Option<Arc<Slot>> {
        let issued = self.issued.lock();
        let (_, slot) = issued.get(&process)?;
        (slot.database.config.name == database.config.name).then(|| Arc::clone(slot))
    }

    fn find(&self, process: u32, secret: &[u8]) -> Option<Arc<Slot>> {
        let issued = self.issued.lock();
        let (known, slot) = issued.get(&process)?;
        bool::from(known.ct_eq(secret)).then(|| Arc::clone(slot))
    }
}

impl Slot {
    /// Says which backend serves the client now. Waits while a request for the last one is on its way. True when
    /// it is not known whether one still is: then nobody else may have that backend.
    pub(crate) async fn point_at(&self, target: Option<Arc<CancelTarget>>) -> bool {
        let current = match self.target.try_lock() {
            Ok(current) => current,
            Err(_) => Box::pin(self.target.lock()).await,
        };
        self.change(current, target)
    }

    /// As [`Self::point_at`] nobody. `None` where that would have to wait.
    pub(crate) fn try_point_away(&self) -> Option<bool> {
        self.target.try_lock().ok().map(|current| self.change(current, None))
    }

    fn change(
        &self,
        mut current: MutexGuard<'_, Option<Arc<CancelTarget>>>,
        target: Option<Arc<CancelTarget>>,
    ) -> bool {
        *current = target;
        self.is_in_doubt.swap(false, Ordering::Relaxed)
    }

    /// Waits while a request is on its way, which must not reach the client's next statement.
    pub(crate) async fn settled(&self) {
        drop(self.target.lock().await);
    }

    /// Ends the client's session.
    pub(crate) fn terminate(&self) {
        self.end.cancel();
    }

    /// Waits until somebody has ended the session.
    pub(crate) async fn terminated(&self) {
        self.end.cancelled().await;
    }

    /// Cancels what the client's backend runs at this moment. The returned future holds the slot from now on, so that
    /// [`Self::settled`] waits for it.
    pub(crate) fn cancel_now(self: &Arc<Self>) -> impl Future<Output = ()> + use<> {
        let slot = Arc::clone(self);
        let held = Arc::clone(&slot.target).try_lock_owned();
        async move {
            match held {
                Ok(target) => slot.deliver(target.as_deref()).await,
                // Another is on its way.
                Err(_) => slot.settled().await,
            }
        }
    }

    /// Cancels what the client's backend runs at this moment, if it has one.
    pub(crate) async fn cancel(&self) {
        let target = self.target.lock().await;
        self.deliver(target.as_deref()).await;
    }

    async fn deliver(&self, target: Option<&CancelTarget>) {
        let Some(key) = target else { return };
        let (config, spare) = (&self.database.config, &self.database.spare);
        // If this is dropped it stays in doubt.
        let was_in_doubt = self.is_in_doubt.swap(true, Ordering::Relaxed);
        let cancelled = origin::cancel(config, spare, key, DEADLINE).await;
        if !matches!(cancelled, Err(CancelError::InDoubt(_))) {
            // Doubt about an earlier one stays.
            self.is_in_doubt.store(was_in_doubt, Ordering::Relaxed);
        }
        if let Err(error) = cancelled {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "cancel request could not be delivered");
        }
    }
}

impl Drop for IssuedKey {
    fn drop(&mut self) {
        self.keys.issued.lock().remove(&self.process);
    }
}
