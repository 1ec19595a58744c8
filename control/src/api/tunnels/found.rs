//! The tunnel that is meant.

use std::sync::Arc;

use crate::{api::envelope::ApiError, plane::World, resources::Tunnel};

/// A tunnel of this account, by its id or, unless it is deleted, by its name.
pub(super) fn find(world: &World, account: &str, id: &str) -> Result<Arc<Tunnel>, ApiError> {
    let mut ours = world.tunnels.iter().filter(|tunnel| tunnel.account == account);
    let by_id = world.tunnels.get(id).filter(|tunnel| tunnel.account == account);
    let found =
        by_id.or_else(|| ours.find(|tunnel| tunnel.name == id && tunnel.deleted_at.is_none()));
    found.cloned().ok_or_else(|| ApiError::missing("tunnel", id))
}

/// One that is not deleted.
pub(super) fn find_live(world: &World, account: &str, id: &str) -> Result<Arc<Tunnel>, ApiError> {
    let tunnel = find(world, account, id)?;
    if tunnel.deleted_at.is_some() {
        let message = format!("the tunnel {:?} is deleted; create another one", tunnel.name);
        return Err(ApiError::invalid(message));
    }
    Ok(tunnel)
}
