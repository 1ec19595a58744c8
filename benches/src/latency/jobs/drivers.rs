//! Real drivers, unmodified: a script for each language in `benches/latency`, and what it needs in the cache folder.
//!
//! A script is told where to connect in `LATENCY_*` (near and far in turn), how often each job is done, and which; the first rounds, until modules
//! are read and code is compiled, it does not tell. Drivers of Ruby and Java are Debian's packages.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use e2e::{
    drivers::{npm, pip},
    install::{once, run, workspace},
    wire::Endpoint,
};
use serde::Deserialize;
use tokio::{process::Command, time::timeout};

use super::{
    measure::{Outcome, Times},
    rows::{Job, Language},
    world::Pair,
};

/// Jobs of one language that are done with one target.
#[derive(Debug)]
pub struct Batch<'a> {
    /// In which language.
    pub language: Language,
    /// Each with the first row that it asks for.
    pub jobs: &'a [(Job, i32)],
    /// How often each is measured.
    pub rounds: u32,
    /// Where to connect; only the ports differ.
    pub endpoints: &'a Pair<Endpoint>,
    /// The file with the certificate that is trusted.
    pub ca: &'a Path,
}

impl Batch<'_> {
    /// Does them, each so often, and gives what became of each, in their order.
    ///
    /// # Errors
    ///
    /// What the script needs cannot be installed, or the script breaks down or hangs.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the script.
    pub async fn run(&self) -> Result<Vec<Outcome>> {
        let Endpoint { address, user, password, database } = &self.endpoints.near;
        let ports = format!("{} {}", address.port(), self.endpoints.far.address.port());
        let mut command = Command::from(command(self.language)?);
        command.arg(self.rounds.to_string());
        command.args(
            self.jobs
                .iter()
                .map(|(Job { driver, name, .. }, key)| format!("{driver}/{name}={key}")),
        );
        command
            .env("LATENCY_HOST", address.ip().to_string())
            .env("LATENCY_PORTS", ports)
            .env("LATENCY_USER", user)
            .env("LATENCY_PASSWORD", password)
            .env("LATENCY_DATABASE", database)
            .env("LATENCY_CA", self.ca)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = timeout(PATIENCE, command.output()).await.context("the script hangs")??;
        let (said, log) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "the script ended with {}\n{said}{log}", output.status);
        let mut outcomes = read(&said)?;
        let each = self.jobs.iter().map(|(Job { driver, name, .. }, _)| {
            let found = outcomes.remove(&((*driver).to_owned(), (*name).to_owned()));
            found.with_context(|| format!("the script says nothing of {driver}, {name}\n{log}"))
        });
        each.collect()
    }
}

/// What a script said.
fn read(said: &str) -> Result<BTreeMap<(String, String), Outcome>> {
    #[derive(Deserialize)]
    struct Line {
        driver: String,
        job: String,
        near: Option<Vec<f64>>,
        far: Option<Vec<f64>>,
        error: Option<String>,
    }
    let times = |ms: Vec<f64>| ms.iter().map(|ms| Duration::from_secs_f64(ms / 1e3)).collect();
    let lines = said.lines().filter(|line| line.starts_with('{')).map(|line| {
        let Line { driver, job, near, far, error } = serde_json::from_str(line)?;
        let both = near.map(times).zip(far.map(times)).map(|(near, far)| Times { near, far });
        Ok(((driver, job), both.ok_or_else(|| error.unwrap_or_default())))
    });
    lines.collect()
}

