//! What `jumpgate check` says of a database whose changes are to be captured: what is missing, and the commands that help.

use serving::{
    capture::Finding,
    config::{CaptureConfig, DatabaseConfig},
};
use tokio_postgres::SimpleQueryRow;

use super::{asked::rows, error::CaptureError, slot::literal, stream::Stream};
use crate::asker::Asker;

/// So many tables are named; of more only how many there are.
const MAX_NAMED: usize = 20;

/// What is found, once somebody can log in for it.
pub(super) async fn find(
    config: &DatabaseConfig,
    capture: &CaptureConfig,
) -> Result<Vec<Finding>, CaptureError> {
    let asker = Asker::connect(config, &capture.origin, "check").await?;
    let answer =
        asker.ask(&SERVER.replace("{publication}", &literal(&capture.publication))).await?;
    let server = rows(&answer).next().ok_or(CaptureError::Answer)?;
    let mut found = vec![wal_level(server)];
    found.extend(room(server, "max_replication_slots", 1, 2));
    found.extend(room(server, "max_wal_senders", 3, 4));
    let answer =
        asker.ask(&TABLES.replace("{publication}", &literal(&capture.publication))).await?;
    let tables = rows(&answer).map(Table::of).collect::<Option<Vec<_>>>();
    found.push(publication(server, &tables.ok_or(CaptureError::Answer)?, capture));
    found.push(match Stream::open(config, capture).await {
        Ok(_stream) => Finding::Fine(format!("{} may replicate", capture.origin.user)),
        Err(error) => {
            let role = quoted(&capture.origin.user);
            let remedy = vec![
                format!("ALTER ROLE {role} REPLICATION;"),
                format!("GRANT rds_replication TO {role};  -- Amazon RDS and Aurora, instead"),
            ];
            let error: &dyn std::error::Error = &error;
            let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            Finding::Missing(format!("{} may not replicate: {why}", capture.origin.user), remedy)
        }
    });
    Ok(found)
}

fn text(row: &SimpleQueryRow, column: usize) -> &str {
    row.get(column).unwrap_or_default()
}

fn wal_level(server: &SimpleQueryRow) -> Finding {
    match text(server, 0) {
        "logical" => Finding::Fine(String::from("wal_level is logical")),
        other => Finding::Missing(
            format!("wal_level is {other}, and must be logical"),
            vec![
                String::from("ALTER SYSTEM SET wal_level = 'logical';  -- and restart the server"),
                String::from(
                    "rds.logical_replication = 1 in the parameter group  -- Amazon RDS, instead",
                ),
            ],
        ),
    }
}

/// Whether one more fits.
fn room(server: &SimpleQueryRow, setting: &str, most: usize, used: usize) -> Option<Finding> {
    let (most, used) = (text(server, most), text(server, used));
    let is_full = most.parse::<u64>().ok()? <= used.parse::<u64>().ok()?;
    is_full.then(|| {
        let remedy = format!(
            "ALTER SYSTEM SET {setting} = 10;  -- more than {used}, and restart the server"
        );
        Finding::Missing(format!("{setting} is {most}, and {used} are in use"), vec![remedy])
    })
}

/// A table of the database.
struct Table {
    name: String,
    is_told: bool,
    /// It can be told apart which row was written.
    is_identified: bool,
}

impl Table {
    fn of(row: &SimpleQueryRow) -> Option<Self> {
        let is = |column| row.get(column).map(|text| text == "true");
        let name = row.get(0)?.to_owned();
        Some(Self { name, is_told: is(1)?, is_identified: is(2)? })
    }
}

fn publication(server: &SimpleQueryRow, tables: &[Table], capture: &CaptureConfig) -> Finding {
    let name = quoted(&capture.publication);
    let untold: Vec<_> = tables.iter().filter(|table| !table.is_told).collect();
    // In a publication every UPDATE and DELETE of such a table fails.
    let (fit, unfit): (Vec<&Table>, Vec<&Table>) =
        untold.iter().partition(|table| table.is_identified);
    let list = |tables: &[&Table]| {
        let names: Vec<_> = tables.iter().map(|table| table.name.as_str()).collect();
        names.join(", ")
    };
    let mut remedy = match (text(server, 5), fit.is_empty()) {
        ("", true) => vec![format!("CREATE PUBLICATION {name} FOR TABLE …;")],
        ("", false) => vec![format!("CREATE PUBLICATION {name} FOR TABLE {};", list(&fit))],
        (_, true) => Vec::new(),
        (_, false) => vec![format!("ALTER PUBLICATION {name} ADD TABLE {};", list(&fit))],
    };
    for table in &unfit {
        remedy.push(format!(
            "ALTER TABLE {} REPLICA IDENTITY FULL;  -- or a primary key, before it is published: else UPDATE and DELETE fail",
            table.name
        ));
    }
    match text(server, 5) {
        "" => Finding::Missing(format!("there is no publication {name}"), remedy),
        "true" if untold.is_empty() => {
            Finding::Fine(format!("the publication {name} tells of all tables"))
        }
        "true" => {
            let shown = untold.iter().take(MAX_NAMED).copied().collect::<Vec<_>>();
            let more = if untold.len() > MAX_NAMED { ", …" } else { "" };
            let what = format!(
                "the publication {name} does not tell of {} of {} tables, which so live for max_age: {}{more}",
                untold.len(),
                tables.len(),
                list(&shown),
            );
            Finding::Gap(what, remedy)
        }
        _ => Finding::Gap(
            format!("the publication {name} does not tell of all that happens to its tables"),
            vec![format!(
                "ALTER PUBLICATION {name} SET (publish = 'insert, update, delete, truncate');"
            )],
        ),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Settings with how much of them is used, and whether the publication tells of everything that happens, if it is there.
const SERVER: &str = "\
SELECT pg_catalog.current_setting('wal_level'),
       pg_catalog.current_setting('max_replication_slots'),
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots)::text,
       pg_catalog.current_setting('max_wal_senders'),
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication)::text,
       (SELECT (p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate)::text
          FROM pg_catalog.pg_publication p WHERE p.pubname = {publication})";

/// Each table that is in the log, whether it is published and has a replica identity.
const TABLES: &str = "\
WITH told AS MATERIALIZED (
  SELECT c.oid
    FROM pg_catalog.pg_publication_tables t
    JOIN pg_catalog.pg_namespace n ON n.nspname = t.schemaname
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename
   WHERE t.pubname = {publication})
SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
       (c.oid IN (SELECT oid FROM told) OR c.relispartition AND EXISTS (
           SELECT FROM told t WHERE t.oid IN (SELECT pg_catalog.pg_partition_ancestors(c.oid))))::text,
       (c.relreplident::text IN ('f', 'i') OR c.relreplident::text = 'd' AND EXISTS (
           SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary))::text
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind::text = 'r' AND c.relpersistence::text = 'p'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND n.nspname NOT LIKE 'pg\\_temp%' AND n.nspname NOT LIKE 'pg\\_toast%'
 ORDER BY 1";
