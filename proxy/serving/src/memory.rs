//! How the one budget for what a process remembers is divided: `[cache] capacity_bytes`.

/// Bytes for each kind of thing that is remembered. Together they are the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Kept replies: a half.
    pub replies: u64,
    /// Replies that are being collected, of which one may be that long: a quarter.
    pub collecting: u64,
    /// What clients have prepared, whoever of them shares it: an eighth.
    pub statements: u64,
    /// What texts mean, for each engine.
    pub analyses: u64,
    /// What they mean to the origins, for each engine.
    pub verdicts: u64,
}

/// What is remembered for all databases of an engine: what texts mean to their origins, and what they have prepared.
#[derive(Debug)]
pub struct Memos<V, S> {
    /// What texts mean to their origins.
    pub verdicts: V,
    /// What clients have prepared.
    pub statements: S,
}

/// What each client may have prepared, in bytes, when there is no memory for more.
pub const FEW_TEXTS: usize = 64 << 10;

impl Memory {
    /// Of so many bytes in all.
    pub const fn of(budget: u64) -> Self {
        Self {
            replies: budget / 2,
            collecting: budget / 4,
            statements: budget / 8,
            analyses: budget / 24,
            verdicts: budget / 48,
        }
    }

    /// Of [`Memory::statements`], those that are remembered for whoever prepares the like, for each engine.
    pub const fn shared_statements(self) -> u64 {
        self.statements / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_not_more_than_the_budget() {
        for budget in [0, 1, 1 << 20, 256 << 20, u64::MAX] {
            let memory = Memory::of(budget);
            let engines = (memory.analyses + memory.verdicts) * 2;
            let all = memory.replies + memory.collecting + memory.statements + engines;
            assert!(all <= budget && budget - all <= budget / 100 + 100, "{memory:?} of {budget}");
        }
    }
}
