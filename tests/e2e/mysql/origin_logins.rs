//! How the proxy logs in to its origin, whom it lets in itself, and which configuration a client means.

use e2e::{
    jumpgate::{CLIENT_PASSWORD, Setup},
    mysql::{
        Server,
        login::{NATIVE, Options, SHA2},
        reply::{Refusal, code, error},
        stage::{Place, Stage},
        wire::Wire,
    },
    stage::eventually,
    wire::Endpoint,
};
use tempfile::TempDir;

/// A `[[database]]` named `name` with a client of this name, which logs in as `login`.
fn database(stage: &Stage, [name, user, login]: [&str; 3], tls: &str) -> String {
    let port = stage.mysql.address().port();
    format!(
        "[[database]]\nname = \"{name}\"\n[[database.user]]\nname = \"{user}\"\n\
         password_file = \"client-password\"\n[database.origin]\nscheme = \"mysql\"\n\
         host = \"127.0.0.1\"\nport = {port}\ndatabase = \"app\"\nuser = \"{login}\"\n\
         password = \"{login}-password\"\n[database.caching]\ndisabled = true\n[database.mtls]\n{tls}\n"
    )
}

async fn log_in(endpoint: &Endpoint) -> Result<Wire, Refusal> {
    let mut wire = Wire::greeted(endpoint.address).await;
    wire.login(endpoint, &Options::default()).await.map(|_ok| wire)
}

/// Adds databases, and waits until the one named `last` is known to the user `app`.
async fn add(stage: &mut Stage, databases: String, last: &str) {
    stage.jumpgate().reload(|setup| setup.more = databases).expect("a reload");
    let known = stage.endpoint().with_database(last);
    eventually("the new databases are known", async || match log_in(&known).await {
        // A name that is no configuration is a schema of the first one.
        Ok(mut wire) => ![1044, 1049].contains(&code(&wire.query("DO 1").await)),
        Err(_refused) => false,
    })
    .await;
}

const CHECKED: &str = "sslmode = \"verify-ca\"\nca_certificate = \"ca.pem\"";
const BARE: &str = "sslmode = \"plaintext-for-local-development\"";

/// FAULTS row 55: `unverified` would get the password of caching_sha2_password's full exchange.
async fn each_way_of_logging_in_to_the_origin_works(place: Place) {
    let mut stage = Stage::open(place).await;
    let mut root = stage.root().await;
    for user in ["fresh", "bare", "certified", "checked", "unheard"] {
        root.run(&format!("CREATE USER {user}@'%' IDENTIFIED BY '{user}-password'")).await;
        root.run(&format!("GRANT ALL ON app.* TO {user}@'%'")).await;
    }
    root.run("ALTER USER certified@'%' REQUIRE X509").await;
    root.run("ALTER USER fresh@'%' REQUIRE SSL").await;
    let folder = TempDir::new().expect("a folder");
    stage.authority.leaf(&["certified"]).write(folder.path(), "client").expect("written");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let certificate = format!(
        "{CHECKED}\nclient_certificate = \"{}\"\nclient_key = \"{}\"",
        path("client.pem"),
        path("client.key")
    );
    let required = "sslmode = \"require\"";
    let databases = [
        database(&stage, ["over-tls", "app", "fresh"], CHECKED),
        database(&stage, ["unverified", "app", "unheard"], required),
        database(&stage, ["in-the-clear", "app", "bare"], BARE),
        database(&stage, ["by-certificate", "app", "certified"], &certificate),
        database(&stage, ["no-certificate", "app", "certified"], required),
        database(&stage, ["tls-refused", "app", "fresh"], BARE),
        database(&stage, ["nobody", "app", "stranger"], required),
        database(&stage, ["other-authority", "app", "checked"], "sslmode = \"verify-full\""),
        database(&stage, ["checked", "app", "checked"], CHECKED),
    ]
    .concat();
    add(&mut stage, databases, "checked").await;
    for (name, user) in [
        ("over-tls", "fresh"),
        ("in-the-clear", "bare"),
        ("by-certificate", "certified"),
        ("checked", "checked"),
    ] {
        let mut client = Wire::connect(&stage.endpoint().with_database(name)).await;
        assert_eq!(
            client.value("SELECT substring_index(current_user(), '@', 1)").await,
            user,
            "{name}"
        );
        assert_eq!(client.value("SELECT database()").await, "app", "{name}");
    }
    for (name, word) in [
        ("no-certificate", "authentication_failed"),
        ("unverified", "authentication_failed"),
        ("tls-refused", "authentication_failed"),
        ("nobody", "authentication_failed"),
        ("other-authority", "bad_certificate"),
    ] {
        // MariaDB's plugin shows the password to nobody, so that it needs nobody verified.
        if name == "unverified" && place.server == Server::MariaDb {
            continue;
        }
        // A login needs no origin; the first statement says what is wrong.
        let mut client = Wire::connect(&stage.endpoint().with_database(name)).await;
        let wanted = format!("Server connection attempt failed: {word}");
        assert_eq!(error(&client.query("SELECT 1").await), wanted, "{name}");
    }
    assert_eq!(stage.client().await.value("SELECT 1").await, "1", "others go on");
}

