//! Blocks whose beginning goes with their first statement, and whose end is not waited for.

use super::Postgres;

/// Plays a transcript with these lines of `[database.pool]`.
pub(super) async fn play(pool: &str, transcript: &str) {
    serving::script::play::<Postgres>(pool, transcript).await;
}

#[tokio::test(start_paused = true)]
async fn a_block_that_does_nothing_reaches_no_backend() {
    play(
        "",
        "C> Query begin
         C< Complete BEGIN | Ready T
         C> Query commit
         C< Complete COMMIT | Ready I
         C> Query start transaction isolation level serializable, read only;
         C< Complete START TRANSACTION | Ready T
         C> Query rollback and chain
         C< Complete ROLLBACK | Ready T
         C> Sync
         C< Ready T
         C> Query end work
         C< Complete COMMIT | Ready I
         C> Parse '' BEGIN | Describe S '' | Bind '' | Describe P '' | Execute | Sync
         C< ParseComplete | Types | NoData | BindComplete | NoData | Complete BEGIN | Ready T
         C> Parse '' abort | Bind '' | Execute | Sync
         C< ParseComplete | BindComplete | Complete ROLLBACK | Ready I
         C> Query select 1
         B1< Query select 1
         B1> Complete SELECT 0 | Ready I
         C< Complete SELECT 0 | Ready I",
    )
    .await;
}

/// What the server hears of the first statement of a block.
const OPENED: &str = "Parse '' begin | Bind '' | Execute";

