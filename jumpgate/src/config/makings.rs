//! What was made of the configs and serves their later states too: a reload makes what changed, and nothing else.

use std::{collections::HashMap, sync::Arc};

use control::{Config, Mistake};
use serving::{
    config::{Config as ProxyConfig, DatabaseConfig, Fingerprint},
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

    /// This is served from now on.
    pub fn keep(&mut self, config: &ProxyConfig) {
        self.salts = Some(config.salts.clone());
        self.databases.clone_from(&config.databases);
        self.contexts.keep_used();
    }

    /// How many TLS contexts there are.
    #[cfg(test)]
    pub(super) fn contexts(&self) -> usize {
        self.contexts.len()
    }
}

/// A config as it would be served, by whoever serves nothing else.
///
/// # Errors
///
/// What cannot be served although it keeps every rule: a certificate that is none, a hostname that nobody can have.
pub fn served_alone(config: &Config) -> Result<Arc<DatabaseConfig>, Mistake> {
    Makings::default().served(config, None, &Salts::random())
}
