//! What a client says about its own session, answered as an origin has answered it before.

use super::play;

#[tokio::test(start_paused = true)]
async fn a_set_that_was_accepted_before_goes_with_the_next_statement() {
    play(
        "",
        "C> Query set timezone to 'Asia/Tokyo'
         B1< Query set timezone to 'Asia/Tokyo'
         B1> Complete SET | Parameter TimeZone=Asia/Tokyo | Ready I
         C< Complete SET | Parameter TimeZone=Asia/Tokyo | Ready I
         D> Query set timezone to 'Asia/Tokyo'
         D< Complete SET | Parameter TimeZone=Asia/Tokyo | Ready I
         # It has it by now: another question, with another answer.
         D> Query set timezone to 'Asia/Tokyo'
         B1< Query set timezone to 'Asia/Tokyo'
         B1> Complete SET | Ready I
         D< Complete SET | Ready I
         E> Query set timezone to 'Asia/Tokyo'
         E< Complete SET | Parameter TimeZone=Asia/Tokyo | Ready I
         E> Query set timezone to 'Asia/Tokyo'
         E< Complete SET | Ready I
         E> Query set work_mem to 1
         B1< Query set work_mem to 1
         B1> Complete SET | Ready I
         E< Complete SET | Ready I
         D> Query set work_mem to 1
         D< Complete SET | Ready I
         F> Query select 1
         B1< Query RESET \"timezone\";RESET \"work_mem\"; | Query select 1
         B1> Complete RESET | Complete RESET | Parameter TimeZone=UTC | Ready I | Complete SELECT 0 | Ready I
         F< Complete SELECT 0 | Ready I
         D> Query select 2
         B1< Query SET timezone TO 'Asia/Tokyo';SET work_mem TO 1; | Query select 2
         B1> Complete SET | Complete SET | Parameter TimeZone=Asia/Tokyo | Ready I | Complete SELECT 0 | Ready I
         D< Complete SELECT 0 | Ready I",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_set_is_learnt_and_answered_in_the_extended_protocol() {
    play(
        "",
        "C> Parse '' set timezone to 'Asia/Tokyo' | Bind '' | Describe P | Execute | Sync
         B1< Parse '' set timezone to 'Asia/Tokyo' | Bind '' | Describe P '' | Execute | Sync
         B1> ParseComplete | BindComplete | NoData | Complete SET | Parameter TimeZone=Asia/Tokyo | Ready I
         C< ParseComplete | BindComplete | NoData | Complete SET | Parameter TimeZone=Asia/Tokyo | Ready I
         D> Parse '' set timezone to 'Asia/Tokyo' | Bind '' | Describe P | Execute | Sync
         D< ParseComplete | BindComplete | NoData | Complete SET | Parameter TimeZone=Asia/Tokyo | Ready I
         # With other messages, and in two steps.
         D> Parse s show timezone | Describe S s | Sync
         B1< Parse ~_3 show timezone | Describe S ~_3 | Sync
         B1> ParseComplete | Types | Columns TimeZone | Ready I
         D< ParseComplete | Types | Columns TimeZone | Ready I
         D> Bind s | Execute | Sync
         B1< Bind ~_3 | Execute | Sync
         B1> BindComplete | Row Asia/Tokyo | Complete SHOW | Ready I
         D< BindComplete | Row Asia/Tokyo | Complete SHOW | Ready I
         C> Parse x show timezone | Describe S x | Sync
         C< ParseComplete | Types | Columns TimeZone | Ready I
         C> Bind x | Execute | Sync
         C< BindComplete | Row Asia/Tokyo | Complete SHOW | Ready I",
    )
    .await;
}

/// A wrong one is asked each time, and so is one that warns.
#[tokio::test(start_paused = true)]
async fn an_error_is_not_remembered() {
    for _again in 0..2 {
        play(
            "",
            "C> Query set nonsense to 1
             B1< Query set nonsense to 1
             B1> Error 42704 | Ready I
             C< Error 42704 | Ready I
             D> Query set nonsense to 1
             B1< Query set nonsense to 1
             B1> Error 42704 | Ready I
             D< Error 42704 | Ready I",
        )
        .await;
    }
}

/// What it is answered with hangs on its settings, and on time.
#[tokio::test(start_paused = true)]
async fn a_value_is_shown_again_for_as_long_as_replies_are_kept() {
    play(
        "",
        "C> Query show work_mem
         B1< Query show work_mem
         B1> Columns work_mem | Row 4MB | Complete SHOW | Ready I
         C< Columns work_mem | Row 4MB | Complete SHOW | Ready I
         D> Query show work_mem
         D< Columns work_mem | Row 4MB | Complete SHOW | Ready I
         D> Query set work_mem to 1
         B1< Query set work_mem to 1
         B1> Complete SET | Ready I
         D< Complete SET | Ready I
         D> Query show work_mem
         B1< Query show work_mem
         B1> Columns work_mem | Row 1kB | Complete SHOW | Ready I
         D< Columns work_mem | Row 1kB | Complete SHOW | Ready I
         C> Query show work_mem
         C< Columns work_mem | Row 4MB | Complete SHOW | Ready I
         wait 61s
         C> Query show work_mem
         B1< Query RESET \"work_mem\"; | Query show work_mem
         B1> Complete RESET | Ready I | Columns work_mem | Row 8MB | Complete SHOW | Ready I
         C< Columns work_mem | Row 8MB | Complete SHOW | Ready I",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_text_that_tidies_a_session_with_nothing_to_tidy_is_answered() {
    let reset = "show work_mem; close all; unlisten *; reset all";
    play(
        "",
        &format!(
            "C> Query {reset}
             B1< Query {reset}
             B1> Columns work_mem | Row 4MB | Complete SHOW | Complete CLOSE CURSOR ALL
             B1> Complete UNLISTEN | Complete RESET | Ready I
             C< Columns work_mem | Row 4MB | Complete SHOW | Complete CLOSE CURSOR ALL
             C< Complete UNLISTEN | Complete RESET | Ready I
             D> Query {reset}
             D< Columns work_mem | Row 4MB | Complete SHOW | Complete CLOSE CURSOR ALL
             D< Complete UNLISTEN | Complete RESET | Ready I
             D> Query set work_mem to 1
             B1< Query set work_mem to 1
             B1> Complete SET | Ready I
             D< Complete SET | Ready I
             # Its settings are taken back, though nothing is said of it.
             D> Query {reset}
             B1< Query {reset}
             B1> Columns work_mem | Row 4MB | Complete SHOW | Complete CLOSE CURSOR ALL
             B1> Complete UNLISTEN | Complete RESET | Ready I
             D< Columns work_mem | Row 4MB | Complete SHOW | Complete CLOSE CURSOR ALL
             D< Complete UNLISTEN | Complete RESET | Ready I
             C> Query set work_mem to 1
             C< Complete SET | Ready I
             C> Query {reset}
             C< Columns work_mem | Row 4MB | Complete SHOW | Complete CLOSE CURSOR ALL
             C< Complete UNLISTEN | Complete RESET | Ready I
             C> Query select 1
             B1< Query select 1
             B1> Complete SELECT 0 | Ready I
             C< Complete SELECT 0 | Ready I"
        ),
    )
    .await;
}

/// DISCARD ALL and DEALLOCATE ALL leave no statement.
#[tokio::test(start_paused = true)]
async fn what_takes_statements_away_takes_them() {
    for (text, tag) in [("deallocate all", "DEALLOCATE ALL"), ("discard all", "DISCARD ALL")] {
        let sent = match text {
            "discard all" => {
                "B1< Parse '' discard all | Bind '' | Execute | Sync
                 B1> ParseComplete | BindComplete | Complete DISCARD ALL | Ready I"
            }
            _ => {
                "B1< Query deallocate all
                 B1> Complete DEALLOCATE ALL | Ready I"
            }
        };
        play(
            "",
            &format!(
                "C> Query {text}
                 {sent}
                 C< Complete {tag} | Ready I
                 D> Parse s select a from t | Sync
                 B1< Parse ~_1 select a from t | Describe S ~_1 | Sync
                 B1> ParseComplete | Types | Columns a | Ready I
                 D< ParseComplete | Ready I
                 D> Query {text}
                 D< Complete {tag} | Ready I
                 D> Bind s | Execute | Sync
                 B1< Bind s | Execute | Sync
                 B1> Error 26000 | Ready I
                 D< Error 26000 | Ready I
                 # What such an Execute runs nobody here has seen.
                 B1< Query CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; \
                     SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP
                 B1> Complete DISCARD TEMP | Ready I"
            ),
        )
        .await;
    }
}

/// In a block, and on a backend of its own, a client asks that.
#[tokio::test(start_paused = true)]
async fn who_holds_a_backend_asks_it() {
    play(
        "",
        "C> Query set work_mem to 1
         B1< Query set work_mem to 1
         B1> Complete SET | Ready I
         C< Complete SET | Ready I
         D> Query listen a
         B1< Query RESET \"work_mem\"; | Query listen a
         B1> Complete RESET | Ready I | Complete LISTEN | Ready I
         D< Complete LISTEN | Ready I
         D> Query set work_mem to 1
         B1< Query set work_mem to 1
         B1> Complete SET | Ready I
         D< Complete SET | Ready I",
    )
    .await;
}

/// Where the text does not say a value, the server does.
#[tokio::test(start_paused = true)]
async fn a_value_that_only_the_server_tells_is_remembered_as_it_told_it() {
    let said = "set client_min_messages to warning;set time zone interval '+00:00' hour to minute";
    play(
        "",
        &format!(
            "C> Query {said}
             B1< Query {said}
             B1> Complete SET | Complete SET | Parameter TimeZone=<+00>-00 | Ready I
             C< Complete SET | Complete SET | Parameter TimeZone=<+00>-00 | Ready I
             D> Query {said}
             D< Complete SET | Complete SET | Parameter TimeZone=<+00>-00 | Ready I
             E> Query select 1
             B1< Query RESET \"client_min_messages\";RESET \"timezone\"; | Query select 1
             B1> Complete RESET | Complete RESET | Parameter TimeZone=UTC | Ready I | Complete SELECT 0 | Ready I
             E< Complete SELECT 0 | Ready I
             D> Query select 2
             B1< Query SET client_min_messages TO 'warning';SET timezone TO '<+00>-00'; | Query select 2
             B1> Complete SET | Complete SET | Parameter TimeZone=<+00>-00 | Ready I | Complete SELECT 0 | Ready I
             D< Complete SELECT 0 | Ready I"
        ),
    )
    .await;
}