#[tokio::test(start_paused = true)]
async fn a_block_that_only_reads_costs_one_wait() {
    play(
        "origin_connection_limit = 1",
        &format!(
            "C> Query begin
             C< Complete BEGIN | Ready T
             C> Query select 1
             B1< {OPENED} | Parse '' select 1 | Bind '' | Describe P '' | Execute | Sync
             B1> ParseComplete | BindComplete | Complete BEGIN
             B1> ParseComplete | BindComplete | Columns a | Row 1 | Complete SELECT 1 | Ready T
             C< Columns a | Row 1 | Complete SELECT 1 | Ready T
             C> Parse '' select 2 | Bind '' | Execute | Sync
             B1< Parse '' select 2 | Bind '' | Execute | Sync
             B1> ParseComplete | BindComplete | Complete SELECT 0 | Ready T
             C< ParseComplete | BindComplete | Complete SELECT 0 | Ready T
             C> Parse '' commit | Bind '' | Execute | Sync
             C< ParseComplete | BindComplete | Complete COMMIT | Ready I
             B1< Query commit
             D> Query select 3
             B1< nothing
             B1> Complete COMMIT | Ready I
             B1< Query select 3
             B1> Complete SELECT 0 | Ready I
             D< Complete SELECT 0 | Ready I"
        ),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_block_that_may_have_written_is_waited_for() {
    for (begin, statement) in [
        ("begin", "update t set n = 1"),
        ("begin", "select * from nosuch"),
        ("begin", "set local a.b to 1"),
        ("begin", "select 1 for update"),
        ("begin isolation level serializable", "select 1"),
    ] {
        play(
            "",
            &format!(
                "C> Query {begin}
                 C< Complete BEGIN | Ready T
                 C> Query {statement}
                 B1< Parse '' {begin} | Bind '' | Execute
                 B1< Parse '' {statement} | Bind '' | Describe P '' | Execute | Sync
                 B1> ParseComplete | BindComplete | Complete BEGIN
                 B1> ParseComplete | BindComplete | NoData | Complete DONE | Ready T
                 C< Complete DONE | Ready T
                 C> Query commit
                 C< nothing
                 B1< Query commit
                 B1> Complete COMMIT | Ready I
                 C< Complete COMMIT | Ready I"
            ),
        )
        .await;
    }
}

/// The client has its answer: that the backend is lost behind it is nothing to it.
#[tokio::test(start_paused = true)]
async fn a_backend_that_is_lost_before_it_hears_the_end_is_not_missed() {
    for end in ["Fatal 57P01 | close", "close", "Error 57014 | Ready I"] {
        play(
            "",
            &format!(
                "C> Query begin
                 C< Complete BEGIN | Ready T
                 C> Query select 1
                 B1< {OPENED} | Parse '' select 1 | Bind '' | Describe P '' | Execute | Sync
                 B1> ParseComplete | BindComplete | Complete BEGIN
                 B1> ParseComplete | BindComplete | Columns a | Complete SELECT 0 | Ready T
                 C< Columns a | Complete SELECT 0 | Ready T
                 C> Query rollback
                 C< Complete ROLLBACK | Ready I
                 B1< Query rollback
                 B1> {end}
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

/// What the server notes of a client's text its client hears.
#[tokio::test(start_paused = true)]
async fn a_notice_about_the_text_of_the_first_statement_is_told() {
    play(
        "",
        &format!(
            "C> Query begin
             C< Complete BEGIN | Ready T
             C> Query select 1
             B1< {OPENED} | Parse '' select 1 | Bind '' | Describe P '' | Execute | Sync
             B1> ParseComplete | BindComplete | Complete BEGIN | Notice 42622 | ParseComplete
             B1> Notice 01000 | BindComplete | Columns a | Complete SELECT 0 | Ready T
             C< Notice 42622 | Notice 01000 | Columns a | Complete SELECT 0 | Ready T"
        ),
    )
    .await;
}

/// What comes behind such an end and may want a lock finds it free.
#[tokio::test(start_paused = true)]
async fn what_may_want_a_lock_waits_for_the_end_of_the_last_block() {
    play(
        "",
        &format!(
            "C> Query begin
             C< Complete BEGIN | Ready T
             C> Query select 1
             B1< {OPENED} | Parse '' select 1 | Bind '' | Describe P '' | Execute | Sync
             B1> ParseComplete | BindComplete | Complete BEGIN
             B1> ParseComplete | BindComplete | Columns a | Complete SELECT 0 | Ready T
             C< Columns a | Complete SELECT 0 | Ready T
             C> Query commit
             C< Complete COMMIT | Ready I
             B1< Query commit
             C> Query select 2
             B2< Query select 2
             B2> Complete SELECT 0 | Ready I
             C< Complete SELECT 0 | Ready I
             C> Query drop table t
             B2< nothing
             B1> Complete COMMIT | Ready I
             B1< Query drop table t
             B1> Complete DROP TABLE | Ready I
             C< Complete DROP TABLE | Ready I"
        ),
    )
    .await;
}

/// What the server refuses at BEGIN the first statement is told.
#[tokio::test(start_paused = true)]
async fn an_error_of_the_beginning_answers_the_first_statement() {
    play(
        "",
        "C> Query begin read write
         C< Complete BEGIN | Ready T
         C> Parse '' update t set n = 1 | Bind '' | Execute | Sync
         B1< Parse '' begin read write | Bind '' | Execute
         B1< Parse '' update t set n = 1 | Bind '' | Execute | Sync
         B1> ParseComplete | BindComplete | Error 0A000 | Ready I
         B1< Query begin read write
         B1> Error 0A000 | Ready I
         C< Error 0A000 | Ready I
         C> Query begin read write
         C< Complete BEGIN | Ready T
         C> Parse s update t set n = 1 | Describe S s | Flush
         B1< Query begin read write
         B1> Error 0A000 | Ready I
         C< Error 0A000
         C> Bind s | Execute | Sync
         C< Ready I
         C> Query select 1
         B1< Query select 1
         B1> Complete SELECT 0 | Ready I
         C< Complete SELECT 0 | Ready I",
    )
    .await;
}

/// A text that an older server's grammar refuses fails in its block, as it would have.
#[tokio::test(start_paused = true)]
async fn a_statement_is_sent_again_where_its_block_opens_alone() {
    play(
        "",
        &format!(
            "C> Query begin
             C< Complete BEGIN | Ready T
             C> Query update t set n = 1
             B1< {OPENED} | Parse '' update t set n = 1 | Bind '' | Describe P '' | Execute | Sync
             B1> Error 53200 | Ready I
             B1< Query begin
             C< nothing
             B1> Complete BEGIN | Ready T
             B1< Query update t set n = 1
             B1> Complete UPDATE 1 | Ready T
             C< Complete UPDATE 1 | Ready T
             C> Query commit
             B1< Query commit
             B1> Complete COMMIT | Ready I
             C< Complete COMMIT | Ready I"
        ),
    )
    .await;
}

/// A cancel request that hits BEGIN was meant for the statement, which fails by it in its block.
#[tokio::test(start_paused = true)]
async fn a_cancel_request_that_hits_the_beginning_fails_the_block() {
    play(
        "",
        &format!(
            "C> Query begin
             C< Complete BEGIN | Ready T
             C> Query update t set n = 1
             B1< {OPENED} | Parse '' update t set n = 1 | Bind '' | Describe P '' | Execute | Sync
             C> cancel
             K< B1
             B1> ParseComplete | BindComplete | Error 57014 | Ready I
             B1< nothing
             K> done
             B1< Query begin
             B1> Complete BEGIN | Ready T
             B1< Parse '' jumpgate refuses | Sync
             B1> Error 42601 | Ready E
             C< Error 57014 | Ready E
             C> Query rollback
             B1< Query rollback
             B1> Complete ROLLBACK | Ready I
             C< Complete ROLLBACK | Ready I"
        ),
    )
    .await;
}

/// Who believes in a block must not go on without one.
#[tokio::test(start_paused = true)]
async fn a_session_ends_that_gets_no_backend_for_its_block() {
    for statement in ["Query update t set n = 1", "Parse '' select 1 | Bind '' | Execute | Sync"] {
        play(
            "origin_connection_limit = 1\ncheckout_timeout = 5",
            &format!(
                "C> Query begin
                 C< Complete BEGIN | Ready T
                 D> Query select 9
                 B1< Query select 9
                 C> {statement}
                 wait 5s
                 C< Fatal 58000 | closed
                 B1> Complete SELECT 0 | Ready I
                 D< Complete SELECT 0 | Ready I"
            ),
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_lost_with_the_beginning_ends_the_session() {
    play(
        "",
        &format!(
            "C> Query begin
             C< Complete BEGIN | Ready T
             C> Query select 1
             B1< {OPENED} | Parse '' select 1 | Bind '' | Describe P '' | Execute | Sync
             B1> ParseComplete | close
             C< Fatal 08006 | closed"
        ),
    )
    .await;
}

/// Nothing may run outside of the block that was sent behind it.
#[tokio::test(start_paused = true)]
async fn what_comes_behind_the_first_statement_waits_for_the_beginning() {
    play(
        "",
        &format!(
            "C> Query begin
             C< Complete BEGIN | Ready T
             C> Parse '' update t set n = 1 | Bind '' | Execute | Sync
             B1< {OPENED} | Parse '' update t set n = 1 | Bind '' | Execute | Sync
             C> Parse '' update t set n = 2 | Bind '' | Execute | Sync
             B1< nothing
             B1> ParseComplete | BindComplete | Complete BEGIN
             B1< Parse '' update t set n = 2 | Bind '' | Execute | Sync
             B1> ParseComplete | BindComplete | Complete UPDATE 1 | Ready T
             B1> ParseComplete | BindComplete | Complete UPDATE 1 | Ready T
             C< ParseComplete | BindComplete | Complete UPDATE 1 | Ready T
             C< ParseComplete | BindComplete | Complete UPDATE 1 | Ready T"
        ),
    )
    .await;
}

/// Who says more in one write does not wait for the answer to BEGIN: all of it goes on as it is.
#[tokio::test(start_paused = true)]
async fn a_beginning_with_more_behind_it_goes_on_at_once() {
    play(
        "",
        "C> Query begin | Query select 1
         B1< Query begin | Query select 1
         B1> Complete BEGIN | Ready T | Complete SELECT 0 | Ready T
         C< Complete BEGIN | Ready T | Complete SELECT 0 | Ready T",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_one_plain_statement_waits_for_the_beginning() {
    for (statement, done) in [
        ("begin", "Complete BEGIN"),
        ("select 1; select 2", "Complete SELECT 0 | Complete SELECT 0"),
        ("selct", "Error 42601"),
        ("prepare transaction 'x'", "Complete PREPARE TRANSACTION"),
        ("rollback to s", "Error 3B001"),
        ("copy t to stdout", "Error 42P01"),
        ("select $1", "Error 42P02"),
        ("update t set n = 1 returning n", "Columns n | Complete UPDATE 0"),
        ("", "EmptyQueryResponse"),
    ] {
        play(
            "",
            &format!(
                "C> Query begin
                 C< Complete BEGIN | Ready T
                 C> Query {statement}
                 B1< Query begin
                 B1> Complete BEGIN | Ready T
                 B1< Query {statement}
                 B1> {done} | Ready T
                 C< {done} | Ready T"
            ),
        )
        .await;
    }
}

/// FAULTS row 32: also of a client that holds no backend yet.
#[tokio::test(start_paused = true)]
async fn a_block_that_has_not_begun_at_a_backend_may_last_no_longer_than_others() {
    play(
        "idle_in_transaction_timeout = 30",
        "C> Query begin
         C< Complete BEGIN | Ready T
         wait 29s
         C< nothing
         wait 2s
         C< Fatal 25P03 | closed",
    )
    .await;
}

/// The server keeps such limits, which end a session: it must hear of the block.
#[tokio::test(start_paused = true)]
async fn a_block_of_a_client_with_a_limit_of_its_own_begins_at_once() {
    play(
        "",
        "C> Query set idle_in_transaction_session_timeout = 400
         B1< Query set idle_in_transaction_session_timeout = 400
         B1> Complete SET | Ready I
         C< Complete SET | Ready I
         C> Query begin
         B1< Query begin
         B1> Complete BEGIN | Ready T
         C< Complete BEGIN | Ready T",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_is_switched_off_by_itself() {
    play(
        "round_trips.begin = false",
        "C> Query begin
         B1< Query begin
         B1> Complete BEGIN | Ready T
         C< Complete BEGIN | Ready T
         C> Query select 1
         B1< Query select 1
         B1> Columns a | Complete SELECT 0 | Ready T
         C< Columns a | Complete SELECT 0 | Ready T
         C> Query commit
         C< Complete COMMIT | Ready I
         B1< Query commit
         B1> Complete COMMIT | Ready I",
    )
    .await;
    play(
        "round_trips.begin = false",
        "C> Query begin
         B1< Query begin
         B1> Complete BEGIN | Ready T
         C< Complete BEGIN | Ready T",
    )
    .await;
    play(
        "round_trips.commit = false",
        &format!(
            "C> Query begin
             C< Complete BEGIN | Ready T
             C> Query select 1
             B1< {OPENED} | Parse '' select 1 | Bind '' | Describe P '' | Execute | Sync
             B1> ParseComplete | BindComplete | Complete BEGIN
             B1> ParseComplete | BindComplete | Columns a | Complete SELECT 0 | Ready T
             C< Columns a | Complete SELECT 0 | Ready T
             C> Query commit
             C< nothing
             B1< Query commit
             B1> Complete COMMIT | Ready I
             C< Complete COMMIT | Ready I"
        ),
    )
    .await;
}
