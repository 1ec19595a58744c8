//! Many proxies, one truth: histories of clients that read and write through proxies which share a tier, while everything
//! that can go wrong does.
//!
//! `JUMPGATE_HISTORY_SECONDS` says how long the long history is (default: 30 for each engine), `JUMPGATE_HISTORY_SEED` what
//! it begins with; `./run suites history` asks for more.

mod session;
mod troubles;
mod workload;

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use e2e::{
    engine::{Client as _, Database, Place, Stage},
    history,
    jumpgate::{Engine, Setup},
    mysql::{Server, stage as mysql_stage},
    several::Several,
    stage::{self, Route, Version},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use workload::Registers;

/// Of each proxy: short, so that many end.
const LEASE: Duration = Duration::from_secs(1);
/// Lines of `[cluster]`.
const CLUSTER: &str = "lease = 1.0\nwrite_wait = 5.0";
const CLIENTS: u16 = 12;

/// How a history is made.
#[derive(Clone, Copy, Debug)]
struct Plan {
    nodes: usize,
    shares: bool,
    troubles: bool,
    time: Duration,
    seed: u64,
}

/// What came of it.
struct Outcome {
    operations: usize,
    writes: usize,
    hits: f64,
    found: f64,
    failed: u64,
    refused: u64,
    private: u64,
    befell: Vec<(troubles::Trouble, u32)>,
    missed: Vec<history::Missed>,
    wrong: Vec<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operations, writes, hits, found, failed, .. } = self;
        writeln!(
            f,
            "{operations} operations, {writes} of them writes, {hits} answered by a cache, {found} found in the tier, {failed} failed"
        )?;
        writeln!(f, "befell: {:?}", self.befell)?;
        let Self { missed, wrong, .. } = self;
        writeln!(f, "{} missed, {} wrong", missed.len(), wrong.len())?;
        missed.iter().take(20).try_for_each(|missed| writeln!(f, "  {missed}"))?;
        wrong.iter().take(20).try_for_each(|wrong| writeln!(f, "  {wrong}"))
    }
}

/// A second way to the same database, as a user who may read less.
fn second<D: Database>(database: &D) -> String {
    let (scheme, port) = (D::SCHEME, database.port());
    format!(
        "[[database]]\nname = \"second\"\n[[database.user]]\nname = \"app\"\n\
         password_file = \"client-password\"\n[database.origin]\nscheme = \"{scheme}\"\n\
         host = \"127.0.0.1\"\nport = {port}\ndatabase = \"app\"\nuser = \"stranger\"\n\
         password = \"stranger\"\n[database.mtls]\nsslmode = \"require\"\n"
    )
}

/// What makes the stranger.
fn stranger(scheme: &str) -> [&'static str; 2] {
    match scheme {
        "postgres" => {
            ["CREATE ROLE stranger LOGIN PASSWORD 'stranger'", "GRANT SELECT ON reg_0 TO stranger"]
        }
        _ => [
            "CREATE USER stranger@'%' IDENTIFIED BY 'stranger'",
            "GRANT SELECT ON app.reg_0 TO stranger@'%'",
        ],
    }
}

/// Makes a history and looks at it.
async fn history<P: Place>(place: P, plan: Plan) -> Outcome {
    // A database that is killed must know what it has said to have committed.
    let durable = Setup {
        postgres: vec!["synchronous_commit = on"],
        mysql: vec!["--innodb-flush-log-at-trx-commit=2"],
        ..Setup::pool_of(8)
    };
    let mut stage = place.stage(durable).await;
    assert!(stage.is_direct(), "the proxies are started here");
    let mut owner = stage.direct().await;
    for text in workload::tables() {
        owner.run(&text).await;
    }
    let scheme = scheme(&mut stage);
    let mut superuser = stage.superuser().await;
    for text in stranger(scheme) {
        superuser.run(text).await;
    }
    let engine = if scheme == "postgres" { Engine::Postgres } else { Engine::MySql };
    let setup = Setup {
        engine,
        caching: "max_age = 60\nstale_while_revalidate = 15".into(),
        more: second(stage.database()),
        ..Setup::pool_of(8)
    };
    let cluster = plan.shares.then_some(CLUSTER);
    let started = Several::start(&stage, (plan.nodes, &setup), cluster).await;
    let mut several = started.expect("the proxies start");
    if plan.shares {
        troubles::leases(&several).await;
    }
    let registers = Registers::new(engine, several.endpoints());
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let seed = plan.seed.wrapping_add(u64::from(number) * 7919);
        clients.spawn(Arc::clone(&registers).client(number, seed));
    }
    clients.spawn(Arc::clone(&registers).stranger(plan.seed));
    let until = Instant::now() + plan.time;
    let befell = if plan.troubles {
        troubles::befall(&mut stage, &mut several, &registers, (plan.seed, until)).await
    } else {
        sleep(plan.time).await;
        Vec::new()
    };
    registers.is_over.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.expect("a client ends");
    }
    outcome(&several, &registers, befell).await
}

