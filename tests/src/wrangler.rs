//! A real Worker in workerd under `wrangler dev`, with a Hyperdrive binding that points at us.

use std::{
    fs,
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::Path,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Result;

use crate::{
    drivers,
    process::{Process, signal},
};

/// `wrangler dev` and everything it starts, in a process group of its own.
#[derive(Debug)]
pub struct Wrangler {
    process: Process,
    /// Where it serves.
    pub address: SocketAddr,
}

impl Drop for Wrangler {
    fn drop(&mut self) {
        // wrangler leads its group: node, esbuild and two workerd.
        let group = format!("-{}", self.process.pid());
        let ended = Command::new("kill").args(["-s", "KILL", "--", &group]).status();
        if !ended.is_ok_and(|status| status.success()) {
            signal(self.process.pid(), "KILL");
        }
    }
}

/// A port, which wrangler takes seconds later: not one of those that the system gives to connections meanwhile.
fn port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id().wrapping_mul(8) + NEXT.fetch_add(1, Ordering::Relaxed);
    20_000 + u16::try_from(number % 10_000).unwrap_or_default()
}

/// Serves `worker.js` of this folder; its binding `DB` leads to the database at `url`.
///
/// # Errors
///
/// When wrangler cannot be installed or started.
pub fn start(folder: &Path, url: &str) -> Result<Wrangler> {
    let port = port();
    let installed = drivers::wrangler()?;
    std::os::unix::fs::symlink(installed.join("node_modules"), folder.join("node_modules"))?;
    fs::write(folder.join("package.json"), r#"{"name": "worker", "type": "module"}"#)?;
    let config = serde_json::json!({
        "name": "worker", "main": "worker.js", "compatibility_date": "2025-03-01",
        "compatibility_flags": ["nodejs_compat"],
        "hyperdrive": [{ "binding": "DB", "id": "0123456789abcdef", "localConnectionString": url }],
    });
    fs::write(folder.join("wrangler.jsonc"), config.to_string())?;
    let mut command = Command::new("node");
    command
        .arg(installed.join("node_modules/wrangler/bin/wrangler.js"))
        .args(["dev", "-c", "wrangler.jsonc", "--ip", "127.0.0.1", "--port", &port.to_string()])
        .args([
            "--inspector-port",
            "0",
            "--show-interactive-dev-session=false",
            "--persist-to",
            "state",
        ])
        .current_dir(folder)
        .process_group(0);
    for (name, value) in [
        ("WRANGLER_SEND_METRICS", "false"),
        ("WRANGLER_SEND_ERROR_REPORTS", "false"),
        ("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
        ("CI", "1"),
        ("NO_COLOR", "1"),
    ] {
        command.env(name, value);
    }
    command.env("HOME", folder);
    let process = Process::start("wrangler", &mut command, folder.join("wrangler.log"))?;
    Ok(Wrangler { process, address: ([127, 0, 0, 1], port).into() })
}
