//! Thread ids of our own, KILL, and their way to the backend that serves the client now.
//!
//! MySQL has no cancel request: one connection kills the statement of another. A client knows the id that our
//! greeting told it, so KILL is mapped to the backend that runs its statement. While a `KILL QUERY` is on its
//! way that backend is not handed to anybody else: a checkin waits for the slot, so that it can never hit
//! another client's statement.
//!
//! No connection is kept ready for it, as PostgreSQL's cancel requests have one ([`origin::net::spare`]). A KILL needs a
//! login: kept logged in, it would take one of `max_connections` for ever; before the login MySQL ends it after
//! `connect_timeout` (10 s), and bars the host that is behind `max_connect_errors` of those.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use ::origin::net::ConnectError;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{backend::KillTarget, database::Database, origin};

/// Longest that the delivery of one KILL may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often a KILL is tried while its statement runs on: an origin with no place for one more connection may have
/// one a moment later.
const TRIES: u32 = 3;
/// The wait before the second try; before each other it is twice that of the last.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// The most deliveries at once: a storm of them must not crowd out the statements.
const MAX_AT_ONCE: usize = 32;
/// Ids of ours begin here, so that people can tell them from an origin's in a list of processes, and end where
/// drivers that hold them as i32 end.
const FIRST_ID: u32 = 0x4000_0000;

