//! Values that stand on the command line: times and addresses.

use std::time::Duration;

/// The longest delay that a database can be given.
const DELAY_MAX: Duration = Duration::from_secs(10);

/// Is it an address that a connector can dial?
pub fn is_host_and_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
    })
}

pub(super) fn parse_host_and_port(text: &str) -> Result<String, String> {
    if is_host_and_port(text) { Ok(text.to_owned()) } else { Err(String::from("not host:port")) }
}

/// `40ms`, `1.5s`, or a plain number of milliseconds.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 0.001),
        (None, Some(number)) => (number, 1.0),
        (None, None) => (text, 0.001),
    };
    let number: f64 = number.trim().parse().map_err(|error| format!("{error}; say 40ms or 1s"))?;
    let delay = Duration::try_from_secs_f64(number * unit).map_err(|error| error.to_string())?;
    if delay > DELAY_MAX { Err(String::from("at most 10s")) } else { Ok(delay) }
}

/// A whole number and its unit: s, m, h or d.
pub(super) fn parse_time(text: &str) -> Result<Duration, String> {
    let problem = || String::from("say a number and its unit: 30m, 24h, 90d");
    let (number, seconds) = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .ok_or_else(problem)?;
    let number: u64 = number.parse().map_err(|_not_whole| problem())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_have_a_unit_and_a_bound() {
        assert_eq!(parse_duration("40ms"), Ok(Duration::from_millis(40)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("25"), Ok(Duration::from_millis(25)));
        for wrong in ["", "ms", "-1ms", "soon", "11s", "NaN"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
