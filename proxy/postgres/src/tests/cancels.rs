//! Cancel requests, and the timeouts that end a session or a statement.

use super::play;

/// FAULTS row 32: until a request is known to have been acted upon, nobody else may have the backend that it is for.
#[tokio::test(start_paused = true)]
async fn a_backend_is_not_lent_while_a_cancel_request_for_it_is_on_its_way() {
    for (end, next) in [("K> done", "B1"), ("wait 11s\nB1< closed", "B2")] {
        play(
            "origin_connection_limit = 1",
            &format!(
                "C> Query select 1
                 B1< Query select 1
                 C> cancel
                 K< B1
                 B1> Complete SELECT 0 | Ready I
                 C< Complete SELECT 0 | Ready I
                 D> Query select 2
                 B1< nothing
                 {end}
                 {next}< Query select 2
                 {next}> Complete SELECT 0 | Ready I
                 D< Complete SELECT 0 | Ready I"
            ),
        )
        .await;
    }
}

/// FAULTS row 32: the same where whoever asked for it has stopped waiting.
#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_waits_for_any_more_leaves_its_backend_in_doubt() {
    play(
        "origin_connection_limit = 1",
        "C> Query select 1
         B1< Query select 1
         C> close
         K< B1
         B1> Complete SELECT 0 | Ready I
         wait 11s
         B1< closed
         D> Query select 2
         B2< Query select 2
         B2> Complete SELECT 0 | Ready I
         D< Complete SELECT 0 | Ready I",
    )
    .await;
}

/// FAULTS row 32: the request that ends a statement after its time must not reach the client's next one.
#[tokio::test(start_paused = true)]
async fn a_statement_waits_for_the_cancel_request_of_the_one_before() {
    play(
        "statement_timeout = 5",
        "C> Query begin
         B1< Query begin
         B1> Complete BEGIN | Ready T
         C< Complete BEGIN | Ready T
         C> Query select 1
         B1< Query select 1
         wait 5s
         K< B1
         B1> Complete SELECT 0 | Ready T
         C< Complete SELECT 0 | Ready T
         C> Query update t set n = 1
         B1< nothing
         K> done
         B1< Query update t set n = 1
         B1> Complete UPDATE 1 | Ready T
         C< Complete UPDATE 1 | Ready T",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_statement_that_was_cancelled_after_its_time_says_so() {
    play(
        "statement_timeout = 5",
        "C> Query select 1
         B1< Query select 1
         wait 5s
         K< B1
         K> done
         B1> Error 57014 | Ready I
         C< Error 57014 | Ready I
         C> Query select 2
         B1< Query select 2
         B1> Complete SELECT 0 | Ready I
         C< Complete SELECT 0 | Ready I",
    )
    .await;
}

/// FAULTS row 32: clients that open a transaction and fall silent keep their backends no longer than is allowed.
#[tokio::test(start_paused = true)]
async fn a_silent_transaction_is_ended_where_the_config_says_when() {
    play(
        "origin_connection_limit = 1\nidle_in_transaction_timeout = 30",
        "C> Query begin
         B1< Query begin
         B1> Complete BEGIN | Ready T
         C< Complete BEGIN | Ready T
         wait 29s
         C> Query select 1
         B1< Query select 1
         wait 40s
         B1> Complete SELECT 0 | Ready T
         C< Complete SELECT 0 | Ready T
         wait 29s
         D> Query select 2
         B1< nothing
         wait 1s
         C< Fatal 25P03 | closed
         B1< Query ROLLBACK
         B1> Complete ROLLBACK | Ready I
         B1< Query select 2
         B1> Complete SELECT 0 | Ready I
         D< Complete SELECT 0 | Ready I",
    )
    .await;
}

/// FAULTS §3: a client that says no Sync may be waiting for an error, and has a transaction open.
#[tokio::test(start_paused = true)]
async fn messages_without_a_sync_are_held_for_a_moment() {
    play(
        "origin_connection_limit = 1\nidle_in_transaction_timeout = 30",
        "C> Parse '' select 1
         wait 90ms
         C> Bind ''
         wait 90ms
         B1< Parse '' select 1 | Bind '' | Flush
         B1> ParseComplete | Error 22000
         C< ParseComplete | Error 22000
         C> Execute
         wait 29s
         B1< nothing
         C> Sync
         B1< Sync
         B1> Ready I
         C< Ready I
         wait 60s
         C> Parse '' select 2 | Bind '' | Execute
         wait 100ms
         B1< Parse '' select 2 | Bind '' | Execute | Flush
         B1> ParseComplete | BindComplete | Complete SELECT 0
         C< ParseComplete | BindComplete | Complete SELECT 0
         wait 31s
         C< Fatal 25P03 | closed
         B1< Parse '' jumpgate refuses | Sync
         B1> Error 42601 | Ready I
         B1< Query DISCARD ALL
         B1> Complete DISCARD ALL | Ready I",
    )
    .await;
}

/// Nothing ends a transaction that is idle unless the config says so.
#[tokio::test(start_paused = true)]
async fn a_silent_transaction_lasts_unless_the_config_says_otherwise() {
    play(
        "",
        "C> Query begin
         B1< Query begin
         B1> Complete BEGIN | Ready T
         C< Complete BEGIN | Ready T
         wait 36000s
         C> Query select 1
         B1< Query select 1
         B1> Complete SELECT 0 | Ready T
         C< Complete SELECT 0 | Ready T",
    )
    .await;
}
