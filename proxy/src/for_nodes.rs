//! What other nodes may ask of a proxy.

use std::sync::Arc;

/// What other nodes may ask of a server, about the origins that it leads to.
#[derive(Clone, Debug)]
pub struct ForNodes {
    postgres: Arc<postgres::Context>,
    mysql: Arc<mysql::Context>,
}

impl ForNodes {
    pub(crate) fn new(postgres: Arc<postgres::Context>, mysql: Arc<mysql::Context>) -> Self {
        Self { postgres, mysql }
    }

    /// Another node has changed the schema of an origin.
    pub fn schema_changed(&self, scope: &str) {
        self.postgres.schema_changed(scope);
        self.mysql.schema_changed(scope);
    }

    /// Whether the origin says that a backend of it is gone; `None` where it cannot be asked.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn is_gone(&self, scope: &str, backend: u32) -> Option<bool> {
        match self.postgres.is_gone(scope, backend).await {
            None => self.mysql.is_gone(scope, backend).await,
            gone => gone,
        }
    }
}
