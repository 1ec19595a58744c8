//! Which tunnels are listed.

use serde_json::Value;

use super::shown::{active_since, connections, status};
use crate::{
    api::{Query, envelope::ApiError},
    moment::Moment,
    resources::Tunnel,
};

/// What stands behind the `?` of a list.
#[derive(Debug)]
pub(super) struct Filter {
    query: Query,
    existed_at: Option<Moment>,
    was_active_at: Option<Moment>,
    was_inactive_at: Option<Moment>,
}

impl Filter {
    /// What a query says.
    pub(super) fn of(query: &Query) -> Result<Self, ApiError> {
        let moment = |key: &str| {
            let read = |text: &str| {
                serde_json::from_value::<Moment>(Value::from(text)).map_err(|_not_a_time| {
                    let message = format!("{key} must be a time such as 2026-11-30T05:00:00Z");
                    ApiError::invalid(message)
                })
            };
            query.get(key).map(read).transpose()
        };
        if let Some(status) = query.get("status").filter(|status| !STATUSES.contains(status)) {
            let message = format!("status {status:?} is none of {}", STATUSES.join(", "));
            return Err(ApiError::invalid(message));
        }
        Ok(Self {
            existed_at: moment("existed_at")?,
            was_active_at: moment("was_active_at")?,
            was_inactive_at: moment("was_inactive_at")?,
            query: query.clone(),
        })
    }

    /// Whether a tunnel is listed.
    pub(super) fn takes(&self, tunnel: &Tunnel, clients: &[Value]) -> bool {
        let connections = connections(clients);
        let starts = |prefix: &str| tunnel.name.starts_with(prefix);
        let says = |key: &str, holds: &dyn Fn(&str) -> bool| self.query.get(key).is_none_or(holds);
        let existed = |then: Moment| {
            tunnel.created_at <= then && tunnel.deleted_at.is_none_or(|end| then < end)
        };
        // What was before the present connections is not known.
        let was_active = |then: Moment| {
            let since = active_since(&connections).map(Value::from);
            let since = since.and_then(|text| serde_json::from_value::<Moment>(text).ok());
            since.is_some_and(|since| since <= then)
        };
        says("name", &|name| tunnel.name == name)
            && says("uuid", &|id| tunnel.id == id)
            && says("include_prefix", &starts)
            && says("name_prefix", &starts)
            && says("exclude_prefix", &|prefix| !starts(prefix))
            && says("status", &|asked| status(&connections) == asked)
            && self.query.is("is_deleted").is_none_or(|asked| tunnel.deleted_at.is_some() == asked)
            && self.existed_at.is_none_or(existed)
            && self.was_active_at.is_none_or(was_active)
            && self.was_inactive_at.is_none_or(|then| existed(then) && !was_active(then))
    }
}

const STATUSES: [&str; 4] = ["inactive", "degraded", "healthy", "down"];
