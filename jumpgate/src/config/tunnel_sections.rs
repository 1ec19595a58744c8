//! `[edge]`: from typed to what the crate `tunnel` wants.

use std::{net::SocketAddr, str::FromStr as _, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use origin::net::tls::{self, IdentityPem};
use toml::Spanned;
use tunnel::{
    edge::EdgeConfig,
    state::{SecretHash, State, TokenRecord, Tunnel},
    store::Store,
    token::{TunnelId, TunnelToken},
};

use super::{
    document::{Document, SecretKeys, Source, Span},
    error::ConfigError,
    file::{EdgeSection, HostnameSection, ServiceTokenSection, TunnelSection, Typed},
};
use crate::{operator::Keeper, report::chain};

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
        open_store(source, folder, typed_state(source, section.get_ref())?)
    }

    /// What `jumpgate edge` needs. Keys to sign with are not among it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first rule that is broken.
    pub fn edge(&self) -> Result<EdgeSetup, ConfigError> {
        let source = &self.source;
        let section = self.sections.edge.as_ref();
        let section = section.ok_or_else(|| source.missing_section("edge", "`jumpgate edge`"))?;
        let (span, section) = (section.span(), section.get_ref());
        let mut state = typed_state(source, section)?;
        let keeper = match &section.state {
            Some(folder) => {
                let failed =
                    |error: &dyn std::error::Error| source.error(&folder.span(), chain(error), "");
                let keeper = Keeper::open(open_store(source, folder, state)?);
                let keeper = keeper.map_err(|error| failed(&error))?;
                state = keeper.state().map_err(|error| failed(&error))?;
                state.check().map_err(|error| failed(&error))?;
                Some(keeper)
            }
            None => None,
        };
        let [public_tls, connector_tls] = edge_tls(source, section, &span, keeper.as_ref())?;
        let config = EdgeConfig {
            public: *source.required(&section.public, "public", &span)?.get_ref(),
            connectors: *source.required(&section.connectors, "connectors", &span)?.get_ref(),
            public_tls,
            connector_tls,
            state,
            signing_keys: None,
            max_refusals_per_minute: EdgeConfig::DEFAULT_MAX_REFUSALS_PER_MINUTE,
            drain_timeout: source.seconds(
                &section.drain_timeout,
                EdgeConfig::DEFAULT_DRAIN_TIMEOUT,
                Duration::ZERO,
            )?,
        };
        let address = |typed: &Typed<SocketAddr>| typed.as_ref().map(|address| *address.get_ref());
        let (metrics, advertise) = (address(&section.metrics), address(&section.advertise));
        let issues = keeper.as_ref().filter(|_| section.certificate.is_none());
        let ca_certificate = issues.map(|keeper| keeper.ca_certificate().to_owned());
        Ok(EdgeSetup { config, keeper, metrics, advertise, ca_certificate })
    }
}

/// The folder of an edge whose file says this.
fn open_store(
    source: &Source,
    folder: &Spanned<String>,
    typed: State,
) -> Result<Store, ConfigError> {
    let store = Store::open(&source.path(folder.get_ref()))
        .map_err(|error| source.error(&folder.span(), chain(&error), ""))?;
    Ok(store.beside(typed))
}

/// What the file itself says of tunnels, tokens and hostnames.
fn typed_state(source: &Source, section: &EdgeSection) -> Result<State, ConfigError> {
    let mut state = State::default();
    for one in &section.tunnel {
        state.tunnels.push(tunnel(source, one)?);
    }
    for one in &section.service_token {
        state.service_tokens.push(service_token(source, one)?);
    }
    for one in &section.hostname {
        guard(source, one, &mut state)?;
    }
    Ok(state)
}

/// What `jumpgate edge` needs.
#[derive(Debug)]
pub struct EdgeSetup {
    /// The edge itself.
    pub config: EdgeConfig,
    /// Its folder, if it has one.
    pub keeper: Option<Keeper>,
    /// Where proxies dial it, if that is not where it listens.
    pub advertise: Option<SocketAddr>,
    /// PEM of its own CA, where that has issued what clients are shown.
    pub ca_certificate: Option<String>,
    /// Where `/ready`, `/healthcheck` and `/metrics` answer; `None` turns them off.
    pub metrics: Option<SocketAddr>,
}

