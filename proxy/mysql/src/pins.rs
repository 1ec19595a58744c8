//! Why a session must keep its backend, and until when.
//!
//! Pure. State that has a name (a user variable, a temporary table, a lock) is remembered by it, so that the
//! pin ends with the last of them.

use std::collections::{BTreeSet, HashSet};

use cache::sql::mysql::{Effect, Pin};

/// More names than this are not told apart any more: the session stays pinned.
const MAX_NAMES: usize = 1000;

/// What keeps a session on its backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pins {
    named: HashSet<(Pin, String)>,
    plain: BTreeSet<Pin>,
}

impl Pins {
    /// Whether nothing does.
    pub(crate) fn is_empty(&self) -> bool {
        self.named.is_empty() && self.plain.is_empty()
    }

    /// Whether a temporary table may stand in front of a table that others see.
    pub(crate) fn has(&self, pin: Pin) -> bool {
        self.plain.contains(&pin) || self.named.iter().any(|(known, _)| *known == pin)
    }

    /// One of the reasons, if there is any.
    pub(crate) fn first(&self) -> Option<Pin> {
        let named = self.named.iter().map(|(pin, _)| pin);
        self.plain.iter().chain(named).min().copied()
    }

    /// Each reason once.
    pub(crate) fn reasons(&self) -> BTreeSet<Pin> {
        self.named.iter().map(|(pin, _)| *pin).chain(self.plain.iter().copied()).collect()
    }

    /// Adds a reason. True if it is a new one.
    pub(crate) fn add(&mut self, pin: Pin) -> bool {
        let is_new = !self.has(pin);
        self.plain.insert(pin);
        is_new
    }

    /// Takes a reason back.
    pub(crate) fn remove(&mut self, pin: Pin) {
        self.plain.remove(&pin);
        self.named.retain(|(known, _)| *known != pin);
    }

    /// Adds a reason with a name. True if there was no such reason.
    pub(crate) fn add_named(&mut self, pin: Pin, name: &str) -> bool {
        let is_new = !self.has(pin);
        if self.named.len() >= MAX_NAMES {
            self.plain.insert(pin);
        } else {
            self.named.insert((pin, name.to_owned()));
        }
        is_new
    }

    /// Takes back a reason with a name.
    pub(crate) fn remove_named(&mut self, pin: Pin, name: &str) {
        self.named.remove(&(pin, name.to_owned()));
    }

    /// The literal names of the locks that are held, if all are known.
    pub(crate) fn lock_names(&self) -> Option<Vec<String>> {
        if self.plain.contains(&Pin::NamedLock) {
            return None;
        }
        let locks = self.named.iter().filter(|(pin, _)| *pin == Pin::NamedLock);
        Some(locks.map(|(_, name)| name.clone()).collect())
    }

    /// Takes in what a statement did. Of a failed statement only what may have been done before it failed
    /// counts: nothing that is certain to be gone.
    ///
    /// Returns the reason, if it is a new one.
    pub(crate) fn apply(&mut self, effect: &Effect, succeeded: bool) -> Option<Pin> {
        let Some(added) = effect.pin() else {
            if succeeded {
                self.release(effect);
            }
            return None;
        };
        let is_new = match added {
            (pin, Some(name)) => self.add_named(pin, name),
            (pin, None) => self.add(pin),
        };
        is_new.then_some(added.0)
    }

    fn release(&mut self, effect: &Effect) {
        match effect {
            Effect::UserVariableCleared(name) => self.remove_named(Pin::UserVariable, name),
            Effect::TempTableDropped(name) => self.remove_named(Pin::TempTable, name),
            Effect::HandlerClosed(name) => self.remove_named(Pin::Handler, name),
            Effect::Deallocated(name) => self.remove_named(Pin::SqlPrepare, name),
            Effect::NamedLocksReleased => self.remove(Pin::NamedLock),
            Effect::TablesUnlocked => self.remove(Pin::TableLock),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pins(effects: &[Effect]) -> Pins {
        let mut pins = Pins::default();
        for effect in effects {
            pins.apply(effect, true);
        }
        pins
    }

    #[test]
    fn a_pin_ends_with_the_last_of_what_caused_it() {
        let variable = |name: &str| Effect::UserVariable(name.into());
        let cleared = |name: &str| Effect::UserVariableCleared(name.into());
        let mut pins = pins(&[variable("a"), variable("b")]);
        pins.apply(&cleared("a"), true);
        assert!(!pins.is_empty());
        pins.apply(&cleared("b"), true);
        assert!(pins.is_empty());
    }

    /// FAULTS row 14: two names are one only where the server says so.
    #[test]
    fn names_are_not_folded() {
        let mut pins = pins(&[Effect::TempTable("app.T".into())]);
        pins.apply(&Effect::TempTableDropped("app.t".into()), true);
        assert!(pins.has(Pin::TempTable));
        pins.apply(&Effect::NamedLock(Some("L2".into())), true);
        assert_eq!(pins.lock_names(), Some(vec![String::from("L2")]));
    }

    #[test]
    fn a_failed_statement_releases_nothing_but_may_have_begun_something() {
        let table = Effect::TempTable("t".into());
        let mut pins = pins(&[]);
        assert_eq!(pins.apply(&table, false), Some(Pin::TempTable));
        pins.apply(&Effect::TempTableDropped("t".into()), false);
        assert!(pins.has(Pin::TempTable));
    }

    #[test]
    fn a_lock_without_a_literal_name_is_released_only_with_all_of_them() {
        let mut pins = pins(&[Effect::NamedLock(Some("a".into()))]);
        assert_eq!(pins.lock_names(), Some(vec![String::from("a")]));
        pins.apply(&Effect::NamedLock(None), true);
        assert_eq!(pins.lock_names(), None);
        pins.apply(&Effect::NamedLocksReleased, true);
        assert!(pins.is_empty());
    }

    #[test]
    fn too_many_names_stay_pinned() {
        let mut pins = Pins::default();
        for number in 0..=MAX_NAMES {
            pins.add_named(Pin::UserVariable, &number.to_string());
        }
        for number in 0..=MAX_NAMES {
            pins.remove_named(Pin::UserVariable, &number.to_string());
        }
        assert!(pins.has(Pin::UserVariable));
    }
}
