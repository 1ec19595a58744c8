//! `jumpgate why NAME "SELECT …"`: whether a statement's reply can be cached, and why not; and why it keeps its session
//! on one connection.

use std::sync::Arc;

use cache::sql::{
    self, Clock, Hint, TableName, Verdict, Writes,
    mysql::{self as mysql_sql, Classifier, Modes, Verdicts},
};
use serving::config::{CachingConfig, DatabaseConfig, Engine};

use crate::probe::{Probe, ProbeError};

/// What the memory of a single judgement may hold.
const MEMO_BYTES: u64 = 1 << 20;

/// Reads the origin's catalog and explains a statement, line by line.
///
/// # Errors
///
/// Why the origin cannot be asked.
pub async fn explain(database: &DatabaseConfig, text: &str) -> Result<Vec<String>, ProbeError> {
    match database.engine {
        Engine::Postgres => {
            let catalog = postgres::catalog::read(database).await?;
            let analysis = sql::postgres::analyse(text);
            let verdict = spared(database, sql::postgres::classify(&analysis, &catalog));
            let writes = sql::postgres::writes(&analysis, &catalog);
            let mut lines = lines(&analysis.hint, &verdict, &writes, &database.caching);
            let pins = sql::postgres::pins(&analysis, &catalog);
            lines.extend(pinning(pins.into_iter().map(sql::postgres::Pin::as_str)));
            Ok(lines)
        }
        Engine::MySql => {
            let catalog = mysql::catalog::read(database).await?;
            let modes = modes_of(database).await?;
            let analysis = Arc::new(mysql_sql::analyse(text, modes));
            let classifier = Classifier::new(Arc::new(catalog), &Verdicts::new(MEMO_BYTES));
            let schema = Arc::from(&*database.origin.database);
            let judged = classifier.classify(text, &schema, &analysis);
            let verdict = spared(database, judged.verdict.clone());
            let mut lines = lines(&analysis.hint, &verdict, &judged.writes, &database.caching);
            let pins = mysql_sql::pins(&analysis, &judged.left);
            lines.extend(pinning(pins.into_iter().map(mysql_sql::Pin::as_str)));
            Ok(lines)
        }
    }
}

/// The verdict by what the database's `round_trips` say.
fn spared(database: &DatabaseConfig, verdict: Verdict) -> Verdict {
    if database.round_trips.catalog { verdict } else { verdict.without_look_ups() }
}

/// How a session that changes nothing reads a text at a MySQL origin.
async fn modes_of(database: &DatabaseConfig) -> Result<Modes, ProbeError> {
    let timeout = database.pool.connect_timeout;
    let mut probe = Probe::open(database.engine, &database.origin, timeout).await?;
    let sql_mode = probe.first_value("SELECT @@sql_mode").await?.unwrap_or_default();
    Ok(mysql::modes_of(&sql_mode))
}

fn lines(hint: &Hint, verdict: &Verdict, writes: &Writes, caching: &CachingConfig) -> Vec<String> {
    let mut lines = Vec::new();
    match verdict {
        Verdict::Refused(reason) => {
            lines.push(format!("not cached ({}): {reason}", reason.status()));
        }
        Verdict::Timed { reason, .. } if is_timeless(hint, caching) => {
            lines.push(format!("not cached ({}): {reason}", reason.status()));
            lines.push(
                "  clock_max_age in [database.caching], or max_age in a hint of its own, lets it be as old as that"
                    .into(),
            );
        }
        Verdict::Cacheable { .. } | Verdict::Timed { .. } if caching.disabled => {
            lines.push("not cached (disabled): caching.disabled is set for this database".into());
        }
        Verdict::Cacheable { .. } | Verdict::Timed { .. } if hint.no_cache => {
            lines.push(
                "asked of the origin each time (hint): the statement's own hint says no-cache; the reply is \
                 kept for those who ask without it"
                    .into(),
            );
        }
        Verdict::Timed { tables, clock, .. } => {
            let max_age = hint.max_age.unwrap_or(caching.clock_max_age).as_secs_f64();
            let midnight = match clock {
                Clock::Moment => "",
                Clock::Date => ", and not over midnight",
                Clock::UtcDate => ", and not over midnight, there or in UTC",
            };
            lines.push(format!(
                "cached outside of transactions for {max_age} s, since it tells the time{midnight}"
            ));
            lines.extend(missing(tables));
        }
        Verdict::Cacheable { tables } => {
            let max_age = hint.max_age.unwrap_or(caching.max_age).as_secs_f64();
            let stale = hint.stale_while_revalidate.unwrap_or(caching.stale_while_revalidate);
            let stale = stale.as_secs_f64();
            lines.push(format!(
                "cached outside of transactions: fresh for {max_age} s, then stale for {stale} s \
                 while it is refreshed",
            ));
            lines.extend(missing(tables));
        }
    }
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
    lines
}

/// Whether what tells the time is not to be kept.
fn is_timeless(hint: &Hint, caching: &CachingConfig) -> bool {
    hint.max_age.unwrap_or(caching.clock_max_age).is_zero()
}

fn missing(tables: &[TableName]) -> Option<String> {
    (!tables.is_empty()).then(|| format!("  a write to {} makes it miss", list(tables)))
}

/// The reasons are words of docs/SESSION_STATE.md.
fn pinning(reasons: impl Iterator<Item = &'static str>) -> Option<String> {
    let reasons = reasons.collect::<Vec<_>>().join(", ");
    (!reasons.is_empty()).then(|| format!("  it pins its session to one connection ({reasons})"))
}

fn list(tables: &[TableName]) -> String {
    tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use cache::sql::postgres::CatalogBuilder;

    use super::*;

    #[test]
    fn a_refusal_names_its_status_and_reason() {
        let catalog = CatalogBuilder::new().build();
        let shown = |text: &str| {
            let analysis = sql::postgres::analyse(text);
            let verdict = sql::postgres::classify(&analysis, &catalog);
            let writes = sql::postgres::writes(&analysis, &catalog);
            lines(&analysis.hint, &verdict, &writes, &CachingConfig::default())
        };
        assert!(shown("SELEC 1")[0].starts_with("not cached (parseerror): "));
        assert!(shown("SELECT 1; SELECT 2")[0].starts_with("not cached (multiplestatements): "));
        let update = shown("UPDATE shop.orders SET paid = true");
        assert!(update[0].starts_with("not cached (notaquery): "), "{update:?}");
        assert!(update[1].contains(" miss"), "{update:?}");
        assert!(shown("SELECT 1")[0].starts_with("cached outside of transactions: fresh for 60 s"));
        let hinted = shown("/* jumpgate: no-cache */ SELECT 1");
        assert!(hinted[0].starts_with("asked of the origin each time (hint): "), "{hinted:?}");
    }

    #[test]
    fn what_reads_catalogs_is_told_apart_where_that_is_switched_off() {
        let verdict = Verdict::Cacheable { tables: TABLES.map(table).to_vec().into() };
        let shown = |verdict| {
            lines(&Hint::default(), &verdict, &Writes::catalogs(), &CachingConfig::default())
        };
        let told = shown(verdict.clone());
        assert_eq!(told[1], "  a write to users, pg_catalog.* makes it miss");
        assert_eq!(told[2], "  it makes cached reads of pg_catalog.* miss");
        let off = shown(verdict.without_look_ups());
        assert!(off[0].ends_with("and round_trips.catalog is off"), "{off:?}");
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
            pinning(pins.into_iter().map(sql::postgres::Pin::as_str)).unwrap_or_default()
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
            pinning(pins.into_iter().map(mysql_sql::Pin::as_str)).unwrap_or_default()
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
