//! Passwords that change while clients are there: their own, and the one of the role at the origin.

use e2e::{
    engine::{Client, Database, Place, Stage},
    jumpgate::Setup,
};

use super::reload;

/// Another `[[database]]` of the same origin, whose client `writer` has these keys, and which logs in with this password.
fn second<S: Stage>(stage: &mut S, user: &str, (role, password): (&str, &str)) -> String {
    let (scheme, port) = (S::Database::SCHEME, stage.database().port());
    format!(
        "[[database]]\nname = \"second\"\n[[database.user]]\nname = \"writer\"\n{user}\n\
         [database.origin]\nscheme = \"{scheme}\"\nhost = \"127.0.0.1\"\nport = {port}\n\
         database = \"app\"\nuser = \"{role}\"\npassword = \"{password}\"\n\
         [database.caching]\ndisabled = true\n[database.pool]\norigin_connection_limit = 4\n\
         [database.mtls]\nsslmode = \"verify-full\"\nca_certificate = \"ca.pem\"\n"
    )
}

async fn either_password_lets_a_client_in_until_one_is_taken_away(place: impl Place) {
    let mut stage = place.stage(Setup::pool_of(2)).await;
    let mut there = None;
    for (user, let_in) in [
        ("password = \"old\"", [true, false, false]),
        ("password = \"new\"\nprevious_password = \"old\"", [true, true, false]),
        ("password = \"new\"", [false, true, false]),
    ] {
        let text = second(&mut stage, user, ("app", "origin-password"));
        reload(&mut stage, text).await;
        for (password, is_let_in) in ["old", "new", "other"].into_iter().zip(let_in) {
            let client = stage.client_of("second", "writer", password).await;
            assert_eq!(client.is_some(), is_let_in, "{password} where {user}");
            there = there.or(client);
        }
    }
    let mut there = there.expect("the one who came with the old password");
    assert_eq!(there.value("SELECT 1").await, "1", "whoever is there stays");
}

/// What is said to a database about the role `rotating`.
struct Sql {
    create: &'static str,
    grant: &'static str,
    alter: &'static str,
    /// How many connections it has.
    count: &'static str,
}

fn sql_of<S: Stage>() -> Sql {
    match S::Database::SCHEME {
        "postgres" => Sql {
            create: "CREATE ROLE rotating LOGIN PASSWORD 'first'",
            grant: "GRANT app TO rotating",
            alter: "ALTER ROLE rotating PASSWORD 'second'",
            count: "SELECT count(*) FROM pg_stat_activity WHERE usename = 'rotating'",
        },
        _ => Sql {
            create: "CREATE USER rotating@'%' IDENTIFIED BY 'first'",
            grant: "GRANT ALL ON app.* TO rotating@'%'",
            alter: "ALTER USER rotating@'%' IDENTIFIED BY 'second'",
            count: "SELECT count(*) FROM information_schema.processlist WHERE user = 'rotating'",
        },
    }
}

/// Sessions that began before the reload open connections, too, and must not do so with the password that is over.
async fn the_origins_new_password_is_for_new_connections_and_no_client_hears_of_it(
    place: impl Place,
) {
    rotate(&mut place.stage(Setup::pool_of(2)).await).await;
}

async fn rotate<S: Stage>(stage: &mut S) {
    let sql = sql_of::<S>();
    let mut superuser = stage.superuser().await;
    superuser.run(sql.create).await;
    superuser.run(sql.grant).await;
    let user = "password_file = \"client-password\"";
    let text = second(stage, user, ("rotating", "first"));
    reload(stage, text).await;
    let mut before = Vec::new();
    for _ in 0..4 {
        let client = stage.client_of("second", "writer", "client-password").await;
        before.push(client.expect("a login"));
    }
    before[0].run("BEGIN").await;
    before[0].run("UPDATE account SET balance = 77 WHERE id = 1").await;
    let opened = superuser.value(sql.count).await;
    let opened: u32 = opened.parse().expect("a number");
    assert!((1..4).contains(&opened), "some are to be opened: {opened}");

    superuser.run(sql.alter).await;
    let text = second(stage, user, ("rotating", "second"));
    reload(stage, text).await;
    for client in &mut before[1..] {
        client.run("BEGIN").await;
        assert_eq!(client.value("SELECT balance FROM account WHERE id = 2").await, "100");
    }
    assert_eq!(
        superuser.value(sql.count).await,
        "4",
        "each has one of its own, and there are no more"
    );
    assert_eq!(before[0].value("SELECT balance FROM account WHERE id = 1").await, "77");
    for client in &mut before {
        client.run("COMMIT").await;
    }
    let mut new = stage.client_of("second", "writer", "client-password").await.expect("a login");
    assert_eq!(new.value("SELECT balance FROM account WHERE id = 1").await, "77");
    assert!(!stage.jumpgate().logs().contains("authentication_failed"));
}

e2e::scenarios! {
    jumpgate_once: [
        either_password_lets_a_client_in_until_one_is_taken_away,
        the_origins_new_password_is_for_new_connections_and_no_client_hears_of_it,
    ],
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        either_password_lets_a_client_in_until_one_is_taken_away,
        the_origins_new_password_is_for_new_connections_and_no_client_hears_of_it,
    ],
}
