//! The folder in which an edge keeps what it knows, and in which its tools change it.
//!
//! A change replaces the file as a whole, under a lock, so that a running edge and any number of
//! tools never see half of one. The running edge looks for changes several times a second; nothing
//! has to be told to it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, chown},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::{MissedTickBehavior, interval};

use crate::{
    changes::ChangeError,
    state::{InvalidState, State},
};

/// The folder of one edge.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    /// What the edge knows from elsewhere; the folder's state must fit together with it.
    base: State,
}

impl Store {
    /// Makes the folder, which only its owner may enter, with these files and an edge in it that knows
    /// nothing yet.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when there is one already, or the file system refuses.
    pub fn init(folder: &Path, files: &[(&str, &[u8])]) -> Result<Self, StoreError> {
        let store = Self { folder: folder.to_owned(), base: State::default() };
        if folder.exists() {
            return Err(StoreError::Exists(folder.to_owned()));
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| StoreError::file("make", folder, source))?;
        for (name, content) in files {
            store.write_file(name, content)?;
        }
        // The last one: without it the folder is none.
        store.write(&State::default())?;
        Ok(store)
    }

    /// Opens a folder that `init` made.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is none.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let store = Self { folder: folder.to_owned(), base: State::default() };
        if !store.state_path().is_file() {
            return Err(StoreError::Missing(folder.to_owned()));
        }
        Ok(store)
    }

    /// The same folder of an edge that knows this too, and from elsewhere.
    #[must_use]
    pub fn beside(self, base: State) -> Self {
        Self { base, ..self }
    }

    /// What the edge knows now, from both.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file cannot be read or understood.
    pub fn whole(&self) -> Result<State, StoreError> {
        Ok(self.base.and(self.read()?))
    }

    /// A file of the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What the edge knows now.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file cannot be read or understood.
    pub fn read(&self) -> Result<State, StoreError> {
        let path = self.state_path();
        let json = fs::read(&path).map_err(|source| StoreError::file("read", &path, source))?;
        serde_json::from_slice(&json).map_err(|source| StoreError::Json { path, source })
    }

    /// Changes what the edge knows, all of it or nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the change is refused, or the file system refuses.
    pub fn change<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, ChangeError>,
    ) -> Result<T, StoreError> {
        let path = self.path(LOCK_FILE);
        let failed = |source| StoreError::file("lock", &path, source);
        let lock = private(OpenOptions::new().create(true)).open(&path).map_err(failed)?;
        // Let go when the file is closed, at the end of this function.
        lock.lock().map_err(failed)?;
        let mut state = self.read()?;
        let done = change(&mut state).map_err(StoreError::Refused)?;
        self.base.and(state.clone()).check().map_err(StoreError::Unfit)?;
        // Also after an older file was put back: connectors take only what is newer.
        state.version = state.version.saturating_add(1).max(seconds_since_2026());
        self.write(&state)?;
        Ok(done)
    }

    /// Writes a file of the folder that only its owner may read, as a whole or not at all.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file system refuses.
    pub fn write_file(&self, name: &str, content: &[u8]) -> Result<(), StoreError> {
        let path = self.path(name);
        let new = self.path(&format!("{name}.new"));
        let written = || {
            // What a crash has left behind.
            fs::remove_file(&new).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })?;
            let mut file = private(OpenOptions::new().create_new(true)).open(&new)?;
            file.write_all(content)?;
            file.sync_all()?;
            // A tool that is run by root must leave the edge its file.
            let folder = fs::metadata(&self.folder)?;
            if file.metadata()?.uid() != folder.uid() {
                chown(&new, Some(folder.uid()), Some(folder.gid()))?;
            }
            fs::rename(&new, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        written().map_err(|source| StoreError::file("write", &path, source))
    }

    /// Looks for changes; what is there now is the first.
    pub fn watch(&self) -> Watch {
        Watch { store: self.clone(), seen: None }
    }

    fn write(&self, state: &State) -> Result<(), StoreError> {
        let mut json = serde_json::to_vec_pretty(state)
            .map_err(|source| StoreError::Json { path: self.state_path(), source })?;
        json.push(b'\n');
        self.write_file(STATE_FILE, &json)
    }

    fn state_path(&self) -> PathBuf {
        self.path(STATE_FILE)
    }
}

/// Tells when the state has been changed.
#[derive(Debug)]
pub struct Watch {
    store: Store,
    seen: Option<Stamp>,
}

impl Watch {
    /// Waits for a change and returns what the edge knows then.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file has changed and cannot be read, again and again until it can.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the change is told the next time.
    pub async fn changed(&mut self) -> Result<State, StoreError> {
        let mut ticks = interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = Stamp::of(&self.store.state_path());
            if now != self.seen {
                let state = self.store.whole()?;
                self.seen = now;
                return Ok(state);
            }
        }
    }
}

/// What tells one version of a file from another: a change makes a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    modified: (i64, i64),
    len: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Some(Self { inode: metadata.ino(), modified, len: metadata.len() })
    }
}

