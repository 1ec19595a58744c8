//! Installs and prepares everything the scenarios need, with progress; `./run test` calls it first.
//!
//! The tests call the same functions, so leaving this out only moves the waiting into the first test.

#![allow(clippy::print_stdout, reason = "this is a command line tool: it shows what it does")]

use e2e::{
    drivers,
    mysql::{Server, install},
    postgres,
    stage::Version,
};

fn main() -> anyhow::Result<()> {
    for version in [Version::Fifteen, Version::Eighteen] {
        println!("prepare: PostgreSQL {version}");
        postgres::template(version)?;
    }
    for (server, name) in [(Server::MariaDb, "MariaDB 10.11"), (Server::MySql, "MySQL 9")] {
        println!("prepare: {name}");
        install::template(server)?;
    }
    println!("prepare: node drivers");
    drivers::node_modules()?;
    println!("prepare: python drivers");
    drivers::python()?;
    println!("prepare: foreign ends of the tunnel");
    drivers::tunnel_python()?;
    println!("prepare: the reference's SDKs");
    drivers::sdk_modules()?;
    drivers::sdk_python()?;
    println!("prepare: what drives a browser");
    drivers::browser()?;
    println!("prepare: wrangler");
    drivers::wrangler()?;
    drivers::newest_wrangler()?;
    println!("prepare: what asks as the API's document allows");
    drivers::schemathesis()?;
    println!("prepare: ready in {}", e2e::install::cache().display());
    Ok(())
}
