//! `[[database]]` and what is below it: from typed to a draft of a config, and where each of its keys stands.
//!
//! What a config may say is `control`'s to decide; here only files and variables are read.

use control::{
    CachingDraft, CaptureDraft, Draft, MtlsDraft, OriginDraft, PoolDraft, RuleDraft, Secret,
    UserDraft,
};
use toml::Spanned;

use super::{
    document::{SecretKeys, Source, Span},
    error::{ConfigError, Mistakes},
    file::{
        CachingSection, CaptureSection, DatabaseSection, MtlsSection, OriginSection, Plain,
        PoolSection, RuleSection, Typed, UserSection,
    },
    places::Places,
};

/// What a section says, and where.
pub(super) fn draft(
    source: &Source,
    section: &Spanned<DatabaseSection>,
) -> (Draft, Places, Vec<ConfigError>) {
    let mut reader = Reader {
        source,
        places: Places::of_section(section.span()),
        mistakes: Mistakes::default(),
    };
    let section = section.get_ref();
    let draft = Draft {
        id: reader.value("id", &section.id),
        name: reader.value("name", &section.name),
        origin: section.origin.as_ref().map(|origin| reader.origin(origin)),
        mtls: section.mtls.as_ref().map(|mtls| reader.mtls(mtls)).unwrap_or_default(),
        users: section.user.iter().enumerate().map(|user| reader.user(user)).collect(),
        caching: section.caching.as_ref().map(|it| reader.caching(it)).unwrap_or_default(),
        round_trips: reader.value("round_trips", &section.round_trips).unwrap_or_default(),
        capture: section.capture.as_ref().map(|it| reader.capture(it)),
        pool: section.pool.as_ref().map(|it| reader.pool(it)).unwrap_or_default(),
        restarted: 0,
    };
    (draft, reader.places, reader.mistakes.into_errors())
}

/// Reads values, and remembers where they stand.
struct Reader<'a> {
    source: &'a Source,
    places: Places,
    mistakes: Mistakes,
}

