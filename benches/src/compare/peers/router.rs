//! MySQL Router: leads to one server as it does by default, and pools nothing.

use std::net::SocketAddr;

use anyhow::Result;

use super::{Peer, Program, Settings, free_address};

/// Starts one in front of a server.
///
/// # Errors
///
/// It is not to be had, or does not start.
///
/// # Cancel safety
///
/// Dropping the future ends it.
pub async fn start(origin: SocketAddr) -> Result<Peer> {
    let program = Program::find("MySQL Router", "usr/bin/mysqlrouter")?;
    let version = short(&program.version("--version")?);
    let address = free_address()?;
    let plugins = match &program.home {
        Some(home) => home.join("usr/lib/mysqlrouter/plugin").display().to_string(),
        None => "/usr/lib/mysqlrouter/plugin".to_owned(),
    };
    let files = [("router.conf", settings(origin, address, &plugins))];
    let settings = Settings { files: &files, arguments: &["-c", "router.conf"] };
    program.start(settings, address, version).await
}

/// `MySQL Router  Ver 9.7.4-2 for Linux on x86_64 ((Debian))` without what follows the number.
fn short(version: &str) -> String {
    let (version, _) = version.split_once(" for ").unwrap_or((version, ""));
    version.replace("  Ver", "")
}

fn settings(origin: SocketAddr, address: SocketAddr, plugins: &str) -> String {
    format!(
        "[DEFAULT]\n\
         plugin_folder = {plugins}\n\
         logging_folder =\n\
         runtime_folder = .\n\
         data_folder = .\n\
         [logger]\n\
         level = WARNING\n\
         [routing:origin]\n\
         bind_address = {}\n\
         bind_port = {}\n\
         destinations = {origin}\n\
         routing_strategy = first-available\n\
         protocol = classic\n",
        address.ip(),
        address.port(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_name_and_a_number() {
        let said = "MySQL Router  Ver 9.7.4-2 for Linux on x86_64 ((Debian))";
        assert_eq!(short(said), "MySQL Router 9.7.4-2");
    }
}
