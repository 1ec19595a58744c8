//! What `jumpgate edge init`, `jumpgate tunnel` and `jumpgate access` can be told.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Subcommand;
use tunnel::{changes::Selector, connector::Service};

use super::values::parse_time;

/// Makes an edge.
#[derive(Debug, Subcommand)]
pub enum EdgeAction {
    /// Makes the folder of a new edge, with a certificate authority of its own, and a file for it.
    Init {
        /// Where proxies dial.
        #[arg(long, default_value = "0.0.0.0:443", value_name = "ADDRESS:PORT")]
        public: SocketAddr,
        /// Where connectors dial.
        #[arg(long, default_value = "0.0.0.0:7844", value_name = "ADDRESS:PORT")]
        connectors: SocketAddr,
    },
}

/// Changes tunnels: through a control node, in its store, or in the folder of an edge without one. A running edge notices
/// within a second.
#[derive(Debug, Subcommand)]
pub enum TunnelAction {
    /// Makes a tunnel and prints its token, once.
    Create {
        /// A name for people.
        name: String,
        /// Also write the credentials file of `cloudflared` here.
        #[arg(long, value_name = "FILE")]
        credentials_file: Option<PathBuf>,
        /// Where the token goes.
        #[command(flatten)]
        shown: ShownToken,
    },
    /// Shows the tunnels, the hostnames that lead to them, and the connectors that are there.
    List,
    /// Shows a tunnel.
    #[command(visible_alias = "get")]
    Info {
        /// The tunnel's name.
        name: String,
    },
    /// Prints a tunnel's token again. An edge's own folder does not know it.
    Token {
        /// The tunnel's name.
        name: String,
        /// Where the token goes.
        #[command(flatten)]
        shown: ShownToken,
    },
    /// Shows who is connected for a tunnel.
    Connections {
        /// The tunnel's name.
        name: String,
    },
    /// Ends the connections of a tunnel's connectors; one that runs comes back. Only through a control node.
    Cleanup {
        /// The tunnel's name.
        name: String,
        /// Only those of this connector.
        #[arg(long, value_name = "ID")]
        connector: Option<String>,
    },
    /// Gives a tunnel another secret and prints its token, once.
    Rotate {
        /// The tunnel's name.
        name: String,
        /// How long the old token stays valid too. Connectors that still have it then are let go.
        #[arg(long, default_value = "24h", value_parser = parse_time)]
        overlap: Duration,
        /// Where the token goes.
        #[command(flatten)]
        shown: ShownToken,
    },
    /// Forgets a tunnel.
    Delete {
        /// The tunnel's name.
        name: String,
        /// Also while connectors are there.
        #[arg(short, long)]
        force: bool,
    },
    /// Shows where hostnames lead.
    Hostnames,
    /// Leads a hostname to a tunnel.
    Route {
        /// The tunnel's name.
        name: String,
        /// The hostname that proxies dial.
        hostname: String,
        /// What the connector dials for it, such as tcp://127.0.0.1:5432. Without it, the connector's own
        /// ingress rules say so.
        #[arg(long, value_name = "TCP_URL")]
        service: Option<Service>,
        /// Lead it away from another tunnel, too.
        #[arg(long)]
        overwrite: bool,
    },
    /// Forgets a hostname.
    Unroute {
        /// The hostname.
        hostname: String,
    },
}

/// Where a tunnel's token goes.
#[derive(Debug, clap::Args)]
pub struct ShownToken {
    /// Write the token to this file, which only you may read, and do not print it.
    #[arg(long, value_name = "FILE", conflicts_with = "quiet")]
    pub out: Option<PathBuf>,
    /// Print the token and nothing else.
    #[arg(short, long)]
    pub quiet: bool,
}

/// Changes who may pass edges: through a control node, in its store, or in the folder of an edge without one. A running edge
/// notices within a second.
#[derive(Debug, Subcommand)]
pub enum AccessAction {
    /// Service tokens: what a proxy shows.
    #[command(subcommand)]
    Token(TokenAction),
    /// Policies: which tokens pass.
    #[command(subcommand)]
    Policy(PolicyAction),
    /// Applications: which hostname is guarded by which policies.
    #[command(subcommand)]
    App(AppAction),
}

/// Service tokens.
#[derive(Debug, Subcommand)]
pub enum TokenAction {
    /// Makes a service token and prints its secret, once.
    Create {
        /// A name for people and the audit log.
        name: String,
        /// How long it is valid, such as 8760h or 90d, or `forever`.
        #[arg(long, default_value = "8760h", value_parser = parse_validity)]
        duration: Validity,
    },
    /// Shows the service tokens, without their secrets.
    List,
    /// Gives a token another secret and prints it, once.
    Rotate {
        /// The token's name.
        name: String,
        /// How long the old secret stays valid too.
        #[arg(long, default_value = "24h", value_parser = parse_time)]
        overlap: Duration,
    },
    /// Forgets a token; what was opened with it ends within a second.
    Revoke {
        /// The token's name.
        name: String,
    },
}

/// Policies.
#[derive(Debug, Subcommand)]
pub enum PolicyAction {
    /// Makes a Service Auth policy: one of `include`, all of `require`, none of `exclude`.
    Create {
        /// A name for people.
        name: String,
        /// `any` or `token:NAME`; one must apply.
        #[arg(long, required = true, value_parser = parse_selector)]
        include: Vec<Selector>,
        /// `any` or `token:NAME`; all must apply.
        #[arg(long, value_parser = parse_selector)]
        require: Vec<Selector>,
        /// `any` or `token:NAME`; none may apply.
        #[arg(long, value_parser = parse_selector)]
        exclude: Vec<Selector>,
    },
    /// Changes a policy: what is given replaces what it had. Who still passes keeps its streams.
    Update(PolicyUpdate),
    /// Shows the policies.
    List,
    /// Forgets a policy that no application names.
    Delete {
        /// The policy's name.
        name: String,
    },
}

