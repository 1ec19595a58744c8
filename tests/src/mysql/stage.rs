//! One scenario's world with MariaDB or MySQL, and the matrix of places where every scenario runs.

use std::{future::Future, time::Duration};

use super::{Mysql, Server, login::Options, reply, wire::Wire};
use crate::{
    certificates::Authority,
    jumpgate::{Engine, Jumpgate, Setup},
    metrics::Metrics,
    relay::Relay,
    stage::Route,
    wire::Endpoint,
};

/// Where a scenario runs.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Which server.
    pub server: Server,
    /// How clients reach it.
    pub route: Route,
}

/// A database, and jumpgate in front of it unless the route is direct.
///
/// Fields end in this order: first jumpgate, then the network, then the database.
#[derive(Debug)]
pub struct Stage {
    jumpgate: Option<Jumpgate>,
    /// The network in front of the database, where the setup asks for one.
    pub relay: Option<Relay>,
    /// The database.
    pub mysql: Mysql,
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
        let mysql =
            Mysql::start(place.server, &authority, &setup.mysql).expect("the server starts");
        let relay = match setup.relay_delay {
            Some(delay) => Some(Relay::start(mysql.address(), delay).await.expect("a relay")),
            None => None,
        };
        let origin = relay.as_ref().map_or(mysql.address(), Relay::address);
        let setup = Setup { engine: Engine::MySql, ..setup };
        let jumpgate = match place.route {
            Route::Direct => None,
            Route::Proxy | Route::Tunnel => {
                let tunnel = place.route == Route::Tunnel;
                Some(Jumpgate::start(&authority, origin, tunnel, setup).expect("jumpgate starts"))
            }
        };
        Self { jumpgate, relay, mysql, authority }
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
            (None, Some(relay)) => Endpoint { address: relay.address(), ..self.mysql.endpoint() },
            (None, None) => self.mysql.endpoint(),
        }
    }

    /// A logged-in client.
    pub async fn client(&self) -> Wire {
        Wire::connect(&self.endpoint()).await
    }

    /// A logged-in client with other capabilities.
    pub async fn client_with(&self, capabilities: u32) -> Wire {
        Wire::connect_with(&self.endpoint(), &Options::with(capabilities)).await
    }

    /// A client that goes around jumpgate.
    pub async fn direct(&self) -> Wire {
        Wire::connect(&self.mysql.endpoint()).await
    }

    /// `root`, who goes around jumpgate.
    pub async fn root(&self) -> Wire {
        Wire::connect(&self.mysql.root()).await
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

/// Waits until this client is served again, whatever errors come before; a session that ended is opened anew.
///
/// # Panics
///
/// When that takes over a minute.
pub async fn recovers(client: &mut Wire) {
    let give_up = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let reply = client.query("SELECT 1 /* jumpgate: no-cache */").await;
        if !reply::rows(&reply).is_empty() {
            return;
        }
        assert!(
            tokio::time::Instant::now() < give_up,
            "still not served: {}",
            reply::error(&reply)
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Runs a scenario on its own runtime; a hang fails it before nextest ends the process, so that logs are shown.
pub fn run<F: Future<Output = ()>>(place: Place, scenario: impl FnOnce(Place) -> F) {
    crate::stage::run_on_a_runtime(|| scenario(place));
}

/// Makes tests of scenarios. What may be listed, in this order, each list optional:
///
/// * `everywhere`: both servers, through the proxy and through the tunnel. For what the network, timing, or the
///   server can change.
/// * `jumpgate`: the same, for what makes no sense without jumpgate.
/// * `both`: both servers behind the proxy. For what the server can change and the network cannot.
/// * `jumpgate_both`: the same, for what makes no sense without jumpgate.
/// * `twice`: MariaDB behind the proxy and MySQL behind the tunnel, so that each server and each route is seen.
/// * `jumpgate_twice`: the same, for what makes no sense without jumpgate.
/// * `mariadb`, `mysql`: this server only, behind the proxy.
///
/// The feature `direct` adds both servers without jumpgate to all but the lists that are named after jumpgate: what a
/// scenario expects must hold at the database itself first.
#[macro_export]
macro_rules! mysql_scenarios {
    (
        $(everywhere: [$($everywhere:ident),* $(,)?] $(,)?)?
        $(jumpgate: [$($jumpgate:ident),* $(,)?] $(,)?)?
        $(both: [$($both:ident),* $(,)?] $(,)?)?
        $(jumpgate_both: [$($jumpgate_both:ident),* $(,)?] $(,)?)?
        $(twice: [$($twice:ident),* $(,)?] $(,)?)?
        $(jumpgate_twice: [$($jumpgate_twice:ident),* $(,)?] $(,)?)?
        $(mariadb: [$($mariadb:ident),* $(,)?] $(,)?)?
        $(mysql: [$($mysql:ident),* $(,)?] $(,)?)?
    ) => {
        #[cfg(feature = "direct")]
        $crate::mysql_scenarios!(@place direct_mariadb Direct MariaDb:
            $($($everywhere)*)? $($($both)*)? $($($twice)*)? $($($mariadb)*)?);
        #[cfg(feature = "direct")]
        $crate::mysql_scenarios!(@place direct_mysql Direct MySql:
            $($($everywhere)*)? $($($both)*)? $($($twice)*)? $($($mysql)*)?);
        $crate::mysql_scenarios!(@place proxy_mariadb Proxy MariaDb:
            $($($everywhere)*)? $($($jumpgate)*)? $($($both)*)? $($($jumpgate_both)*)?
            $($($twice)*)? $($($jumpgate_twice)*)? $($($mariadb)*)?);
        $crate::mysql_scenarios!(@place proxy_mysql Proxy MySql:
            $($($everywhere)*)? $($($jumpgate)*)? $($($both)*)? $($($jumpgate_both)*)? $($($mysql)*)?);
        $crate::mysql_scenarios!(@place tunnel_mariadb Tunnel MariaDb: $($($everywhere)*)? $($($jumpgate)*)?);
        $crate::mysql_scenarios!(@place tunnel_mysql Tunnel MySql:
            $($($everywhere)*)? $($($jumpgate)*)? $($($twice)*)? $($($jumpgate_twice)*)?);
    };
    (@place $module:ident $route:ident $server:ident:) => {};
    (@place $module:ident $route:ident $server:ident: $($name:ident)+) => {
        mod $module {
            $(
                #[test]
                fn $name() {
                    let (server, route) = ($crate::mysql::Server::$server, $crate::stage::Route::$route);
                    $crate::mysql::stage::run($crate::mysql::stage::Place { server, route }, super::$name);
                }
            )+
        }
    };
}
