//! Backends that are lost, and what their clients hear of it.

use super::play;

/// What a transcript is: see [`serving::script`].
#[tokio::test(start_paused = true)]
async fn a_statement_goes_to_a_backend_and_its_answer_comes_back() {
    play(
        "",
        "C> Query select 1
         B1< Query select 1
         B1> Columns a | Row 1 | Complete SELECT 1 | Ready I
         C< Columns a | Row 1 | Complete SELECT 1 | Ready I
         D> Query select 2
         B1< Query select 2
         B1> Error 42601 | Ready I
         D< Error 42601 | Ready I",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_lost_in_a_statement_ends_its_client_with_its_own_words() {
    play(
        "",
        "C> Query select 1
         B1< Query select 1
         B1> Fatal 57P01 | close
         C< Fatal 57P01 | closed
         D> Query select 2
         B2< Query select 2
         B2> close
         D< Fatal 08006 | closed",
    )
    .await;
}

/// FAULTS row 20: what an idle backend says last is nobody's. It would be taken for the answer to the next statement.
#[tokio::test(start_paused = true)]
async fn the_last_words_of_an_idle_backend_are_nobodys() {
    for end in ["Fatal 57P01 | close", "close", "Fatal 57P01", "Fatal 57P01 | Ready I"] {
        for first in ["Complete UPDATE 1 | Ready I", "Error 42601 | Ready I"] {
            play(
                "",
                &format!(
                    "C> Query update t set n = 1
                     B1< Query update t set n = 1
                     B1> {first} | {end}
                     C< {first}
                     C< nothing
                     C> Query select 2
                     B2< Query select 2
                     B2> Complete SELECT 0 | Ready I
                     C< Complete SELECT 0 | Ready I"
                ),
            )
            .await;
        }
    }
}

/// FAULTS row 20: the same where the words come before the proxy has looked again.
#[tokio::test(start_paused = true)]
async fn an_idle_backend_that_dies_while_nobody_looks_is_passed_over() {
    play(
        "",
        "C> Query select 1
         B1< Query select 1
         B1> Complete SELECT 0 | Ready I
         C< Complete SELECT 0 | Ready I
         B1> Fatal 57P01 | close
         C< nothing
         C> Query select 2
         B2< Query select 2
         B2> Complete SELECT 0 | Ready I
         C< Complete SELECT 0 | Ready I",
    )
    .await;
}

/// FAULTS row 20: what a session would lose with its backend it must hear of.
#[tokio::test(start_paused = true)]
async fn the_last_words_of_a_backend_in_a_transaction_are_its_clients() {
    play(
        "",
        "C> Query begin
         B1< Query begin
         B1> Complete BEGIN | Ready T | Fatal 57P01 | close
         C< Complete BEGIN | Ready T | Fatal 57P01 | closed
         D> Query listen a
         B2< Query listen a
         B2> Complete LISTEN | Ready I | Fatal 57P01 | close
         D< Complete LISTEN | Ready I | Fatal 57P01 | closed",
    )
    .await;
}

/// FAULTS row 20: an extended request is no different.
#[tokio::test(start_paused = true)]
async fn the_last_words_behind_an_extended_request_are_nobodys() {
    play(
        "",
        "C> Parse '' select 1 | Bind '' | Execute | Sync
         B1< Parse '' select 1 | Bind '' | Execute | Sync
         B1> ParseComplete | BindComplete | Complete SELECT 0 | Ready I | Fatal 57P01 | close
         C< ParseComplete | BindComplete | Complete SELECT 0 | Ready I
         C< nothing
         C> Query select 2
         B2< Query select 2
         B2> Complete SELECT 0 | Ready I
         C< Complete SELECT 0 | Ready I",
    )
    .await;
}

/// FAULTS row 63: where one was lost, the others that rest since before are asked whether they are there.
#[tokio::test(start_paused = true)]
async fn connections_beside_a_lost_one_are_asked_before_they_are_lent() {
    for (answer, next) in [
        ("B2> EmptyQueryResponse | Ready I", "B2"),
        ("wait 3s\nB2< closed", "B3"),
        ("B2> close", "B3"),
    ] {
        play(
            "",
            &format!(
                "C> Query begin
                 B1< Query begin
                 B1> Complete BEGIN | Ready T
                 C< Complete BEGIN | Ready T
                 D> Query select 1
                 B2< Query select 1
                 B2> Complete SELECT 0 | Ready I
                 D< Complete SELECT 0 | Ready I
                 wait 1s
                 B1> close
                 C< Fatal 08006 | closed
                 D> Query select 2
                 B2< Query
                 {answer}
                 {next}< Query select 2
                 {next}> Complete SELECT 0 | Ready I
                 D< Complete SELECT 0 | Ready I
                 D> Query select 3
                 {next}< Query select 3
                 {next}> Complete SELECT 0 | Ready I
                 D< Complete SELECT 0 | Ready I"
            ),
        )
        .await;
    }
}

/// FAULTS row 63: a statement that was cancelled and never ends, as nothing comes back from the origin, is given up.
#[tokio::test(start_paused = true)]
async fn a_backend_that_says_nothing_after_a_cancel_request_is_given_up() {
    play(
        "statement_timeout = 5",
        "C> Query select 1
         B1< Query select 1
         wait 5s
         K< B1
         K> done
         wait 59s
         C< nothing
         wait 2s
         C< Fatal 08006 | closed",
    )
    .await;
}
