//! The file as a store of configs: it is read again on SIGHUP, and only people write it.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use control::{Revision, Snapshot, Store, StoreError};
use parking_lot::Mutex;
use tokio::{signal::unix::Signal, sync, task::spawn_blocking};

use super::document::Document;

/// The `[[database]]` sections of a file.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    /// Of the last snapshot, until somebody takes it.
    document: Mutex<Option<Document>>,
    revision: AtomicU64,
    hangups: sync::Mutex<Signal>,
}

impl FileStore {
    /// A file that was read already, to be read again with each hangup.
    pub fn new(path: PathBuf, hangups: Signal) -> Self {
        Self {
            path,
            document: Mutex::default(),
            revision: AtomicU64::new(1),
            hangups: sync::Mutex::new(hangups),
        }
    }

    /// How often there was something to read.
    pub fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::Acquire))
    }

    /// The file as it was when a snapshot was last taken. It is given away: kept, its text and the places of its keys
    /// would be larger than what is served.
    pub fn take_document(&self) -> Option<Document> {
        self.document.lock().take()
    }
}

impl Store for FileStore {
    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let (path, revision) = (self.path.clone(), self.revision());
        let read = spawn_blocking(move || {
            let document = Document::read(&path)?;
            document.configs().map(|configs| (document, configs))
        });
        let read = read.await.map_err(|error| StoreError::Unavailable(error.into()))?;
        let (document, configs) = read.map_err(|error| StoreError::Refused(error.into()))?;
        *self.document.lock() = Some(document);
        Ok(Snapshot { revision, configs })
    }

    async fn changed(&self, seen: Revision) -> Result<Revision, StoreError> {
        let mut hangups = self.hangups.lock().await;
        if self.revision() == seen {
            hangups.recv().await;
            let _before = self.revision.fetch_add(1, Ordering::AcqRel);
        }
        Ok(self.revision())
    }
}
