//! What is asked of a tunnel.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    api::{envelope::ApiError, user::check_name},
    model::Secret,
    moment::Moment,
    resources::{PreviousHash, Tunnel, TunnelSecret},
};

/// How long the secret before a change is valid, unless somebody says otherwise: connectors that still have it then are let
/// go.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);
/// Of a secret, in bytes.
const SECRET_LEN: std::ops::RangeInclusive<usize> = 32..=1024;

/// The body of a request.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    name: Option<String>,
    tunnel_secret: Option<String>,
    config_src: Option<String>,
    metadata: Option<Value>,
    /// Ours: seconds for which the secret before is valid too; 0 ends it at once.
    overlap: Option<u64>,
}

impl Asked {
    /// A new tunnel.
    pub(super) fn tunnel(
        &self,
        id: String,
        account: String,
        now: Moment,
    ) -> Result<Tunnel, ApiError> {
        let name = self.name.clone();
        let name = name.ok_or_else(|| ApiError::invalid("name is missing: add \"name\""))?;
        check_tunnel_name(&name)?;
        let is_remote = match self.config_src.as_deref() {
            None | Some("local") => false,
            Some("cloudflare") => true,
            Some(_) => {
                let message = "config_src must be \"local\" (the connector's own file has the rules) or \"cloudflare\" (the \
                    edge tells them)";
                return Err(ApiError::invalid(message));
            }
        };
        let secret = match &self.tunnel_secret {
            Some(secret) => checked(secret)?,
            None => {
                Secret::from(STANDARD.encode(Zeroizing::new(rand::random::<[u8; 32]>()).as_slice()))
            }
        };
        Ok(Tunnel {
            id,
            account,
            account_tag: None,
            name,
            is_remote,
            secret: TunnelSecret::new(secret),
            previous: None,
            configuration: None,
            version: 0,
            metadata: self.metadata.clone(),
            created_at: now,
            deleted_at: None,
        })
    }

    /// What it makes of a tunnel: what is left out stays.
    pub(super) fn over(&self, before: &Tunnel, now: Moment) -> Result<Tunnel, ApiError> {
        let mut after = before.clone();
        if let Some(name) = &self.name {
            check_tunnel_name(name)?;
            after.name.clone_from(name);
        }
        if let Some(metadata) = &self.metadata {
            after.metadata = Some(metadata.clone());
        }
        if let Some(secret) = &self.tunnel_secret {
            let secret = TunnelSecret::new(checked(secret)?);
            if secret.sha256 != before.secret.sha256 {
                let expires_at = now.after(self.overlap.map_or(OVERLAP, Duration::from_secs));
                let sha256 = std::mem::replace(&mut after.secret, secret).sha256;
                after.previous = (expires_at > now).then_some(PreviousHash { sha256, expires_at });
            }
        }
        Ok(after)
    }
}

/// A name that cannot be taken for an id, since tools take either.
fn check_tunnel_name(name: &str) -> Result<(), ApiError> {
    check_name(name)?;
    let is_id = Uuid::try_parse(name).is_ok();
    if is_id { Err(ApiError::invalid("name must not be a UUID")) } else { Ok(()) }
}

/// The secret, if its bytes are enough.
fn checked(text: &str) -> Result<Secret, ApiError> {
    let bytes = STANDARD.decode(text).map(Zeroizing::new);
    if bytes.is_ok_and(|bytes| SECRET_LEN.contains(&bytes.len())) {
        return Ok(Secret::from(text));
    }
    Err(ApiError::invalid("tunnel_secret must be base64 of 32 to 1024 bytes"))
}
