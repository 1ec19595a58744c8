//! `/accounts/{account}/mtls_certificates`: of CAs that databases' are from, and those that proxies show.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};
use x509_cert::{Certificate as X509, der::pem};

use super::{
    Api, Caller, Query, body,
    envelope::{ApiError, Envelope, Page},
    new_uuid,
};
use crate::{model::Secret, moment::Moment, resources::Certificate};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/accounts/{account}/mtls_certificates", get(list).post(create))
        .route("/accounts/{account}/mtls_certificates/{id}", get(one).delete(delete))
}

fn shown(certificate: &Certificate) -> Value {
    json!({
        "id": certificate.id,
        "name": certificate.name,
        "ca": certificate.is_ca,
        "certificates": certificate.certificates,
        "issuer": certificate.issuer,
        "serial_number": certificate.serial_number,
        "signature": certificate.signature,
        "expires_on": certificate.expires_on,
        "uploaded_on": certificate.uploaded_on,
        "updated_at": certificate.uploaded_on,
        "type": "custom",
    })
}

async fn list(
    State(api): State<Api>,
    Path(account): Path<String>,
    query: Query,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let ours = world.certificates.iter().filter(|certificate| {
        certificate.account == account
            && query.get("name").is_none_or(|name| certificate.name == name)
            && query.is("ca").is_none_or(|is_ca| certificate.is_ca == is_ca)
    });
    Ok(Envelope::page(ours.map(|it| shown(it)).collect(), Page::of(&query)?))
}

async fn one(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let found = world.certificates.get(&id).filter(|it| it.account == account);
    Ok(Envelope::of(shown(found.ok_or_else(|| ApiError::missing("certificate", &id))?)))
}

#[derive(Deserialize)]
struct New {
    #[serde(default)]
    name: Option<String>,
    certificates: String,
    #[serde(default)]
    private_key: Option<String>,
    #[serde(default)]
    ca: bool,
}

async fn create(
    caller: Caller,
    State(api): State<Api>,
    Path(account): Path<String>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: New = body::read(&body)?;
    let certificate = certificate(asked, account)?;
    let made = api.plane.change(caller.actor(), "upload certificate", |edit| {
        let is_taken = edit
            .certificates
            .iter()
            .any(|it| it.account == certificate.account && it.name == certificate.name);
        if is_taken {
            return Err(ApiError::taken("certificate", &certificate.name));
        }
        let shown = shown(&certificate);
        edit.put(certificate.clone());
        Ok(shown)
    });
    Ok(Envelope::of(made.await?))
}

async fn delete(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let gone = api.plane.change(caller.actor(), "delete certificate", |edit| {
        let found = edit.certificates.get(&id).filter(|it| it.account == account);
        let certificate = found.cloned().ok_or_else(|| ApiError::missing("certificate", &id))?;
        let users: Vec<_> = edit
            .hyperdrives
            .iter()
            .filter(|it| {
                [&it.ca_certificate_id, &it.mtls_certificate_id].contains(&&Some(id.clone()))
            })
            .map(|config| config.name.clone())
            .collect();
        if !users.is_empty() {
            let message = format!("the config {} needs it; change that first", users.join(", "));
            return Err(ApiError::in_use(message));
        }
        edit.delete::<Certificate>(&id);
        Ok(shown(&certificate))
    });
    Ok(Envelope::of(gone.await?))
}

/// What was uploaded, if it is what it says.
fn certificate(asked: New, account: String) -> Result<Certificate, ApiError> {
    let wrong = |what: &str| ApiError::invalid(format!("certificates {what}"));
    if asked.certificates.trim_ascii().is_empty() {
        // `load_pem_chain` counts down from its length.
        return Err(wrong("has none in it"));
    }
    let chain = X509::load_pem_chain(asked.certificates.as_bytes())
        .map_err(|_not_pem| wrong("must be PEM: -----BEGIN CERTIFICATE----- …"))?;
    let first = chain.first().ok_or_else(|| wrong("has none in it"))?.tbs_certificate.clone();
    match (&asked.private_key, asked.ca) {
        (Some(_), true) => {
            return Err(ApiError::invalid("private_key is given with a CA; leave it out"));
        }
        (None, false) => {
            return Err(ApiError::invalid("private_key is missing: add the key's PEM"));
        }
        (Some(key), false) => {
            let label = pem::decode_label(key.as_bytes()).unwrap_or_default();
            if !label.ends_with("PRIVATE KEY") {
                let message = "private_key must be PEM: -----BEGIN PRIVATE KEY----- …";
                return Err(ApiError::invalid(message));
            }
        }
        (None, true) => {}
    }
    let id = new_uuid();
    let expires = first.validity.not_after.to_unix_duration();
    let signature = chain.first().map(|it| it.signature_algorithm.oid.to_string());
    Ok(Certificate {
        name: asked.name.filter(|name| !name.is_empty()).unwrap_or_else(|| id.clone()),
        id,
        account,
        is_ca: asked.ca,
        certificates: asked.certificates,
        private_key: asked.private_key.map(Secret::from),
        issuer: first.issuer.to_string(),
        serial_number: hex::encode(first.serial_number.as_bytes()),
        signature: signature.unwrap_or_default(),
        expires_on: Moment(i64::try_from(expires.as_micros()).unwrap_or(i64::MAX)),
        uploaded_on: Moment::now(),
    })
}
