//! What is measured of PostgreSQL.

use super::scenario::{MACHINE, Scenario, beside_texts};
use crate::{
    args::{Protocol, Tls},
    compare::{
        contender::Who,
        figures::Figure,
        goals::{
            Bound::{AtLeast, AtMost},
            Goal,
        },
        work::{
            Work,
            bulk::{Bulk, Way},
            idle::Idle,
            load::Reads,
            pgbench::{Mode, Pgbench, Script},
            storm::Storm,
        },
    },
};

pub(super) fn all(quick: bool) -> Vec<Scenario> {
    let mut all = Vec::new();
    for clients in [16, 64] {
        all.extend(MODES.map(|mode| select(mode, clients)));
    }
    all.extend([Mode::Extended, Mode::Prepared].map(pipelined));
    all.push(queue());
    all.push(idle("plaintext", Tls::Off).row("KB/client", Figure::KbPerClient, LITTLE));
    all.push(idle("TLS", Tls::Require).row("KB/client", Figure::KbPerClient, None));
    all.push(logins());
    all.push(storm());
    all.push(cached(Mode::Simple));
    if !quick {
        all.push(cached(Mode::Prepared));
    }
    let rows = if quick { 200_000 } else { 1_000_000 };
    all.extend([Way::Select, Way::CopyOut, Way::CopyIn].map(|way| bulk(way, rows)));
    all.push(tunnelled_bulk(rows / 4));
    all.push(tunnelled_query());
    all.extend(beside_texts("PostgreSQL", [Who::Direct, Who::PgBouncer, Who::Jumpgate]));
    all
}

fn select(mode: Mode, clients: u32) -> Scenario {
    let throughput = (clients == 64).then_some(Goal::Ratio(Who::PgBouncer, AtLeast(1.15)));
    let work = Work::Pgbench(Pgbench::select(mode, clients));
    Scenario::new(format!("{}, {clients} clients", mode.name()), work, EVERYBODY)
        .row("transactions/s", Figure::PerSecond, throughput)
        .row("CPU µs/transaction", Figure::CpuMicros, LESS_CPU)
        .row(MACHINE, Figure::MachineMicros, None)
}

fn pipelined(mode: Mode) -> Scenario {
    let work = Pgbench { script: Script::Pipeline, ..Pgbench::select(mode, 16) };
    let title = format!("{} pipeline of 3, 16 clients", mode.name());
    Scenario::new(title, Work::Pgbench(work), EVERYBODY)
        .row("scripts/s", Figure::PerSecond, None)
        .row("CPU µs/script", Figure::CpuMicros, LESS_CPU)
        .row(MACHINE, Figure::MachineMicros, None)
}

/// How evenly those are served who must wait for one of the pool's connections.
fn queue() -> Scenario {
    let work = Reads { protocol: Protocol::Prepared, clients: 500, warm: false };
    Scenario::new("500 clients on 20 connections", Work::Reads(work), POOLERS)
        .row("p99/p50", Figure::Tail, Goal::Value(AtMost(1.5)))
        .row("p99 ms", Figure::P99Ms, Goal::Ratio(Who::PgBouncer, AtMost(1.0)))
}

fn idle(how: &str, tls: Tls) -> Scenario {
    let work = Work::Idle(Idle { clients: 1500, tls });
    Scenario::new(format!("1,500 idle clients, {how}"), work, POOLERS)
}

fn logins() -> Scenario {
    let work = Pgbench { reconnect: true, ..Pgbench::select(Mode::Simple, 16) };
    Scenario::new("new connection each time, 16 clients", Work::Pgbench(work), EVERYBODY)
        .row("connections/s", Figure::PerSecond, AS_MANY_LOGINS)
        .row("CPU µs/connection", Figure::CpuMicros, None)
        .row(MACHINE, Figure::MachineMicros, None)
}

fn storm() -> Scenario {
    Scenario::new("storm of 2,000 logins", Work::Storm(Storm { clients: 2000 }), POOLERS)
        .row("connections/s", Figure::PerSecond, AS_MANY_LOGINS)
        .row("longest running query, ms", Figure::LongestMs, Goal::Value(AtMost(STALL_MS)))
}

/// Jumpgate does it twice, so that what a hit costs can be held against what it saves.
fn cached(mode: Mode) -> Scenario {
    let work = Pgbench { script: Script::Few, ..Pgbench::select(mode, 16) };
    let title = format!("cached hit, {}, 16 clients", mode.name());
    let who = [&EVERYBODY[..], &[Who::Cached]].concat();
    Scenario::new(title, Work::Pgbench(work), who)
        .row("transactions/s", Figure::PerSecond, Goal::Ratio(Who::Direct, AtLeast(2.0)))
        .row("CPU µs/transaction", Figure::CpuMicros, Goal::Ratio(Who::Jumpgate, AtMost(0.6)))
        .row(MACHINE, Figure::MachineMicros, None)
}

fn bulk(way: Way, rows: u32) -> Scenario {
    let what = match way {
        Way::Select => "rows selected",
        Way::CopyOut => "rows copied out",
        Way::CopyIn => "rows copied in",
    };
    let work = Work::Bulk(Bulk { way, rows, clients: 1 });
    let title = format!("{},000 {what}", crate::report::table::number(f64::from(rows / 1000)));
    Scenario::new(title, work, EVERYBODY)
        .row("MB/s", Figure::MegabytesPerSecond, Goal::Ratio(Who::Direct, AtLeast(0.95)))
        .row("memory grown, MB", Figure::GrownMegabytes, Goal::Value(AtMost(FLAT_MEGABYTES)))
        .row("all CPU µs/MB", Figure::MachineMicros, None)
}

fn tunnelled_bulk(rows: u32) -> Scenario {
    let work = Work::Bulk(Bulk { way: Way::Select, rows, clients: 4 });
    Scenario::new("tunnel, 4 connections, bulk", work, [Who::DirectTls, Who::Tunnel]).row(
        "MB/s",
        Figure::MegabytesPerSecond,
        Goal::Ratio(Who::DirectTls, AtLeast(0.5)),
    )
}

fn tunnelled_query() -> Scenario {
    let work = Work::Reads(Reads { protocol: Protocol::Prepared, clients: 1, warm: false });
    let goal = Goal::Over(Who::DirectTls, AtMost(150.0));
    let title = "tunnel (haproxy: three in a row), 1 client";
    Scenario::new(title, work, [Who::DirectTls, Who::Relays, Who::Tunnel])
        .row("p50 µs", Figure::P50Micros, goal)
        .row(MACHINE, Figure::MachineMicros, None)
}

const MODES: [Mode; 3] = [Mode::Simple, Mode::Extended, Mode::Prepared];
const EVERYBODY: [Who; 4] = [Who::Direct, Who::HaProxy, Who::PgBouncer, Who::Jumpgate];
const POOLERS: [Who; 2] = [Who::PgBouncer, Who::Jumpgate];
const LESS_CPU: Goal = Goal::Ratio(Who::PgBouncer, AtMost(0.9));
const AS_MANY_LOGINS: Goal = Goal::Ratio(Who::PgBouncer, AtLeast(1.0));
const LITTLE: Goal = Goal::Value(AtMost(2.5));
/// What nobody would call a stall, where two processors are shared with two thousand clients.
const STALL_MS: f64 = 100.0;
/// Far less than the result has, which is a hundred.
const FLAT_MEGABYTES: f64 = 8.0;
