//! What a statement needs: an answer of our own, the cache, or a backend.
//!
//! Pure: no I/O, no clock. That nothing is cached in a transaction or on a pinned session is written once, in
//! [`Text::verdict`].

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cache::sql::{
    Hint, Parse, Verdict, Writes, behind_hint,
    mysql::{Analysis, Classified, Effect, Kind, Mentioned, StatementFacts},
};
use serving::{
    config::CachingConfig,
    observe::{CacheStatus, Saved},
    verdict::{cacheable, status_of},
};

use super::relay::Sort;
pub(crate) use serving::verdict::{Cacheable, Standing, not_found};

/// A text with what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) sql: Bytes,
    /// `None` where it cannot be read: another character set, or too long.
    pub(crate) analysis: Option<Arc<Analysis>>,
    /// `None` where caching is off or the catalog is not known.
    pub(crate) judged: Option<Arc<Classified>>,
}

impl Text {
    /// The kinds of its statements.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.analysis.iter().flat_map(|analysis| &analysis.statements).map(|one| &one.kind)
    }

    /// What its statements do to the session, in order.
    pub(crate) fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.analysis.iter().flat_map(|analysis| &analysis.statements).flat_map(|one| &one.effects)
    }

    /// Whether one of its statements is such.
    pub(crate) fn has(&self, is: impl Fn(&Kind) -> bool) -> bool {
        self.kinds().any(is)
    }

    /// Whether nothing is known of what it leaves in the session.
    pub(crate) fn is_unread(&self) -> bool {
        self.analysis.is_none() || self.has(|kind| *kind == Kind::Unknown)
    }

    /// Whether it may hold more than one statement.
    pub(crate) fn may_be_several(&self) -> bool {
        self.is_unread() || self.kinds().count() != 1
    }

    /// Whether it only reads, so that it may be sent before it is known that its schema is there: its reply is
    /// thrown away if that is not.
    pub(crate) fn only_reads(&self) -> bool {
        let writes = match &self.judged {
            Some(judged) => judged.writes == Writes::None,
            None => self.writes() == Writes::None,
        };
        writes
            && !self.is_unread()
            && self.kinds().all(|kind| matches!(kind, Kind::Select | Kind::Show | Kind::Explain))
            && self.effects().next().is_none()
    }

    /// Whether it surely is one statement that reads rows, and does nothing else: neither locks nor code.
    pub(crate) fn is_plain_read(&self) -> bool {
        self.judged.as_deref().is_some_and(Classified::is_plain_read)
    }

    /// Whether its verdict holds with parameters of these types: a TIME that is compared with a date takes the current one.
    pub(crate) fn holds_with(&self, types: &[u16]) -> bool {
        let minds_dates = self.judged.as_deref().is_some_and(Classified::minds_dates);
        types.iter().all(|kind| match kind & 0xff {
            TIME => false,
            kind => !minds_dates || !DATES.contains(&kind),
        })
    }

    /// Whether it asks for settings of its session or its server, and for nothing of tables.
    pub(crate) fn asks_for_settings(&self) -> bool {
        self.analysis.as_ref().is_some_and(|analysis| analysis.asks_for_settings())
    }

    /// Whether its answer may tell how far a table's AUTO_INCREMENT has counted.
    pub(crate) fn may_tell_counters(&self) -> bool {
        self.analysis.as_ref().is_some_and(|analysis| analysis.may_tell_counters())
    }

    /// What a client is spared that the cache answers it.
    pub(crate) fn saved(&self) -> Saved {
        let shows = |kind: &Kind| matches!(kind, Kind::ShowDiagnostics { .. });
        let is_of_session = self.asks_for_settings() || one_kind(self).is_some_and(shows);
        if is_of_session { Saved::Show } else { Saved::Hit }
    }

    /// Whether it is bulk work, or a change of the schema, which nobody wants to be cut off in the middle.
    pub(crate) fn takes_its_time(&self) -> bool {
        let sql = behind_hint(&self.sql).trim_ascii_start();
        let first = sql.split(|byte| !byte.is_ascii_alphabetic()).next().unwrap_or_default();
        self.has(|kind| *kind == Kind::Ddl)
            || BULK.iter().any(|word| first.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// What it may write.
    pub(crate) fn writes(&self) -> Writes {
        if let Some(judged) = &self.judged {
            return judged.writes.clone();
        }
        let Some(analysis) = &self.analysis else { return Writes::Everything };
        let mut writes = Writes::None;
        for statement in &analysis.statements {
            writes.merge(match (&statement.kind, &statement.writes) {
                // Only the catalog could tell what its triggers write.
                (Kind::Write | Kind::Insert, _) => Writes::Everything,
                (_, writes) => writes.clone(),
            });
        }
        writes
    }

    /// Whether it names what the catalog does not know.
    pub(crate) fn lacks(&self) -> bool {
        self.judged.as_ref().is_some_and(|judged| judged.lacks)
    }

    /// Whether it asks for what the session's last statement left behind.
    pub(crate) fn mentions(&self, is: impl Fn(Mentioned) -> bool) -> bool {
        self.analysis.iter().flat_map(|analysis| &analysis.mentions).any(|mention| is(mention.what))
    }

    /// Whether `LAST_INSERT_ID()` must be right on the backend that runs it.
    pub(crate) fn needs_insert_id(&self) -> bool {
        // A statement that fails to set it must leave the client's own; triggers and functions may read it.
        self.mentions(|what| what == Mentioned::LastInsertId)
            || self.is_unread()
            || self.runs_code()
            || self.has(|kind| matches!(kind, Kind::Insert | Kind::Write))
            || self.effects().any(|effect| *effect == Effect::LastInsertId)
            || self.judged.as_ref().is_some_and(|judged| judged.left.asks_for_insert_id)
    }

    /// Whether it runs what its text does not show.
    pub(crate) fn runs_code(&self) -> bool {
        let statements = self.analysis.iter().flat_map(|analysis| &analysis.statements);
        statements.into_iter().any(runs_code)
    }

    /// Whether it may run stored code of any sort: by a call, a trigger, or a view.
    pub(crate) fn may_run_code(&self) -> bool {
        let mut statements = self.analysis.iter().flat_map(|analysis| &analysis.statements);
        self.runs_code()
            || self.has(|kind| matches!(kind, Kind::Insert | Kind::Write))
            || statements.any(|one| {
                let names = !one.reads.calls.is_empty() || !one.reads.relations.is_empty();
                names && !matches!(one.kind, Kind::Ddl | Kind::Show)
            })
    }

    /// Whether it ends the transaction that it runs in, also one of its own: what was set for one transaction is
    /// used up. Neither a SET nor what reads no table does that.
    pub(crate) fn ends_transaction(&self) -> bool {
        let statements = self.analysis.iter().flat_map(|analysis| &analysis.statements);
        statements.into_iter().any(|one| match one.kind {
            Kind::Commit | Kind::Rollback | Kind::Ddl => true,
            Kind::Select | Kind::Write | Kind::Insert => !one.reads.relations.is_empty(),
            _ => false,
        })
    }

    /// What it does that its reply does not show.
    pub(crate) fn sort(&self) -> Sort {
        let begins = one_kind(self) == Some(&Kind::Begin);
        Sort { commits: self.may_commit(), begins, is_for_once: self.sets_for_once() }
    }

    /// Whether it may commit what was written before it, by saying so or by implication.
    pub(crate) fn may_commit(&self) -> bool {
        self.is_unread()
            || self.runs_code()
            || self.has(|kind| {
                matches!(
                    kind,
                    Kind::Begin
                        | Kind::Commit
                        | Kind::Ddl
                        | Kind::LockTables
                        | Kind::Set
                        | Kind::Other
                )
            })
    }

    /// Whether what it sets holds for itself only (MariaDB: SET STATEMENT … FOR …).
    fn sets_for_once(&self) -> bool {
        let mut words = self.sql.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let mut is =
            |word: &str| words.next().is_some_and(|w| w.eq_ignore_ascii_case(word.as_bytes()));
        is("set") && is("statement")
    }

    /// Whether it may change what sessions begin with (SET GLOBAL, SET PERSIST).
    pub(crate) fn sets_for_all(&self) -> bool {
        let holds = |word: &[u8]| {
            self.sql.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
        };
        self.has(|kind| *kind == Kind::Set) && (holds(b"global") || holds(b"persist"))
    }

    /// Whether it asks what its connection drew from a sequence.
    pub(crate) fn asks_for_last_draw(&self) -> bool {
        self.effects().any(|effect| *effect == Effect::LastDraw)
    }

    /// Whether `LAST_INSERT_ID()` may be another afterwards, without the OK packet saying so.
    pub(crate) fn may_set_insert_id(&self) -> bool {
        self.is_unread()
            || self.runs_code()
            || self.effects().any(|effect| *effect == Effect::LastInsertId)
    }

    /// Whether the cache may answer it.
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
                return Cacheable::No(match (self.judged.as_deref(), self.own_status()) {
                    (Some(Classified { verdict: Verdict::Refused(reason), .. }), _) => {
                        status_of(reason)
                    }
                    (_, CacheStatus::Uncacheable) => CacheStatus::Pinned,
                    (_, status) => status,
                });
            }
            Standing::Bound => return Cacheable::No(self.own_status()),
            Standing::Free => {}
        }
        match self.judged.as_deref() {
            Some(Classified { verdict, .. }) => {
                let hint = self.analysis.as_deref().map(|analysis| &analysis.hint);
                cacheable(verdict, hint.unwrap_or(&Hint::default()), caching, midnight)
            }
            // The catalog is not known.
            None => Cacheable::No(self.own_status()),
        }
    }

    /// Why it is not one for the cache, if its own words say so.
    fn own_status(&self) -> CacheStatus {
        self.analysis.as_deref().map_or(CacheStatus::Uncacheable, status_of_text)
    }
}

