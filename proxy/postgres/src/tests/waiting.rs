//! What is said in a block of which no backend has heard: savepoints, and questions about the session.

use super::blocks::play;

#[tokio::test(start_paused = true)]
async fn savepoints_in_which_nothing_ran_reach_no_backend() {
    play(
        "",
        "C> Query begin
         C< Complete BEGIN | Ready T
         C> Query savepoint a
         C< Complete SAVEPOINT | Ready T
         C> Query SAVEPOINT \"B\"
         C< Complete SAVEPOINT | Ready T
         C> Parse '' rollback to savepoint a | Bind '' | Describe P '' | Execute | Sync
         C< ParseComplete | BindComplete | NoData | Complete ROLLBACK | Ready T
         C> Parse s release A | Describe S s | Bind s | Execute | Sync
         C< ParseComplete | Types | NoData | BindComplete | Complete RELEASE | Ready T
         C> Query rollback
         C< Complete ROLLBACK | Ready I
         C> Query select 1
         B1< Query select 1
         B1> Complete SELECT 0 | Ready I
         C< Complete SELECT 0 | Ready I",
    )
    .await;
}

/// What the server hears of a block with two savepoints.
const OPENED: &str = "Parse '' begin | Bind '' | Execute | Parse '' SAVEPOINT \"a\" | Bind '' | Execute | \
     Parse '' SAVEPOINT \"b\" | Bind '' | Execute";
/// What it says to that, but for the beginning.
const MADE: &str = "ParseComplete | BindComplete | Complete SAVEPOINT";

#[tokio::test(start_paused = true)]
async fn a_savepoint_that_is_open_goes_with_the_first_statement() {
    play(
        "",
        &format!(
            "C> Query begin
             C< Complete BEGIN | Ready T
             C> Query savepoint a
             C< Complete SAVEPOINT | Ready T
             C> Query savepoint b
             C< Complete SAVEPOINT | Ready T
             C> Query set timezone to 'Asia/Tokyo'
             B1< {OPENED} | Parse '' set timezone to 'Asia/Tokyo' | Bind '' | Describe P '' | Execute | Sync
             B1> ParseComplete | BindComplete | Complete BEGIN | {MADE} | {MADE}
             B1> ParseComplete | BindComplete | NoData | Complete SET | Parameter TimeZone=Asia/Tokyo | Ready T
             C< Complete SET | Parameter TimeZone=Asia/Tokyo | Ready T
             # It takes back what came behind it.
             C> Query rollback to b
             B1< Query rollback to b
             B1> Complete ROLLBACK | Parameter TimeZone=UTC | Ready T
             C< Complete ROLLBACK | Parameter TimeZone=UTC | Ready T
             C> Query commit
             B1< Query commit
             B1> Complete COMMIT | Ready I
             C< Complete COMMIT | Ready I
             D> Query select 1
             B1< Query select 1
             B1> Complete SELECT 0 | Ready I
             D< Complete SELECT 0 | Ready I
             C> Query select 1
             B1< Query select 1
             B1> Complete SELECT 0 | Ready I
             C< Complete SELECT 0 | Ready I"
        ),
    )
    .await;
}

/// What is no plain statement has all of it go alone, and be waited for.
#[tokio::test(start_paused = true)]
async fn a_savepoint_that_does_not_exist_is_the_servers_to_refuse() {
    for said in ["release c", "rollback to c", "release \"A\""] {
        play(
            "",
            &format!(
                "C> Query begin
                 C< Complete BEGIN | Ready T
                 C> Query savepoint a
                 C< Complete SAVEPOINT | Ready T
                 C> Query {said}
                 B1< Query begin;SAVEPOINT \"a\"
                 B1> Complete BEGIN | Complete SAVEPOINT | Ready T
                 B1< Query {said}
                 B1> Error 3B001 | Ready E
                 C< Error 3B001 | Ready E
                 C> Query rollback to a
                 B1< Query rollback to a
                 B1> Complete ROLLBACK | Ready T
                 C< Complete ROLLBACK | Ready T
                 C> Query rollback
                 B1< Query rollback
                 B1> Complete ROLLBACK | Ready I
                 C< Complete ROLLBACK | Ready I"
            ),
        )
        .await;
    }
    play(
        "",
        "C> Query savepoint a
         B1< Query savepoint a
         B1> Error 25P01 | Ready I
         C< Error 25P01 | Ready I",
    )
    .await;
}

