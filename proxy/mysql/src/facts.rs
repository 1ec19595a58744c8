//! What follows a client from backend to backend, and what its last statement left behind.

use std::{collections::HashMap, sync::Arc};

use cache::{
    Held, Key, KeyBuilder,
    sql::mysql::{Kind, StatementFacts},
};
use foldhash::fast::RandomState;
use serving::intern::Interner;
use tokio::time::Instant;

use super::{
    astray::Astray,
    boundary::Begun,
    last::Last,
    pins::Pins,
    plan::Text,
    prepared::Statement,
    settings::{Reading, Reports, Settings, Values},
};

/// The most statements prepared by SQL that are remembered.
const MAX_SQL_STATEMENTS: usize = 1000;

/// One client's state.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// The settings it began with.
    pub(crate) base: Settings,
    /// The settings it has now.
    pub(crate) settings: Settings,
    /// The schema it is in; `None` after that was dropped.
    pub(crate) schema: Option<Arc<str>>,
    /// Whether that can be had.
    pub(crate) astray: Astray,
    /// What it is told of changes.
    pub(crate) reports: Reports,
    /// Whether its texts may hold several statements.
    pub(crate) multi_statements: bool,
    /// Its character sets are the server's own: the next backend is asked which those are.
    pub(crate) asks_charsets: bool,
    /// The block that it has begun, while no backend knows of that.
    pub(crate) begun: Option<Begun>,
    /// When the cache was asked for what it first answered in the present transaction, while no backend knows of that.
    pub(crate) answered: Option<Instant>,
    /// Why it must keep its backend.
    pub(crate) pins: Pins,
    /// Its prepared statements, by the ids that it was told.
    pub(crate) statements: HashMap<u32, Open, RandomState>,
    /// The last id it was told.
    pub(crate) last_statement: u32,
    /// The id of what it prepared last, if that succeeded.
    pub(crate) prepared_last: Option<u32>,
    /// What its last statement left behind.
    pub(crate) last: Last,
    /// The statements that it prepared by SQL, by their names.
    pub(crate) sql_statements: HashMap<String, Arc<StatementFacts>>,
    derived: Derived,
}

/// What follows from the settings, since it was asked for.
#[derive(Clone, Debug, Default)]
struct Derived {
    /// At a server with this `sql_mode`.
    reading: Option<(Option<Arc<str>>, Reading)>,
    /// In this schema.
    key: Option<(Option<Arc<str>>, Key)>,
}

/// One prepared statement of a client.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    /// What it is.
    pub(crate) statement: Arc<Statement>,
    /// What its text means.
    pub(crate) text: Text,
    /// The types of its parameters that the client sent last (MySQL: `new_params_bind_flag`).
    pub(crate) types: Option<Arc<[u16]>>,
    /// The text, as memory.
    pub(crate) _held: Arc<Held>,
}

impl Facts {
    /// Those of a client that has just logged in.
    pub(crate) fn new(settings: Settings, schema: Option<&str>, multi_statements: bool) -> Self {
        Self {
            base: settings.clone(),
            settings,
            schema: schema.map(Into::into),
            astray: Astray::No,
            reports: Reports::default(),
            multi_statements,
            asks_charsets: false,
            begun: None,
            answered: None,
            pins: Pins::default(),
            statements: HashMap::default(),
            last_statement: 0,
            prepared_last: None,
            last: Last::default(),
            sql_statements: HashMap::new(),
            derived: Derived::default(),
        }
    }

    /// The same for what is done beside the client, in no block of its.
    pub(crate) fn beside(&self) -> Self {
        let mut facts = self.clone();
        (facts.begun, facts.answered) = (None, None);
        facts
    }

    /// The settings it begins with have become known.
    pub(crate) fn begin(&mut self, settings: Settings) {
        self.base = settings.clone();
        self.settings = settings;
        self.derived = Derived::default();
    }

    /// As after COM_RESET_CONNECTION: the schema stays. MariaDB goes back to the settings of the login, MySQL to the
    /// server's own, also of what the login asked for.
    pub(crate) fn reset(&mut self, is_mariadb: bool) {
        let schema = self.schema.clone();
        let base = if is_mariadb { self.base.clone() } else { Settings::default() };
        *self = Self { schema, ..Self::new(base, None, self.multi_statements) };
    }

    /// The settings are these now, as reports of a backend would have it.
    pub(crate) fn become_set(&mut self, settings: Settings) {
        self.settings = settings;
        self.derived = Derived::default();
    }

    /// Records a setting that a backend reported.
    pub(crate) fn report(&mut self, name: &[u8], value: &[u8]) -> super::settings::Reported {
        self.derived = Derived::default();
        self.settings.report(name, value)
    }

    /// The settings have a copy that others share.
    pub(crate) fn intern(&mut self, values: &Interner<Values>) {
        self.settings = self.settings.interned(values);
    }

    /// How texts are read at a server whose `sql_mode` is by default this one.
    pub(crate) fn reading(&mut self, default: Option<Arc<str>>) -> Reading {
        match &self.derived.reading {
            Some((known, reading)) if *known == default => *reading,
            _ => {
                let reading = self.settings.reading(default.as_deref());
                self.derived.reading = Some((default, reading));
                reading
            }
        }
    }

    /// The beginning of a key of the cache: all that shapes this session's replies, whatever the statement.
    pub(crate) fn key(&mut self, scope: &str) -> KeyBuilder {
        let session = match &self.derived.key {
            Some((schema, key)) if *schema == self.schema => *key,
            _ => {
                let schema = self.schema.as_deref().unwrap_or_default();
                let key = KeyBuilder::new(scope)
                    .field("settings", &self.settings.fingerprint())
                    .field("schema", schema.as_bytes())
                    .finish();
                self.derived.key = Some((self.schema.clone(), key));
                key
            }
        };
        KeyBuilder::after(&session)
    }

    /// Remembers a statement prepared by SQL. What is forgotten counts as unknown.
    pub(crate) fn remember_sql_statement(&mut self, name: &str, statement: &StatementFacts) {
        if self.sql_statements.len() < MAX_SQL_STATEMENTS {
            self.sql_statements.insert(name.to_owned(), Arc::new(statement.clone()));
        } else {
            self.sql_statements.clear();
        }
    }

    /// What a statement runs: of an EXECUTE, what was prepared under its name, if that was seen.
    pub(crate) fn executed<'a>(&'a self, statement: &'a StatementFacts) -> &'a StatementFacts {
        match &statement.kind {
            Kind::Execute(name) => self.sql_statements.get(name).map_or(statement, |known| known),
            _ => statement,
        }
    }

    /// An id for a new statement. Never 0, and not one that is in use.
    pub(crate) fn next_statement(&mut self) -> u32 {
        loop {
            // 0xFFFFFFFF means "the last one" to MariaDB (COM_STMT_EXECUTE).
            self.last_statement = match self.last_statement {
                id if id >= u32::MAX - 1 => 1,
                id => id + 1,
            };
            if !self.statements.contains_key(&self.last_statement) {
                return self.last_statement;
            }
        }
    }
}
