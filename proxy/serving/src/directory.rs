//! The databases of one engine, by name, and which users have one.
//!
//! It knows no engine: what a database is, and how one is opened, comes from outside.

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::RwLock;

use crate::{
    config::{Config, DatabaseConfig, Engine, Fingerprint},
    mock::{Mock, Mocks},
};

/// Every config of an engine by name. A reload swaps those that changed; sessions keep the one they
/// began with.
pub struct Directory<D> {
    engine: Engine,
    open: Box<Open<D>>,
    known: RwLock<Known<D>>,
}

/// Makes a database of its config, and of the one that had its name.
type Open<D> = dyn Fn(&Arc<DatabaseConfig>, Option<&D>) -> Arc<D> + Send + Sync;

/// What a file says.
struct Known<D> {
    databases: HashMap<String, (Fingerprint, Arc<D>)>,
    /// For each user the first database that has it.
    homes: HashMap<String, Arc<D>>,
    mocks: Mocks,
}

impl<D: 'static> Directory<D> {
    /// Opens each database of this engine in the config.
    pub fn new(
        engine: Engine,
        config: &Config,
        open: impl Fn(&Arc<DatabaseConfig>, Option<&D>) -> Arc<D> + Send + Sync + 'static,
    ) -> Self {
        let open: Box<Open<D>> = Box::new(open);
        let known = RwLock::new(Known::of(engine, config, HashMap::new(), &open));
        Self { engine, open, known }
    }

    /// Takes over a new config: databases whose section did not change stay what they are, and those that changed
    /// may take over from what they were.
    pub fn reload(&self, config: &Config) {
        let mut known = self.known.write();
        // Those that changed or went live on for as long as a session uses them.
        let old = std::mem::take(&mut known.databases);
        *known = Known::of(self.engine, config, old, &self.open);
    }

    /// The database of this name.
    pub fn find(&self, name: &str) -> Option<Arc<D>> {
        self.known.read().databases.get(name).map(|(_, database)| Arc::clone(database))
    }

    /// A database that has a user of this name: the first in the file.
    pub fn home_of(&self, user: &str) -> Option<Arc<D>> {
        self.known.read().homes.get(user).cloned()
    }

    /// What a user of this name would look like if there were one.
    pub fn mock(&self, user: &str) -> Mock {
        self.known.read().mocks.user(user)
    }

    /// Every database, in no order.
    pub fn all(&self) -> Vec<Arc<D>> {
        let known = self.known.read();
        known.databases.values().map(|(_, database)| Arc::clone(database)).collect()
    }
}

impl<D: 'static> Known<D> {
    fn of(
        engine: Engine,
        config: &Config,
        mut old: HashMap<String, (Fingerprint, Arc<D>)>,
        open: &Open<D>,
    ) -> Self {
        let ours = || config.databases.iter().filter(|database| database.engine == engine);
        let (mut databases, mut homes) = (HashMap::new(), HashMap::new());
        for wanted in ours() {
            let database = match old.remove(&wanted.name) {
                Some((known, database)) if known == wanted.fingerprint => database,
                before => open(wanted, before.as_ref().map(|(_, database)| &**database)),
            };
            for user in &wanted.users {
                homes.entry(user.name.clone()).or_insert_with(|| Arc::clone(&database));
            }
            databases.insert(wanted.name.clone(), (wanted.fingerprint, database));
        }
        let users = ours().flat_map(|database| &database.users);
        Self { databases, homes, mocks: Mocks::like(users, &config.salts) }
    }
}

impl<D> fmt::Debug for Directory<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.known.read();
        f.debug_struct("Directory")
            .field("engine", &self.engine)
            .field("databases", &known.databases.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::sample, salts::Salts};

    fn config(databases: &[&Arc<DatabaseConfig>]) -> Config {
        let mut config = sample::config(&Salts::random(), []);
        config.databases = databases.iter().map(|database| Arc::clone(database)).collect();
        config
    }

    fn database(engine: Engine, name: &str) -> Arc<DatabaseConfig> {
        Arc::new(sample::database(engine, name))
    }

    #[test]
    fn a_directory_holds_the_databases_of_its_engine_only() {
        let (other, ours) = (database(Engine::Postgres, "a"), database(Engine::MySql, "b"));
        let config = config(&[&other, &ours]);
        let directory =
            Directory::new(Engine::MySql, &config, |one, _before| Arc::new(one.name.clone()));
        assert!(directory.find("a").is_none());
        assert_eq!(directory.find("b").as_deref().map(String::as_str), Some("b"));
        assert_eq!(directory.all().len(), 1);
    }

    #[test]
    fn a_reload_opens_what_changed_and_keeps_the_rest() {
        let [kept, old, new, gone] =
            ["kept", "moved", "moved", "gone"].map(|name| database(Engine::MySql, name));
        let first = config(&[&kept, &old, &gone]);
        let directory =
            Directory::new(Engine::MySql, &first, |one, _before| Arc::new(one.name.clone()));
        let find = |name| directory.find(name).unwrap();
        let (before, moved) = (find("kept"), find("moved"));
        directory.reload(&config(&[&kept, &new]));
        assert!(Arc::ptr_eq(&find("kept"), &before));
        assert!(!Arc::ptr_eq(&find("moved"), &moved));
        assert!(directory.find("gone").is_none());
    }
}
