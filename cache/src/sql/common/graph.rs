//! Which code runs which: from the objects of the catalog to all that using them may do.
//!
//! A node is one way to use one object, an edge says that using the one uses the other. What a node does is
//! what its own text does, and what all do that can be reached from it.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use super::deeds::Deeds;

/// What using something does besides answering; none for nothing.
pub(crate) type Does<P> = Option<Arc<Deeds<P>>>;

/// The nodes and what they do.
#[derive(Clone, Debug)]
pub(crate) struct Graph<N, P> {
    numbers: HashMap<N, usize>,
    deeds: Vec<Deeds<P>>,
    /// For each node who uses it.
    users: Vec<Vec<usize>>,
    edges: usize,
}

impl<N, P> Default for Graph<N, P> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), deeds: Vec::new(), users: Vec::new(), edges: 0 }
    }
}

impl<N: Eq + Hash, P: Copy + Ord> Graph<N, P> {
    /// Using `user` uses `used`. Of one that would be too many it is not known what it does.
    pub(crate) fn edge(&mut self, user: N, used: N) {
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
    pub(crate) fn does(&mut self, node: N, deeds: &Deeds<P>) {
        let number = self.number(node);
        if let Some(known) = self.deeds.get_mut(number) {
            known.absorb(deeds);
        }
    }

    /// Lets every node do what those do that it uses. What a node does only grows, and only so far, so that
    /// this ends.
    pub(crate) fn close(&mut self) {
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
    pub(crate) fn any(&self, is_it: impl Fn(&Deeds<P>) -> bool) -> bool {
        self.deeds.iter().any(is_it)
    }

    /// What using it does; none for nothing.
    pub(crate) fn deeds(&self, node: &N) -> Does<P> {
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
pub(crate) fn all<'d, P: Copy + Ord + 'd>(
    deeds: impl IntoIterator<Item = &'d Arc<Deeds<P>>>,
) -> Does<P> {
    let mut sum = Deeds::default();
    for one in deeds {
        sum.absorb(one);
    }
    (!sum.is_none()).then(|| Arc::new(sum))
}

/// The names that the given ones lead to, without these.
pub(crate) fn reachable(map: &HashMap<String, Vec<String>>, mut open: Vec<String>) -> Vec<String> {
    let mut seen: HashSet<String> = open.iter().cloned().collect();
    let mut found = Vec::new();
    while let Some(name) = open.pop() {
        for next in map.get(&name).into_iter().flatten() {
            if seen.insert(next.clone()) {
                found.push(next.clone());
                open.push(next.clone());
            }
        }
    }
    found
}

/// No database that people work with has so many.
const MAX_EDGES: usize = 1 << 20;
