//! Which code runs which: from the objects of the catalog to all that using them may do.
//!
//! A node is one way to use one object, an edge says that using the one uses the other. What a node does is
//! what its own text does, and what all do that can be reached from it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::deeds::Deeds;

/// What using something does besides answering; none for nothing.
pub(super) type Does = Option<Arc<Deeds>>;

/// The nodes and what they do.
#[derive(Clone, Debug)]
pub(super) struct Graph<N> {
    numbers: HashMap<N, usize>,
    deeds: Vec<Deeds>,
    /// For each node who uses it.
    users: Vec<Vec<usize>>,
    edges: usize,
}

impl<N> Default for Graph<N> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), deeds: Vec::new(), users: Vec::new(), edges: 0 }
    }
}

impl<N: Eq + Hash> Graph<N> {
    /// Using `user` uses `used`. Of one that would be too many it is not known what it does.
    pub(super) fn edge(&mut self, user: N, used: N) {
        if self.edges >= MAX_EDGES {
            return self.does(user, &Deeds::opaque());
        }
        self.edges += 1;
        let (user, used) = (self.number(user), self.number(used));
        if let Some(users) = self.users.get_mut(used) {
            users.push(user);
        }
    }

    /// Using it does this.
    pub(super) fn does(&mut self, node: N, deeds: &Deeds) {
        let number = self.number(node);
        if let Some(known) = self.deeds.get_mut(number) {
            known.absorb(deeds);
        }
    }

    /// Lets every node do what those do that it uses. What a node does only grows, and only so far, so that
    /// this ends.
    pub(super) fn close(&mut self) {
        let doing = self.deeds.iter().enumerate().filter(|(_, deeds)| !deeds.is_none());
        let mut open: Vec<usize> = doing.map(|(number, _)| number).collect();
        while let Some(number) = open.pop() {
            let Some(deeds) = self.deeds.get(number).cloned() else { continue };
            for &user in self.users.get(number).into_iter().flatten() {
                if self.deeds.get_mut(user).is_some_and(|known| known.absorb(&deeds)) {
                    open.push(user);
                }
            }
        }
    }

    /// Whether a node does something like this.
    pub(super) fn any(&self, is_it: impl Fn(&Deeds) -> bool) -> bool {
        self.deeds.iter().any(is_it)
    }

    /// What using it does; none for nothing.
    pub(super) fn deeds(&self, node: &N) -> Does {
        let number = self.numbers.get(node)?;
        let deeds = self.deeds.get(*number)?;
        (!deeds.is_none()).then(|| Arc::new(deeds.clone()))
    }

    fn number(&mut self, node: N) -> usize {
        *self.numbers.entry(node).or_insert_with(|| {
            self.deeds.push(Deeds::default());
            self.users.push(Vec::new());
            self.deeds.len() - 1
        })
    }
}

/// The deeds of several together.
pub(super) fn all<'d>(deeds: impl IntoIterator<Item = &'d Arc<Deeds>>) -> Does {
    let mut sum = Deeds::default();
    for one in deeds {
        sum.absorb(one);
    }
    (!sum.is_none()).then(|| Arc::new(sum))
}

/// No database that people work with has so many.
const MAX_EDGES: usize = 1 << 20;
