//! What a session knows of its client while it holds no backend.
//!
//! Settings and told parameters shape the replies, so they change by [`Facts::change_settings`] and [`Facts::tell`], which
//! forget the key. What a statement changes only with its commit is in `ledger` until then.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use cache::{Key, sql::postgres::Pin};
use serving::intern::Interner;

use bytes::Bytes;

use super::{
    backend::Parameters, meaning::Meaning, names::Names, plan, prepared::Statement,
    settings::Settings,
};

/// The statements of portals, by the portals' names, each with the group of messages that bound it.
pub(crate) type Portals = foldhash::HashMap<Bytes, (Arc<Statement>, u64)>;

/// What follows a client from backend to backend.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// The settings its startup packet asked for.
    pub(crate) base: Arc<Settings>,
    /// The settings it has now.
    pub(crate) settings: Arc<Settings>,
    /// How long it wishes to be let say nothing.
    pub(crate) idle_limit: Option<Duration>,
    /// The settings that were given by half, or by an expression, and of which the backend has not yet reported what that
    /// makes.
    pub(crate) half_set: BTreeSet<String>,
    /// Each of its texts says to the parse what it says to the server.
    pub(crate) is_readable: bool,
    /// What it was told of its settings.
    pub(crate) parameters: Parameters,
    /// Its prepared statements, by its own names.
    pub(crate) statements: Names,
    /// The statements of its open portals.
    pub(crate) portals: Portals,
    /// It may have a temporary relation with the name of the server's list of statements.
    pub(crate) hides_list: bool,
    /// Why it must keep its backend.
    pub(crate) pins: BTreeSet<Pin>,
    /// The key of what shapes its replies, once it was asked for.
    key: Option<Key>,
    /// The settings that its texts are read with, once they were asked for.
    meaning: Option<Arc<Meaning>>,
}

impl Facts {
    /// Those of a client that has just logged in.
    pub(crate) fn new(base: Arc<Settings>, parameters: Parameters) -> Self {
        Self {
            idle_limit: base.idle_limit(),
            settings: Arc::clone(&base),
            base,
            half_set: BTreeSet::new(),
            is_readable: plan::is_always_readable(&parameters),
            parameters,
            statements: Names::default(),
            portals: Portals::default(),
            hides_list: false,
            pins: BTreeSet::new(),
            key: None,
            meaning: None,
        }
    }

    /// The statement of an open portal.
    pub(crate) fn portal(&self, name: &[u8]) -> Option<&Arc<Statement>> {
        self.portals.get(name).map(|(statement, _)| statement)
    }

    /// The key of everything that shapes the client's replies, in the scope of its database, which stays the same.
    pub(crate) fn key(&mut self, scope: &str) -> &Key {
        let make = || plan::session_key(scope, &self.parameters, &self.settings);
        self.key.get_or_insert_with(make)
    }

    /// The settings that the constants of its texts are read with.
    pub(crate) fn meaning(&mut self, known: &Interner<Meaning>) -> &Arc<Meaning> {
        let make = || known.intern(Arc::new(Meaning::of(&self.parameters, &self.settings)));
        self.meaning.get_or_insert_with(make)
    }

    /// Takes over new settings.
    pub(crate) fn change_settings(&mut self, settings: Arc<Settings>) {
        self.idle_limit = settings.idle_limit();
        self.settings = settings;
        self.key = None;
        self.meaning = None;
    }

    /// Records what the client is being told of a setting.
    pub(crate) fn tell(&mut self, name: &str, value: &str) {
        self.parameters.set(name, value);
        self.key = None;
        self.meaning = None;
        if plan::decides_reading(name) {
            self.is_readable = plan::is_always_readable(&self.parameters);
        }
    }

    /// The facts that another run of one statement needs.
    pub(crate) fn for_refresh(&self) -> Self {
        Self { portals: Portals::default(), pins: BTreeSet::new(), ..self.clone() }
    }
}
