//! Rows of history. It knows where they stand in time, and not what they sum up.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{
    Any, AnyConnection, AssertSqlSafe, Row as _,
    any::{AnyArguments, AnyRow},
    query::Query,
};

use super::{Database, DatabaseError};

/// Rows in one statement: with five values each far below what SQLite and PostgreSQL take.
const ROWS_AT_ONCE: usize = 200;

/// What was counted in a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HistoryRow {
    /// The id of a config or of an account.
    pub(crate) scope: String,
    /// How many minutes it is about.
    pub(crate) width: i64,
    /// When it begins, in minutes since 1970.
    pub(crate) start: i64,
    /// The instance of the proxy.
    pub(crate) node: String,
    /// What was counted.
    pub(crate) sums: String,
}

/// One that is kept at most once, however often it is told.
type Key = (String, i64, i64, String);

impl HistoryRow {
    fn key(&self) -> Key {
        (self.scope.clone(), self.width, self.start, self.node.clone())
    }
}

impl Database {
    /// Keeps rows that were not told before; of several of one place the first. `sum_up` makes of those the rows that sum
    /// them up, one of each place and with nothing in them of before; `add` puts such a row on top of what its place holds.
    ///
    /// # Errors
    ///
    /// Where it cannot be written; nothing is kept then.
    ///
    /// # Cancel safety
    ///
    /// Dropped, all of it is kept or nothing.
    pub(crate) async fn keep_history(
        &self,
        mut told: Vec<HistoryRow>,
        sum_up: impl Fn(Vec<&HistoryRow>) -> Vec<HistoryRow>,
        add: impl Fn(&str, &mut HistoryRow),
    ) -> Result<(), DatabaseError> {
        // Everybody takes rows in the same order: so no two wait for each other.
        told.sort_by_cached_key(HistoryRow::key);
        told.dedup_by(|later, first| later.key() == first.key());
        let mut transaction = self.pool.begin().await?;
        // The first statement writes: so SQLite waits for its turn here, and refuses nothing later.
        let mut fresh = BTreeSet::new();
        for rows in told.chunks(ROWS_AT_ONCE) {
            fresh.extend(insert(&mut transaction, rows).await?);
        }
        let mut sums = sum_up(told.iter().filter(|row| fresh.contains(&row.key())).collect());
        sums.sort_by_cached_key(HistoryRow::key);
        for rows in sums.chunks_mut(ROWS_AT_ONCE) {
            let there = hold(&mut transaction, rows).await?;
            for row in &mut *rows {
                if let Some(before) = there.get(&row.key()) {
                    add(before, row);
                }
            }
            replace(&mut transaction, rows).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// The rows of some scopes from a minute on; of a few hundred scopes at once.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub(crate) async fn history(
        &self,
        scopes: &[&str],
        width: i64,
        from: i64,
    ) -> Result<Vec<HistoryRow>, DatabaseError> {
        let places = (1..=scopes.len()).map(|scope| format!("${}", scope + 2)).collect::<Vec<_>>();
        let text = format!(
            "SELECT scope, width, start, node, sums FROM history \
            WHERE width = $1 AND start >= $2 AND scope IN ({})",
            places.join(", ")
        );
        let mut query = sqlx::query(AssertSqlSafe(text)).bind(width).bind(from);
        for &scope in scopes {
            query = query.bind(scope.to_owned());
        }
        let rows = query.fetch_all(&self.pool).await?;
        Ok(rows.iter().map(row_of).collect::<Result<_, sqlx::Error>>()?)
    }

    /// Forgets rows that begin before a minute, at most `count`; says how many.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    ///
    /// # Cancel safety
    ///
    /// Dropped, they may be forgotten or not.
    pub(crate) async fn forget_history(
        &self,
        width: i64,
        before: i64,
        count: i64,
    ) -> Result<u64, DatabaseError> {
        let text = "DELETE FROM history WHERE (scope, width, start, node) IN \
            (SELECT scope, width, start, node FROM history WHERE width = $1 AND start < $2 LIMIT $3)";
        let done = sqlx::query(text).bind(width).bind(before).bind(count);
        Ok(done.execute(&self.pool).await?.rows_affected())
    }
}

/// Adds those that are not there; says which.
async fn insert(
    connection: &mut AnyConnection,
    rows: &[HistoryRow],
) -> Result<Vec<Key>, sqlx::Error> {
    let end = "ON CONFLICT DO NOTHING RETURNING scope, width, start, node";
    insertion(rows, end).fetch_all(connection).await?.iter().map(key).collect()
}

/// What stands in the places of these, which nobody else changes until the transaction ends. Where nothing stands, nothing
/// counted is put: a place that is not there cannot be held.
async fn hold(
    connection: &mut AnyConnection,
    rows: &[HistoryRow],
) -> Result<BTreeMap<Key, String>, sqlx::Error> {
    let blank = |row: &HistoryRow| HistoryRow { sums: String::from("{}"), ..row.clone() };
    let blank: Vec<_> = rows.iter().map(blank).collect();
    // The update changes nothing and takes the row: what it returns is the newest, and not what was there as it began.
    let end = "ON CONFLICT (scope, width, start, node) DO UPDATE SET sums = history.sums \
        RETURNING scope, width, start, node, sums";
    let held = insertion(&blank, end).fetch_all(connection).await?;
    held.iter().map(|row| Ok((key(row)?, row.try_get(4)?))).collect()
}

async fn replace(connection: &mut AnyConnection, rows: &[HistoryRow]) -> Result<(), sqlx::Error> {
    let end = "ON CONFLICT (scope, width, start, node) DO UPDATE SET sums = excluded.sums";
    insertion(rows, end).execute(connection).await.map(drop)
}

/// Puts rows in; `end` says what is done where one is there, and what is told.
fn insertion(rows: &[HistoryRow], end: &str) -> Query<'static, Any, AnyArguments> {
    let start = "INSERT INTO history (scope, width, start, node, sums)";
    let text = format!("{start} VALUES {} {end}", places(rows.len(), 5));
    let mut query = sqlx::query(AssertSqlSafe(text));
    for row in rows {
        query = query.bind(row.scope.clone()).bind(row.width).bind(row.start);
        query = query.bind(row.node.clone()).bind(row.sums.clone());
    }
    query
}

/// `($1, $2), ($3, $4)`: numbered, since PostgreSQL knows no other places.
fn places(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let numbers = (1..=columns).map(|column| format!("${}", row * columns + column));
        format!("({})", numbers.collect::<Vec<_>>().join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

fn key(row: &AnyRow) -> Result<Key, sqlx::Error> {
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))
}

fn row_of(row: &AnyRow) -> Result<HistoryRow, sqlx::Error> {
    let (scope, width, start, node) = key(row)?;
    Ok(HistoryRow { scope, width, start, node, sums: row.try_get(4)? })
}
