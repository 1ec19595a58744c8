//! One step of the way, and how it is shown: a line of a table, and what to do where it ends.

use std::time::Duration;

/// One step of the way.
#[derive(Debug)]
pub struct Step {
    /// What was tried.
    pub name: &'static str,
    /// What came of it: a detail, or why it ended here.
    pub outcome: Result<String, Obstacle>,
    /// How long it took, and what its round trips are counted in.
    pub took: Took,
}

/// Why the way ends, and what to do.
#[derive(Debug)]
pub struct Obstacle {
    /// What was seen.
    pub reason: String,
    /// What a person can do about it.
    pub remedy: &'static str,
    /// What it is for a program.
    pub fault: Fault,
}

/// Why a database cannot be used, in the API's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its name says nothing.
    Hostname,
    /// There is no way to it.
    Unreachable,
    /// It, or somebody before it, refused the connection.
    Refused,
    /// It has no TLS.
    NoTls,
    /// It does not know the user, or not with this password.
    Credentials,
    /// It has no such database.
    NoDatabase,
    /// It answered no query.
    Query,
    /// Anything else.
    Other,
}

impl Fault {
    /// As the API numbers it.
    pub const fn code(self) -> u32 {
        match self {
            Self::Hostname => 2008,
            Self::Unreachable => 2010,
            Self::Refused => 2011,
            Self::NoTls => 2012,
            Self::Credentials => 2013,
            Self::NoDatabase => 2014,
            Self::Other => 2015,
            Self::Query => 2016,
        }
    }
}

/// How long a step took, and between whom its round trips went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Took {
    /// It has no time of its own.
    Untimed,
    /// Round trips have no meaning here.
    Alone(Duration),
    /// Between here and the first host: the edge, or a database without a tunnel.
    Near(Duration),
    /// Between here and the database.
    Far(Duration),
}

/// Shorter ones are not counted: beside the computing at each step (a handshake, a password's hash) they are little,
/// and it would be counted as many of them.
const SHORTEST_ROUND_TRIP: Duration = Duration::from_millis(1);

/// How long one round trip takes, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoundTrips {
    /// To the first host: what the TCP connection took.
    pub(super) near: Option<Duration>,
    /// To the database: what the faster of two queries took.
    pub(super) far: Option<Duration>,
}

impl RoundTrips {
    /// Whether one is known and too short to count in.
    pub(super) fn is_any_short(self) -> bool {
        [self.near, self.far].into_iter().flatten().any(|one| one < SHORTEST_ROUND_TRIP)
    }
}

impl Took {
    fn time(self) -> Option<Duration> {
        match self {
            Self::Untimed => None,
            Self::Alone(took) | Self::Near(took) | Self::Far(took) => Some(took),
        }
    }

    fn round_trips(self, one: RoundTrips) -> Option<f64> {
        let (took, one) = match self {
            Self::Untimed | Self::Alone(_) => return None,
            Self::Near(took) => (took, one.near?),
            Self::Far(took) => (took, one.far?),
        };
        (one >= SHORTEST_ROUND_TRIP).then(|| took.as_secs_f64() / one.as_secs_f64())
    }
}

impl Step {
    /// Its line, and a second one with the remedy if it failed.
    pub(super) fn lines(&self, one: RoundTrips) -> Vec<String> {
        let time = self.took.time().map_or_else(String::new, milliseconds);
        let trips = self.took.round_trips(one);
        let trips = trips.map_or_else(String::new, |trips| format!("{trips:.1} round trips"));
        let line = |mark, text: &str| {
            let line = format!("  {mark} {:<16} {time:>10}  {trips:>17}  {text}", self.name);
            line.trim_end().to_owned()
        };
        match &self.outcome {
            Ok(detail) => vec![line('✓', detail)],
            Err(obstacle) => {
                vec![line('✗', &obstacle.reason), format!("      → {}", obstacle.remedy)]
            }
        }
    }
}

/// As people read times.
pub(super) fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
