//! `jumpgate why NAME "SELECT …"`: whether a statement's reply can be cached, why not, and what would make it so; and why it
//! keeps its session on one connection. `--explain-file` says it of many together.

use std::{collections::BTreeMap, sync::Arc};

use cache::sql::{
    Clock, Hint, TableName, Verdict, Writes,
    shown::{Dialect, pointed_at},
};
use serving::{
    config::{CachingConfig, DatabaseConfig, InTransactions},
    verdict::{Never, freshness, oldest_time, why_not},
};

mod file;
mod judge;
mod pointer;

pub use self::file::{FileError, read_script, read_statement};
use self::{
    file::Shares,
    judge::{Judge, Judged},
    pointer::pointer,
};
use crate::probe::ProbeError;

/// Reads the origin's catalog and explains a statement, line by line.
///
/// # Errors
///
/// Why the origin cannot be asked.
///
/// # Cancel safety
///
/// The connection to the origin is closed.
pub async fn explain(database: &DatabaseConfig, text: &str) -> Result<Vec<String>, ProbeError> {
    let judge = Judge::of(database).await?;
    let judged = judge.judge(text);
    let mut lines = lines(text, judge.dialect(), &judged, &others(database));
    lines.extend(ruling(&judged.verdict, &database.caching));
    Ok(lines)
}

/// Reads the origin's catalog and says of the statements of a script which shares of them are cached, and why the rest is
/// not, line by line.
///
/// # Errors
///
/// Why the origin cannot be asked, or that there are too many statements.
///
/// # Cancel safety
///
/// The connection to the origin is closed.
pub async fn explain_script(
    database: &DatabaseConfig,
    script: &str,
) -> Result<Vec<String>, ProbeError> {
    let judge = Judge::of(database).await?;
    Ok(Shares::of(script, &judge, &others(database))?.lines())
}

/// What is so for users of whom no rule says anything: nobody's name is empty.
fn others(database: &DatabaseConfig) -> Arc<CachingConfig> {
    database.caching.of_user("")
}

/// The rules that say how long it lives, those of single users too.
fn ruling(verdict: &Verdict, caching: &Arc<CachingConfig>) -> Vec<String> {
    let named = caching.rules.iter().filter_map(|rule| rule.user.as_deref());
    let all = named.chain([""]).map(|user| caching.of_user(user));
    let rules: BTreeMap<_, _> = all
        .flat_map(|own| own.rules_for(verdict.tables()).cloned().collect::<Vec<_>>())
        .map(|rule| (rule.number, format!("  by {rule}")))
        .collect();
    let is_cached = !caching.disabled && !matches!(verdict, Verdict::Refused(_));
    rules.into_values().filter(|_| is_cached).collect()
}

fn lines(text: &str, dialect: Dialect, judged: &Judged, caching: &CachingConfig) -> Vec<String> {
    let Judged { hint, verdict, writes, pins } = judged;
    let mut lines = match why_not(Some(verdict), hint, caching) {
        Some(never) => not_cached(&never, verdict, text, dialect),
        None => cached(hint, verdict, caching),
    };
    match writes {
        Writes::None => {}
        Writes::Tables(tables) => {
            lines.push(format!("  it makes cached reads of {} miss", list(tables)));
        }
        Writes::Everything => {
            lines.push("  it makes every cached read of the database miss".into());
        }
    }
    if let Some(malformed) = &hint.malformed {
        lines.push(format!("  of its hint this was not understood: {malformed}"));
    }
    lines.extend(pinning(pins));
    lines
}

/// Why it is not, where in the text that comes from, and what would make it so.
fn not_cached(never: &Never<'_>, verdict: &Verdict, text: &str, dialect: Dialect) -> Vec<String> {
    let status = never.status().word();
    let mut lines = vec![match never {
        Never::Hint => format!(
            "asked of the origin each time ({status}): {never}; the reply is kept for those who ask without it"
        ),
        Never::Rule(_) => format!("not cached ({status}): a rule says never"),
        Never::Disabled | Never::Refused(_) | Never::Timed(_) => {
            format!("not cached ({status}): {never}")
        }
    }];
    let reason = match (never, verdict) {
        (Never::Refused(reason) | Never::Timed(reason), _) => reason,
        (Never::Disabled, Verdict::Refused(reason)) => {
            lines.push(format!("  nor would it be with caching.disabled = false: {reason}"));
            return lines;
        }
        (Never::Disabled, _) => {
            lines.push("  what would make it cacheable: caching.disabled = false".into());
            return lines;
        }
        (Never::Hint | Never::Rule(_), _) => return lines,
    };
    lines.extend(pointed_at(text, dialect, reason).into_iter().flat_map(|at| pointer(text, at)));
    lines.push(format!("  what would make it cacheable: {}", reason.advice()));
    lines
}

