//! How long a reply is kept, and what is served meanwhile.

use serving::script::Stage;

use super::words::MySql;

/// Plays a transcript with these lines of `[database.caching]`, and gives the metrics.
async fn play(caching: &str, transcript: &str) -> String {
    let mut stage = Stage::<MySql>::open("", caching);
    stage.play(transcript).await;
    stage.engine.context.common.metrics.render().unwrap()
}

#[tokio::test(start_paused = true)]
async fn stale_is_served_while_one_refresh_runs() {
    let metrics = play(
        "max_age = 10\nstale_while_revalidate = 60",
        "C> Query select 1
         B1< Query select 1
         B1> Rows old
         C< Rows old
         wait 9s
         C> Query select 1
         C< Rows old
         B1< nothing
         wait 2s
         C> Query select 1
         C< Rows old
         B1< Query select 1
         D> Query select 1
         D< Rows old
         B1< nothing
         B2< nothing
         B1> Rows new
         # It is there a moment later, and heard by nobody.
         C< nothing
         C> Query select 1
         C< Rows new
         B1< nothing",
    )
    .await;
    for (status, count) in [("hit", 2), ("stale", 2)] {
        let line = format!(
            "jumpgate_queries_total{{database=\"app\",cache_status=\"{status}\"}} {count}\n"
        );
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

#[tokio::test(start_paused = true)]
async fn beyond_stale_nothing_old_is_served() {
    play(
        "max_age = 10\nstale_while_revalidate = 10",
        "C> Query select 1
         B1< Query select 1
         B1> Rows old
         C< Rows old
         wait 20s
         C> Query select 1
         C< nothing
         B1< Query select 1
         B1> Rows new
         C< Rows new",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_hint_sets_the_ages_of_one_statement() {
    play(
        "max_age = 600",
        "C> Query select 1 /* jumpgate: max_age=10, swr=0 */
         B1< Query select 1 /* jumpgate: max_age=10, swr=0 */
         B1> Rows old
         C< Rows old
         wait 9s
         C> Query select 1 /* jumpgate: max_age=10, swr=0 */
         C< Rows old
         B1< nothing
         wait 1s
         C> Query select 1 /* jumpgate: max_age=10, swr=0 */
         C< nothing
         B1< Query select 1 /* jumpgate: max_age=10, swr=0 */
         B1> Rows new
         C< Rows new",
    )
    .await;
}

/// Issue 15, item 6: a query of 6 s, and a refresh of 4 s.
#[tokio::test(start_paused = true)]
async fn a_reply_is_as_old_as_the_query_that_asked_for_it() {
    play(
        "max_age = 10\nstale_while_revalidate = 5",
        "C> Query select 1
         B1< Query select 1
         wait 6s
         B1> Rows old
         C< Rows old
         wait 3s
         C> Query select 1
         C< Rows old
         B1< nothing
         wait 1s
         C> Query select 1
         C< Rows old
         B1< Query select 1
         wait 4s
         B1> Rows new
         C< nothing
         wait 6s
         C> Query select 1
         C< Rows new
         B1< Query select 1
         B1> Rows new
         C< nothing
         wait 15s
         C> Query select 1
         C< nothing
         B1< Query select 1
         B1> Rows new
         C< Rows new",
    )
    .await;
}
