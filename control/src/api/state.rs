//! What handlers work on.

use std::sync::Arc;

use super::guesses::Guesses;
use crate::{fleet::Fleet, plane::Plane};

/// What every path begins with.
pub const BASE: &str = "/client/v4";

/// What handlers work on.
#[derive(Clone, Debug)]
pub struct Api {
    /// What is kept.
    pub plane: Arc<Plane>,
    /// The nodes.
    pub fleet: Arc<dyn Fleet>,
    /// Whether a config is kept only if its database can be reached.
    pub(super) tests_connections: bool,
    pub(super) guesses: Arc<Guesses>,
}

impl Api {
    /// Of this plane and its nodes.
    pub fn new(plane: Arc<Plane>, fleet: Arc<dyn Fleet>) -> Self {
        Self { plane, fleet, tests_connections: true, guesses: Arc::default() }
    }

    /// Whether a config is kept only if its database can be reached, as is usual.
    #[must_use]
    pub fn tests_connections(self, tests_connections: bool) -> Self {
        Self { tests_connections, ..self }
    }
}
