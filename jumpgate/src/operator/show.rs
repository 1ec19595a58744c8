//! How lists and moments are shown.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tunnel::state::UnixSeconds;

use super::error::OperatorError;

/// This moment.
pub(super) fn now() -> UnixSeconds {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A list as other programs read it.
pub(super) fn json<T: Serialize>(list: &[T]) -> Result<String, OperatorError> {
    serde_json::to_string_pretty(list).map_err(OperatorError::Json)
}

/// A moment as people write it, in UTC.
pub(super) fn moment(seconds: UnixSeconds) -> String {
    let known =
        i64::try_from(seconds).ok().and_then(|s| time::OffsetDateTime::from_unix_timestamp(s).ok());
    known.map_or_else(
        || String::from("?"),
        |at| {
            let (date, hour, minute) = (at.date(), at.hour(), at.minute());
            format!("{date} {hour:02}:{minute:02}")
        },
    )
}
