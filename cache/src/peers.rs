//! What a cache asks of the other nodes that share what it keeps.
//!
//! How they are reached is not known here, nor how a promise is kept between them: see `docs/CLUSTER.md`. A cache without peers is
//! alone with its origin and asks nobody.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::key::Key;
use crate::reply::Reply;
use crate::sql::{TableName, Writes};

/// A future that is handed through a trait.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The other nodes.
pub trait Peers: fmt::Debug + Send + Sync {
    /// Announces a write that nobody can see yet, and that goes to this backend of the origin. Whoever sends it waits for
    /// the [gate](crate::Writing::gate) first.
    fn announce(&self, scope: &Arc<str>, writes: &Writes, backend: u32) -> Announcement;

    /// Asks for a reply that is not here, or for the right to keep the origin's.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, at most others wait a moment for a reply that does not come.
    fn look<'a>(&'a self, look: Look<'a>) -> Boxed<'a, Looked>;

    /// Takes a reply that was asked for after [`Peers::look`] gave the stamps, and may be kept for so long.
    fn keep(&self, key: Key, stamps: &SharedStamps, life: Duration, reply: &Arc<Reply>);

    /// Nothing comes of what `look` gave the right to.
    fn give_up(&self, key: Key);

    /// Outdates what they keep, of something that was not announced. Nobody waits for it.
    fn outdate(&self, scope: &Arc<str>, writes: &Writes);

    /// The schema of an origin has changed, by a write that is announced and has not ended.
    fn schema_changed(&self, scope: &Arc<str>);
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The name of the reply.
    pub key: Key,
    /// The origin.
    pub scope: &'a Arc<str>,
    /// What the reply reads.
    pub tables: &'a [TableName],
    /// An older reply is none; `None` where only what the origin says now will do.
    pub max_age: Option<Duration>,
}

/// What the peers say.
#[derive(Debug)]
pub enum Looked {
    /// The reply, and how long ago it was asked for at the most.
    Found(Reply, Duration, SharedStamps),
    /// Nobody has it: whoever asked asks the origin, and may keep what that says.
    Lead(SharedStamps),
    /// Another node asks the origin for it at this moment.
    Elsewhere,
    /// Nothing may be kept: one of the tables is being written, or the peers cannot be asked.
    Nothing,
}

/// What the peers know of the tables of one reply at one moment, in words of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedStamps {
    /// The words.
    pub stamps: Arc<str>,
    /// The moment, in milliseconds of the peers' own clock.
    pub at: u64,
}

/// Why a write was not sent: the peers could not be told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the write was not sent: the nodes that share the cache could not be told of it")]
pub struct Untold;

/// A write that the peers are told of; dropped, it has ended.
pub struct Announcement {
    granted: Option<oneshot::Receiver<Result<(), Untold>>>,
    ended: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Announcement {
    /// One that may be sent once `granted` says so, and of whose end `ended` tells.
    pub fn new(
        granted: oneshot::Receiver<Result<(), Untold>>,
        ended: impl FnOnce() + Send + Sync + 'static,
    ) -> Self {
        Self { granted: Some(granted), ended: Some(Box::new(ended)) }
    }

    /// What says that no peer serves any more what the write outdates, or that it must not be sent. Told once.
    pub(crate) fn granted(&mut self) -> Option<oneshot::Receiver<Result<(), Untold>>> {
        self.granted.take()
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if let Some(ended) = self.ended.take() {
            ended();
        }
    }
}

impl fmt::Debug for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcement").finish_non_exhaustive()
    }
}
