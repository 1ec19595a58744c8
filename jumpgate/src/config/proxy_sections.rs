//! `[listen]`, `[admin]`, `[log]` and `[cache]`: from typed to meant.

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

use origin::net::tls::{self, IdentityPem, ServerTls};
use serving::{
    config::{CacheConfig, Config, DatabaseConfig, DirectTls, ListenConfig, LogConfig, LogFormat},
    salts::Salts,
};
use tracing_subscriber::EnvFilter;

use super::{
    database::database_config,
    document::{Document, Source},
    error::{ConfigError, Mistakes},
    file::{CacheSection, ListenSection, LogSection, Typed},
};
use crate::report::chain;

/// A timeout of the listener shorter than this would refuse everybody.
const TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// MySQL clients keep it in buffers of 60 bytes (`SERVER_VERSION_LENGTH`).
const SERVER_VERSION_MAX: usize = 60;

impl Document {
    /// What `jumpgate proxy` needs.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first rule that is broken.
    pub fn proxy(&self) -> Result<Config, ConfigError> {
        self.proxy_with(None)
    }

    /// The same, for a process that began with these salts.
    ///
    /// # Errors
    ///
    /// As [`Document::proxy`].
    pub fn again(&self, salts: &Salts) -> Result<Config, ConfigError> {
        self.proxy_with(Some(salts))
    }

    fn proxy_with(&self, salts: Option<&Salts>) -> Result<Config, ConfigError> {
        let (source, sections) = (&self.source, &self.sections);
        let mut mistakes = Mistakes::default();
        let log = mistakes.keep(self.log());
        let section = sections.listen.as_ref();
        let section = section.ok_or_else(|| source.missing_section("listen", "`jumpgate proxy`"));
        let section = mistakes.keep(section);
        let listen = section.and_then(|section| mistakes.keep(listen_config(source, section)));
        let admin = sections.admin.as_ref().map(|admin| {
            let address = source.required(&admin.get_ref().listen, "listen", &admin.span());
            address.map(|address| *address.get_ref())
        });
        let admin = mistakes.keep(admin.transpose());
        let cache = sections.cache.as_ref().map(toml::Spanned::get_ref);
        let cache = mistakes.keep(cache_config(source, cache));
        let key = section.and_then(|section| section.get_ref().tls_key.as_ref());
        let salts = match (salts, key) {
            (Some(salts), _) => salts.clone(),
            // Where it cannot be read that is told above.
            (None, Some(key)) => Salts::of_key(&source.content(key).unwrap_or_default()),
            (None, None) => Salts::random(),
        };
        let databases = mistakes.keep(self.databases(&salts));
        let config = match (listen, admin, cache, databases, log) {
            (Some(listen), Some(admin), Some(cache), Some(databases), Some(log)) => {
                let notes = self.notes();
                let config = Config { listen, admin, cache, databases, log, salts, notes };
                mistakes.keep(self.each_can_be_reached(&config).map(|()| config))
            }
            _ => None,
        };
        mistakes.or(config)
    }

