//! The kinds of database.

/// The protocol that PostgreSQL's TLS names in ALPN, mandatory in direct TLS.
pub const ALPN_POSTGRES: &[u8] = b"postgresql";

/// Which protocol a database and its clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
}

impl Engine {
    /// The word in the configuration, on the command line and in what `jumpgate proxy` prints.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
        }
    }

    /// What its TLS names in ALPN, if anything: MySQL has no such name.
    pub const fn alpn(self) -> Option<&'static [u8]> {
        match self {
            Self::Postgres => Some(ALPN_POSTGRES),
            Self::MySql => None,
        }
    }

    /// Where such a database listens, unless somebody chose otherwise.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Postgres => 5432,
            Self::MySql => 3306,
        }
    }
}
