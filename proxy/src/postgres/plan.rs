//! What a request needs: an answer of our own, the cache, or a backend.
//!
//! Pure: no I/O, no clock. That nothing is cached in a transaction or on a pinned session is written once, in
//! [`Facts::verdict`].

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use cache::{
    Freshness, Key, KeyBuilder,
    sql::{self, Analysis, Hint, Kind, Reason, TableName, Verdict, Writes},
};

use super::{
    backend::Parameters,
    batch::Request,
    catalog::{Judged, Known},
    prepared::Statement,
    settings::Settings,
};
use crate::{config::CachingConfig, observe::CacheStatus};

/// Whether the cache may answer, and for which tables.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cacheable {
    /// It may.
    Yes(Vec<TableName>),
    /// It may not; the word for metrics.
    No(CacheStatus),
}

/// Where the session stands when a request comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has no state that a backend would have to know.
    Free,
    /// A transaction block is open.
    InTransaction,
    /// It is pinned to its backend, or replies to earlier requests are still owed.
    Bound,
}

/// A text with what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) analysis: Arc<Analysis>,
    /// `None` where caching is off or the catalog is not known.
    pub(super) judged: Option<Arc<Judged>>,
}

impl Text {
    /// Looks the judgement up, or makes it.
    pub(super) fn new(query: &[u8], analysis: Arc<Analysis>, catalog: Option<&Known>) -> Self {
        // A text in another encoding than UTF-8 is never cached, so that it need not be judged.
        let judged = match (catalog, std::str::from_utf8(query)) {
            (Some(catalog), Ok(query)) => Some(catalog.judge(query, &analysis)),
            _ => None,
        };
        Self { analysis, judged }
    }

    /// What it may write.
    pub(super) fn writes(&self) -> Writes {
        match &self.judged {
            Some(judged) => judged.writes.clone(),
            None => self.analysis.writes(),
        }
    }

    /// Whether it changes the schema.
    pub(super) fn is_ddl(&self) -> bool {
        self.analysis.statements.iter().any(|statement| statement.kind == Kind::Ddl)
    }

    /// Whether the cache may answer it.
    pub(super) fn verdict(&self, standing: Standing, caching: &CachingConfig) -> Cacheable {
        if caching.disabled {
            return Cacheable::No(CacheStatus::Disabled);
        }
        match standing {
            Standing::InTransaction => return Cacheable::No(CacheStatus::Transaction),
            Standing::Bound => return Cacheable::No(CacheStatus::Uncacheable),
            Standing::Free => {}
        }
        if self.analysis.hint.no_cache {
            return Cacheable::No(CacheStatus::Uncacheable);
        }
        match self.judged.as_deref() {
            Some(Judged { verdict: Verdict::Cacheable { tables }, .. }) => {
                Cacheable::Yes(tables.clone())
            }
            Some(Judged { verdict: Verdict::Refused(reason), .. }) => {
                Cacheable::No(status_of(reason))
            }
            None => Cacheable::No(CacheStatus::Uncacheable),
        }
    }
}

/// The metrics' word for a reason.
pub(super) fn status_of(reason: &Reason) -> CacheStatus {
    let word = reason.status();
    CacheStatus::ALL.into_iter().find(|s| s.word() == word).unwrap_or(CacheStatus::Uncacheable)
}

/// How old an answer may be: by the comment in the statement, else by the config.
pub(super) fn freshness(hint: &Hint, caching: &CachingConfig) -> Freshness {
    Freshness {
        max_age: hint.max_age.unwrap_or(caching.max_age),
        stale_while_revalidate: hint
            .stale_while_revalidate
            .unwrap_or(caching.stale_while_revalidate),
    }
}

/// Whether texts mean what the parse says they mean: with `standard_conforming_strings` off a backslash would
/// escape where the parse sees none.
pub(super) fn is_standard(parameters: &Parameters) -> bool {
    parameters.get("standard_conforming_strings").is_none_or(|value| value == "on")
}

/// Everything about a session that shapes its replies: the values it was told, and the settings that follow it
/// and are not reported. The application's name shapes nothing.
pub(super) fn fingerprint(parameters: &Parameters, settings: &Settings) -> Bytes {
    let mut bytes = BytesMut::new();
    let mut put = |name: &str, value: &str| {
        for text in [name, value] {
            bytes.put_u64(text.len() as u64);
            bytes.put_slice(text.as_bytes());
        }
    };
    let mut reported = Vec::new();
    for (name, value) in parameters.iter() {
        let name = name.to_ascii_lowercase();
        if name != "application_name" {
            put(&name, value);
        }
        reported.push(name);
    }
    for (name, sql) in settings.iter() {
        if !reported.iter().any(|reported| reported == name) {
            put(name, sql);
        }
    }
    bytes.freeze()
}

