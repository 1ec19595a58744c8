//! The same conversation direct and through jumpgate: every byte that a driver can see must be the same.
//!
//! Both sides use a database of the same server, made from the same template, so that object ids are the same too.

use std::panic::AssertUnwindSafe;

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage},
    wire::{Endpoint, Frame, Wire, say},
};
use futures_util::FutureExt;

use crate::corpus::{Case, End, cases};

/// Everything that one conversation showed, step by step.
pub(crate) type Seen = Vec<Vec<Frame>>;

async fn converse(endpoint: &Endpoint, case: &Case) -> Seen {
    let mut wire = Wire::connect(endpoint).await;
    let mut seen = Vec::new();
    for step in &case.steps {
        wire.send(&step.send).await;
        let mut frames = Vec::new();
        match step.end {
            End::Tag(tag) => frames = wire.until(tag).await,
            End::Ready(count) => {
                for _ready in 0..count {
                    frames.extend(wire.until_ready().await);
                }
            }
        }
        seen.push(frames);
    }
    // A frame too many would come before the end of the connection.
    assert!(wire.try_send(say::terminate()).await, "the connection is open at the end");
    seen.push(wire.until_closed().await);
    seen
}

/// One conversation; a panic in it is the result, so that the other cases still run.
pub(crate) async fn attempt(endpoint: &Endpoint, case: &Case) -> Result<Seen, String> {
    let outcome = AssertUnwindSafe(converse(endpoint, case)).catch_unwind().await;
    outcome.map_err(|panic| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => other
            .downcast::<&str>()
            .map_or_else(|_unknown| "a panic".into(), |text| (*text).to_owned()),
    })
}

pub(crate) fn difference(
    name: &str,
    expected: &Result<Seen, String>,
    found: &Result<Seen, String>,
) -> Option<String> {
    if let (Ok(expected), Ok(found)) = (expected, found) {
        if expected == found {
            return None;
        }
        for (number, (expected, found)) in expected.iter().zip(found).enumerate() {
            let common =
                expected.iter().zip(found).take_while(|(left, right)| left == right).count();
            let (left, right) = (expected.get(common), found.get(common));
            if left.is_some() || right.is_some() {
                return Some(format!(
                    "{name}\n  step {number}, frame {common}\n  database: {left:?}\n  jumpgate: {right:?}"
                ));
            }
        }
    }
    let end = |outcome: &Result<Seen, String>| {
        outcome.as_ref().err().cloned().unwrap_or_else(|| "a reply".into())
    };
    Some(format!("{name}\n  database: {}\n  jumpgate: {}", end(expected), end(found)))
}

async fn prepared(place: Place, setup: Setup) -> (Stage, Endpoint) {
    let stage = Stage::with(place, setup).await;
    let mut superuser = Wire::connect(&stage.postgres.superuser().with_database("postgres")).await;
    superuser.run("CREATE DATABASE reference TEMPLATE app OWNER app").await;
    superuser.close().await;
    let reference = stage.postgres.endpoint().with_database("reference");
    (stage, reference)
}

async fn compare(stage: &Stage, reference: &Endpoint, runs: usize) {
    let endpoint = stage.endpoint();
    let mut differences = Vec::new();
    let cases = cases();
    for case in &cases {
        let expected = attempt(reference, case).await;
        assert!(expected.is_ok(), "{}: the database itself: {expected:?}", case.name);
        for run in 1..=if case.repeatable { runs } else { 1 } {
            let found = attempt(&endpoint, case).await;
            differences.extend(difference(&format!("run {run}: {}", case.name), &expected, &found));
        }
        assert!(differences.len() < 200, "too many differences:\n{}", differences.join("\n"));
    }
    let count = differences.len();
    assert!(
        differences.is_empty(),
        "{count} differences in {} cases:\n{}",
        cases.len(),
        differences.join("\n")
    );
}

async fn replies_are_the_same_bytes_with_the_cache_cold_and_warm(place: Place) {
    let (stage, reference) = prepared(place, Setup::default()).await;
    compare(&stage, &reference, 3).await;
    if !stage.is_direct() {
        let hits = stage.metrics().await.queries("hit");
        assert!(hits > 50.0, "the second and third run are answered from the cache: {hits} hits");
    }
}

async fn replies_are_the_same_bytes_with_the_cache_off(place: Place) {
    let (stage, reference) = prepared(place, Setup::caching("disabled = true")).await;
    compare(&stage, &reference, 1).await;
    if !stage.is_direct() {
        assert_eq!(stage.metrics().await.queries("hit"), 0.0, "nothing is answered from the cache");
    }
}

async fn replies_are_the_same_bytes_with_one_origin_connection(place: Place) {
    let (stage, reference) = prepared(place, Setup::pool_of(1)).await;
    compare(&stage, &reference, 2).await;
}

e2e::scenarios! {
    everywhere: [
        replies_are_the_same_bytes_with_the_cache_cold_and_warm,
    ],
    jumpgate: [
        replies_are_the_same_bytes_with_the_cache_off,
        replies_are_the_same_bytes_with_one_origin_connection,
    ],
}
