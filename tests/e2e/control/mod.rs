//! The control plane, managed by tools that are not ours and by our own.

mod document;
mod sdks;
mod secrets;
mod stores;
mod tools;
mod wrangler;

use e2e::control::Control;
use serde_json::{Value, json};

/// The result of a request that is answered with 200.
async fn asked(control: &Control, method: &str, path: &str, body: Value) -> Value {
    let (status, answer) = control.ask(method, path, &body).await.unwrap();
    assert_eq!(status, 200, "{method} {path}: {answer}");
    answer["result"].clone()
}

fn config(name: &str) -> Value {
    json!({ "name": name, "origin": {
        "scheme": "postgres", "host": "db.test", "port": 5432,
        "database": "d", "user": "u", "password": "hunter2",
    } })
}