/// The block is open, and fails as the statement would have.
#[tokio::test(start_paused = true)]
async fn a_cancel_request_that_hits_a_savepoint_fails_the_block() {
    play(
        "",
        &format!(
            "C> Query begin
             C< Complete BEGIN | Ready T
             C> Query savepoint a
             C< Complete SAVEPOINT | Ready T
             C> Query savepoint b
             C< Complete SAVEPOINT | Ready T
             C> Query update t set n = 1
             B1< {OPENED} | Parse '' update t set n = 1 | Bind '' | Describe P '' | Execute | Sync
             C> cancel
             K< B1
             B1> ParseComplete | BindComplete | Complete BEGIN | {MADE}
             B1> ParseComplete | BindComplete | Error 57014 | Ready E
             B1< nothing
             K> done
             C< Error 57014 | Ready E
             C> Query rollback
             B1< Query rollback
             B1> Complete ROLLBACK | Ready I
             C< Complete ROLLBACK | Ready I"
        ),
    )
    .await;
    play(
        "",
        "C> Query begin
         C< Complete BEGIN | Ready T
         C> Query savepoint a
         C< Complete SAVEPOINT | Ready T
         C> Query copy t to stdout
         B1< Query begin;SAVEPOINT \"a\"
         C> cancel
         K< B1
         B1> Complete BEGIN | Error 57014 | Ready E
         B1< nothing
         K> done
         C< Error 57014 | Ready E
         C> Query rollback
         B1< Query rollback
         B1> Complete ROLLBACK | Ready I
         C< Complete ROLLBACK | Ready I",
    )
    .await;
}

/// What an origin has said outside of a block holds in one that says nothing else.
#[tokio::test(start_paused = true)]
async fn what_was_shown_before_is_shown_in_a_block() {
    play(
        "",
        "C> Query show work_mem
         B1< Query show work_mem
         B1> Columns work_mem | Row 4MB | Complete SHOW | Ready I
         C< Columns work_mem | Row 4MB | Complete SHOW | Ready I
         D> Query begin
         D< Complete BEGIN | Ready T
         D> Query savepoint a
         D< Complete SAVEPOINT | Ready T
         D> Query show work_mem
         D< Columns work_mem | Row 4MB | Complete SHOW | Ready T
         D> Query rollback
         D< Complete ROLLBACK | Ready I
         # Not where it says how it is isolated: that may be what is asked.
         D> Query begin isolation level serializable
         D< Complete BEGIN | Ready T
         D> Query show work_mem
         B1< Parse '' begin isolation level serializable | Bind '' | Execute
         B1< Parse '' show work_mem | Bind '' | Describe P '' | Execute | Sync
         B1> ParseComplete | BindComplete | Complete BEGIN
         B1> ParseComplete | BindComplete | Columns work_mem | Row 4MB | Complete SHOW | Ready T
         D< Columns work_mem | Row 4MB | Complete SHOW | Ready T
         E> Query begin transaction  isolation level SERIALIZABLE
         E< Complete BEGIN | Ready T
         E> Query show work_mem
         E< Columns work_mem | Row 4MB | Complete SHOW | Ready T",
    )
    .await;
}

