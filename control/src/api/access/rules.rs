//! What policies can say here: service tokens, and nothing about people.

use serde_json::Value;

use crate::{api::envelope::ApiError, plane::World, resources::Rule};

/// The rules of one part of a policy, of which each must be one that an edge can decide.
///
/// # Errors
///
/// Which one is not, and why.
pub(super) fn rules(
    world: &World,
    account: &str,
    part: &str,
    asked: Option<&[Value]>,
) -> Result<Vec<Rule>, ApiError> {
    let rules = asked.unwrap_or_default().iter().enumerate();
    rules.map(|(number, asked)| rule(world, account, &format!("{part}.{number}"), asked)).collect()
}

fn rule(world: &World, account: &str, at: &str, asked: &Value) -> Result<Rule, ApiError> {
    // The provider of Terraform sends every kind, and null for those that are not meant.
    let kinds = asked.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let [(kind, value)] = &kinds.collect::<Vec<_>>()[..] else {
        let message = format!(
            "{at}: a rule must be an object with one key, such as {{\"service_token\": {{\"token_id\": \"…\"}}}}"
        );
        return Err(ApiError::invalid(message));
    };
    match kind.as_str() {
        "any_valid_service_token" => Ok(Rule::AnyValidServiceToken {}),
        "service_token" => {
            let id = value["token_id"].as_str().ok_or_else(|| {
                ApiError::invalid(format!("{at}.service_token.token_id is missing: add it"))
            })?;
            let found = world.service_tokens.get(id).filter(|token| token.account == account);
            match found {
                Some(token) => Ok(Rule::ServiceToken { token_id: token.id.clone() }),
                None => Err(ApiError::invalid(format!("{at}: there is no service token {id:?}"))),
            }
        }
        other => Err(ApiError::invalid(format!(
            "{at}: the rule {other:?} is about people or devices, which an edge here knows nothing of; only service_token and \
             any_valid_service_token are possible"
        ))),
    }
}
