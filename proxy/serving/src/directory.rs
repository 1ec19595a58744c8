//! The databases of one engine, by name, and which users have one.
//!
//! It knows no engine: what a database is, and how one is opened, comes from outside. One that nobody asks for costs
//! its config and a place here: no connection, no task, no counter. It is opened by the first client that logs in.
//! Where there are few, or some are to be kept warm, they are opened at once, so that no client waits for what could
//! be known before it comes.

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::{Mutex, RwLock};

use crate::{
    config::{Config, DatabaseConfig, Engine},
    mock::{Mock, Mocks},
};

/// With more databases of an engine each is opened when it is first used.
pub const FEW: usize = 32;

/// Every config of an engine by name. A reload swaps those that changed; sessions keep the one they
/// began with.
pub struct Directory<D> {
    engine: Engine,
    open: Arc<Open<D>>,
    known: RwLock<Known<D>>,
}

/// Makes a database of its config, and of the one that has its name, too.
type Open<D> = dyn Fn(&Arc<DatabaseConfig>, Option<Namesake<'_, D>>) -> Arc<D> + Send + Sync;

/// A database that is open when another of its name and id is opened.
#[derive(Debug)]
pub enum Namesake<'a, D> {
    /// What the name stood for before a reload.
    Before(&'a D),
    /// What the name stands for since a reload. The other is opened for a login that began before.
    After(&'a D),
}

impl<'a, D> Namesake<'a, D> {
    /// The database.
    pub const fn get(&self) -> &'a D {
        match self {
            Self::Before(database) | Self::After(database) => database,
        }
    }
}

/// A database that is opened when it is first used.
pub struct Entry<D> {
    config: Arc<DatabaseConfig>,
    open: Arc<Open<D>>,
    state: Mutex<State<D>>,
}

enum State<D> {
    /// Nobody has used it.
    Unused,
    /// A reload had something else for its name before anybody used it.
    Replaced(Arc<Entry<D>>),
    Open(Arc<D>),
}

impl<D> Entry<D> {
    /// What the file says of it.
    pub const fn config(&self) -> &Arc<DatabaseConfig> {
        &self.config
    }

    /// The database, open from now on.
    pub fn open(&self) -> Arc<D> {
        let mut state = self.state.lock();
        let newer = match &*state {
            State::Open(database) => return Arc::clone(database),
            State::Unused => None,
            // For a login that began before the reload: its connections are those of the others.
            State::Replaced(newer) => self.is_same(&newer.config).then(|| newer.open()),
        };
        let namesake = newer.as_deref().map(Namesake::After);
        let database = (self.open)(&self.config, namesake);
        *state = State::Open(Arc::clone(&database));
        database
    }

    /// The same, if it is open.
    pub fn opened(&self) -> Option<Arc<D>> {
        match &*self.state.lock() {
            State::Open(database) => Some(Arc::clone(database)),
            State::Unused | State::Replaced(_) => None,
        }
    }

    /// What its name stands for from now on. It is open if this one is, and takes over from it.
    fn replace(&self, config: &Arc<DatabaseConfig>) -> Arc<Self> {
        let newer = Arc::new(Self::unused(config, &self.open));
        let mut state = self.state.lock();
        match &*state {
            State::Open(before) => {
                let namesake = self.is_same(config).then_some(Namesake::Before(&**before));
                let database = (self.open)(config, namesake);
                *newer.state.lock() = State::Open(database);
            }
            State::Unused | State::Replaced(_) => *state = State::Replaced(Arc::clone(&newer)),
        }
        drop(state);
        newer
    }

    /// Another id with the same name is another's: neither connections nor passwords pass between the two.
    fn is_same(&self, other: &DatabaseConfig) -> bool {
        self.config.id == other.id
    }

    fn unused(config: &Arc<DatabaseConfig>, open: &Arc<Open<D>>) -> Self {
        let state = Mutex::new(State::Unused);
        Self { config: Arc::clone(config), open: Arc::clone(open), state }
    }
}

impl<D> fmt::Debug for Entry<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("name", &self.config.name).finish_non_exhaustive()
    }
}

/// The databases that have a user of some name.
#[derive(Debug)]
pub struct Home<D> {
    /// The first in the file.
    pub first: Arc<Entry<D>>,
    /// Whether there are others.
    pub has_others: bool,
}

impl<D> Clone for Home<D> {
    fn clone(&self) -> Self {
        Self { first: Arc::clone(&self.first), has_others: self.has_others }
    }
}

/// What a file says.
struct Known<D> {
    databases: HashMap<String, Arc<Entry<D>>>,
    homes: HashMap<String, Home<D>>,
    mocks: Mocks,
}

