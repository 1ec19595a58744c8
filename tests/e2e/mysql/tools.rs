//! `jumpgate check` and `jumpgate why` with MariaDB and MySQL.

use e2e::{
    jumpgate::Setup,
    mysql::{
        Server,
        stage::{Place, Stage},
    },
};

use crate::tools::{ends_at, is_open};

async fn check_shows_each_step_of_an_open_way(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(1)).await;
    let name = if place.server == Server::MariaDb { "MariaDB 1" } else { "MySQL " };
    is_open(stage.jumpgate(), place.route, name);
}

async fn check_ends_at_the_step_that_fails(place: Place) {
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

async fn why_says_what_is_in_the_way(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(1)).await;
    for (sql, reason) in [
        ("SELECT name FROM item WHERE id = 1", "a write to app.item makes it miss"),
        ("SELECT now()", "not cached"),
        ("SELECT @mine", "not cached"),
        ("SELECT get_lock('mine', 1)", "it pins its session to one connection (named_lock)"),
        ("UPDATE account SET balance = 1", "cached reads of account miss"),
    ] {
        let (code, said, problems) = stage.jumpgate().tool(&["why", "app", sql]).unwrap();
        assert_eq!(code, 0, "{said}{problems}");
        assert!(said.contains(reason), "{sql}: {said}");
    }
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        why_says_what_is_in_the_way,
    ],
    jumpgate_twice: [
        check_shows_each_step_of_an_open_way,
        check_ends_at_the_step_that_fails,
    ],
}
