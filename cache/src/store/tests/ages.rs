//! How old what is served may be.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_committed_reply_is_a_hit_until_it_is_stale_and_then_dead() {
    let cache = cache();
    assert!(lead(look(&cache)).commit(reply("one")));
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(text(&hit(look(&cache))), b"one");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(matches!(look(&cache), Lookup::Stale(_, Some(_))));
    tokio::time::advance(Duration::from_secs(15)).await;
    drop(lead(look(&cache)));
}

#[tokio::test(start_paused = true)]
async fn each_caller_s_own_freshness_counts() {
    let cache = cache();
    assert!(lead(look(&cache)).commit(reply("one")));
    tokio::time::advance(Duration::from_secs(10)).await;
    let hurried = Freshness { max_age: Duration::from_secs(5), ..FRESH };
    let strict = Freshness { stale_while_revalidate: Duration::ZERO, ..hurried };
    let ask = |fresh| cache.lookup(key("q"), &scope(), &tables(&["t"]), fresh);
    assert!(matches!(ask(hurried), Lookup::Stale(_, Some(_))));
    assert!(matches!(ask(strict), Lookup::Lead(_)));
    hit(ask(FRESH));
}

#[tokio::test(start_paused = true)]
async fn exactly_one_caller_refreshes_a_stale_reply() {
    let cache = cache();
    assert!(lead(look(&cache)).commit(reply("one")));
    tokio::time::advance(Duration::from_secs(61)).await;
    let Lookup::Stale(_, Some(fill)) = look(&cache) else { panic!("expected to refresh") };
    assert!(matches!(look(&cache), Lookup::Stale(_, None)));
    assert!(fill.commit(reply("two")));
    assert_eq!(text(&hit(look(&cache))), b"two");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_failed_may_be_tried_again() {
    let cache = cache();
    assert!(lead(look(&cache)).commit(reply("one")));
    tokio::time::advance(Duration::from_secs(61)).await;
    let Lookup::Stale(_, Some(fill)) = look(&cache) else { panic!("expected to refresh") };
    drop(fill);
    assert!(matches!(look(&cache), Lookup::Stale(_, Some(_))));
}

/// FAULTS §3, "age counts from the end of the reply".
#[tokio::test(start_paused = true)]
async fn a_reply_is_as_old_as_its_question() {
    let cache = cache();
    let fill = lead(look(&cache));
    tokio::time::advance(Duration::from_secs(50)).await;
    assert!(fill.commit(reply("one")));
    tokio::time::advance(Duration::from_secs(9)).await;
    hit(look(&cache));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(matches!(look(&cache), Lookup::Stale(_, Some(_))));
}

/// Issue 15, item 6: whoever follows is told nothing that is older than what it might find.
#[tokio::test(start_paused = true)]
async fn nobody_follows_who_asked_too_long_ago() {
    let cache = cache();
    let first = lead(look(&cache));
    tokio::time::advance(Duration::from_secs(74)).await;
    drop(follow(look(&cache)));
    tokio::time::advance(Duration::from_secs(1)).await;
    let second = lead(look(&cache));
    let follower = follow(look(&cache));
    assert!(first.commit(reply("old")));
    assert!(second.commit(reply("new")));
    assert_eq!(text(&follower.landed().await.unwrap()), b"new");
    assert_eq!(text(&hit(look(&cache))), b"new");
}

/// Issue 15, item 6: the age of a refreshed reply counts from its own question.
#[tokio::test(start_paused = true)]
async fn a_refreshed_reply_is_as_old_as_the_question_that_refreshed_it() {
    let cache = cache();
    assert!(lead(look(&cache)).commit(reply("one")));
    tokio::time::advance(Duration::from_secs(61)).await;
    let Lookup::Stale(_, Some(fill)) = look(&cache) else { panic!("expected to refresh") };
    tokio::time::advance(Duration::from_secs(10)).await;
    assert!(fill.commit(reply("two")));
    tokio::time::advance(Duration::from_secs(49)).await;
    assert_eq!(text(&hit(look(&cache))), b"two");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(matches!(look(&cache), Lookup::Stale(_, Some(_))));
}

/// Issue 15, item 5: of one moment.
#[tokio::test(start_paused = true)]
async fn what_was_asked_for_later_is_not_for_who_wants_what_was_there_before() {
    let cache = cache();
    assert!(lead(look(&cache)).commit(reply("one")));
    let then = Some(Instant::now());
    let look_then =
        || cache.lookup(key("q"), &scope(), &tables(&["t"]), Freshness { born_by: then, ..FRESH });
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(text(&hit(look_then())), b"one");
    cache.purge("origin");
    assert!(lead(look(&cache)).commit(reply("two")));
    drop(lead(look_then()));
    hit(look(&cache));
}
