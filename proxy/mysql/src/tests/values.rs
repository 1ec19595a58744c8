//! What the session and its settings are asked for, and is answered without the origin.

use serving::script::Stage;

use super::words::MySql;

/// What an origin says of its transactions.
const COMMITTED: &str = "begins transaction_isolation=READ-COMMITTED
    begins transaction_read_only=OFF
    begins completion_type=NO_CHAIN\n";

/// Plays a transcript with these lines of `[database.pool]` and `[database.caching]`, and gives the metrics.
async fn play(pool: &str, caching: &str, transcript: &str) -> String {
    let mut stage = Stage::<MySql>::open(pool, caching);
    stage.play(transcript).await;
    stage.engine.context.common.metrics.render().unwrap()
}

/// How many round trips of each kind were saved.
fn assert_saved(metrics: &str, saved: &[(&str, u64)]) {
    for (kind, count) in saved {
        let name = "jumpgate_round_trips_saved_total";
        let line = format!("{name}{{database=\"app\",kind=\"{kind}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_is_asked_for_once_and_counts_as_one() {
    let metrics = play(
        "",
        "",
        "C> Query select @@autocommit
         B1< Query select @@autocommit
         B1> Rows 1
         C< Rows 1
         D> Query select @@autocommit
         D< Rows 1
         D> Query select version()
         B1< Query select version()
         B1> Rows 9
         D< Rows 9
         D> Query begin
         B1< Query begin
         B1> OK trans
         D< OK trans
         D> Query select version()
         B1< Query select version()
         B1> Read 9
         D< Rows 9",
    )
    .await;
    assert_saved(&metrics, &[("show", 1), ("hit", 0)]);
}

#[tokio::test(start_paused = true)]
async fn where_it_is_switched_off_values_are_asked_for_each_time() {
    let metrics = play(
        "round_trips.settings = false",
        "",
        "C> Query select @@autocommit
         B1< Query select @@autocommit
         B1> Rows 1
         C< Rows 1
         C> Query select @@autocommit
         B1< Query select @@autocommit
         B1> Rows 1
         C< Rows 1
         C> Query show warnings
         B1< Query show warnings
         B1> gone
         C< Rows
         C> Query show warnings
         B1< Query show warnings
         B1> gone
         C< Rows",
    )
    .await;
    assert_saved(&metrics, &[("show", 0), ("hit", 0)]);
}

#[tokio::test(start_paused = true)]
async fn where_there_are_no_warnings_they_are_not_asked_for_twice() {
    let metrics = play(
        "",
        "",
        "C> Query show warnings
         B1< Query show warnings
         B1> gone
         C< Rows
         D> Query show warnings
         B1< Query show warnings
         B1> gone
         D< Rows
         D> Query show warnings
         D< Rows
         D> Query delete from t
         B1< Query delete from t
         B1> OK
         D< OK
         # What is written is not known here, so that nothing that was kept is left.
         D> Query show warnings
         B1< Query show warnings
         B1> gone
         D< Rows
         D> Query show warnings
         D< Rows",
    )
    .await;
    assert_saved(&metrics, &[("show", 2), ("hit", 0)]);
}

/// Issue 14: a read in a block that has reached nobody, at READ COMMITTED and where that is wanted.
#[tokio::test(start_paused = true)]
async fn a_read_in_a_block_is_a_hit_where_that_is_wanted() {
    const WARM: &str = "D> Query select lower('a')
         B1< Query select lower('a')
         B1> Rows a
         D< Rows a\n";
    let hit = "C> Query begin
         C< OK trans
         C> Query select lower('a')
         C< Rows a
         C> Query delete from t
         B1< Query START TRANSACTION
         B1< Query delete from t
         B1> OK trans | OK trans
         C< OK trans
         C> Query select lower('a')
         B1< Query select lower('a')
         B1> Read a
         C< Rows a";
    play("", "in_transactions = read-only", &[COMMITTED, WARM, hit].concat()).await;
}
