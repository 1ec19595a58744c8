//! What the tools that manage a fleet can be told.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Which control plane, and how the answer is shown.
#[derive(Args, Default)]
pub struct Target {
    /// The control node's URL, such as `https://control.example.com`. Without it that of `jumpgate login`, or the store of
    /// the file that --config names.
    #[arg(long, global = true, env = "JUMPGATE_API_URL", value_name = "URL")]
    pub api_url: Option<String>,
    /// A token of its API.
    #[arg(
        long,
        global = true,
        env = "JUMPGATE_API_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        requires = "api_url"
    )]
    pub api_token: Option<String>,
    /// Trust only this CA's certificate for the control node.
    #[arg(long, global = true, env = "JUMPGATE_API_CACERT", value_name = "FILE")]
    pub api_cacert: Option<PathBuf>,
    /// The account, by id or name; needed where there are several.
    #[arg(long, global = true, env = "JUMPGATE_ACCOUNT", value_name = "ACCOUNT")]
    pub account: Option<String>,
    /// Print JSON, for other programs.
    #[arg(long, global = true)]
    pub json: bool,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("api_url", &self.api_url).finish_non_exhaustive()
    }
}

/// Manages configs and what belongs to them, through a control node or in its store.
#[derive(Debug, Subcommand)]
pub enum Manage {
    /// Remembers a control node and a token for all that follows; the token is read from standard input.
    Login {
        /// The control node's URL, such as `https://control.example.com`.
        url: String,
        /// Trust only this CA's certificate for it.
        #[arg(long, value_name = "FILE")]
        cacert: Option<PathBuf>,
    },
    /// Makes a config, and what its clients log in with.
    Create {
        /// Its name: the database in a client's connection string.
        name: String,
        /// Where the database is.
        #[command(flatten)]
        config: ConfigFlags,
        /// What clients log in as; without it as the config is called.
        #[arg(long, value_name = "NAME")]
        client_user: Option<String>,
        /// For a database behind a tunnel: does the whole way (service token, policy, application, hostname).
        #[command(flatten)]
        private: PrivateFlags,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Shows all configs.
    List {
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Shows a config.
    Get {
        /// Its name or id.
        name: String,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Changes a config; what is not given stays.
    Update {
        /// Its name or id.
        name: String,
        /// Another name.
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        /// What changes.
        #[command(flatten)]
        config: ConfigFlags,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Deletes a config, and what its clients log in with.
    Delete {
        /// Its name or id.
        name: String,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Has all connections to a config's database opened anew.
    Restart {
        /// Its name or id.
        name: String,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// What clients of a config log in with.
    #[command(subcommand)]
    Credentials(Credentials),
    /// Certificates: of CAs, and those that proxies show to databases.
    #[command(subcommand)]
    Cert(Cert),
    /// Tokens of the API, and of nodes.
    #[command(subcommand)]
    Token(Token),
    /// Makes the file that `cloudflared tunnel login` would write, with a token of ours in it.
    CloudflaredLogin {
        /// Write it here; without it, it is printed.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// The token's name.
        #[arg(long, default_value = "cloudflared", value_name = "NAME")]
        name: String,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Shows the nodes, and how they are.
    Nodes {
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Shows who changed what.
    Audit {
        /// So many of the latest.
        #[arg(long, default_value_t = 20, value_name = "NUMBER")]
        count: u32,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
}

/// What a config can be told.
#[derive(Args, Default)]
pub struct ConfigFlags {
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, or `mysql://…`.
    #[arg(long, env = "JUMPGATE_ORIGIN", hide_env_values = true, value_name = "URL",
          conflicts_with_all = ["host", "port", "scheme", "database", "user"])]
    pub connection_string: Option<String>,
    /// The database's host, or the hostname of a tunnel.
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Its port; none for a tunnel's hostname.
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// What it speaks.
    #[arg(long, value_enum, value_name = "SCHEME")]
    pub scheme: Option<Scheme>,
    /// The database's name there.
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// The role to log in as.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Its password, from the first line of this file; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "password")]
    pub password_file: Option<PathBuf>,
    /// Its password; other users of this machine can see it, so a file is better.
    #[arg(long, env = "JUMPGATE_ORIGIN_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub password: Option<String>,
    /// For a tunnel: the id of the service token that opens it.
    #[arg(long, value_name = "ID", conflicts_with = "port")]
    pub access_client_id: Option<String>,
    /// Its secret.
    #[arg(
        long,
        env = "JUMPGATE_ACCESS_CLIENT_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub access_client_secret: Option<String>,
    /// Cache nothing (or again).
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "true|false")]
    pub caching_disabled: Option<bool>,
    /// Seconds for which a result is a hit.
    #[arg(long, value_name = "SECONDS")]
    pub max_age: Option<u32>,
    /// Seconds for which it is served once more while it is asked for anew.
    #[arg(long, value_name = "SECONDS")]
    pub swr: Option<u32>,
    /// Most connections to the database.
    #[arg(long, value_name = "NUMBER")]
    pub origin_connection_limit: Option<u32>,
    /// Connections to the database that are kept open ahead of demand.
    #[arg(long, value_name = "NUMBER")]
    pub min_idle: Option<u32>,
    /// How the database's TLS is checked: require, verify-ca, verify-full.
    #[arg(long, value_name = "MODE")]
    pub sslmode: Option<String>,
    /// The id of an uploaded CA certificate.
    #[arg(long, value_name = "ID")]
    pub ca_certificate_id: Option<String>,
    /// The id of an uploaded client certificate.
    #[arg(long, value_name = "ID")]
    pub mtls_certificate_id: Option<String>,
}

impl std::fmt::Debug for ConfigFlags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigFlags").field("host", &self.host).finish_non_exhaustive()
    }
}

/// The whole way to a private database.
#[derive(Args, Debug, Default)]
pub struct PrivateFlags {
    /// The tunnel that leads there, by name or id; it is made where there is none of this name.
    #[arg(long, value_name = "TUNNEL", requires = "hostname", conflicts_with_all = ["port", "access_client_id", "host"])]
    pub tunnel: Option<String>,
    /// The hostname that is to lead there.
    #[arg(long, value_name = "HOSTNAME", requires = "tunnel")]
    pub hostname: Option<String>,
    /// What its connector dials: `tcp://HOST:PORT`.
    #[arg(long, value_name = "URL", requires = "tunnel")]
    pub service: Option<String>,
}

/// What a database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scheme {
    /// PostgreSQL.
    #[value(alias = "postgresql")]
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
}

/// What clients log in with.
#[derive(Debug, Subcommand)]
pub enum Credentials {
    /// Shows the users.
    List {
        /// The config's name or id.
        name: String,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Makes a user, and prints its password and connection string, once.
    Create {
        /// The config's name or id.
        name: String,
        /// The user's name; without it the config's.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Clients of it at once; 0 for any number.
        #[arg(long, default_value_t = 0, value_name = "NUMBER")]
        max_connections: u32,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Gives a user another password, and prints it, once; the one before is valid for a while, too.
    Rotate {
        /// The config's name or id.
        name: String,
        /// The user's name.
        user: String,
        /// For how long.
        #[arg(long, default_value = "24h", value_name = "TIME", value_parser = super::values::parse_time)]
        overlap: std::time::Duration,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Deletes a user.
    Delete {
        /// The config's name or id.
        name: String,
        /// The user's name.
        user: String,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
}

/// Certificates.
#[derive(Debug, Subcommand)]
pub enum Cert {
    /// Shows them.
    List {
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Uploads a CA's certificate, or with a key one that proxies show.
    Upload {
        /// A name for people.
        name: String,
        /// PEM; the leaf first.
        #[arg(long, value_name = "FILE")]
        certificate: PathBuf,
        /// Its key in PEM; without one the certificate is a CA's.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Deletes one.
    Delete {
        /// Its name or id.
        name: String,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
}

/// Tokens.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Shows them.
    List {
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Makes one, and prints it, once.
    Create {
        /// A name for people, and the audit log.
        name: String,
        /// What it may do.
        #[arg(long, value_enum, value_name = "SCOPE")]
        scope: Scope,
        /// For how long; without it for ever.
        #[arg(long, value_name = "TIME", value_parser = super::values::parse_time)]
        duration: Option<std::time::Duration>,
        /// In the account of --account alone.
        #[arg(long)]
        only_account: bool,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Gives one another text, and prints it, once; the old one is not valid any more.
    Roll {
        /// Its name or id.
        name: String,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Deletes one.
    Delete {
        /// Its name or id.
        name: String,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
}

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    /// Follow the control plane as a proxy or an edge.
    Node,
    /// Look.
    Read,
    /// Look and change.
    Edit,
    /// All of that, and tokens, accounts and the audit log.
    Admin,
}
