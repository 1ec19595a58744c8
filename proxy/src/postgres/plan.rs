//! What a request needs: an answer of our own, the cache, or a backend.
//!
//! Pure: no I/O, no clock. That nothing is cached in a transaction or on a pinned session is written once, in
//! [`Text::verdict`].

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use cache::{
    Key, KeyBuilder,
    sql::{self, Analysis, Classified, Classifier, Kind, StatementFacts, Verdict, Writes},
};

use super::{backend::Parameters, batch::Request, prepared::Statement, settings::Settings};
pub(super) use crate::verdict::{Cacheable, Standing, freshness};
use crate::{config::CachingConfig, observe::CacheStatus, verdict::status_of};

/// A text with what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) analysis: Arc<Analysis>,
    /// `None` where caching is off or the catalog is not known.
    pub(super) judged: Option<Arc<Classified>>,
}

impl Text {
    /// Looks the judgement up, or makes it.
    pub(super) fn new(query: &[u8], analysis: Arc<Analysis>, catalog: Option<&Classifier>) -> Self {
        // A text in another encoding than UTF-8 is never cached, so that it need not be judged.
        let judged = catalog.and_then(|catalog| {
            std::str::from_utf8(query).ok().map(|query| catalog.classify(query, &analysis))
        });
        Self { analysis, judged }
    }

    /// What it may write.
    pub(super) fn writes(&self) -> Writes {
        match &self.judged {
            Some(judged) => judged.writes.clone(),
            None if self.analysis.statements.iter().all(is_harmless) => self.analysis.writes(),
            // Only the catalog could tell what its functions and triggers write.
            None => Writes::Everything,
        }
    }

    /// Whether it changes the schema.
    pub(super) fn is_ddl(&self) -> bool {
        self.analysis.statements.iter().any(|statement| statement.kind == Kind::Ddl)
    }

    /// Whether it may end an open transaction block, so that what was written can be seen by others.
    pub(super) fn may_end_block(&self) -> bool {
        self.analysis.statements.iter().any(|one| {
            matches!(
                one.kind,
                Kind::Commit | Kind::Rollback | Kind::PrepareTransaction | Kind::Unknown
            )
        })
    }

    /// Whether the cache may answer it.
    pub(super) fn verdict(
        &self,
        standing: impl FnOnce() -> Standing,
        caching: &CachingConfig,
    ) -> Cacheable {
        if caching.disabled {
            return Cacheable::No(CacheStatus::Disabled);
        }
        match standing() {
            Standing::InTransaction => return Cacheable::No(CacheStatus::Transaction),
            Standing::Bound => return Cacheable::No(CacheStatus::Uncacheable),
            Standing::Free => {}
        }
        if self.analysis.hint.no_cache {
            return Cacheable::No(CacheStatus::Uncacheable);
        }
        match self.judged.as_deref() {
            Some(Classified { verdict: Verdict::Cacheable { tables }, .. }) => {
                Cacheable::Yes(Arc::clone(tables))
            }
            Some(Classified { verdict: Verdict::Refused(reason), .. }) => {
                Cacheable::No(status_of(reason))
            }
            None => Cacheable::No(CacheStatus::Uncacheable),
        }
    }
}

/// Whether a statement writes no more than its text says, whatever the catalog says.
fn is_harmless(statement: &StatementFacts) -> bool {
    match statement.kind {
        Kind::Select => {
            statement.reads.functions.is_empty() && statement.reads.relations.is_empty()
        }
        Kind::Begin
        | Kind::Rollback
        | Kind::Savepoint(_)
        | Kind::Release(_)
        | Kind::RollbackTo(_)
        | Kind::Set
        | Kind::Show(_)
        | Kind::Deallocate(_)
        | Kind::Discard(_)
        | Kind::Listen
        | Kind::Unlisten
        | Kind::Notify => true,
        _ => false,
    }
}

/// Whether texts mean what the parse says they mean: with `standard_conforming_strings` off a backslash would
/// escape where the parse sees none.
pub(super) fn is_standard(parameters: &Parameters) -> bool {
    parameters.get("standard_conforming_strings").is_none_or(|value| value == "on")
}