impl Reader<'_> {
    fn stands(&mut self, key: impl Into<String>, place: Span) {
        self.places.stands(key.into(), place);
    }

    fn value<T: Clone>(&mut self, key: impl Into<String>, typed: &Typed<T>) -> Option<T> {
        let typed = typed.as_ref()?;
        self.stands(key, typed.span());
        Some(typed.get_ref().clone())
    }

    /// The content of the file that a setting names. Where it cannot be read that is told, and nothing more of it.
    fn content(&mut self, key: &str, typed: &Typed<String>) -> Option<Vec<u8>> {
        let typed = typed.as_ref()?;
        self.stands(key, typed.span());
        Some(self.mistakes.keep(self.source.content(typed)).unwrap_or_default())
    }

    /// A secret; as with a file.
    fn secret(&mut self, table: &str, keys: &SecretKeys<'_>) -> Option<Secret> {
        let given = [
            keys.plain.as_ref().map(Spanned::span),
            keys.file.as_ref().map(Spanned::span),
            keys.environment.as_ref().map(Spanned::span),
        ];
        let place = given.into_iter().flatten().next()?;
        self.stands(format!("{table}.{}", keys.key), place);
        let secret = self.mistakes.keep(self.source.secret(keys)).flatten();
        Some(
            secret
                .map_or_else(|| Secret::from(""), |secret| Secret::from(secret.expose().as_str())),
        )
    }

    fn origin(&mut self, section: &Spanned<OriginSection>) -> OriginDraft {
        self.stands("origin", section.span());
        let section = section.get_ref();
        OriginDraft {
            scheme: self.value("origin.scheme", &section.scheme),
            host: self.value("origin.host", &section.host),
            port: self.value("origin.port", &section.port),
            hosts: self.value("origin.hosts", &section.hosts),
            target_session_attrs: self
                .value("origin.target_session_attrs", &section.target_session_attrs),
            database: self.value("origin.database", &section.database),
            user: self.value("origin.user", &section.user),
            password: self.secret(
                "origin",
                &SecretKeys {
                    key: "password",
                    plain: &section.password,
                    file: &section.password_file,
                    environment: &section.password_env,
                },
            ),
            access_client_id: self.value("origin.access_client_id", &section.access_client_id),
            access_client_secret: self.secret(
                "origin",
                &SecretKeys {
                    key: "access_client_secret",
                    plain: &section.access_client_secret,
                    file: &section.access_client_secret_file,
                    environment: &section.access_client_secret_env,
                },
            ),
            compression: self.value("origin.compression", &section.compression),
            edge_address: self.value("origin.edge_address", &section.edge_address),
            edge_ca_certificate: self
                .content("origin.edge_ca_certificate", &section.edge_ca_certificate),
        }
    }

    fn mtls(&mut self, section: &Spanned<MtlsSection>) -> MtlsDraft {
        self.stands("mtls", section.span());
        let section = section.get_ref();
        let key = self.content("mtls.client_key", &section.client_key);
        MtlsDraft {
            sslmode: self.value("mtls.sslmode", &section.sslmode),
            ca_certificate: self.content("mtls.ca_certificate", &section.ca_certificate),
            client_certificate: self
                .content("mtls.client_certificate", &section.client_certificate),
            client_key: key.map(|key| Secret::from(String::from_utf8_lossy(&key).into_owned())),
        }
    }

    /// A secret that only the file itself can hold.
    fn plain(&mut self, key: String, typed: &Plain) -> Option<Secret> {
        let typed = typed.as_ref()?;
        self.stands(key, typed.span());
        let text = self.mistakes.keep(self.source.text(typed));
        Some(Secret::from(text.as_ref().map_or("", |text| text.expose().as_str())))
    }

    fn user(&mut self, (index, section): (usize, &Spanned<UserSection>)) -> UserDraft {
        let table = format!("user.{index}");
        self.stands(&table, section.span());
        let section = section.get_ref();
        UserDraft {
            name: self.value(format!("{table}.name"), &section.name),
            password: self.secret(
                &table,
                &SecretKeys {
                    key: "password",
                    plain: &section.password,
                    file: &section.password_file,
                    environment: &section.password_env,
                },
            ),
            verifier: self.plain(format!("{table}.verifier"), &section.verifier),
            hashes: None,
            previous_password: self.previous_password(&table, section),
            previous_verifier: self
                .plain(format!("{table}.previous_verifier"), &section.previous_verifier),
            previous_hashes: None,
            previous_expires_at: None,
            statement_timeout: self
                .value(format!("{table}.statement_timeout"), &section.statement_timeout),
            max_connections: self
                .value(format!("{table}.max_connections"), &section.max_connections),
        }
    }

    fn previous_password(&mut self, table: &str, section: &UserSection) -> Option<Secret> {
        let keys = SecretKeys {
            key: "previous_password",
            plain: &section.previous_password,
            file: &section.previous_password_file,
            environment: &section.previous_password_env,
        };
        let typed = section.previous_password.as_ref();
        let is_text = typed.is_some_and(|typed| typed.get_ref().is_str());
        // What could not be read is told already, and is not as if somebody had typed nothing.
        self.secret(table, &keys).filter(|secret| is_text || !secret.expose().is_empty())
    }

    fn caching(&mut self, section: &Spanned<CachingSection>) -> CachingDraft {
        self.stands("caching", section.span());
        let section = section.get_ref();
        CachingDraft {
            disabled: self.value("caching.disabled", &section.disabled),
            max_age: self.value("caching.max_age", &section.max_age),
            stale_while_revalidate: self
                .value("caching.stale_while_revalidate", &section.stale_while_revalidate),
            in_transactions: self.value("caching.in_transactions", &section.in_transactions),
            clock_max_age: self.value("caching.clock_max_age", &section.clock_max_age),
            writers: self.value("caching.writers", &section.writers),
            rules: Some(section.rule.iter().enumerate().map(|rule| self.rule(rule)).collect()),
        }
    }

    fn rule(&mut self, (index, section): (usize, &Spanned<RuleSection>)) -> RuleDraft {
        let table = format!("caching.rules.{index}");
        self.stands(&table, section.span());
        let section = section.get_ref();
        let key = |key: &str| format!("{table}.{key}");
        let stale = &section.stale_while_revalidate;
        RuleDraft {
            tables: self.value(key("tables"), &section.tables),
            user: self.value(key("user"), &section.user),
            never: self.value(key("never"), &section.never),
            max_age: self.value(key("max_age"), &section.max_age),
            stale_while_revalidate: self.value(key("stale_while_revalidate"), stale),
            clock_max_age: self.value(key("clock_max_age"), &section.clock_max_age),
        }
    }

    fn capture(&mut self, section: &Spanned<CaptureSection>) -> CaptureDraft {
        self.stands("capture", section.span());
        let section = section.get_ref();
        CaptureDraft {
            enabled: self.value("capture.enabled", &section.enabled),
            slot: self.value("capture.slot", &section.slot),
            publication: self.value("capture.publication", &section.publication),
            user: self.value("capture.user", &section.user),
            password: self.secret(
                "capture",
                &SecretKeys {
                    key: "password",
                    plain: &section.password,
                    file: &section.password_file,
                    environment: &section.password_env,
                },
            ),
            max_lag: self.value("capture.max_lag", &section.max_lag),
            until_changed: self.value("capture.until_changed", &section.until_changed),
        }
    }

    fn pool(&mut self, section: &Spanned<PoolSection>) -> PoolDraft {
        self.stands("pool", section.span());
        let section = section.get_ref();
        PoolDraft {
            mode: self.value("pool.mode", &section.mode),
            origin_connection_limit: self
                .value("pool.origin_connection_limit", &section.origin_connection_limit),
            max_clients: self.value("pool.max_clients", &section.max_clients),
            min_idle: self.value("pool.min_idle", &section.min_idle),
            checkout_timeout: self.value("pool.checkout_timeout", &section.checkout_timeout),
            connect_timeout: self.value("pool.connect_timeout", &section.connect_timeout),
            idle_timeout: self.value("pool.idle_timeout", &section.idle_timeout),
            max_lifetime: self.value("pool.max_lifetime", &section.max_lifetime),
            statement_timeout: self.value("pool.statement_timeout", &section.statement_timeout),
            idle_in_transaction_timeout: self
                .value("pool.idle_in_transaction_timeout", &section.idle_in_transaction_timeout),
        }
    }
}
