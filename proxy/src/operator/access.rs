//! `jumpgate access`: service tokens, policies, applications.

use tunnel::{
    access::ServiceToken,
    changes::{NewApplication, Selector},
    state::{Policy, Rule, State, TokenRecord},
    store::Store,
};

use super::{
    OperatorError,
    args::{AccessAction, AppAction, NewApp, PolicyAction, TokenAction, Validity},
    moment, now, table,
};

pub(super) fn run(store: &Store, action: &AccessAction) -> Result<String, OperatorError> {
    match action {
        AccessAction::Token(action) => token(store, action),
        AccessAction::Policy(action) => policy(store, action),
        AccessAction::App(action) => app(store, action),
    }
}

fn token(store: &Store, action: &TokenAction) -> Result<String, OperatorError> {
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
        TokenAction::List => tokens(&store.read()?),
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

fn policy(store: &Store, action: &PolicyAction) -> Result<String, OperatorError> {
    Ok(match action {
        PolicyAction::Create { name, include, require, exclude } => {
            store.change(|state| state.create_policy(name, [include, require, exclude]))?;
            format!(
                "The policy {name} is there: jumpgate access app create HOSTNAME --policy {name}"
            )
        }
        PolicyAction::List => policies(&store.read()?),
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
    rules.iter().map(shown).collect::<Vec<_>>().join(", ")
}

fn app(store: &Store, action: &AppAction) -> Result<String, OperatorError> {
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
        AppAction::List => apps(&store.read()?),
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
