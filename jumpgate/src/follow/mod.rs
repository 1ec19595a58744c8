//! Following a control node: proxies and edges are told what to serve, keep it, and serve by it alone.
//!
//! * `held`: what a node was told last.
//! * `snapshot`: that, sealed in a file.
//! * `connection`: asking over HTTP.
//! * `orders`: what a control node has a node do beside that.
//! * `store`: what of it is configs, as a store.
//!
//! One request for news is always under way. A control node that is away is asked again, with pauses, and others in its
//! place; what was told last holds until then, however long that is, and over restarts.

mod connection;
mod held;
mod orders;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use control::nodes::wire::{FOLLOW, Follow, Identity, News, Role, Status};
use rand::Rng as _;
use serving::activity::Minutes;
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{Instant, sleep},
};
use tracing::{debug, info, warn};

use self::{
    connection::{Connection, FollowError},
    orders::Orders,
    snapshot::SnapshotFile,
};
pub use self::{held::Held, orders::Work, store::ControlStore};
use crate::config::FollowSetup;

/// The pause behind the first failure; each one after that is longer.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Behind what is written there is a pause of so many times what that took.
const WRITE_PAUSE: u32 = 5;

/// A node that follows a control node.
#[derive(Debug)]
pub struct Follower {
    setup: FollowSetup,
    identity: Identity,
    held: watch::Sender<Arc<Held>>,
    snapshot: SnapshotFile,
    /// Which of the control nodes is asked.
    current: AtomicUsize,
}

impl Follower {
    /// A node that begins with what it was told before its start.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, nothing has happened.
    pub async fn new(setup: FollowSetup, role: Role) -> Self {
        let identity = Identity {
            instance: hex::encode(rand::random::<[u8; 16]>()),
            name: setup.name.clone(),
            role,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let snapshot = SnapshotFile::new(&setup.folder, &setup.token, role);
        let reader = snapshot.clone();
        let read = spawn_blocking(move || reader.read()).await;
        let held = match read.map_err(|stopped| stopped.to_string()) {
            Ok(Ok(Some(held))) => {
                info!(
                    configs = held.len(),
                    revision = held.revision(),
                    "beginning with what the control node said last"
                );
                held
            }
            Ok(Ok(None)) => Held::default(),
            Ok(Err(why)) | Err(why) => {
                warn!(
                    file = %snapshot.path().display(),
                    why,
                    "what the control node said last cannot be used; waiting for it"
                );
                Held::default()
            }
        };
        let held = watch::channel(Arc::new(held)).0;
        Self { setup, identity, held, snapshot, current: AtomicUsize::new(0) }
    }

    /// What it was told last, and each change of it.
    pub fn held(&self) -> watch::Receiver<Arc<Held>> {
        self.held.subscribe()
    }

    /// Follows, for ever; `status` says what the node is like, `work` does what it is told to do, `minutes` are told as they
    /// end.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the node goes on with what it was told.
    pub async fn run(
        &self,
        status: watch::Receiver<Status>,
        work: Work,
        minutes: Option<Arc<Minutes>>,
    ) {
        let orders = Orders::new(&self.setup, &self.identity, (status.clone(), minutes), work);
        tokio::join!(self.follow(&status, &orders), self.write(), orders.report(&self.current));
    }

    async fn follow(&self, status: &watch::Receiver<Status>, orders: &Orders) {
        let (mut connection, mut pause, mut is_away) = (None, PAUSE_MIN, false);
        loop {
            let at = self.current.load(Ordering::Relaxed);
            let was_open = connection.is_some();
            match self.ask(at, &mut connection, status).await {
                Ok(news) => {
                    pause = PAUSE_MIN;
                    if std::mem::take(&mut is_away) {
                        info!(url = %self.setup.urls[at], "the control node answers again");
                    }
                    orders.carry_out(at, &news.commands);
                    self.take(news);
                }
                // It had been open for long, and its other end is free to close it.
                Err(FollowError::Lost(_)) if was_open => connection = None,
                Err(error) => {
                    connection = None;
                    if !std::mem::replace(&mut is_away, true) {
                        let error = &error as &dyn std::error::Error;
                        let url = &self.setup.urls[at];
                        warn!(error, %url, "the control node cannot be followed, trying on; all goes on as it was");
                    }
                    self.current.store((at + 1) % self.setup.urls.len(), Ordering::Relaxed);
                    sleep(rand::rng().random_range(pause / 2..=pause)).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    async fn ask(
        &self,
        at: usize,
        connection: &mut Option<Connection>,
        status: &watch::Receiver<Status>,
    ) -> Result<News, FollowError> {
        let open = match connection {
            Some(open) => open,
            None => connection.insert(Connection::open(&self.setup, at).await?),
        };
        let known = self.held.borrow().position().cloned();
        let status = status.borrow().clone();
        open.post(FOLLOW, &Follow { node: self.identity.clone(), known, status }).await
    }

    fn take(&self, news: News) {
        let held = Arc::clone(&self.held.borrow());
        if held.position() == Some(&news.position) && !news.is_whole {
            return;
        }
        self.held.send_replace(Arc::new(held.after(news)));
    }

    /// Keeps what was told in the file.
    async fn write(&self) {
        let mut news = self.held.subscribe();
        let mut written = Arc::clone(&news.borrow_and_update());
        loop {
            if news.changed().await.is_err() {
                return std::future::pending().await;
            }
            let held = Arc::clone(&news.borrow_and_update());
            if held.is_same(&written) {
                continue;
            }
            let (file, content) = (self.snapshot.clone(), Arc::clone(&held));
            let started = Instant::now();
            let done = spawn_blocking(move || file.write(&content)).await;
            match done.map_err(|stopped| stopped.to_string()).flatten() {
                Ok(()) => {
                    debug!(revision = held.revision(), "kept what the control node said");
                    written = held;
                }
                Err(why) => {
                    let file = self.snapshot.path().display().to_string();
                    warn!(
                        file,
                        why, "what the control node said cannot be kept for the next start"
                    );
                }
            }
            sleep(started.elapsed() * WRITE_PAUSE).await;
        }
    }
}
