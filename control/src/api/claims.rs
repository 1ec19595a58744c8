//! Whose a hostname is. Accounts share the edges, so that a hostname which leads to one account's tunnel, or is guarded by its
//! application, is of no other.

use super::envelope::ApiError;
use crate::{
    plane::World,
    view::edge::{EdgeRoute, routes},
};

/// Whether an account may say something of a hostname: nobody else has.
pub(super) fn claim(world: &World, account: &str, hostname: &str) -> Result<(), ApiError> {
    let is_guarded =
        world.applications.iter().any(|it| it.hostname == hostname && it.account != account);
    if is_guarded || route(world, hostname).is_some_and(|it| !is_ours(world, account, &it)) {
        let message = format!(
            "the hostname {hostname:?} is another account's already; choose another name, or have it given up there"
        );
        return Err(ApiError::in_use(message));
    }
    Ok(())
}

/// Where a hostname leads now.
pub(super) fn route(world: &World, hostname: &str) -> Option<EdgeRoute> {
    routes(world).into_iter().find(|route| route.hostname == hostname)
}

/// Whether it leads to a tunnel of this account.
pub(super) fn is_ours(world: &World, account: &str, route: &EdgeRoute) -> bool {
    world.tunnels.get(&route.tunnel).is_some_and(|tunnel| tunnel.account == account)
}
