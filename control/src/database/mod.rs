//! The database in which a control plane keeps what it knows: SQLite or PostgreSQL, by the same statements.
//!
//! It knows records, sealed, and not what they are. A change counts only if the database still holds what it was made of,
//! which is one row (`head`) that each change must find as it was. So any number of planes may write.

pub(crate) mod history;
mod notices;

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt as _, path::PathBuf, time::Duration};

use sqlx::{
    AnyConnection, AnyPool, Connection as _, Row as _, SqlSafeStr as _,
    any::{AnyConnectOptions, AnyPoolOptions, AnyRow, install_default_drivers},
    migrate::{Migration, MigrationType, Migrator},
};

use self::notices::CHANNEL;
pub use self::notices::Notices;
use crate::{model::Secret, moment::Moment, seal::Sealed};

/// Connections to the database: a control plane asks little.
const CONNECTIONS: u32 = 4;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const PAGE_MAX: i64 = 1000;

/// What each version has added to the tables. One that was ever released is never changed.
const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "records", include_str!("../../migrations/0001_records.sql")),
    (2, "history", include_str!("../../migrations/0002_history.sql")),
];

/// A state in the history of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// How many changes there were.
    pub revision: i64,
    /// Tells this history from another of the same length.
    pub tag: String,
}

/// A record as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Of which kind.
    pub kind: String,
    /// Which one.
    pub id: String,
    /// What it is; `None` where it was deleted.
    pub sealed: Option<Sealed>,
}

/// What has changed, up to a position.
#[derive(Clone, Debug)]
pub struct News {
    /// Up to here.
    pub position: Position,
    /// It is all that is kept, and not only what has changed.
    pub is_whole: bool,
    /// The records.
    pub changes: Vec<Change>,
}

/// Who did what.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AuditRecord {
    /// The revision that it made.
    pub revision: i64,
    /// When.
    pub at: Moment,
    /// The name of a token, or of the user of a tool.
    pub who: String,
    /// An address, or the name of a tool.
    pub whence: String,
    /// What was done.
    pub action: String,
    /// To which records.
    pub subject: String,
}

/// A database, open.
#[derive(Clone, Debug)]
pub struct Database {
    pool: AnyPool,
    is_postgres: bool,
    url: Secret,
}

impl Database {
    /// Opens the database of a URL, `sqlite:FILE` or `postgres://…`, and brings its tables to what this version needs. The
    /// file is made where there is none, for its owner alone.
    ///
    /// # Errors
    ///
    /// Where it cannot be reached, or is of a newer version.
    pub async fn open(url: &str) -> Result<Self, DatabaseError> {
        install_default_drivers();
        let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
        let file = url.strip_prefix("sqlite:").map(|file| file.trim_start_matches("//"));
        let url = match (is_postgres, file) {
            (true, _) => url.to_owned(),
            (false, Some(file)) => {
                let path = file.split('?').next().unwrap_or(file);
                private_file(path)
                    .map_err(|source| DatabaseError::File { path: PathBuf::from(path), source })?;
                format!("sqlite://{file}")
            }
            (false, None) => return Err(DatabaseError::Url),
        };
        let options: AnyConnectOptions =
            url.parse().map_err(|_shows_the_password: sqlx::Error| DatabaseError::Url)?;
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(move |connection, _| Box::pin(prepare(connection, is_postgres)))
            .connect_lazy_with(options);
        let database = Self { pool, is_postgres, url: Secret::from(url) };
        migrator().run(&database.pool).await?;
        Ok(database)
    }

