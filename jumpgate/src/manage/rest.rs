//! Credentials, certificates, tokens, nodes, the audit log.

use axum::http::Method;
use serde_json::{Value, json};

use super::{
    asker::{Asker, segment},
    configs::{one, text_of},
    error::ManageError,
    show,
};
use crate::args::manage::{Cert, Credentials, Scope, Token};

pub(super) async fn credentials(
    asker: &Asker<'_>,
    action: &Credentials,
) -> Result<String, ManageError> {
    let (Credentials::List { name, .. }
    | Credentials::Create { name, .. }
    | Credentials::Rotate { name, .. }
    | Credentials::Delete { name, .. }) = action;
    let all = format!("{}/credentials", one(asker, name).await?);
    let told = |answer: &Value| {
        format!(
            "The user {} of {name}. Its password is not shown again:\n  {}",
            show::cell(answer, "user"),
            show::cell(answer, "connection_string")
        )
    };
    match action {
        Credentials::List { .. } => {
            let users = asker.all(&all).await?;
            let columns = [
                ("USER", "user"),
                ("MAX CONNECTIONS", "max_connections"),
                ("MADE", "created_at"),
                ("OLD PASSWORD UNTIL", "previous_expires_at"),
            ];
            Ok(asker.shown(&Value::from(users.clone()), |_| show::table(&columns, &users)))
        }
        Credentials::Create { user, max_connections, .. } => {
            let asked = json!({ "user": user, "max_connections": max_connections });
            let made = asker.ask(Method::POST, &all, Some(&asked)).await?;
            Ok(asker.shown(&made, told))
        }
        Credentials::Rotate { user, overlap, .. } => {
            let path = format!("{all}/{}/rotate", segment(user));
            let asked = json!({ "overlap": overlap.as_secs() });
            let rotated = asker.ask(Method::POST, &path, Some(&asked)).await?;
            Ok(asker.shown(&rotated, told))
        }
        Credentials::Delete { user, .. } => {
            let path = format!("{all}/{}", segment(user));
            let answer = asker.ask(Method::DELETE, &path, None).await?;
            Ok(asker.shown(&answer, |_| format!("Deleted the user {user} of {name}.")))
        }
    }
}

pub(super) async fn certificates(asker: &Asker<'_>, action: &Cert) -> Result<String, ManageError> {
    let all = format!("{}/mtls_certificates", asker.account().await?);
    match action {
        Cert::List { .. } => {
            let certificates = asker.all(&all).await?;
            let columns = [
                ("NAME", "name"),
                ("CA", "ca"),
                ("ISSUER", "issuer"),
                ("EXPIRES", "expires_on"),
                ("ID", "id"),
            ];
            let list = Value::from(certificates.clone());
            Ok(asker.shown(&list, |_| show::table(&columns, &certificates)))
        }
        Cert::Upload { name, certificate, key, .. } => {
            let key = key.as_ref().map(text_of).transpose()?;
            let asked = json!({
                "name": name,
                "certificates": text_of(certificate)?,
                "ca": key.is_none(),
                "private_key": key,
            });
            let made = asker.ask(Method::POST, &all, Some(&asked)).await?;
            Ok(asker.shown(&made, |made| {
                let flag =
                    if key.is_none() { "--ca-certificate-id" } else { "--mtls-certificate-id" };
                format!("Uploaded. A config uses it with {flag} {}", show::cell(made, "id"))
            }))
        }
        Cert::Delete { name, .. } => {
            let id = show::id_of(&asker.all(&all).await?, "certificate", name)?;
            let answer = asker.ask(Method::DELETE, &format!("{all}/{id}"), None).await?;
            Ok(asker.shown(&answer, |_| format!("Deleted the certificate {name}.")))
        }
    }
}

pub(super) async fn tokens(asker: &Asker<'_>, action: &Token) -> Result<String, ManageError> {
    let all = "/user/tokens";
    match action {
        Token::List { .. } => {
            let tokens = asker.all(all).await?;
            let columns = [
                ("NAME", "name"),
                ("SCOPE", "scope"),
                ("ACCOUNT", "account_id"),
                ("STATUS", "status"),
                ("MADE", "issued_on"),
                ("EXPIRES", "expires_on"),
                ("ID", "id"),
            ];
            Ok(asker.shown(&Value::from(tokens.clone()), |_| show::table(&columns, &tokens)))
        }
        Token::Create { name, scope, duration, only_account, .. } => {
            let account = if *only_account {
                let path = asker.account().await?;
                path.rsplit('/').next().map(str::to_owned)
            } else {
                None
            };
            let asked = json!({
                "name": name,
                "scope": match scope {
                    Scope::Node => "node",
                    Scope::Read => "read",
                    Scope::Edit => "edit",
                    Scope::Admin => "admin",
                },
                "account_id": account,
                "expires_in": duration.map(|duration| duration.as_secs()),
            });
            let made = asker.ask(Method::POST, all, Some(&asked)).await?;
            Ok(asker.shown(&made, |made| {
                format!("The token {name} is not shown again:\n  {}", show::cell(made, "value"))
            }))
        }
        Token::Roll { name, .. } => {
            let id = show::id_of(&asker.all(all).await?, "token", name)?;
            let rolled = asker.ask(Method::PUT, &format!("{all}/{id}/value"), None).await?;
            Ok(asker.shown(&rolled, |rolled| {
                let text = rolled.as_str().unwrap_or_default();
                format!("The new text of the token {name} is not shown again:\n  {text}")
            }))
        }
        Token::Delete { name, .. } => {
            let id = show::id_of(&asker.all(all).await?, "token", name)?;
            let answer = asker.ask(Method::DELETE, &format!("{all}/{id}"), None).await?;
            Ok(asker.shown(&answer, |_| format!("Deleted the token {name}.")))
        }
    }
}

pub(super) async fn nodes(asker: &Asker<'_>) -> Result<String, ManageError> {
    let nodes = asker.ask(Method::GET, "/nodes", None).await?;
    let columns = [
        ("NODE", "name"),
        ("ROLE", "role"),
        ("VERSION", "version"),
        ("STATUS", "status"),
        ("BEHIND", "behind_seconds"),
        ("CONNECTIONS", "connections"),
        ("SEEN", "last_seen"),
    ];
    Ok(asker
        .shown(&nodes, |nodes| show::table(&columns, nodes.as_array().map_or(&[], Vec::as_slice))))
}

pub(super) async fn audit(asker: &Asker<'_>, count: u32) -> Result<String, ManageError> {
    let records = asker.ask(Method::GET, &format!("/audit?count={count}"), None).await?;
    let columns = [
        ("WHEN", "when"),
        ("WHO", "who"),
        ("FROM", "from"),
        ("ACTION", "action"),
        ("SUBJECT", "subject"),
    ];
    Ok(asker.shown(&records, |records| {
        show::table(&columns, records.as_array().map_or(&[], Vec::as_slice))
    }))
}
