//! Finding a config.

use std::sync::Arc;

use crate::{api::ApiError, plane::World, resources::Hyperdrive};

/// A config of this account, by its id or its name.
pub(in crate::api) fn find(
    world: &World,
    account: &str,
    id: &str,
) -> Result<Arc<Hyperdrive>, ApiError> {
    let by_id = world.hyperdrives.get(id);
    let found = by_id.or_else(|| world.hyperdrives.iter().find(|config| config.name == id));
    let ours = found.filter(|config| config.account == account);
    ours.cloned().ok_or_else(|| ApiError::missing("config", id))
}
