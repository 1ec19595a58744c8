//! What a statement is, said again without a backend, and held against what a backend says when it runs.

use super::play;

/// C prepares it, and is described it by its backend.
const LEARNT: &str = "C> Parse s select a from t where b = $1 | Describe S s | Sync
     B1< Parse ~_1 select a from t where b = $1 | Describe S ~_1 | Sync
     B1> ParseComplete | Types 23 | Columns a | Ready I
     C< ParseComplete | Types 23 | Columns a | Ready I";

async fn play_learnt(pool: &str, transcript: &str) {
    play(pool, &format!("{LEARNT}\n{transcript}")).await;
}

#[tokio::test(start_paused = true)]
async fn who_prepares_what_was_described_before_asks_nobody() {
    play_learnt(
        "",
        "# By another name, without a name, up to a Flush, alone, and what was prepared alone.
         D> Parse x select a from t where b = $1 | Describe S x | Flush
         D< ParseComplete | Types 23 | Columns a
         D> Parse '' select a from t where b = $1 | Describe S '' | Sync
         D< ParseComplete | Types 23 | Columns a | Ready I
         D> Parse y select a from t where b = $1 | Sync
         D< ParseComplete | Ready I
         D> Describe S y | Sync
         D< Types 23 | Columns a | Ready I
         # Its backend has it: it was settled as if that had said so.
         D> Bind x | Execute | Sync
         B1< Bind ~_1 | Execute | Sync
         B1> BindComplete | Row 1 | Complete SELECT 1 | Ready I
         D< BindComplete | Row 1 | Complete SELECT 1 | Ready I
         # Another text, and a name that is taken.
         D> Parse z select b from t | Describe S z | Sync
         B1< Parse ~_5 select b from t | Describe S ~_5 | Sync
         B1> Error 42703 | Ready I
         D< Error 42703 | Ready I
         D> Parse z select b from t | Describe S z | Sync
         B1< Parse ~_6 select b from t | Describe S ~_6 | Sync
         B1> Error 42703 | Ready I
         D< Error 42703 | Ready I",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_only_prepared_is_known_too() {
    play(
        "",
        "C> Parse s insert into t values ($1) | Sync
         B1< Parse ~_1 insert into t values ($1) | Describe S ~_1 | Sync
         B1> ParseComplete | Types 23 | NoData | Ready I
         C< ParseComplete | Ready I
         D> Parse s insert into t values ($1) | Describe S s | Flush
         D< ParseComplete | Types 23 | NoData
         D> Sync
         D< Ready I",
    )
    .await;
}

/// Other rows than its client was told: nothing of a read is passed on, and what was remembered is forgotten.
#[tokio::test(start_paused = true)]
async fn a_backend_that_describes_it_otherwise_has_the_client_refused() {
    play_learnt(
        "",
        "C> Query begin
         B1< Query begin
         B1> Complete BEGIN | Ready T
         C< Complete BEGIN | Ready T
         D> Parse s select a from t where b = $1 | Describe S s | Sync
         D< ParseComplete | Types 23 | Columns a | Ready I
         D> Bind s | Execute | Sync
         B2< Parse ~_1 select a from t where b = $1 | Describe S ~_1 | Bind ~_1 | Execute | Sync
         B2> ParseComplete | Types 23 | Columns other | BindComplete | Row 1 | Complete SELECT 1 | Ready I
         D< Error 0A000 | Ready I
         E> Parse s select a from t where b = $1 | Describe S s | Sync
         B2< Close S ~_1 | Parse ~_3 select a from t where b = $1 | Describe S ~_3 | Sync
         B2> CloseComplete | ParseComplete | Types 20 | Columns other | Ready I
         E< ParseComplete | Types 20 | Columns other | Ready I
         F> Parse s select a from t where b = $1 | Describe S s | Sync
         F< ParseComplete | Types 20 | Columns other | Ready I",
    )
    .await;
}

/// What writes and returns rows is verified before it runs, and without a name it is not answered at all.
#[tokio::test(start_paused = true)]
async fn what_writes_and_returns_rows_does_not_run_before_it_is_known_to_be_the_same() {
    play(
        "",
        "C> Parse s insert into t values (1) returning a | Describe S s | Sync
         B1< Parse ~_1 insert into t values (1) returning a | Describe S ~_1 | Sync
         B1> ParseComplete | Types | Columns a | Ready I
         C< ParseComplete | Types | Columns a | Ready I
         C> Query begin
         B1< Query begin
         B1> Complete BEGIN | Ready T
         C< Complete BEGIN | Ready T
         D> Parse s insert into t values (1) returning a | Describe S s | Sync
         D< ParseComplete | Types | Columns a | Ready I
         D> Bind s | Execute | Sync
         B2< Parse ~_1 insert into t values (1) returning a | Describe S ~_1 | Sync
         B2> ParseComplete | Types | Columns other | Ready I
         B2< Parse '' jumpgate refuses | Execute | Sync
         B2> Error 42601 | Ready I
         D< Error 0A000 | Ready I
         # What such an Execute runs nobody here has seen.
         B2< Query CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; \
             SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP
         B2> Complete DISCARD TEMP | Ready I
         D> Parse '' insert into t values (2) returning a | Describe S '' | Sync
         B2< Close S ~_1 | Parse '' insert into t values (2) returning a | Describe S '' | Sync
         B2> CloseComplete | ParseComplete | Types | Columns a | Ready I
         D< ParseComplete | Types | Columns a | Ready I
         E> Parse '' insert into t values (2) returning a | Describe S '' | Sync
         B2< Parse '' insert into t values (2) returning a | Describe S '' | Sync
         B2> ParseComplete | Types | Columns a | Ready I
         E< ParseComplete | Types | Columns a | Ready I",
    )
    .await;
}

/// The table is gone by the time it runs: the client gets what its Parse says, and the next one asks.
#[tokio::test(start_paused = true)]
async fn an_error_of_its_parse_is_told_where_it_runs() {
    play_learnt(
        "",
        "D> Parse '' select a from t where b = $1 | Describe S '' | Flush
         D< ParseComplete | Types 23 | Columns a
         D> Bind '' | Execute | Sync
         B1< Parse '' select a from t where b = $1 | Describe S '' | Bind '' | Execute | Sync
         B1> Error 42P01 | Ready I
         D< Error 42P01 | Ready I
         E> Parse '' select a from t where b = $1 | Describe S '' | Sync
         B1< Parse '' select a from t where b = $1 | Describe S '' | Sync
         B1> Error 42P01 | Ready I
         E< Error 42P01 | Ready I",
    )
    .await;
}

/// A backend that has the statement says so at its Bind.
#[tokio::test(start_paused = true)]
async fn a_bind_that_is_refused_has_its_description_forgotten() {
    play_learnt(
        "",
        "D> Parse s select a from t where b = $1 | Describe S s | Sync
         D< ParseComplete | Types 23 | Columns a | Ready I
         D> Bind s | Execute | Sync
         B1< Bind ~_1 | Execute | Sync
         B1> Error 42P01 | Ready I
         D< Error 42P01 | Ready I
         E> Parse s select a from t where b = $1 | Describe S s | Sync
         B1< Parse ~_3 select a from t where b = $1 | Describe S ~_3 | Sync
         B1> Error 42P01 | Ready I
         E< Error 42P01 | Ready I",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_schema_through_the_proxy_has_all_asked_again() {
    play_learnt(
        "",
        "D> Query alter table t alter a type text
         B1< Query alter table t alter a type text
         B1> Complete ALTER TABLE | Ready I
         D< Complete ALTER TABLE | Ready I
         D> Parse s select a from t where b = $1 | Describe S s | Sync
         B1< Parse ~_2 select a from t where b = $1 | Describe S ~_2 | Sync
         B1> ParseComplete | Types 25 | Columns a | Ready I
         D< ParseComplete | Types 25 | Columns a | Ready I",
    )
    .await;
}

/// In a block its text means the same, unless the block has changed what decides that.
#[tokio::test(start_paused = true)]
async fn a_block_is_answered_unless_it_changed_settings_or_the_schema_or_has_failed() {
    for (statement, tag, status, is_answered) in [
        ("update u set n = 1", "Complete UPDATE 1", 'T', true),
        ("set local search_path to other", "Complete SET", 'T', false),
        ("set search_path to other", "Complete SET", 'T', false),
        ("select set_config('search_path', 'other', true)", "Complete SELECT 1", 'T', false),
        ("alter table t add c int", "Complete ALTER TABLE", 'T', false),
        ("create temp table t (a int)", "Complete CREATE TABLE", 'T', false),
        ("nonsense", "Error 42601", 'E', false),
    ] {
        let asked = match is_answered {
            true => "D< ParseComplete | Types 23 | Columns a | Ready T".to_owned(),
            // Each message goes on as it comes.
            false => {
                "B1< Parse ~_3 select a from t where b = $1 | Describe S ~_3 | Describe S ~_3 | Sync
                      B1> Error 42703 | Ready E
                      D< Error 42703 | Ready E"
                    .to_owned()
            }
        };
        play_learnt(
            "",
            &format!(
                "D> Query begin
                 B1< Query begin
                 B1> Complete BEGIN | Ready T
                 D< Complete BEGIN | Ready T
                 D> Parse s select a from t where b = $1 | Describe S s | Sync
                 D< ParseComplete | Types 23 | Columns a | Ready T
                 D> Query {statement}
                 B1< Query {statement}
                 B1> {tag} | Ready {status}
                 D< {tag} | Ready {status}
                 D> Parse x select a from t where b = $1 | Describe S x | Sync
                 {asked}"
            ),
        )
        .await;
    }
}

/// Its answer hangs on what may be about to change.
#[tokio::test(start_paused = true)]
async fn a_client_with_other_settings_asks_for_itself() {
    play_learnt(
        "",
        "D> Query set search_path to other
         B1< Query set search_path to other
         B1> Complete SET | Ready I
         D< Complete SET | Ready I
         D> Parse s select a from t where b = $1 | Describe S s | Sync
         B1< Parse ~_2 select a from t where b = $1 | Describe S ~_2 | Sync
         B1> ParseComplete | Types 25 | Columns a | Ready I
         D< ParseComplete | Types 25 | Columns a | Ready I",
    )
    .await;
}

/// It has heard that it has the statement, which is with no backend yet.
#[tokio::test(start_paused = true)]
async fn a_backend_that_is_lost_in_between_is_not_missed() {
    play_learnt(
        "",
        "D> Parse s select a from t where b = $1 | Describe S s | Sync
         D< ParseComplete | Types 23 | Columns a | Ready I
         B1> close
         D< nothing
         D> Bind s | Execute | Sync
         B2< Parse ~_1 select a from t where b = $1 | Describe S ~_1 | Bind ~_1 | Execute | Sync
         B2> ParseComplete | Types 23 | Columns a | BindComplete | Complete SELECT 0 | Ready I
         D< BindComplete | Complete SELECT 0 | Ready I",
    )
    .await;
}
