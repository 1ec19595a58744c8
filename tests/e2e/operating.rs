//! What an operator sees of a running proxy: its log, its reloads, its metrics.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::Command,
    time::Duration,
};

use e2e::{
    install,
    jumpgate::Setup,
    metrics::{self, Metrics},
    process::Process,
    stage::{Place, Stage, eventually, run_on_a_runtime},
    wire::{Endpoint, Frame, Wire},
};

use super::pressure::file;

fn start(folder: &Path, text: &str) -> Process {
    fs::write(folder.join("proxy.toml"), text).unwrap();
    let mut command = Command::new(install::jumpgate().unwrap());
    command.args(["proxy", "-c", "proxy.toml"]);
    command.current_dir(folder).env_remove("RUST_LOG");
    Process::start("proxy", &mut command, folder.join("proxy.log")).unwrap()
}

async fn scrape(admin: SocketAddr) -> Metrics {
    Metrics::parse(&metrics::get(admin, "/metrics").await.unwrap().1)
}

/// FAULTS §4: SIGHUP ignored `[log]` and `[cache]` and said "reloaded"; /metrics knew nothing of reloads, nor of the
/// process.
#[test]
fn a_reload_names_what_it_left_out_and_shows_whether_it_worked() {
    run_on_a_runtime(|| async {
        let folder = tempfile::tempdir().unwrap();
        let mut proxy = start(folder.path(), &file(""));
        let admin = proxy.says("jumpgate: admin on ").unwrap().parse().unwrap();
        let worked =
            |metrics: &Metrics| metrics.sum("jumpgate_config_last_reload_successful", &[]) == 1.0;
        let first = scrape(admin).await;
        assert!(worked(&first));
        for name in [
            "jumpgate_config_last_reload_success_timestamp_seconds",
            "process_start_time_seconds",
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_max_fds",
        ] {
            assert!(first.sum(name, &[]) > 0.0, "{name}");
        }
        let changed = file(
            "[log]\nfilter = \"warn\"\n[cache]\ncapacity_bytes = 10000000\nmax_entry_bytes = 1000\n",
        );
        fs::write(folder.path().join("proxy.toml"), changed).unwrap();
        proxy.signal("HUP");
        eventually("it says what waits for a restart", async || {
            let log = proxy.log();
            let line = log.lines().find(|line| line.contains("only with a restart"));
            line.is_some_and(|line| line.contains("[log], [cache]"))
        })
        .await;
        fs::write(folder.path().join("proxy.toml"), "[listen]\nprot = 1\n").unwrap();
        proxy.signal("HUP");
        eventually("the mistake is told", async || proxy.log().contains("the old settings stay"))
            .await;
        assert!(!worked(&scrape(admin).await));
        assert!(proxy.log().contains("listen.prot"), "{}", proxy.log());
        fs::write(folder.path().join("proxy.toml"), file("")).unwrap();
        proxy.signal("HUP");
        eventually("it is right again", async || worked(&scrape(admin).await)).await;
    });
}

/// FAULTS §4: JSON logs began with three plain lines.
#[test]
fn a_log_for_machines_is_nothing_but_json() {
    run_on_a_runtime(|| async {
        let folder = tempfile::tempdir().unwrap();
        let proxy = start(folder.path(), &file("[log]\nformat = \"json\"\n"));
        eventually("it listens", async || proxy.log().matches("listening").count() == 2).await;
        assert_eq!(proxy.said(), [""; 0]);
        for line in proxy.log().lines() {
            let value = serde_json::from_str::<serde_json::Value>(line);
            assert!(value.is_ok_and(|value| value["level"].is_string()), "{line}");
        }
        assert!(proxy.log().contains("\"address\":\"127.0.0.1:"), "{}", proxy.log());
    });
}

/// The folder of the whole repository.
fn repository() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs a script of Compose as the container would, but for who owns what: that needs root.
fn compose(folder: &Path, script: &str, arguments: &[&str], environment: &[(&str, &str)]) {
    let programs = folder.join("programs");
    if !programs.exists() {
        fs::create_dir(&programs).unwrap();
        fs::write(programs.join("chown"), "#!/bin/sh\n").unwrap();
        let mut mode = fs::metadata(programs.join("chown")).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
        fs::set_permissions(programs.join("chown"), mode).unwrap();
        let jumpgate = install::jumpgate().unwrap();
        std::os::unix::fs::symlink(jumpgate, programs.join("jumpgate")).unwrap();
    }
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.arg(repository().join("tests/compose").join(script)).args(arguments);
    command.env("PATH", &path).env("OUT", folder).envs(environment.iter().copied());
    let made = command.output().unwrap();
    assert!(made.status.success(), "{script}: {}", String::from_utf8_lossy(&made.stderr));
}

