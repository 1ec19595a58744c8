//! The folder that keeps what was downloaded or made once: databases, drivers, cluster templates.
//!
//! Several test processes may want the same thing at once: a file lock lets one make it while the others wait.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent").to_path_buf()
}

/// Where everything is kept: `JUMPGATE_TEST_CACHE`, else `.cache` in the workspace.
///
/// PostgreSQL refuses to run as root and runs as `postgres` then, which must be able to reach the folder: a
/// workspace below a private home (`/root`) keeps its cache in `/var/tmp` instead.
pub fn cache() -> PathBuf {
    if let Some(folder) = std::env::var_os("JUMPGATE_TEST_CACHE") {
        return PathBuf::from(folder);
    }
    let folder = workspace().join(".cache");
    let reachable = folder.ancestors().skip(1).all(|ancestor| {
        fs::metadata(ancestor).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
    });
    if reachable { folder } else { PathBuf::from("/var/tmp/jumpgate-test-cache") }
}

/// Where clusters live while they run: in memory where `/dev/shm` has a gigabyte of room, else in the usual folder.
///
/// A cluster of 45 MB is copied for each scenario, and thrown away after it.
pub fn scratch() -> PathBuf {
    let df = run(Command::new("df").args(["--output=avail", "--block-size=1M", "/dev/shm"]));
    let room = df.ok().and_then(|text| text.lines().last()?.trim().parse::<u64>().ok());
    if room.is_some_and(|megabytes| megabytes >= 1024) {
        PathBuf::from("/dev/shm")
    } else {
        std::env::temp_dir()
    }
}

/// The `jumpgate` binary: `JUMPGATE_BIN`, else the debug build of this workspace.
///
/// # Errors
///
/// When there is no such file: the scenarios do not build it.
pub fn jumpgate() -> Result<PathBuf> {
    let binary = std::env::var_os("JUMPGATE_BIN")
        .map_or_else(|| workspace().join("target/debug/jumpgate"), PathBuf::from);
    ensure!(binary.is_file(), "{} is missing: cargo build -p jumpgate", binary.display());
    Ok(binary)
}

/// A folder of the cache that `make` fills once; later calls, of any process, only find it.
///
/// # Errors
///
/// Those of `make`, with the name of the folder; what it left is removed, so the next call tries again.
pub fn once(name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = cache();
    fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let folder = cache.join(name);
    let done = cache.join(format!("{name}.done"));
    if done.exists() {
        return Ok(folder);
    }
    let lock = File::create(cache.join(format!("{name}.lock")))?;
    lock.lock()?;
    if !done.exists() {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        eprintln!("install: {name} in {}", folder.display());
        make(&folder).with_context(|| format!("cannot install {name}"))?;
        File::create(&done)?;
    }
    Ok(folder)
}

/// Runs a command to its end.
///
/// # Errors
///
/// When it cannot be started or fails; the error carries what it printed.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} ended with {}\n{stdout}{stderr}", output.status);
    Ok(stdout)
}