/// Why a KILL did nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KillError {
    /// No client of this database has this id (MySQL: 1094).
    #[error("no client has this thread id")]
    Unknown,
    /// Too many at once.
    #[error("too many kills at once")]
    Busy,
    /// It could not be delivered.
    #[error("the kill could not be delivered")]
    Connect(#[from] ConnectError),
    /// The origin did not do it.
    #[error("the origin did not do it")]
    Origin(#[from] origin::AskError),
    /// It took too long.
    #[error("the kill took too long")]
    TimedOut,
}

/// The clients of this process, by the thread ids they were told.
#[derive(Debug)]
pub(crate) struct Threads {
    /// `None` until the client has logged in.
    serving: Mutex<HashMap<u32, Option<Arc<Slot>>>>,
    deliveries: Semaphore,
}

/// Where one client's statement runs at this moment.
#[derive(Debug)]
pub(crate) struct Slot {
    database: Arc<Database>,
    target: Arc<tokio::sync::Mutex<Option<KillTarget>>>,
    /// Counts the client's commands, so that a KILL that comes late is known as such.
    commands: AtomicU64,
    /// What became of KILLs for the target: [`UNHARMED`], [`HIT`], or [`IN_DOUBT`].
    kills: AtomicU8,
    end: CancellationToken,
}

/// No KILL was sent to the target.
const UNHARMED: u8 = 0;
/// One was, and the origin has done it.
const HIT: u8 = 1;
/// One may be on its way still: nobody else may have the target.
const IN_DOUBT: u8 = 2;

/// An id on loan to one client; dropping it withdraws it.
#[derive(Debug)]
pub(crate) struct ThreadId {
    threads: Arc<Threads>,
    id: u32,
}

/// A client that has logged in, as others may kill it.
#[derive(Debug)]
pub(crate) struct Thread {
    id: ThreadId,
    /// Where its statement runs.
    pub(crate) slot: Arc<Slot>,
}

impl Default for Threads {
    fn default() -> Self {
        Self { serving: Mutex::default(), deliveries: Semaphore::new(MAX_AT_ONCE) }
    }
}

impl Threads {
    /// An id for the greeting.
    pub(crate) fn issue(self: &Arc<Self>) -> ThreadId {
        let mut serving = self.serving.lock();
        let id = loop {
            let id = FIRST_ID | rand::random::<u32>() >> 2;
            if !serving.contains_key(&id) {
                break id;
            }
        };
        serving.insert(id, None);
        drop(serving);
        ThreadId { threads: Arc::clone(self), id }
    }

    /// Whether an id is one that a client of ours was told.
    pub(crate) fn is_ours(&self, id: u32) -> bool {
        self.serving.lock().contains_key(&id)
    }

    /// Kills what a client of the same database runs at this moment, if it runs anything.
    ///
    /// # Errors
    ///
    /// [`KillError`].
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, it may or may not have been delivered.
    pub(crate) async fn kill_query(&self, asker: &Database, id: u32) -> Result<(), KillError> {
        let slot = self.find(asker, id).ok_or(KillError::Unknown)?;
        // First its turn at the slot, so that one client's requests cannot take everybody's places.
        let target = slot.target.lock().await;
        let _place = self.deliveries.try_acquire().map_err(|_none| KillError::Busy)?;
        slot.deliver(*target).await
    }

    /// Ends a client of the same database: its session gives its backend back as at any other end.
    ///
    /// # Errors
    ///
    /// [`KillError::Unknown`].
    pub(crate) fn kill_connection(&self, asker: &Database, id: u32) -> Result<(), KillError> {
        self.find(asker, id).map(|slot| slot.end.cancel()).ok_or(KillError::Unknown)
    }

    /// All clients of a database log in to the origin as the same user, so they may kill each other as they
    /// could there; nobody else may.
    fn find(&self, asker: &Database, id: u32) -> Option<Arc<Slot>> {
        let slot = self.serving.lock().get(&id).cloned().flatten()?;
        (slot.database.config.name == asker.config.name).then_some(slot)
    }
}

impl Slot {
    /// Says which of the origin's threads serves the client now. Waits while a KILL for the last one is on its
    /// way.
    ///
    /// True if a KILL has hit the last one.
    pub(crate) async fn point_at(&self, target: Option<KillTarget>) -> bool {
        let mut pointed = match self.target.try_lock() {
            Ok(pointed) => pointed,
            Err(_) => Box::pin(self.target.lock()).await,
        };
        *pointed = target;
        if target.is_some() {
            // In doubt it is not lent again, so that doubt is never about a new one.
            self.kills.store(UNHARMED, Ordering::Relaxed);
        }
        self.kills.load(Ordering::Relaxed) == HIT
    }

    /// Whether a KILL may still be on its way to the last target.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.kills.load(Ordering::Relaxed) == IN_DOUBT
    }

    /// Whether a KILL is on its way.
    pub(crate) fn is_being_killed(&self) -> bool {
        self.target.try_lock().is_err()
    }

    /// Another command begins: nothing is sent any more to end the last one. Waits while a KILL is on its way.
    pub(crate) async fn settled(&self) {
        self.commands.fetch_add(1, Ordering::Relaxed);
        drop(self.target.lock().await);
    }

    /// Kills what the client's backend runs at this moment, and tries again while that runs on.
    ///
    /// The returned future holds the slot from now on, so that neither the client's next command nor another client
    /// can be hit.
    pub(crate) fn cancel_insistently(self: &Arc<Self>) -> impl Future<Output = ()> + use<> {
        let slot = Arc::clone(self);
        let command = slot.commands.load(Ordering::Relaxed);
        let held = Arc::clone(&slot.target).try_lock_owned();
        async move {
            // Where the slot is taken, another KILL is on its way.
            let mut held = held.ok();
            let thread = match &held {
                Some(target) => **target,
                None => *slot.target.lock().await,
            };
            let mut delay = RETRY_DELAY;
            for tries_left in (0..TRIES).rev() {
                let target = match held.take() {
                    Some(target) => target,
                    None => Arc::clone(&slot.target).lock_owned().await,
                };
                if *target != thread || slot.commands.load(Ordering::Relaxed) != command {
                    return;
                }
                let Err(error) = slot.deliver(thread).await else { return };
                drop(target);
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    tries_left,
                    "kill could not be delivered"
                );
                if tries_left == 0 {
                    return;
                }
                tokio::time::sleep(delay).await;
                delay *= 2;
            }
        }
    }

    /// Kills what the client's backend runs at this moment, if it has one.
    pub(crate) async fn cancel(&self) {
        let target = self.target.lock().await;
        if let Err(error) = self.deliver(*target).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "kill could not be delivered");
        }
    }

    /// Cancelled when somebody killed the client.
    pub(crate) fn end(&self) -> &CancellationToken {
        &self.end
    }

    async fn deliver(&self, target: Option<KillTarget>) -> Result<(), KillError> {
        let Some(target) = target else { return Ok(()) };
        // If this is dropped it stays in doubt.
        let before = self.kills.swap(IN_DOUBT, Ordering::Relaxed);
        let killed = tokio::time::timeout(DEADLINE, kill(&self.database, target))
            .await
            .unwrap_or(Err(KillError::TimedOut));
        self.kills.store(after(before, &killed), Ordering::Relaxed);
        killed
    }
}

