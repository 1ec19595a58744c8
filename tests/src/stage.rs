//! One scenario's world, and the matrix of places where every scenario runs.
//!
//! A scenario is an `async fn(Place)`. [`scenarios!`](crate::scenarios) makes one `#[test]` of it per version of
//! PostgreSQL and route that can change its outcome. The feature `direct` also runs it without jumpgate, against the
//! database itself; `cargo nextest run -p e2e --features live,direct -E 'test(direct_)'` runs only those.

use std::{fmt, future::Future, time::Duration};

use crate::{
    certificates::Authority,
    jumpgate::{Jumpgate, Setup},
    metrics::Metrics,
    postgres::Postgres,
    relay::Relay,
    wire::{Endpoint, Wire},
};

/// Which PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The distribution's.
    Fifteen,
    /// Protocol 3.2 and direct TLS.
    Eighteen,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fifteen => "15",
            Self::Eighteen => "18",
        })
    }
}

/// How clients reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// No jumpgate: what a scenario expects must hold here first.
    Direct,
    /// Client, proxy, database.
    Proxy,
    /// Client, proxy, edge, connector, database.
    Tunnel,
}

/// Where a scenario runs.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Which PostgreSQL.
    pub version: Version,
    /// How clients reach it.
    pub route: Route,
}

/// A database, and jumpgate in front of it unless the route is direct.
///
/// Fields end in this order: first jumpgate, then the network, then the database.
#[derive(Debug)]
pub struct Stage {
    /// The processes of jumpgate.
    jumpgate: Option<Jumpgate>,
    /// The network in front of the database, where the setup asks for one.
    pub relay: Option<Relay>,
    /// The database.
    pub postgres: Postgres,
    /// Who signs every certificate here.
    pub authority: Authority,
}

impl Stage {
    /// The usual world: see [`Setup::default`].
    pub async fn open(place: Place) -> Self {
        Self::with(place, Setup::default()).await
    }

    /// A world with other settings.
    pub async fn with(place: Place, setup: Setup) -> Self {
        let authority = Authority::new();
        let postgres =
            Postgres::start(place.version, &authority, &setup.postgres).expect("PostgreSQL starts");
        let relay = match setup.relay_delay {
            Some(delay) => Some(Relay::start(postgres.address(), delay).await.expect("a relay")),
            None => None,
        };
        let origin = relay.as_ref().map_or(postgres.address(), Relay::address);
        let jumpgate = match place.route {
            Route::Direct => None,
            Route::Proxy | Route::Tunnel => {
                let tunnel = place.route == Route::Tunnel;
                Some(Jumpgate::start(&authority, origin, tunnel, setup).expect("jumpgate starts"))
            }
        };
        Self { jumpgate, relay, postgres, authority }
    }

    /// The processes of jumpgate.
    ///
    /// # Panics
    ///
    /// On the direct route.
    pub fn jumpgate(&mut self) -> &mut Jumpgate {
        self.jumpgate.as_mut().expect("this scenario runs behind jumpgate only")
    }

    /// What a client of this scenario connects to.
    pub fn endpoint(&self) -> Endpoint {
        match (&self.jumpgate, &self.relay) {
            (Some(jumpgate), _) => jumpgate.endpoint(),
            (None, Some(relay)) => {
                Endpoint { address: relay.address(), ..self.postgres.endpoint() }
            }
            (None, None) => self.postgres.endpoint(),
        }
    }

    /// A logged-in client.
    pub async fn client(&self) -> Wire {
        Wire::connect(&self.endpoint()).await
    }

    /// A logged-in client that asked for some startup parameters.
    pub async fn client_with(&self, options: &[(&str, &str)]) -> Wire {
        Wire::connect_with(&self.endpoint(), options).await
    }

    /// A client that goes around jumpgate.
    pub async fn direct(&self) -> Wire {
        Wire::connect(&self.postgres.endpoint()).await
    }

    /// A superuser that goes around jumpgate.
    pub async fn superuser(&self) -> Wire {
        Wire::connect(&self.postgres.superuser()).await
    }

    /// What `/metrics` says now.
    ///
    /// # Panics
    ///
    /// On the direct route.
    pub async fn metrics(&self) -> Metrics {
        self.jumpgate.as_ref().expect("metrics exist behind jumpgate only").metrics().await
    }

    /// Whether jumpgate is in the way.
    pub fn is_direct(&self) -> bool {
        self.jumpgate.is_none()
    }
}

