//! Statements that are prepared together with their execution, where that is a MariaDB and it can do no harm.

use super::play as play_in;

const MARIADB: &str = "begins version=10.11.6-MariaDB\n";

/// `C` has prepared a statement where `D` is now, so that it is executed elsewhere.
const ELSEWHERE: &str = "C> Prepare delete from t
    B1< Prepare delete from t
    B1> Prepared 7
    C< Prepared 1
    D> Query start transaction with consistent snapshot
    B1< Query start transaction with consistent snapshot
    B1> OK trans
    D< OK trans
    C> Execute 1\n";

async fn play(beginning: &str, transcript: &str) {
    play_in("", &[beginning, ELSEWHERE, transcript].concat()).await;
}

/// Issue 14: it costs one round trip and not two.
#[tokio::test(start_paused = true)]
async fn a_backend_is_given_a_statement_with_its_execution() {
    play(
        MARIADB,
        "B2< Prepare delete from t
         B2< Execute last
         B2> Prepared 3 | OK
         C< OK
         C> Execute 1
         B2< Execute 3
         B2> OK
         C< OK",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn another_server_says_first_what_it_calls_it() {
    play(
        "",
        "B2< Prepare delete from t
         B2< nothing
         B2> Prepared 3
         B2< Execute 3
         B2> OK
         C< OK",
    )
    .await;
}

/// Nothing has run where it was not prepared: the server is asked again, and what it says then is told.
#[tokio::test(start_paused = true)]
async fn what_is_not_prepared_is_tried_as_without() {
    for (found, told) in [("Err 1146", "Err 1146"), ("Prepared 4", "OK")] {
        let rest = match told {
            "OK" => "B2< Execute 4\nB2> OK\nC< OK",
            _ => {
                "C< Err 1146\nB2< Ping\nB2> OK\nB2< Query SHOW WARNINGS\nB2> Rows x\n\
                  B2< Query SHOW SESSION STATUS LIKE 'Uptime'\nB2> Rows 5"
            }
        };
        let transcript = format!(
            "B2< Prepare delete from t
             B2< Execute last
             B2> Err 1146 | Unknown
             C< nothing
             B2< Prepare delete from t
             B2> {found}
             {rest}"
        );
        play(MARIADB, &transcript).await;
    }
}

/// As behind another proxy, which knows no last statement.
#[tokio::test(start_paused = true)]
async fn what_is_not_found_is_executed_by_its_number() {
    play(
        MARIADB,
        "B2< Prepare delete from t
         B2< Execute last
         B2> Prepared 3 | Unknown
         C< nothing
         B2< Execute 3
         B2> OK
         C< OK",
    )
    .await;
}

/// A server without room for one more statement takes what it prepared before for the last one.
#[tokio::test(start_paused = true)]
async fn behind_what_writes_it_is_done_step_by_step() {
    play(
        MARIADB,
        "B2< Prepare delete from t
         B2< Execute last
         B2> Prepared 3 | OK
         C< OK
         D> Prepare insert into t values (1)
         B1< Prepare insert into t values (1)
         B1> Prepared 8
         D< Prepared 1
         C> Prepare insert into t values (1)
         C< Prepared 2
         C> Execute 2
         B2< Prepare insert into t values (1)
         B2< nothing
         B2> Prepared 4
         B2< Execute 4
         B2> OK
         C< OK",
    )
    .await;
}