/// Found by plugin_auth_sha256: by the password within TLS that is verified, and by the server's key without TLS.
async fn sha256_password_is_answered_to_whom_it_may_be(place: Place) {
    let mut stage = Stage::open(place).await;
    let mut root = stage.root().await;
    for user in ["older", "oldest"] {
        root.run(&format!(
            "CREATE USER {user}@'%' IDENTIFIED WITH sha256_password BY '{user}-password'"
        ))
        .await;
        root.run(&format!("GRANT ALL ON app.* TO {user}@'%'")).await;
    }
    let databases = [
        database(&stage, ["older-tls", "app", "older"], CHECKED),
        database(&stage, ["older-key", "app", "oldest"], BARE),
        database(&stage, ["older-unverified", "app", "older"], "sslmode = \"require\""),
        database(&stage, ["wrong", "app", "older"], CHECKED).replace("older-password", "other"),
    ]
    .concat();
    add(&mut stage, databases, "older-key").await;
    for (name, user) in [("older-tls", "older"), ("older-key", "oldest")] {
        let mut client = Wire::connect(&stage.endpoint().with_database(name)).await;
        let asked = "SELECT substring_index(current_user(), '@', 1)";
        assert_eq!(client.value(asked).await, user, "{name}");
    }
    for name in ["older-unverified", "wrong"] {
        let mut client = Wire::connect(&stage.endpoint().with_database(name)).await;
        let wanted = "Server connection attempt failed: authentication_failed";
        assert_eq!(error(&client.query("SELECT 1").await), wanted, "{name}");
    }
}

/// Found by init_connect of MariaDB's own suite: SET GLOBAL through one config is known to all of the server.
async fn what_is_set_for_all_is_so_for_every_configuration(place: Place) {
    let mut stage = Stage::open(place).await;
    let mut root = stage.root().await;
    for sql in [
        "GRANT SUPER ON *.* TO app@'%'",
        "CREATE USER beside@'%' IDENTIFIED BY 'beside-password'",
        "GRANT ALL ON app.* TO beside@'%'",
    ] {
        root.run(sql).await;
    }
    let beside = database(&stage, ["beside", "app", "beside"], CHECKED);
    add(&mut stage, beside, "beside").await;
    let endpoint = stage.endpoint().with_database("beside");
    let shown = "SELECT @@div_precision_increment";
    let (mut own, mut other) = (stage.client().await, Wire::connect(&endpoint).await);
    assert_eq!((own.value(shown).await, other.value(shown).await), ("4".into(), "4".into()));
    own.run("SET GLOBAL div_precision_increment = 7").await;
    assert_eq!(Wire::connect(&endpoint).await.value(shown).await, "7");
    own.run("SET GLOBAL init_connect = 'SET @a = 2'").await;
    assert_eq!(Wire::connect(&endpoint).await.value("SELECT @a").await, "2");
}

