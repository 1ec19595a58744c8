//! Blocks that begin with their first statement, and ends that are not waited for.

use super::play as play_in;

/// What an origin says of its transactions: where it does not, nothing is spared.
const USUAL: &str = "begins transaction_isolation=REPEATABLE-READ
    begins transaction_read_only=OFF
    begins completion_type=NO_CHAIN\n";

async fn play(pool: &str, transcript: &str) {
    play_in(pool, &[USUAL, transcript].concat()).await;
}

/// Issue 14: a read in a block costs one round trip.
#[tokio::test(start_paused = true)]
async fn a_block_that_only_reads_begins_with_its_statement_and_ends_unheard() {
    for (begin, sent) in [
        ("begin", "START TRANSACTION"),
        ("Begin WORK;", "START TRANSACTION"),
        ("start transaction read only", "START TRANSACTION READ ONLY"),
    ] {
        for (end, sent_end) in [("commit", "COMMIT"), ("rollback work", "ROLLBACK")] {
            play(
                "origin_connection_limit = 1",
                &format!(
                    "C> Query {begin}
                     C< OK trans
                     C> Query select 1
                     B1< Query {sent}
                     B1< Query select 1
                     B1> OK trans | Read 1
                     C< Rows 1
                     C> Query {end}
                     C< OK
                     B1< Query {sent_end}
                     D> Query delete from t
                     B1< nothing
                     B1> OK
                     B1< Query delete from t
                     B1> OK
                     D< OK"
                ),
            )
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_block_that_does_nothing_reaches_no_backend() {
    play(
        "",
        "C> Query begin
         C< OK trans
         C> Query begin
         C< OK trans
         C> Query rollback
         C< OK
         C> Query commit
         C< OK
         C> Query begin
         C< OK trans
         C> Ping
         C< OK trans
         C> Reset
         C< OK
         C> Ping
         C< OK",
    )
    .await;
}

/// What a block has done is there once its client hears of its end.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_block_that_wrote_or_may_have_is_waited_for() {
    for sql in ["delete from t", "insert into t values (1)"] {
        play(
            "",
            &format!(
                "C> Query begin
                 C< OK trans
                 C> Query {sql}
                 B1< Query START TRANSACTION
                 B1< Query {sql}
                 B1> OK trans | OK trans
                 C< OK trans
                 C> Query commit
                 B1< Query commit
                 C< nothing
                 B1> OK
                 C< OK"
            ),
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_says_more_than_begin_and_commit_is_asked() {
    for sql in [
        "start transaction with consistent snapshot",
        "start transaction read write",
        "begin /* a */ work",
        "start transaction read only, with consistent snapshot",
    ] {
        play(
            "",
            &format!(
                "C> Query {sql}
                 B1< Query {sql}
                 B1> OK trans
                 C< OK trans
                 C> Query commit and chain
                 B1< Query commit and chain
                 B1> OK trans
                 C< OK trans"
            ),
        )
        .await;
    }
}

/// The statement may have run by itself: nobody is told that it was in a block.
#[tokio::test(start_paused = true)]
async fn a_session_whose_block_did_not_begin_ends() {
    play(
        "",
        "C> Query begin
         C< OK trans
         C> Query delete from t
         B1< Query START TRANSACTION
         B1< Query delete from t
         B1> Err 1317 | OK
         C< Err 1105 | closed
         B1< Quit | closed",
    )
    .await;
}

/// FAULTS row 32: so does one whose backend is lost with its block.
#[tokio::test(start_paused = true)]
async fn a_session_whose_block_is_lost_while_it_begins_ends() {
    play(
        "",
        "C> Query begin
         C< OK trans
         C> Query select 1
         B1< Query START TRANSACTION
         B1< Query select 1
         B1> close
         C< Err 2013 | closed",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_lost_behind_the_end_of_a_read_is_not_missed() {
    for lost in ["close", "Err 1317"] {
        play(
            "",
            &format!(
                "C> Query begin
                 C< OK trans
                 C> Query select 1
                 B1< Query START TRANSACTION
                 B1< Query select 1
                 B1> OK trans | Read 1
                 C< Rows 1
                 C> Query commit
                 C< OK
                 B1< Query COMMIT
                 B1> {lost}
                 {}
                 C> Query delete from t
                 B2< Query delete from t
                 B2> OK
                 C< OK",
                if lost == "close" { "C< nothing" } else { "B1< Quit | closed" }
            ),
        )
        .await;
    }
}

/// A client in a block that has done nothing loses nothing: it may try again.
#[tokio::test(start_paused = true)]
async fn a_statement_that_finds_no_backend_fails_and_its_block_stays() {
    play(
        "origin_connection_limit = 1\ncheckout_timeout = 5",
        "D> Query delete from t
         B1< Query delete from t
         C> Query begin
         C< OK trans
         C> Query select 1
         wait 5s
         C< Err 1040
         B1> OK
         D< OK
         C> Query select 1
         B1< Query START TRANSACTION
         B1< Query select 1
         B1> OK trans | Read 1
         C< Rows 1",
    )
    .await;
}

/// Issue 14: PyMySQL leaves its transaction open, and what its backend has prepared is kept all the same.
#[tokio::test(start_paused = true)]
async fn who_leaves_a_block_that_has_only_read_leaves_a_rollback() {
    play(
        "",
        "C> Query begin
         C< OK trans
         C> Query select 1
         B1< Query START TRANSACTION
         B1< Query select 1
         B1> OK trans | Read 1
         C< Rows 1
         C> Quit
         C< closed
         B1< Query ROLLBACK
         B1> OK
         D> Query delete from t
         B1< Query delete from t
         B1> OK
         D< OK",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_block_that_has_done_nothing_ends_where_the_config_says_when() {
    play(
        "idle_in_transaction_timeout = 30",
        "C> Query begin
         C< OK trans
         wait 29s
         C< nothing
         wait 1s
         C< closed",
    )
    .await;
}

/// Issue 14: what was accepted before is not asked again; what was refused is.
#[tokio::test(start_paused = true)]
async fn a_setting_that_was_accepted_is_answered() {
    play(
        "",
        "C> Query set names utf8mb4
         B1< Query set names utf8mb4
         B1> OK
         C< OK
         D> Query set names utf8mb4
         D< OK
         D> Query set timestamp = 1
         B1< Query set timestamp = 1
         B1> OK
         D< OK",
    )
    .await;
}

/// MySQL: found by random scripts.
#[tokio::test(start_paused = true)]
async fn a_block_that_ends_one_which_only_reads_only_reads_too() {
    play(
        "",
        "C> Query start transaction read only
         C< OK trans
         C> Query begin
         C< OK trans
         C> Query delete from t
         B1< Query START TRANSACTION READ ONLY
         B1< Query delete from t
         B1> OK trans | OK trans
         C< OK trans",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_is_switched_off_by_itself() {
    // What a client begins itself it ends itself.
    play(
        "round_trips.begin = false",
        "C> Query begin
         B1< Query begin
         B1> OK trans
         C< OK trans
         C> Query select 1
         B1< Query select 1
         B1> Read 1
         C< Rows 1
         C> Query commit
         B1< Query commit
         B1> OK
         C< OK",
    )
    .await;
    play(
        "round_trips.commit = false",
        "C> Query begin
         C< OK trans
         C> Query select 1
         B1< Query START TRANSACTION
         B1< Query select 1
         B1> OK trans | Read 1
         C< Rows 1
         C> Query commit
         B1< Query commit
         C< nothing
         B1> OK
         C< OK",
    )
    .await;
    play(
        "round_trips.settings = false",
        "C> Query set names utf8mb4
         B1< Query set names utf8mb4
         B1> OK
         C< OK
         D> Query set names utf8mb4
         B1< Query set names utf8mb4
         B1> OK
         D< OK",
    )
    .await;
}
