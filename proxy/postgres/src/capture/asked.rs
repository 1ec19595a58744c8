//! What the database is asked beside the stream: what there is to begin with, which tables are told of, how far its log is.

use std::collections::{HashMap, HashSet};

use cache::sql::TableName;
use protocol::postgres::replication::Position;
use serving::{capture::Covered, config::CaptureConfig};
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

use super::{
    error::CaptureError,
    slot::{Slot, literal},
    snapshot::Snapshot,
};
use crate::asker::Asker;

/// What there is before it begins.
#[derive(Debug)]
pub(super) struct Ground {
    /// What is emitted can be heard.
    pub(super) hears_emitted: bool,
    /// The slot, if it is there.
    pub(super) slot: SlotState,
}

/// Whether there is a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotState {
    /// None of this name.
    Missing,
    /// One that can be used.
    There,
    /// One whose log is gone.
    Invalid,
}

/// Which tables are told of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Coverage {
    /// Those of which anything is.
    pub(super) told: HashSet<TableName>,
    /// The names that mean nothing of which not everything is.
    pub(super) whole: HashSet<String>,
}

/// How things are at one moment.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) snapshot: Snapshot,
    /// Where the log ends.
    pub(super) end: Position,
    /// How much of it the database keeps for us.
    pub(super) retained: u64,
}

/// Looks what there is.
pub(super) async fn ground(
    asker: &Asker,
    capture: &CaptureConfig,
    slot: &Slot,
) -> Result<Ground, CaptureError> {
    let sql = format!(
        "SELECT pg_catalog.current_setting('server_version_num'), \
         EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = {publication})::text, \
         (SELECT COALESCE(s.plugin = 'pgoutput' AND s.database = pg_catalog.current_database(), false)::text \
            FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = {slot}), \
         (SELECT (pg_catalog.to_jsonb(s) ->> 'wal_status') \
            FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = {slot})",
        publication = literal(&capture.publication),
        slot = literal(slot.name()),
    );
    let answer = asker.ask(&sql).await?;
    let row = rows(&answer).next().ok_or(CaptureError::Answer)?;
    let version: u32 = number(row, 0)?;
    if row.get(1) != Some("true") {
        return Err(CaptureError::NoPublication(capture.publication.clone()));
    }
    let slot = match (row.get(2), row.get(3)) {
        (None, _) => SlotState::Missing,
        (Some("true"), Some("lost")) => SlotState::Invalid,
        (Some("true"), _) => SlotState::There,
        (Some(_), _) => return Err(CaptureError::ForeignSlot(slot.name().to_owned())),
    };
    Ok(Ground { hears_emitted: version >= 140_000, slot })
}

/// Looks which tables are told of.
pub(super) async fn coverage(
    asker: &Asker,
    capture: &CaptureConfig,
) -> Result<Coverage, CaptureError> {
    let answer =
        asker.ask(&COVERAGE.replace("{publication}", &literal(&capture.publication))).await?;
    let mut coverage = Coverage::default();
    let mut names: HashMap<String, bool> = HashMap::new();
    for row in rows(&answer) {
        let text = |column| row.get(column).ok_or(CaptureError::Answer);
        let (schema, name) = (text(0)?, text(1)?);
        if text(2)? == "true" {
            coverage.told.insert(TableName::qualified(schema, name));
        }
        *names.entry(name.to_owned()).or_insert(true) &= text(3)? == "true";
    }
    coverage.whole =
        names.into_iter().filter(|(_, is_whole)| *is_whole).map(|(name, _)| name).collect();
    Ok(coverage)
}

impl Coverage {
    /// As a feed takes it.
    pub(super) fn covered(&self) -> Covered {
        Covered::Tables(self.whole.clone())
    }
}

/// Looks how things are now.
pub(super) async fn moment(asker: &Asker, slot: &Slot) -> Result<Moment, CaptureError> {
    let answer = asker.ask(&MOMENT.replace("{slot}", &literal(slot.name()))).await?;
    let row = rows(&answer).next().ok_or(CaptureError::Answer)?;
    let text = |column| row.get(column).ok_or(CaptureError::Answer);
    Ok(Moment {
        snapshot: Snapshot::parse(text(0)?).ok_or(CaptureError::Answer)?,
        end: Position::parse(text(1)?).ok_or(CaptureError::Answer)?,
        retained: number(row, 2)?,
    })
}

pub(super) fn rows(answer: &[SimpleQueryMessage]) -> impl Iterator<Item = &SimpleQueryRow> {
    answer.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    })
}

fn number<T: std::str::FromStr>(row: &SimpleQueryRow, column: usize) -> Result<T, CaptureError> {
    row.get(column).and_then(|text| text.parse().ok()).ok_or(CaptureError::Answer)
}

/// Which transactions everybody sees, where the log ends, and how much of it is kept for us. On a standby it ends where it was
/// played, and what was played everybody sees there.
const MOMENT: &str = "\
SELECT pg_catalog.pg_current_snapshot()::text, e.lsn::text,
       COALESCE((SELECT GREATEST(pg_catalog.pg_wal_lsn_diff(e.lsn, s.restart_lsn), 0)
                   FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = {slot}), 0)::bigint::text
  FROM (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                    ELSE pg_catalog.pg_current_wal_flush_lsn() END) AS e(lsn)";

/// Schema and name of each relation, whether anything of it is published, and whether every change of what it shows is: of a view,
/// since what is behind it counts by itself; of a table that is published with all that can happen to it, or whose root is; of a
/// partitioned table that is named as such, since each partition is with it.
const COVERAGE: &str = "\
WITH told AS (
  SELECT c.oid, p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate
         AND (pg_catalog.to_jsonb(t) ->> 'rowfilter') IS NULL AS is_whole
    FROM pg_catalog.pg_publication_tables t
    JOIN pg_catalog.pg_publication p ON p.pubname = t.pubname
    JOIN pg_catalog.pg_namespace n ON n.nspname = t.schemaname
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename
   WHERE t.pubname = {publication}),
named AS (
  SELECT r.prrelid AS oid, p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate
         AND (pg_catalog.to_jsonb(r) ->> 'prqual') IS NULL AS is_whole
    FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
   WHERE p.pubname = {publication}
   UNION ALL
  SELECT c.oid, p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate
    FROM pg_catalog.pg_publication p, pg_catalog.pg_class c
   WHERE p.pubname = {publication} AND p.puballtables AND c.relkind::text = 'p')
SELECT n.nspname::text, c.relname::text,
       EXISTS (SELECT FROM told t WHERE t.oid = c.oid)::text,
       CASE c.relkind::text
            WHEN 'v' THEN true
            WHEN 'r' THEN EXISTS (SELECT FROM told t WHERE t.is_whole AND (t.oid = c.oid
                 OR c.relispartition AND t.oid IN (SELECT pg_catalog.pg_partition_ancestors(c.oid))))
            WHEN 'p' THEN EXISTS (SELECT FROM named t WHERE t.is_whole
                 AND t.oid IN (SELECT pg_catalog.pg_partition_ancestors(c.oid)))
            ELSE false END::text
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind::text IN ('r', 'p', 'v', 'm', 'f')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND n.nspname NOT LIKE 'pg\\_temp%' AND n.nspname NOT LIKE 'pg\\_toast%'";
