//! What a job took, and how many round trips that are.

use std::time::Duration;

/// What became of a job: its times, or why it could not be done.
pub type Outcome = Result<Times, String>;

/// What a job took, round by round; of each round the near one comes just before the far one, so that what slows the machine
/// down slows both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// With the database on this machine.
    pub near: Vec<Duration>,
    /// With the distance.
    pub far: Vec<Duration>,
}

impl Times {
    /// How often the job waited for the database: the median of what the distance adds in each round, in round trips of
    /// twice `delay`.
    #[must_use]
    pub fn trips(&self, delay: Duration) -> f64 {
        let rounds = self.far.iter().zip(&self.near);
        let mut added: Vec<_> =
            rounds.map(|(far, near)| far.as_secs_f64() - near.as_secs_f64()).collect();
        added.sort_unstable_by(f64::total_cmp);
        let middle = added.get(added.len().saturating_sub(1) / 2).copied().unwrap_or_default();
        middle / (2 * delay).as_secs_f64()
    }
}

/// A time in milliseconds.
#[must_use]
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
