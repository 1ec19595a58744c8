//! What befalls proxies that share a tier, with evidence that it did.

use std::{fs, net::SocketAddr, time::Duration};

use e2e::{
    engine::{Database, Stage},
    several::Several,
    stage::eventually,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};

use super::{LEASE, workload::Registers};
use crate::random_scripts::shape::Random;

/// One kind of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trouble {
    /// The tier stands still for longer than a lease.
    TierStopped,
    /// It answers only now and then.
    TierSlow,
    /// It is killed, and knows nothing when it is there again.
    TierKilled,
    /// It forgets everything without being killed.
    TierFlushed,
    /// One proxy cannot reach it, and nobody says so.
    NodeCutOff,
    /// The connections of one to it are lost.
    NodeDisconnected,
    /// A proxy stands still for longer than its lease, and goes on.
    NodeStopped,
    /// A proxy is killed, and another is there in its place.
    NodeKilled,
    /// The database is killed and started again.
    OriginKilled,
}

/// All of them.
pub(super) const ALL: [Trouble; 9] = [
    Trouble::TierStopped,
    Trouble::TierSlow,
    Trouble::TierKilled,
    Trouble::TierFlushed,
    Trouble::NodeCutOff,
    Trouble::NodeDisconnected,
    Trouble::NodeStopped,
    Trouble::NodeKilled,
    Trouble::OriginKilled,
];

/// The figure that says whether a proxy has a lease.
const HAS_LEASE: &str = "jumpgate_cluster_lease";
/// How often a proxy emptied its memory.
const EMPTIED: &str = "jumpgate_cluster_emptied_total";

/// Lets all befall them, in an order that follows from the seed, again and again until the time is over, each at least once.
/// Returns how often each did.
pub(super) async fn befall(
    stage: &mut impl Stage,
    several: &mut Several,
    registers: &Registers,
    (seed, until): (u64, Instant),
) -> Vec<(Trouble, u32)> {
    let mut random = Random::of(seed);
    let mut befell: Vec<(Trouble, u32)> = ALL.iter().map(|trouble| (*trouble, 0)).collect();
    loop {
        let mut left: Vec<usize> = (0..ALL.len()).collect();
        while !left.is_empty() {
            let which = left.swap_remove(random.below(left.len()));
            let (trouble, count) = &mut befell[which];
            if *count > 0 && Instant::now() >= until {
                continue;
            }
            let node = random.below(several.count());
            befalls(*trouble, stage, several, registers, node).await;
            *count += 1;
            // All is well for a while.
            leases(several).await;
            sleep(LEASE / 2).await;
        }
        if Instant::now() >= until {
            return befell;
        }
    }
}

/// Waits until every proxy has a lease.
pub(super) async fn leases(several: &Several) {
    for node in 0..several.count() {
        eventually("every proxy has a lease", async || {
            has_lease(several, node).await == Some(true)
        })
        .await;
    }
}

async fn has_lease(several: &Several, node: usize) -> Option<bool> {
    Some(several.figure(node, HAS_LEASE).await? > 0.0)
}

async fn loses_lease(several: &Several, node: usize) {
    let what = "a proxy that does not hear of the tier has no lease";
    eventually(what, async || has_lease(several, node).await == Some(false)).await;
}

async fn emptied(several: &Several, node: usize) -> f64 {
    several.figure(node, EMPTIED).await.unwrap_or_default()
}

async fn empties(several: &Several, node: usize, before: f64) {
    let what = "a proxy that comes in anew empties its memory";
    eventually(what, async || emptied(several, node).await > before).await;
}

async fn befalls(
    trouble: Trouble,
    stage: &mut impl Stage,
    several: &mut Several,
    registers: &Registers,
    node: usize,
) {
    let before = emptied(several, node).await;
    match trouble {
        Trouble::TierStopped => {
            redis(several).signal("STOP");
            for node in 0..several.count() {
                loses_lease(several, node).await;
            }
            sleep(LEASE / 2).await;
            redis(several).signal("CONT");
        }
        Trouble::TierSlow => {
            let slow = LEASE / 20;
            let until = Instant::now() + LEASE * 2;
            while Instant::now() < until {
                redis(several).signal("STOP");
                sleep(slow).await;
                redis(several).signal("CONT");
                sleep(slow / 5).await;
            }
        }
        Trouble::TierKilled => {
            let redis = several.redis.as_mut().expect("there is a tier");
            redis.kill_9();
            sleep(LEASE / 4).await;
            redis.restart().expect("Redis starts again");
            empties(several, node, before).await;
        }
        Trouble::TierFlushed => {
            flush(redis(several).address()).await.expect("Redis forgets everything");
            empties(several, node, before).await;
        }
        Trouble::NodeCutOff => {
            several.cut_off(node);
            loses_lease(several, node).await;
            sleep(LEASE).await;
            several.reconnect(node).await;
        }
        Trouble::NodeDisconnected => several.reconnect(node).await,
        Trouble::NodeStopped => {
            several.signal(node, "STOP");
            let stat = format!("/proc/{}/stat", several.pid(node));
            eventually("the process is stopped", async || {
                fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T "))
            })
            .await;
            sleep(LEASE * 2).await;
            several.signal(node, "CONT");
            // Somebody wrote meanwhile, and did not wait for it any longer.
            empties(several, node, before).await;
        }
        Trouble::NodeKilled => {
            let old = several.pid(node);
            several.replace(stage, node);
            assert_ne!(several.pid(node), old);
            *registers.endpoints.write() = several.endpoints();
        }
        Trouble::OriginKilled => {
            stage.database().kill_9();
            sleep(Duration::from_millis(200)).await;
            stage.database().restart();
        }
    }
}

async fn flush(redis: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(redis).await?;
    stream.write_all(b"FLUSHALL\r\n").await?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"+OK\r\n");
    Ok(())
}

fn redis(several: &Several) -> &e2e::redis::Redis {
    several.redis.as_ref().expect("there is a tier")
}