/// All that `docker-compose.yml` runs, on one machine and without containers: its scripts and files, with other addresses.
/// FAULTS §4: Compose with JUMPGATE_PORT set printed strings with 6432, and its metrics could not be reached.
#[test]
fn compose_sets_itself_up_and_prints_the_ports_that_it_publishes() {
    run_on_a_runtime(|| async {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path();
        let parts =
            ["setup", "database", "mysql", "control", "edge", "connector", "proxy", "clients"];
        for part in parts {
            fs::create_dir(folder.join(part)).unwrap();
        }
        compose(folder, "secrets.sh", &[], &[]);
        let held = |part: &str| {
            let files = fs::read_dir(folder.join(part)).unwrap();
            let mut names: Vec<_> =
                files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        assert_eq!(held("proxy"), ["node.token"], "the proxy knows nothing but how to ask");
        assert_eq!(held("connector"), ["ca.pem"]);

        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let (control, public, connectors) = (free(), free(), free());
        let edit = |file: &str, changes: &[(&str, &str)]| {
            let path = folder.join(file);
            let text = fs::read_to_string(&path).unwrap();
            let text = changes.iter().fold(text, |text, (old, new)| {
                assert!(text.contains(old), "{file} has no {old}: {text}");
                text.replace(old, new)
            });
            fs::write(path, text).unwrap();
        };
        // There are no databases: Compose's own are what has to be reached elsewhere.
        let tests = format!("{control}\"\ntest_connections = false");
        edit("control/control.toml", &[("0.0.0.0:8787\"", &tests)]);
        let addresses = [("0.0.0.0:443", public.as_str()), ("0.0.0.0:7844", &connectors)];
        edit("edge/edge.toml", &[&addresses[..], &[("control:8787", &control)]].concat());
        let start = |role: &str, file: &str, says: &str| {
            let mut command = Command::new(install::jumpgate().unwrap());
            command.args([role, "-c", file]).current_dir(folder);
            let log = folder.join(format!("{role}.log"));
            let mut process = Process::start(role, &mut command, log).unwrap();
            process.says(says).unwrap();
            process
        };
        let _control = start("control", "control/control.toml", "jumpgate: control on ");
        let url = format!("http://{control}");
        let ports = ["7001", "7002"];
        let environment = |port| {
            [
                ("JUMPGATE_API_URL", url.as_str()),
                ("JUMPGATE_PORT", port),
                ("JUMPGATE_MYSQL_PORT", "7003"),
            ]
        };
        compose(folder, "setup.sh", &["tunnel"], &environment(ports[0]));
        let _edge = start("edge", "edge/edge.toml", "jumpgate: edge connectors on ");
        let connector =
            fs::read_to_string(repository().join("tests/compose/connector.toml")).unwrap();
        let connector =
            connector.replace("edge:7844", &connectors).replace("/secrets", "connector");
        fs::write(folder.join("connector.toml"), connector).unwrap();
        let _connector = start("connector", "connector.toml", "jumpgate: connector registered ");
        for port in ports {
            compose(folder, "setup.sh", &["databases"], &environment(port));
            let said = |name| fs::read_to_string(folder.join("clients").join(name)).unwrap();
            assert!(said("app").contains(&format!("@127.0.0.1:{port}/app")), "{}", said("app"));
            assert!(said("shop").contains("@127.0.0.1:7003/shop"), "{}", said("shop"));
        }
    });
    let published = fs::read_to_string(repository().join("docker-compose.yml")).unwrap();
    assert!(published.contains("${JUMPGATE_METRICS_PORT:-9090}:9090"));
    let proxy = fs::read_to_string(repository().join("tests/compose/proxy.toml")).unwrap();
    assert!(proxy.contains("[admin]\nlisten = \"0.0.0.0:9090\""));
}

/// FAULTS §4: `./run bench --help` printed cargo's.
#[test]
fn the_help_of_the_benches_is_of_the_benches() {
    let mut help = Command::new("bash");
    let help = help.args(["run", "bench", "--help"]).current_dir(repository()).output().unwrap();
    let said = String::from_utf8_lossy(&help.stdout);
    assert!(help.status.success() && said.starts_with("./run bench"), "{said}");
    assert!(said.contains("./run bench load") && !said.contains("Cargo"), "{said}");
}

/// FAULTS §4: README had no "install", and no `jumpgate proxy` where it explains the file.
#[test]
fn the_readme_says_how_to_install_and_how_to_run_it() {
    let text = fs::read_to_string(repository().join("README.md")).unwrap();
    let sections: Vec<&str> = text.split("\n## ").skip(1).collect();
    let section = |name: &str| sections.iter().position(|section| section.starts_with(name));
    let (install, configuration) = (section("Install").unwrap(), section("Configuration").unwrap());
    assert!(install < configuration && section("Status").unwrap() < install);
    assert!(sections[install].contains("cargo build --release"));
    assert!(sections[configuration].contains("$ jumpgate proxy -c jumpgate.toml"));
}

/// A login that must be refused.
pub(super) async fn refused(endpoint: &Endpoint, parameters: &[(&str, &str)]) -> Frame {
    let mut wire = Wire::open(endpoint.address).await;
    wire.login(endpoint, parameters).await.expect_err("the login is refused")
}

/// FAULTS §4, "Who, and why": the log named no user, everything was a wrong password, and refusals left nothing.
async fn the_log_says_who_was_refused_and_why(place: Place) {
    let setup = Setup { pool: "checkout_timeout = 0.2".into(), ..Setup::pool_of(1) };
    let mut stage = Stage::with(place, setup).await;
    let endpoint = stage.endpoint();
    refused(&endpoint.clone().with_user("nobody", "x"), &[]).await;
    refused(&endpoint.clone().with_user("app", "wrong"), &[]).await;
    refused(&endpoint.clone().with_database("nowhere"), &[]).await;
    let replication = endpoint.clone().with_database("replication");
    let told = refused(&replication, &[("replication", "true")]).await.field(b'M');
    assert!(told.contains("replication connection is not supported"), "{told}");
    let (mut holds, mut waits) = (stage.client().await, stage.client().await);
    holds.hold_a_backend().await;
    waits.query("SELECT 1 /* jumpgate: no-cache */").await;
    let log = stage.jumpgate().logs();
    let said = |words: &[&str]| {
        log.lines().any(|line| line.contains(" INFO ") && words.iter().all(|it| line.contains(it)))
    };
    for words in [
        &["unknown_user", "user=\"nobody\""][..],
        &["wrong_password", "user=\"app\""],
        &["unknown_database", "database=\"nowhere\""],
        &["replication connection", "user=\"app\""],
        &["checkout timeout", "user=\"app\"", "database=\"app\""],
    ] {
        assert!(said(words), "{words:?} is not in\n{log}");
    }
    let metrics = stage.metrics().await;
    for reason in ["unknown_user", "wrong_password", "unknown_database"] {
        assert_eq!(metrics.sum("jumpgate_logins_refused_total", &[("reason", reason)]), 1.0);
    }
    let refused = [("reason", "checkout_timeout")];
    assert_eq!(metrics.sum("jumpgate_statements_refused_total", &refused), 1.0);
}

/// FAULTS §4: `sessions_total{event_status="error"}` stayed 0, nobody knew how many are pinned now, latency by cache
/// status, nor what was flushed.
async fn metrics_tell_of_sessions_pins_times_and_flushes(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut client = stage.client().await;
    let pinned = async || stage.metrics().await.sum("jumpgate_pinned_sessions", &[]);
    client.run("LISTEN a").await;
    eventually("it is pinned", async || pinned().await == 1.0).await;
    client.run("UNLISTEN a").await;
    eventually("it is not any more", async || pinned().await == 0.0).await;
    client.run("LISTEN a").await;
    eventually("it is pinned again", async || pinned().await == 1.0).await;
    client.run("SELECT name FROM item WHERE id = 1").await;
    client.run("DO $$ BEGIN EXECUTE 'SELECT 1'; END $$").await;
    // No message of the protocol.
    client.send(b"?\0\0\0\x04").await;
    client.until_closed().await;
    eventually("the session is counted as failed, and pinned no more", async || {
        let metrics = stage.metrics().await;
        metrics.sum("jumpgate_sessions_total", &[("event_status", "error")]) == 1.0
            && metrics.sum("jumpgate_pinned_sessions", &[]) == 0.0
    })
    .await;
    let mut client = stage.client().await;
    client.run("SELECT name FROM item WHERE id = 2").await;
    let metrics = stage.metrics().await;
    let timed = |status| metrics.sum("jumpgate_query_seconds_count", &[("cache_status", status)]);
    assert!(timed("miss") >= 1.0 && timed("pinned") >= 1.0);
    assert!(metrics.sum("jumpgate_cache_flushes_total", &[]) >= 1.0);
    assert!(metrics.sum("jumpgate_cache_invalidations_total", &[]) >= 1.0);
}

/// The next client of a user is refused, whatever the clients before it are doing.
async fn a_user_has_as_many_clients_as_the_file_says(place: Place) {
    let more = |most: u32| {
        format!("[[database.user]]\nname = \"few\"\npassword = \"p\"\nmax_connections = {most}\n")
    };
    let mut stage = Stage::with(place, Setup { more: more(2), ..Setup::pool_of(2) }).await;
    let few = stage.endpoint().with_user("few", "p");
    let (mut first, second) = (Wire::connect(&few).await, Wire::connect(&few).await);
    let told = refused(&few, &[]).await;
    assert_eq!(told.field(b'C'), "53300");
    assert_eq!(told.field(b'M'), "too many connections for role \"few\"");
    assert_eq!(stage.client().await.value("SELECT 'another user'").await, "another user");
    let reason = [("reason", "too_many_of_user")];
    assert_eq!(stage.metrics().await.sum("jumpgate_logins_refused_total", &reason), 1.0);
    // It leaves without a word, with a transaction open.
    first.hold_a_backend().await;
    first.run("LISTEN news").await;
    drop(first);
    let comes_in = async || Wire::open(few.address).await.login(&few, &[]).await.is_ok();
    eventually("its place is given back", comes_in).await;
    drop(second);
    let both = [Wire::connect(&few).await, Wire::connect(&few).await];
    assert!(!comes_in().await);
    stage.jumpgate().reload(|setup| setup.more = more(3)).unwrap();
    eventually("there is room for a third", comes_in).await;
    drop(both);
}

/// A text of over 8 kB is read on another thread, and remembered.
async fn metrics_tell_of_texts_that_other_threads_read(place: Place) {
    let stage = Stage::open(place).await;
    let mut client = stage.client().await;
    let heavy = async || stage.metrics().await.sum("jumpgate_heavy_texts_total", &[]);
    client.run("SELECT 1").await;
    assert_eq!(heavy().await, 0.0);
    let long = format!("SELECT 1 WHERE 1 IN ({} 1)", "1, ".repeat(4000));
    client.run(&long).await;
    assert_eq!(heavy().await, 1.0);
    client.run(&long).await;
    assert_eq!(heavy().await, 1.0, "it is remembered");
}

/// FAULTS §4: `--log debug` was rustls and our own catalog SQL.
async fn a_log_of_the_level_debug_is_about_jumpgate(place: Place) {
    let stage = Stage::open(place).await;
    let folder = tempfile::tempdir().unwrap();
    let origin = stage.postgres.address().port();
    let text = file("[log]\nfilter = \"debug\"\n")
        .replace("port = 1\n", &format!("port = {origin}\n"))
        .replace("disabled = true", "disabled = false")
        .replace(
            "database = \"d\"\nuser = \"u\"\npassword = \"p\"",
            &format!(
                "database = \"app\"\nuser = \"app\"\npassword = \"{}\"",
                e2e::postgres::APP_PASSWORD
            ),
        );
    let mut proxy = start(folder.path(), &text);
    let address = proxy.says("jumpgate: postgres on ").unwrap().parse().unwrap();
    let endpoint =
        Endpoint { address, user: "app".into(), password: "p".into(), database: "app".into() };
    let mut client = Wire::connect(&endpoint).await;
    client.run("SELECT name FROM item WHERE id = 1").await;
    drop(client);
    eventually("the session is told of", async || proxy.log().contains("session")).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let log = proxy.log();
    for foreign in ["pg_catalog", "rustls", "tokio_postgres", "hyper"] {
        assert!(!log.contains(foreign), "{foreign}: {log}");
    }
    assert!(log.contains("DEBUG"), "{log}");
}

e2e::scenarios! {
    jumpgate_once: [
        the_log_says_who_was_refused_and_why,
        metrics_tell_of_sessions_pins_times_and_flushes,
        metrics_tell_of_texts_that_other_threads_read,
        a_user_has_as_many_clients_as_the_file_says,
        a_log_of_the_level_debug_is_about_jumpgate,
    ],
}