/// What decides which objects a statement's names mean, for sharing prepared statements.
pub(super) fn meaning(settings: &Settings, changes: u64) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u64(changes);
    for (name, sql) in settings.iter() {
        if matches!(name, "search_path" | "role" | "session_authorization") {
            bytes.put_slice(sql.as_bytes());
            bytes.put_u8(0);
        }
    }
    bytes.freeze()
}

/// The key of a simple query's reply.
pub(super) fn simple_key(scope: &str, fingerprint: &[u8], query: &[u8]) -> Key {
    KeyBuilder::new(scope)
        .field("wire", b"simple")
        .field("settings", fingerprint)
        .field("text", query)
        .finish()
}

/// The key of an extended request's reply. `None` when its parameters do not decode, or one of them is a text
/// such as `now`, which means another time each time.
pub(super) fn extended_key(
    scope: &str,
    fingerprint: &[u8],
    statement: (&[u8], &[u8]),
    request: &Request<'_>,
) -> Option<Key> {
    let wire = [
        u8::from(request.describes_statement),
        u8::from(request.describes_portal),
        u8::from(request.bind.is_some()),
    ];
    let mut key = KeyBuilder::new(scope)
        .field("wire", &wire)
        .field("settings", fingerprint)
        .field("text", statement.0)
        .field("types", statement.1);
    if let Some(bind) = &request.bind {
        let parameters = bind.parameters().ok()?;
        let depends_on_clock = |(index, value): (usize, &Option<&[u8]>)| {
            value.is_some_and(|value| parameters.is_text(index) && sql::is_time_word(value))
        };
        if parameters.values.iter().enumerate().any(depends_on_clock) {
            return None;
        }
        key = key.field("bind", bind.rest);
    }
    Some(key.finish())
}

/// Whether a text is one DEALLOCATE of a statement that the client prepared by the protocol.
pub(super) fn deallocated<'a>(
    analysis: &Analysis,
    known: impl Fn(&str) -> Option<&'a Arc<Statement>>,
) -> Option<Arc<Statement>> {
    match analysis.statements.as_slice() {
        [one] => match &one.kind {
            Kind::Deallocate(Some(name)) => known(name).cloned(),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cache::sql::analyse;

    use super::*;

    fn caching(disabled: bool) -> CachingConfig {
        CachingConfig {
            disabled,
            max_age: Duration::from_secs(60),
            stale_while_revalidate: Duration::from_secs(15),
        }
    }

    fn text(sql: &str) -> Text {
        Text { analysis: Arc::new(analyse(sql)), judged: None }
    }

    #[test]
    fn nothing_is_cached_in_a_transaction_or_on_a_pinned_session() {
        let status = |standing| text("select 1").verdict(standing, &caching(false));
        assert_eq!(status(Standing::InTransaction), Cacheable::No(CacheStatus::Transaction));
        assert_eq!(status(Standing::Bound), Cacheable::No(CacheStatus::Uncacheable));
        assert_eq!(
            text("select 1").verdict(Standing::Free, &caching(true)),
            Cacheable::No(CacheStatus::Disabled)
        );
    }

    #[test]
    fn an_unknown_catalog_caches_nothing() {
        let verdict = text("select 1").verdict(Standing::Free, &caching(false));
        assert_eq!(verdict, Cacheable::No(CacheStatus::Uncacheable));
    }

    #[test]
    fn two_sessions_with_other_settings_have_other_keys() {
        let mut utc = Parameters::default();
        utc.set("TimeZone", "UTC");
        let mut named = utc.clone();
        named.set("application_name", "x");
        let mut oslo = utc.clone();
        oslo.set("TimeZone", "Europe/Oslo");
        let none = Settings::default();
        let key = |parameters: &Parameters| simple_key("s", &fingerprint(parameters, &none), b"q");
        assert_eq!(key(&utc), key(&named));
        assert_ne!(key(&utc), key(&oslo));
        let (base, mut role) = (Settings::default(), Settings::default());
        let set = sql::Effect::Set { name: "role".into(), sql: "SET ROLE x".into() };
        role.apply(&set, &base);
        assert_ne!(fingerprint(&utc, &role), fingerprint(&utc, &none));
    }
}
