//! What a person reads.

use std::time::Duration;

use super::{
    walk::{DATABASE_TLS, LOGIN},
    *,
};

fn ms(tenths: u64) -> Duration {
    Duration::from_micros(tenths * 100)
}

#[tokio::test]
async fn a_port_where_nothing_listens_ends_the_walk_at_tcp() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut walk = Walk::default();
    let deadline = Instant::now() + Duration::from_secs(5);
    assert!(walk.reach_directly("127.0.0.1", port, deadline).await.is_none());
    assert!(!walk.is_complete());
    let [dns, tcp] = walk.steps() else { panic!("{walk:?}") };
    assert!(dns.outcome.is_ok() && tcp.outcome.is_err());
    let shown = walk.lines().join("\n");
    assert!(shown.contains("✗ TCP") && shown.contains("refused the connection"), "{shown}");
    assert!(shown.contains("→ Nothing listens there"), "{shown}");
    assert!(shown.ends_with("The way ends here: TCP."), "{shown}");
}

#[test]
fn a_way_that_is_open_is_a_table_with_times_and_round_trips() {
    let mut walk = Walk::default();
    walk.round_trips.near = Some(ms(120));
    walk.passed(tunnel::DNS, "192.0.2.1:443", Took::Alone(ms(3)));
    walk.passed(tunnel::TCP, "192.0.2.1:443", Took::Near(ms(120)));
    walk.passed(tunnel::TLS, "its certificate is good", Took::Near(ms(252)));
    walk.passed(tunnel::ACCESS, "lets us pass (cf-ray 8f00-AMS)", Took::Untimed);
    walk.passed(tunnel::TUNNEL, "the connector reached the database", Took::Far(ms(410)));
    walk.passed(DATABASE_TLS, "", Took::Far(ms(1030)));
    walk.passed(LOGIN, "app in shop", Took::Far(ms(1236)));
    walk.passed_query("PostgreSQL 15.1".into(), [ms(480), ms(412)]);
    walk.took = ms(12345);
    assert_eq!(
        walk.lines(),
        [
            "  ✓ DNS of the edge      0.3 ms                     192.0.2.1:443",
            "  ✓ TCP to the edge     12.0 ms    1.0 round trips  192.0.2.1:443",
            "  ✓ TLS to the edge     25.2 ms    2.1 round trips  its certificate is good",
            "  ✓ Access                                          lets us pass (cf-ray 8f00-AMS)",
            "  ✓ tunnel              41.0 ms    1.0 round trips  the connector reached the database",
            "  ✓ database TLS       103.0 ms    2.5 round trips",
            "  ✓ login              123.6 ms    3.0 round trips  app in shop",
            "  ✓ query               41.2 ms    1.0 round trips  PostgreSQL 15.1",
            "Total 1234.5 ms. Everything works. A query costs 41.2 ms (1 round trip).",
        ]
    );
}

#[test]
fn a_way_that_ends_says_where_and_what_to_do() {
    let mut walk = Walk::default();
    walk.round_trips.near = Some(ms(100));
    walk.passed(TCP, "192.0.2.1:5432", Took::Near(ms(100)));
    walk.passed(DATABASE_TLS, "", Took::Far(ms(200)));
    walk.stopped(LOGIN, "no".into(), "Check it.", Took::Far(ms(300)));
    assert_eq!(
        walk.lines(),
        [
            "  ✓ TCP                 10.0 ms    1.0 round trips  192.0.2.1:5432",
            // No query was answered, so nobody knows how long a round trip to the database takes.
            "  ✓ database TLS        20.0 ms",
            "  ✗ login               30.0 ms                     no",
            "      → Check it.",
            "Total 0.0 ms. The way ends here: login.",
        ]
    );
}

#[test]
fn round_trips_too_short_to_count_in_are_left_out() {
    let mut walk = Walk::default();
    walk.round_trips.near = Some(ms(2));
    walk.passed(TCP, "127.0.0.1:3306", Took::Near(ms(2)));
    walk.passed(LOGIN, "app in app", Took::Far(ms(25)));
    walk.passed_query("MySQL 9".into(), [ms(3), ms(2)]);
    walk.took = ms(40);
    assert_eq!(
        walk.lines(),
        [
            "  ✓ TCP                  0.2 ms                     127.0.0.1:3306",
            "  ✓ login                2.5 ms                     app in app",
            "  ✓ query                0.2 ms                     MySQL 9",
            "Round trips of less than 1 ms are not counted: computing takes longer than they do.",
            "Total 4.0 ms. Everything works. A query costs 0.2 ms (1 round trip).",
        ]
    );
}
