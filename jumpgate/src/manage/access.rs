//! `jumpgate access` through a control plane: service tokens, policies, applications.

use axum::http::Method;
use serde_json::{Map, Value, json};
use tunnel::changes::Selector;

use super::{
    asker::{Asker, segment},
    error::ManageError,
    show,
};
use crate::args::edge::{
    AccessAction, AppAction, AppUpdate, NewApp, PolicyAction, PolicyUpdate, Selectors, TokenAction,
    Validity,
};

pub(super) async fn run(asker: &Asker<'_>, action: &AccessAction) -> Result<String, ManageError> {
    let access = Access { asker, path: format!("{}/access", asker.account().await?) };
    match action {
        AccessAction::Token(action) => access.token(action).await,
        AccessAction::Policy(action) => access.policy(action).await,
        AccessAction::App(action) => access.app(action).await,
    }
}

/// What is asked below the account's `/access`.
struct Access<'a> {
    asker: &'a Asker<'a>,
    path: String,
}

impl Access<'_> {
    fn every(&self, kind: &str) -> String {
        format!("{}/{kind}", self.path)
    }

    fn one(&self, kind: &str, name: &str) -> String {
        format!("{}/{}", self.every(kind), segment(name))
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, ManageError> {
        self.asker.ask(method, path, Some(body).filter(|body| !body.is_null())).await
    }

    async fn all(&self, kind: &str) -> Result<Vec<Value>, ManageError> {
        self.asker.all(&self.every(kind)).await
    }

    fn listed(&self, all: &[Value], columns: &[(&str, &str)], rows: &[Value]) -> String {
        self.asker.shown(&Value::from(all.to_vec()), |_| show::table(columns, rows))
    }

    async fn token(&self, action: &TokenAction) -> Result<String, ManageError> {
        let kind = "service_tokens";
        match action {
            TokenAction::Create { name, duration } => {
                let lasts = match duration {
                    Validity::For(duration) => format!("{}s", duration.as_secs()),
                    Validity::Forever => String::from("forever"),
                };
                let asked = json!({ "name": name, "duration": lasts });
                let made = self.ask(Method::POST, &self.every(kind), &asked).await?;
                Ok(self.asker.shown(&made, |made| told(name, made)))
            }
            TokenAction::Rotate { name, overlap } => {
                let path = format!("{}/rotate", self.one(kind, name));
                let asked = json!({ "overlap": overlap.as_secs() });
                let rotated = self.ask(Method::POST, &path, &asked).await?;
                let hours = overlap.as_secs() / 3600;
                let end = format!("\n\nThe old secret stays valid for {hours} h.");
                Ok(self.asker.shown(&rotated, |rotated| told(name, rotated) + &end))
            }
            TokenAction::List => {
                let all = self.all(kind).await?;
                let columns = [
                    ("NAME", "name"),
                    ("CLIENT ID", "client_id"),
                    ("VALID UNTIL", "expires_at"),
                    ("ENABLED", "enabled"),
                    ("SECRET NO.", "client_secret_version"),
                    ("THE ONE BEFORE UNTIL", "previous_client_secret_expires_at"),
                ];
                let rows = all.iter().map(|it| {
                    show::with(it, "expires_at", |end| match end {
                        Value::Null => String::from("forever"),
                        end => end.as_str().map(show::moment).unwrap_or_default(),
                    })
                });
                Ok(self.listed(&all, &columns, &rows.collect::<Vec<_>>()))
            }
            TokenAction::Revoke { name } => {
                let gone = self.ask(Method::DELETE, &self.one(kind, name), &Value::Null).await?;
                Ok(self.asker.shown(&gone, |_| {
                    format!(
                        "The service token {name} is gone; what was opened with it ends within a second."
                    )
                }))
            }
        }
    }

    /// Rules as the API writes them, which names tokens by their ids.
    async fn rules<'s>(
        &self,
        rules: impl IntoIterator<Item = &'s Selector>,
    ) -> Result<Value, ManageError> {
        let mut rules = rules.into_iter().peekable();
        if rules.peek().is_none() {
            return Ok(json!([]));
        }
        let tokens = self.all("service_tokens").await?;
        let written = rules.map(|rule| match rule {
            Selector::AnyToken => Ok(json!({ "any_valid_service_token": {} })),
            Selector::Token(name) => {
                let id = show::id_of(&tokens, "service token", name)?;
                Ok(json!({ "service_token": { "token_id": id } }))
            }
        });
        written.collect::<Result<Vec<_>, ManageError>>().map(Value::from)
    }

    async fn policy(&self, action: &PolicyAction) -> Result<String, ManageError> {
        let kind = "policies";
        match action {
            PolicyAction::Create { name, include, require, exclude } => {
                let asked = json!({
                    "name": name,
                    "decision": "non_identity",
                    "include": self.rules(include).await?,
                    "require": self.rules(require).await?,
                    "exclude": self.rules(exclude).await?,
                });
                let made = self.ask(Method::POST, &self.every(kind), &asked).await?;
                Ok(self.asker.shown(&made, |_| {
                    format!(
                        "The policy {name} is there: jumpgate access app create HOSTNAME --policy {name}"
                    )
                }))
            }
            PolicyAction::Update(PolicyUpdate { name, include, require, exclude }) => {
                let path = self.one(kind, name);
                let mut policy = self.ask(Method::GET, &path, &Value::Null).await?;
                let plain = |all: &[Selectors]| all.iter().filter_map(|it| it.0.clone()).collect();
                let given: [(&str, bool, Vec<Selector>); 3] = [
                    ("include", !include.is_empty(), include.clone()),
                    ("require", !require.is_empty(), plain(require)),
                    ("exclude", !exclude.is_empty(), plain(exclude)),
                ];
                for (part, is_given, rules) in given {
                    if is_given {
                        policy[part] = self.rules(&rules).await?;
                    }
                }
                let changed = self.ask(Method::PUT, &path, &policy).await?;
                Ok(self.asker.shown(&changed, |_| {
                    format!(
                        "The policy {name} is changed; who passes no more loses its streams within a second."
                    )
                }))
            }
            PolicyAction::List => {
                let (all, tokens) = (self.all(kind).await?, self.all("service_tokens").await?);
                let rows = all.iter().map(|policy| {
                    let words = |rules: &Value| show::rules(rules, &tokens);
                    let policy = show::with(policy, "include", words);
                    let policy = show::with(&policy, "require", words);
                    show::with(&policy, "exclude", words)
                });
                let columns = [
                    ("NAME", "name"),
                    ("DECISION", "decision"),
                    ("INCLUDE", "include"),
                    ("REQUIRE", "require"),
                    ("EXCLUDE", "exclude"),
                    ("APPLICATIONS", "app_count"),
                ];
                Ok(self.listed(&all, &columns, &rows.collect::<Vec<_>>()))
            }
            PolicyAction::Delete { name } => {
                let gone = self.ask(Method::DELETE, &self.one(kind, name), &Value::Null).await?;
                Ok(self.asker.shown(&gone, |_| format!("The policy {name} is gone.")))
            }
        }
    }

    async fn app(&self, action: &AppAction) -> Result<String, ManageError> {
        let kind = "apps";
        match action {
            AppAction::Create(new) => {
                let NewApp { hostname, path, tokens, any_token, policy, .. } = new;
                let place = format!("{hostname}{path}");
                let asked = json!({
                    "type": "self_hosted",
                    "name": place,
                    "domain": place,
                    "policies": self.policies(&place, policy, tokens, *any_token).await?,
                    "service_auth_401_redirect": new.service_auth_401,
                    "read_service_tokens_from_header": new.token_header,
                });
                let made = self.ask(Method::POST, &self.every(kind), &asked).await?;
                Ok(self.asker.shown(&made, |_| format!("{place} is guarded.")))
            }
            AppAction::Update(update) => {
                let AppUpdate { name, tokens, any_token, policy, .. } = update;
                let path = self.one(kind, name);
                let mut app = self.ask(Method::GET, &path, &Value::Null).await?;
                let changes = app.as_object_mut().ok_or(ManageError::NoApi { status: 200 })?;
                // Left out, they stay.
                changes.remove("policies");
                if *any_token || !tokens.is_empty() || !policy.is_empty() {
                    let policies = self.policies(name, policy, tokens, *any_token).await?;
                    changes.insert(String::from("policies"), policies);
                }
                changes.extend(flags(update));
                let changed = self.ask(Method::PUT, &path, &app).await?;
                Ok(self.asker.shown(&changed, |_| {
                    format!(
                        "{name} is changed; who passes no more loses its streams within a second."
                    )
                }))
            }
            AppAction::List => {
                let (all, tokens) = (self.all(kind).await?, self.all("service_tokens").await?);
                let rows = all.iter().map(|app| {
                    let policies = app["policies"].as_array().map_or(&[][..], Vec::as_slice);
                    let pass = policies.iter().map(|it| show::rules(&it["include"], &tokens));
                    let mut row = app.clone();
                    row["pass"] = Value::from(pass.collect::<Vec<_>>().join("; "));
                    let names = policies.iter().map(|it| show::cell(it, "name"));
                    row["names"] = Value::from(names.collect::<Vec<_>>().join(", "));
                    row
                });
                let columns = [
                    ("NAME", "name"),
                    ("GUARDS", "domain"),
                    ("POLICIES", "names"),
                    ("LETS PASS", "pass"),
                    ("AUDIENCE", "aud"),
                ];
                Ok(self.listed(&all, &columns, &rows.collect::<Vec<_>>()))
            }
            AppAction::Delete { name } => {
                let gone = self.ask(Method::DELETE, &self.one(kind, name), &Value::Null).await?;
                Ok(self.asker.shown(&gone, |_| {
                    format!("The application {name} is gone; its hostname lets nobody pass now.")
                }))
            }
        }
    }

    /// Those that are named, and one of the application's own where tokens are.
    async fn policies(
        &self,
        name: &str,
        policies: &[String],
        tokens: &[String],
        any_token: bool,
    ) -> Result<Value, ManageError> {
        let known = if policies.is_empty() { Vec::new() } else { self.all("policies").await? };
        let named = policies.iter().map(|name| show::id_of(&known, "policy", name));
        let mut all = named.map(|id| id.map(Value::from)).collect::<Result<Vec<_>, _>>()?;
        let own = tokens.iter().cloned().map(Selector::Token);
        let own: Vec<_> = own.chain(any_token.then_some(Selector::AnyToken)).collect();
        if !own.is_empty() {
            let include = self.rules(&own).await?;
            all.push(json!({ "name": name, "decision": "non_identity", "include": include }));
        }
        Ok(Value::from(all))
    }
}

/// What an update says of an application, besides its policies.
fn flags(update: &AppUpdate) -> Map<String, Value> {
    let mut flags = Map::new();
    if let Some(is_401) = update.service_auth_401 {
        flags.insert(String::from("service_auth_401_redirect"), json!(is_401));
    }
    if let Some(header) = &update.token_header {
        flags.insert(String::from("read_service_tokens_from_header"), json!(header));
    }
    flags
}

/// Both halves of a token, and where they go.
fn told(name: &str, token: &Value) -> String {
    format!(
        "The service token {name}. Its secret is not shown again:\n\
         \n\
         access_client_id = \"{id}\"\n\
         access_client_secret = \"{secret}\"\n\
         \n\
         A config takes them with --access-client-id and --access-client-secret.",
        id = show::cell(token, "client_id"),
        secret = show::cell(token, "client_secret"),
    )
}
