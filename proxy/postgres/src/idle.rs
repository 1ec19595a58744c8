//! `idle_session_timeout` of a client that holds no backend: the proxy ends its session, and no backend is left in the
//! pool with a setting that would end it there.

use std::{sync::Arc, time::Duration};

use super::{
    backend::{Backend, Note},
    questions::ask,
    settings::Settings,
    work::Work,
};

const SETTING: &str = "idle_session_timeout";
/// What takes it back.
pub(crate) const LIFT: &str = "RESET idle_session_timeout";

impl Settings {
    /// How long a session with these settings may be idle.
    pub(crate) fn idle_limit(&self) -> Option<Duration> {
        let (_, value) = self.assignment(SETTING)?.split_once(" TO ")?;
        milliseconds(value).filter(|limit| !limit.is_zero())
    }
}

impl Work {
    /// Takes the limit off a backend that is about to be given back. True when that was sent: it is busy then until
    /// the answer has come.
    pub(crate) fn lift_idle_limit(&mut self) -> bool {
        if !has_limit(&self.loan) {
            return false;
        }
        ask(&mut self.loan, LIFT, Note::Lift);
        lifted(&mut self.loan);
        // What the client says next runs with it.
        self.barrier = true;
        true
    }
}

/// Whether a backend was given the limit.
pub(crate) fn has_limit(backend: &Backend) -> bool {
    backend.applied.get(SETTING).is_some()
}

/// A backend has the limit no longer.
pub(crate) fn lifted(backend: &mut Backend) {
    let mut applied = (*backend.applied).clone();
    applied.remove(SETTING);
    backend.applied = Arc::new(applied);
}

/// A literal as PostgreSQL reads the value of a setting in milliseconds (`parse_int` in guc.c), in decimal.
fn milliseconds(literal: &str) -> Option<Duration> {
    let text = literal.trim_matches('\'').trim();
    let end = text.find(|one: char| !(one.is_ascii_digit() || one == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let unit = match unit.trim() {
        "us" => 0.001,
        "" | "ms" => 1.0,
        "s" => 1e3,
        "min" => 60e3,
        "h" => 3_600e3,
        "d" => 86_400e3,
        _ => return None,
    };
    let milliseconds = (number.parse::<f64>().ok()? * unit).round();
    Duration::try_from_secs_f64(milliseconds / 1e3).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_as_the_server_reads_it() {
        for (literal, expected) in [
            ("1500", Some(1500)),
            ("'1500'", Some(1500)),
            ("' 1.5 s '", Some(1500)),
            ("'2min'", Some(120_000)),
            ("'1h'", Some(3_600_000)),
            ("'700us'", Some(1)),
            ("0", Some(0)),
            ("'1 fortnight'", None),
            ("-1", None),
        ] {
            let expected = expected.map(Duration::from_millis);
            assert_eq!(milliseconds(literal), expected, "{literal}");
        }
    }
}