/// For how long, and what ends it.
fn cached(hint: &Hint, verdict: &Verdict, caching: &CachingConfig) -> Vec<String> {
    let ages = caching.ages(verdict.tables()).unwrap_or(caching.usual());
    let in_transactions = caching.in_transactions != InTransactions::Off;
    let place = if in_transactions {
        "cached, also in READ COMMITTED blocks that have only read"
    } else {
        "cached outside of transactions"
    };
    let fresh = freshness(hint, ages);
    let max_age = fresh.max_age.as_secs_f64();
    let mut lines = Vec::new();
    if let Verdict::Timed { clock, .. } = verdict {
        let max_age = max_age.min(oldest_time(hint, ages).as_secs_f64());
        let midnight = match clock {
            Clock::Moment => "",
            Clock::Date => ", and not over midnight",
            Clock::UtcDate => ", and not over midnight, there or in UTC",
        };
        lines.push(format!("{place} for {max_age} s, since it tells the time{midnight}"));
    } else {
        let stale = fresh.stale_while_revalidate.as_secs_f64();
        lines.push(format!(
            "{place}: fresh for {max_age} s, then stale for {stale} s while it is refreshed"
        ));
    }
    let tables = verdict.tables();
    if !tables.is_empty() {
        lines.push(format!("  a write to {} makes it miss", list(tables)));
    }
    if !in_transactions && !verdict.only_looks_up() {
        lines.push(
            "  caching.in_transactions = \"read-only\" lets a READ COMMITTED block that has only read \
             read it from the cache too"
                .into(),
        );
    }
    lines
}

/// The reasons are words of docs/SESSION_STATE.md.
fn pinning(reasons: &[&str]) -> Option<String> {
    let words = || format!("  it pins its session to one connection ({})", reasons.join(", "));
    (!reasons.is_empty()).then(words)
}

