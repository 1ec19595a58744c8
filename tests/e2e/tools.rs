//! `jumpgate check` and `jumpgate why`, as a person at a terminal reads them.

use std::time::Duration;

use e2e::{
    jumpgate::{Jumpgate, Setup, command},
    postgres::APP_PASSWORD,
    stage::{Place, Route, Stage, Version},
};

/// The step of a line, and its outcome.
fn steps(said: &str) -> Vec<(char, String)> {
    let step = |line: &str| {
        let mark = line.trim_start().chars().next().filter(|mark| "✓✗".contains(*mark))?;
        let name = line.trim_start().trim_start_matches(mark).trim_start();
        Some((mark, name.split("  ").next().unwrap_or_default().to_owned()))
    };
    said.lines().filter_map(step).collect()
}

/// Checks that `jumpgate check` on a changed file ends at a step, and says this of it.
pub(crate) fn ends_at(jumpgate: &Jumpgate, change: (&str, &str), step: &str, says: &[&str]) {
    let (from, to) = change;
    let changed = |text: String| {
        assert!(text.contains(from), "{from} is not in the file");
        text.replace(from, to)
    };
    let (code, said, problems) = jumpgate.tool_with(changed, &["check", "app"]).unwrap();
    assert_eq!(code, 1, "{said}{problems}");
    let last = steps(&said).pop();
    assert_eq!(last, Some(('✗', step.to_owned())), "{said}{problems}");
    for text in says {
        assert!(said.contains(text), "{text}: {said}");
    }
    assert!(said.trim_end().ends_with(&format!("The way ends here: {step}.")), "{said}");
    for secret in Jumpgate::secrets() {
        assert!(!said.contains(secret) && !problems.contains(secret), "a secret is shown");
    }
}

/// Checks that the way is open, with these steps, each with its time.
pub(crate) fn is_open(jumpgate: &Jumpgate, route: Route, database: &str) {
    let (code, said, problems) = jumpgate.tool(&["check", "app"]).unwrap();
    assert_eq!(code, 0, "{said}{problems}");
    let mut wanted = match route {
        Route::Tunnel => {
            vec!["DNS of the edge", "TCP to the edge", "TLS to the edge", "Access", "tunnel"]
        }
        Route::Direct | Route::Proxy => vec!["DNS", "TCP"],
    };
    wanted.extend(["database TLS", "login", "query"]);
    let taken: Vec<_> = steps(&said).into_iter().map(|(_, step)| step).collect();
    assert_eq!(taken, wanted, "{said}");
    for line in said.lines().filter(|line| line.contains('✓')) {
        assert!(line.contains(" ms") || line.contains("Access"), "{line}");
    }
    assert!(said.contains(database), "{said}");
    let verdict = said.lines().last().unwrap_or_default();
    assert!(verdict.contains("Everything works. A query costs "), "{said}");
    assert!(verdict.ends_with(" ms (1 round trip)."), "{said}");
}

async fn check_shows_each_step_of_an_open_way(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(1)).await;
    is_open(stage.jumpgate(), place.route, "PostgreSQL 1");
}

async fn check_counts_the_round_trips_to_a_distant_database(place: Place) {
    // A round trip of 100 ms, beside which this machine's computing is little.
    let setup = Setup { relay_delay: Some(Duration::from_millis(50)), ..Setup::pool_of(1) };
    let mut stage = Stage::with(place, setup).await;
    let (code, said, problems) = stage.jumpgate().tool(&["check", "app"]).unwrap();
    assert_eq!(code, 0, "{said}{problems}");
    let trips = |step: &str| -> f64 {
        let line = said.lines().find(|line| line.contains(&format!("✓ {step} "))).unwrap();
        let (before, _) = line.split_once(" round trips").unwrap();
        before.rsplit(' ').next().unwrap().parse().unwrap()
    };
    // SSLRequest and TLS 1.3, with a HelloRetryRequest before PostgreSQL 18, which has one curve only; startup and two
    // steps of SCRAM; a query.
    let tls = if place.version == Version::Fifteen { 3.0 } else { 2.0 };
    for (step, wanted) in [("database TLS", tls), ("login", 3.0), ("query", 1.0)] {
        // A loaded machine computes for a round trip or more.
        assert!((wanted - 0.5..2.0 * wanted + 1.0).contains(&trips(step)), "{said}");
    }
}

async fn check_ends_at_the_step_of_the_database_that_fails(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(1)).await;
    let jumpgate = stage.jumpgate();
    let mtls = "sslmode = \"verify-full\"\nca_certificate = \"ca.pem\"";
    let other = "sslmode = \"verify-full\"\nca_certificate = \"other-ca.pem\"";
    ends_at(jumpgate, (mtls, other), "database TLS", &["[database.mtls]"]);
    let password = ("password_file = \"origin-password\"", "password_file = \"client-password\"");
    ends_at(jumpgate, password, "login", &["✓ database TLS", "origin.password"]);
    let database = ("database = \"app\"", "database = \"nowhere\"");
    ends_at(jumpgate, database, "login", &["origin.database"]);
}

async fn check_ends_at_the_step_of_the_tunnel_that_fails(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(1)).await;
    let jumpgate = stage.jumpgate();
    let edge = ("edge_ca_certificate = \"ca.pem\"", "edge_ca_certificate = \"other-ca.pem\"");
    ends_at(jumpgate, edge, "TLS to the edge", &["✓ TCP to the edge", "edge_ca_certificate"]);
    // The password of a client, which is no token's secret.
    let token = ("secret_file = \"proxy-token-secret\"", "secret_file = \"client-password\"");
    let says = ["✓ TLS to the edge", "access_client_secret", "jumpgate access token list"];
    ends_at(jumpgate, token, "Access", &says);
    jumpgate.kill_connector();
    let nothing = ("[listen]", "[listen]");
    ends_at(jumpgate, nothing, "tunnel", &["✓ Access", "`jumpgate connector` running"]);
}

