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
    /// What is served.
    databases: Vec<Arc<DatabaseConfig>>,
    contexts: Contexts,
}

impl Makings {
    /// What is served, by name.
    pub(super) fn by_name(&self) -> HashMap<String, Arc<DatabaseConfig>> {
        let named = |one: &Arc<DatabaseConfig>| (one.name.clone(), Arc::clone(one));
        self.databases.iter().map(named).collect()
    }

    /// A config as it is served: made now, unless it is what it was `before`.
    pub(super) fn served(
        &mut self,
        config: &Config,
        before: Option<&Arc<DatabaseConfig>>,
        salts: &Salts,
    ) -> Result<Arc<DatabaseConfig>, Mistake> {
        let fingerprint = Fingerprint::of(config);
        match before {
            Some(same) if same.fingerprint == fingerprint => Ok(Arc::clone(same)),
            _ => served(config, fingerprint, salts, &mut self.contexts).map(Arc::new),
        }
    }

    /// These are served from now on.
    pub(super) fn keep(&mut self, salts: &Salts, databases: &[Arc<DatabaseConfig>]) {
        self.salts = Some(salts.clone());
        self.databases = databases.to_vec();
        self.contexts.keep_used();
    }

    /// How many TLS contexts there are.
    #[cfg(test)]
    pub(super) fn contexts(&self) -> usize {
        self.contexts.len()
    }
}
