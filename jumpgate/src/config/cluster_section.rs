//! `[cluster]`: from typed to how a proxy shares its cache with others.

use std::time::Duration;

use cluster::{Settings, Unreachable};
use toml::Spanned;

use super::{
    document::{Document, SecretKeys, Source, Span},
    error::ConfigError,
    file::ClusterSection,
};

/// Leases are renewed four times in their time.
const LEASE_MIN: Duration = Duration::from_millis(200);
const TIMEOUT_MIN: Duration = Duration::from_millis(1);

impl Document {
    /// How the proxy shares its cache; `None` where it does not.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first rule that is broken.
    pub fn cluster(&self) -> Result<Option<Settings>, ConfigError> {
        let source = &self.source;
        let Some(section) = &self.sections.cluster else { return Ok(None) };
        let (span, section) = (section.span(), section.get_ref());
        let mut settings = Settings::new(&url(source, &span, section)?);
        if let Some(ca) = &section.ca_certificate {
            settings.ca = Some(source.content(ca)?);
        }
        if let Some(namespace) = &section.namespace {
            settings.namespace = self::namespace(source, namespace)?;
        }
        settings.lease = source.seconds(&section.lease, settings.lease, LEASE_MIN)?;
        settings.timeout = source.seconds(&section.timeout, settings.timeout, TIMEOUT_MIN)?;
        settings.write_wait =
            source.seconds(&section.write_wait, settings.write_wait, TIMEOUT_MIN)?;
        if let Some(typed) = &section.unreachable {
            settings.unreachable = match typed.get_ref().as_str() {
                "refuse" => Unreachable::Refuse,
                "forward" => Unreachable::Forward,
                other => {
                    let problem = format!("{other:?} is not known");
                    return Err(source.error(
                        &typed.span(),
                        problem,
                        "use \"refuse\" or \"forward\"",
                    ));
                }
            };
        }
        settings.replicas = section.replicas.as_ref().map_or(0, |it| *it.get_ref());
        if let Some(bytes) = &section.max_entry_bytes {
            settings.max_entry_bytes = usize::try_from(*bytes.get_ref()).unwrap_or(usize::MAX);
        }
        settings.seal = seal(source, &span, section)?;
        Ok(Some(settings))
    }
}

fn url(source: &Source, span: &Span, section: &ClusterSection) -> Result<String, ConfigError> {
    let url = source.secret(&SecretKeys {
        key: "url",
        plain: &section.url,
        file: &section.url_file,
        environment: &section.url_env,
    })?;
    let remedy =
        "for example url = \"redis://127.0.0.1:6379\", or rediss://USER:PASSWORD@HOST:6379 for TLS";
    let url = url.ok_or_else(|| source.error(span, "`url` is missing", remedy))?;
    let is_known = ["redis://", "rediss://", "unix://", "redis+unix://"]
        .iter()
        .any(|scheme| url.expose().starts_with(scheme));
    if !is_known {
        let place = section.url.as_ref().map_or_else(|| span.clone(), Spanned::span);
        return Err(source.error(
            &place,
            "the URL is not that of a Valkey or Redis server",
            remedy,
        ));
    }
    Ok(url.expose().trim().to_owned())
}

fn namespace(source: &Source, typed: &Spanned<String>) -> Result<String, ConfigError> {
    let name = typed.get_ref();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(is_plain) {
        let problem = "a namespace has 1 to 64 letters, digits, dots, dashes and underscores";
        return Err(source.error(&typed.span(), problem, "for example \"jumpgate\""));
    }
    Ok(name.clone())
}

fn seal(
    source: &Source,
    span: &Span,
    section: &ClusterSection,
) -> Result<Option<[u8; 32]>, ConfigError> {
    let typed = source.secret(&SecretKeys {
        key: "seal_key",
        plain: &section.seal_key,
        file: &section.seal_key_file,
        environment: &section.seal_key_env,
    })?;
    let Some(typed) = typed else { return Ok(None) };
    let key = hex::decode(typed.expose().trim()).ok().and_then(|key| key.try_into().ok());
    let remedy = "make one with: openssl rand -hex 32";
    key.map(Some).ok_or_else(|| source.error(span, "seal_key must be 64 hex digits", remedy))
}
