//! Goals: what a figure of Jumpgate is held against, and whether it holds.

use super::contender::Who;

/// Which side of a number is good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Not more.
    AtMost(f64),
    /// Not less.
    AtLeast(f64),
}

/// What a figure is held against.
#[derive(Clone, Debug, PartialEq)]
pub enum Goal {
    /// Its ratio to another contender's.
    Ratio(Who, Bound),
    /// What it is more than another contender's.
    Over(Who, Bound),
    /// Itself.
    Value(Bound),
}

/// A figure, held against its goal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The ratio, the difference, or the figure.
    pub found: f64,
    /// Whether that is good.
    pub met: bool,
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

impl Goal {
    /// Whom it compares with.
    #[must_use]
    pub const fn other(&self) -> Option<&Who> {
        match self {
            Self::Ratio(who, _) | Self::Over(who, _) => Some(who),
            Self::Value(_) => None,
        }
    }

    /// Holds `ours` against it; `None` where the other was not measured, or measured as nothing.
    #[must_use]
    pub fn judge(&self, ours: f64, other: Option<f64>) -> Option<Verdict> {
        let (found, bound) = match self {
            Self::Ratio(_, bound) => (ours / other.filter(|other| *other > 0.0)?, bound),
            Self::Over(_, bound) => (ours - other?, bound),
            Self::Value(bound) => (ours, bound),
        };
        Some(Verdict { found, met: bound.holds(found) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_needs_somebody_else() {
        let goal = Goal::Ratio(Who::PgBouncer, Bound::AtMost(0.9));
        assert_eq!(goal.judge(45.0, Some(50.0)), Some(Verdict { found: 0.9, met: true }));
        assert!(goal.judge(46.0, Some(50.0)).is_some_and(|verdict| !verdict.met));
        assert_eq!(goal.judge(46.0, None), None);
        assert_eq!(goal.judge(46.0, Some(0.0)), None);
    }

    #[test]
    fn differences_and_values_have_bounds_too() {
        let over = Goal::Over(Who::DirectTls, Bound::AtMost(150.0));
        assert_eq!(over.judge(350.0, Some(100.0)), Some(Verdict { found: 250.0, met: false }));
        let value = Goal::Value(Bound::AtLeast(2.0));
        assert_eq!(value.judge(2.0, None), Some(Verdict { found: 2.0, met: true }));
    }
}
