//! The jobs, and how many round trips each depends on.
//!
//! A statement whose answer the application waits for is one. Beginning a transaction is none, nor is the end of one that
//! has only read; the end of one that has written is one.

use e2e::jumpgate::Engine;

/// A job of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// What it asks.
    pub engine: Engine,
    /// Who knows the driver.
    pub language: Language,
    /// The driver.
    pub driver: &'static str,
    /// What is done.
    pub name: &'static str,
    /// The round trips that it cannot do without.
    pub floor: u32,
}

/// What a driver is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// In this process.
    Rust,
    /// Node.js.
    Node,
    /// Python.
    Python,
    /// Ruby.
    Ruby,
    /// Java.
    Java,
}

impl Language {
    /// All, in the order of the table.
    pub const ALL: [Self; 5] = [Self::Node, Self::Python, Self::Java, Self::Ruby, Self::Rust];
}

/// What is measured with the first client of a proxy that has just said it is ready, each time. Nobody has described its
/// statement before, and its driver waits for that.
pub const FIRST: &str = "first job after the start, query";

/// All jobs of an engine, in the order of the table.
#[must_use]
pub fn of(engine: Engine) -> Vec<Job> {
    let rows = match engine {
        Engine::Postgres => POSTGRES,
        Engine::MySql => MYSQL,
    };
    let jobs = rows.iter().flat_map(|(language, driver, jobs)| {
        jobs.iter().map(|(name, floor)| Job {
            engine,
            language: *language,
            driver,
            name,
            floor: *floor,
        })
    });
    jobs.collect()
}

impl Job {
    /// Whether it is one that was asked for.
    #[must_use]
    pub fn fits(&self, pattern: Option<&str>) -> bool {
        let title = format!("{}, {}", self.driver, self.name).to_lowercase();
        pattern.is_none_or(|pattern| title.contains(&pattern.to_lowercase()))
    }
}

/// A driver, and its jobs with their floors.
type Driver = (Language, &'static str, &'static [(&'static str, u32)]);

/// One query, and one statement in a transaction of its own.
const USUAL: &[(&str, u32)] =
    &[("query", 1), ("transaction, select", 1), ("transaction, update", 2)];

const PRISMA: &[(&str, u32)] =
    &[("query", 1), ("interactive transaction, select", 1), ("interactive transaction, update", 2)];

const POSTGRES: &[Driver] = &[
    (Language::Node, "postgres.js", USUAL),
    (Language::Node, "pg", USUAL),
    (Language::Node, "drizzle", USUAL),
    (Language::Node, "prisma (pg)", PRISMA),
    (Language::Node, "sequelize (pg)", USUAL),
    (Language::Node, "typeorm (pg)", USUAL),
    (
        Language::Python,
        "psycopg 3",
        &[("autocommit, query", 1), ("transaction, select", 1), ("transaction, update", 2)],
    ),
    (
        Language::Python,
        "asyncpg",
        &[
            ("fetch, close", 1),
            ("fetch of an enum, close", 1),
            ("fetch, given back to its pool", 1),
            ("transaction, select", 1),
            ("transaction, update", 2),
        ],
    ),
    (Language::Python, "sqlalchemy (psycopg)", &[("session, query", 1), ("session, update", 2)]),
    (
        Language::Python,
        "django",
        &[("query", 1), ("ATOMIC_REQUESTS, select", 1), ("ATOMIC_REQUESTS, update", 2)],
    ),
    (Language::Java, "jdbc (postgresql)", USUAL),
    (
        Language::Ruby,
        "ruby-pg",
        &[
            ("query", 1),
            ("SETs as of Rails, query", 1),
            ("transaction, select", 1),
            ("transaction, update", 2),
        ],
    ),
    (
        Language::Rust,
        "tokio-postgres",
        &[("query", 1), ("transaction, select", 1), ("transaction, update", 2), (FIRST, 2)],
    ),
    (Language::Rust, "sqlx", USUAL),
];

const MYSQL: &[Driver] = &[
    (
        Language::Node,
        "mysql2",
        &[("query", 1), ("execute", 1), ("transaction, select", 1), ("transaction, update", 2)],
    ),
    (Language::Node, "prisma (mariadb)", PRISMA),
    (Language::Node, "sequelize (mysql2)", USUAL),
    (Language::Node, "typeorm (mysql2)", USUAL),
    (Language::Python, "pymysql", USUAL),
    (
        Language::Python,
        "mysql-connector-python",
        &[
            ("query", 1),
            ("prepared query", 1),
            ("transaction, select", 1),
            ("transaction, update", 2),
        ],
    ),
    (Language::Python, "sqlalchemy (pymysql)", &[("session, query", 1), ("session, update", 2)]),
    (Language::Java, "jdbc (mariadb)", USUAL),
    (
        Language::Rust,
        "mysql_async",
        &[("query", 1), ("transaction, select", 1), ("transaction, update", 2), (FIRST, 2)],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_jobs_have_one_name() {
        for engine in [Engine::Postgres, Engine::MySql] {
            let mut names: Vec<_> = of(engine).iter().map(|job| (job.driver, job.name)).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }

    #[test]
    fn a_pattern_is_looked_for_in_driver_and_job() {
        let fit = |pattern| {
            let jobs = of(Engine::Postgres).into_iter();
            jobs.filter(|job| job.fits(Some(pattern))).count()
        };
        assert_eq!((fit("pg, QUERY"), fit("atomic"), fit("nobody's")), (2, 2, 0));
    }
}
