//! The plane: all that is kept, in memory at one position, and how it is changed.
//!
//! A change is a pure function of the [`World`] as it is, on an [`Edit`] of it. It counts only if nobody else has changed
//! anything meanwhile; else it is made again on what is there then. So every rule that concerns more than one record
//! (unique names, references) holds without a lock, with any number of planes on one database.

mod edit;
mod error;
#[cfg(test)]
mod tests;
mod world;

use std::{convert::Infallible, sync::Arc, time::Duration};

use tokio::sync::{Mutex, watch};
use tracing::{info, warn};

use self::edit::Finished;
pub use self::{
    edit::Edit,
    error::{ChangeError, PlaneError},
    world::{Resource, Table, World},
};
use crate::{
    database::{AuditRecord, Change, CommitError, Database, Position},
    moment::Moment,
    resources::{Credential, EdgeAddress, EndedSession},
    seal::Keyring,
};

/// How often a change is made again because others were faster.
const ATTEMPTS: u32 = 20;
/// A lost notice delays for so long at most.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Where an edge was is remembered for so long after it was lost.
const EDGE_REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);

/// Who changes something, for the audit log.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The name of the token, or of the user of a tool.
    pub who: String,
    /// An address, or the name of a tool.
    pub whence: String,
}

impl Actor {
    /// The record of what is being done now; its revision is the one that it makes.
    fn did(&self, action: &str, subject: String) -> AuditRecord {
        AuditRecord {
            revision: 0,
            at: Moment::now(),
            who: self.who.clone(),
            whence: self.whence.clone(),
            action: action.to_owned(),
            subject,
        }
    }
}

/// All that is kept, followed and changed.
#[derive(Debug)]
pub struct Plane {
    database: Database,
    keyring: Keyring,
    world: watch::Sender<Arc<World>>,
    /// One at a time catches up, and changes.
    turn: Mutex<()>,
}

impl Plane {
    /// Reads all that a database holds.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or opened with these keys.
    pub async fn open(database: Database, keyring: Keyring) -> Result<Arc<Self>, PlaneError> {
        let (world, _receiver) = watch::channel(Arc::new(World::default()));
        let plane = Self { database, keyring, world, turn: Mutex::new(()) };
        plane.current().await?;
        Ok(Arc::new(plane))
    }

    /// What was known last; no question to the database.
    pub fn known(&self) -> Arc<World> {
        Arc::clone(&self.world.borrow())
    }

    /// Each new state.
    pub fn watch(&self) -> watch::Receiver<Arc<World>> {
        self.world.subscribe()
    }

