//! What of a config a reload cannot change.

use std::net::SocketAddr;

use serving::config::{CacheConfig, Config, ListenConfig, LogConfig};

/// What a reload cannot change.
#[derive(Debug)]
pub(super) struct Fixed {
    postgres: Option<SocketAddr>,
    mysql: Option<SocketAddr>,
    max_clients: usize,
    admin: Option<SocketAddr>,
    log: LogConfig,
    cache: CacheConfig,
}

impl Fixed {
    pub(super) fn of(config: &Config) -> Self {
        let ListenConfig { postgres, mysql, max_clients, .. } = config.listen;
        let (log, cache) = (config.log.clone(), config.cache.clone());
        Self { postgres, mysql, max_clients, admin: config.admin, log, cache }
    }

    /// The keys and sections in which a new file differs.
    pub(super) fn differing(&self, new: &Self) -> Vec<&'static str> {
        let table = [
            ("listen.postgres", self.postgres != new.postgres),
            ("listen.mysql", self.mysql != new.mysql),
            ("listen.max_clients", self.max_clients != new.max_clients),
            ("admin.listen", self.admin != new.admin),
            ("[log]", self.log != new.log),
            ("[cache]", self.cache != new.cache),
        ];
        table.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }
}
