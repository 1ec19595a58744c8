//! A statement's text with what is known of it, and whether the cache may answer it.

use std::{borrow::Cow, sync::Arc, time::Duration};

use cache::sql::{
    Verdict, Writes,
    postgres::{Analysis, Classified, Classifier, Deeds, Effect, Kind, Pin, StatementFacts},
};
use serving::{
    config::CachingConfig,
    observe::CacheStatus,
    verdict::{Cacheable, Standing, cacheable, status_of},
};

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

    /// The same where nothing is cached that is read of the database's own catalogs.
    pub(crate) fn without_look_ups(mut self) -> Self {
        if let Some(judged) = &mut self.judged
            && judged.verdict.looks_up()
        {
            let judged = Arc::make_mut(judged);
            judged.verdict = judged.verdict.clone().without_look_ups();
        }
        self
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

    /// Whether it does nothing but read, so that nobody can tell whether its transaction was committed.
    pub(crate) fn only_reads(&self) -> bool {
        let is_still = |kind: &Kind| {
            matches!(
                kind,
                Kind::Show(_) | Kind::Savepoint(_) | Kind::Release(_) | Kind::RollbackTo(_)
            )
        };
        match &self.judged {
            Some(judged) if judged.only_reads => true,
            _ => self.analysis.statements.iter().all(|one| is_still(&one.kind)),
        }
    }

    /// Whether it is a statement that takes a snapshot at the server before anything of it runs.
    pub(crate) fn takes_snapshot(&self) -> bool {
        let statements = self.analysis.statements.as_slice();
        matches!(statements, [one] if matches!(one.kind, Kind::Select | Kind::Write))
    }

    /// Whether the cache may answer it, and it reads nothing but the database's own catalogs.
    pub(crate) fn only_looks_up(&self) -> bool {
        self.judged.as_ref().is_some_and(|judged| judged.verdict.only_looks_up())
    }

    /// Whether the code that it runs changes the schema.
    pub(crate) fn defines(&self, deeds: &Deeds) -> bool {
        self.runs_definitions(deeds) && !deeds.pins.contains(&Pin::TempTable)
    }

    /// Whether the code that it runs may have changed the schema: it cannot be seen, or makes temporary tables and perhaps more.
    pub(crate) fn may_define(&self, deeds: &Deeds) -> bool {
        let is_code = || self.analysis.statements.iter().any(|one| one.kind == Kind::Code);
        deeds.is_opaque && is_code()
            || self.runs_definitions(deeds) && deeds.pins.contains(&Pin::TempTable)
    }

    /// Whether it runs code that is seen to change more than rows.
    fn runs_definitions(&self, deeds: &Deeds) -> bool {
        let mut statements = self.analysis.statements.iter();
        deeds.writes == Writes::Everything
            && !deeds.is_opaque
            && statements.any(|one| matches!(one.kind, Kind::Code | Kind::Select))
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

    /// Whether a failed block may be over, or go on, behind it: nothing else runs in one, whatever it is.
    pub(crate) fn ends_failure(&self) -> bool {
        self.analysis.statements.iter().any(|one| {
            matches!(
                one.kind,
                Kind::Commit | Kind::Rollback | Kind::PrepareTransaction | Kind::RollbackTo(_)
            )
        })
    }

    /// Whether the cache may answer it. `midnight` says how long ago it was where the session is.
    pub(crate) fn verdict(
        &self,
        standing: impl FnOnce() -> Standing,
        caching: &CachingConfig,
        midnight: impl FnOnce() -> Option<Duration>,
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
            Some(Classified { verdict, .. }) => {
                cacheable(verdict, &self.analysis.hint, caching, midnight)
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

/// Whether a text opens a transaction block.
pub(crate) fn opens_block(analysis: &Analysis) -> bool {
    analysis.statements.iter().any(|statement| statement.kind == Kind::Begin)
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

#[cfg(test)]
mod tests {
    use cache::sql::postgres::analyse;

    use super::*;

    fn caching(disabled: bool) -> CachingConfig {
        CachingConfig { disabled, ..CachingConfig::default() }
    }

    fn text(sql: &str) -> Text {
        let analysis = Arc::new(analyse(sql));
        Text { analysis, judged: None, alters_defaults: false, hides_list: false, changes: 0 }
    }

    #[test]
    fn nothing_is_cached_in_a_transaction_or_on_a_pinned_session() {
        let status = |standing| text("select 1").verdict(|| standing, &caching(false), || None);
        assert_eq!(status(Standing::InTransaction), Cacheable::No(CacheStatus::Transaction));
        assert_eq!(status(Standing::Bound), Cacheable::No(CacheStatus::Uncacheable));
        assert_eq!(status(Standing::Pinned), Cacheable::No(CacheStatus::Pinned));
        assert_eq!(
            text("select 1").verdict(|| Standing::Free, &caching(true), || None),
            Cacheable::No(CacheStatus::Disabled)
        );
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
        let verdict = text("select 1").verdict(|| Standing::Free, &caching(false), || None);
        assert_eq!(verdict, Cacheable::No(CacheStatus::Uncacheable));
    }
}