/// Everything about a session that shapes its replies: the values it was told, and the settings that follow it
/// and are not reported. The application's name shapes nothing. The keys of its requests go on behind it.
pub(super) fn session_key(scope: &str, parameters: &Parameters, settings: &Settings) -> Key {
    let mut key = KeyBuilder::new(scope);
    let mut reported = Vec::new();
    for (name, value) in parameters.iter() {
        let name = name.to_ascii_lowercase();
        if name != "application_name" {
            key = key.field("name", name.as_bytes()).field("value", value.as_bytes());
        }
        reported.push(name);
    }
    for (name, sql) in settings.iter() {
        if !reported.iter().any(|reported| reported == name) {
            key = key.field("name", name.as_bytes()).field("sql", sql.as_bytes());
        }
    }
    key.finish()
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
pub(super) fn simple_key(session: &Key, query: &[u8]) -> Key {
    KeyBuilder::after(session).field("wire", b"simple").field("text", query).finish()
}

/// The key of an extended request's reply. `None` when its parameters do not decode, or one of them is a text
/// such as `now`, which means another time each time.
pub(super) fn extended_key(
    session: &Key,
    statement: (&[u8], &[u8]),
    request: &Request<'_>,
) -> Option<Key> {
    let wire = [
        u8::from(request.describes_statement),
        u8::from(request.describes_portal),
        u8::from(request.bind.is_some()),
    ];
    let mut key = KeyBuilder::after(session)
        .field("wire", &wire)
        .field("text", statement.0)
        .field("types", statement.1);
    if let Some(bind) = &request.bind {
        let parameters = bind.parameters().ok()?;
        let depends_on_clock = |value: &Option<&[u8]>| {
            // A text has the same bytes in either format.
            value.is_some_and(sql::is_time_word)
        };
        if parameters.values.iter().any(depends_on_clock) {
            return None;
        }
        key = key.field("bind", bind.rest);
    }
    Some(key.finish())
}

/// The name, in a text that runs or deallocates one statement by SQL, of that statement.
pub(super) fn name_in_sql(analysis: &Analysis) -> Option<&str> {
    match analysis.statements.as_slice() {
        [one] => match &one.kind {
            Kind::Deallocate(Some(name)) | Kind::Execute(name) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

/// The statement that a text runs or deallocates by SQL, if the client prepared it by the protocol: at the
/// backend it has another name.
pub(super) fn named_by_sql<'a>(
    analysis: &Analysis,
    known: impl Fn(&str) -> Option<&'a Arc<Statement>>,
) -> Option<Arc<Statement>> {
    known(name_in_sql(analysis)?).cloned()
}

/// The text of an EXECUTE or DEALLOCATE with our name for the statement. `None` for an EXECUTE that does not
/// begin with its keyword, such as one behind a comment.
pub(super) fn renamed(query: &[u8], analysis: &Analysis, name: &str) -> Option<Bytes> {
    let is_execute = matches!(analysis.statements.first()?.kind, Kind::Execute(_));
    if !is_execute {
        return Some(Bytes::from(format!("DEALLOCATE \"{name}\"")));
    }
    let text = std::str::from_utf8(query).ok()?.trim_start();
    let (keyword, rest) = text.split_at_checked("execute".len())?;
    let rest = rest.trim_start();
    let length = match rest.strip_prefix('"') {
        Some(quoted) => quoted.find('"')? + 2,
        None => {
            rest.find(|c: char| !(c.is_alphanumeric() || "_$".contains(c))).unwrap_or(rest.len())
        }
    };
    // A quote inside a quoted name is not followed further.
    let after = rest.get(length..).filter(|after| !after.starts_with('"'))?;
    keyword
        .eq_ignore_ascii_case("execute")
        .then(|| Bytes::from(format!("EXECUTE \"{name}\"{after}")))
}

/// Whether a statement may run in a failed transaction (`IsTransactionExitStmt`).
pub(super) fn ends_transaction(analysis: &Analysis) -> bool {
    analysis.statements.first().is_some_and(|one| {
        matches!(
            one.kind,
            Kind::Commit | Kind::Rollback | Kind::RollbackTo(_) | Kind::PrepareTransaction
        )
    })
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
        let status = |standing| text("select 1").verdict(|| standing, &caching(false));
        assert_eq!(status(Standing::InTransaction), Cacheable::No(CacheStatus::Transaction));
        assert_eq!(status(Standing::Bound), Cacheable::No(CacheStatus::Uncacheable));
        assert_eq!(
            text("select 1").verdict(|| Standing::Free, &caching(true)),
            Cacheable::No(CacheStatus::Disabled)
        );
    }

    #[test]
    fn an_execute_is_given_our_name() {
        let renamed = |sql: &str| {
            renamed(sql.as_bytes(), &analyse(sql), "x_1")
                .map(|new| String::from_utf8_lossy(&new).into_owned())
        };
        assert_eq!(renamed("execute s(1, 's')").as_deref(), Some("EXECUTE \"x_1\"(1, 's')"));
        assert_eq!(renamed(" EXECUTE \"a b\" (2)").as_deref(), Some("EXECUTE \"x_1\" (2)"));
        assert_eq!(renamed("DEALLOCATE PREPARE s").as_deref(), Some("DEALLOCATE \"x_1\""));
        assert_eq!(renamed("/* */ execute s"), None);
    }

    #[test]
    fn an_unknown_catalog_caches_nothing() {
        let verdict = text("select 1").verdict(|| Standing::Free, &caching(false));
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
        let key = |parameters: &Parameters| session_key("s", parameters, &none);
        assert_eq!(key(&utc), key(&named));
        assert_ne!(key(&utc), key(&oslo));
        let (base, mut role) = (Settings::default(), Settings::default());
        let set = sql::Effect::Set { name: "role".into(), sql: "SET ROLE x".into() };
        role.apply(&set, &base);
        assert_ne!(session_key("s", &utc, &role), key(&utc));
        assert_ne!(session_key("t", &utc, &none), key(&utc));
    }
}
