//! `[control]` of a proxy or an edge: from typed to what following a control node needs.

use std::{path::PathBuf, sync::Arc};

use axum::http::Uri;
use origin::{net::tls, secret::Secret};
use rustls::ClientConfig;
use toml::Spanned;

use super::{
    document::{Document, SecretKeys, Source, Span},
    error::ConfigError,
    file::ControlSection,
};
use crate::report::chain;

/// What following a control node needs.
#[derive(Clone, Debug)]
pub struct FollowSetup {
    /// Control nodes of one store, which are tried in turn; at least one.
    pub urls: Vec<Uri>,
    /// What opens them.
    pub token: Secret<String>,
    /// How their certificates are checked.
    pub tls: Arc<ClientConfig>,
    /// Where what was told last is kept.
    pub folder: PathBuf,
    /// The name that this node has there.
    pub name: String,
}

impl Document {
    /// Whether proxies and edges with this file follow a control node.
    pub fn follows(&self) -> bool {
        self.sections.control.as_ref().is_some_and(|section| section.get_ref().url.is_some())
    }

    /// What following a control node needs; `None` where the file names none.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first rule that is broken.
    pub fn follow(&self) -> Result<Option<FollowSetup>, ConfigError> {
        let source = &self.source;
        let Some(section) = &self.sections.control else { return Ok(None) };
        let (span, section) = (section.span(), section.get_ref());
        let Some(typed) = &section.url else { return Ok(None) };
        let allows_plain = section.plain_http.as_ref().is_some_and(|it| *it.get_ref());
        let urls = urls(source, typed, allows_plain)?;
        let token = source.secret(&SecretKeys {
            key: "token",
            plain: &section.token,
            file: &section.token_file,
            environment: &section.token_env,
        })?;
        let token = token.ok_or_else(|| {
            let remedy =
                "add token_file with the token that `jumpgate control init` made for nodes";
            source.error(&span, "there is no token to follow the control node with", remedy)
        })?;
        let is_header = token.expose().trim().bytes().all(|byte| byte.is_ascii_graphic());
        if !is_header {
            return Err(source.error(&span, "the token is none", "copy it again, whole"));
        }
        let roots = section.ca_certificate.as_ref();
        let content = roots.map(|setting| source.content(setting)).transpose()?;
        let tls = tls::edge_client(content.as_deref()).map_err(|error| {
            let place = roots.map_or_else(|| span.clone(), Spanned::span);
            source.error(&place, chain(&error), "give a PEM file with the CA's certificate")
        })?;
        let folder = section.state.as_ref().map_or("", |typed| typed.get_ref());
        Ok(Some(FollowSetup {
            urls,
            token: Secret::new(token.expose().trim().to_owned()),
            tls,
            folder: source.path(folder),
            name: node_name(source, &span, section)?,
        }))
    }
}

fn urls(
    source: &Source,
    typed: &Spanned<toml::Value>,
    allows_plain: bool,
) -> Result<Vec<Uri>, ConfigError> {
    let wrong = |problem: String| {
        let remedy = "for example \"https://control.example.com\", or a list of such";
        source.error(&typed.span(), problem, remedy)
    };
    let written = match typed.get_ref() {
        toml::Value::Array(written) => written.as_slice(),
        one => std::slice::from_ref(one),
    };
    let urls = written.iter().map(|one| {
        let text = one.as_str().ok_or_else(|| wrong(String::from("must be a text")))?;
        let url = text.trim_end_matches('/').parse::<Uri>().ok();
        let is_good =
            |url: &Uri| matches!(url.scheme_str(), Some("http" | "https")) && url.path().len() <= 1;
        let url = url.filter(is_good).ok_or_else(|| {
            wrong(format!("{text:?} is not the URL of a control node without a path"))
        })?;
        if !allows_plain && is_in_the_clear(&url) {
            let problem = "the token and every password would go over the network in the clear";
            let remedy = "use https, or plain_http = true in a network that nobody else is in";
            return Err(source.error(&typed.span(), problem, remedy));
        }
        Ok(url)
    });
    let urls: Vec<_> = urls.collect::<Result<_, _>>()?;
    if urls.is_empty() { Err(wrong(String::from("names no control node"))) } else { Ok(urls) }
}

/// Whether it is neither over TLS nor on this machine.
fn is_in_the_clear(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    url.scheme_str() == Some("http") && !is_here
}

/// As the file says, else as the machine is called.
fn node_name(
    source: &Source,
    span: &Span,
    section: &ControlSection,
) -> Result<String, ConfigError> {
    let typed = section.node.as_ref().map(|typed| typed.get_ref().clone());
    let machine = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = typed.or_else(machine).unwrap_or_default().trim().to_owned();
    if name.is_empty() {
        return Err(source.error(span, "the node has no name", "add node = \"NAME\""));
    }
    Ok(name)
}
