//! The table that is read and written: its rows, and how one is known to be right.
//!
//! The text of a row follows from its key and its version, so a row that was mixed up, cut short or taken from
//! another answer shows. Versions are given out by this program and only ever grow.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicI64, Ordering},
};

use anyhow::{Result, ensure};

use crate::client::Client;

/// Its name.
pub const NAME: &str = "jumpgate_bench";

/// One row as an answer carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key.
    pub id: i32,
    /// Which write made it.
    pub version: i64,
    /// What [`text_of`] says.
    pub text: String,
}

/// The text that belongs to a key and a version.
#[must_use]
pub fn text_of(id: i32, version: i64) -> String {
    let mut bits = (i64::from(id).cast_unsigned() << 40) ^ version.cast_unsigned();
    // SplitMix64: neighbours get texts that share nothing.
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    format!("{id}.{version}.{:016x}", bits ^ (bits >> 31))
}

/// Gives out the versions of one run, to all its clients.
#[derive(Debug)]
pub struct Versions(AtomicI64);

impl Versions {
    /// The first will be the one after `newest`.
    #[must_use]
    pub const fn after(newest: i64) -> Self {
        Self(AtomicI64::new(newest))
    }

    /// One that is larger than all before.
    pub fn next(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// What a target's table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// How many rows.
    pub rows: i64,
    /// The largest version.
    pub newest: i64,
}

/// The statement that [`State`] comes from.
pub const STATE: &str = "SELECT count(*), coalesce(max(version), 0) FROM jumpgate_bench";

/// Makes the table with keys 1 to `keys`, all in version 0.
///
/// # Errors
///
/// What the database refused.
pub async fn make(client: &mut Client, keys: i32) -> Result<()> {
    client.execute(&format!("DROP TABLE IF EXISTS {NAME}")).await?;
    let columns = "id int PRIMARY KEY, version bigint NOT NULL, check_text varchar(100) NOT NULL";
    client.execute(&format!("CREATE TABLE {NAME} ({columns})")).await?;
    let mut first = 1;
    while first <= keys {
        let last = keys.min(first.saturating_add(ROWS_PER_INSERT - 1));
        client.execute(&insert(first, last)).await?;
        let Some(next) = last.checked_add(1) else { break };
        first = next;
    }
    Ok(())
}

/// Drops the table, if it is there.
///
/// # Errors
///
/// What the database refused.
pub async fn drop(client: &mut Client) -> Result<()> {
    client.execute(&format!("DROP TABLE IF EXISTS {NAME}")).await
}

/// What the table holds, which must be enough.
///
/// # Errors
///
/// There is no such table, or it has too few rows.
pub async fn state(client: &mut Client, keys: i32) -> Result<State> {
    let state = client.state().await?;
    ensure!(state.rows >= i64::from(keys), "{NAME} has {} rows, not {keys}", state.rows);
    Ok(state)
}

fn insert(first: i32, last: i32) -> String {
    let mut sql = format!("INSERT INTO {NAME} (id, version, check_text) VALUES ");
    for id in first..=last {
        let comma = if id == first { "" } else { "," };
        write!(sql, "{comma}({id},0,'{}')", text_of(id, 0)).expect("a String takes everything");
    }
    sql
}

const ROWS_PER_INSERT: i32 = 1000;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_key_and_version_has_a_text_of_its_own() {
        let texts: HashSet<_> = (1..100)
            .flat_map(|id| (0..100).map(move |version| text_of(id, version)))
            .map(|text| text.rsplit('.').next().unwrap().to_owned())
            .collect();
        assert_eq!(texts.len(), 99 * 100);
        assert!(text_of(i32::MAX, i64::MAX).len() <= 100, "the column holds it");
    }

    #[test]
    fn an_insert_holds_the_rows_from_first_to_last() {
        let sql = insert(3, 4);
        let (three, four) = (text_of(3, 0), text_of(4, 0));
        assert!(sql.ends_with(&format!("VALUES (3,0,'{three}'),(4,0,'{four}')")), "{sql}");
    }
}
