//! What a request needs: an answer of our own, the cache, or a backend.
//!
//! Pure: no I/O, no clock. That nothing is cached in a transaction or on a pinned session is written once, in
//! [`Text::verdict`].

use std::{borrow::Cow, ops::Range, sync::Arc};

use bytes::Bytes;
use cache::{
    Key, KeyBuilder,
    sql::{
        Verdict,
        postgres::{
            Analysis, Classified, Classifier, Deeds, Effect, Kind, Pin, StatementFacts,
            StatementName, is_time_word,
        },
        without_hint,
    },
};
use serving::{config::CachingConfig, observe::CacheStatus, verdict::status_of};

use super::{
    backend::Parameters,
    batch::{Request, Subject},
    meaning::Meaning,
    places::Places,
    settings::Settings,
    settled::Settled,
};
pub(crate) use serving::verdict::{Cacheable, Standing, freshness, not_found};

/// A text with what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) analysis: Arc<Analysis>,
    /// `None` where caching is off or the catalog is not known.
    pub(crate) judged: Option<Arc<Classified>>,
    /// It changes what sessions of a role, a database or the server begin with.
    pub(crate) alters_defaults: bool,
    /// It may make a temporary relation that stands before the server's list of statements.
    pub(crate) hides_list: bool,
    /// How often the schema had changed when it was judged.
    pub(crate) changes: u64,
}

impl Text {
    /// Looks the judgement up, or makes it. The `changes` of the schema were counted before the catalog was taken.
    pub(crate) fn new(
        query: &[u8],
        analysis: Arc<Analysis>,
        catalog: Option<&Classifier>,
        changes: u64,
    ) -> Self {
        // A text in another encoding than UTF-8 is never cached, so that it need not be judged.
        let judged = catalog.and_then(|catalog| {
            std::str::from_utf8(query).ok().map(|query| catalog.classify(query, &analysis))
        });
        let is_ddl = analysis.statements.iter().any(|one| one.kind == Kind::Ddl);
        let alters_defaults = is_ddl && alters_defaults(query);
        let makes_temp = || analysis.effects().any(|it| *it == Effect::Pin(Pin::TempTable));
        let hides_list = (is_ddl || makes_temp()) && hides_list(query);
        Self { analysis, judged, alters_defaults, hides_list, changes }
    }

