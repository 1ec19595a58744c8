//! The configs that a control node tells, as a store.

use std::sync::Arc;

use control::{Revision, Snapshot, Store, StoreError};
use tokio::sync::watch;

use super::held::Held;

/// The configs that a control node tells.
#[derive(Clone, Debug)]
pub struct ControlStore(watch::Receiver<Arc<Held>>);

impl ControlStore {
    /// Of what a follower holds.
    pub const fn new(held: watch::Receiver<Arc<Held>>) -> Self {
        Self(held)
    }

    /// What is held now.
    pub fn held(&self) -> Arc<Held> {
        Arc::clone(&self.0.borrow())
    }
}

impl Store for ControlStore {
    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let held = self.held();
        let configs = held.configs().cloned().collect();
        Ok(Snapshot { revision: Revision(held.generation()), configs })
    }

    async fn changed(&self, seen: Revision) -> Result<Revision, StoreError> {
        let mut held = self.0.clone();
        let news = held.wait_for(|held| Revision(held.generation()) != seen).await;
        let news = news.map_err(|ended| StoreError::Unavailable(ended.into()))?;
        Ok(Revision(news.generation()))
    }
}