/// A block that has only read has the settings of its session.
#[tokio::test(start_paused = true)]
async fn what_is_asked_in_a_block_is_learnt_there() {
    let opened = "Parse '' begin | Bind '' | Execute";
    play(
        "",
        &format!(
            "C> Query begin
             C< Complete BEGIN | Ready T
             C> Query show work_mem
             B1< {opened} | Parse '' show work_mem | Bind '' | Describe P '' | Execute | Sync
             B1> ParseComplete | BindComplete | Complete BEGIN
             B1> ParseComplete | BindComplete | Columns work_mem | Row 4MB | Complete SHOW | Ready T
             C< Columns work_mem | Row 4MB | Complete SHOW | Ready T
             C> Query show lock_timeout
             B1< Query show lock_timeout
             B1> Columns lock_timeout | Row 0 | Complete SHOW | Ready T
             C< Columns lock_timeout | Row 0 | Complete SHOW | Ready T
             D> Query show lock_timeout
             D< Columns lock_timeout | Row 0 | Complete SHOW | Ready I
             D> Query begin
             D< Complete BEGIN | Ready T
             D> Query show work_mem
             D< Columns work_mem | Row 4MB | Complete SHOW | Ready T
             D> Query commit
             D< Complete COMMIT | Ready I
             # Behind what sets something it may be another value.
             C> Query set local lock_timeout to 7
             B1< Query set local lock_timeout to 7
             B1> Complete SET | Ready T
             C< Complete SET | Ready T
             C> Query show deadlock_timeout
             B1< Query show deadlock_timeout
             B1> Columns deadlock_timeout | Row 1s | Complete SHOW | Ready T
             C< Columns deadlock_timeout | Row 1s | Complete SHOW | Ready T
             C> Query rollback
             B1< Query rollback
             B1> Complete ROLLBACK | Ready I
             C< Complete ROLLBACK | Ready I
             D> Query show deadlock_timeout
             B1< Query show deadlock_timeout
             B1> Columns deadlock_timeout | Row 1s | Complete SHOW | Ready I
             D< Columns deadlock_timeout | Row 1s | Complete SHOW | Ready I"
        ),
    )
    .await;
}

/// Without a block it has said what it says, and done nothing.
#[tokio::test(start_paused = true)]
async fn what_sets_something_for_its_transaction_is_no_question() {
    let set = "select set_config('work_mem', '7MB', true)";
    let told = "Columns set_config | Row 7MB | Complete SELECT 1";
    play(
        "",
        &format!(
            "C> Query {set}
             B1< Query {set}
             B1> {told} | Ready I
             C< {told} | Ready I
             {CLEANED}
             C> Query {set}
             C< {told} | Ready I
             C> Query begin isolation level read committed
             C< Complete BEGIN | Ready T
             C> Query {set}
             B1< Parse '' begin isolation level read committed | Bind '' | Execute
             B1< Parse '' {set} | Bind '' | Describe P '' | Execute | Sync
             B1> ParseComplete | BindComplete | Complete BEGIN
             B1> ParseComplete | BindComplete | {told} | Ready T
             C< {told} | Ready T"
        ),
    )
    .await;
}

/// Behind a function of which the catalog, which is empty, says nothing.
const CLEANED: &str =
    "B1< Query CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; \
     SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP
     B1> Complete DISCARD TEMP | Ready I";

