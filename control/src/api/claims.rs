//! Whose a hostname is. Accounts share the edges, so that a hostname which leads to one account's tunnel, or is guarded by its
//! application, is of no other.

use std::collections::HashSet;

use super::envelope::ApiError;
use crate::{
    plane::World,
    view::edge::{EdgeRoute, routes},
};

/// Whether an account may say something of these hostnames: nobody else has.
pub(super) fn claim<'a>(
    world: &World,
    account: &str,
    hostnames: impl IntoIterator<Item = &'a str>,
) -> Result<(), ApiError> {
    let led = routes(world);
    let led = led.iter().filter(|route| !is_ours(world, account, route));
    let guarded = world.applications.iter().filter(|app| app.account != account);
    let theirs: HashSet<_> =
        led.map(|it| &*it.hostname).chain(guarded.map(|app| &*app.hostname)).collect();
    match hostnames.into_iter().find(|hostname| theirs.contains(hostname)) {
        None => Ok(()),
        Some(hostname) => Err(ApiError::in_use(format!(
            "the hostname {hostname:?} is another account's already; choose another name, or have it given up there"
        ))),
    }
}

/// Where a hostname leads now.
pub(super) fn route(world: &World, hostname: &str) -> Option<EdgeRoute> {
    routes(world).into_iter().find(|route| route.hostname == hostname)
}

/// Whether it leads to a tunnel of this account.
pub(super) fn is_ours(world: &World, account: &str, route: &EdgeRoute) -> bool {
    world.tunnels.get(&route.tunnel).is_some_and(|tunnel| tunnel.account == account)
}
