//! The application that is meant.

use std::sync::Arc;

use crate::{api::envelope::ApiError, plane::World, resources::Application};

/// An application of this account, by its id or its name.
pub(super) fn find(world: &World, account: &str, id: &str) -> Result<Arc<Application>, ApiError> {
    let mut ours = world.applications.iter().filter(|app| app.account == account);
    let by_id = world.applications.get(id).filter(|app| app.account == account);
    let found = by_id.or_else(|| ours.find(|app| app.name == id));
    found.cloned().ok_or_else(|| ApiError::missing("application", id))
}