/// Applications.
#[derive(Debug, Subcommand)]
pub enum AppAction {
    /// Guards a hostname.
    Create(NewApp),
    /// Changes an application: what is given replaces what it had. Who still passes keeps its streams.
    Update(AppUpdate),
    /// Shows the applications.
    List,
    /// Forgets an application. Its hostname lets nobody pass then.
    Delete {
        /// The application's name, which is its hostname and path.
        name: String,
    },
}

/// A new application.
#[derive(Debug, clap::Args)]
pub struct NewApp {
    /// The hostname to guard.
    pub hostname: String,
    /// Guard only what is at or below this path, such as /reports.
    #[arg(long, default_value = "")]
    pub path: String,
    /// Let the service token of this name pass. Can be given several times.
    #[arg(long = "token", value_name = "NAME", required_unless_present_any = ["any_token", "policy"])]
    pub tokens: Vec<String>,
    /// Let every valid service token pass.
    #[arg(long)]
    pub any_token: bool,
    /// Let pass whom the policy of this name lets pass. Can be given several times.
    #[arg(long, value_name = "NAME")]
    pub policy: Vec<String>,
    /// Refuse with 401 and not with 403.
    #[arg(long)]
    pub service_auth_401: bool,
    /// Also read the token from this header, as {"cf-access-client-id":"…","cf-access-client-secret":"…"}.
    #[arg(long, value_name = "HEADER")]
    pub token_header: Option<String>,
}

/// What is to be otherwise about an application.
#[derive(Debug, clap::Args)]
pub struct AppUpdate {
    /// The application's name, which is its hostname and path.
    pub name: String,
    /// Let the service token of this name pass, and of all others only those that are given too. Can be given several
    /// times.
    #[arg(
        long = "token",
        value_name = "NAME",
        required_unless_present_any = ["any_token", "policy", "service_auth_401", "token_header"]
    )]
    pub tokens: Vec<String>,
    /// Let every valid service token pass.
    #[arg(long)]
    pub any_token: bool,
    /// Let pass whom the policy of this name lets pass, and of all others only those that are given too. Can be given
    /// several times.
    #[arg(long, value_name = "NAME")]
    pub policy: Vec<String>,
    /// Whether to refuse with 401 and not with 403.
    #[arg(long, value_name = "YES_OR_NO")]
    pub service_auth_401: Option<bool>,
    /// Also read the token from this header; an empty name reads it from none.
    #[arg(long, value_name = "HEADER")]
    pub token_header: Option<String>,
}

/// What is to be otherwise about a policy.
#[derive(Debug, clap::Args)]
pub struct PolicyUpdate {
    /// The policy's name.
    pub name: String,
    /// `any` or `token:NAME`; one must apply.
    #[arg(long, value_parser = parse_selector, required_unless_present_any = ["require", "exclude"])]
    pub include: Vec<Selector>,
    /// `any` or `token:NAME`; all must apply. `none` for nothing.
    #[arg(long, value_parser = parse_selectors)]
    pub require: Vec<Selectors>,
    /// `any` or `token:NAME`; none may apply. `none` for nothing.
    #[arg(long, value_parser = parse_selectors)]
    pub exclude: Vec<Selectors>,
}

/// One rule, or the word that there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selectors(pub Option<Selector>);

/// How long a service token is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// From its making, so long.
    For(Duration),
    /// Until it is revoked.
    Forever,
}

fn parse_validity(text: &str) -> Result<Validity, String> {
    if text == "forever" {
        return Ok(Validity::Forever);
    }
    match parse_time(text) {
        Ok(Duration::ZERO) => Err(String::from("must be longer than nothing")),
        time => time.map(Validity::For),
    }
}

fn parse_selector(text: &str) -> Result<Selector, String> {
    match text.split_once(':') {
        None if text == "any" => Ok(Selector::AnyToken),
        Some(("token", name)) if !name.is_empty() => Ok(Selector::Token(name.to_owned())),
        _ => Err(String::from("say any, or token:NAME")),
    }
}

fn parse_selectors(text: &str) -> Result<Selectors, String> {
    match text {
        "none" => Ok(Selectors(None)),
        _ => parse_selector(text).map(|rule| Selectors(Some(rule))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(parse_time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_time("8760h"), Ok(Duration::from_secs(8760 * 3600)));
        assert_eq!(parse_validity("90d"), Ok(Validity::For(Duration::from_secs(90 * 86_400))));
        assert_eq!(parse_validity("forever"), Ok(Validity::Forever));
        for wrong in ["", "h", "1", "1.5h", "-1h", "99999999999999999999d", "18446744073709551615d"]
        {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
        assert!(parse_validity("0h").is_err());
    }

    #[test]
    fn a_rule_names_a_token_or_any() {
        assert_eq!(parse_selector("any"), Ok(Selector::AnyToken));
        assert_eq!(parse_selector("token:a b:c"), Ok(Selector::Token("a b:c".to_owned())));
        for wrong in ["", "token", "token:", "ip:1", "ANY"] {
            assert!(parse_selector(wrong).is_err(), "{wrong}");
        }
    }
}