async fn a_name_that_the_file_does_not_have_is_answered_with_those_that_it_has(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(1)).await;
    let (code, said, problems) = stage.jumpgate().tool(&["check", "shop"]).unwrap();
    assert_eq!(code, 1, "{said}");
    assert!(problems.contains("\"shop\"; it has \"app\""), "{problems}");
}

/// FAULTS §4: `jumpgate dev` said "Up and serving" with an unreachable origin or a wrong password.
async fn dev_stops_where_the_way_to_its_database_ends(place: Place) {
    let stage = Stage::open(place).await;
    let folder = tempfile::tempdir().unwrap();
    let there = stage.postgres.address();
    for (origin, told) in [
        (
            String::from("postgres://app:x@127.0.0.1:1/app"),
            ["cannot be reached at 127.0.0.1:1", "refused"],
        ),
        (format!("postgres://app:wrong@{there}/app"), ["✗ login", "origin.password"]),
        (format!("postgres://app:{APP_PASSWORD}@{there}/nowhere"), ["✗ login", "origin.database"]),
    ] {
        let arguments = ["dev", "--origin", &origin, "--port", "0", "--keep-in", ""];
        let (code, said, problems) = command(folder.path(), &arguments).unwrap();
        assert_eq!(code, 1, "{said}{problems}");
        assert!(!said.contains("Up and serving"), "{said}");
        let all = said + &problems;
        assert!(told.iter().all(|words| all.contains(words)), "{origin}: {all}");
    }
}

async fn why_says_what_is_in_the_way(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(1)).await;
    for (sql, reason) in [
        ("SELECT name FROM item WHERE id = 1", "item"),
        ("SELECT now()", "now"),
        ("SELECT * FROM pg_class", "pg_class"),
        ("LISTEN news", "it pins its session to one connection (listen)"),
        ("SELECT pg_backup_start('nightly')", "it pins its session to one connection (backup)"),
    ] {
        let (code, said, problems) = stage.jumpgate().tool(&["why", "app", sql]).unwrap();
        assert_eq!(code, 0, "{said}{problems}");
        assert!(said.contains(reason), "{sql}: {said}");
    }
}

/// The word is pointed at, and each function of one's own and each table that is not there is told how it may become good.
async fn why_says_where_a_refusal_comes_from_and_what_would_help(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut superuser = stage.superuser().await;
    superuser.run("CREATE FUNCTION steady(int) RETURNS int LANGUAGE sql AS 'SELECT $1'").await;
    superuser.run("CREATE VIEW chosen AS SELECT random() AS by_chance").await;
    for (sql, word, help) in [
        ("-- by chance\nSELECT 1, random()", "random()", "pass it as a parameter"),
        ("SELECT steady(1)", "steady(1)", "declare it IMMUTABLE"),
        ("SELECT * FROM chosen", "chosen", "pass it as a parameter"),
        ("SELECT * FROM nowhere", "nowhere", "look at its spelling"),
        ("SELECT name FROM item FOR SHARE", "FOR SHARE", "leave off the locking clause"),
        ("SELECT now()", "now()", "a hint /* jumpgate: max_age=1 */"),
        ("SELECT name::date FROM item", "::date FROM item", "date '2026-01-01'"),
    ] {
        let (code, said, problems) = stage.jumpgate().tool(&["why", "app", sql]).unwrap();
        assert_eq!(code, 0, "{said}{problems}");
        let lines: Vec<&str> = said.lines().collect();
        let [_, line, caret, advice, ..] = lines[..] else { panic!("{said}") };
        let at = caret.find('^').unwrap();
        assert!(line.get(at..).is_some_and(|rest| rest.starts_with(word)), "{said}");
        assert!(advice.contains(help), "{said}");
    }
}

async fn why_reports_over_a_file(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(1)).await;
    let folder = tempfile::tempdir().unwrap();
    let (file, none) = (folder.path().join("queries.sql"), folder.path().join("none.sql"));
    let script = "\\timing\nSELECT name FROM item WHERE id = 1;\nSELECT name FROM item WHERE name = 'a;b';\n\
                  SELECT now(); SELECT name FROM item WHERE id = :id;";
    std::fs::write(&file, script).unwrap();
    let mut report = |path: &std::path::Path| {
        stage.jumpgate().tool(&["why", "app", "--explain-file", path.to_str().unwrap()]).unwrap()
    };
    let (code, said, problems) = report(&file);
    assert_eq!(code, 0, "{said}{problems}");
    for row in [
        "5  100.0 %  statements",
        "2   40.0 %  cached",
        "1   20.0 %  cached with clock_max_age",
        "2   40.0 %  not cached",
        "2   40.0 %  parseerror",
        "1   20.0 %  volatile",
        "line 4: SELECT now()",
    ] {
        assert!(said.contains(row), "{row}: {said}");
    }
    let (code, _, problems) = report(&none);
    assert!(code == 1 && problems.contains("none.sql"), "{problems}");
}

e2e::scenarios! {
    jumpgate_twice: [
        check_shows_each_step_of_an_open_way,
        check_ends_at_the_step_of_the_database_that_fails,
        check_counts_the_round_trips_to_a_distant_database,
    ],
    jumpgate_once: [
        dev_stops_where_the_way_to_its_database_ends,
        a_name_that_the_file_does_not_have_is_answered_with_those_that_it_has,
        why_reports_over_a_file,
        why_says_what_is_in_the_way,
        why_says_where_a_refusal_comes_from_and_what_would_help,
    ],
    tunnel: [
        check_ends_at_the_step_of_the_tunnel_that_fails,
    ],
}
