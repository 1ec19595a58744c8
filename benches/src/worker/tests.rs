//! A client against a play, in virtual time.

use anyhow::anyhow;
use clap::Parser;

use super::*;
use crate::{
    args,
    client::scripted::{self, right},
    table::Versions,
    verify::Answer,
};

const MILLI: Duration = Duration::from_millis(1);

/// Runs one client for ten seconds.
async fn play(endpoint: Endpoint, pace: Pace, arguments: &str) -> Tally {
    let words = |text: &str| -> Vec<String> {
        ["x"].into_iter().chain(text.split_whitespace()).map(ToOwned::to_owned).collect()
    };
    let workload = args::Workload::parse_from(["x", "--keys", "10"]);
    let pace = Arc::new(pace);
    let worker = Worker {
        endpoint: Arc::new(endpoint),
        client: None,
        pace: Arc::clone(&pace),
        mix: Mix::new(&workload, 0, Arc::new(Versions::after(0))).unwrap(),
        memory: Memory::new(false),
        tally: Arc::default(),
        shape: Shape::parse_from(words(arguments)),
    };
    let tally = Arc::clone(&worker.tally);
    tokio::join!(worker.run(), pace.close_at_end());
    let mut all = tally.lock().clone();
    for due in pace.left_over() {
        all.record(due.elapsed(), Outcome::Late);
    }
    all
}

fn open(every: Duration) -> Pace {
    let pace = Pace::open(Instant::now(), 10_000 * MILLI, every);
    pace.release_all();
    pace
}

fn closed() -> Pace {
    Pace::closed(Instant::now(), 10_000 * MILLI)
}

/// Answers within a millisecond, but for one second in the middle answers nothing.
fn stalling() -> Endpoint {
    scripted::endpoint(|operation, since| {
        let stall = (5_000 * MILLI..6_000 * MILLI).contains(&since);
        let takes = if stall { 6_000 * MILLI - since } else { MILLI };
        (takes, Ok(right(operation)))
    })
}

#[tokio::test(start_paused = true)]
async fn an_open_loop_shows_a_stall_that_a_closed_loop_omits() {
    let open = play(stalling(), open(10 * MILLI), "").await;
    let closed = play(stalling(), closed(), "--think-time 9ms").await;
    // Both had one answer that took a second. In the open loop a hundred were due meanwhile.
    assert!(closed.max_ms() > 990.0 && open.max_ms() > 990.0);
    assert!(closed.percentile_ms(99.0) < 2.0, "closed: {}", closed.percentile_ms(99.0));
    assert!(open.percentile_ms(99.0) > 800.0, "open: {}", open.percentile_ms(99.0));
    assert!(open.percentile_ms(50.0) < 2.0, "open: {}", open.percentile_ms(50.0));
    assert_eq!((open.right, open.late), (1_000, 0), "each that was due was asked");
}

#[tokio::test(start_paused = true)]
async fn what_a_slow_target_leaves_undone_counts_as_late() {
    let slow = scripted::endpoint(|operation, _| (2_100 * MILLI, Ok(right(operation))));
    let tally = play(slow, open(1_000 * MILLI), "").await;
    assert_eq!((tally.right, tally.late), (5, 5));
    assert_eq!(tally.latency.len(), 10, "the late ones are in the latency too");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_answer_is_counted_with_its_example() {
    let wrong = scripted::endpoint(|_, _| (MILLI, Ok(Answer::Rows(vec![]))));
    let tally = play(wrong, closed(), "").await;
    assert_eq!((tally.right, tally.errors), (0, 0));
    assert_eq!(tally.wrong, tally.latency.len());
    assert!(tally.wrong_example.unwrap().ends_with("0 rows instead of one"));
}

#[tokio::test(start_paused = true)]
async fn an_error_is_counted_and_the_client_goes_on_after_a_pause() {
    let failing = scripted::endpoint(|operation, since| {
        // On each connection: one answer, then an error.
        if since.is_zero() { (MILLI, Ok(right(operation))) } else { (MILLI, Err(anyhow!("gone"))) }
    });
    let tally = play(failing, closed(), "").await;
    // 1 ms + 1 ms + 10 ms for each pair, in ten seconds.
    assert_eq!((tally.right, tally.errors), (834, 834));
    assert_eq!(tally.error_example.as_deref(), Some("gone"));
}

#[tokio::test(start_paused = true)]
async fn a_stuck_answer_is_an_error_after_the_timeout() {
    let stuck = scripted::endpoint(|operation, _| (1_000_000 * MILLI, Ok(right(operation))));
    let tally = play(stuck, closed(), "--timeout 3s").await;
    assert_eq!((tally.right, tally.errors), (0, 4));
    assert!(tally.error_example.unwrap().starts_with("no answer in time"));
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_counts_each_of_its_statements() {
    let endpoint = scripted::endpoint(|operation, _| (MILLI, Ok(right(operation))));
    let tally = play(endpoint, closed(), "--pipeline 10").await;
    assert_eq!(tally.right, 10_000);
    assert!((tally.max_ms() - 10.0).abs() < 0.1, "the last answer waits for those before");
}