/// MySQL: MYSQL_TYPE_TIME.
const TIME: u16 = 11;

/// MySQL: MYSQL_TYPE_TIMESTAMP, MYSQL_TYPE_DATE, MYSQL_TYPE_DATETIME, and those that are kept in files.
const DATES: [u16; 6] = [7, 10, 12, 14, 17, 18];

/// How texts begin that load or rebuild tables.
const BULK: [&str; 5] = ["load", "analyze", "optimize", "repair", "check"];

/// The kind of a text of one statement.
pub(crate) fn one_kind(text: &Text) -> Option<&Kind> {
    let mut kinds = text.kinds();
    kinds.next().filter(|_| kinds.next().is_none())
}

fn status_of_text(analysis: &Analysis) -> CacheStatus {
    match (analysis.parse, analysis.statements.as_slice()) {
        (Parse::Oversized, _) => CacheStatus::OversizedQuery,
        (Parse::Error, _) => CacheStatus::ParseError,
        (_, [_, _, ..]) => CacheStatus::MultipleStatements,
        (_, [one]) if one.kind == Kind::Select => CacheStatus::Uncacheable,
        _ => CacheStatus::NotAQuery,
    }
}

/// Whether a statement runs stored code, or what was prepared, and says so.
pub(crate) fn runs_code(statement: &StatementFacts) -> bool {
    matches!(statement.kind, Kind::Call(_) | Kind::Code | Kind::Execute(_))
        || statement.reads.functions.iter().any(|call| call.schema.is_some())
}