/// Asks for the process of the database that serves at the moment: `pg_backend_pid()` alone is the client's own.
pub const SERVING_PROCESS: &str = "SELECT pid FROM pg_stat_activity WHERE pid = pg_backend_pid()";

/// Waits until this client is served again, whatever errors come before.
///
/// # Panics
///
/// When that takes over a minute.
pub async fn recovers(client: &mut Wire) {
    let give_up = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let reply = client.query("SELECT 1 /* jumpgate: no-cache */").await;
        if reply.iter().any(|frame| frame.tag == b'D') {
            return;
        }
        assert!(
            tokio::time::Instant::now() < give_up,
            "still not served: {}",
            crate::wire::error(&reply)
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Polls until `condition` holds; a hang is a failure that says what was waited for.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let polling = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), polling)
        .await
        .unwrap_or_else(|_elapsed| panic!("still not so after 30 seconds: {what}"));
}

/// Runs a scenario on its own runtime; a hang fails it before nextest ends the process, so that logs are shown.
pub fn run<F: Future<Output = ()>>(place: Place, scenario: impl FnOnce(Place) -> F) {
    run_on_a_runtime(|| scenario(place));
}

/// As [`run`], for a scenario of any database.
pub fn run_on_a_runtime<F: Future<Output = ()>>(scenario: impl FnOnce() -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let _entered = runtime.enter();
    let limited = tokio::time::timeout(Duration::from_secs(100), Box::pin(scenario()));
    let finished = runtime.block_on(limited);
    assert!(finished.is_ok(), "the scenario hangs");
}

/// Makes tests of scenarios. What may be listed, in this order, each list optional:
///
/// * `everywhere`: both versions, through the proxy and through the tunnel. For what the network, timing, or the
///   protocol of a version can change.
/// * `twice`: PostgreSQL 15 behind the proxy and 18 behind the tunnel, so that each version and each route is seen.
///   For what only the session, the pool or the cache decides, before any byte goes either way.
/// * `once`: PostgreSQL 15 behind the proxy. For what is over before a backend is asked.
/// * `jumpgate`, `jumpgate_twice`, `jumpgate_once`: the same, for what makes no sense without jumpgate.
/// * `tunnel`: both versions, through the tunnel only.
///
/// The feature `direct` adds both versions without jumpgate to the first three lists: what a scenario expects must
/// hold at the database itself first.
#[macro_export]
macro_rules! scenarios {
    (
        $(everywhere: [$($everywhere:ident),* $(,)?] $(,)?)?
        $(jumpgate: [$($jumpgate:ident),* $(,)?] $(,)?)?
        $(twice: [$($twice:ident),* $(,)?] $(,)?)?
        $(jumpgate_twice: [$($jumpgate_twice:ident),* $(,)?] $(,)?)?
        $(once: [$($once:ident),* $(,)?] $(,)?)?
        $(jumpgate_once: [$($jumpgate_once:ident),* $(,)?] $(,)?)?
        $(tunnel: [$($tunnel:ident),* $(,)?] $(,)?)?
    ) => {
        #[cfg(feature = "direct")]
        $crate::scenarios!(@place direct_15 Direct Fifteen: $($($everywhere)*)? $($($twice)*)? $($($once)*)?);
        #[cfg(feature = "direct")]
        $crate::scenarios!(@place direct_18 Direct Eighteen: $($($everywhere)*)? $($($twice)*)? $($($once)*)?);
        $crate::scenarios!(@place proxy_15 Proxy Fifteen:
            $($($everywhere)*)? $($($jumpgate)*)? $($($twice)*)? $($($jumpgate_twice)*)?
            $($($once)*)? $($($jumpgate_once)*)?);
        $crate::scenarios!(@place proxy_18 Proxy Eighteen: $($($everywhere)*)? $($($jumpgate)*)?);
        $crate::scenarios!(@place tunnel_15 Tunnel Fifteen:
            $($($everywhere)*)? $($($jumpgate)*)? $($($tunnel)*)?);
        $crate::scenarios!(@place tunnel_18 Tunnel Eighteen:
            $($($everywhere)*)? $($($jumpgate)*)? $($($twice)*)? $($($jumpgate_twice)*)? $($($tunnel)*)?);
    };
    (@place $module:ident $route:ident $version:ident:) => {};
    (@place $module:ident $route:ident $version:ident: $($name:ident)+) => {
        mod $module {
            $(
                #[test]
                fn $name() {
                    let (version, route) = ($crate::stage::Version::$version, $crate::stage::Route::$route);
                    $crate::stage::run($crate::stage::Place { version, route }, super::$name);
                }
            )+
        }
    };
}
