//! The command line.

pub mod control;
pub mod edge;
pub mod manage;
pub mod top;
pub mod values;

use std::{
    net::SocketAddr, num::NonZeroU16, path::PathBuf, thread::available_parallelism, time::Duration,
};

use clap::{Parser, Subcommand};
use tunnel::connector::Target as Allowed;

use self::{
    control::ControlAction,
    edge::{AccessAction, EdgeAction, TunnelAction},
    manage::{Manage, Target},
    top::Top,
    values::{parse_duration, parse_host_and_port, parse_time},
};

/// The file that is read where no other is named.
pub const DEFAULT_CONFIG: &str = "jumpgate.toml";

const EXIT_CODES: &str = "Exit codes: 0 it was done; 1 it was refused or failed, and standard error says why; 2 the command \
    line is misspelled.";

/// Makes a distant, private database feel near.
#[derive(Debug, Parser)]
#[command(name = "jumpgate", version, about, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Read this file.
    #[arg(short, long, global = true, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// Only say whether the file is right, and where it is not.
    #[arg(long)]
    pub check: bool,
    /// Which log events to keep, for example `info,proxy=debug`. Stronger than `RUST_LOG`.
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// Threads that serve; without it half as many as the machine has cores.
    #[arg(long, global = true, value_name = "N", env = "JUMPGATE_WORKER_THREADS")]
    pub worker_threads: Option<NonZeroU16>,
}

impl Args {
    /// How many threads serve.
    ///
    /// Not as many as there are cores: what a proxy does is mostly the kernel's work on its sockets and the waking of
    /// its peers, and a thread that finds nothing to do and sleeps has to be woken too.
    pub fn worker_threads(&self) -> usize {
        match self.worker_threads {
            Some(threads) => threads.get().into(),
            None => available_parallelism().map_or(1, |cores| cores.get().div_ceil(2)),
        }
    }
}

/// A role of the binary, or a tool for a person at a terminal.
#[derive(Debug, Subcommand)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one in a process, and clap flattens no box"
)]
pub enum Command {
    /// Serves database clients near the application.
    Proxy,
    /// Guards hostnames on a public address, and leads to connectors.
    Edge {
        /// Another thing to do than to run.
        #[command(subcommand)]
        action: Option<EdgeAction>,
    },
    /// Keeps the configs of a fleet, and answers the API that manages them.
    Control {
        /// Another thing to do than to run.
        #[command(subcommand)]
        action: Option<ControlAction>,
    },
    /// Tunnels, and the hostnames that lead to them.
    Tunnel {
        /// What to do with them.
        #[command(subcommand)]
        action: TunnelAction,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Who may pass an edge: service tokens, policies, applications.
    Access {
        /// What to do with them.
        #[command(subcommand)]
        action: AccessAction,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Runs in the private network, dials out to the edge, and forwards to the database.
    Connector(ConnectorArgs),
    /// Walks the whole way to a database, and says where it ends: from here where the file is a proxy's, else from a proxy
    /// that follows the control node.
    Check {
        /// The name of a config, or of a `[[database]]`.
        name: String,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Says whether a statement can be cached, why not, and what would make it so; and why it keeps its session on one
    /// connection.
    Why {
        /// The `name` of a `[[database]]`.
        name: String,
        /// The statement; `-`, or none, reads it from standard input.
        #[arg(allow_hyphen_values = true)]
        sql: Option<String>,
        /// Say instead of all statements of a file, such as a script of `psql` or `mysql`, which share of them can be cached.
        #[arg(long, value_name = "FILE", conflicts_with = "sql")]
        explain_file: Option<PathBuf>,
    },
    /// Has proxies forget what they keep of a database: all that follow a control node, or the one whose file is named.
    Purge {
        /// The name of a config, or of a `[[database]]`.
        name: String,
        /// Only what was read from this table; may be given several times.
        #[arg(long = "table", value_name = "TABLE")]
        tables: Vec<String>,
        /// Which control plane.
        #[command(flatten)]
        target: Target,
    },
    /// Prints what completes this command line in a shell, for example into
    /// ~/.local/share/bash-completion/completions/jumpgate.
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Shows what clients do now, like `top`: statements by shape, and sessions.
    Top(Top),
    /// Manages configs, through a control node or in its store.
    #[command(flatten)]
    Manage(Manage),
    /// Starts every role on loopback in front of a database, with throw-away credentials.
    Dev(DevArgs),
}

/// What `jumpgate connector` can be told; it needs no file then. Flags are stronger than the file, and have
/// the names that `cloudflared` has for them.
#[derive(Default, clap::Args)]
pub struct ConnectorArgs {
    /// The tunnel's token, as `jumpgate tunnel create` printed it.
    #[arg(long, env = "TUNNEL_TOKEN", hide_env_values = true, conflicts_with = "token_file")]
    pub token: Option<String>,
    /// Read the token from this file, where other users of the machine cannot see it.
    #[arg(long, env = "TUNNEL_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Dial this edge; several are tried in turn.
    #[arg(
        long,
        env = "TUNNEL_EDGE",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        value_parser = parse_host_and_port
    )]
    pub edge: Vec<String>,
    /// Trust only this CA's certificate for edges.
    #[arg(long, alias = "ca", env = "TUNNEL_CACERT", value_name = "FILE")]
    pub cacert: Option<PathBuf>,
    /// Let the edge lead to this target, and to no others: host:port, address:port or network/bits:port.
    #[arg(long, value_name = "TARGET", value_delimiter = ',')]
    pub allow: Vec<Allowed>,
    /// The same, from a file with one target a line.
    #[arg(long, value_name = "FILE")]
    pub allow_file: Option<PathBuf>,
    /// How many connections stand at once.
    #[arg(long, alias = "ha-connections", value_name = "NUMBER")]
    pub connections: Option<u8>,
    /// How long streams may go on after SIGTERM, for example 30s or 5m.
    #[arg(long, env = "TUNNEL_GRACE_PERIOD", value_name = "TIME", value_parser = parse_time)]
    pub grace_period: Option<Duration>,
    /// Answer /ready, /healthcheck and /metrics here.
    #[arg(long, env = "TUNNEL_METRICS", value_name = "ADDRESS:PORT")]
    pub metrics: Option<SocketAddr>,
}

impl ConnectorArgs {
    /// Is enough given to run without a file?
    pub const fn is_enough(&self) -> bool {
        (self.token.is_some() || self.token_file.is_some()) && !self.edge.is_empty()
    }
}

impl std::fmt::Debug for ConnectorArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectorArgs").field("edge", &self.edge).finish_non_exhaustive()
    }
}