#[cfg(test)]
mod tests {
    use cache::sql::mysql::{Modes, analyse};

    use super::*;

    fn caching(disabled: bool) -> CachingConfig {
        CachingConfig { disabled, ..CachingConfig::default() }
    }

    fn text(sql: &str) -> Text {
        let modes = Modes { ansi_quotes: false, no_backslash_escapes: false };
        let analysis = Some(Arc::new(analyse(sql, modes)));
        Text { sql: Bytes::copy_from_slice(sql.as_bytes()), analysis, judged: None }
    }

    #[test]
    fn nothing_is_cached_in_a_transaction_or_on_a_pinned_session() {
        let status = |standing| text("select 1").verdict(|| standing, &caching(false), || None);
        assert_eq!(status(Standing::InTransaction), Cacheable::No(CacheStatus::Transaction));
        assert_eq!(status(Standing::Bound), Cacheable::No(CacheStatus::Uncacheable));
        assert_eq!(status(Standing::Pinned), Cacheable::No(CacheStatus::Pinned));
        let disabled = text("select 1").verdict(|| Standing::Free, &caching(true), || None);
        assert_eq!(disabled, Cacheable::No(CacheStatus::Disabled));
    }

    /// FAULTS row 19c.
    #[test]
    fn what_changes_the_beginning_of_sessions_is_seen() {
        for (sql, is_so) in [
            ("set global sql_mode = ''", true),
            ("SET @@GLOBAL.max_allowed_packet = 1024, @a = 1", true),
            ("set persist transaction_read_only = on", true),
            ("set sql_mode = ''", false),
            ("select @@global.sql_mode", false),
        ] {
            assert_eq!(text(sql).sets_for_all(), is_so, "{sql}");
        }
    }

    /// FAULTS §4, `statement_timeout` cut bulk work and DDL in the middle.
    #[test]
    fn bulk_work_and_changes_of_the_schema_take_their_time() {
        for (sql, takes) in [
            ("LOAD DATA LOCAL INFILE 'f' INTO TABLE t", true),
            ("/* jumpgate: no-cache */ optimize table t", true),
            ("create index i on t (a)", true),
            ("ALTER TABLE t ADD COLUMN b INT", true),
            ("update t set a = 1", false),
            ("do sleep(100)", false),
            ("select sleep(100)", false),
        ] {
            assert_eq!(text(sql).takes_its_time(), takes, "{sql}");
        }
    }

    #[test]
    fn a_read_with_effects_is_not_sent_ahead() {
        assert!(text("select 1").only_reads());
        assert!(!text("select @a := 1").only_reads());
        assert!(!text("insert into t values (1)").only_reads());
        assert!(!text("call p()").only_reads());
    }
}
