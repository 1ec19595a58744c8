//! The dashboard in a real browser, on a fleet that follows it.

use std::{fs, process::Command};

use e2e::{
    certificates::Authority,
    drivers,
    follower::{Follower, FollowingEdge, Leader},
    install,
    postgres::Postgres,
    stage::{Version, eventually, run_on_a_runtime},
};

/// What a person does there from logging in to logging out. What the pages say is to be run is run as it stands there: the
/// connector, and `psql`. With `SHOTS` it leaves pictures of the pages in that folder.
#[test]
fn a_browser_manages_public_and_private_databases() {
    run_on_a_runtime(|| async {
        let postgres = Postgres::start(Version::Fifteen, &Authority::new(), &[]).unwrap();
        let control = Leader::start().unwrap();
        let edge = FollowingEdge::start(&control.section()).unwrap();
        let proxy = Follower::start(&control.section()).unwrap();
        eventually("both follow", async || control.nodes().await.unwrap().len() == 2).await;
        let home = tempfile::tempdir().unwrap();
        fs::copy(edge.authority(), home.path().join("ca.pem")).unwrap();
        let mut browser = script("dashboard.js", &control, &proxy, &postgres);
        browser.env("JUMPGATE", install::jumpgate().unwrap()).env("HOME", home.path());
        let said = install::run(&mut browser).unwrap();
        assert!(said.contains("dashboard.js: done"), "{said}");
    });
}

#[test]
fn a_browser_shows_every_page_in_each_look_and_no_name_becomes_markup() {
    run_on_a_runtime(|| async {
        let authority = Authority::new();
        let postgres = Postgres::start(Version::Fifteen, &authority, &[]).unwrap();
        let control = Leader::start().unwrap();
        let proxy = Follower::start(&control.section()).unwrap();
        eventually("it follows", async || control.nodes().await.unwrap().len() == 1).await;
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("ca.pem"), &authority.pem).unwrap();
        let mut browser = script("pages_look.js", &control, &proxy, &postgres);
        let said = install::run(browser.env("HOME", home.path())).unwrap();
        assert!(said.contains("pages_look.js: done"), "{said}");
    });
}

/// A client is seen with its statement and what keeps its connection, and when a minute is over the charts show it.
#[test]
fn a_browser_sees_what_clients_do_and_its_charts_move() {
    run_on_a_runtime(|| async {
        let postgres = Postgres::start(Version::Fifteen, &Authority::new(), &[]).unwrap();
        let control = Leader::start().unwrap();
        let proxy = Follower::start(&control.section()).unwrap();
        let home = tempfile::tempdir().unwrap();
        let mut browser = script("activity.js", &control, &proxy, &postgres);
        let said = install::run(browser.env("HOME", home.path())).unwrap();
        assert!(said.contains("activity.js: done"), "{said}");
    });
}

fn script(name: &str, control: &Leader, proxy: &Follower, postgres: &Postgres) -> Command {
    let mut browser = Command::new("node");
    browser.arg(install::workspace().join("tests/e2e/scripts").join(name));
    browser
        .env("NODE_PATH", drivers::browser().unwrap().join("node_modules"))
        .env("URL", format!("http://{}", control.address))
        .env("TOKEN", &control.token)
        .env("ACCOUNT", &control.account)
        .env("PROXY", proxy.address.to_string())
        .env("ORIGIN_URL", postgres.endpoint().url());
    browser
}
