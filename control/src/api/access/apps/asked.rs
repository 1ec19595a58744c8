//! What is asked of an application.

use axum::http::HeaderName;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::place::Place;
use crate::{
    api::{body::Field, envelope::ApiError, user::check_name},
    moment::Moment,
    resources::Application,
};

/// The body of a request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    r#type: Option<String>,
    name: Option<String>,
    domain: Option<String>,
    self_hosted_domains: Option<Vec<String>>,
    destinations: Option<Vec<Destination>>,
    session_duration: Option<String>,
    service_auth_401_redirect: Option<bool>,
    read_service_tokens_from_header: Option<String>,
    policies: Field<Vec<Value>>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Destination {
    r#type: Option<String>,
    uri: Option<String>,
}

impl Asked {
    /// The policies that it is to have; none where they stay as they are.
    pub(super) fn policies(&self) -> Option<&[Value]> {
        match &self.policies {
            Field::Absent => None,
            Field::Null => Some(&[]),
            Field::Value(policies) => Some(policies),
        }
    }

    /// What it makes of an application, as a whole but for its policies.
    pub(super) fn over(&self, before: &Application, now: Moment) -> Result<Application, ApiError> {
        if let Some(kind) = self.r#type.as_deref().filter(|kind| *kind != "self_hosted") {
            let message = format!(
                "type {kind:?} is not possible here; \"self_hosted\" guards a hostname that leads to a tunnel"
            );
            return Err(ApiError::invalid(message));
        }
        let place = self.place()?;
        let name = self.name.clone().filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| place.to_string());
        check_name(&name)?;
        let header = self.read_service_tokens_from_header.clone().filter(|it| !it.is_empty());
        let is_header = |name: &String| {
            name.len() <= HEADER_MAX && HeaderName::from_bytes(name.as_bytes()).is_ok()
        };
        if !header.as_ref().is_none_or(is_header) {
            let message = "read_service_tokens_from_header must be the name of a header";
            return Err(ApiError::invalid(message));
        }
        let others = self
            .others
            .iter()
            .filter(|(key, value)| TOLD_BACK.contains(&key.as_str()) && !value.is_null());
        let others = others.map(|(key, value)| (key.clone(), value.clone())).collect();
        let session = self.session_duration.clone();
        Ok(Application {
            name,
            hostname: place.hostname,
            path: place.path,
            service_auth_401: self.service_auth_401_redirect.unwrap_or_default(),
            token_header: header,
            session_duration: session.unwrap_or_else(|| before.session_duration.clone()),
            others,
            updated_at: now,
            ..before.clone()
        })
    }

    /// The one place that it guards, by whichever name it is given.
    fn place(&self) -> Result<Place, ApiError> {
        let domain = self.domain.iter().map(String::as_str);
        let domains = self.self_hosted_domains.iter().flatten().map(String::as_str);
        let mut places = Vec::new();
        for text in domain.chain(domains).filter(|text| !text.is_empty()) {
            places.push(text);
        }
        for destination in self.destinations.iter().flatten() {
            match (destination.r#type.as_deref(), destination.uri.as_deref()) {
                (None | Some("public"), Some(uri)) => places.push(uri),
                _ => {
                    let message = "destinations: only {\"type\": \"public\", \"uri\": \"…\"} is possible here";
                    return Err(ApiError::invalid(message));
                }
            }
        }
        let mut found: Option<Place> = None;
        for text in places {
            let place = Place::read(text)
                .map_err(|why| ApiError::invalid(format!("domain: {text:?} {why}")))?;
            if found.as_ref().is_some_and(|found| *found != place) {
                let message = "an application guards one place here; make one for each domain";
                return Err(ApiError::invalid(message));
            }
            found = Some(place);
        }
        found.ok_or_else(|| {
            ApiError::invalid("domain is missing: add \"domain\": \"db.example.com\"")
        })
    }
}

const HEADER_MAX: usize = 128;
/// What concerns logins and browsers. It is told back, so that tools which compare find what they have put.
const TOLD_BACK: [&str; 19] = [
    "allow_authenticate_via_warp",
    "allow_iframe",
    "allowed_idps",
    "app_launcher_visible",
    "auto_redirect_to_identity",
    "cors_headers",
    "custom_deny_message",
    "custom_deny_url",
    "custom_non_identity_deny_url",
    "custom_pages",
    "eager_redirect_cookie_setting",
    "enable_binding_cookie",
    "http_only_cookie_attribute",
    "logo_url",
    "options_preflight_bypass",
    "path_cookie_attribute",
    "same_site_cookie_attribute",
    "skip_interstitial",
    "tags",
];