    /// The database behind it.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// What everything is sealed with.
    pub(crate) const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// What is kept now, by whomever it was changed.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub async fn current(&self) -> Result<Arc<World>, PlaneError> {
        let _turn = self.turn.lock().await;
        self.catch_up().await
    }

    /// With the turn.
    async fn catch_up(&self) -> Result<Arc<World>, PlaneError> {
        let known = self.known();
        if self.database.position().await? == known.position {
            return Ok(known);
        }
        let news = self.database.since(&known.position).await?;
        let mut world = if news.is_whole { World::default() } else { World::clone(&known) };
        if news.is_whole && known.position != Position::default() {
            warn!(
                known = known.position.revision,
                found = news.position.revision,
                "the store holds another history than before, as after a restored backup; all of it is read again"
            );
        }
        for change in &news.changes {
            world.take(change, &self.keyring)?;
        }
        world.position = news.position;
        let world = Arc::new(world);
        self.world.send_replace(Arc::clone(&world));
        Ok(world)
    }

    /// Changes what is kept: all that `change` does or, where it is refused, nothing. `action` is for the audit log.
    /// `change` is called again where somebody else was faster.
    ///
    /// # Errors
    ///
    /// The refusal, or why nothing could be changed.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits for the database, the change may have been made or not.
    pub async fn change<T, R>(
        &self,
        actor: Actor,
        action: &str,
        change: impl Fn(&mut Edit) -> Result<T, R>,
    ) -> Result<T, ChangeError<R>> {
        let _turn = self.turn.lock().await;
        for _attempt in 0..ATTEMPTS {
            let world = self.catch_up().await?;
            let before = world.position.clone();
            let mut edit = Edit::new(World::clone(&world));
            let done = change(&mut edit).map_err(ChangeError::Refused)?;
            let Finished { world: mut after, subject, changes } = edit.finish(&self.keyring)?;
            if changes.is_empty() {
                return Ok(done);
            }
            let record = actor.did(action, subject);
            match self.database.commit(&before, &changes, &record).await {
                Ok(position) => {
                    info!(revision = position.revision, who = record.who, action, "changed");
                    after.position = position;
                    self.world.send_replace(Arc::new(after));
                    return Ok(done);
                }
                Err(CommitError::Behind) => {}
                Err(CommitError::Database(error)) => return Err(PlaneError::from(error).into()),
            }
        }
        Err(PlaneError::Busy.into())
    }

    /// Follows what others change, for as long as it is polled. A database that is away is waited for.
    pub async fn follow(&self) {
        let mut notices = self.database.notices();
        let mut is_away = false;
        loop {
            let _told_or_time = tokio::time::timeout(LOOK_INTERVAL, notices.next()).await;
            match self.current().await {
                Ok(_world) => {
                    if std::mem::take(&mut is_away) {
                        info!("the store can be read again");
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_away, true) {
                        let error = &error as &dyn std::error::Error;
                        warn!(error, "the store cannot be read, trying on");
                    }
                }
            }
        }
    }

    /// Takes away passwords whose time after a rotation is over, what is known of sessions that would be over anyway, and
    /// edges that were lost long ago; says how many.
    ///
    /// # Errors
    ///
    /// As for a change.
    pub async fn expire(&self, actor: Actor) -> Result<usize, PlaneError> {
        let expired = self.change(actor, "expire", |edit| {
            let now = Moment::now();
            let over = edit.credentials.iter().filter(|credential| {
                credential.previous.as_ref().is_some_and(|previous| previous.expires_at <= now)
            });
            let over: Vec<_> = over.cloned().collect();
            for credential in &over {
                edit.put(Credential { previous: None, ..Credential::clone(credential) });
            }
            let ended = edit.ended_sessions.iter().filter(|ended| ended.until <= now);
            let ended: Vec<_> = ended.map(|ended| ended.id.clone()).collect();
            for id in &ended {
                edit.delete::<EndedSession>(id);
            }
            let gone = edit
                .edges
                .iter()
                .filter(|edge| edge.lost.is_some_and(|lost| lost.after(EDGE_REMEMBERED) <= now));
            let gone: Vec<_> = gone.map(|edge| edge.id.clone()).collect();
            for name in &gone {
                edit.delete::<EdgeAddress>(name);
            }
            Ok::<_, Infallible>(over.len() + ended.len() + gone.len())
        });
        expired.await.map_err(|error| match error {
            ChangeError::Refused(never) => match never {},
            ChangeError::Plane(error) => error,
        })
    }

    /// Seals everything anew that is sealed with an older key; says how much that was.
    ///
    /// # Errors
    ///
    /// As for a change.
    pub async fn rekey(&self, actor: Actor) -> Result<usize, PlaneError> {
        for _attempt in 0..ATTEMPTS {
            let _turn = self.turn.lock().await;
            let news = self.database.since(&Position::default()).await?;
            let mut changes = Vec::new();
            for Change { kind, id, sealed } in news.changes {
                let Some(old) = sealed.filter(|sealed| !self.keyring.is_current(sealed)) else {
                    continue;
                };
                let place = world::place(&kind, &id);
                let sealed = self.keyring.seal(&place, &self.keyring.open(&place, &old)?)?;
                changes.push(Change { kind, id, sealed: Some(sealed) });
            }
            if changes.is_empty() {
                return Ok(0);
            }
            let record = actor.did("rekey", format!("{} records", changes.len()));
            match self.database.commit(&news.position, &changes, &record).await {
                Ok(_position) => return Ok(changes.len()),
                Err(CommitError::Behind) => {}
                Err(CommitError::Database(error)) => return Err(error.into()),
            }
        }
        Err(PlaneError::Busy)
    }
}
