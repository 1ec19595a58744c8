//! Backends that are lost, and what their clients hear of it.

use super::play;

/// What a transcript is: see [`serving::script`].
#[tokio::test(start_paused = true)]
async fn a_statement_goes_to_a_backend_and_its_answer_comes_back() {
    play(
        "",
        "C> Query select 1
         B1< Query select 1
         B1> Rows 1
         C< Rows 1
         D> Query select 2
         B1< Query select 2
         B1> Rows 2
         D< Rows 2",
    )
    .await;
}

/// FAULTS row 20: what an idle backend says last is nobody's.
#[tokio::test(start_paused = true)]
async fn the_last_words_of_an_idle_backend_are_nobodys() {
    for end in ["Unasked 4031 | close", "Unasked 4031", "Unasked 1927 | close", "close"] {
        play(
            "",
            &format!(
                "C> Query select 1
                 B1< Query select 1
                 B1> Rows 1 | {end}
                 C< Rows 1
                 C< nothing
                 K< nothing
                 C> Query select 2
                 B2< Query select 2
                 B2> Rows 2
                 C< Rows 2"
            ),
        )
        .await;
    }
}

/// FAULTS row 20: what a session would lose with its backend it must hear of.
#[tokio::test(start_paused = true)]
async fn a_session_whose_transaction_is_lost_while_it_is_idle_ends() {
    play(
        "",
        "C> Query begin
         B1< Query begin
         B1> OK trans | Unasked 4031 | close
         C< OK trans | Err 4031 | closed",
    )
    .await;
}

/// FAULTS row 32: the client is told of a lost backend at once, and not once a KILL of what it ran is over.
#[tokio::test(start_paused = true)]
async fn a_lost_backend_is_told_of_before_its_statement_is_killed() {
    play(
        "",
        "C> Query delete from t
         B1< Query delete from t
         origin mute
         B1> close
         C< Err 2013
         wait 30s
         origin back
         C> Query select 1
         B2< Query select 1
         B2> Rows 1
         C< Rows 1
         wait 10s
         Q< B1
         Q> gone",
    )
    .await;
}

/// FAULTS row 32: a client that opens a transaction and falls silent keeps its backend no longer than is allowed.
#[tokio::test(start_paused = true)]
async fn a_silent_transaction_is_ended_where_the_config_says_when() {
    play(
        "origin_connection_limit = 1\nidle_in_transaction_timeout = 30",
        "C> Query begin
         B1< Query begin
         B1> OK trans
         C< OK trans
         wait 29s
         C> Query select 1
         B1< Query select 1
         B1> OK trans
         C< OK trans
         wait 29s
         C< nothing
         wait 1s
         C< closed
         B1< Reset",
    )
    .await;
}

/// A KILL QUERY may hit what is sent in front of a statement. The transaction is lost with the backend then, and its client
/// must not go on as if it were open.
#[tokio::test(start_paused = true)]
async fn a_session_whose_settings_fail_in_a_transaction_ends() {
    play(
        "",
        "C> Query begin
         B1< Query begin
         B1> OK trans
         C< OK trans
         C> Query set session_track_schema = off
         B1< Query set session_track_schema = off
         B1> OK trans
         C< OK trans
         B1< Query SELECT @@session.session_track_schema
         B1> OK trans
         C> Query insert into t values (1)
         B1< Query SET session_track_system_variables='*',session_track_schema=ON,session_track_state_change=ON
         B1> Err 1317
         C< Err 1105 | closed
         B1< Quit | closed",
    )
    .await;
}