/// What is known of a target after one more KILL. Doubt about an earlier one stays.
fn after(before: u8, killed: &Result<(), KillError>) -> u8 {
    match killed {
        _ if before == IN_DOUBT => IN_DOUBT,
        // It was not even sent.
        Err(KillError::Connect(_)) => before,
        // The origin has answered.
        Ok(()) | Err(KillError::Origin(origin::AskError::Refused { .. })) => HIT,
        Err(_) => IN_DOUBT,
    }
}

/// `KILL QUERY` over a connection of its own.
async fn kill(
    database: &Database,
    KillTarget { host, thread }: KillTarget,
) -> Result<(), KillError> {
    let program = format!("jumpgate/{} kill", database.config.name);
    // On another host the id is that of somebody else.
    let mut login = origin::login_on(&database.config, host, &program, false).await?;
    let sql = format!("KILL QUERY {thread}");
    origin::ask(&mut login.framed, login.capabilities, &sql).await?;
    origin::leave(login.framed).await;
    Ok(())
}

impl ThreadId {
    /// The number.
    pub(crate) fn get(&self) -> u32 {
        self.id
    }

    /// The client has logged in: from now on it can be killed.
    pub(crate) fn serve(self, database: &Arc<Database>) -> Thread {
        let slot = self.register(database, CancellationToken::new());
        Thread { id: self, slot }
    }

    fn register(&self, database: &Arc<Database>, end: CancellationToken) -> Arc<Slot> {
        let slot = Arc::new(Slot {
            database: Arc::clone(database),
            target: Arc::default(),
            commands: AtomicU64::new(0),
            kills: AtomicU8::new(UNHARMED),
            end,
        });
        self.threads.serving.lock().insert(self.id, Some(Arc::clone(&slot)));
        slot
    }
}

impl Drop for ThreadId {
    fn drop(&mut self) {
        self.threads.serving.lock().remove(&self.id);
    }
}

impl Thread {
    /// The number that the client was told.
    pub(crate) fn id(&self) -> u32 {
        self.id.get()
    }

    /// The client has logged in anew (COM_CHANGE_USER), perhaps to another database. Its end is the same: the session
    /// waits for that from its first command to its last.
    pub(crate) fn move_to(&mut self, database: &Arc<Database>) {
        self.slot = self.id.register(database, self.slot.end.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_ours_and_is_withdrawn_with_its_client() {
        let threads = Arc::new(Threads::default());
        let (one, other) = (threads.issue(), threads.issue());
        assert_ne!(one.get(), other.get());
        for id in [&one, &other] {
            assert!((FIRST_ID..=0x7fff_ffff).contains(&id.get()), "{:#x}", id.get());
        }
        assert_eq!(threads.serving.lock().len(), 2);
        drop(one);
        drop(other);
        assert!(threads.serving.lock().is_empty());
    }

    #[test]
    fn doubt_about_a_kill_outlives_the_next_one() {
        let unsent = Err(KillError::Connect(ConnectError::TimedOut));
        assert_eq!(after(UNHARMED, &Ok(())), HIT);
        assert_eq!(after(UNHARMED, &unsent), UNHARMED);
        assert_eq!(after(HIT, &unsent), HIT);
        assert_eq!(after(UNHARMED, &Err(KillError::TimedOut)), IN_DOUBT);
        assert_eq!(after(IN_DOUBT, &Ok(())), IN_DOUBT);
        assert_eq!(after(IN_DOUBT, &unsent), IN_DOUBT);
    }
}
