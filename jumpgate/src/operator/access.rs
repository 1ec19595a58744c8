//! `jumpgate access`: service tokens, policies, applications.

use serde::Serialize;
use tunnel::{
    access::ServiceToken,
    changes::{ApplicationChange, NewApplication, PolicyChange, Selector},
    state::{Application, Policy, Rule, State, TokenRecord},
    store::Store,
};

use super::{
    error::OperatorError,
    show::{json, moment, now},
};
use crate::{
    args::edge::{
        AccessAction, AppAction, AppUpdate, NewApp, PolicyAction, PolicyUpdate, Selectors,
        TokenAction, Validity,
    },
    report::table,
};

pub(super) fn run(
    store: &Store,
    action: &AccessAction,
    as_json: bool,
) -> Result<String, OperatorError> {
    match action {
        AccessAction::Token(action) => token(store, action, as_json),
        AccessAction::Policy(action) => policy(store, action, as_json),
        AccessAction::App(action) => app(store, action, as_json),
    }
}

fn token(store: &Store, action: &TokenAction, as_json: bool) -> Result<String, OperatorError> {
    Ok(match action {
        TokenAction::Create { name, duration } => {
            let duration = match duration {
                Validity::For(duration) => Some(*duration),
                Validity::Forever => None,
            };
            let token = store.change(|state| state.create_token(name, duration, now()))?;
            shown(name, &token)
        }
        TokenAction::Rotate { name, overlap } => {
            let token = store.change(|state| state.rotate_token(name, *overlap, now()))?;
            let hours = overlap.as_secs() / 3600;
            format!("{}\n\nThe old secret stays valid for {hours} h.", shown(name, &token))
        }
        TokenAction::List if !as_json => tokens(&store.read()?),
        TokenAction::List => tokens_json(&store.read()?)?,
        TokenAction::Revoke { name } => {
            store.change(|state| state.revoke_token(name))?;
            format!(
                "The service token {name} is gone; what was opened with it ends within a second."
            )
        }
    })
}

/// Both halves of a token, and where they go.
fn shown(name: &str, token: &ServiceToken) -> String {
    format!(
        "The service token {name}. Its secret is not shown again:\n\
         \n\
         access_client_id = \"{id}\"\n\
         access_client_secret = \"{secret}\"\n\
         \n\
         They go into [database.origin] of the proxy's jumpgate.toml, the secret better into a file of its own\n\
         (access_client_secret_file).",
        id = token.id(),
        secret = *token.to_secret_text(),
    )
}

