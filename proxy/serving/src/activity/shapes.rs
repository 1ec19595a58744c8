//! The shapes of a database's statements, no more than it may have.
//!
//! A statement is known by the address of what its text means, which the memos of the engines give to all texts that differ
//! in their constants only; two of them that are shown alike are one shape. When there is no room for one more, the eighth
//! that ran least goes, and what is left counts half from then on: so a shape that is busy now comes in and stays, and those
//! that run once only push out each other.

use std::{
    any::Any,
    cmp::Reverse,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use foldhash::{HashMap, HashMapExt as _};
use parking_lot::{Mutex, RwLock};

use super::{shape::Shape, told::StatementActivity};

/// Most shapes of one database.
const SHAPES_MAX: usize = 1000;
/// Every database may have so many, however many bytes those of others take.
const SHAPES_LEAST: usize = 8;
/// Most bytes of the shapes of all databases, but for those.
const BYTES_MAX: u64 = 16 << 20;
/// What a shape takes beside its text.
const OVERHEAD: u64 = size_of::<Shape>() as u64 + 128;
/// Meanings that are remembered; beyond, all are found anew by their texts.
const MEANINGS_MAX: usize = 1024;

/// What a text means, whatever that is.
type Meaning = dyn Any + Send + Sync;

/// The shapes of one database.
#[derive(Debug)]
pub struct Shapes {
    /// By the address of what a text means.
    known: RwLock<HashMap<usize, Arc<Known>>>,
    table: Mutex<Table>,
}

/// The shape of texts that mean one thing.
#[derive(Debug)]
pub struct Known {
    /// Nothing else gets its address as long as it is held here.
    meaning: Option<Weak<Meaning>>,
    shape: Arc<Shape>,
}

/// The shapes by their texts.
#[derive(Debug)]
struct Table {
    shapes: HashMap<Arc<str>, Entry>,
    share: Share,
    /// How many were ever made.
    made: u64,
}

#[derive(Debug)]
struct Entry {
    shape: Arc<Shape>,
    /// Its statements when it was last judged.
    before: u64,
    /// What it was worth then.
    worth: u64,
    /// Those that came before it have smaller ones.
    number: u64,
}

/// The bytes of those for all databases that one has.
#[derive(Debug)]
pub struct Share {
    all: Arc<AtomicU64>,
    own: u64,
}

impl Known {
    /// That of a text of which nobody knows what it means.
    pub(super) const fn unread(shape: Arc<Shape>) -> Self {
        Self { meaning: None, shape }
    }

    /// The shape.
    pub fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    /// Whether it is that of texts that mean this, and is counted still.
    pub(super) fn is_of<M>(&self, meaning: &Arc<M>) -> bool {
        let address = Arc::as_ptr(meaning).addr();
        let is_same = |known: &Weak<Meaning>| known.as_ptr().cast::<()>().addr() == address;
        self.meaning.as_ref().is_some_and(is_same) && !self.shape.is_out()
    }
}

impl Shapes {
    pub(super) fn new(share: Share) -> Self {
        let table = Table { shapes: HashMap::new(), share, made: 0 };
        Self { known: RwLock::default(), table: Mutex::new(table) }
    }

    /// The shape of a statement whose text means this. `text` makes what is shown of it.
    pub fn of<M: Send + Sync + 'static>(
        &self,
        meaning: &Arc<M>,
        text: impl FnOnce() -> String,
    ) -> Arc<Known> {
        let address = Arc::as_ptr(meaning).addr();
        if let Some(found) = self.known.read().get(&address)
            && found.is_of(meaning)
        {
            return Arc::clone(found);
        }
        let weak: Weak<M> = Arc::downgrade(meaning);
        let found = Arc::new(Known { meaning: Some(weak), shape: self.of_text(text()) });
        let mut known = self.known.write();
        let full = (known.len() >= MEANINGS_MAX).then(|| std::mem::take(&mut *known));
        known.insert(address, Arc::clone(&found));
        drop(known);
        // It takes a while, and others wait for the lock.
        drop(full);
        found
    }

    /// The shape of a statement that is shown so.
    pub fn of_text(&self, text: String) -> Arc<Shape> {
        let mut table = self.table.lock();
        if let Some(entry) = table.shapes.get(text.as_str()) {
            return Arc::clone(&entry.shape);
        }
        let text: Arc<str> = text.into();
        if !table.has_room(&text) {
            table.make_room();
        }
        let shape = Arc::new(Shape::new(Arc::clone(&text)));
        table.share.take(bytes(&text));
        table.made += 1;
        let entry = Entry { shape: Arc::clone(&shape), before: 0, worth: 0, number: table.made };
        table.shapes.insert(text, entry);
        shape
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.table.lock().shapes.len()
    }

    /// Those that took most of the time of clients first, at most `limit`, and how many were left out.
    pub(crate) fn told(&self, limit: usize) -> (Vec<StatementActivity>, u64) {
        let table = self.table.lock();
        let mut all: Vec<_> = table.shapes.values().map(|entry| Arc::clone(&entry.shape)).collect();
        drop(table);
        all.sort_by_cached_key(|shape| Reverse((shape.micros(), shape.total())));
        let left_out = all.len().saturating_sub(limit);
        (all.iter().take(limit).map(|shape| shape.told()).collect(), left_out as u64)
    }
}

