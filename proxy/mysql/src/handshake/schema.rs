//! Whether the origin lets a client into the schema that it asks for when it logs in.
//!
//! Tools create a database because a login to it failed (1049), so that the origin is asked. It is asked once for each
//! schema; where it cannot be asked at once the client is let in, and hears of it with its first statement.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::timeout;

use super::super::{
    adopt::checkout, backend::RowsCounted, database::Database, questions::hear_rows,
};

/// Longest time for asking, the wait for a connection included.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// What the origin says against it: the payload of its ERR packet.
pub(super) async fn refusal(database: &Database, schema: &str) -> Option<Bytes> {
    // Under a name that is no SQL.
    let asked = format!("USE {schema}");
    if schema == database.config.origin.database || database.has_confirmed(&asked) {
        return None;
    }
    let ask = async {
        let counts = RowsCounted::of(database.learnt.found_rows());
        let mut loan = checkout(database, counts).await.ok()?;
        let before = loan.schema.clone();
        loan.send_schema(&Arc::from(schema));
        let answer = hear_rows(&mut loan).await.ok()?;
        // It told of its new schema. That is nobody's news.
        loan.unheard.clear();
        if answer.is_err() {
            loan.schema = before;
        }
        loan.checkin();
        Some(answer)
    };
    match timeout(ASK_TIMEOUT, ask).await {
        Ok(Some(Err(refusal))) => Some(refusal),
        Ok(Some(Ok(_))) => {
            database.confirm(asked);
            None
        }
        Ok(None) | Err(_) => None,
    }
}
