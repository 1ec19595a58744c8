//! `[edge]`: from typed to what the crate `tunnel` wants.

use std::str::FromStr as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};
use toml::Spanned;
use tunnel::{
    access::StoredToken,
    edge::{EdgeConfig, Hostname, NamedToken, TunnelCredentials},
    store::Store,
    token::{TunnelId, TunnelToken},
};

use super::{
    ConfigError, Document,
    document::{SecretKeys, Source},
    file::{HostnameSection, ServiceTokenSection, TunnelSection},
};
use crate::{
    net::tls::{self, IdentityPem},
    report::chain,
};

impl Document {
    /// Whether the file has an `[edge]`.
    pub const fn has_edge(&self) -> bool {
        self.sections.edge.is_some()
    }

    /// The folder of the edge, for the tools that change what it knows.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the file names none, or what it names is none.
    pub fn edge_store(&self) -> Result<Store, ConfigError> {
        let source = &self.source;
        let section = self.sections.edge.as_ref();
        let section = section.ok_or_else(|| source.missing_section("edge", "the edge"))?;
        let folder = section.get_ref().state.as_ref().ok_or_else(|| {
            let remedy = "add state = \"FOLDER\", or begin with `jumpgate edge init`";
            source.error(&section.span(), "the edge keeps nothing that could be changed", remedy)
        })?;
        Store::open(&source.path(folder.get_ref()))
            .map_err(|error| source.error(&folder.span(), chain(&error), ""))
    }

    /// What `jumpgate edge` needs.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first rule that is broken.
    pub fn edge(&self) -> Result<EdgeConfig, ConfigError> {
        let source = &self.source;
        let section = self.sections.edge.as_ref();
        let section = section.ok_or_else(|| source.missing_section("edge", "`jumpgate edge`"))?;
        let (span, section) = (section.span(), section.get_ref());
        let certificate = source.required(&section.certificate, "certificate", &span)?;
        let key = source.required(&section.key, "key", &span)?;
        let (certificates, key) = (source.content(certificate)?, source.content(key)?);
        let identity = IdentityPem { certificates: &certificates, key: &key };
        let tls = tls::server(identity).map_err(|error| {
            source.error(&certificate.span(), chain(&error), "give a PEM chain and its key")
        })?;
        let tunnels: Vec<_> =
            section.tunnel.iter().map(|one| tunnel(source, one)).collect::<Result<_, _>>()?;
        let service_tokens: Vec<_> = section
            .service_token
            .iter()
            .map(|one| service_token(source, one))
            .collect::<Result<_, _>>()?;
        let hostnames = section
            .hostname
            .iter()
            .map(|one| hostname(source, one, &tunnels, &service_tokens))
            .collect::<Result<_, _>>()?;
        Ok(EdgeConfig {
            public: *source.required(&section.public, "public", &span)?.get_ref(),
            connectors: *source.required(&section.connectors, "connectors", &span)?.get_ref(),
            tls: tls.config,
            service_tokens,
            tunnels,
            hostnames,
        })
    }
}

/// A service token, of which only the hash of the secret is kept.
fn service_token(
    source: &Source,
    section: &Spanned<ServiceTokenSection>,
) -> Result<NamedToken, ConfigError> {
    let (span, section) = (section.span(), section.get_ref());
    let name = source.required(&section.name, "name", &span)?.get_ref().clone();
    let id = source.required(&section.id, "id", &span)?;
    let secret = source.secret(&SecretKeys {
        key: "secret",
        plain: &None,
        file: &section.secret_file,
        environment: &section.secret_env,
    })?;
    let token = match (secret, &section.secret_sha256) {
        (Some(secret), None) => {
            StoredToken::new(id.get_ref().clone(), Sha256::digest(secret.expose()).into())
        }
        (None, Some(hash)) => {
            StoredToken::from_hex(id.get_ref().clone(), source.text(hash)?.expose())
        }
        (Some(_), Some(hash)) => {
            let problem = "secret and secret_sha256 are both given";
            return Err(source.error(&hash.span(), problem, "keep one"));
        }
        (None, None) => {
            let remedy = "add secret_file, secret_env or secret_sha256";
            return Err(source.error(&span, "the service token has no secret", remedy));
        }
    };
    let token = token.map_err(|error| source.error(&id.span(), error.to_string(), ""))?;
    Ok(NamedToken { name, token })
}

fn tunnel(
    source: &Source,
    section: &Spanned<TunnelSection>,
) -> Result<TunnelCredentials, ConfigError> {
    let (span, section) = (section.span(), section.get_ref());
    let id = tunnel_id(source, source.required(&section.id, "id", &span)?)?;
    let account_tag = source.required(&section.account_tag, "account_tag", &span)?;
    let secret = source
        .secret(&SecretKeys {
            key: "secret",
            plain: &None,
            file: &section.secret_file,
            environment: &section.secret_env,
        })?
        .ok_or_else(|| {
            source.error(&span, "the tunnel has no secret", "add secret_file or secret_env")
        })?;
    let place = section.secret_file.as_ref().map_or_else(|| span.clone(), Spanned::span);
    let secret = STANDARD
        .decode(secret.expose().trim())
        .map_err(|_invalid| source.error(&place, "the secret is not base64", ""))?;
    let token = TunnelToken::new(account_tag.get_ref().clone(), id, secret)
        .map_err(|error| source.error(&span, error.to_string(), ""))?;
    Ok(TunnelCredentials::from(&token))
}

fn tunnel_id(source: &Source, typed: &Spanned<String>) -> Result<TunnelId, ConfigError> {
    TunnelId::from_str(typed.get_ref())
        .map_err(|error| source.error(&typed.span(), error.to_string(), ""))
}

fn hostname(
    source: &Source,
    section: &Spanned<HostnameSection>,
    tunnels: &[TunnelCredentials],
    tokens: &[NamedToken],
) -> Result<Hostname, ConfigError> {
    let (span, section) = (section.span(), section.get_ref());
    let name = source.required(&section.name, "name", &span)?.get_ref().clone();
    let typed = source.required(&section.tunnel, "tunnel", &span)?;
    let tunnel = tunnel_id(source, typed)?;
    if !tunnels.iter().any(|known| known.tunnel == tunnel) {
        let problem = "names a tunnel that is not in this file";
        return Err(source.error(&typed.span(), problem, "add [[edge.tunnel]] with this id"));
    }
    let policy = source.required(&section.service_tokens, "service_tokens", &span)?;
    let is_known = |name: &String| tokens.iter().any(|token| token.name == *name);
    if let Some(unknown) = policy.get_ref().iter().find(|name| !is_known(name)) {
        let problem = format!("{unknown:?} is not the name of a service token in this file");
        return Err(source.error(&policy.span(), problem, "add [[edge.service_token]]"));
    }
    Ok(Hostname { name, tunnel, service_tokens: policy.get_ref().clone() })
}
