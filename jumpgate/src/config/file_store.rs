//! The file as a store of configs: it is read again on SIGHUP, and only people write it.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use control::{Revision, Snapshot, Store, StoreError};
use parking_lot::RwLock;
use tokio::{signal::unix::Signal, sync::Mutex, task::spawn_blocking};

use super::document::Document;

/// The `[[database]]` sections of a file.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    document: RwLock<Arc<Document>>,
    revision: AtomicU64,
    hangups: Mutex<Signal>,
}

impl FileStore {
    /// A file that was read already, to be read again with each hangup.
    pub fn new(path: PathBuf, document: Document, hangups: Signal) -> Self {
        Self {
            path,
            document: RwLock::new(Arc::new(document)),
            revision: AtomicU64::new(1),
            hangups: Mutex::new(hangups),
        }
    }

    /// How often there was something to read.
    pub fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::Acquire))
    }

    /// The file as it was when a snapshot was last taken.
    pub fn document(&self) -> Arc<Document> {
        Arc::clone(&self.document.read())
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
        *self.document.write() = Arc::new(document);
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
