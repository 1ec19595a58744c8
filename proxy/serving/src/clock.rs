//! What time it is where a session is.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

/// How long ago it was midnight in a time zone, by the names that servers know it by. `None` where the zone is not known here:
/// then nobody can tell when the date changes.
pub fn since_midnight(zone: &str) -> Option<Duration> {
    let now = Timestamp::now().to_zoned(time_zone(zone)?);
    let midnight = now.start_of_day().ok()?;
    now.duration_since(&midnight).try_into().ok()
}

fn time_zone(name: &str) -> Option<TimeZone> {
    // `+02:00`, of MySQL.
    let offset = || {
        let (hours, minutes) = name.strip_prefix(['+', '-'])?.split_once(':')?;
        let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
        let sign = if name.starts_with('-') { -1 } else { 1 };
        jiff::tz::Offset::from_seconds(sign * seconds).ok().map(TimeZone::fixed)
    };
    TimeZone::get(name).ok().or_else(offset).or_else(|| TimeZone::posix(name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_by_the_names_of_servers() {
        const DAY: Duration = Duration::from_secs(25 * 3600);
        for zone in ["UTC", "Europe/Oslo", "Etc/GMT+5", "<+0530>-05:30", "+02:00", "-11:30"] {
            assert!(since_midnight(zone).is_some_and(|age| age <= DAY), "{zone}");
        }
        for zone in ["SYSTEM", "", "Nowhere/Here", "+x:00", "+99:00", "localtime"] {
            assert_eq!(since_midnight(zone), None, "{zone}");
        }
    }

    #[test]
    fn midnight_is_at_another_time_elsewhere() {
        let (here, there) = (since_midnight("+00:00").unwrap(), since_midnight("+06:00").unwrap());
        let difference = here.abs_diff(there).as_secs();
        assert!([6, 18].iter().any(|hours| difference.abs_diff(hours * 3600) < 5), "{difference}");
    }
}