/// At the server a SELECT takes a snapshot, behind which it is too late to say how the transaction is isolated.
#[tokio::test(start_paused = true)]
async fn what_took_a_snapshot_has_taken_it_at_the_server_too() {
    let version = "Query select pg_catalog.version()";
    let told = "Columns version | Row 18 | Complete SELECT 1";
    let first = format!(
        "C> {version}
         B1< {version}
         B1> {told} | Ready I
         C< {told} | Ready I
         {CLEANED}
         C> Query begin isolation level read committed
         C< Complete BEGIN | Ready T
         C> {version}
         B1< Parse '' begin isolation level read committed | Bind '' | Execute
         B1< Parse '' select pg_catalog.version() | Bind '' | Describe P '' | Execute | Sync
         B1> ParseComplete | BindComplete | Complete BEGIN
         B1> ParseComplete | BindComplete | {told} | Ready T
         C< {told} | Ready T
         C> Query rollback
         B1< Query rollback
         B1> Complete ROLLBACK | Ready I
         C< Complete ROLLBACK | Ready I
         {CLEANED}
         C> Query begin isolation level read committed
         C< Complete BEGIN | Ready T
         C> {version}
         C< {told} | Ready T"
    );
    for (second, heard, done) in [
        (
            "set transaction isolation level serializable",
            "Parse '' SELECT WHERE false | Bind '' | Execute | ",
            "ParseComplete | BindComplete | Complete SELECT 0 | ",
        ),
        ("update t set n = 1", "", ""),
    ] {
        play(
            "",
            &format!(
                "{first}
                 C> Query {second}
                 B1< Parse '' begin isolation level read committed | Bind '' | Execute
                 B1< {heard}Parse '' {second} | Bind '' | Describe P '' | Execute | Sync
                 B1> ParseComplete | BindComplete | Complete BEGIN
                 B1> {done}ParseComplete | BindComplete | NoData | Complete DONE | Ready T
                 C< Complete DONE | Ready T"
            ),
        )
        .await;
    }
    // Where that is the block's for good, it is taken when it is asked for.
    for level in ["repeatable read", "serializable"] {
        let begin = format!("begin isolation level {level}");
        let asked = format!(
            "C> Query {begin}
             C< Complete BEGIN | Ready T
             C> {version}
             B1< Parse '' {begin} | Bind '' | Execute
             B1< Parse '' select pg_catalog.version() | Bind '' | Describe P '' | Execute | Sync
             B1> ParseComplete | BindComplete | Complete BEGIN
             B1> ParseComplete | BindComplete | {told} | Ready T
             C< {told} | Ready T
             C> Query rollback
             B1< Query rollback
             B1> Complete ROLLBACK | Ready I
             C< Complete ROLLBACK | Ready I
             {CLEANED}"
        );
        play("", &format!("{asked}\n{asked}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_block_that_only_shows_ends_unheard() {
    play(
        "",
        "C> Query begin
         C< Complete BEGIN | Ready T
         C> Query savepoint a
         C< Complete SAVEPOINT | Ready T
         C> Query show work_mem
         B1< Parse '' begin | Bind '' | Execute | Parse '' SAVEPOINT \"a\" | Bind '' | Execute
         B1< Parse '' show work_mem | Bind '' | Describe P '' | Execute | Sync
         B1> ParseComplete | BindComplete | Complete BEGIN | ParseComplete | BindComplete | Complete SAVEPOINT
         B1> ParseComplete | BindComplete | Columns work_mem | Row 4MB | Complete SHOW | Ready T
         C< Columns work_mem | Row 4MB | Complete SHOW | Ready T
         C> Query rollback to a
         B1< Query rollback to a
         B1> Complete ROLLBACK | Ready T
         C< Complete ROLLBACK | Ready T
         C> Query release a
         B1< Query release a
         B1> Complete RELEASE | Ready T
         C< Complete RELEASE | Ready T
         C> Query commit
         C< Complete COMMIT | Ready I
         B1< Query commit
         B1> Complete COMMIT | Ready I",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn it_is_switched_off_with_the_rest() {
    play(
        "round_trips.settings = false",
        "C> Query show work_mem
         B1< Query show work_mem
         B1> Columns work_mem | Row 4MB | Complete SHOW | Ready I
         C< Columns work_mem | Row 4MB | Complete SHOW | Ready I
         C> Query begin
         C< Complete BEGIN | Ready T
         C> Query show work_mem
         B1< Parse '' begin | Bind '' | Execute | Parse '' show work_mem | Bind '' | Describe P '' | Execute | Sync
         B1> ParseComplete | BindComplete | Complete BEGIN
         B1> ParseComplete | BindComplete | Columns work_mem | Row 4MB | Complete SHOW | Ready T
         C< Columns work_mem | Row 4MB | Complete SHOW | Ready T",
    )
    .await;
}