    /// What it may do besides answering.
    pub(crate) fn deeds(&self) -> Cow<'_, Deeds> {
        match &self.judged {
            Some(judged) => Cow::Borrowed(&judged.deeds),
            None if self.analysis.statements.iter().all(is_harmless) => {
                Cow::Owned(Deeds { writes: self.analysis.writes(), ..Deeds::default() })
            }
            // Only the catalog could tell what its functions and triggers do.
            None => {
                let is_opaque = !self.analysis.statements.iter().all(only_draws);
                Cow::Owned(Deeds { is_opaque, ..Deeds::opaque() })
            }
        }
    }

    /// Whether it names what the catalog does not know.
    pub(crate) fn lacks(&self) -> bool {
        self.judged.as_ref().is_some_and(|judged| judged.lacks)
    }

    /// Whether it changes the schema.
    pub(crate) fn is_ddl(&self) -> bool {
        self.analysis.statements.iter().any(|statement| statement.kind == Kind::Ddl)
    }

    /// Whether it is bulk work, or a change of the schema, which nobody wants to be cut off in the middle.
    pub(crate) fn takes_its_time(&self) -> bool {
        let takes = |kind: &Kind| matches!(kind, Kind::Copy { .. } | Kind::Ddl | Kind::Other);
        self.analysis.statements.iter().any(|statement| takes(&statement.kind))
    }

    /// Whether it opens a transaction block.
    pub(crate) fn opens_block(&self) -> bool {
        opens_block(&self.analysis)
    }

    /// Whether it may end an open transaction block, so that what was written can be seen by others.
    pub(crate) fn may_end_block(&self) -> bool {
        self.analysis.statements.iter().any(|one| {
            matches!(
                one.kind,
                Kind::Commit | Kind::Rollback | Kind::PrepareTransaction | Kind::Unknown
            )
        })
    }

    /// Whether a failed block may go on behind it.
    pub(crate) fn ends_failure(&self) -> bool {
        self.analysis.statements.iter().any(|one| matches!(one.kind, Kind::RollbackTo(_)))
    }

    /// Whether the cache may answer it.
    pub(crate) fn verdict(
        &self,
        standing: impl FnOnce() -> Standing,
        caching: &CachingConfig,
    ) -> Cacheable {
        if caching.disabled {
            return Cacheable::No(CacheStatus::Disabled);
        }
        match standing() {
            Standing::InTransaction => return Cacheable::No(CacheStatus::Transaction),
            Standing::Pinned => {
                return Cacheable::No(match self.judged.as_deref() {
                    Some(Classified { verdict: Verdict::Refused(reason), .. }) => status_of(reason),
                    _ => CacheStatus::Pinned,
                });
            }
            Standing::Bound => return Cacheable::No(CacheStatus::Uncacheable),
            Standing::Free => {}
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

/// Whether a statement calls nothing but the functions of sequences, so that its session wants to find its backend again as it
/// left it.
pub(crate) fn only_draws(statement: &StatementFacts) -> bool {
    let is_one = |name: &str| matches!(name, "nextval" | "currval" | "lastval" | "setval");
    statement.kind == Kind::Select
        && statement.reads.relations.is_empty()
        && statement.reads.functions.iter().all(|call| is_one(&call.name))
}

/// Whether a statement writes no more than its text says, whatever the catalog says.
pub(crate) fn is_harmless(statement: &StatementFacts) -> bool {
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
        | Kind::Prepare(_)
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
pub(crate) fn is_standard(parameters: &Parameters) -> bool {
    parameters.get("standard_conforming_strings").is_none_or(|value| value == "on")
}

/// Whether a text says to the parse what it says to the server. Without `standard_conforming_strings` a backslash
/// escapes; in some encodings a byte that looks like one is part of a character.
pub(crate) fn is_readable(query: &[u8], parameters: &Parameters) -> bool {
    (is_standard(parameters) || !query.contains(&b'\\'))
        && (!ASCII_WITHIN.contains(&encoding(parameters)) || query.is_ascii())
}

/// Whether that is so whatever the text is.
pub(crate) fn is_always_readable(parameters: &Parameters) -> bool {
    is_standard(parameters) && !ASCII_WITHIN.contains(&encoding(parameters))
}

/// Whether a SET gives the same value again. A value with other characters than ASCII came in the client's encoding.
pub(crate) fn is_repeatable(effect: &Effect, parameters: &Parameters) -> bool {
    let is_escaped = matches!(effect, Effect::Set { sql, .. } if sql.contains('\\'));
    !is_escaped || encoding(parameters) == "UTF8"
}

/// Whether a text makes what it does not name a schema for temporary from now on.
pub(crate) fn heads_for_temp(analysis: &Analysis, query: &[u8]) -> bool {
    analysis.effects().any(|effect| *effect == Effect::Pin(Pin::UnknownSetting))
        && names_temp(query)
}

/// Whether a text may name the temporary schema.
pub(crate) fn names_temp(query: &[u8]) -> bool {
    memchr::memmem::find(query, b"pg_temp").is_some()
}

/// Whether a setting decides how the texts behind it are read.
pub(crate) fn decides_reading(name: &str) -> bool {
    matches!(name, "standard_conforming_strings" | "client_encoding")
}

fn encoding(parameters: &Parameters) -> &str {
    parameters.get("client_encoding").unwrap_or("UTF8")
}

/// The encodings of clients whose characters may hold ASCII bytes (`PG_ENCODING_IS_CLIENT_ONLY`).
const ASCII_WITHIN: [&str; 7] =
    ["SJIS", "BIG5", "GBK", "UHC", "GB18030", "JOHAB", "SHIFT_JIS_2004"];

/// Everything about a session that shapes its replies: the values it was told, and the settings that follow it
/// and are not reported. The application's name shapes nothing. The keys of its requests go on behind it.
pub(crate) fn session_key(scope: &str, parameters: &Parameters, settings: &Settings) -> Key {
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

/// The key of a simple query's reply.
pub(crate) fn simple_key(session: &Key, query: &[u8]) -> Key {
    KeyBuilder::after(session).field("wire", b"simple").field("text", without_hint(query)).finish()
}

/// The key of an extended request's reply. `None` when its parameters do not decode, or one of them is a text
/// such as `now`, which means another time each time.
pub(crate) fn extended_key(
    session: &Key,
    meaning: &Meaning,
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
        .field("text", without_hint(statement.0))
        .field("types", statement.1);
    if let Subject::Known(statement) = &request.subject {
        // Its client knows its rows, which are other ones for whoever prepares the text today, and so may its constants be.
        for part in statement.settled().map(Settled::as_bytes).into_iter().flatten() {
            key = key.field("settled", part);
        }
        for sql in statement.meaning.difference(meaning) {
            key = key.field("meaning", sql.as_bytes());
        }
    }
    if let Some(bind) = &request.bind {
        let parameters = bind.parameters().ok()?;
        let depends_on_clock = |value: &Option<&[u8]>| {
            // A text has the same bytes in either format.
            value.is_some_and(is_time_word)
        };
        if parameters.values.iter().any(depends_on_clock) {
            return None;
        }
        key = key.field("bind", bind.rest);
    }
    Some(key.finish())
}

/// A place in a text, and what is to stand there.
pub(crate) type Edit = (Range<usize>, String);

/// Other names for the prepared statements that a text names.
pub(crate) fn renamed<'n>(
    analysis: &'n Analysis,
    mut ours: impl FnMut(&'n StatementName) -> Option<String>,
) -> Vec<Edit> {
    let renamed = |name: &'n StatementName| Some((name.span.clone(), ours(name)?));
    analysis.names.iter().filter_map(renamed).collect()
}

/// A name of ours as it stands in a text.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// The text that runs a statement of ours.
pub(crate) fn execution(name: &str) -> String {
    format!("EXECUTE {}", quoted(name))
}

/// The name of the statement that a text runs, if that is all that it does.
pub(crate) fn executes(analysis: &Analysis) -> Option<&str> {
    match analysis.statements.as_slice() {
        [StatementFacts { kind: Kind::Execute(name), .. }] => Some(name.as_str()),
        _ => None,
    }
}

/// The text with these edits, of which no two touch, and where they are. `None` where there are none.
pub(crate) fn edited(text: &str, mut edits: Vec<Edit>) -> Option<(Bytes, Places)> {
    edits.sort_by_key(|(span, _)| span.start);
    let places = Places::of(text, edits.iter().map(|(span, edit)| (span, edit.as_str())));
    let (mut new, mut copied) = (String::new(), 0);
    for (span, edit) in &edits {
        new.push_str(text.get(copied..span.start)?);
        new.push_str(edit);
        copied = span.end;
    }
    new.push_str(text.get(copied..)?);
    (!edits.is_empty()).then(|| (new.into(), places))
}

/// Whether a text of DDL names the server's list of statements.
fn hides_list(query: &[u8]) -> bool {
    const LIST: &[u8] = b"pg_prepared_statements";
    query.windows(LIST.len()).any(|part| part.eq_ignore_ascii_case(LIST))
}

/// Whether a text of DDL holds ALTER ROLE, USER, DATABASE or SYSTEM. Where it only looks like it, connections are opened
/// anew without need.
fn alters_defaults(query: &[u8]) -> bool {
    let words = query.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut is_alter = false;
    for word in words {
        if is_alter && ALTERED.iter().any(|what| word.eq_ignore_ascii_case(what)) {
            return true;
        }
        is_alter = word.to_ascii_lowercase().ends_with(b"alter");
    }
    false
}

/// What settings are stored for.
const ALTERED: [&[u8]; 4] = [b"role", b"user", b"database", b"system"];

/// Whether a text opens a transaction block.
pub(crate) fn opens_block(analysis: &Analysis) -> bool {
    analysis.statements.iter().any(|statement| statement.kind == Kind::Begin)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cache::sql::postgres::analyse;

    use super::*;

    fn caching(disabled: bool) -> CachingConfig {
        CachingConfig {
            disabled,
            max_age: Duration::from_secs(60),
            stale_while_revalidate: Duration::from_secs(15),
        }
    }

    fn text(sql: &str) -> Text {
        let analysis = Arc::new(analyse(sql));
        Text { analysis, judged: None, alters_defaults: false, hides_list: false, changes: 0 }
    }

    #[test]
    fn nothing_is_cached_in_a_transaction_or_on_a_pinned_session() {
        let status = |standing| text("select 1").verdict(|| standing, &caching(false));
        assert_eq!(status(Standing::InTransaction), Cacheable::No(CacheStatus::Transaction));
        assert_eq!(status(Standing::Bound), Cacheable::No(CacheStatus::Uncacheable));
        assert_eq!(status(Standing::Pinned), Cacheable::No(CacheStatus::Pinned));
        assert_eq!(
            text("select 1").verdict(|| Standing::Free, &caching(true)),
            Cacheable::No(CacheStatus::Disabled)
        );
    }

    #[test]
    fn statements_are_given_our_names() {
        let renamed = |sql: &str| {
            let ours = |name: &StatementName| (name.name != "theirs").then(|| quoted("x_1"));
            edited(sql, renamed(&analyse(sql), ours))
                .map(|(text, _)| text)
                .map(|new| String::from_utf8_lossy(&new).into_owned())
        };
        for (sql, expected) in [
            ("execute s(1, 's')", Some("execute \"x_1\"(1, 's')")),
            ("/* s */ EXECUTE \"a \"\" b\" (2)", Some("/* s */ EXECUTE \"x_1\" (2)")),
            ("DEALLOCATE PREPARE s; SELECT 's'", Some("DEALLOCATE PREPARE \"x_1\"; SELECT 's'")),
            ("EXECUTE s; EXECUTE theirs; EXECUTE s", {
                Some("EXECUTE \"x_1\"; EXECUTE theirs; EXECUTE \"x_1\"")
            }),
            ("EXECUTE theirs", None),
            ("SELECT 's'", None),
        ] {
            assert_eq!(renamed(sql).as_deref(), expected, "{sql}");
        }
    }

    /// FAULTS row 15.
    #[test]
    fn what_changes_the_beginning_of_sessions_is_seen() {
        for (sql, is_so) in [
            ("alter role app set search_path = a", true),
            ("select 1;ALTER  DATABASE d RESET ALL", true),
            ("alter user u set datestyle = 'German'", true),
            ("ALTER\nSYSTEM SET work_mem = 1", true),
            ("alter table role add a int", false),
            ("create role app", false),
        ] {
            let text = Text::new(sql.as_bytes(), Arc::new(analyse(sql)), None, 0);
            assert_eq!(text.alters_defaults, is_so, "{sql}");
        }
    }

    /// FAULTS §4, `statement_timeout` cut COPY and DDL in the middle.
    #[test]
    fn bulk_work_and_changes_of_the_schema_take_their_time() {
        for (sql, takes) in [
            ("copy t from stdin", true),
            ("copy (select 1) to stdout", true),
            ("create index on t (a)", true),
            ("create index concurrently i on t (a)", true),
            ("alter table t alter a type bigint", true),
            ("vacuum full t", true),
            ("select 1; reindex table t", true),
            ("update t set a = 1", false),
            ("select pg_sleep(100)", false),
            ("do $$ begin end $$", false),
        ] {
            assert_eq!(text(sql).takes_its_time(), takes, "{sql}");
        }
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
        let set = Effect::Set { name: "role".into(), sql: "SET ROLE x".into() };
        role.apply(&set, &base);
        assert_ne!(session_key("s", &utc, &role), key(&utc));
        assert_ne!(session_key("t", &utc, &none), key(&utc));
    }
}
