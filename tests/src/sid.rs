//! Programs from Debian's `sid` suite, without installing them.
//!
//! Packages are downloaded by an apt with a state of its own and unpacked, and their programs are started through the
//! dynamic loader of the same suite: nothing of the machine changes, its libc may be older, and no package can start a
//! service.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::install;

/// Downloads packages and what they depend on, and unpacks all into a folder.
///
/// # Errors
///
/// When Debian cannot be reached, or has no such package; the error carries what apt said.
pub fn unpack(folder: &Path, packages: &[&str]) -> Result<()> {
    let state = folder.join("apt");
    for name in ["lists/partial", "archives/partial"] {
        fs::create_dir_all(state.join(name))?;
    }
    fs::write(state.join("status"), "")?;
    let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
    ensure!(Path::new(keys).exists(), "{keys} is missing: apt-get install debian-archive-keyring");
    fs::write(
        state.join("sources.list"),
        format!("deb [signed-by={keys}] http://deb.debian.org/debian sid main\n"),
    )?;
    fs::write(state.join("apt.conf"), apt_conf(&state))?;
    eprintln!("prepare:   the package list of Debian sid");
    apt(&state, &["update", "-q"])?;
    eprintln!("prepare:   {} and their libraries (about 60 MB)", packages.join(", "));
    apt(&state, &[&["install", "-y", "-q", "--download-only"], packages].concat())?;
    eprintln!("prepare:   unpacking");
    for entry in fs::read_dir(state.join("archives"))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Scripts in Perl are not used, nor is anything started by systemd.
        let unused = ["perl", "libperl", "libgdbm", "libdb5", "libc-gconv", "systemd_"];
        if name.ends_with(".deb") && !unused.iter().any(|prefix| name.starts_with(prefix)) {
            install::run(Command::new("dpkg-deb").arg("-x").arg(entry.path()).arg(folder))?;
        }
    }
    fs::remove_dir_all(state)?;
    Ok(())
}

/// A program below `home`, where packages were unpacked.
pub fn command(home: &Path, program: &str) -> Command {
    let (loader, arguments) = loader(home, program);
    let mut command = Command::new(loader);
    command.args(arguments);
    command
}

/// The dynamic loader of `home`, and what it must be told to start a program of `home`.
pub fn loader(home: &Path, program: &str) -> (PathBuf, Vec<OsString>) {
    let libraries = home.join("usr/lib/x86_64-linux-gnu");
    // Debian gives MySQL Router's own libraries a folder of their own.
    let mut path = OsString::from(&libraries);
    path.push(":");
    path.push(home.join("usr/lib/mysql-router"));
    let program = home.join(program);
    let arguments = [
        OsString::from("--argv0"),
        program.clone().into(),
        OsString::from("--library-path"),
        path,
        program.into(),
    ];
    (libraries.join("ld-linux-x86-64.so.2"), arguments.into())
}

/// An apt that knows nothing of this machine, and changes nothing on it.
fn apt_conf(state: &Path) -> String {
    let state = state.display();
    format!(
        r#"Dir::State "{state}";
Dir::State::status "{state}/status";
Dir::State::lists "{state}/lists";
Dir::Cache "{state}";
Dir::Cache::archives "{state}/archives";
Dir::Etc::sourcelist "{state}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "amd64";
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
"#
    )
}

fn apt(state: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .args(arguments)
        .env("APT_CONFIG", state.join("apt.conf"))
        .env("DEBIAN_FRONTEND", "noninteractive");
    install::run(&mut command).context("apt, for packages of Debian sid")?;
    Ok(())
}
