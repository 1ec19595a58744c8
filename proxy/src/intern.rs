//! One copy of each equal value, so that most comparisons are of two pointers.

use std::{collections::HashSet, hash::Hash, sync::Arc};

use parking_lot::Mutex;

/// Below this many values nobody looks for those that are not used any more.
const MIN_SWEEP: usize = 64;

/// The values that are in use, each once.
///
/// Equal values get the same `Arc`. What nobody else holds any more goes when the number of values has doubled
/// since the last look, so that memory follows use.
#[derive(Debug)]
pub(crate) struct Interner<T>(Mutex<Values<T>>);

#[derive(Debug)]
struct Values<T> {
    known: HashSet<Arc<T>>,
    sweep_at: usize,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self(Mutex::new(Values { known: HashSet::new(), sweep_at: MIN_SWEEP }))
    }
}

impl<T: Eq + Hash> Interner<T> {
    /// The one copy of this value.
    pub(crate) fn intern(&self, value: Arc<T>) -> Arc<T> {
        let mut values = self.0.lock();
        if let Some(known) = values.known.get(&value) {
            return Arc::clone(known);
        }
        if values.known.len() >= values.sweep_at {
            values.known.retain(|value| Arc::strong_count(value) > 1);
            values.sweep_at = MIN_SWEEP.max(values.known.len() * 2);
        }
        values.known.insert(Arc::clone(&value));
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
        for number in 0..MIN_SWEEP * 10 {
            values.intern(Arc::new(number));
        }
        assert!(values.0.lock().known.len() <= MIN_SWEEP);
        assert!(Arc::ptr_eq(&kept, &values.intern(Arc::new(usize::MAX))));
    }
}
