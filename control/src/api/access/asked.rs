//! What is asked of a policy, by itself or within an application.

use serde::Deserialize;
use serde_json::{Value, json};

use super::rules::rules;
use crate::{
    api::{envelope::ApiError, user::check_name},
    moment::Moment,
    plane::World,
    resources::{DENY, Policy, SERVICE_AUTH},
};

/// The body of a request, or a part of one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    /// Of one that is there.
    pub(super) id: Option<String>,
    /// Its place among the policies of its application.
    pub(super) precedence: Option<u32>,
    name: Option<String>,
    decision: Option<String>,
    include: Option<Vec<Value>>,
    require: Option<Vec<Value>>,
    exclude: Option<Vec<Value>>,
    session_duration: Option<String>,
    approval_required: Option<bool>,
    isolation_required: Option<bool>,
    purpose_justification_required: Option<bool>,
}

impl Asked {
    /// Whether it says more than which policy is meant.
    pub(super) const fn has_definition(&self) -> bool {
        self.decision.is_some() || self.include.is_some()
    }

    /// A new policy.
    pub(super) fn policy(
        &self,
        world: &World,
        (account, id): (&str, String),
        is_reusable: bool,
        now: Moment,
    ) -> Result<Policy, ApiError> {
        let nothing = Policy {
            id,
            account: account.to_owned(),
            name: String::new(),
            decision: String::new(),
            include: Vec::new(),
            require: Vec::new(),
            exclude: Vec::new(),
            session_duration: None,
            is_reusable,
            created_at: now,
            updated_at: now,
        };
        self.over(world, &nothing, now)
    }

    /// What it makes of a policy, as a whole.
    pub(super) fn over(
        &self,
        world: &World,
        before: &Policy,
        now: Moment,
    ) -> Result<Policy, ApiError> {
        let name = self.name.clone().ok_or_else(|| missing("name"))?;
        check_name(&name)?;
        let decision = self.decision.clone().ok_or_else(|| missing("decision"))?;
        check_decision(&decision)?;
        let people = [
            ("approval_required", self.approval_required),
            ("isolation_required", self.isolation_required),
            ("purpose_justification_required", self.purpose_justification_required),
        ];
        if let Some((key, _)) = people.iter().find(|(_, asked)| *asked == Some(true)) {
            let message =
                format!("{key} needs a person at a browser, which no client here is; leave it out");
            return Err(ApiError::invalid(message));
        }
        let rules = |part: &str, asked: &Option<Vec<Value>>| {
            rules(world, &before.account, part, asked.as_deref())
        };
        let policy = Policy {
            name,
            decision,
            include: rules("include", &self.include)?,
            require: rules("require", &self.require)?,
            exclude: rules("exclude", &self.exclude)?,
            session_duration: self.session_duration.clone(),
            updated_at: now,
            ..before.clone()
        };
        if policy.include.is_empty() {
            return Err(missing("include"));
        }
        Ok(policy)
    }
}

fn missing(key: &str) -> ApiError {
    ApiError::invalid(format!("{key} is missing: add {key:?} to the policy"))
}

fn check_decision(decision: &str) -> Result<(), ApiError> {
    let why = match decision {
        SERVICE_AUTH | DENY => return Ok(()),
        "allow" => "needs people who log in, which nobody can here",
        "bypass" => "would let everybody pass, and an edge here lets nobody pass without a token",
        _ => "is none",
    };
    let message = format!(
        "the decision {decision:?} {why}; \"non_identity\" (Service Auth) lets service tokens pass, \"deny\" nobody"
    );
    Err(ApiError::invalid(message))
}

/// A policy as it is shown.
pub(super) fn shown(world: &World, policy: &Policy) -> Value {
    let uses = world.applications.iter().filter(|app| app.policies.contains(&policy.id));
    json!({
        "id": policy.id,
        "name": policy.name,
        "decision": policy.decision,
        "include": policy.include,
        "exclude": policy.exclude,
        "require": policy.require,
        "reusable": policy.is_reusable,
        "app_count": uses.count(),
        "session_duration": policy.session_duration,
        "approval_required": false,
        "isolation_required": false,
        "purpose_justification_required": false,
        "created_at": policy.created_at,
        "updated_at": policy.updated_at,
    })
}
