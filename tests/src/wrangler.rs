//! A real Worker, with a Hyperdrive binding that points at us: in workerd under `wrangler dev`, or in workerd alone.

use std::{
    fs,
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::Path,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Result, ensure};

use crate::{
    drivers,
    process::{Process, signal},
    wire::Endpoint,
};

const DATE: &str = "2025-03-01";

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
    let mut command = wrangler(folder, url)?;
    command
        .args(["dev", "-c", "wrangler.jsonc", "--ip", "127.0.0.1", "--port", &port.to_string()])
        .args([
            "--inspector-port",
            "0",
            "--show-interactive-dev-session=false",
            "--persist-to",
            "state",
        ])
        .process_group(0);
    let process = Process::start("wrangler", &mut command, folder.join("wrangler.log"))?;
    Ok(Wrangler { process, address: ([127, 0, 0, 1], port).into() })
}

/// The same `worker.js` in workerd alone, as it is run for oneself: bundled by wrangler, and served with a config of workerd's
/// own whose binding `DB` leads to the database at `endpoint`. Ended when the process is dropped.
///
/// # Errors
///
/// When wrangler cannot be installed or does not bundle it, or workerd cannot be started.
pub fn workerd(folder: &Path, endpoint: &Endpoint) -> Result<(Process, SocketAddr)> {
    let bundled = wrangler(folder, &endpoint.url())?
        .args(["deploy", "--dry-run", "--outdir", "bundle", "-c", "wrangler.jsonc"])
        .output()?;
    ensure!(bundled.status.success(), "{}", String::from_utf8_lossy(&bundled.stderr));
    let port = port();
    let Endpoint { address, user, password, database } = endpoint;
    let config = format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "jumpgate", external = (address = "{address}", tcp = ())),
  ],
  sockets = [ (name = "http", address = "127.0.0.1:{port}", http = (), service = "main") ],
);
const worker :Workerd.Worker = (
  modules = [ (name = "worker.js", esModule = embed "bundle/worker.js") ],
  compatibilityDate = "{DATE}",
  compatibilityFlags = ["nodejs_compat"],
  bindings = [ (name = "DB", hyperdrive = (
    designator = "jumpgate", scheme = "postgres",
    database = "{database}", user = "{user}", password = "{password}",
  )) ],
);
"#
    );
    fs::write(folder.join("workerd.capnp"), config)?;
    let installed = drivers::wrangler()?;
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "64" };
    let program = format!("node_modules/@cloudflare/workerd-linux-{machine}/bin/workerd");
    let mut command = Command::new(installed.join(program));
    command.args(["serve", "workerd.capnp"]).current_dir(folder);
    let process = Process::start("workerd", &mut command, folder.join("workerd.log"))?;
    Ok((process, ([127, 0, 0, 1], port).into()))
}

/// wrangler, for the Worker in this folder.
fn wrangler(folder: &Path, url: &str) -> Result<Command> {
    let installed = drivers::wrangler()?;
    let modules = folder.join("node_modules");
    if !modules.exists() {
        std::os::unix::fs::symlink(installed.join("node_modules"), modules)?;
    }
    fs::write(folder.join("package.json"), r#"{"name": "worker", "type": "module"}"#)?;
    let config = serde_json::json!({
        "name": "worker", "main": "worker.js", "compatibility_date": DATE,
        "compatibility_flags": ["nodejs_compat"],
        "hyperdrive": [{ "binding": "DB", "id": "0123456789abcdef", "localConnectionString": url }],
    });
    fs::write(folder.join("wrangler.jsonc"), config.to_string())?;
    let mut command = Command::new("node");
    command
        .arg(installed.join("node_modules/wrangler/bin/wrangler.js"))
        .current_dir(folder)
        .env("HOME", folder);
    for (name, value) in [
        ("WRANGLER_SEND_METRICS", "false"),
        ("WRANGLER_SEND_ERROR_REPORTS", "false"),
        ("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
        ("CI", "1"),
        ("NO_COLOR", "1"),
    ] {
        command.env(name, value);
    }
    Ok(command)
}
