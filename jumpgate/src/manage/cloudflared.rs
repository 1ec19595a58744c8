//! `jumpgate cloudflared-login`: the file that `cloudflared tunnel login` would write, with a token of ours in it.

use std::{fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use axum::http::Method;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{asker::Asker, error::ManageError, show};

/// Columns of PEM.
const WIDTH: usize = 64;

/// Makes a token for `cloudflared`, and the file that holds it; printed where no file is named.
pub(super) async fn login(
    asker: &Asker<'_>,
    name: &str,
    out: Option<&Path>,
) -> Result<String, ManageError> {
    let account = asker.account().await?;
    let account = account.rsplit('/').next().unwrap_or_default().to_owned();
    let zones = asker.all("/zones").await?;
    let zone = zones.iter().find(|zone| zone["account"]["id"] == account.as_str());
    let zone = zone.and_then(|zone| zone["id"].as_str());
    let zone = zone.ok_or_else(|| ManageError::Given(String::from("the account has no zone")))?;
    let asked = json!({ "name": name, "scope": "edit", "account_id": account });
    let token = asker.ask(Method::POST, "/user/tokens", Some(&asked)).await?;
    let content = json!({
        "zoneID": zone, "accountID": account, "apiToken": show::cell(&token, "value"),
    });
    let base64 = STANDARD.encode(content.to_string());
    let mut pem = String::from("-----BEGIN ARGO TUNNEL TOKEN-----\n");
    for line in base64.as_bytes().chunks(WIDTH) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END ARGO TUNNEL TOKEN-----");
    let Some(out) = out else { return Ok(pem) };
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out)?;
        file.write_all(pem.as_bytes())?;
        file.write_all(b"\n")
    };
    written().map_err(|source| ManageError::File { path: out.to_owned(), source })?;
    Ok(format!(
        "Wrote {out}, with a new token {name:?}. Give it and the API to cloudflared:\n  \
           export TUNNEL_ORIGIN_CERT={out} TUNNEL_API_URL={base}{api}\n  \
           cloudflared tunnel create office",
        out = out.display(),
        base = asker.target.api_url.as_deref().unwrap_or("http://CONTROL").trim_end_matches('/'),
        api = control::api::BASE,
    ))
}
