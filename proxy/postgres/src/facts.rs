//! What a session knows of its client while it holds no backend.
//!
//! Settings and told parameters shape the replies, so they change by [`Facts::change_settings`] and [`Facts::tell`], which
//! forget the key. What a statement changes only with its commit is in `ledger` until then, and what hangs on the backend in
//! `work`.

use std::{sync::Arc, time::Duration};

use cache::Key;
use serving::intern::Interner;

use super::{
    meaning::Meaning, names::Names, parameters::Parameters, plan, sequences::Home,
    settings::Settings,
};

/// What follows a client from backend to backend.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// The settings its startup packet asked for.
    pub(crate) base: Arc<Settings>,
    /// The settings it has now.
    pub(crate) settings: Arc<Settings>,
    /// How long it wishes to be let say nothing.
    pub(crate) idle_limit: Option<Duration>,
    /// Each of its texts says to the parse what it says to the server.
    pub(crate) is_readable: bool,
    /// What it was told of its settings.
    pub(crate) parameters: Parameters,
    /// Its prepared statements, by its own names.
    pub(crate) statements: Names,
    /// It may have a temporary relation with the name of the server's list of statements.
    pub(crate) hides_list: bool,
    /// Its last backend with what it drew from sequences.
    pub(crate) home: Option<Home>,
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
            is_readable: plan::is_always_readable(&parameters),
            parameters,
            statements: Names::default(),
            hides_list: false,
            home: None,
            key: None,
            meaning: None,
        }
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

    /// Records all that the client is being told of its settings.
    pub(crate) fn tell_all(&mut self, parameters: &Parameters) {
        self.parameters = parameters.clone();
        self.key = None;
        self.meaning = None;
        self.is_readable = plan::is_always_readable(&self.parameters);
    }

    /// The facts that another run of one statement needs.
    pub(crate) fn for_refresh(&self) -> Self {
        Self { home: None, ..self.clone() }
    }
}
