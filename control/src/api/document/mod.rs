//! `/openapi.json`: the API for machines that read, test or speak it.
//!
//! * `operations`: each route, in one line of a table (`operation`).
//! * `schemas.json`: what is sent and what is answered.
//!
//! What all routes have in common, the envelope and the refusals, is said here once.

mod operation;
mod operations;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use self::{
    operation::{Answer, Operation},
    operations::GROUPS,
};
use super::{BASE, envelope::answer};

pub(super) static DOCUMENT: LazyLock<Value> = LazyLock::new(document);
const SCHEMAS: &str = include_str!("schemas.json");
/// By which each route can refuse.
const REFUSALS: [(&str, &str); 7] = [
    ("400", "What was sent breaks a rule; the message says which, and what to do."),
    ("401", "The token is missing, wrong or expired."),
    ("403", "The token may not do this, or not in this account."),
    ("404", "There is no such thing."),
    ("413", "The body is too large."),
    ("429", "Too many wrong tokens came from this address."),
    ("503", "The store cannot be used now."),
];

/// Tells the document to anybody: it holds nothing that is not in the source.
pub(super) async fn shown() -> Response {
    let mut response = answer(StatusCode::OK, &DOCUMENT);
    response.headers_mut().remove(header::CACHE_CONTROL);
    response.into_response()
}

fn document() -> Value {
    // A test reads it.
    let schemas: Value = serde_json::from_str(SCHEMAS).unwrap_or_default();
    let mut paths = Map::new();
    for (tag, prefix, operations) in GROUPS {
        for operation in *operations {
            let path = paths.entry(format!("{prefix}{}", operation.path));
            let path = path.or_insert_with(|| json!({}));
            path[operation.method] = operation.shown(tag, prefix, &schemas);
        }
    }
    let error = json!({ "schema": reference("Error") });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Jumpgate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What a control node answers. Where a path has an {id}, a name serves as well. Bodies are JSON, \
                whatever their type says.",
        },
        "servers": [{ "url": BASE }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": REFUSALS.iter().chain(&[("409", "Another has this name.")]).map(|(status, why)| {
                let said = json!({ "description": why, "content": { "application/json": error } });
                (format!("Refused{status}"), said)
            }).collect::<Map<_, _>>(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the API, also as X-Auth-Key; x-scope says how much it must be for.",
                },
            },
        },
    })
}

impl Operation {
    fn shown(&self, tag: &str, prefix: &str, schemas: &Value) -> Value {
        let path = format!("{prefix}{}", self.path);
        let names = path.split(['{', '}']).skip(1).step_by(2);
        let of_path = names.map(|name| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        });
        let pages: &[&str] =
            if matches!(self.answer, Answer::Page(_)) { &["page", "per_page"] } else { &[] };
        let of_query = self.filters.iter().chain(pages);
        let of_query =
            of_query.map(|name| json!({ "name": name, "in": "query", "schema": filter(name) }));
        let mut shown = json!({
            "tags": [tag],
            "operationId": format!("{}{}", self.method, path.replace(['/', '.'], "_").replace(['{', '}'], "")),
            "summary": self.summary,
            "parameters": of_path.chain(of_query).collect::<Vec<_>>(),
            "responses": self.responses(),
        });
        match self.scope {
            Some(scope) => shown["x-scope"] = json!(scope),
            None => shown["security"] = json!([]),
        }
        if let Some(body) = self.body {
            let needed = schemas[body]["required"].is_array();
            let content = json!({ "application/json": { "schema": reference(body) } });
            shown["requestBody"] = json!({ "required": needed, "content": content });
        }
        shown
    }

    fn responses(&self) -> Value {
        let done = match (self.scope, self.answer) {
            (None, _) => json!({ "type": "object" }),
            (_, Answer::Never | Answer::Nothing) => envelope(json!({ "type": "null" }), false),
            (_, Answer::One(schema)) => envelope(closed(schema), false),
            (_, Answer::All(schema)) => envelope(list(schema), false),
            (_, Answer::Page(schema)) => envelope(list(schema), true),
        };
        let done = json!({ "description": "Done.", "content": { "application/json": { "schema": done } } });
        let mut responses = Map::new();
        if !matches!(self.answer, Answer::Never) {
            responses.insert(String::from("200"), done);
        }
        let refusals = REFUSALS.iter().map(|(status, _)| *status);
        let refusals = refusals.filter(|_| self.scope.is_some());
        for status in refusals.chain(self.can_conflict.then_some("409")) {
            let refused = json!({ "$ref": format!("#/components/responses/Refused{status}") });
            responses.insert(status.to_owned(), refused);
        }
        Value::from(responses)
    }
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// What is answered has nothing that the document does not know.
fn closed(schema: &str) -> Value {
    let mut closed = reference(schema);
    closed["unevaluatedProperties"] = Value::Bool(false);
    closed
}

fn list(schema: &str) -> Value {
    json!({ "type": "array", "items": closed(schema) })
}

fn envelope(result: Value, is_page: bool) -> Value {
    let mut envelope = json!({
        "type": "object",
        "required": ["success", "errors", "messages", "result"],
        "properties": {
            "success": { "const": true },
            "errors": { "type": "array", "maxItems": 0 },
            "messages": { "type": "array", "maxItems": 0 },
            "result": result,
        },
        "additionalProperties": false,
    });
    if is_page {
        envelope["properties"]["result_info"] = reference("PageInfo");
        envelope["required"] = json!(["success", "errors", "messages", "result", "result_info"]);
    }
    envelope
}

/// What a word behind the `?` can be.
fn filter(name: &str) -> Value {
    match name {
        "page" => json!({ "type": "integer", "minimum": 1 }),
        "per_page" => {
            json!({ "type": "integer", "minimum": 1, "description": "1000 at most are given." })
        }
        "before" | "count" => json!({ "type": "integer", "minimum": 0 }),
        "statements" | "sessions" => json!({ "type": "integer", "minimum": 0, "maximum": 500 }),
        "period" => json!({ "enum": ["hour", "day", "week"] }),
        "is_deleted" | "cascade" | "ca" => json!({ "type": "boolean" }),
        "existed_at" | "was_active_at" | "was_inactive_at" => reference("Time"),
        "status" => json!({ "enum": ["inactive", "degraded", "healthy", "down"] }),
        _ => json!({ "type": "string" }),
    }
}
