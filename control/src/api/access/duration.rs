//! How long a token is valid, as the API writes it.

use std::time::Duration;

use crate::api::envelope::ApiError;

/// What never expires.
pub(super) const FOREVER: &str = "forever";

/// A time such as `8760h`, `2h45m` or `1.5h`; none for `forever`.
///
/// # Errors
///
/// Where it is none.
pub(super) fn duration(text: &str) -> Result<Option<Duration>, ApiError> {
    if text == FOREVER {
        return Ok(None);
    }
    let seconds = seconds(text).filter(|seconds| (1.0..=SECONDS_MAX).contains(seconds));
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.map(Some).ok_or_else(|| {
        ApiError::invalid("duration must be a time such as 8760h or 2h45m, or \"forever\"")
    })
}

fn seconds(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, behind) = rest.split_at_checked(digits)?;
        let unit = UNITS.iter().find(|(unit, _)| behind.starts_with(unit))?;
        sum += number.parse::<f64>().ok()? * unit.1;
        rest = behind.strip_prefix(unit.0)?;
    }
    Some(sum)
}

/// Of two that begin alike the longer one first.
const UNITS: [(&str, f64); 7] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("ms", 1e-3),
    ("h", 3600.0),
    ("m", 60.0),
    ("s", 1.0),
];
/// A thousand years.
const SECONDS_MAX: f64 = 1000.0 * 366.0 * 24.0 * 3600.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_go_writes_it() {
        let seconds = |text: &str| duration(text).unwrap().map(|it| it.as_secs());
        assert_eq!(seconds("8760h"), Some(31_536_000));
        assert_eq!(seconds("2h45m"), Some(9900));
        assert_eq!(seconds("1.5h"), Some(5400));
        assert_eq!(seconds("60000ms"), Some(60));
        assert_eq!(seconds("forever"), None);
        for wrong in ["", "1", "h", "1d", "-1h", "1h ", "300ms", "0h", "1..5h", "99999999999h", "é"]
        {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
