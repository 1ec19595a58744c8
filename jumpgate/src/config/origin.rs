//! `[database.origin]` and `[database.mtls]`: where a database is, and how to log in there.

use std::{sync::Arc, time::Duration};

use origin::{
    net::tls::{self, IdentityPem, SslMode},
    secret::Secret,
};
use protocol::mysql::compress::Algorithm;
use rustls_pki_types::ServerName;
use serving::config::{Dial, Engine, OriginConfig, OriginTls};
use toml::Spanned;
use tunnel::{
    access::ServiceToken,
    client::{Client, ClientConfig},
};

use super::{
    document::{SecretKeys, Source, Span},
    error::{ConfigError, Mistakes},
    file::{MtlsSection, OriginSection, Typed},
    name::name,
};
use crate::report::chain;

/// How often an open tunnel stream is probed.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// The word that allows a database without TLS.
const PLAINTEXT: &str = "plaintext-for-local-development";
/// The level at which zstd is asked for; the servers' own default.
const ZSTD_LEVEL: u8 = 3;

pub(super) fn origin_config(
    source: &Source,
    engine: Engine,
    section: &Spanned<OriginSection>,
    mtls: Option<&Spanned<MtlsSection>>,
    connect_timeout: Duration,
) -> Result<OriginConfig, ConfigError> {
    let (span, section) = (section.span(), section.get_ref());
    let mut mistakes = Mistakes::default();
    let password = source.secret(&SecretKeys {
        key: "password",
        plain: &section.password,
        file: &section.password_file,
        environment: &section.password_env,
    });
    let password = mistakes.keep(password).flatten();
    let dial = mistakes.keep(dial(source, engine, section, &span, connect_timeout));
    let database = mistakes.keep(name(source, engine, &section.database, "database", &span));
    let user = mistakes.keep(name(source, engine, &section.user, "user", &span));
    let host = section.host.as_ref();
    let tls = host.and_then(|host| mistakes.keep(origin_tls(source, engine, host, mtls)));
    let compression = mistakes.keep(compression(source, engine, &section.compression));
    let made = match (dial, database, user, tls, compression) {
        (Some(dial), Some(database), Some(user), Some(tls), Some(compression)) => {
            // A role that logs in by client certificate, or is trusted, has none.
            let password = password.unwrap_or_else(|| Secret::new(String::new()));
            Some(OriginConfig { dial, database, user, password, tls, compression })
        }
        _ => None,
    };
    mistakes.or(made)
}

/// Directly with a port, or through the tunnel with a service token and no port.
fn dial(
    source: &Source,
    engine: Engine,
    section: &OriginSection,
    span: &Span,
    connect_timeout: Duration,
) -> Result<Dial, ConfigError> {
    let host = source.required(&section.host, "host", span)?;
    let secret = source.secret(&SecretKeys {
        key: "access_client_secret",
        plain: &section.access_client_secret,
        file: &section.access_client_secret_file,
        environment: &section.access_client_secret_env,
    })?;
    let token = match (&section.access_client_id, secret) {
        (Some(id), Some(secret)) => Some((id, secret)),
        (None, None) => None,
        (Some(id), None) => {
            let problem = "access_client_id is given without access_client_secret";
            let remedy = "give both or neither; add access_client_secret_file";
            return Err(source.error(&id.span(), problem, remedy));
        }
        (None, Some(_)) => {
            let problem = "access_client_secret is given without access_client_id";
            return Err(source.error(span, problem, "give both or neither"));
        }
    };
    let Some((id, secret)) = token else { return direct(source, engine, section, host, span) };
    if let Some(port) = &section.port {
        let problem = "port is given together with access_client_id";
        let remedy = "remove the port: the tunnel's hostname decides where it ends";
        return Err(source.error(&port.span(), problem, remedy));
    }
    let roots = section.edge_ca_certificate.as_ref();
    let content = roots.map(|setting| source.content(setting)).transpose()?;
    let tls = tls::edge_client(content.as_deref()).map_err(|error| {
        let place = roots.map_or_else(|| span.clone(), Spanned::span);
        source.error(&place, chain(&error), "give a PEM file with the CA's certificate")
    })?;
    let token = ServiceToken::new(id.get_ref().clone(), secret.expose().clone())
        .map_err(|error| source.error(&id.span(), error.to_string(), ""))?;
    let client = Client::new(ClientConfig {
        hostname: host.get_ref().clone(),
        address: section.edge_address.as_ref().map(|address| *address.get_ref()),
        token: Some(token),
        tls,
        connect_timeout,
        ping_interval: PING_INTERVAL,
    })
    .map_err(|error| source.error(&host.span(), error.to_string(), ""))?;
    Ok(Dial::Tunnel(Arc::new(client)))
}

