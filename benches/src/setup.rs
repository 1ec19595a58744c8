//! The table at a target: made, looked at, and dropped.

use std::fmt::Write as _;

use anyhow::{Result, ensure};

use crate::{
    client::Client,
    table::{NAME, State, text_of},
};

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
    use super::*;

    #[test]
    fn an_insert_holds_the_rows_from_first_to_last() {
        let sql = insert(3, 4);
        let (three, four) = (text_of(3, 0), text_of(4, 0));
        assert!(sql.ends_with(&format!("VALUES (3,0,'{three}'),(4,0,'{four}')")), "{sql}");
    }
}