impl<D: 'static> Directory<D> {
    /// Takes in each database of this engine in the config, and opens those that are not to wait for a client.
    pub fn new(
        engine: Engine,
        config: &Config,
        open: impl Fn(&Arc<DatabaseConfig>, Option<Namesake<'_, D>>) -> Arc<D> + Send + Sync + 'static,
    ) -> Self {
        let open: Arc<Open<D>> = Arc::new(open);
        let known = RwLock::new(Known::of(engine, config, &HashMap::new(), &open));
        Self { engine, open, known }
    }

    /// Takes over a new config: databases whose section did not change stay what they are, and those that changed
    /// may take over from what they were.
    pub fn reload(&self, config: &Config) {
        // Nobody else writes, and logins go on meanwhile.
        let new = Known::of(self.engine, config, &self.known.read().databases, &self.open);
        let old = std::mem::replace(&mut *self.known.write(), new);
        // Those that changed or went live on for as long as a session uses them.
        drop(old);
    }

    /// The database of this name.
    pub fn find(&self, name: &str) -> Option<Arc<Entry<D>>> {
        self.known.read().databases.get(name).cloned()
    }

    /// The databases that have a user of this name.
    pub fn home_of(&self, user: &str) -> Option<Home<D>> {
        self.known.read().homes.get(user).cloned()
    }

    /// What a user of this name would look like if there were one.
    pub fn mock(&self, user: &str) -> Mock {
        self.known.read().mocks.user(user)
    }

    /// Every database that is open, in no order.
    pub fn opened(&self) -> Vec<Arc<D>> {
        self.known.read().databases.values().filter_map(|entry| entry.opened()).collect()
    }

    /// The names of those that are kept warm and are not, by what `is_warm` says of each.
    pub fn cold(&self, is_warm: impl Fn(&D) -> bool) -> Vec<String> {
        let known = self.known.read();
        let kept_warm = known.databases.values().filter(|it| it.config.pool.min_idle > 0);
        let cold = kept_warm.filter(|it| !it.opened().is_some_and(|database| is_warm(&database)));
        cold.map(|entry| entry.config.name.clone()).collect()
    }

    /// Every database in no order, all open; `None` where there are so many that each waits until it is used.
    pub fn all_of_few(&self) -> Option<Vec<Arc<D>>> {
        let known = self.known.read();
        let are_few = known.databases.len() <= FEW;
        are_few.then(|| known.databases.values().map(|entry| entry.open()).collect())
    }
}