/// Why the folder could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It would overwrite what is there.
    #[error("{} holds an edge already; remove it, or name another folder", .0.display())]
    Exists(PathBuf),
    /// Nothing is there.
    #[error("{} holds no edge; make one with `jumpgate edge init`", .0.display())]
    Missing(PathBuf),
    /// The file system refused.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is not the state of an edge", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it. There are no secrets in it that could show.
        #[source]
        source: serde_json::Error,
    },
    /// The change itself is not possible.
    #[error(transparent)]
    Refused(ChangeError),
    /// With the change the edge could not go on.
    #[error(transparent)]
    Unfit(InvalidState),
}

impl StoreError {
    fn file(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { doing, path: path.to_owned(), source }
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.write(true).mode(0o600)
}

/// They fit a version, which is a signed number of 32 bits at the connector, until 2094.
fn seconds_since_2026() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    u32::try_from(now.saturating_sub(START_OF_2026)).unwrap_or(u32::MAX)
}

const START_OF_2026: u64 = 1_767_225_600;
const STATE_FILE: &str = "state.json";
const LOCK_FILE: &str = "lock";
/// A revoked token must have lost its streams within a second.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::changes::{NewApplication, Selector};

    #[test]
    fn what_was_changed_is_there_for_the_next_one() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("edge");
        assert!(matches!(Store::open(&folder), Err(StoreError::Missing(_))));
        let store = Store::init(&folder, &[]).expect("new");
        assert!(matches!(Store::init(&folder, &[]), Err(StoreError::Exists(_))));
        store.change(|state| state.create_tunnel("office", 1)).expect("new");
        let refused = store.change(|state| state.create_tunnel("office", 1));
        assert!(matches!(refused, Err(StoreError::Refused(ChangeError::Taken { .. }))));
        let state = Store::open(&folder).expect("made").read().expect("written");
        assert!(state.version > 0);
        assert_eq!(state.tunnels[0].name, "office");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&store.path(STATE_FILE))), (0o700, 0o600));
    }

    #[test]
    fn what_the_edge_could_not_serve_is_refused_and_not_kept() {
        let home = tempfile::tempdir().expect("a folder");
        let store = Store::init(&home.path().join("edge"), &[("a", b"b")]).expect("new");
        assert_eq!(fs::read(store.path("a")).expect("written"), b"b");
        store.change(|state| state.create_token("proxy", None, 1)).expect("new");
        let app = |path: &str, header: Option<&str>| NewApplication {
            hostname: "db.test".to_owned(),
            path: path.to_owned(),
            include: vec![Selector::Token("proxy".to_owned())],
            token_header: header.map(str::to_owned),
            ..NewApplication::default()
        };
        for wrong in [app("/a//b", None), app("x", None), app("", Some("X Y"))] {
            let refused = store.change(|state| state.create_application(&wrong));
            assert!(matches!(refused, Err(StoreError::Unfit(_))), "{wrong:?}");
        }
        // What the file of settings has already is refused too.
        let token = crate::access::ServiceToken::new("a.access", "s").expect("valid");
        let record = crate::state::TokenRecord::of("t", &token);
        let mut base = State::default();
        base.guard("db.test", crate::token::TunnelId::random(), &[record.id]);
        let token = crate::token::TunnelToken::new("tag", base.routes[0].tunnel, [7; 32]);
        base.tunnels.push(crate::state::Tunnel::from(&token.expect("valid")));
        let both = store.clone().beside(base);
        assert!(both.change(|state| state.create_application(&app("", None))).is_err());
        store.change(|state| state.create_application(&app("", None))).expect("it fits");
    }

    #[test]
    fn changes_at_the_same_time_do_not_lose_each_other() {
        let home = tempfile::tempdir().expect("a folder");
        let store = Store::init(&home.path().join("edge"), &[]).expect("new");
        std::thread::scope(|threads| {
            for thread in 0..4 {
                let store = &store;
                threads.spawn(move || {
                    for number in 0..10 {
                        let name = format!("{thread}-{number}");
                        store.change(|state| state.create_token(&name, None, 1)).expect("new");
                    }
                });
            }
        });
        assert_eq!(store.read().expect("written").service_tokens.len(), 40);
    }

    #[tokio::test]
    async fn a_change_is_noticed_and_a_broken_file_is_told() {
        let home = tempfile::tempdir().expect("a folder");
        let store = Store::init(&home.path().join("edge"), &[]).expect("new");
        let mut watch = store.watch();
        assert_eq!(watch.changed().await.expect("a state"), State::default());
        store.change(|state| state.create_tunnel("office", 1)).expect("new");
        assert_eq!(watch.changed().await.expect("a state").tunnels.len(), 1);
        store.write_file(STATE_FILE, b"{").expect("written");
        for _again in 0..2 {
            assert!(matches!(watch.changed().await, Err(StoreError::Json { .. })));
        }
        store.write_file(STATE_FILE, b"{}").expect("written");
        assert_eq!(watch.changed().await.expect("a state"), State::default());
    }
}
