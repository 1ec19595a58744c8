//! `/accounts/{account}/access`: who may pass an edge.
//!
//! * `tokens`: service tokens; `duration`: how long they are valid.
//! * `rules`, `asked`: what policies say; `policies`: those that are made by themselves.
//! * `apps`: guarded places, and the policies that belong to one alone.

mod apps;
mod asked;
mod duration;
mod policies;
mod rules;
#[cfg(test)]
mod tests;
mod tokens;

use axum::Router;

use super::Api;

pub(super) fn routes() -> Router<Api> {
    Router::new().merge(tokens::routes()).merge(policies::routes()).merge(apps::routes())
}
