//! Configs in use, any of which will do.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::config::DatabaseConfig;

/// The configs in use of an origin or an account of it, any of which may be used for what all of them need.
#[derive(Debug, Default)]
pub(super) struct Configs(Mutex<Vec<Weak<DatabaseConfig>>>);

impl Configs {
    pub(super) fn add(&self, config: &Arc<DatabaseConfig>) {
        let mut all = self.0.lock();
        all.retain(|config| config.strong_count() > 0);
        all.push(Arc::downgrade(config));
    }

    /// The one that came last, or comes next since that one failed.
    pub(super) fn next(&self) -> Option<Arc<DatabaseConfig>> {
        self.0.lock().iter().rev().find_map(Weak::upgrade)
    }

    /// The one in use did not work: the others come first.
    pub(super) fn failed(&self) {
        let mut all = self.0.lock();
        all.retain(|config| config.strong_count() > 0);
        if !all.is_empty() {
            all.rotate_right(1);
        }
    }
}
