//! What an origin's catalog says of texts, as a proxy in front of it would judge them.

use std::sync::Arc;

use cache::sql::{
    self, Hint, Verdict, Writes,
    mysql::{self as mysql_sql, Classifier, Modes, Verdicts},
    postgres::Catalog,
    shown::Dialect,
};
use serving::config::{DatabaseConfig, Engine};

use crate::probe::{Probe, ProbeError};

/// What the memory of judgements may hold.
const MEMO_BYTES: u64 = 1 << 20;

/// Judges texts for one database.
#[derive(Debug)]
pub(super) struct Judge {
    engine: OfEngine,
    /// `round_trips.catalog` is on.
    looks_up: bool,
}

#[derive(Debug)]
enum OfEngine {
    Postgres(Box<Catalog>),
    MySql { classifier: Classifier, schema: Arc<str>, modes: Modes },
}

/// What a text is.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) hint: Hint,
    pub(super) verdict: Verdict,
    pub(super) writes: Writes,
    /// The words of docs/SESSION_STATE.md for what pins its session.
    pub(super) pins: Vec<&'static str>,
}

impl Judge {
    /// Reads the catalog of a database.
    pub(super) async fn of(database: &DatabaseConfig) -> Result<Self, ProbeError> {
        let engine = match database.engine {
            Engine::Postgres => {
                OfEngine::Postgres(Box::new(postgres::catalog::read(database).await?))
            }
            Engine::MySql => {
                let catalog = mysql::catalog::read(database).await?;
                let modes = modes_of(database).await?;
                let classifier = Classifier::new(Arc::new(catalog), &Verdicts::new(MEMO_BYTES));
                let schema = Arc::from(&*database.origin.database);
                OfEngine::MySql { classifier, schema, modes }
            }
        };
        Ok(Self { engine, looks_up: database.round_trips.catalog })
    }

    /// Judges by an empty catalog of PostgreSQL.
    #[cfg(test)]
    pub(super) fn of_nothing() -> Self {
        let catalog = sql::postgres::CatalogBuilder::new().build();
        Self { engine: OfEngine::Postgres(Box::new(catalog)), looks_up: true }
    }

    /// How texts are cut into words.
    pub(super) fn dialect(&self) -> Dialect {
        match &self.engine {
            OfEngine::Postgres(_) => Dialect::Postgres,
            OfEngine::MySql { modes, .. } if modes.no_backslash_escapes => {
                Dialect::MySqlWithoutEscapes
            }
            OfEngine::MySql { .. } => Dialect::MySql,
        }
    }

    /// Judges a text.
    pub(super) fn judge(&self, text: &str) -> Judged {
        let mut judged = match &self.engine {
            OfEngine::Postgres(catalog) => {
                let analysis = sql::postgres::analyse(text);
                let pins = sql::postgres::pins(&analysis, catalog);
                Judged {
                    verdict: sql::postgres::classify(&analysis, catalog),
                    writes: sql::postgres::writes(&analysis, catalog),
                    pins: pins.into_iter().map(sql::postgres::Pin::as_str).collect(),
                    hint: analysis.hint,
                }
            }
            OfEngine::MySql { classifier, schema, modes } => {
                let analysis = Arc::new(mysql_sql::analyse(text, *modes));
                let judged = classifier.classify(text, schema, &analysis);
                let pins = mysql_sql::pins(&analysis, &judged.left);
                Judged {
                    verdict: judged.verdict.clone(),
                    writes: judged.writes.clone(),
                    pins: pins.into_iter().map(mysql_sql::Pin::as_str).collect(),
                    hint: analysis.hint.clone(),
                }
            }
        };
        if !self.looks_up {
            judged.verdict = judged.verdict.without_look_ups();
        }
        judged
    }
}

/// How a session that changes nothing reads a text at a MySQL origin.
async fn modes_of(database: &DatabaseConfig) -> Result<Modes, ProbeError> {
    let timeout = database.pool.connect_timeout;
    let mut probe = Probe::open(database.engine, &database.origin, timeout).await?;
    let sql_mode = probe.first_value("SELECT @@sql_mode").await?.unwrap_or_default();
    Ok(mysql::modes_of(&sql_mode))
}
