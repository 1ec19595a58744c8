//! What was made of the configs and serves their later states too: a reload makes what changed, and nothing else.

use std::{collections::HashMap, sync::Arc};

use control::{Config, Mistake};
use serving::{
    config::{DatabaseConfig, Fingerprint},
    salts::Salts,
};

use super::{contexts::Contexts, served::served};

/// Empty for a process that begins.
#[derive(Debug, Default)]
pub struct Makings {
    pub(super) salts: Option<Salts>,
    /// What is served, by name.
    databases: HashMap<String, Arc<DatabaseConfig>>,
    contexts: Contexts,
}

impl Makings {
    /// A config as it is served: made now, unless it is what it was.
    pub(super) fn served(
        &mut self,
        config: &Config,
        salts: &Salts,
    ) -> Result<Arc<DatabaseConfig>, Mistake> {
        let fingerprint = Fingerprint::of(config);
        match self.databases.get(&config.name) {
            Some(same) if same.fingerprint == fingerprint => Ok(Arc::clone(same)),
            _ => served(config, fingerprint, salts, &mut self.contexts).map(Arc::new),
        }
    }

    /// These are served from now on.
    pub(super) fn keep(&mut self, salts: &Salts, databases: &[Arc<DatabaseConfig>]) {
        self.salts = Some(salts.clone());
        let named = |database: &Arc<DatabaseConfig>| (database.name.clone(), Arc::clone(database));
        self.databases = databases.iter().map(named).collect();
        self.contexts.keep_used();
    }

    /// How many TLS contexts there are.
    #[cfg(test)]
    pub(super) fn contexts(&self) -> usize {
        self.contexts.len()
    }
}