impl Table {
    fn has_room(&self, text: &str) -> bool {
        self.shapes.len() < SHAPES_LEAST
            || self.shapes.len() < SHAPES_MAX && self.share.has(bytes(text))
    }

    /// Puts out the eighth that is worth least.
    fn make_room(&mut self) {
        for entry in self.shapes.values_mut() {
            let total = entry.shape.total();
            entry.worth = entry.worth / 2 + total.saturating_sub(entry.before);
            entry.before = total;
        }
        let worth = |entry: &Entry| (entry.worth, entry.number);
        let mut by_worth: Vec<_> =
            self.shapes.iter().map(|(text, entry)| (worth(entry), Arc::clone(text))).collect();
        by_worth.sort_unstable_by_key(|(worth, _)| *worth);
        for (_, text) in by_worth.iter().take(self.shapes.len().div_ceil(8)) {
            if let Some(gone) = self.shapes.remove(text) {
                gone.shape.put_out();
                self.share.give(bytes(text));
            }
        }
    }
}

impl Share {
    /// Of these, none yet.
    pub(super) fn of(all: &Arc<AtomicU64>) -> Self {
        Self { all: Arc::clone(all), own: 0 }
    }

    fn has(&self, bytes: u64) -> bool {
        self.all.load(Ordering::Relaxed) + bytes <= BYTES_MAX
    }

    fn take(&mut self, bytes: u64) {
        self.own += bytes;
        self.all.fetch_add(bytes, Ordering::Relaxed);
    }

    fn give(&mut self, bytes: u64) {
        self.own -= bytes;
        self.all.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give(self.own);
    }
}

fn bytes(text: &str) -> u64 {
    text.len() as u64 + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::CacheStatus;

    fn shapes() -> Shapes {
        Shapes::new(Share::of(&Arc::default()))
    }

    #[test]
    fn what_means_the_same_is_one_shape_and_its_text_is_made_once() {
        let shapes = shapes();
        let [one, other] = ["a", "b"].map(|it| Arc::new(it.to_owned()));
        let first = shapes.of(&one, || "SELECT ?".to_owned());
        assert!(Arc::ptr_eq(&first, &shapes.of(&one, || panic!("made twice"))));
        let same = shapes.of(&other, || "SELECT ?".to_owned());
        assert!(Arc::ptr_eq(first.shape(), same.shape()));
        assert_eq!(shapes.told(10).0.len(), 1);
    }

    /// An address may be given to another meaning once the first is gone, but for those that are held.
    #[test]
    fn a_meaning_that_is_gone_is_not_taken_for_another() {
        let shapes = shapes();
        for round in 0..200 {
            let text = format!("SELECT {}", round % 10);
            let shape = shapes.of(&Arc::new([round; 8]), || text.clone());
            assert_eq!(&**shape.shape().text(), text);
        }
    }

    #[test]
    fn a_busy_newcomer_pushes_out_who_runs_seldom() {
        let shapes = shapes();
        let busy = shapes.of_text("busy".to_owned());
        (0..100).for_each(|_| busy.count(CacheStatus::Hit));
        for at in 0..5 * SHAPES_MAX {
            busy.count(CacheStatus::Hit);
            shapes.of_text(format!("once {at}")).count(CacheStatus::Miss);
        }
        let late = shapes.of_text("late".to_owned());
        for at in 0..5 * SHAPES_MAX {
            late.count(CacheStatus::Miss);
            shapes.of_text(format!("again {at}")).count(CacheStatus::Miss);
        }
        let (told, _) = shapes.told(usize::MAX);
        assert!(told.len() <= SHAPES_MAX);
        assert!(told.iter().any(|shape| &*shape.text == "late"));
        assert!(!late.is_out());
        assert!(shapes.of_text("once 0".to_owned()).told().queries.is_empty());
    }

    #[test]
    fn all_databases_together_have_so_many_bytes_and_each_a_few_shapes() {
        let all = Arc::new(AtomicU64::new(0));
        let fill = |shapes: &Shapes| {
            for at in 0..2 * SHAPES_MAX {
                drop(shapes.of_text(format!("{at}{}", "x".repeat(1000))));
            }
            shapes.table.lock().shapes.len()
        };
        let databases: Vec<_> = (0..100).map(|_| Shapes::new(Share::of(&all))).collect();
        let counts: Vec<_> = databases.iter().map(fill).collect();
        assert!(counts.iter().all(|count| (1..=SHAPES_MAX).contains(count)), "{counts:?}");
        assert!(*counts.last().unwrap() <= SHAPES_LEAST, "{counts:?}");
        let room = BYTES_MAX + 100 * SHAPES_LEAST as u64 * (1100 + OVERHEAD);
        assert!(all.load(Ordering::Relaxed) <= room);
        drop(databases);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }
}
