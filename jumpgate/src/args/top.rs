//! What `jumpgate top` can be told.

use std::time::Duration;

use super::{manage::Target, values::parse_duration};

/// What clients do now: statements by shape, and sessions.
#[derive(Debug, clap::Args)]
pub struct Top {
    /// The name of a config; without it all.
    #[arg(value_name = "CONFIG")]
    pub name: Option<String>,
    /// Ask this proxy alone, at the `listen` of its `[admin]`. Without it a control node is asked for all its proxies, or where
    /// the file is a proxy's own, that one.
    #[arg(long, value_name = "URL")]
    pub admin: Option<String>,
    /// Ask again so often.
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = parse_duration)]
    pub interval: Duration,
    /// Print one table of all that was counted, and end.
    #[arg(long)]
    pub once: bool,
    /// Which control plane; --json goes with --once.
    #[command(flatten)]
    pub target: Target,
}