impl<D: 'static> Known<D> {
    fn of(
        engine: Engine,
        config: &Config,
        old: &HashMap<String, Arc<Entry<D>>>,
        open: &Arc<Open<D>>,
    ) -> Self {
        let ours = || config.databases.iter().filter(|database| database.engine == engine);
        let are_few = ours().count() <= FEW;
        let (mut databases, mut homes) = (HashMap::new(), HashMap::<_, Home<D>>::new());
        for wanted in ours() {
            let entry = match old.get(&wanted.name) {
                Some(same) if same.config.fingerprint == wanted.fingerprint => Arc::clone(same),
                Some(other) => other.replace(wanted),
                None => Arc::new(Entry::unused(wanted, open)),
            };
            if are_few || wanted.pool.min_idle > 0 {
                drop(entry.open());
            }
            for user in &wanted.users {
                homes
                    .entry(user.name.clone())
                    .and_modify(|home| home.has_others = true)
                    .or_insert_with(|| Home { first: Arc::clone(&entry), has_others: false });
            }
            databases.insert(wanted.name.clone(), entry);
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

    /// A directory whose databases are their names.
    fn directory(config: &Config) -> Directory<String> {
        Directory::new(Engine::MySql, config, |one, _before| Arc::new(one.name.clone()))
    }

    #[test]
    fn a_directory_holds_the_databases_of_its_engine_only() {
        let (other, ours) = (database(Engine::Postgres, "a"), database(Engine::MySql, "b"));
        let directory = directory(&config(&[&other, &ours]));
        assert!(directory.find("a").is_none());
        assert_eq!(directory.find("b").unwrap().open().as_str(), "b");
        assert_eq!(directory.opened().len(), 1);
        assert_eq!(directory.all_of_few().unwrap().len(), 1);
    }

    #[test]
    fn a_reload_opens_what_changed_and_keeps_the_rest() {
        let [kept, old, new, gone] =
            ["kept", "moved", "moved", "gone"].map(|name| database(Engine::MySql, name));
        let directory = directory(&config(&[&kept, &old, &gone]));
        let find = |name| directory.find(name).unwrap().open();
        let (before, moved) = (find("kept"), find("moved"));
        directory.reload(&config(&[&kept, &new]));
        assert!(Arc::ptr_eq(&find("kept"), &before));
        assert!(!Arc::ptr_eq(&find("moved"), &moved));
        assert!(directory.find("gone").is_none());
    }

    /// Ten thousand configs, of which `warm_7` is to be kept warm. Each has a user of its own, and `shared`.
    fn many(salts: &Salts) -> Vec<Arc<DatabaseConfig>> {
        let users = |n| [format!("user_{n}"), String::from("shared")];
        let user = |name: String| sample::user(Engine::MySql, &name, "secret", salts);
        let databases = (0..10_000).map(|n| {
            let mut database = sample::database(Engine::MySql, &format!("tenant_{n}"));
            database.pool.min_idle = u32::from(n == 7);
            database.users = users(n).map(user).into();
            Arc::new(database)
        });
        databases.collect()
    }

    #[test]
    fn one_of_ten_thousand_is_opened_when_it_is_first_used_and_a_change_of_one_touches_no_other() {
        let salts = Salts::random();
        let mut config = sample::config(&salts, []);
        config.databases = many(&salts);
        let directory = directory(&config);
        let opened = || {
            let mut opened = directory.opened();
            opened.sort();
            opened.iter().map(|name| name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(opened(), ["tenant_7"], "which is kept warm");
        assert!(directory.all_of_few().is_none());
        let home = directory.home_of("user_42").unwrap();
        assert!(!home.has_others && home.first.opened().is_none());
        assert!(directory.home_of("shared").unwrap().has_others);
        drop(directory.mock("nobody"));
        drop(directory.find("tenant_42").unwrap().open());
        assert_eq!(opened(), ["tenant_42", "tenant_7"]);
        assert_eq!(salts.made(), 0, "no password was salted");

        let before: Vec<_> = config.databases.iter().map(|it| directory.find(&it.name)).collect();
        for changed in ["tenant_42", "tenant_43"] {
            let at = config.databases.iter().position(|it| it.name == changed).unwrap();
            config.databases[at] = database(Engine::MySql, changed);
        }
        config.databases.push(database(Engine::MySql, "new"));
        directory.reload(&config);
        let kept = before.iter().flatten().filter(|entry| {
            directory.find(&entry.config().name).is_some_and(|now| Arc::ptr_eq(entry, &now))
        });
        assert_eq!(kept.count(), 9_998);
        assert_eq!(
            opened(),
            ["tenant_42", "tenant_7"],
            "what was used is open anew, and nothing else"
        );
        assert_eq!(salts.made(), 0);
    }

    /// There is one pool for a config, whoever came first.
    #[test]
    fn a_login_that_began_before_a_reload_takes_over_from_what_came_with_it() {
        let mut config = sample::config(&Salts::random(), []);
        config.databases = many(&config.salts);
        let tasks: Arc<Mutex<Vec<_>>> = Arc::default();
        let told = Arc::clone(&tasks);
        let directory = Directory::new(
            Engine::MySql,
            &config,
            move |one, namesake: Option<Namesake<'_, _>>| {
                let is_after = namesake.map(|it| matches!(it, Namesake::After(_)));
                told.lock().push((one.fingerprint, is_after));
                Arc::new(one.name.clone())
            },
        );
        let (first, old) = (config.databases[0].fingerprint, directory.find("tenant_0").unwrap());
        tasks.lock().clear();
        let newer = ["tenant_0"; 2].map(|name| {
            config.databases[0] = database(Engine::MySql, name);
            directory.reload(&config);
            config.databases[0].fingerprint
        });
        assert!(tasks.lock().is_empty());
        drop((old.open(), old.open(), directory.find("tenant_0").unwrap().open()));
        let [second, third] = newer;
        assert_eq!(*tasks.lock(), [(third, None), (second, Some(true)), (first, Some(true))]);
        tasks.lock().clear();
        config.databases[0] = database(Engine::MySql, "tenant_0");
        directory.reload(&config);
        let fourth = config.databases[0].fingerprint;
        assert_eq!(*tasks.lock(), [(fourth, Some(false))]);
        // The name has gone to somebody else, who takes over nothing.
        tasks.lock().clear();
        let others =
            DatabaseConfig { id: "f".repeat(32), ..sample::database(Engine::MySql, "tenant_0") };
        let fifth = others.fingerprint;
        config.databases[0] = Arc::new(others);
        directory.reload(&config);
        assert_eq!(*tasks.lock(), [(fifth, None)]);
    }
}
