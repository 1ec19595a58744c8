//! One copy of each equal value, so that most comparisons are of two pointers.

use std::{
    hash::{BuildHasher as _, Hash},
    sync::{Arc, Weak},
};

use foldhash::{HashMap, fast::RandomState};
use parking_lot::Mutex;

/// Below this many values nobody looks for those that are not used any more.
const MIN_SWEEP: usize = 64;

/// The values that are in use, each once.
///
/// Equal values get the same `Arc`, but for two with the same hash, of which the last one is found. A value lives as long
/// as somebody uses it; the few bytes that remember it go when their number has doubled since the last look.
#[derive(Debug)]
pub struct Interner<T>(Mutex<Values<T>>);

#[derive(Debug)]
struct Values<T> {
    known: HashMap<u64, Weak<T>>,
    hasher: RandomState,
    sweep_at: usize,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        let (known, hasher) = (HashMap::default(), RandomState::default());
        Self(Mutex::new(Values { known, hasher, sweep_at: MIN_SWEEP }))
    }
}

impl<T: Eq + Hash> Interner<T> {
    /// The one copy of this value.
    pub fn intern(&self, value: Arc<T>) -> Arc<T> {
        let mut values = self.0.lock();
        let hash = values.hasher.hash_one(&value);
        if let Some(known) = values.known.get(&hash).and_then(Weak::upgrade)
            && known == value
        {
            return known;
        }
        if values.known.len() >= values.sweep_at {
            values.known.retain(|_hash, value| value.strong_count() > 0);
            values.sweep_at = MIN_SWEEP.max(values.known.len() * 2);
        }
        values.known.insert(hash, Arc::downgrade(&value));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one() {
        let values = Interner::default();
        let one = values.intern(Arc::new(String::from("a")));
        assert!(Arc::ptr_eq(&one, &values.intern(Arc::new(String::from("a")))));
        assert!(!Arc::ptr_eq(&one, &values.intern(Arc::new(String::from("b")))));
    }

    #[test]
    fn what_nobody_holds_goes() {
        let values = Interner::default();
        let kept = values.intern(Arc::new(usize::MAX));
        let gone = Arc::downgrade(&values.intern(Arc::new(usize::MIN)));
        assert!(gone.upgrade().is_none());
        for number in 0..MIN_SWEEP * 10 {
            drop(values.intern(Arc::new(number)));
        }
        assert!(values.0.lock().known.len() <= MIN_SWEEP);
        assert!(Arc::ptr_eq(&kept, &values.intern(Arc::new(usize::MAX))));
    }
}