/// A command that runs a language's script, with what that needs installed.
fn command(language: Language) -> Result<std::process::Command> {
    let scripts = workspace().join("benches/latency");
    let mut command = match language {
        Language::Node => {
            let folder = node_modules()?;
            let mut node = std::process::Command::new("node");
            node.env("NODE_PATH", folder.join("node_modules"));
            node.env("LATENCY_PRISMA", folder.join("prisma"));
            node.arg(scripts.join("drivers.js"));
            node
        }
        Language::Python => {
            let mut python = std::process::Command::new(python()?);
            // No compiled files beside the scripts.
            python.arg("-B").arg(scripts.join("drivers.py"));
            python
        }
        Language::Ruby => {
            // Debian's own, whose package the driver is.
            let mut ruby = std::process::Command::new("/usr/bin/ruby");
            ruby.arg(scripts.join("drivers.rb"));
            ruby
        }
        Language::Java => {
            let mut java = std::process::Command::new("java");
            java.args(["-cp", JARS]).arg(scripts.join("Drivers.java"));
            java
        }
        Language::Rust => anyhow::bail!("drivers of Rust are in this process"),
    };
    command.env("LC_ALL", "C.UTF-8");
    Ok(command)
}

/// The folder whose `node_modules` holds the drivers of Node.js, and `prisma` Prisma's client for each engine.
fn node_modules() -> Result<PathBuf> {
    once("latency-node-1", |folder| {
        // Prisma's script would download an engine that nobody needs with an adapter.
        npm(folder, &[&["--ignore-scripts"], NODE].concat())?;
        let home = folder.join("prisma");
        fs::create_dir(&home)?;
        for engine in ["postgresql", "mysql"] {
            let file = home.join(format!("{engine}.prisma"));
            fs::write(&file, schema(engine))?;
            let mut prisma = std::process::Command::new(folder.join("node_modules/.bin/prisma"));
            prisma.args(["generate", "--schema"]).arg(&file).current_dir(&home);
            // It asks for the engine that changes schemas, and does not run it.
            prisma.env("PRISMA_SCHEMA_ENGINE_BINARY", "/bin/true").env("CHECKPOINT_DISABLE", "1");
            run(&mut prisma).with_context(|| format!("Prisma's client for {engine}"))?;
        }
        Ok(())
    })
}

fn schema(engine: &str) -> String {
    format!(
        "generator client {{\n  provider = \"prisma-client-js\"\n  output = \"./{engine}\"\n}}\n\
         datasource db {{\n  provider = \"{engine}\"\n}}\n\
         model Item {{\n  id Int @id\n  name String\n  hits Int\n  @@map(\"jumpgate_latency\")\n}}\n"
    )
}

/// The interpreter of a virtual environment with the drivers of Python.
fn python() -> Result<PathBuf> {
    Ok(once("latency-python-1", |folder| pip(folder, PYTHON))?.join("bin/python"))
}

const NODE: &[&str] = &[
    "pg@8.23.1",
    "postgres@3.4.9",
    "drizzle-orm@0.45.4",
    "mysql2@3.24.6",
    "prisma@7.10.0",
    "@prisma/client@7.10.0",
    "@prisma/adapter-pg@7.10.0",
    "@prisma/adapter-mariadb@7.10.0",
    "sequelize@6.37.8",
    "typeorm@1.1.1",
];

const PYTHON: &[&str] = &[
    "psycopg[binary]==3.3.9",
    "asyncpg==0.32.0",
    "SQLAlchemy==2.1.9",
    "Django==5.2.19",
    "PyMySQL==1.2.4",
    // With which PyMySQL encrypts passwords.
    "cryptography==50.0.2",
    "mysql-connector-python==26.10.0",
];

/// Where Debian's packages put the drivers of Java.
const JARS: &str = "/usr/share/java/postgresql.jar:/usr/share/java/mariadb-java-client.jar";

/// Far more than a script takes, so that only one that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_tells_times_or_an_error() {
        let said = "{\"driver\":\"pg\",\"job\":\"query\",\"near\":[1.5,2],\"far\":[3]}\nsomething else\n\
            {\"driver\":\"pg\",\"job\":\"other\",\"error\":\"no such table\"}\n";
        let outcomes = read(said).unwrap();
        let of = |job: &str| outcomes[&("pg".to_owned(), job.to_owned())].clone();
        let [near, far] = [&[1500, 2000][..], &[3000]]
            .map(|micros| micros.iter().copied().map(Duration::from_micros).collect());
        let times = Times { near, far };
        assert_eq!((of("query"), of("other")), (Ok(times), Err("no such table".to_owned())));
        assert!(read("{broken").is_err());
    }
}
