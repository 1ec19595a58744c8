//! Who has which connection.

use super::{MySql, play};
use serving::script::Stage;

/// FAULTS row 32: what is agreed at the login (CLIENT_FOUND_ROWS) parts connections, which are not opened anew for each
/// client of the other kind, and never are more than there may be.
#[tokio::test(start_paused = true)]
async fn clients_that_count_rows_otherwise_have_connections_of_their_own_where_there_is_room() {
    let mut transcript = String::from(
        "C> Query delete from t
         B1< Query delete from t
         B1> OK
         C< OK
         F> Query delete from t
         B2< Query delete from t
         B2> OK
         F< OK\n",
    );
    for _ in 0..3 {
        for (client, backend) in [("C", "B1"), ("F", "B2")] {
            transcript.push_str(&format!(
                "{client}> Query delete from t
                 {backend}< Query delete from t
                 {backend}> OK
                 {client}< OK\n"
            ));
        }
    }
    play("origin_connection_limit = 2", &transcript).await;
}

/// FAULTS row 32: without room one goes before the other comes.
#[tokio::test(start_paused = true)]
async fn a_connection_of_the_other_kind_is_closed_before_one_takes_its_place() {
    play(
        "origin_connection_limit = 1",
        "C> Query delete from t
         B1< Query delete from t
         B1> OK
         C< OK
         # Two of them read the catalog: the first reading lacks the table.
         dials 3
         F> Query delete from t
         B1< Quit
         dials 0
         B1> close
         B2< Query delete from t
         dials 1
         B2> OK
         F< OK",
    )
    .await;
}

/// FAULTS row 19c: connections that began otherwise are not lent beside each other.
#[tokio::test(start_paused = true)]
async fn a_connection_that_begins_otherwise_ends_those_before_it() {
    for (sql, answer, is_known) in
        [("begin", "OK trans", false), ("set global sql_mode = ''", "OK", true)]
    {
        let mut transcript = format!(
            "C> Query delete from t
             B1< Query delete from t
             B1> OK
             C< OK
             begins sql_mode=ANSI
             C> Query {sql}
             B1< Query {sql}
             B1> {answer}
             C< {answer}\n"
        );
        if is_known {
            transcript.push_str("B1< Quit | closed\n");
        }
        transcript.push_str(
            "D> Query delete from t
             B2< Query delete from t
             B2> OK
             D< OK\n",
        );
        if !is_known {
            transcript.push_str(
                "C> Query commit
                 B1< Query commit
                 B1> OK
                 C< OK
                 B1< Quit | closed\n",
            );
        }
        play("", &transcript).await;
    }
}

/// FAULTS row 51: a long text is read beside the serving thread, so that only its own client waits for that.
#[tokio::test(start_paused = true)]
async fn a_long_text_is_not_read_where_others_are_served() {
    let mut stage = Stage::<MySql>::open("", "disabled = true");
    let insert = format!("insert into t values {}(1)", "(1), ".repeat(2000));
    let one = |client: &str| {
        format!(
            "{client}> Query delete from t
             B1< Query delete from t
             B1> OK
             {client}< OK\n"
        )
    };
    stage.play(&[one("C"), one("D")].concat()).await;
    let held = stage.engine.context.common.heavy.occupied().await;
    let transcript = format!("C> Query {insert}\nB1< nothing\n{}B1< nothing", one("D"));
    stage.play(&transcript).await;
    drop(held);
    let transcript = format!("B1< Query {insert}\nB1> OK\nC< OK");
    stage.play(&transcript).await;
    let metrics = stage.engine.context.common.metrics.render().unwrap();
    assert!(metrics.contains("jumpgate_heavy_texts_total{database=\"app\"} 1\n"), "{metrics}");
}