async fn a_configuration_is_meant_by_its_name_or_by_its_user(place: Place) {
    let mut stage = Stage::open(place).await;
    let databases = [
        database(&stage, ["beside", "second", "second"], CHECKED),
        database(&stage, ["twice-a", "shared", "second"], CHECKED),
        database(&stage, ["twice-b", "shared", "second"], CHECKED),
        database(&stage, ["known", "app", "second"], CHECKED),
    ]
    .concat();
    add(&mut stage, databases, "known").await;
    let user = "SELECT substring_index(current_user(), '@', 1)";
    let as_second = stage.endpoint().with_user("second", CLIENT_PASSWORD);
    for database in ["beside", "app"] {
        // `app` is another's configuration, and a schema of one's own.
        let mut client = Wire::connect(&as_second.with_database(database)).await;
        assert_eq!(client.value(user).await, "second");
        assert_eq!(client.value("SELECT name FROM thing").await, "from app");
    }
    let shared = stage.endpoint().with_user("shared", CLIENT_PASSWORD);
    assert!(log_in(&shared.with_database("twice-a")).await.is_ok());
    let refusal = log_in(&shared.with_database("other")).await.expect_err("which of the two?");
    assert_eq!(refusal.code, 1049, "{refusal:?}");
    // A configuration that does not know the user is not meant: then it is a schema, which there is not.
    let refusal = log_in(&as_second.with_database("twice-a")).await.expect_err("no such schema");
    assert!([1044, 1049].contains(&refusal.code), "{refusal:?}");
}

/// Only what PostgreSQL would keep is known of the password: it must be said, and so it must be encrypted.
async fn a_password_that_is_not_known_is_asked_for(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(2)).await;
    let verifier = postgres_protocol::password::scram_sha_256(CLIENT_PASSWORD.as_bytes());
    let plain = database(&stage, ["guarded", "app", "second"], CHECKED);
    let database =
        plain.replace("password_file = \"client-password\"", &format!("verifier = \"{verifier}\""));
    stage.jumpgate().reload(|setup| setup.more = database).expect("a reload");
    let endpoint = stage.endpoint().with_database("guarded");
    let user = "SELECT substring_index(current_user(), '@', 1)";
    eventually("the new database is known", async || match log_in(&endpoint).await {
        Ok(mut wire) => {
            e2e::mysql::reply::rows(&wire.query(user).await).concat() == [Some("second".to_owned())]
        }
        Err(_refused) => false,
    })
    .await;
    for plugin in [SHA2, NATIVE] {
        let options = Options { plugin, ..Options::default() };
        let mut wire = Wire::greeted(endpoint.address).await;
        wire.login(&endpoint, &options).await.expect("a login with the key");
        assert!(
            wire.steps.last().is_some_and(|step| step == "full with the key" || step == "fast"),
            "{:?}",
            wire.steps
        );
        assert_eq!(wire.value(user).await, "second");
        let config = stage.authority.client_config(None);
        let mut wire = Wire::greeted_tls(endpoint.address, &options, config).await;
        wire.login(&endpoint, &options).await.expect("a login inside TLS");
        assert!(
            wire.steps.last().is_some_and(|step| step == "full inside TLS" || step == "fast"),
            "{:?}",
            wire.steps
        );
        let wrong = endpoint.with_user("app", "wrong");
        let mut wire = Wire::greeted(endpoint.address).await;
        let refused = wire.login(&wrong, &options).await;
        assert_eq!(refused.expect_err("a refusal").code, 1045);
    }
}

async fn a_changed_password_ends_what_was_remembered(place: Place) {
    let mut stage = Stage::open(place).await;
    let mut old = stage.client().await;
    let renamed = |stage: &Stage| database(stage, ["moving", "app", "second"], CHECKED);
    let text = renamed(&stage);
    add(&mut stage, text, "moving").await;
    let text = renamed(&stage)
        .replace("password_file = \"client-password\"", "password = \"a new password\"");
    stage.jumpgate().reload(|setup| setup.more = text).expect("a reload");
    let endpoint = stage.endpoint().with_database("moving");
    eventually("the new password is known", async || {
        log_in(&endpoint.with_user("app", "a new password")).await.is_ok()
    })
    .await;
    let refused = log_in(&endpoint).await;
    assert!(refused.is_err_and(|refusal| refusal.code == 1045), "the old one is over");
    assert_eq!(old.value("SELECT 1").await, "1");
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        each_way_of_logging_in_to_the_origin_works,
        what_is_set_for_all_is_so_for_every_configuration,
    ],
    jumpgate_twice: [
        a_configuration_is_meant_by_its_name_or_by_its_user,
        a_password_that_is_not_known_is_asked_for,
        a_changed_password_ends_what_was_remembered,
    ],
    mysql: [
        sha256_password_is_answered_to_whom_it_may_be,
    ],
}
