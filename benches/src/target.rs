//! What is measured: a name, a way to connect, and the process to watch.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};

use crate::{args::Load, client::Endpoint, process::Process};

/// One target.
#[derive(Debug)]
pub struct Target {
    /// What the report calls it.
    pub name: String,
    /// Where it is.
    pub endpoint: Arc<Endpoint>,
    /// What to watch.
    pub process: Option<Process>,
}

impl Target {
    /// All that the arguments name, in their order.
    ///
    /// # Errors
    ///
    /// A URL is wrong, a name comes twice, or a process belongs to no target or is not there.
    pub fn all(load: &Load) -> Result<Vec<Self>> {
        let mut targets: Vec<Self> = Vec::new();
        for argument in load.targets.iter().chain(&load.urls).filter(|text| !text.is_empty()) {
            let (name, url) = name_and_url(argument);
            ensure!(
                argument.is_empty() || !argument.bytes().all(|byte| byte.is_ascii_digit()),
                "{argument} is no URL; --pid takes one process, as `pidof -s NAME` gives it"
            );
            let parsed = Endpoint::parse(url, &load.wire, load.shape.pipeline);
            let endpoint = parsed.with_context(|| format!("target {}", targets.len() + 1))?;
            let name = name.map_or_else(|| endpoint.address(), ToOwned::to_owned);
            ensure!(targets.iter().all(|other| other.name != name), "two targets are named {name}");
            targets.push(Self { name, endpoint: Arc::new(endpoint), process: None });
        }
        for argument in &load.pids {
            let (name, pid) = argument.split_once('=').context("--pid is NAME=PID")?;
            let Some(target) = targets.iter_mut().find(|target| target.name == name) else {
                bail!("--pid {argument}: no target is named {name}");
            };
            let one = || format!("--pid {argument}: give one process, as `pidof -s NAME` does");
            let pid = pid.trim().parse().with_context(one)?;
            target.process = Some(Process::new(pid).with_context(|| format!("--pid {argument}"))?);
        }
        Ok(targets)
    }
}

/// A URL can hold a `=` itself, but only behind its scheme.
fn name_and_url(argument: &str) -> (Option<&str>, &str) {
    match argument.split_once('=') {
        Some((name, url)) if !name.contains("://") => (Some(name), url),
        _ => (None, argument),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn all(arguments: &str) -> Result<Vec<Target>> {
        Target::all(&Load::parse_from(["load"].into_iter().chain(arguments.split_whitespace())))
    }

    #[test]
    fn a_target_has_the_name_it_was_given_or_its_address() {
        let targets = all("--target direct=postgres://u:p@127.0.0.1:5433/app?connect_timeout=3 \
             mysql://u:p@localhost:3307/app via=mysql://u:p@localhost/app")
        .unwrap();
        let names: Vec<_> = targets.iter().map(|target| target.name.as_str()).collect();
        assert_eq!(names, ["direct", "localhost:3307", "via"]);
    }

    #[test]
    fn what_is_wrong_with_a_target_is_said_without_its_password() {
        for (arguments, expected) in [
            ("a=mysql://u:sesame@h/a a=mysql://u:sesame@h/a", "two targets are named a"),
            ("redis://u:sesame@h", "starts with postgres:// or mysql://"),
            ("sesame", "starts with postgres:// or mysql://"),
            ("postgres://u:sesame@h:port/a", "not a PostgreSQL URL"),
            ("mysql://u:sesame@h:port/a", "not a MySQL URL"),
            ("--pipeline 2 mysql://u:sesame@h/a", "--pipeline is for PostgreSQL"),
            ("--protocol extended mysql://u:sesame@h/a", "text and prepared"),
            ("--pid b=1 a=mysql://u:sesame@h/a", "no target is named b"),
            ("--pid a=x a=mysql://u:sesame@h/a", "--pid a=x"),
            // FAULTS §4: `--pid jumpgate=$(pidof jumpgate)` with several processes.
            ("--pid a=17 a=mysql://u:sesame@h/a 18", "18 is no URL; --pid takes one process"),
            ("a=postgres://u:sesame@h/a?sslmode=require", "give --tls require"),
        ] {
            let error = format!("{:#}", all(arguments).unwrap_err());
            assert!(error.contains(expected) && !error.contains("sesame"), "{arguments}: {error}");
        }
    }
}
