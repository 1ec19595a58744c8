//! What clients saw of values that only grow, and whether anybody missed what somebody had seen before.
//!
//! A register is written with numbers that rise by one, so what has been seen of it is one number, the greatest. An operation
//! that began after another had ended must show at least what that one did. This is weaker than to be linearizable only in
//! that a write whose end nobody heard of may be seen at any time, and costs the sorting of all begins and ends.

use std::fmt;

/// What one client did with one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Who.
    pub client: u16,
    /// Through which proxy.
    pub node: u8,
    /// How.
    pub act: Act,
    /// Of what.
    pub register: u32,
    /// What was seen, or written.
    pub version: u64,
    /// When it was asked for, in nanoseconds.
    pub begin: u64,
    /// When the answer was there.
    pub end: u64,
}

/// How a register was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// By a statement that may be cached.
    Read,
    /// With another table, in one statement.
    Join,
    /// It was written, and the client heard so.
    Write,
}

/// Something was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// Who had seen it.
    pub seen: Operation,
    /// Who began later, and did not.
    pub missed: Operation,
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seen, missed } = self;
        let ms = |nanos: u64| Milliseconds(nanos);
        write!(
            f,
            "register {}: client {} saw {} through node {} ({:?}, {} to {}), and then client {} only {} through node {} ({:?}, {} to {})",
            seen.register,
            seen.client,
            seen.version,
            seen.node,
            seen.act,
            ms(seen.begin),
            ms(seen.end),
            missed.client,
            missed.version,
            missed.node,
            missed.act,
            ms(missed.begin),
            ms(missed.end),
        )
    }
}

/// A time as it is read best.
struct Milliseconds(u64);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0 / 1000;
        write!(f, "{}.{:03} ms", micros / 1000, micros % 1000)
    }
}

/// All that was missed, each once, in the order in which it was.
pub fn missed(operations: &[Operation]) -> Vec<Missed> {
    // At the same moment begins come first: who began with another's end need not have known of it.
    let begins = (0..).zip(operations).map(|(index, operation)| (operation.begin, false, index));
    let ends = (0..).zip(operations).map(|(index, operation)| (operation.end, true, index));
    let mut moments: Vec<(u64, bool, usize)> = begins.chain(ends).collect();
    moments.sort_unstable();
    let registers = operations.iter().map(|operation| operation.register).max().unwrap_or_default();
    let mut greatest = vec![None; usize::try_from(registers).unwrap_or_default() + 1];
    let mut before: Vec<Option<usize>> = vec![None; operations.len()];
    let mut found = Vec::new();
    for (_moment, is_end, index) in moments {
        let Some(operation) = operations.get(index) else { continue };
        let known: &mut Option<usize> =
            &mut greatest[usize::try_from(operation.register).unwrap_or_default()];
        let of = |known: usize| operations.get(known);
        if is_end {
            let seen = before.get(index).copied().flatten().and_then(of);
            if let Some(seen) = seen.filter(|seen| seen.version > operation.version) {
                found.push(Missed { seen: *seen, missed: *operation });
            }
            if known.and_then(of).is_none_or(|known| known.version < operation.version) {
                *known = Some(index);
            }
        } else if let Some(place) = before.get_mut(index) {
            *place = *known;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(register: u32, version: u64, [begin, end]: [u64; 2]) -> Operation {
        Operation { client: 0, node: 0, act: Act::Read, register, version, begin, end }
    }

    #[test]
    fn what_was_seen_before_must_be_seen() {
        let seen = operation(3, 5, [10, 20]);
        let late = operation(3, 4, [21, 30]);
        assert_eq!(missed(&[late, seen]), [Missed { seen, missed: late }]);
        for fine in [
            operation(3, 5, [21, 30]),
            operation(3, 6, [21, 30]),
            operation(2, 4, [21, 30]),
            // They began before the other's end.
            operation(3, 4, [20, 30]),
            operation(3, 4, [1, 50]),
        ] {
            assert_eq!(missed(&[seen, fine]), [], "{fine:?}");
        }
    }

    /// Against the definition, for random histories of which some are good and some are not.
    #[test]
    fn it_finds_what_a_look_at_every_pair_finds() {
        let mut seed = 7_u64;
        let mut below = |bound: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % bound
        };
        let mut bad = 0;
        for _history in 0..500 {
            let operations: Vec<_> = (0..12)
                .map(|_| {
                    let begin = below(40);
                    let register = u32::from(below(2) == 0);
                    operation(register, begin / 8 + below(3), [begin, begin + 1 + below(9)])
                })
                .collect();
            let misses = |late: &Operation| {
                operations.iter().any(|early| {
                    early.register == late.register
                        && early.end < late.begin
                        && early.version > late.version
                })
            };
            let mut expected: Vec<_> = operations.iter().filter(|late| misses(late)).collect();
            let found = missed(&operations);
            let mut found: Vec<_> = found.iter().map(|missed| &missed.missed).collect();
            let key = |operation: &&Operation| {
                (operation.end, operation.begin, operation.version, operation.register)
            };
            expected.sort_by_key(key);
            found.sort_by_key(key);
            assert_eq!(found, expected);
            bad += u32::from(!found.is_empty());
        }
        assert!((50..450).contains(&bad), "some are good and some are not: {bad}");
    }
}
