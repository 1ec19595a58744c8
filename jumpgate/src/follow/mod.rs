//! Following a control node: proxies and edges are told what to serve, keep it, and serve by it alone.
//!
//! * `held`: what a node was told last.
//! * `snapshot`: that, sealed in a file.
//! * `connection`: asking over HTTP.
//! * `orders`: what a control node has a node do beside that.
//! * `store`: what of it is configs, as a store.
//!
//! One request for news is always under way, at one control node, and at each other one a request for orders alone: so all
//! of them know this node, and no two tell it what to serve. Where that one is away, another takes its place; what was
//! told last holds until then, however long that is, and over restarts.

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
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use control::nodes::wire::{FOLLOW, Follow, Identity, News, Role, Status};
use futures_util::future::join_all;
use rand::Rng as _;
use serving::activity::Minutes;
use tokio::{
    sync::{Notify, watch},
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

/// What the pages of a node say that nobody has told anything yet.
pub const LACK: &str =
    "waiting for the control node, which has not been reached yet: the log says why";

/// The pause behind the first failure; each one after that is longer.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Orders are asked for no sooner after an answer without any.
const ORDERS_PAUSE: Duration = Duration::from_secs(1);
/// Behind what is written there is a pause of so many times what that took.
const WRITE_PAUSE: u32 = 5;

/// A node that follows a control node.
#[derive(Debug)]
pub struct Follower {
    setup: FollowSetup,
    identity: Identity,
    held: watch::Sender<Arc<Held>>,
    snapshot: SnapshotFile,
    /// Which of the control nodes news are taken from.
    lead: watch::Sender<usize>,
    /// Of each, whether it did not answer last.
    away: Vec<AtomicBool>,
    /// One that was away has answered.
    came: Notify,
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
        let away = setup.urls.iter().map(|_url| AtomicBool::default()).collect();
        let (lead, came) = (watch::channel(0).0, Notify::new());
        Self { setup, identity, held, snapshot, lead, away, came }
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
        let each = join_all((0..self.setup.urls.len()).map(async |at| {
            let report = orders.report(at, &self.lead, self.held.subscribe());
            tokio::join!(self.attend(at, &status, &orders), report);
        }));
        tokio::join!(self.follow(&status, &orders), each, self.write());
    }

    /// Takes news from one control node, as long as that answers.
    async fn follow(&self, status: &watch::Receiver<Status>, orders: &Orders) {
        let (mut connection, mut pause, mut lead) = (None, PAUSE_MIN, self.lead.subscribe());
        loop {
            let at = *lead.borrow_and_update();
            let was_open = connection.is_some();
            let asked = tokio::select! {
                asked = self.ask(at, &mut connection, status, false) => asked,
                _another = lead.wait_for(|lead| *lead != at) => {
                    connection = None;
                    continue;
                }
            };
            match asked {
                Ok(news) => {
                    pause = PAUSE_MIN;
                    self.answered(at);
                    orders.carry_out(at, &news.commands);
                    self.take(news);
                }
                // It had been open for long, and its other end is free to close it.
                Err(FollowError::Lost(_)) if was_open => connection = None,
                Err(error) => {
                    connection = None;
                    self.failed(at, &error);
                    let pausing = sleep(rand::rng().random_range(pause / 2..=pause));
                    tokio::select! {
                        () = pausing => {}
                        () = self.came.notified() => {}
                    }
                    pause = (pause * 2).min(PAUSE_MAX);
                    let next = self.next(at);
                    self.lead.send_if_modified(|lead| {
                        *lead == at && std::mem::replace(lead, next) != next
                    });
                }
            }
        }
    }

    /// Asks a control node for orders, as long as news are taken from another.
    async fn attend(&self, at: usize, status: &watch::Receiver<Status>, orders: &Orders) {
        let mut lead = self.lead.subscribe();
        loop {
            drop(lead.wait_for(|lead| *lead != at).await);
            tokio::select! {
                () = self.ask_for_orders(at, status, orders) => {}
                _it_leads = lead.wait_for(|lead| *lead == at) => {}
            }
        }
    }

    async fn ask_for_orders(&self, at: usize, status: &watch::Receiver<Status>, orders: &Orders) {
        let (mut connection, mut pause, mut knows_more) = (None, PAUSE_MIN, false);
        loop {
            let was_open = connection.is_some();
            match self.ask(at, &mut connection, status, true).await {
                Ok(news) => {
                    pause = PAUSE_MIN;
                    self.answered(at);
                    orders.carry_out(at, &news.commands);
                    if !news.commands.is_empty() {
                        continue;
                    }
                    let is_ahead = news.position.revision > self.held.borrow().revision();
                    if std::mem::replace(&mut knows_more, is_ahead) && is_ahead {
                        let url = &self.setup.urls[at];
                        info!(%url, "this control node knows more than the one that was followed, and is followed now");
                        self.lead.send_replace(at);
                    }
                    sleep(ORDERS_PAUSE).await;
                }
                Err(FollowError::Lost(_)) if was_open => connection = None,
                Err(error) => {
                    connection = None;
                    self.failed(at, &error);
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
        only_commands: bool,
    ) -> Result<News, FollowError> {
        let open = match connection {
            Some(open) => open,
            None => connection.insert(Connection::open(&self.setup, at).await?),
        };
        let held = Arc::clone(&self.held.borrow());
        let (node, known) = (self.identity.clone(), held.position().cloned());
        let (told_by, status) = (held.version().map(ToOwned::to_owned), status.borrow().clone());
        open.post(FOLLOW, &Follow { node, known, told_by, status, only_commands }).await
    }

    fn answered(&self, at: usize) {
        if self.away[at].swap(false, Ordering::Relaxed) {
            info!(url = %self.setup.urls[at], "the control node answers again");
            self.came.notify_one();
        }
    }

    fn failed(&self, at: usize, error: &FollowError) {
        if !self.away[at].swap(true, Ordering::Relaxed) {
            let (error, url) = (error as &dyn std::error::Error, &self.setup.urls[at]);
            warn!(error, %url, "the control node cannot be followed, trying on; all goes on as it was");
        }
    }

    /// Whom news are taken from behind this one: the next that answered last, if there is one.
    fn next(&self, at: usize) -> usize {
        let count = self.setup.urls.len();
        let mut others = (1..=count).map(|step| (at + step) % count);
        let answers = |at: &usize| !self.away[*at].load(Ordering::Relaxed);
        others.clone().find(answers).or_else(|| others.next()).unwrap_or(at)
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
