//! Foreign drivers, unmodified: scripts in their own language, installed once into the cache folder.
//!
//! A script finds the connection string in `PGURL` or `MYSQL_URL` and its parts in libpq's variables or in `MYSQL_*`; it
//! checks values itself and ends with a non-zero code when one is wrong.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Result, ensure};

use crate::{
    install::{once, run, workspace},
    wire::Endpoint,
};

/// The folder whose `node_modules` holds `pg`, `pg-cursor`, `postgres`, `mysql2` and `mysql`.
///
/// # Errors
///
/// When npm cannot install them.
pub fn node_modules() -> Result<PathBuf> {
    once("node-drivers-2", |folder| {
        let postgres = ["pg@8.23.1", "pg-cursor@2.22.0", "postgres@3.4.9"];
        npm(folder, &[&postgres[..], &["mysql2@3.24.6", "mysql@2.18.1"]].concat())
    })
}

/// The folder whose `node_modules` holds wrangler, and the drivers that a Worker bundles.
///
/// # Errors
///
/// When npm cannot install them.
pub fn wrangler() -> Result<PathBuf> {
    once("wrangler-4.86.0-2", |folder| {
        npm(folder, &["wrangler@4.86.0", "pg@8.23.1", "postgres@3.4.9", "mysql2@3.24.6"])
    })
}

/// The newest wrangler, in the folder whose `node_modules` has the Node that it needs, too.
///
/// # Errors
///
/// When npm cannot install them.
pub fn newest_wrangler() -> Result<PathBuf> {
    once("wrangler-4.164.0-1", |folder| npm(folder, &["wrangler@4.164.0", "node@22.23.3"]))
}

/// The folder whose `node_modules` drives a Chromium that is there, and looks at pages as people see them who see little.
///
/// # Errors
///
/// When npm cannot install them.
pub fn browser() -> Result<PathBuf> {
    once("browser-1", |folder| npm(folder, &["playwright-core@1.65.1", "axe-core@4.14.1"]))
}

/// The interpreter of a virtual environment with psycopg 3, asyncpg, PyMySQL and MySQL Connector/Python.
///
/// # Errors
///
/// When it cannot be made or PyPI cannot be reached.
pub fn python() -> Result<PathBuf> {
    let folder = once("python-drivers-2", |folder| {
        // PyMySQL encrypts passwords with `cryptography`.
        let mysql = ["PyMySQL", "cryptography", "mysql-connector-python"];
        pip(folder, &[&["psycopg[binary]", "asyncpg"][..], &mysql].concat())
    })?;
    Ok(folder.join("bin/python"))
}

/// The folder whose `node_modules` holds the reference's SDK.
///
/// # Errors
///
/// When npm cannot install it.
pub fn sdk_modules() -> Result<PathBuf> {
    once("node-sdk-1", |folder| npm(folder, &["cloudflare@7.3.0"]))
}

/// The interpreter of a virtual environment with the reference's SDK.
///
/// # Errors
///
/// When it cannot be made or PyPI cannot be reached.
pub fn sdk_python() -> Result<PathBuf> {
    let folder = once("python-sdk-1", |folder| pip(folder, &["cloudflare==5.9.0"]))?;
    Ok(folder.join("bin/python"))
}

/// The program that asks an API whatever its OpenAPI document allows, and what it does not.
///
/// # Errors
///
/// When it cannot be made or PyPI cannot be reached.
pub fn schemathesis() -> Result<PathBuf> {
    let folder = once("python-schemathesis-1", |folder| pip(folder, &["schemathesis==4.32.5"]))?;
    Ok(folder.join("bin/schemathesis"))
}

/// The interpreter of a virtual environment with hyper-h2 and C++ Cap'n Proto, for ends of the tunnel that are not ours.
///
/// # Errors
///
/// When it cannot be made or PyPI cannot be reached.
pub fn tunnel_python() -> Result<PathBuf> {
    let folder = once("python-tunnel-1", |folder| {
        pip(folder, &["h2==4.4.1", "hpack==4.2.0", "hyperframe==6.1.0", "pycapnp==2.2.4"])
    })?;
    Ok(folder.join("bin/python"))
}

/// Installs npm's packages into a folder; more of npm's arguments may stand among them.
///
/// # Errors
///
/// When npm cannot install them.
pub fn npm(folder: &Path, packages: &[&str]) -> Result<()> {
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]).arg(folder);
    run(npm.args(packages))?;
    Ok(())
}

/// Makes a virtual environment of Python, and installs packages into it.
///
/// # Errors
///
/// When it cannot be made or PyPI cannot be reached.
pub fn pip(folder: &Path, packages: &[&str]) -> Result<()> {
    run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    run(pip.args(packages))?;
    Ok(())
}

/// Runs `tests/e2e/scripts/NAME` (`.js` or `.py`) against a server whose certificate `authority` signed.
///
/// # Errors
///
/// When the driver cannot be installed or the script ends with an error; the error carries what it printed.
pub fn script(name: &str, endpoint: &Endpoint, authority: &Path) -> Result<String> {
    let file = workspace().join("tests/e2e/scripts").join(name);
    let mut command = if Path::new(name).extension().is_some_and(|extension| extension == "py") {
        Command::new(python()?)
    } else {
        let mut node = Command::new("node");
        node.env("NODE_PATH", node_modules()?.join("node_modules"));
        node
    };
    program(command.arg(file).env("PGSSLROOTCERT", authority), endpoint)
}

/// Runs a libpq program (`psql`, `pgbench`) or another that reads the same variables.
///
/// # Errors
///
/// When it cannot be started or ends with an error; the error carries what it printed.
pub fn program(command: &mut Command, endpoint: &Endpoint) -> Result<String> {
    let (code, output) = try_program(command, endpoint)?;
    ensure!(code == 0, "{command:?} ended with {code}\n{output}");
    Ok(output)
}

/// As [`program`], for programs that may fail: exit code, and what was printed to either stream.
///
/// # Errors
///
/// When it cannot be started.
pub fn try_program(command: &mut Command, endpoint: &Endpoint) -> Result<(i32, String)> {
    command
        .env("MYSQL_URL", endpoint.url_of("mysql"))
        .env("MYSQL_ADDRESS", endpoint.address.ip().to_string())
        .env("MYSQL_PORT", endpoint.address.port().to_string())
        .env("MYSQL_LOGIN", &endpoint.user)
        .env("MYSQL_PWD", &endpoint.password)
        .env("MYSQL_SCHEMA", &endpoint.database)
        .env("PGURL", endpoint.url())
        .env("PGHOST", endpoint.address.ip().to_string())
        .env("PGPORT", endpoint.address.port().to_string())
        .env("PGUSER", &endpoint.user)
        .env("PGPASSWORD", &endpoint.password)
        .env("PGDATABASE", &endpoint.database)
        .env("PGGSSENCMODE", "prefer")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null());
    let output = command.output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code().unwrap_or(-1), text(&output.stdout) + &text(&output.stderr)))
}