/// What clients are shown, and what connectors are: the given certificate, or what the folder's authority issues.
/// With both, clients are shown the given one.
fn edge_tls(
    source: &Source,
    section: &EdgeSection,
    span: &Span,
    keeper: Option<&Keeper>,
) -> Result<[Arc<rustls::ServerConfig>; 2], ConfigError> {
    let issued = keeper.map(|keeper| keeper.certificates().server_config()).transpose();
    let issued = issued.map_err(|error| source.error(span, chain(&error), ""))?;
    let is_given = section.certificate.is_some() || section.key.is_some();
    if let (Some(issued), false) = (&issued, is_given) {
        return Ok([Arc::clone(issued), Arc::clone(issued)]);
    }
    let certificate = source.required(&section.certificate, "certificate", span)?;
    let key = source.required(&section.key, "key", span)?;
    let (certificates, key) = (source.content(certificate)?, source.content(key)?);
    let identity = IdentityPem { certificates: &certificates, key: &key };
    let given = tls::server(identity).map_err(|error| {
        source.error(&certificate.span(), chain(&error), "give a PEM chain and its key")
    })?;
    let connectors = issued.unwrap_or_else(|| Arc::clone(&given.config));
    Ok([given.config, connectors])
}

/// A service token, of which only the hash of the secret is kept.
fn service_token(
    source: &Source,
    section: &Spanned<ServiceTokenSection>,
) -> Result<TokenRecord, ConfigError> {
    let (span, section) = (section.span(), section.get_ref());
    let name = source.required(&section.name, "name", &span)?.get_ref().clone();
    let id = source.required(&section.id, "id", &span)?;
    let secret = source.secret(&SecretKeys {
        key: "secret",
        plain: &None,
        file: &section.secret_file,
        environment: &section.secret_env,
    })?;
    let hash = match (secret, &section.secret_sha256) {
        (Some(secret), None) => SecretHash::of(secret.expose().as_bytes()),
        (None, Some(typed)) => source.text(typed)?.expose().parse().map_err(|_not_hex| {
            let problem = "the secret hash of a service token must be 64 hexadecimal digits";
            source.error(&typed.span(), problem, "")
        })?,
        (Some(_), Some(hash)) => {
            let problem = "secret and secret_sha256 are both given";
            return Err(source.error(&hash.span(), problem, "keep one"));
        }
        (None, None) => {
            let remedy = "add secret_file, secret_env or secret_sha256";
            return Err(source.error(&span, "the service token has no secret", remedy));
        }
    };
    TokenRecord::derived(name, id.get_ref().clone(), hash)
        .map_err(|error| source.error(&id.span(), error.to_string(), ""))
}

fn tunnel(source: &Source, section: &Spanned<TunnelSection>) -> Result<Tunnel, ConfigError> {
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
    Ok(Tunnel::from(&token))
}

fn tunnel_id(source: &Source, typed: &Spanned<String>) -> Result<TunnelId, ConfigError> {
    TunnelId::from_str(typed.get_ref())
        .map_err(|error| source.error(&typed.span(), error.to_string(), ""))
}

/// Adds a hostname that only the named tokens may pass to.
fn guard(
    source: &Source,
    section: &Spanned<HostnameSection>,
    state: &mut State,
) -> Result<(), ConfigError> {
    let (span, section) = (section.span(), section.get_ref());
    let name = source.required(&section.name, "name", &span)?;
    let typed = source.required(&section.tunnel, "tunnel", &span)?;
    let tunnel = tunnel_id(source, typed)?;
    if !state.tunnels.iter().any(|known| known.id == tunnel) {
        let problem = "names a tunnel that is not in this file";
        return Err(source.error(&typed.span(), problem, "add [[edge.tunnel]] with this id"));
    }
    let policy = source.required(&section.service_tokens, "service_tokens", &span)?;
    let mut tokens = Vec::new();
    for allowed in policy.get_ref() {
        let known = tokens.len();
        // A name may come twice while its token is rotated.
        let named = state.service_tokens.iter().filter(|token| token.name == *allowed);
        tokens.extend(named.map(|token| token.id));
        if tokens.len() == known {
            let problem = format!("{allowed:?} is not the name of a service token in this file");
            return Err(source.error(&policy.span(), problem, "add [[edge.service_token]]"));
        }
    }
    state.guard(name.get_ref(), tunnel, &tokens);
    // Names the hostname that was added, as all before it were good.
    state.check().map_err(|error| source.error(&name.span(), error.to_string(), ""))
}
