//! Who asks the origin, and who waits for whom.

use super::{AT_ONCE, play, words::Postgres};
use serving::script::Stage;

const REPLY: &str = "Columns a | Row 1 | Complete SELECT 1 | Ready I";

/// FAULTS row 32: those who followed a leader that failed do not all ask at once.
#[tokio::test(start_paused = true)]
async fn when_a_leader_fails_one_of_its_followers_leads() {
    let transcript = format!(
        "C> Query select 1
         B1< Query select 1
         D> Query select 1
         E> Query select 1
         F> Query select 1
         B1< nothing
         B2< nothing
         B1> Error 57014 | Ready I
         C< Error 57014 | Ready I
         B1< Query select 1
         B2< nothing
         B1> {REPLY}
         D< {REPLY}
         E< {REPLY}
         F< {REPLY}"
    );
    Stage::<Postgres>::open(AT_ONCE, "max_age = 60").play(&transcript).await;
}

/// FAULTS row 32: what fails twice is asked by each alone, so that nobody waits for all before.
#[tokio::test(start_paused = true)]
async fn when_leaders_fail_twice_nobody_waits_for_a_third() {
    let transcript = "C> Query select 1
         B1< Query select 1
         D> Query select 1
         E> Query select 1
         F> Query select 1
         B1> Error 57014 | Ready I
         C< Error 57014 | Ready I
         B1< Query select 1
         B1> Error 57014 | Ready I
         B1< Query select 1
         B2< Query select 1
         B1> Error 57014 | Ready I
         B2> Error 57014 | Ready I
         D< Error 57014 | Ready I
         E< Error 57014 | Ready I
         F< Error 57014 | Ready I";
    Stage::<Postgres>::open(AT_ONCE, "max_age = 60").play(transcript).await;
}

/// FAULTS row 32: a refresh stands in front of no client, and is asked for again by the next one.
#[tokio::test(start_paused = true)]
async fn a_refresh_waits_until_no_client_does() {
    let transcript = format!(
        "C> Query select 1
         B1< Query select 1
         B1> {REPLY}
         C< {REPLY}
         wait 2s
         D> Query begin
         B1< Query begin
         B1> Complete BEGIN | Ready T
         D< Complete BEGIN | Ready T
         C> Query select 1
         C< {REPLY}
         B1< nothing
         D> Query commit
         B1< Query commit
         B1> Complete COMMIT | Ready I
         D< Complete COMMIT | Ready I
         B1< nothing
         C> Query select 1
         C< {REPLY}
         B1< Query select 1
         B1> {REPLY}
         C> Query select 1
         C< {REPLY}
         B1< nothing"
    );
    let lines = "max_age = 1\nstale_while_revalidate = 600";
    Stage::<Postgres>::open(&format!("origin_connection_limit = 1\n{AT_ONCE}"), lines)
        .play(&transcript)
        .await;
}

/// FAULTS row 57: an origin that is away is dialled rarely, and each client hears of it at once.
#[tokio::test(start_paused = true)]
async fn an_origin_that_is_away_is_not_dialled_for_each_client() {
    let mut transcript = String::from(
        "C> Query select 1
         B1< Query select 1
         B1> Complete SELECT 0 | Ready I
         C< Complete SELECT 0 | Ready I
         # One is to read the catalog.
         dials 2
         origin away
         B1> close
         C> Query select 1
         C< Error 58000 | Ready I
         dials 1\n",
    );
    for _ in 0..100 {
        transcript.push_str("C> Query select 1\nC< Error 58000 | Ready I\n");
    }
    transcript.push_str(
        "dials 0
         wait 100ms
         C> Query select 1
         C< Error 58000 | Ready I
         dials 1
         origin back
         wait 200ms
         C> Query select 2
         B2< Query select 2
         B2> Complete SELECT 0 | Ready I
         C< Complete SELECT 0 | Ready I",
    );
    play("", &transcript).await;
}

/// FAULTS row 52: a driver that believes in the block that it asked for must not go on.
#[tokio::test(start_paused = true)]
async fn a_begin_without_a_backend_ends_the_session() {
    for begin in [
        "Query begin",
        "Query start transaction read only",
        "Query select 1; begin",
        "Parse '' begin | Bind '' | Execute | Sync",
        "Parse b begin | Describe S b | Sync",
    ] {
        play(
            "",
            &format!(
                "D> Query select 1
                 B1< Query select 1
                 B1> Complete SELECT 0 | Ready I
                 D< Complete SELECT 0 | Ready I
                 origin away
                 B1> close
                 C> {begin}
                 C< Fatal 58000 | closed
                 D> Query select 1
                 D< Error 58000 | Ready I
                 D> Parse '' select 1 | Bind '' | Execute | Sync
                 D< Error 58000 | Ready I"
            ),
        )
        .await;
    }
}

/// FAULTS row 29: what a lost statement wrote is not cached until the origin has done with it, and no longer.
#[tokio::test(start_paused = true)]
async fn the_origin_is_asked_whether_it_has_done_with_a_lost_statement() {
    let transcript = format!(
        "C> Query call p()
         B1< Query call p()
         B1> close
         C< Fatal 08006 | closed
         K< B1
         K> done
         wait 1s
         Q< B1
         D> Query select 1
         B2< Query select 1
         B2> {REPLY}
         D< {REPLY}
         D> Query select 1
         B2< Query select 1
         B2> {REPLY}
         D< {REPLY}
         Q> there
         wait 1s
         Q< B1
         Q> gone
         wait 1s
         D> Query select 1
         B2< Query select 1
         B2> {REPLY}
         D< {REPLY}
         D> Query select 1
         D< {REPLY}
         B2< nothing"
    );
    Stage::<Postgres>::open(AT_ONCE, "max_age = 60").play(&transcript).await;
}

/// FAULTS row 51: a long text is read beside the serving thread, so that only its own client waits for that.
#[tokio::test(start_paused = true)]
async fn a_long_text_is_not_read_where_others_are_served() {
    let mut stage = Stage::<Postgres>::open(AT_ONCE, "disabled = true");
    let insert = format!("insert into t values {}(1)", "(1), ".repeat(2000));
    let one = |client: &str| {
        format!(
            "{client}> Query select 1
             B1< Query select 1
             B1> Complete SELECT 0 | Ready I
             {client}< Complete SELECT 0 | Ready I\n"
        )
    };
    stage.play(&[one("C"), one("D")].concat()).await;
    let held = stage.engine.context.common.heavy.occupied().await;
    let transcript = format!("C> Query {insert}\nB1< nothing\n{}B1< nothing", one("D"));
    stage.play(&transcript).await;
    drop(held);
    let transcript = format!(
        "B1< Query {insert}\nB1> Complete INSERT 0 2001 | Ready I\nC< Complete INSERT 0 2001 | Ready I"
    );
    stage.play(&transcript).await;
    let metrics = stage.engine.context.common.metrics.render().unwrap();
    assert!(metrics.contains("jumpgate_heavy_texts_total{database=\"app\"} 1\n"), "{metrics}");
}
