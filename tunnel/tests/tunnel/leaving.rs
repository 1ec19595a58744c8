//! Connectors and edges that leave: what nobody is on ends at once, and what is under way goes on.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, timeout},
};
use tunnel::client::Stream;

use crate::stage::{PATIENCE, Stage, echo};

/// What FAULTS row 22 allows.
const SOON: Duration = Duration::from_secs(2);

async fn echoes(stream: &mut Stream, text: &[u8]) {
    stream.write_all(text).await.expect("open");
    stream.flush().await.expect("open");
    let mut back = vec![0; text.len()];
    timeout(PATIENCE, stream.read_exact(&mut back)).await.expect("in time").expect("open");
    assert_eq!(back, text);
}

async fn becomes(what: &str, mut condition: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    let polling = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let is_so = timeout(PATIENCE, polling).await.is_ok();
    assert!(is_so, "never: {what}");
    start.elapsed()
}

/// FAULTS row 22.
#[tokio::test]
async fn a_connector_that_leaves_takes_its_time_only_for_those_who_are_busy() {
    let service = echo().await;
    let stage = Stage::open().await;
    let (monitor, stop) = stage.watched_connector(service).await;
    let client = stage.client(Some(stage.token.clone()));
    let (mut idle, mut busy) =
        (client.dial().await.expect("a stream"), client.dial().await.expect("a stream"));
    echoes(&mut idle, b"once").await;
    echoes(&mut busy, b"once").await;
    assert!(idle.rest(), "nothing is about to end");
    stop.cancel();
    let took = becomes("the idle stream ends", || monitor.stats().active == 1).await;
    assert!(took < SOON, "{took:?}");
    assert!(idle.has_ended() && !idle.lend());
    echoes(&mut busy, b"who is busy goes on").await;
    assert!(!busy.rest(), "and gives the stream back at its end");
    let took = becomes("the last stream ends", || monitor.stats().active == 0).await;
    assert!(took < SOON, "{took:?}");
}

/// FAULTS row 22.
#[tokio::test]
async fn an_edge_that_leaves_has_idle_streams_given_back_at_once() {
    let (stage, _stop) = Stage::with_service(echo().await).await;
    let client = stage.client(Some(stage.token.clone()));
    let (mut idle, mut busy) =
        (client.dial().await.expect("a stream"), client.dial().await.expect("a stream"));
    echoes(&mut idle, b"once").await;
    echoes(&mut busy, b"once").await;
    assert!(idle.rest());
    let stats = || stage.edge.handle.stats();
    assert_eq!((stats().streams, stats().opened), (2, 2));
    stage.edge.stop.cancel();
    echoes(&mut busy, b"who is busy goes on").await;
    let took = becomes("the idle stream ends", || stats().streams == 1).await;
    assert!(took < SOON, "{took:?}");
}

/// A stream that is given back and lent again is not ended under whoever has it.
#[tokio::test]
async fn a_stream_that_is_lent_again_rests_no_more() {
    let (stage, stop) = Stage::with_service(echo().await).await;
    let mut stream = stage.client(Some(stage.token.clone())).dial().await.expect("a stream");
    assert!(stream.rest() && stream.lend());
    stop.cancel();
    becomes("its way is about to end", || stream.has_ended()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    echoes(&mut stream, b"still").await;
}
