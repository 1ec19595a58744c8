//! Which transactions everybody sees.
//!
//! A commit is in the log before it can be seen: with a synchronous standby long before. Whoever reads in between reads what was
//! there before, and must not keep it. So what a transaction wrote is out of the cache until a snapshot shows it.

/// What `pg_current_snapshot()` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// The first that has no number yet.
    next: u64,
    /// Those before it that are under way, in order.
    running: Vec<u64>,
}

impl Snapshot {
    /// Reads it as SQL writes it: `10:20:10,14,15`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let (_first, next) = (parts.next()?, parts.next()?.parse().ok()?);
        let running = parts.next()?.split(',').filter(|number| !number.is_empty());
        let mut running = running.map(|number| number.parse().ok()).collect::<Option<Vec<_>>>()?;
        running.sort_unstable();
        Some(Self { next, running })
    }

    /// Whether it shows a transaction that has committed, of which the number is known without its epoch.
    pub(super) fn shows(&self, transaction: u32) -> bool {
        // Of the numbers that end so the one that is nearest to those that are given now.
        let epoch = self.next & !u64::from(u32::MAX);
        let here = epoch | u64::from(transaction);
        let is_before = here > self.next.saturating_add(1 << 31);
        let number = if is_before { here.checked_sub(1 << 32) } else { Some(here) };
        number.is_some_and(|number| {
            number < self.next && self.running.binary_search(&number).is_err()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_shows_what_is_not_under_way() {
        let snapshot = Snapshot::parse("10:20:10,14,15").unwrap();
        for (transaction, is_shown) in
            [(9, true), (10, false), (13, true), (15, false), (20, false)]
        {
            assert_eq!(snapshot.shows(transaction), is_shown, "{transaction}");
        }
        let idle = Snapshot::parse("20:20:").unwrap();
        assert!(idle.shows(19) && !idle.shows(20));
        for text in ["", "1", "1:2", "1:x:", "1:2:x"] {
            assert_eq!(Snapshot::parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_go_on_behind_the_last_of_an_epoch() {
        let wrapped = Snapshot::parse("4294967290:4294967310:4294967293").unwrap();
        for (transaction, is_shown) in
            [(u32::MAX, true), (4_294_967_293, false), (0, true), (13, true), (14, false)]
        {
            assert_eq!(wrapped.shows(transaction), is_shown, "{transaction}");
        }
        // Of the first epoch nothing is before.
        assert!(!Snapshot::parse("5:5:").unwrap().shows(u32::MAX));
    }
}
