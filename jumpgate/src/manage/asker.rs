//! Whom the tools ask, and in which account.

use axum::http::Method;
use serde_json::Value;

use super::{client::Client, error::ManageError, show};
use crate::args::manage::Target;

/// Whom to ask, and in which account.
pub(super) struct Asker<'a> {
    pub(super) client: Client,
    pub(super) target: &'a Target,
}

impl Asker<'_> {
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ManageError> {
        self.client.ask(method, path, body).await
    }

    /// A list to its end, through all of its pages.
    pub(super) async fn all(&self, path: &str) -> Result<Vec<Value>, ManageError> {
        let mut all = Vec::new();
        for page in 1_u32.. {
            let path = format!("{path}?per_page=1000&page={page}");
            let Value::Array(some) = self.ask(Method::GET, &path, None).await? else { break };
            let is_last = some.len() < 1000;
            all.extend(some);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// The path of the account that is meant: the one that was named, or the only one.
    pub(super) async fn account(&self) -> Result<String, ManageError> {
        let all = self.all("/accounts").await?;
        let named = self.target.account.as_deref();
        let found = match (named, all.as_slice()) {
            (Some(name), all) => all.iter().find(|it| it["id"] == name || it["name"] == name),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let names =
            || all.iter().filter_map(|it| it["name"].as_str()).collect::<Vec<_>>().join(", ");
        let id = found.and_then(|account| account["id"].as_str()).ok_or_else(|| {
            let message = match named {
                Some(name) => format!("there is no account {name:?}; there is {}", names()),
                None => format!("there are several accounts; choose with --account: {}", names()),
            };
            ManageError::Given(message)
        })?;
        Ok(format!("/accounts/{id}"))
    }

    /// Refuses what the store beside us does not know.
    pub(super) fn needs_nodes(&self, what: &str) -> Result<(), ManageError> {
        if !self.client.is_beside() {
            return Ok(());
        }
        Err(ManageError::Given(format!(
            "only a control node that runs {what}; `jumpgate login URL` once, or give --api-url and --api-token"
        )))
    }

    /// What to print of an answer: itself, or what a person reads.
    pub(super) fn shown(&self, answer: &Value, words: impl FnOnce(&Value) -> String) -> String {
        if self.target.json { show::json(answer) } else { words(answer) }
    }
}

/// A name as one part of a path.
pub(super) fn segment(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}
