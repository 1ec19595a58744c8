//! The writes of this node, from when they are announced until the tier knows that they have ended.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use cache::sql::Writes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::names::{slots_written, words};

/// The writes of this node.
#[derive(Debug, Default)]
pub(crate) struct Open {
    writes: Mutex<HashMap<String, Arc<Write>>>,
    ends: Mutex<Ends>,
    has_ends: Notify,
}

/// Ends that the tier has not been told of.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    pub(crate) ends: Vec<End>,
    /// Origins of which there were too many.
    pub(crate) beyond: HashSet<Arc<str>>,
}

/// One that has not ended.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) id: String,
    pub(crate) scope: Arc<str>,
    pub(crate) by: String,
    pub(crate) words: String,
    pub(crate) slots: Vec<String>,
    /// It may change what other writes do.
    pub(crate) is_of_everything: bool,
    /// The tier may know of it.
    pub(crate) is_told: AtomicBool,
    /// All others have answered.
    pub(crate) granted: Notify,
}

/// What the tier is told of it afterwards.
#[derive(Debug)]
pub(crate) enum End {
    Write(Arc<Write>),
    Schema(Arc<str>),
}

impl Write {
    pub(crate) fn new(scope: &Arc<str>, writes: &Writes, by: String) -> Self {
        Self {
            id: hex::encode(rand::random::<[u8; 16]>()),
            scope: Arc::clone(scope),
            by,
            words: words(scope, writes),
            slots: slots_written(scope, writes),
            is_of_everything: *writes == Writes::Everything,
            is_told: AtomicBool::new(false),
            granted: Notify::new(),
        }
    }
}

impl Open {
    /// The ends that there are, as soon as there are some. They are the caller's then.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, nothing was taken.
    pub(crate) async fn ends(&self) -> Ends {
        loop {
            let ends = std::mem::take(&mut *self.ends.lock());
            if !ends.ends.is_empty() || !ends.beyond.is_empty() {
                return ends;
            }
            self.has_ends.notified().await;
        }
    }

    /// A write begins.
    pub(crate) fn begin(&self, write: Write) -> Arc<Write> {
        let write = Arc::new(write);
        self.writes.lock().insert(write.id.clone(), Arc::clone(&write));
        write
    }

    /// A write that is of everything, and ends with this one.
    pub(crate) fn more(&self, write: &Write) -> Arc<Write> {
        let id = format!("{}{MORE}", write.id);
        let mut writes = self.writes.lock();
        if let Some(all) = writes.get(&id) {
            return Arc::clone(all);
        }
        let all = Write::new(&write.scope, &Writes::Everything, write.by.clone());
        let all = Arc::new(Write { id: id.clone(), ..all });
        if writes.contains_key(&write.id) {
            writes.insert(id, Arc::clone(&all));
        }
        all
    }

    /// All others have answered a write.
    pub(crate) fn grant(&self, id: &str) {
        if let Some(write) = self.writes.lock().get(id) {
            write.granted.notify_one();
        }
    }

    pub(crate) fn schema_changed(&self, scope: &Arc<str>) {
        self.send(End::Schema(Arc::clone(scope)));
    }

    /// Those that the tier may know of.
    pub(crate) fn told(&self) -> Vec<Arc<Write>> {
        let writes = self.writes.lock();
        writes.values().filter(|write| write.is_told.load(Ordering::Acquire)).cloned().collect()
    }

    /// A write has ended.
    pub(crate) fn end(&self, id: &str) {
        let mut writes = self.writes.lock();
        let ended = [writes.remove(id), writes.remove(&format!("{id}{MORE}"))];
        drop(writes);
        for write in ended.into_iter().flatten() {
            if write.is_told.load(Ordering::Acquire) {
                self.send(End::Write(write));
            }
        }
    }

    /// Whether a write has not ended.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.writes.lock().contains_key(id)
    }

    /// An end is to be told.
    pub(crate) fn send(&self, end: End) {
        let mut ends = self.ends.lock();
        if ends.ends.len() < MAX_ENDS {
            ends.ends.push(end);
        } else {
            // What such a write left open in the tier is found there by its node.
            ends.beyond.insert(match end {
                End::Write(write) => Arc::clone(&write.scope),
                End::Schema(scope) => scope,
            });
        }
        drop(ends);
        self.has_ends.notify_one();
    }
}

/// What the name of a write's companion ends with.
const MORE: char = '+';

/// More ends than this are not told one by one.
const MAX_ENDS: usize = 16 * 1024;
