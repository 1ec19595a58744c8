//! Where a database is, and how to log in there.

use std::net::SocketAddr;

use super::secret::Secret;

/// A database, the way to it, and a role there.
#[derive(Clone, Debug, Hash)]
pub struct Origin {
    /// What it speaks, as its writer spelled it.
    pub scheme: Scheme,
    /// The way.
    pub way: Way,
    /// Which of its hosts will do.
    pub session_attrs: SessionAttrs,
    /// Name of the database there.
    pub database: String,
    /// Role to log in as.
    pub user: String,
    /// Its password; `None` for a role that logs in by certificate, or is trusted.
    pub password: Option<Secret>,
    /// How its TLS is checked, within a tunnel too.
    pub mtls: Mtls,
    /// How MySQL's packets are compressed.
    pub compression: Option<Compression>,
}

/// What a database and its clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `postgres`
    Postgres,
    /// `postgresql`, which is the same.
    Postgresql,
    /// `mysql`, MariaDB too.
    MySql,
}

impl Scheme {
    /// As it is written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Postgresql => "postgresql",
            Self::MySql => "mysql",
        }
    }

    /// Whether it is MySQL's.
    pub const fn is_mysql(self) -> bool {
        matches!(self, Self::MySql)
    }

    /// Where such a database listens, unless somebody chose otherwise.
    pub const fn default_port(self) -> u16 {
        if self.is_mysql() { 3306 } else { 5432 }
    }
}

/// The way to a database.
#[derive(Clone, Debug, Hash)]
pub enum Way {
    /// Directly.
    Direct {
        /// Name or address.
        host: String,
        /// Port, not 0.
        port: u16,
    },
    /// Directly, to whichever of several hosts will do.
    Several {
        /// The one that is tried first.
        first: HostPort,
        /// The others, in order.
        others: Vec<HostPort>,
    },
    /// Through a hostname behind Access.
    Tunnel {
        /// The hostname; it may have a port and a path.
        host: String,
        /// What opens it.
        access: Access,
        /// Where the edge is, if not where the hostname says.
        edge_address: Option<SocketAddr>,
        /// PEM of the CA that the edge's certificate is from, if not a public one.
        edge_ca_certificate: Option<Vec<u8>>,
    },
}

impl Way {
    /// The name or address of the first host.
    pub fn host(&self) -> &str {
        match self {
            Self::Direct { host, .. } | Self::Tunnel { host, .. } => host,
            Self::Several { first, .. } => &first.host,
        }
    }
}

/// One of several hosts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// Name or address.
    pub host: String,
    /// Port, not 0.
    pub port: u16,
}

/// Which of an origin's hosts will do, as libpq means it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SessionAttrs {
    /// Any.
    #[default]
    Any,
    /// One on which sessions may write.
    ReadWrite,
    /// One on which they may not.
    ReadOnly,
    /// One that is no standby.
    Primary,
    /// A standby.
    Standby,
    /// A standby, or else any.
    PreferStandby,
}

/// A service token.
#[derive(Clone, Debug, Hash)]
pub struct Access {
    /// `CF-Access-Client-Id`
    pub client_id: String,
    /// `CF-Access-Client-Secret`
    pub client_secret: Secret,
}

/// The TLS of a database.
#[derive(Clone, Debug, Hash)]
pub struct Mtls {
    /// What is checked.
    pub sslmode: SslMode,
    /// PEM of the CAs that its certificate may be from; `None` for the public ones. Never with [`SslMode::Require`].
    pub ca_certificate: Option<Vec<u8>>,
    /// PEM of the certificate that we show, and of its key.
    pub identity: Option<(Vec<u8>, Secret)>,
}

/// What of a database's TLS is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SslMode {
    /// That there is TLS.
    #[default]
    Require,
    /// That the certificate is from a CA that we trust.
    VerifyCa,
    /// That it is for this host, too.
    VerifyFull,
    /// Nothing: there is none.
    Plaintext,
}

/// How MySQL's packets are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// MySQL and MariaDB.
    Zlib,
    /// MySQL.
    Zstd,
}
