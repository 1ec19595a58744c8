//! What a node was told last, in a file that only it can read: sealed with its token.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use control::{
    nodes::wire::Role,
    seal::{Keyring, Sealed},
};
use origin::secret::Secret;
use serde::{Deserialize, Serialize};

use super::held::{Held, Written};
use crate::report::chain;

/// The file.
#[derive(Clone, Debug)]
pub(super) struct SnapshotFile {
    path: PathBuf,
    /// What it is sealed for: nothing that was sealed for a proxy can be put where an edge's was.
    place: String,
    keyring: Arc<Keyring>,
}

/// What stands in it.
#[derive(Serialize, Deserialize)]
struct Content {
    key: String,
    sealed: String,
}

impl SnapshotFile {
    /// The file of this role in a folder.
    pub(super) fn new(folder: &Path, token: &Secret<String>, role: Role) -> Self {
        Self {
            path: folder.join(format!("control-{}.snapshot", role.word())),
            place: format!("snapshot/{}", role.word()),
            keyring: Arc::new(Keyring::of_secret(token.expose().as_bytes())),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What stands there; `None` where there is no file.
    ///
    /// # Errors
    ///
    /// Why it cannot be used.
    pub(super) fn read(&self) -> Result<Option<Held>, String> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let cut = "it was cut short or is no snapshot";
        let Content { key, sealed: text } =
            serde_json::from_slice(&text).map_err(|_not_whole| String::from(cut))?;
        let opened = self.keyring.open(&self.place, &Sealed { key, text });
        let json = opened.map_err(|_broken| {
            String::from("it was changed, or sealed with another token than this node's")
        })?;
        let written: Written = serde_json::from_slice(&json)
            .map_err(|_other| String::from("it is of another version of Jumpgate"))?;
        Ok(Some(Held::of(written)))
    }

    /// Puts this in its place. A crash leaves the old one or the new one.
    ///
    /// # Errors
    ///
    /// Why that cannot be.
    pub(super) fn write(&self, held: &Held) -> Result<(), String> {
        let Some(written) = held.written() else { return Ok(()) };
        let json = serde_json::to_vec(&written).map_err(|error| error.to_string())?;
        let Sealed { key, text } =
            self.keyring.seal(&self.place, &json).map_err(|error| chain(&error))?;
        let content = serde_json::to_vec(&Content { key, sealed: text });
        let content = content.map_err(|error| error.to_string())?;
        self.replace(&content).map_err(|error| error.to_string())
    }

    fn replace(&self, content: &[u8]) -> io::Result<()> {
        let new = self.path.with_extension("new");
        // What a crash has left behind.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}
