//! Notices of changes by others. They may be lost: whoever waits looks now and then, too.

use std::{future::pending, time::Duration};

use sqlx::postgres::PgListener;
use tokio::time::sleep;

use crate::model::Secret;

/// What a notice is sent on, with PostgreSQL.
pub(super) const CHANNEL: &str = "jumpgate_control";
const PAUSE: Duration = Duration::from_secs(2);

/// Tells of changes. With SQLite it tells of none: others write only now and then, and are seen by looking.
#[derive(Debug)]
pub struct Notices {
    url: Option<Secret>,
    listener: Option<PgListener>,
}

impl Notices {
    pub(super) const fn new(url: Option<Secret>) -> Self {
        Self { url, listener: None }
    }

    /// Waits for the next.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, a notice may be lost.
    pub async fn next(&mut self) {
        let Some(url) = &self.url else { return pending().await };
        loop {
            if self.listener.is_none() {
                self.listener = listen(url).await;
            }
            match &mut self.listener {
                Some(listener) => match listener.recv().await {
                    Ok(_notice) => return,
                    Err(_lost) => self.listener = None,
                },
                None => sleep(PAUSE).await,
            }
        }
    }
}

async fn listen(url: &Secret) -> Option<PgListener> {
    let mut listener = PgListener::connect(url.expose()).await.ok()?;
    listener.listen(CHANNEL).await.ok()?;
    Some(listener)
}
