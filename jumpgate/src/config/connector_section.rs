//! `[connector]` and the flags of `jumpgate connector`: from typed to what the crate `tunnel` wants.

use std::{net::SocketAddr, path::Path, str::FromStr as _, time::Duration};

use origin::net::tls;
use toml::Spanned;
use tunnel::{
    connector::{ConnectorConfig, Ingress, Service, Targets},
    token::TunnelToken,
};

use super::{
    document::{Document, SecretKeys, Source, Span},
    error::ConfigError,
    file::{ConnectorSection, IngressSection, Typed},
};
use crate::{
    args::{ConnectorArgs, values::is_host_and_port},
    report::chain,
};

const CONNECTIONS_MAX: u8 = 16;

/// What `jumpgate connector` needs.
#[derive(Debug)]
pub struct ConnectorSetup {
    /// The connector itself.
    pub connector: ConnectorConfig,
    /// Where `/ready` and `/metrics` answer; `None` turns them off.
    pub metrics: Option<SocketAddr>,
}

impl Document {
    /// Whether the file has a `[connector]`.
    pub const fn has_connector(&self) -> bool {
        self.sections.connector.is_some()
    }

    /// The same file as if it had said what the flags say; they are stronger. Their paths are those of the
    /// working folder.
    #[must_use]
    pub fn with_connector_flags(mut self, flags: &ConnectorArgs) -> Self {
        let section =
            self.sections.connector.get_or_insert_with(|| given(ConnectorSection::default()));
        let section = section.get_mut();
        if flags.token.is_some() || flags.token_file.is_some() {
            (section.token_file, section.token_env) = (None, None);
            section.token = flags.token.clone().map(|token| given(token.into()));
            section.token_file = flags.token_file.as_deref().map(path);
        }
        if flags.allow_file.is_some() || !flags.allow.is_empty() {
            section.allow_file = flags.allow_file.as_deref().map(path);
            let allow: Vec<_> = flags.allow.iter().map(ToString::to_string).collect();
            section.allow = Some(allow).filter(|allow| !allow.is_empty()).map(given);
        }
        replace(&mut section.edge, Some(flags.edge.clone()).filter(|edge| !edge.is_empty()));
        replace(&mut section.connections, flags.connections);
        replace(&mut section.metrics, flags.metrics);
        replace(&mut section.grace_period, flags.grace_period.map(|period| period.as_secs_f64()));
        if let Some(file) = &flags.cacert {
            section.ca_certificate = Some(path(file));
        }
        self
    }

    /// What `jumpgate connector` needs.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first rule that is broken.
    pub fn connector(&self) -> Result<ConnectorSetup, ConfigError> {
        let source = &self.source;
        let section = self.sections.connector.as_ref();
        let section =
            section.ok_or_else(|| source.missing_section("connector", "`jumpgate connector`"))?;
        let (span, section) = (section.span(), section.get_ref());
        let edge = edges(source, section, &span)?;
        let text = source
            .secret(&SecretKeys {
                key: "token",
                plain: &section.token,
                file: &section.token_file,
                environment: &section.token_env,
            })?
            .ok_or_else(|| {
                let remedy = "give --token or --token-file, or token_file or token_env in the file";
                source.error(&span, "the connector has no token", remedy)
            })?;
        let token = TunnelToken::from_str(text.expose())
            .map_err(|error| source.error(&span, error.to_string(), "copy it again, whole"))?;
        let roots = section.ca_certificate.as_ref();
        let content = roots.map(|setting| source.content(setting)).transpose()?;
        let tls = tls::edge_client(content.as_deref()).map_err(|error| {
            let place = roots.map_or_else(|| span.clone(), Spanned::span);
            source.error(&place, chain(&error), "give a PEM file with the CA's certificate")
        })?;
        let connections = section.connections.as_ref();
        if let Some(wrong) = connections.filter(|n| !(1..=CONNECTIONS_MAX).contains(n.get_ref())) {
            let problem = format!("must be from 1 to {CONNECTIONS_MAX}");
            return Err(source.error(&wrong.span(), problem, ""));
        }
        let targets = targets(source, section)?;
        if section.ingress.is_empty() && targets == Targets::Any {
            let remedy = "allow what the edge may lead to, for example --allow 127.0.0.1:5432 or allow_file, \
                          or add [[connector.ingress]] with hostname and service";
            return Err(source.error(&span, "the connector reaches nothing", remedy));
        }
        let ingress = section.ingress.iter().map(|one| ingress(source, one));
        let connector = ConnectorConfig {
            edge,
            token,
            tls,
            connections: connections
                .map_or(ConnectorConfig::DEFAULT_CONNECTIONS, |count| *count.get_ref()),
            ingress: ingress.collect::<Result<_, _>>()?,
            targets,
            dial_timeout: ConnectorConfig::DEFAULT_DIAL_TIMEOUT,
            grace_period: source.seconds(
                &section.grace_period,
                ConnectorConfig::DEFAULT_GRACE_PERIOD,
                Duration::ZERO,
            )?,
        };
        Ok(ConnectorSetup { connector, metrics: section.metrics.as_ref().map(|m| *m.get_ref()) })
    }
}

/// A value that stands in no file.
fn given<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

fn replace<T>(typed: &mut Typed<T>, flag: Option<T>) {
    if let Some(flag) = flag {
        *typed = Some(given(flag));
    }
}

fn path(flag: &Path) -> Spanned<String> {
    let path = std::path::absolute(flag).unwrap_or_else(|_error| flag.to_owned());
    given(path.to_string_lossy().into_owned())
}

fn edges(
    source: &Source,
    section: &ConnectorSection,
    span: &Span,
) -> Result<Vec<String>, ConfigError> {
    let edge = source.required(&section.edge, "edge", span)?;
    if edge.get_ref().is_empty() {
        return Err(source.error(&edge.span(), "names no edge", "add \"host:7844\""));
    }
    match edge.get_ref().iter().find(|address| !is_host_and_port(address)) {
        Some(wrong) => {
            let problem = format!("{wrong:?} is not host:port");
            Err(source.error(&edge.span(), problem, "for example \"edge.example.com:7844\""))
        }
        None => Ok(edge.get_ref().clone()),
    }
}

/// The allow-list, from both places; without any there is none.
fn targets(source: &Source, section: &ConnectorSection) -> Result<Targets, ConfigError> {
    let mut lines = String::new();
    let mut place = None;
    if let Some(file) = &section.allow_file {
        let content = source.content(file)?;
        lines.push_str(&String::from_utf8_lossy(&content));
        lines.push('\n');
        place = Some(file.span());
    }
    if let Some(allow) = &section.allow {
        lines.push_str(&allow.get_ref().join("\n"));
        place = Some(allow.span());
    }
    let Some(place) = place else { return Ok(Targets::Any) };
    Targets::parse(&lines).map_err(|error| source.error(&place, error.to_string(), ""))
}

fn ingress(source: &Source, section: &Spanned<IngressSection>) -> Result<Ingress, ConfigError> {
    let (span, section) = (section.span(), section.get_ref());
    let hostname = source.required(&section.hostname, "hostname", &span)?.get_ref().clone();
    let service = source.required(&section.service, "service", &span)?;
    let service = Service::from_str(service.get_ref()).map_err(|error| {
        source.error(&service.span(), error.to_string(), "for example \"tcp://127.0.0.1:5432\"")
    })?;
    Ok(Ingress { hostname, service })
}
