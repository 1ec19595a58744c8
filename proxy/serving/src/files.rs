//! How many files the process may have open, and who may have how many of them.
//!
//! A connection is a file to the operating system. Where there are too few for all that the config allows, fewer clients
//! are let in, so that what is set aside for the rest is there: a probe is answered and a backend can be opened.

use crate::config::Config;

/// Standard streams, the runtime, the listeners, files that a reload reads, and a few that just close.
const OWN: usize = 48;
/// Beside the pool's connections of a database: the reading of the catalog, a cancel request, its spare stream.
const BESIDE_POOL: usize = 3;
/// Room for those who are logging in, beyond `max_clients`: whoever comes too many is told so, and not cut off.
const ARRIVALS: usize = 1024;
/// Clients above `max_clients` that are being told so at once; more are dropped without a word.
pub const REFUSALS_MAX: usize = 32;
/// The most visitors of the pages at once.
pub const VISITORS_MAX: usize = 16;

/// Who may have how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Clients that have logged in.
    pub clients: usize,
    /// Clients that have not.
    pub arrivals: usize,
    /// How many files it would take to let in as many clients as the config says; `None` where they do.
    pub lacking: Option<usize>,
}

/// As many as the operating system lets us have: the usual limit is for interactive programs.
///
/// # Errors
///
/// Those of the operating system; the limit is then what it was.
pub fn raise_limit() -> std::io::Result<u64> {
    rlimit::increase_nofile_limit(u64::MAX)
}

impl Shares {
    /// What the process's own limit leaves.
    pub fn of(config: &Config) -> Self {
        let limit = rlimit::Resource::NOFILE.get_soft();
        Self::within(
            config,
            limit.map_or(usize::MAX, |limit| limit.try_into().unwrap_or(usize::MAX)),
        )
    }

    fn within(config: &Config, limit: usize) -> Self {
        let wanted = config.listen.max_clients;
        let backends = |sum: usize, database: &std::sync::Arc<crate::config::DatabaseConfig>| {
            let size = usize::try_from(database.pool.max_size.get()).unwrap_or(usize::MAX);
            sum.saturating_add(size).saturating_add(BESIDE_POOL)
        };
        let backends = config.databases.iter().fold(0, backends);
        let own = OWN + VISITORS_MAX + REFUSALS_MAX;
        // Pools that would take all leave half of it.
        let rest = limit.saturating_sub(own);
        let rest = rest - backends.min(rest / 2);
        // All clients may come back at once; a quarter is for those who are logging in.
        let arrivals = rest.saturating_sub(wanted).max(rest / 4).clamp(1, wanted.max(ARRIVALS));
        let clients = rest.saturating_sub(arrivals).clamp(1, wanted);
        let needed = wanted.saturating_add(wanted.div_ceil(3));
        let needed = own.saturating_add(backends).saturating_add(needed);
        Self { clients, arrivals, lacking: (clients < wanted).then_some(needed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Engine, sample},
        salts::Salts,
    };

    fn config(max_clients: usize, pools: &[u32]) -> Config {
        let databases = pools.iter().map(|size| {
            let mut database = sample::database(Engine::Postgres, "d");
            database.pool.max_size = (*size).try_into().unwrap();
            database
        });
        let mut config = sample::config(&Salts::random(), databases);
        config.listen.max_clients = max_clients;
        config
    }

    /// FAULTS row 62: `ulimit -n 256` with `max_clients = 10000` started without a word.
    #[test]
    fn few_files_are_shared_out_and_missed() {
        for (max_clients, pools, limit) in [
            (10_000, &[20][..], 1 << 20),
            (10_000, &[20], 256),
            (10_000, &[20, 20, 500], 256),
            (10_000, &[20], 4096),
            (50, &[20], 256),
            (10_000, &[20], 14_000),
            (10_000, &[20], 16_000),
            (200, &[20], 1024),
            (50, &[20], 64),
            (10_000, &[20], usize::MAX),
        ] {
            let config = config(max_clients, pools);
            let shares = Shares::within(&config, limit);
            let Shares { clients, arrivals, lacking } = shares;
            assert!((1..=max_clients).contains(&clients) && arrivals >= 1, "{limit}: {shares:?}");
            assert_eq!(clients < max_clients, lacking.is_some(), "{limit}: {shares:?}");
            if limit > 128 {
                let taken = OWN + VISITORS_MAX + REFUSALS_MAX + clients + arrivals;
                assert!(taken < limit, "{limit}: something is left for backends: {shares:?}");
            }
            if let Some(lacking) = lacking {
                let enough = Shares::within(&config, lacking);
                assert_eq!((enough.clients, enough.lacking), (max_clients, None));
            }
        }
    }
}
