//! A change that is being made.

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use zeroize::Zeroizing;

use super::{
    error::PlaneError,
    world::{Resource, World, place},
};
use crate::{database::Change, seal::Keyring};

/// What becomes of a record: its JSON, or `None` where it is deleted.
type Outcome = Option<serde_json::Result<Zeroizing<Vec<u8>>>>;

/// The world as it will be, and what makes it so. Reads see what was changed already.
#[derive(Debug)]
pub struct Edit {
    world: World,
    /// By kind and id.
    changes: BTreeMap<(&'static str, String), Outcome>,
}

/// A change that can be kept.
#[derive(Debug)]
pub(super) struct Finished {
    /// As it will be.
    pub(super) world: World,
    /// Which records it is about.
    pub(super) subject: String,
    pub(super) changes: Vec<Change>,
}

impl Edit {
    pub(crate) const fn new(world: World) -> Self {
        Self { world, changes: BTreeMap::new() }
    }

    /// Adds this one, or puts it in the place of the one with its id.
    pub fn put<R: Resource>(&mut self, value: R) {
        let id = value.id().to_owned();
        let json = serde_json::to_vec(&value).map(Zeroizing::new);
        R::of_mut(&mut self.world).put(&id, value);
        self.changes.insert((R::KIND, id), Some(json));
    }

    /// Takes this one away, if it is there.
    pub fn delete<R: Resource>(&mut self, id: &str) -> Option<Arc<R>> {
        let gone = R::of_mut(&mut self.world).remove(id)?;
        self.changes.insert((R::KIND, id.to_owned()), None);
        Some(gone)
    }

    /// What has to be kept, sealed.
    pub(super) fn finish(self, keyring: &Keyring) -> Result<Finished, PlaneError> {
        let mut subjects = Vec::with_capacity(self.changes.len());
        let mut changes = Vec::with_capacity(self.changes.len());
        for ((kind, id), json) in self.changes {
            let place = place(kind, &id);
            let sealed = match json {
                None => None,
                Some(Ok(json)) => Some(keyring.seal(&place, &json)?),
                Some(Err(source)) => return Err(PlaneError::Record { place, source }),
            };
            subjects.push(place);
            changes.push(Change { kind: kind.to_owned(), id, sealed });
        }
        Ok(Finished { world: self.world, subject: subjects.join(" "), changes })
    }
}

impl Deref for Edit {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}