    /// What is allowed and seldom meant.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for section in &self.sections.database {
            let section = section.get_ref();
            let certificate = section.mtls.as_ref();
            let certificate = certificate.is_some_and(|mtls| mtls.get_ref().client_key.is_some());
            let Some(origin) = &section.origin else { continue };
            let (span, origin) = (origin.span(), origin.get_ref());
            let has_password = origin.password.is_some()
                || origin.password_file.is_some()
                || origin.password_env.is_some();
            if !has_password && !certificate {
                let problem = "the origin has neither a password nor a client certificate";
                let remedy = "add password_file, or password = \"\" where it trusts everybody";
                notes.push(self.source.error(&span, problem, remedy).to_string());
            }
        }
        notes
    }

    /// A database whose clients have nowhere to connect is a mistake.
    fn each_can_be_reached(&self, config: &Config) -> Result<(), ConfigError> {
        for (section, database) in self.sections.database.iter().zip(&config.databases) {
            let engine = database.engine;
            if config.listen.address(engine).is_none() {
                let (word, port) = (engine.word(), engine.default_port());
                let problem = format!("the database speaks {word}, and [listen] has no {word}");
                let remedy = format!("add {word} = \"127.0.0.1:{port}\" to [listen]");
                let origin = section.get_ref().origin.as_ref();
                let place = origin.and_then(|origin| origin.get_ref().scheme.as_ref());
                let place = place.map_or_else(|| section.span(), toml::Spanned::span);
                return Err(self.source.error(&place, problem, remedy));
            }
        }
        Ok(())
    }

    /// Every `[[database]]`, with names that are unique.
    fn databases(&self, salts: &Salts) -> Result<Vec<Arc<DatabaseConfig>>, ConfigError> {
        let source = &self.source;
        let mut seen = HashSet::new();
        // What the listener read is no part of a database.
        let _of_the_listener = source.take_read();
        let mut databases = Vec::with_capacity(self.sections.database.len());
        let nothing = toml::Table::new();
        let mut mistakes = Mistakes::default();
        if self.sections.database.is_empty() {
            let remedy = "add one, see jumpgate.example.toml";
            let none = source.error(&(0..0), "there is no [[database]]", remedy);
            mistakes.keep::<()>(Err(none));
        }
        // A second view of the same text, without places, comments or order.
        let plain: toml::Table = toml::from_str(&source.text).unwrap_or_default();
        let plain = plain.get("database").and_then(toml::Value::as_array);
        for (index, section) in self.sections.database.iter().enumerate() {
            let plain = plain.and_then(|all| all.get(index)).and_then(toml::Value::as_table);
            let plain = plain.unwrap_or(&nothing);
            let made = database_config(source, section, plain, salts);
            let Some(database) = mistakes.keep(made) else { continue };
            for (key, value) in [("name", &database.name), ("id", &database.id)] {
                if !seen.insert((key, value.clone())) {
                    let problem = format!("another [[database]] has the same {key}");
                    let error = source.error(&section.span(), problem, "choose another");
                    mistakes.keep::<()>(Err(error));
                    break;
                }
            }
            databases.push(Arc::new(database));
        }
        mistakes.or(Some(databases))
    }

    /// How to log, in every role.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where the format is none that exists.
    pub fn log(&self) -> Result<LogConfig, ConfigError> {
        match &self.sections.log {
            Some(section) => log_config(&self.source, section.get_ref()),
            None => Ok(LogConfig::default()),
        }
    }

    /// Whether the file has something for a role.
    pub fn has_proxy(&self) -> bool {
        self.sections.listen.is_some() || !self.sections.database.is_empty()
    }
}

fn listen_config(
    source: &Source,
    section: &toml::Spanned<ListenSection>,
) -> Result<ListenConfig, ConfigError> {
    let (span, section) = (section.span(), section.get_ref());
    let usual = ListenConfig::default();
    let mut mistakes = Mistakes::default();
    let tls = mistakes.keep(listen_tls(source, section)).flatten();
    if let Some(limit) = section.max_clients.as_ref().filter(|limit| *limit.get_ref() == 0) {
        mistakes.keep::<()>(Err(source.error(&limit.span(), "must be at least 1", "")));
    }
    let max_clients = section.max_clients.as_ref();
    let max_clients = max_clients
        .map_or(usual.max_clients, |limit| usize::try_from(*limit.get_ref()).unwrap_or(usize::MAX));
    let (config, channel_binding) =
        tls.map_or((None, None), |tls| (Some(tls.config), tls.end_point));
    let address = |typed: &Typed<SocketAddr>| typed.as_ref().map(|typed| *typed.get_ref());
    let (postgres, mysql) = (address(&section.postgres), address(&section.mysql));
    if postgres.is_none() && mysql.is_none() {
        let remedy = "add postgres = \"127.0.0.1:6432\" or mysql = \"127.0.0.1:3306\"";
        mistakes.keep::<()>(Err(source.error(&span, "there is no listener", remedy)));
    }
    let version = mistakes.keep(server_version(source, &section.mysql_server_version)).flatten();
    let mut wait = |typed: &Typed<f64>, default| {
        mistakes.keep(source.seconds(typed, default, TIMEOUT_MIN)).unwrap_or(default)
    };
    let login_timeout = wait(&section.login_timeout, usual.login_timeout);
    let write_timeout = wait(&section.write_timeout, usual.write_timeout);
    let is_set = |typed: &Typed<bool>| typed.as_ref().is_some_and(|typed| *typed.get_ref());
    let direct_tls = match is_set(&section.direct_tls_without_alpn) {
        true => DirectTls::Unnamed,
        false => DirectTls::Named,
    };
    mistakes.or(Some(ListenConfig {
        postgres,
        mysql,
        mysql_server_version: version,
        mysql_compression: section.mysql_compression.as_ref().is_none_or(|typed| *typed.get_ref()),
        tls: config,
        require_tls: is_set(&section.require_tls),
        direct_tls,
        channel_binding,
        max_clients,
        login_timeout,
        max_failed_logins: section
            .max_failed_logins
            .as_ref()
            .map_or(usual.max_failed_logins, |limit| *limit.get_ref()),
        write_timeout,
    }))
}

