//! What `jumpgate control` can be told.

use std::{net::SocketAddr, path::PathBuf};

use clap::Subcommand;

/// Another thing to do than to run.
#[derive(Debug, Subcommand)]
pub enum ControlAction {
    /// Makes a control plane: a store, the key that seals it, an account, and the tokens of an admin and of nodes.
    Init {
        /// Where the API and the dashboard will be.
        #[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS:PORT")]
        listen: SocketAddr,
        /// Where it keeps what it knows: `sqlite:FILE`, or `postgres://USER:PASSWORD@HOST/DATABASE` for several control nodes.
        #[arg(
            long,
            default_value = "sqlite:control.db",
            value_name = "URL",
            hide_default_value = false
        )]
        store: String,
        /// The name of the first account.
        #[arg(long, default_value = "main", value_name = "NAME")]
        account: String,
    },
    /// Takes over what an edge has kept in a folder of its own. Its connectors stay, and its tokens are valid.
    Import {
        /// The edge's folder, as `jumpgate edge init` made it.
        folder: PathBuf,
        /// The account that it goes to; needed where there are several.
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<String>,
        /// Empty the folder, whose state is kept beside it. Only once the edge follows a control node: what is in the folder
        /// comes first, so that nothing of it could be changed by the API.
        #[arg(long)]
        empty: bool,
    },
    /// Seals everything with the first of the sealing keys. Prints a line for a new key where there is no newer one.
    Rekey,
}
