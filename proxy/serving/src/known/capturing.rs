//! The task that captures the changes of an origin: one for all configs that say so, with whichever came last.

use std::{convert::Infallible, error::Error, sync::Arc, time::Duration};

use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::configs::Configs;
use crate::{
    capture::Feed,
    config::{DatabaseConfig, Fingerprint},
    observe::DatabaseMetrics,
};

/// First and longest wait after a failure.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// What failed later than that after its start is tried again as soon as at first.
const LASTED: Duration = Duration::from_secs(10);

/// The task runs as long as this lives.
#[derive(Debug)]
pub(super) struct Capturing {
    shared: Arc<Shared>,
    _running: DropGuard,
}

#[derive(Debug)]
struct Shared {
    feed: Arc<Feed>,
    configs: Configs,
    /// Another config came.
    renewed: Notify,
    /// Another host of the origin is in use.
    moved: Notify,
}

/// A config's part in it.
#[derive(Debug)]
pub(super) struct Captured {
    capturing: Arc<Capturing>,
    metrics: Arc<DatabaseMetrics>,
}

impl Capturing {
    /// The task begins, and does nothing until there is a config.
    pub(super) fn begin<R, E>(
        feed: Feed,
        run: impl Fn(Arc<DatabaseConfig>, Arc<Feed>) -> R + Send + Sync + 'static,
        tasks: &TaskTracker,
    ) -> Arc<Self>
    where
        R: Future<Output = Result<Infallible, E>> + Send + 'static,
        E: Error + Send + 'static,
    {
        let (stop, feed) = (CancellationToken::new(), Arc::new(feed));
        let shared = Arc::new(Shared {
            feed,
            configs: Configs::default(),
            renewed: Notify::new(),
            moved: Notify::new(),
        });
        // Not the whole: it ends when the last config has gone, and the task with it.
        let (stopped, of_task) = (stop.clone(), Arc::clone(&shared));
        tasks.spawn(async move { stopped.run_until_cancelled(of_task.keep(run)).await });
        Arc::new(Self { shared, _running: stop.drop_guard() })
    }

    /// What is heard is of a host that is not in use any more.
    pub(super) fn begin_anew(&self) {
        self.shared.moved.notify_one();
        self.shared.feed.lost();
    }
}

impl Captured {
    /// A config comes into use.
    pub(super) fn new(
        capturing: Arc<Capturing>,
        config: &Arc<DatabaseConfig>,
        metrics: Arc<DatabaseMetrics>,
    ) -> Self {
        let shared = &capturing.shared;
        shared.feed.shows(Arc::clone(&metrics));
        shared.configs.add(config);
        shared.renewed.notify_one();
        Self { capturing, metrics }
    }

    pub(super) fn feed(&self) -> &Feed {
        &self.capturing.shared.feed
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        self.feed().hides(&self.metrics);
    }
}

impl Shared {
    async fn keep<R, E>(&self, run: impl Fn(Arc<DatabaseConfig>, Arc<Feed>) -> R)
    where
        R: Future<Output = Result<Infallible, E>>,
        E: Error + 'static,
    {
        let mut wait = RETRY.0;
        loop {
            let Some(config) = self.configs.next() else {
                self.renewed.notified().await;
                continue;
            };
            let (began_at, name) = (Instant::now(), config.name.clone());
            let running = fingerprint(&config);
            let failed = tokio::select! {
                ended = run(config, Arc::clone(&self.feed)) => ended.err(),
                () = self.is_outdone(running) => None,
                () = self.moved.notified() => None,
            };
            self.feed.lost();
            match failed {
                Some(error) => {
                    complain(&name, &error);
                    self.configs.failed();
                    if began_at.elapsed() >= LASTED {
                        wait = RETRY.0;
                    }
                    tokio::select! {
                        () = sleep(wait) => {}
                        () = self.is_outdone(running) => {}
                        () = self.moved.notified() => {}
                    }
                    wait = (wait * 2).min(RETRY.1);
                }
                None => wait = RETRY.0,
            }
        }
    }

    /// Waits until a config comes that says it otherwise.
    async fn is_outdone(&self, running: Option<Fingerprint>) {
        loop {
            self.renewed.notified().await;
            if self.configs.next().is_some_and(|config| fingerprint(&config) != running) {
                return;
            }
        }
    }
}

fn fingerprint(config: &DatabaseConfig) -> Option<Fingerprint> {
    config.capture.as_ref().map(|capture| capture.fingerprint)
}

fn complain(database: &str, error: &(dyn Error + 'static)) {
    tracing::warn!(database, error, "its changes are not captured, so nothing of it is cached");
}
