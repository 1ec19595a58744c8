//! Where the keys of a config stand in its file.

use std::{collections::HashMap, ops::Range};

use control::Mistake;

/// Where the keys of a config stand.
#[derive(Debug)]
pub(super) struct Places {
    section: Range<usize>,
    keys: HashMap<String, Range<usize>>,
}

impl Places {
    /// Of a section of which no key is known yet.
    pub(super) fn of_section(section: Range<usize>) -> Self {
        Self { section, keys: HashMap::new() }
    }

    /// Remembers where a key stands.
    pub(super) fn stands(&mut self, key: String, place: Range<usize>) {
        self.keys.insert(key, place);
    }

    /// Where a mistake is: at its key, else at the nearest table around that.
    pub(super) fn of(&self, mistake: &Mistake) -> Range<usize> {
        let mut key = mistake.key.as_str();
        loop {
            if let Some(place) = self.keys.get(key) {
                return place.clone();
            }
            let Some((table, _)) = key.rsplit_once('.') else { return self.section.clone() };
            key = table;
        }
    }
}
