//! `[control]`: from typed to what a control node needs.

use std::{net::SocketAddr, sync::Arc};

use control::seal::Keyring;
use origin::{
    net::tls::{self, IdentityPem},
    secret::Secret,
};
use rustls::ServerConfig;

use super::{
    document::{Document, SecretKeys},
    error::ConfigError,
};
use crate::report::chain;

/// What `jumpgate control` needs.
#[derive(Debug)]
pub struct ControlSetup {
    /// Where the API and the dashboard are.
    pub listen: SocketAddr,
    /// The certificate that is shown there; `None` for plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Where what it knows is kept. It may hold a password.
    pub store: Secret<String>,
    /// What that is sealed with.
    pub keyring: Keyring,
    /// Whether a config is kept only if its database can be reached.
    pub tests_connections: bool,
}

impl Document {
    /// Whether the file has what `jumpgate control` needs.
    pub fn has_control(&self) -> bool {
        self.sections.control.as_ref().is_some_and(|section| section.get_ref().store.is_some())
    }

    /// What `jumpgate control` and the tools beside it need.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first rule that is broken.
    pub fn control(&self) -> Result<ControlSetup, ConfigError> {
        let source = &self.source;
        let section = self.sections.control.as_ref();
        let section =
            section.ok_or_else(|| source.missing_section("control", "`jumpgate control`"))?;
        let (span, section) = (section.span(), section.get_ref());
        let listen = source.required(&section.listen, "listen", &span)?;
        let identity =
            source.both_or_neither(("certificate", &section.certificate), ("key", &section.key))?;
        let tls = match identity {
            Some((certificate, key)) => {
                let (certificates, private) = (source.content(certificate)?, source.content(key)?);
                let identity = IdentityPem { certificates: &certificates, key: &private };
                let server = tls::server(identity)
                    .map_err(|error| source.error(&certificate.span(), chain(&error), ""))?;
                let mut config = ServerConfig::clone(&server.config);
                config.alpn_protocols = vec![b"http/1.1".to_vec()];
                Some(Arc::new(config))
            }
            None => None,
        };
        let allows_plain = section.plain_http.as_ref().is_some_and(|it| *it.get_ref());
        if tls.is_none() && !listen.get_ref().ip().is_loopback() && !allows_plain {
            let remedy =
                "add certificate and key, or plain_http = true where a load balancer does TLS";
            let problem = "passwords and tokens would go over the network in the clear";
            return Err(source.error(&listen.span(), problem, remedy));
        }
        let store = source.secret(&SecretKeys {
            key: "store",
            plain: &section.store,
            file: &section.store_file,
            environment: &section.store_env,
        })?;
        let store = store.ok_or_else(|| {
            source.error(&span, "`store` is missing", "add store = \"sqlite:control.db\"")
        })?;
        let key = source.secret(&SecretKeys {
            key: "sealing_key",
            plain: &section.sealing_key,
            file: &section.sealing_key_file,
            environment: &section.sealing_key_env,
        })?;
        let key = key.ok_or_else(|| {
            let remedy = "begin with `jumpgate control init`, which makes one";
            source.error(&span, "`sealing_key_file` is missing", remedy)
        })?;
        let keyring =
            key.expose().parse().map_err(|error| source.error(&span, chain(&error), ""))?;
        let store = store_beside(&store, |file| source.path(file).display().to_string());
        let tests_connections = section.test_connections.as_ref().is_none_or(|it| *it.get_ref());
        Ok(ControlSetup { listen: *listen.get_ref(), tls, store, keyring, tests_connections })
    }
}

/// A file's path is relative to the file of settings.
fn store_beside(store: &Secret<String>, path: impl Fn(&str) -> String) -> Secret<String> {
    let text = store.expose();
    let file = text.strip_prefix("sqlite:").filter(|file| !file.starts_with("//"));
    Secret::new(file.map_or_else(|| text.clone(), |file| format!("sqlite:{}", path(file))))
}