fn direct(
    source: &Source,
    engine: Engine,
    section: &OriginSection,
    host: &Spanned<String>,
    span: &Span,
) -> Result<Dial, ConfigError> {
    let edge_address = section.edge_address.as_ref().map(Spanned::span);
    let edge_ca = section.edge_ca_certificate.as_ref().map(Spanned::span);
    if let Some(edge) = edge_address.or(edge_ca) {
        let problem = "is given, but the origin is not behind a tunnel";
        let remedy = "add access_client_id and access_client_secret_file, or remove it";
        return Err(source.error(&edge, problem, remedy));
    }
    let text = host.get_ref();
    if let Some((name, port)) = text.split_once(':')
        && port.parse::<u16>().is_ok()
    {
        let problem = "must be a host name or an address alone";
        let remedy = format!("host = \"{name}\" and port = {port}");
        return Err(source.error(&host.span(), problem, remedy));
    }
    if text.is_empty() || text.contains('/') || text.contains(char::is_whitespace) {
        let problem = "must be a host name or an address";
        return Err(source.error(&host.span(), problem, "a /path needs a tunnel"));
    }
    let Some(port) = &section.port else {
        let port = engine.default_port();
        let remedy = format!(
            "add port = {port}, or access_client_id and access_client_secret_file for a tunnel"
        );
        return Err(source.error(span, "`port` is missing", remedy));
    };
    if *port.get_ref() == 0 {
        return Err(source.error(&port.span(), "must be at least 1", ""));
    }
    Ok(Dial::Tcp { host: text.clone(), port: *port.get_ref() })
}

fn origin_tls(
    source: &Source,
    engine: Engine,
    host: &Spanned<String>,
    mtls: Option<&Spanned<MtlsSection>>,
) -> Result<OriginTls, ConfigError> {
    let default = MtlsSection::default();
    let section = mtls.map_or(&default, Spanned::get_ref);
    let mode = match section.sslmode.as_ref().map(|mode| (mode, mode.get_ref().as_str())) {
        None | Some((_, "require")) => SslMode::Require,
        Some((_, "verify-ca")) => SslMode::VerifyCa,
        Some((_, "verify-full")) => SslMode::VerifyFull,
        Some((_, PLAINTEXT)) => return Ok(OriginTls::Plaintext),
        Some((mode, _)) => {
            let problem =
                format!("must be \"require\", \"verify-ca\", \"verify-full\" or \"{PLAINTEXT}\"");
            return Err(source.error(&mode.span(), problem, "TLS is not optional"));
        }
    };
    let roots = section.ca_certificate.as_ref();
    if let (SslMode::Require, Some(roots)) = (mode, roots) {
        let problem = "ca_certificate has no effect with sslmode = \"require\"";
        return Err(source.error(&roots.span(), problem, "use \"verify-ca\" or \"verify-full\""));
    }
    let content = roots.map(|setting| source.content(setting)).transpose()?;
    let identity = source
        .both_or_neither(
            ("client_certificate", &section.client_certificate),
            ("client_key", &section.client_key),
        )?
        .map(|(certificate, key)| Ok((source.content(certificate)?, source.content(key)?)))
        .transpose()?;
    let identity = identity.as_ref().map(|(certificates, key)| IdentityPem { certificates, key });
    let place = mtls.map_or_else(|| host.span(), Spanned::span);
    let client = tls::database_client(engine.alpn(), mode, content.as_deref(), identity)
        .map_err(|error| source.error(&place, chain(&error), "give PEM files"))?;
    let server_name = server_name(host.get_ref()).ok_or_else(|| {
        let problem = "is neither a DNS name nor an address, so TLS cannot name it";
        source.error(&host.span(), problem, "")
    })?;
    Ok(OriginTls::Required { client, server_name, is_verified: mode.is_verified() })
}

/// The host without the path or port that a tunnel's hostname may carry.
fn server_name(host: &str) -> Option<ServerName<'static>> {
    let authority = host.split('/').next().unwrap_or(host);
    let name = |text: &str| ServerName::try_from(text.to_owned()).ok();
    name(authority.trim_matches(['[', ']']))
        .or_else(|| authority.rsplit_once(':').and_then(|(host, _)| name(host)))
}

/// How packets to the origin and back are compressed: not at all, unless the file says so.
fn compression(
    source: &Source,
    engine: Engine,
    typed: &Typed<String>,
) -> Result<Option<Algorithm>, ConfigError> {
    let Some(typed) = typed else { return Ok(None) };
    if engine != Engine::MySql {
        let problem = "PostgreSQL's protocol has no compression";
        return Err(source.error(&typed.span(), problem, "remove the key"));
    }
    match typed.get_ref().as_str() {
        "zlib" => Ok(Some(Algorithm::Zlib)),
        "zstd" => Ok(Some(Algorithm::Zstd(ZSTD_LEVEL))),
        _ => {
            let remedy =
                "zstd is MySQL's alone, MariaDB has zlib; without the key nothing is compressed";
            Err(source.error(&typed.span(), "must be \"zlib\" or \"zstd\"", remedy))
        }
    }
}