    /// Where it stands.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub async fn position(&self) -> Result<Position, DatabaseError> {
        let head = sqlx::query("SELECT revision, tag FROM head").fetch_one(&self.pool).await?;
        Ok(Position { revision: head.try_get(0)?, tag: head.try_get(1)? })
    }

    /// What has changed since a position: everything, where that is not part of this history.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub async fn since(&self, known: &Position) -> Result<News, DatabaseError> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        if self.is_postgres {
            sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                .execute(&mut *transaction)
                .await?;
        }
        let head =
            sqlx::query("SELECT revision, tag FROM head").fetch_one(&mut *transaction).await?;
        let position = Position { revision: head.try_get(0)?, tag: head.try_get(1)? };
        let is_part = sqlx::query("SELECT 1 FROM audit WHERE revision = $1 AND tag = $2")
            .bind(known.revision)
            .bind(known.tag.clone())
            .fetch_optional(&mut *transaction)
            .await?
            .is_some();
        let is_whole = !is_part || known.revision == 0;
        let text = "SELECT kind, id, sealing_key, sealed FROM record WHERE revision > $1";
        let rows = sqlx::query(text)
            .bind(if is_whole { -1 } else { known.revision })
            .fetch_all(&mut *transaction)
            .await?;
        transaction.commit().await?;
        let changes = rows.iter().map(change).collect::<Result<_, sqlx::Error>>()?;
        Ok(News { position, is_whole, changes })
    }

    /// Keeps a change that was made of what is at `before`, and who made it; says where it stands now.
    ///
    /// # Errors
    ///
    /// [`CommitError::Behind`] where something else is there; nothing is kept then.
    pub async fn commit(
        &self,
        before: &Position,
        changes: &[Change],
        record: &AuditRecord,
    ) -> Result<Position, CommitError> {
        let after =
            Position { revision: before.revision + 1, tag: hex::encode(rand::random::<[u8; 8]>()) };
        let mut transaction = self.pool.begin().await.map_err(DatabaseError::from)?;
        let moved =
            sqlx::query("UPDATE head SET revision = $1, tag = $2 WHERE revision = $3 AND tag = $4")
                .bind(after.revision)
                .bind(after.tag.clone())
                .bind(before.revision)
                .bind(before.tag.clone())
                .execute(&mut *transaction)
                .await
                .map_err(DatabaseError::from)?;
        if moved.rows_affected() == 0 {
            return Err(CommitError::Behind);
        }
        for change in changes {
            write(&mut transaction, after.revision, change).await.map_err(DatabaseError::from)?;
        }
        note(&mut transaction, &after, record).await.map_err(DatabaseError::from)?;
        if self.is_postgres {
            sqlx::query("SELECT pg_notify($1, '')")
                .bind(CHANNEL)
                .execute(&mut *transaction)
                .await
                .map_err(DatabaseError::from)?;
        }
        transaction.commit().await.map_err(DatabaseError::from)?;
        Ok(after)
    }

    /// The latest changes before a revision, or of all, the latest first; at most `count`, and never more than 1,000.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub async fn audit(
        &self,
        before: Option<i64>,
        count: i64,
    ) -> Result<Vec<AuditRecord>, DatabaseError> {
        let rows = sqlx::query(
            "SELECT revision, microseconds, who, whence, action, subject FROM audit \
             WHERE revision > 0 AND revision < $1 ORDER BY revision DESC LIMIT $2",
        )
        .bind(before.unwrap_or(i64::MAX))
        .bind(count.clamp(0, PAGE_MAX))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.iter().map(audit_record).collect::<Result<_, sqlx::Error>>()?)
    }

    /// Nobody can use it from then on, as if it were away.
    #[cfg(test)]
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// Tells of changes by others.
    pub fn notices(&self) -> Notices {
        Notices::new(self.is_postgres.then(|| self.url.clone()))
    }
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.map(|(version, name, text)| {
        Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.into())
}

/// A new file that its owner alone may read; one that is there stays as it is.
fn private_file(path: &str) -> std::io::Result<()> {
    if path == ":memory:" {
        return Ok(());
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

async fn prepare(connection: &mut AnyConnection, is_postgres: bool) -> Result<(), sqlx::Error> {
    let settings: &[&'static str] = if is_postgres {
        &["SET statement_timeout = '30s'"]
    } else {
        // A change is on the disk when it is told; readers do not wait for writers.
        &["PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA busy_timeout = 5000"]
    };
    for setting in settings {
        sqlx::query(*setting).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn write(
    connection: &mut AnyConnection,
    revision: i64,
    change: &Change,
) -> Result<(), sqlx::Error> {
    let (key, text) = match &change.sealed {
        Some(sealed) => (Some(sealed.key.clone()), Some(sealed.text.clone())),
        None => (None, None),
    };
    sqlx::query(
        "INSERT INTO record (kind, id, revision, sealing_key, sealed) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (kind, id) DO UPDATE SET revision = excluded.revision, \
         sealing_key = excluded.sealing_key, sealed = excluded.sealed",
    )
    .bind(change.kind.clone())
    .bind(change.id.clone())
    .bind(revision)
    .bind(key)
    .bind(text)
    .execute(connection)
    .await
    .map(drop)
}

async fn note(
    connection: &mut AnyConnection,
    after: &Position,
    record: &AuditRecord,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO audit VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(after.revision)
        .bind(after.tag.clone())
        .bind(record.at.0)
        .bind(record.who.clone())
        .bind(record.whence.clone())
        .bind(record.action.clone())
        .bind(record.subject.clone())
        .execute(connection)
        .await
        .map(drop)
}

fn change(row: &AnyRow) -> Result<Change, sqlx::Error> {
    let key: Option<String> = row.try_get(2)?;
    let text: Option<String> = row.try_get(3)?;
    let sealed = key.zip(text).map(|(key, text)| Sealed { key, text });
    Ok(Change { kind: row.try_get(0)?, id: row.try_get(1)?, sealed })
}

fn audit_record(row: &AnyRow) -> Result<AuditRecord, sqlx::Error> {
    Ok(AuditRecord {
        revision: row.try_get(0)?,
        at: Moment(row.try_get(1)?),
        who: row.try_get(2)?,
        whence: row.try_get(3)?,
        action: row.try_get(4)?,
        subject: row.try_get(5)?,
    })
}

/// Why the database could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The URL is none. It may hold a password, so it is not shown.
    #[error("the store's URL must be sqlite:FILE or postgres://USER:PASSWORD@HOST/DATABASE")]
    Url,
    /// The file cannot be opened.
    #[error("cannot open {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// It is away, or refused a statement.
    #[error("the store cannot be used")]
    Sql(#[from] sqlx::Error),
    /// Its tables cannot be brought to what this version needs.
    #[error("the store's tables are not what this version of Jumpgate needs")]
    Migration(#[from] sqlx::migrate::MigrateError),
}

/// Why a change was not kept.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else was faster.
    #[error("somebody else was faster")]
    Behind,
    /// It may have been kept, where the connection broke while it was.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}