/// The scheme of a stage's database.
fn scheme<S: Stage>(_stage: &mut S) -> &'static str {
    <S::Database as Database>::SCHEME
}

async fn outcome(
    several: &Several,
    registers: &Registers,
    befell: Vec<(troubles::Trouble, u32)>,
) -> Outcome {
    let (mut hits, mut found) = (0.0, 0.0);
    for node in 0..several.count() {
        let metrics = several.metrics(node).await.expect("it answers");
        hits += metrics.queries("hit") + metrics.queries("stale");
        found += metrics.sum("jumpgate_cluster_found_total", &[]);
    }
    let operations = registers.seen.lock();
    let count = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
    Outcome {
        operations: operations.len(),
        writes: operations.iter().filter(|it| it.act == history::Act::Write).count(),
        hits,
        found,
        failed: count(&registers.counts.failed),
        refused: count(&registers.counts.refused),
        private: count(&registers.counts.private),
        befell,
        missed: history::missed(&operations),
        wrong: std::mem::take(&mut registers.wrong.lock()),
    }
}

/// Nothing was missed, and much might have been.
fn is_good(outcome: &Outcome) {
    eprintln!("{outcome}");
    assert!(outcome.missed.is_empty() && outcome.wrong.is_empty(), "{outcome}");
    assert!(outcome.writes > 20 && outcome.hits > 100.0, "too little happened: {outcome}");
    assert!(outcome.refused > 0 && outcome.private > 0, "nobody was refused: {outcome}");
}

async fn one_proxy_alone_misses_nothing<P: Place>(place: P) {
    let plan = Plan {
        nodes: 1,
        shares: false,
        troubles: false,
        time: Duration::from_secs(5),
        seed: seed(),
    };
    is_good(&history(place, plan).await);
}

/// That the checker sees what it is for.
async fn two_proxies_that_share_nothing_are_found_out<P: Place>(place: P) {
    let plan = Plan {
        nodes: 2,
        shares: false,
        troubles: false,
        time: Duration::from_secs(5),
        seed: seed(),
    };
    let outcome = history(place, plan).await;
    eprintln!("{outcome}");
    assert!(!outcome.missed.is_empty(), "two caches that know nothing of each other: {outcome}");
}

async fn whatever_befalls_three_proxies_that_share_a_tier<P: Place>(place: P) {
    let plan = Plan { nodes: 3, shares: true, troubles: true, time: seconds(), seed: seed() };
    let outcome = history(place, plan).await;
    is_good(&outcome);
    assert!(outcome.found > 0.0, "nothing was found in the tier: {outcome}");
    assert!(outcome.befell.iter().all(|(_, count)| *count > 0), "{outcome}");
}

fn seconds() -> Duration {
    Duration::from_secs(number("JUMPGATE_HISTORY_SECONDS").unwrap_or(30))
}

fn seed() -> u64 {
    let seed = number("JUMPGATE_HISTORY_SEED").unwrap_or(1);
    eprintln!("JUMPGATE_HISTORY_SEED={seed}");
    seed
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A runtime of its own, without a limit of time.
fn run<F: Future<Output = ()>>(scenario: F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(scenario);
}

/// Makes a test of each for each engine.
macro_rules! histories {
    ($($name:ident),* $(,)?) => {
        mod postgres {
            $(#[test] fn $name() {
                let place = super::stage::Place {
                    version: super::Version::Fifteen,
                    route: super::Route::Direct,
                };
                super::run(super::$name(place));
            })*
        }
        mod mariadb {
            $(#[test] fn $name() {
                let place = super::mysql_stage::Place {
                    server: super::Server::MariaDb,
                    route: super::Route::Direct,
                };
                super::run(super::$name(place));
            })*
        }
    };
}

histories! {
    one_proxy_alone_misses_nothing,
    two_proxies_that_share_nothing_are_found_out,
    whatever_befalls_three_proxies_that_share_a_tier,
}