/// The certificate for clients, and its key, if there is one.
fn listen_tls(source: &Source, section: &ListenSection) -> Result<Option<ServerTls>, ConfigError> {
    let files = source.both_or_neither(
        ("tls_certificate", &section.tls_certificate),
        ("tls_key", &section.tls_key),
    )?;
    let Some((certificate, key)) = files else {
        if let Some(required) = section.require_tls.as_ref().filter(|typed| *typed.get_ref()) {
            let problem = "TLS is required, and there is no certificate to offer it with";
            let remedy = "add tls_certificate and tls_key";
            return Err(source.error(&required.span(), problem, remedy));
        }
        return Ok(None);
    };
    let (certificates, key) = (source.content(certificate)?, source.content(key)?);
    let identity = IdentityPem { certificates: &certificates, key: &key };
    let tls = tls::server(identity).map_err(|error| {
        source.error(&certificate.span(), chain(&error), "give a PEM chain and its key")
    })?;
    Ok(Some(tls))
}

/// A version as the greeting can carry it: it ends with a zero byte there, and drivers read its digits.
fn server_version(source: &Source, typed: &Typed<String>) -> Result<Option<String>, ConfigError> {
    let Some(typed) = typed else { return Ok(None) };
    let text = typed.get_ref();
    let is_version = text.starts_with(|first: char| first.is_ascii_digit())
        && text.len() <= SERVER_VERSION_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_version {
        let problem = "must begin with a digit and hold visible ASCII characters only";
        return Err(source.error(&typed.span(), problem, "for example \"8.4.0\""));
    }
    Ok(Some(text.clone()))
}

fn cache_config(
    source: &Source,
    section: Option<&CacheSection>,
) -> Result<CacheConfig, ConfigError> {
    let usual = CacheConfig::default();
    let capacity = section.and_then(|section| section.capacity_bytes.as_ref());
    let entry = section.and_then(|section| section.max_entry_bytes.as_ref());
    let capacity_bytes = capacity.map_or(usual.capacity_bytes, |value| *value.get_ref());
    let longest = CacheConfig::longest_entry(capacity_bytes);
    let usual_entry = u64::try_from(usual.max_entry_bytes).unwrap_or(u64::MAX).min(longest);
    let max_entry_bytes = entry.map_or(usual_entry, |value| (*value.get_ref()).into());
    if let Some(entry) = entry
        && max_entry_bytes > longest
    {
        let remedy = "lower it, or raise capacity_bytes";
        return Err(source.error(
            &entry.span(),
            "is more than a quarter of capacity_bytes",
            remedy,
        ));
    }
    Ok(CacheConfig {
        capacity_bytes,
        max_entry_bytes: usize::try_from(max_entry_bytes).unwrap_or(usize::MAX),
    })
}

fn log_config(source: &Source, section: &LogSection) -> Result<LogConfig, ConfigError> {
    let mut config = LogConfig::default();
    if let Some(format) = &section.format {
        config.format = match format.get_ref().as_str() {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            _ => return Err(source.error(&format.span(), "must be \"text\" or \"json\"", "")),
        };
    }
    if let Some(filter) = &section.filter {
        if let Err(error) = EnvFilter::try_new(filter.get_ref()) {
            let problem = format!("is no log filter: {error}");
            return Err(source.error(&filter.span(), problem, "for example \"info,proxy=debug\""));
        }
        config.filter.clone_from(filter.get_ref());
    }
    Ok(config)
}