fn list(tables: &[TableName]) -> String {
    tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cache::sql::{
        self,
        mysql::{self as mysql_sql, Modes},
        postgres::CatalogBuilder,
    };
    use serving::config::{Ages, CachingRule};

    use super::*;

    #[test]
    fn a_refusal_names_its_status_and_reason() {
        let judge = Judge::of_nothing();
        let shown = |text: &str| {
            lines(text, judge.dialect(), &judge.judge(text), &CachingConfig::default())
        };
        assert!(shown("SELEC 1")[0].starts_with("not cached (parseerror): "));
        assert!(shown("SELECT 1; SELECT 2")[0].starts_with("not cached (multiplestatements): "));
        let update = shown("UPDATE shop.orders SET paid = true");
        assert!(update[0].starts_with("not cached (notaquery): "), "{update:?}");
        assert!(update[2].contains(" miss"), "{update:?}");
        assert!(shown("SELECT 1")[0].starts_with("cached outside of transactions: fresh for 60 s"));
        let hinted = shown("/* jumpgate: no-cache */ SELECT 1");
        assert!(hinted[0].starts_with("asked of the origin each time (hint): "), "{hinted:?}");
    }

    #[test]
    fn the_rules_that_say_how_long_it_lives_are_told() {
        let rule = |number, name: &str, user: Option<&str>| {
            let (tables, user) = (vec![TableName::bare(name)], user.map(ToOwned::to_owned));
            let max_age = Duration::from_secs(5);
            let ages = Ages { max_age, ..CachingConfig::default().usual() };
            let ages = (name != "users" || user.is_some()).then_some(ages);
            Arc::new(CachingRule { number, tables, user, ages })
        };
        let rules = vec![rule(1, "users", Some("r")), rule(2, "users", None), rule(3, "t", None)];
        let caching = Arc::new(CachingConfig { rules, ..CachingConfig::default() });
        let shown = |name| {
            let verdict = Verdict::Cacheable { tables: vec![TableName::bare(name)].into() };
            let (hint, writes, pins) = (Hint::default(), Writes::None, Vec::new());
            let judged = Judged { hint, verdict, writes, pins };
            let mut lines = lines("", Dialect::Postgres, &judged, &caching.of_user(""));
            lines.extend(ruling(&judged.verdict, &caching));
            lines
        };
        let users = shown("users");
        assert_eq!(users[0], "not cached (disabled): a rule says never");
        assert!(users[1].starts_with("  by rule 1 of [database.caching]: tables = "), "{users:?}");
        assert!(users[2].ends_with("tables = [\"users\"], never = true"), "{users:?}");
        let other = shown("t");
        assert!(other[0].contains("fresh for 5 s, then stale for 15 s"), "{other:?}");
        assert!(other.last().is_some_and(|it| it.contains("rule 3 of [database.caching]")));
    }

    #[test]
    fn what_reads_catalogs_is_told_apart_where_that_is_switched_off() {
        let verdict = Verdict::Cacheable { tables: TABLES.map(table).to_vec().into() };
        let shown = |verdict| {
            let (hint, writes, pins) = (Hint::default(), Writes::catalogs(), Vec::new());
            let judged = Judged { hint, verdict, writes, pins };
            lines("", Dialect::Postgres, &judged, &CachingConfig::default())
        };
        let told = shown(verdict.clone());
        assert_eq!(told[1], "  a write to users, pg_catalog.* makes it miss");
        assert_eq!(told[3], "  it makes cached reads of pg_catalog.* miss");
        let off = shown(verdict.without_look_ups());
        assert!(off[0].ends_with("and round_trips.catalog is off"), "{off:?}");
        assert!(off[1].ends_with("round_trips.catalog = true in the [[database]]"), "{off:?}");
    }

    #[test]
    fn a_refusal_points_at_its_word_and_says_what_would_help() {
        let judge = Judge::of_nothing();
        let told = |text: &str, caching: &CachingConfig| {
            lines(text, judge.dialect(), &judge.judge(text), caching)
        };
        let clock = "-- a comment\nSELECT a, current_date";
        let refused = told(clock, &CachingConfig::default());
        assert_eq!(
            refused[..3],
            [
                "not cached (volatile): CURRENT_DATE depends on the clock",
                "  LINE 2: SELECT a, current_date",
                "                    ^",
            ]
        );
        let help = "  what would make it cacheable: clock_max_age = 1 in [database.caching] or a hint \
                    /* jumpgate: max_age=1 */";
        assert!(refused[3].starts_with(help), "{refused:?}");
        let hinted = format!("/* jumpgate: max_age=1 */ {clock}");
        let timed = told(&hinted, &CachingConfig::default());
        assert!(timed[0].ends_with("for 1 s, since it tells the time, and not over midnight"));
        let disabled = CachingConfig { disabled: true, ..CachingConfig::default() };
        let off = told("SELECT 1", &disabled);
        assert_eq!(off[1], "  what would make it cacheable: caching.disabled = false");
        let both = told("SELECT 1 FOR UPDATE", &disabled);
        assert!(both[0].starts_with("not cached (disabled): "), "{both:?}");
        assert!(both[1].ends_with("locks rows (FOR UPDATE or FOR SHARE)"), "{both:?}");
        let blocks = CachingConfig {
            in_transactions: InTransactions::Committed,
            ..CachingConfig::default()
        };
        let also = told("SELECT 1", &blocks);
        assert!(also[0].starts_with("cached, also in READ COMMITTED blocks"), "{also:?}");
    }

    const TABLES: [(&str, Option<&str>); 2] = [("users", None), ("*", Some("pg_catalog"))];

    fn table((name, schema): (&str, Option<&str>)) -> TableName {
        TableName { schema: schema.map(ToOwned::to_owned), name: name.to_owned() }
    }

    #[test]
    fn why_a_postgres_text_pins_is_told_by_the_word_of_the_metric() {
        let catalog = CatalogBuilder::new().build();
        let shown = |text: &str| {
            let pins = sql::postgres::pins(&sql::postgres::analyse(text), &catalog);
            pinning(&pins.into_iter().map(sql::postgres::Pin::as_str).collect::<Vec<_>>())
                .unwrap_or_default()
        };
        for (text, words) in [
            ("LISTEN news", "(listen)"),
            ("CREATE TEMP TABLE t (a int)", "(temp_table)"),
            ("SELECT pg_advisory_lock(1)", "(advisory_lock)"),
            ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "(hold_cursor)"),
            ("LOAD 'auto_explain'", "(load)"),
            ("SELECT pg_backup_start('nightly')", "(backup)"),
            ("PREPARE p AS SELECT 1; SELECT 1", "(sql_prepare)"),
            ("SELECT setseed(0.5)", "(unknown_setting)"),
            ("SELEC 1", "(unparsed)"),
            ("LISTEN news; LOAD 'auto_explain'", "(listen, load)"),
        ] {
            assert_eq!(shown(text), format!("  it pins its session to one connection {words}"));
        }
        for follows in ["SELECT 1", "SET work_mem = '1MB'", "PREPARE p AS SELECT 1", "UNLISTEN *"] {
            assert_eq!(shown(follows), "", "{follows}");
        }
    }

    #[test]
    fn why_a_mysql_text_pins_is_told_by_the_word_of_the_metric() {
        let shown = |text: &str| {
            let analysis = mysql_sql::analyse(text, Modes::default());
            let pins = mysql_sql::pins(&analysis, &mysql_sql::Left::default());
            pinning(&pins.into_iter().map(mysql_sql::Pin::as_str).collect::<Vec<_>>())
                .unwrap_or_default()
        };
        for (text, words) in [
            ("SET @a = 1", "(user_variable)"),
            ("CREATE TEMPORARY TABLE t (a int)", "(temp_table)"),
            ("LOCK TABLES t READ", "(table_lock)"),
            ("SELECT get_lock('a', 1)", "(named_lock)"),
            ("HANDLER t OPEN", "(handler)"),
            ("PREPARE p FROM 'SELECT 1'", "(sql_prepare)"),
            ("SET TRANSACTION READ ONLY", "(next_transaction)"),
            ("SET insert_id = 5", "(one_shot)"),
            ("XA START 'a'", "(unknown_setting)"),
        ] {
            assert_eq!(shown(text), format!("  it pins its session to one connection {words}"));
        }
        for follows in ["SELECT 1", "SET sql_mode = ''", "USE shop", "SET @a = NULL"] {
            assert_eq!(shown(follows), "", "{follows}");
        }
    }
}
