//! `[listen]`, `[admin]`, `[log]` and `[cache]`: from typed to meant.

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

use control::Mistake;
use origin::net::tls::{self, IdentityPem, ServerTls};
use serving::{
    config::{CacheConfig, Config, DirectTls, Engine, ListenConfig, LogConfig, LogFormat},
    salts::Salts,
};
use tracing_subscriber::EnvFilter;

use super::{
    database_section::draft,
    document::{Document, Source},
    error::{ConfigError, Mistakes},
    file::{CacheSection, ListenSection, LogSection, Typed},
    makings::Makings,
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
    /// [`ConfigError`] names the rules that are broken.
    pub fn proxy(&self) -> Result<Config, ConfigError> {
        self.proxy_that_reloads(&mut Makings::default())
    }

    /// The same for a process that will read the file again, with the same `makings`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the rules that are broken.
    pub fn proxy_that_reloads(&self, makings: &mut Makings) -> Result<Config, ConfigError> {
        let mut mistakes = Mistakes::default();
        let (configs, unfit) = match self.configs() {
            Ok(configs) => (configs, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let made = mistakes.keep(self.proxy_with(&configs, makings));
        mistakes.keep(unfit.map_or(Ok(()), Err));
        mistakes.or(made)
    }

    /// What a process needs that serves these configs, with what it made of those before them.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the rules that are broken, of configs that stand in this file with their line.
    pub fn proxy_with(
        &self,
        configs: &[Arc<control::Config>],
        makings: &mut Makings,
    ) -> Result<Config, ConfigError> {
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
        let salts = match (&makings.salts, key) {
            (Some(salts), _) => salts.clone(),
            // Where it cannot be read that is told above.
            (None, Some(key)) => Salts::of_key(&source.content(key).unwrap_or_default()),
            (None, None) => Salts::random(),
        };
        let before = makings.by_name();
        let mut databases = Vec::with_capacity(configs.len());
        for config in configs {
            let served =
                makings.served(config, before.get(&config.name), &salts).and_then(|database| {
                    let listens =
                        listen.as_ref().is_none_or(|it| it.address(database.engine).is_some());
                    if listens { Ok(database) } else { Err(unreachable(database.engine)) }
                });
            let served = served.map_err(|mistake| self.place(config, mistake));
            databases.extend(mistakes.keep(served));
        }
        let made = match (listen, admin, cache, log) {
            (Some(listen), Some(admin), Some(cache), Some(log)) => {
                let notes = configs.iter().flat_map(|config| {
                    config.doubts().map(|doubt| self.place(config, doubt).to_string())
                });
                let notes = notes.collect();
                Some(Config { listen, admin, cache, databases, log, salts, notes })
            }
            _ => None,
        };
        mistakes.or(made)
    }

    /// Adds to what a process serves configs that come from elsewhere. One that cannot be served is left out, and so is one
    /// whose name or id the file has itself; says which, and why.
    pub fn serve_beside(
        config: &mut Config,
        others: &[Arc<control::Config>],
        makings: &mut Makings,
    ) -> Vec<String> {
        let (before, mut left_out) = (makings.by_name(), Vec::new());
        let own: HashSet<_> = config
            .databases
            .iter()
            .flat_map(|database| [database.name.clone(), database.id.clone()])
            .collect();
        for other in others {
            let name = &other.name;
            if own.contains(name) || own.contains(&other.id) {
                left_out.push(format!(
                    "{name:?} is not served as the control node says: the file of this node has a [[database]] with its \
                     name or id"
                ));
                continue;
            }
            match makings.served(other, before.get(name), &config.salts) {
                Ok(database) if config.listen.address(database.engine).is_none() => {
                    let why = unreachable(database.engine);
                    left_out.push(format!("{name:?} cannot be served: {why}"));
                }
                Ok(database) => config.databases.push(database),
                Err(why) => left_out.push(format!("{name:?} cannot be served: {why}")),
            }
        }
        left_out
    }

    /// A mistake in a config, with its line where that stands in this file.
    fn place(&self, config: &control::Config, mistake: Mistake) -> ConfigError {
        let places = self.places.lock();
        let place = places.get(&config.id).map_or(0..0, |places| places.of(&mistake));
        self.source.error(&place, mistake.problem, mistake.remedy)
    }

    /// Every `[[database]]`, with names that are unique.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the rules that are broken.
    pub fn configs(&self) -> Result<Vec<Arc<control::Config>>, ConfigError> {
        let source = &self.source;
        let mut seen = HashSet::new();
        let mut configs = Vec::with_capacity(self.sections.database.len());
        let mut mistakes = Mistakes::default();
        if self.sections.database.is_empty() && !self.follows() {
            let remedy = "add one, see jumpgate.example.toml";
            let none = source.error(&(0..0), "there is no [[database]]", remedy);
            mistakes.keep::<()>(Err(none));
        }
        for section in &self.sections.database {
            let (draft, places, unread) = draft(source, section);
            let checked = draft.check();
            let wrong = checked.as_ref().err().cloned().into_iter().flatten().map(|mistake| {
                let place = places.of(&mistake);
                source.error(&place, mistake.problem, mistake.remedy)
            });
            let is_closed = section.get_ref().user.is_empty();
            let nobody = is_closed.then(|| {
                let remedy = "add a [[database.user]] with a name and a password";
                source.error(&section.span(), "the database has no user", remedy)
            });
            for error in wrong.chain(nobody).chain(unread) {
                mistakes.keep::<()>(Err(error));
            }
            let Ok(config) = checked else { continue };
            for (key, value) in [("name", &config.name), ("id", &config.id)] {
                if !seen.insert((key, value.clone())) {
                    let problem = format!("another [[database]] has the same {key}");
                    let error = source.error(&section.span(), problem, "choose another");
                    mistakes.keep::<()>(Err(error));
                    break;
                }
            }
            self.places.lock().insert(config.id.clone(), places);
            configs.push(Arc::new(config));
        }
        mistakes.or(Some(configs))
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

/// A database whose clients have nowhere to connect is a mistake.
fn unreachable(engine: Engine) -> Mistake {
    let (word, port) = (engine.word(), engine.default_port());
    let problem = format!("the database speaks {word}, and [listen] has no {word}");
    Mistake::new("origin.scheme", problem, format!("add {word} = \"127.0.0.1:{port}\" to [listen]"))
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
