//! What is measured of MySQL.

use super::scenario::{MACHINE, Scenario, beside_texts};
use crate::{
    args::Protocol,
    compare::{
        contender::Who,
        figures::Figure,
        goals::{Bound::AtLeast, Goal},
        work::{Work, load::Reads},
    },
};

pub(super) fn all() -> Vec<Scenario> {
    let protocols = [("text", Protocol::Simple), ("prepared", Protocol::Prepared)];
    let mut all = Vec::new();
    for clients in [8, 64] {
        all.extend(protocols.map(|(name, protocol)| point(name, protocol, clients)));
    }
    for clients in [8, 64] {
        all.extend(protocols.map(|(name, protocol)| cached(name, protocol, clients)));
    }
    all.extend(beside_texts("MySQL", [Who::Direct, Who::Router, Who::Jumpgate]));
    all
}

fn point(name: &str, protocol: Protocol, clients: u32) -> Scenario {
    let work = Work::Reads(Reads { protocol, clients, warm: false });
    Scenario::new(format!("MySQL {name}, {clients} clients"), work, EVERYBODY)
        .row("transactions/s", Figure::PerSecond, Goal::Ratio(Who::HaProxy, AtLeast(1.0)))
        .row("CPU µs/transaction", Figure::CpuMicros, None)
        .row(MACHINE, Figure::MachineMicros, None)
}

fn cached(name: &str, protocol: Protocol, clients: u32) -> Scenario {
    let work = Work::Reads(Reads { protocol, clients, warm: true });
    let title = format!("MySQL cached hit, {name}, {clients} clients");
    Scenario::new(title, work, [Who::Direct, Who::Cached])
        .row("transactions/s", Figure::PerSecond, Goal::Ratio(Who::Direct, AtLeast(1.5)))
        .row("CPU µs/transaction", Figure::CpuMicros, None)
}

const EVERYBODY: [Who; 4] = [Who::Direct, Who::HaProxy, Who::Router, Who::Jumpgate];