fn tokens(state: &State) -> String {
    if state.service_tokens.is_empty() {
        return String::from("There is no service token yet: jumpgate access token create NAME");
    }
    let head = ["NAME", "CLIENT ID", "VALID UNTIL", "SECRET"].map(String::from).to_vec();
    let rows = state.service_tokens.iter().map(|token| {
        let until = token.expires_at.map_or_else(|| String::from("forever"), moment);
        let is_over = token.expires_at.is_some_and(|end| end <= now());
        let until = if is_over { format!("{until} (expired)") } else { until };
        vec![token.name.clone(), token.client_id.clone(), until, version(token)]
    });
    table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

fn version(token: &TokenRecord) -> String {
    let number = token.secret_version;
    match &token.previous {
        Some(previous) if previous.expires_at > now() => {
            format!("no. {number}, the one before until {}", moment(previous.expires_at))
        }
        Some(_) | None => format!("no. {number}"),
    }
}

fn policy(store: &Store, action: &PolicyAction, as_json: bool) -> Result<String, OperatorError> {
    Ok(match action {
        PolicyAction::Create { name, include, require, exclude } => {
            store.change(|state| state.create_policy(name, [include, require, exclude]))?;
            format!(
                "The policy {name} is there: jumpgate access app create HOSTNAME --policy {name}"
            )
        }
        PolicyAction::Update(update) => {
            let PolicyUpdate { name, .. } = update;
            store.change(|state| state.update_policy(name, &policy_change(update)))?;
            format!(
                "The policy {name} is changed; who passes no more loses its streams within a second."
            )
        }
        PolicyAction::List if !as_json => policies(&store.read()?),
        PolicyAction::List => policies_json(&store.read()?)?,
        PolicyAction::Delete { name } => {
            store.change(|state| state.delete_policy(name))?;
            format!("The policy {name} is gone.")
        }
    })
}

fn policies(state: &State) -> String {
    if state.policies.is_empty() {
        return String::from(
            "There is no policy yet: jumpgate access policy create NAME --include any",
        );
    }
    let head = ["NAME", "INCLUDE", "REQUIRE", "EXCLUDE"].map(String::from).to_vec();
    let rows = state.policies.iter().map(|policy| {
        let rules = |rules: &[Rule]| rules_shown(state, rules);
        let Policy { name, include, require, exclude, .. } = policy;
        vec![name.clone(), rules(include), rules(require), rules(exclude)]
    });
    table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

fn rules_shown(state: &State, rules: &[Rule]) -> String {
    rule_words(state, rules).join(", ")
}

fn rule_words(state: &State, rules: &[Rule]) -> Vec<String> {
    let shown = |rule: &Rule| match rule {
        Rule::AnyValidServiceToken {} => String::from("any"),
        Rule::ServiceToken { token_id } => {
            let known = state.service_tokens.iter().find(|token| token.id == *token_id);
            known.map_or_else(
                || String::from("a revoked token"),
                |token| format!("token:{}", token.name),
            )
        }
    };
    rules.iter().map(shown).collect()
}

fn policy_change(update: &PolicyUpdate) -> PolicyChange {
    let given = |rules: &[Selectors]| {
        let rules: Vec<_> = rules.iter().map(|Selectors(rule)| rule.clone()).collect();
        // `none` among others adds nothing.
        (!rules.is_empty()).then(|| rules.into_iter().flatten().collect())
    };
    PolicyChange {
        include: (!update.include.is_empty()).then(|| update.include.clone()),
        require: given(&update.require),
        exclude: given(&update.exclude),
    }
}

fn app_change(update: &AppUpdate) -> ApplicationChange {
    let AppUpdate { tokens, any_token, policy, service_auth_401, token_header, .. } = update;
    let any = any_token.then_some(Selector::AnyToken);
    let include: Vec<_> = tokens.iter().cloned().map(Selector::Token).chain(any).collect();
    let says_who = !include.is_empty() || !policy.is_empty();
    let header = token_header.as_ref();
    ApplicationChange {
        passes: says_who.then(|| (policy.clone(), include)),
        service_auth_401: *service_auth_401,
        token_header: header.map(|header| Some(header.clone()).filter(|name| !name.is_empty())),
    }
}

fn app(store: &Store, action: &AppAction, as_json: bool) -> Result<String, OperatorError> {
    Ok(match action {
        AppAction::Create(new) => {
            let application = application(new);
            store.change(|state| state.create_application(&application))?;
            let state = store.read()?;
            let hostname = &new.hostname;
            let mut text = format!("{hostname}{} is guarded.", new.path);
            if !state.routes.iter().any(|route| route.hostname.eq_ignore_ascii_case(hostname)) {
                text.push_str(&format!(
                    "\nIt leads nowhere yet: jumpgate tunnel route NAME {hostname} --service tcp://HOST:PORT"
                ));
            }
            text
        }
        AppAction::Update(update) => {
            let AppUpdate { name, .. } = update;
            store.change(|state| state.update_application(name, &app_change(update)))?;
            format!("{name} is changed; who passes no more loses its streams within a second.")
        }
        AppAction::List if !as_json => apps(&store.read()?),
        AppAction::List => apps_json(&store.read()?)?,
        AppAction::Delete { name } => {
            store.change(|state| state.delete_application(name))?;
            format!("The application {name} is gone; its hostname lets nobody pass now.")
        }
    })
}

fn application(new: &NewApp) -> NewApplication {
    let any = new.any_token.then_some(Selector::AnyToken);
    NewApplication {
        hostname: new.hostname.clone(),
        path: new.path.clone(),
        policies: new.policy.clone(),
        include: new.tokens.iter().cloned().map(Selector::Token).chain(any).collect(),
        service_auth_401: new.service_auth_401,
        token_header: new.token_header.clone(),
    }
}

fn apps(state: &State) -> String {
    if state.applications.is_empty() {
        let words = "There is no application yet: jumpgate access app create HOSTNAME --token NAME";
        return String::from(words);
    }
    let head = ["NAME", "POLICIES", "LETS PASS", "AUDIENCE"].map(String::from).to_vec();
    let rows = state.applications.iter().map(|app| {
        let policies: Vec<_> =
            state.policies.iter().filter(|policy| app.policies.contains(&policy.id)).collect();
        let names: Vec<_> = policies.iter().map(|policy| policy.name.clone()).collect();
        let pass: Vec<_> =
            policies.iter().map(|policy| rules_shown(state, &policy.include)).collect();
        vec![app.name.clone(), names.join(", "), pass.join("; "), app.aud.clone()]
    });
    table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

#[derive(Serialize)]
struct TokenJson<'a> {
    name: &'a str,
    client_id: &'a str,
    created_at: u64,
    expires_at: Option<u64>,
    secret_version: u32,
    previous_secret_valid_until: Option<u64>,
}

fn tokens_json(state: &State) -> Result<String, OperatorError> {
    json(&state.service_tokens.iter().map(token_json).collect::<Vec<_>>())
}

fn token_json(token: &TokenRecord) -> TokenJson<'_> {
    let previous = token.previous.as_ref().map(|previous| previous.expires_at);
    TokenJson {
        name: &token.name,
        client_id: &token.client_id,
        created_at: token.created_at,
        expires_at: token.expires_at,
        secret_version: token.secret_version,
        previous_secret_valid_until: previous.filter(|end| *end > now()),
    }
}

#[derive(Serialize)]
struct PolicyJson<'a> {
    name: &'a str,
    id: String,
    include: Vec<String>,
    require: Vec<String>,
    exclude: Vec<String>,
}

fn policies_json(state: &State) -> Result<String, OperatorError> {
    json(&state.policies.iter().map(|policy| policy_json(state, policy)).collect::<Vec<_>>())
}

fn policy_json<'a>(state: &State, policy: &'a Policy) -> PolicyJson<'a> {
    let Policy { name, id, include, require, exclude } = policy;
    let [include, require, exclude] =
        [include, require, exclude].map(|rules| rule_words(state, rules));
    PolicyJson { name, id: id.to_string(), include, require, exclude }
}

#[derive(Serialize)]
struct AppJson<'a> {
    name: &'a str,
    id: String,
    hostname: &'a str,
    path: &'a str,
    aud: &'a str,
    policies: Vec<&'a str>,
    service_auth_401: bool,
    token_header: Option<&'a str>,
}

fn apps_json(state: &State) -> Result<String, OperatorError> {
    json(&state.applications.iter().map(|app| app_json(state, app)).collect::<Vec<_>>())
}

fn app_json<'a>(state: &'a State, app: &'a Application) -> AppJson<'a> {
    let policies = state.policies.iter().filter(|policy| app.policies.contains(&policy.id));
    AppJson {
        name: &app.name,
        id: app.id.to_string(),
        hostname: &app.domain,
        path: &app.path,
        aud: &app.aud,
        policies: policies.map(|policy| &*policy.name).collect(),
        service_auth_401: app.service_auth_401,
        token_header: app.token_header.as_deref(),
    }
}