/// What `jumpgate dev` can be told.
#[derive(clap::Args)]
pub struct DevArgs {
    /// The database: `postgres://user:password@host:port/database`, or `mysql://…` for MySQL and MariaDB.
    /// One of each may be given.
    #[arg(
        long,
        env = "JUMPGATE_ORIGIN",
        hide_env_values = true,
        value_name = "URL",
        required = true,
        value_delimiter = ' '
    )]
    pub origin: Vec<String>,
    /// Verify the databases' certificates against this CA, name included.
    #[arg(long, value_name = "FILE")]
    pub origin_ca: Option<PathBuf>,
    /// Make each round trip to the database this much longer, for example `40ms`.
    #[arg(long, value_parser = parse_duration, default_value = "0ms", value_name = "TIME")]
    pub delay: Duration,
    /// Port for PostgreSQL clients; 0 takes a free one.
    #[arg(long, default_value_t = 6432)]
    pub port: u16,
    /// Port for MySQL clients; 0 takes a free one.
    #[arg(long, default_value_t = 6306)]
    pub mysql_port: u16,
    /// Show a query uncached, cached and after a write.
    #[arg(long)]
    pub tour: bool,
    /// End after the tour.
    #[arg(long, requires = "tour")]
    pub once: bool,
    /// Keep the clients' password and the port of the metrics in this folder, so that they are the same at the next
    /// start; an empty name keeps nothing. Without it a folder of the user's own is taken.
    #[arg(long, value_name = "FOLDER")]
    pub keep_in: Option<String>,
}

impl std::fmt::Debug for DevArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DevArgs")
            .field("delay", &self.delay)
            .field("port", &self.port)
            .field("mysql_port", &self.mysql_port)
            .field("tour", &self.tour)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_forms_of_the_contract_are_understood() {
        for line in [
            "jumpgate proxy -c jumpgate.toml",
            "jumpgate --check -c FILE",
            "jumpgate check NAME -c FILE",
            "jumpgate why -c FILE NAME SELECT",
            "jumpgate purge NAME --table a --table b -c FILE",
            "jumpgate dev --origin postgres://u:p@127.0.0.1:5432/db --delay 40ms --tour --once",
            "jumpgate dev --origin postgres://u:p@h/d --origin mysql://u:p@h/d --mysql-port 0",
            "jumpgate -c FILE --log debug edge",
            "jumpgate top app --interval 500ms --admin http://127.0.0.1:1",
            "jumpgate top --once --json --api-url http://h --api-token t",
        ] {
            Args::try_parse_from(line.split(' ')).expect(line);
        }
        // FAULTS §4: a statement that begins with a comment was an argument error.
        let commented = ["jumpgate", "why", "app", "-- a comment\nSELECT 1", "-c", "FILE"];
        let args = Args::try_parse_from(commented).expect("a comment is no flag");
        assert_eq!(args.config, PathBuf::from("FILE"));
        for (words, text, file) in [
            (&["-- c\nSELECT 1"][..], Some("-- c\nSELECT 1"), None),
            (&["--check\nSELECT 1"], Some("--check\nSELECT 1"), None),
            (&["--all = 1\nSELECT 1"], Some("--all = 1\nSELECT 1"), None),
            (&["-"], Some("-"), None),
            (&[], None, None),
            (&["--explain-file", "a.sql"], None, Some(PathBuf::from("a.sql"))),
        ] {
            let args = Args::try_parse_from([&["jumpgate", "why", "app"], words].concat()).unwrap();
            let Some(Command::Why { sql, explain_file, .. }) = args.command else { panic!() };
            assert_eq!((sql.as_deref(), explain_file), (text, file));
        }
        for line in ["jumpgate dev --origin u --once", "jumpgate dev", "jumpgate nonsense"] {
            Args::try_parse_from(line.split(' ')).expect_err(line);
        }
    }

    #[test]
    fn the_origin_does_not_show_in_debug_output() {
        let line = ["jumpgate", "dev", "--origin", "postgres://u:hunter2@h/db"];
        let args = Args::try_parse_from(line).unwrap();
        assert!(!format!("{args:?}").contains("hunter2"));
    }
}
