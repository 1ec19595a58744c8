//! Times as they are written.

use std::time::Duration;

use crate::mistake::Mistake;

/// A number of seconds, at least `least`.
pub(super) fn seconds(
    value: Option<f64>,
    least: Duration,
    key: &str,
) -> Result<Option<Duration>, Mistake> {
    let Some(value) = value else { return Ok(None) };
    let wrong = |problem: String| Mistake::new(key, problem, "times are in seconds");
    let duration = Duration::try_from_secs_f64(value).map_err(|error| wrong(error.to_string()))?;
    if duration < least {
        return Err(wrong(format!("must be at least {} s", least.as_secs_f64())));
    }
    Ok(Some(duration))
}
