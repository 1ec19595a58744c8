//! A config as it is shown: what was given, and no secret.

use serde_json::{Map, Value, json};

use crate::{
    draft::{CaptureDraft, RuleDraft},
    resources::Hyperdrive,
};

/// What was not given is left out, so that Terraform sees no difference.
pub(super) fn shown(config: &Hyperdrive) -> Value {
    let origin = &config.origin;
    let mut shown = object(&[
        ("scheme", json!(origin.scheme)),
        ("host", json!(origin.host)),
        ("port", json!(origin.port)),
        ("database", json!(origin.database)),
        ("user", json!(origin.user)),
        ("access_client_id", json!(origin.access_client_id)),
        ("compression", json!(origin.compression)),
        ("edge_address", json!(origin.edge_address)),
    ]);
    if let Some(pem) = &origin.edge_ca_certificate {
        let pem = String::from_utf8_lossy(pem);
        shown.insert(String::from("edge_ca_certificate"), json!(pem));
    }
    let caching = &config.caching;
    let caching = object(&[
        ("disabled", json!(caching.disabled.unwrap_or_default())),
        ("max_age", seconds(caching.max_age)),
        ("stale_while_revalidate", seconds(caching.stale_while_revalidate)),
        ("in_transactions", json!(caching.in_transactions)),
        ("clock_max_age", seconds(caching.clock_max_age)),
        ("writers", json!(caching.writers)),
        ("rules", rules(caching.rules.as_deref().unwrap_or_default())),
    ]);
    let mtls = object(&[
        ("ca_certificate_id", json!(config.ca_certificate_id)),
        ("mtls_certificate_id", json!(config.mtls_certificate_id)),
        ("sslmode", json!(config.sslmode)),
    ]);
    let mut pool = serde_json::to_value(&config.pool).unwrap_or_default();
    if let Some(pool) = pool.as_object_mut() {
        pool.remove("origin_connection_limit");
    }
    let is_usual = config.round_trips.is_usual();
    let round_trips = if is_usual { Value::Null } else { json!(config.round_trips) };
    let is_empty = |value: &Value| value.as_object().is_none_or(Map::is_empty);
    Value::from(object(&[
        ("id", json!(config.id)),
        ("name", json!(config.name)),
        ("origin", Value::from(shown)),
        ("caching", Value::from(caching)),
        ("mtls", if mtls.is_empty() { Value::Null } else { Value::from(mtls) }),
        ("origin_connection_limit", json!(config.pool.origin_connection_limit)),
        ("pool", if is_empty(&pool) { Value::Null } else { pool }),
        ("round_trips", round_trips),
        ("capture", config.capture.as_ref().map_or(Value::Null, capture)),
        ("created_on", json!(config.created_on)),
        ("modified_on", json!(config.modified_on)),
        ("restarted_on", json!(config.restarted_on)),
    ]))
}

fn capture(capture: &CaptureDraft) -> Value {
    Value::from(object(&[
        ("enabled", json!(capture.enabled.unwrap_or_default())),
        ("slot", json!(capture.slot)),
        ("publication", json!(capture.publication)),
        ("user", json!(capture.user)),
        ("max_lag", seconds(capture.max_lag)),
        ("until_changed", json!(capture.until_changed)),
    ]))
}

fn rules(rules: &[RuleDraft]) -> Value {
    let shown = |rule: &RuleDraft| {
        Value::from(object(&[
            ("tables", json!(rule.tables)),
            ("user", json!(rule.user)),
            ("never", json!(rule.never)),
            ("max_age", seconds(rule.max_age)),
            ("stale_while_revalidate", seconds(rule.stale_while_revalidate)),
            ("clock_max_age", seconds(rule.clock_max_age)),
        ]))
    };
    if rules.is_empty() { Value::Null } else { rules.iter().map(shown).collect() }
}

/// A whole number as one, since clients of the reference take no fraction.
fn seconds(value: Option<f64>) -> Value {
    let Some(value) = value else { return Value::Null };
    let text = value.to_string();
    text.parse::<u64>().map_or_else(|_has_fraction| json!(value), Value::from)
}

/// An object without what is null.
fn object(fields: &[(&str, Value)]) -> Map<String, Value> {
    let given = fields.iter().filter(|(_, value)| !value.is_null());
    given.map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}
