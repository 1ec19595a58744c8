//! The first packets: greeting, capabilities, plugins and their switches, TLS, refusals.

use e2e::{
    jumpgate::Setup,
    mysql::{
        Server,
        flags::capability,
        login::{NATIVE, Options, SHA2},
        reply::Refusal,
        stage::{Place, Stage},
        wire::Wire,
    },
    stage::eventually,
    wire::Endpoint,
};

async fn try_login(endpoint: &Endpoint, options: &Options) -> Result<Wire, Refusal> {
    let mut wire = Wire::greeted(endpoint.address).await;
    wire.login(endpoint, options).await?;
    Ok(wire)
}

async fn the_greeting_offers_what_every_origin_can_do(place: Place) {
    let stage = Stage::open(place).await;
    let first = Wire::greeted(stage.endpoint().address).await.greeting;
    let second = Wire::greeted(stage.endpoint().address).await.greeting;
    for (name, flag) in [
        ("PROTOCOL_41", capability::PROTOCOL_41),
        ("CONNECT_WITH_DB", capability::CONNECT_WITH_DB),
        ("FOUND_ROWS", capability::FOUND_ROWS),
        ("LOCAL_FILES", capability::LOCAL_FILES),
        ("SSL", capability::SSL),
        ("MULTI_STATEMENTS", capability::MULTI_STATEMENTS),
        ("PS_MULTI_RESULTS", capability::PS_MULTI_RESULTS),
        ("PLUGIN_AUTH", capability::PLUGIN_AUTH),
        ("CONNECT_ATTRS", capability::CONNECT_ATTRS),
        ("PLUGIN_AUTH_LENENC", capability::PLUGIN_AUTH_LENENC),
        ("SESSION_TRACK", capability::SESSION_TRACK),
        ("DEPRECATE_EOF", capability::DEPRECATE_EOF),
        ("QUERY_ATTRIBUTES", capability::QUERY_ATTRIBUTES),
        ("COMPRESS", capability::COMPRESS),
        ("ZSTD", capability::ZSTD),
    ] {
        assert_ne!(first.capabilities & flag, 0, "{name} is offered");
    }
    let optional = first.capabilities & capability::OPTIONAL_METADATA;
    assert_eq!(optional, 0, "OPTIONAL_METADATA is not offered");
    assert_ne!(first.thread, second.thread, "each connection has its own number");
    assert_ne!(first.scramble, second.scramble, "each connection has its own nonce");
    let usable = |byte: &u8| *byte != 0 && *byte != b'$';
    assert!(first.scramble.iter().all(usable), "a nonce is text: {:?}", first.scramble);
}

async fn the_greeting_says_the_origins_version_once_it_is_known(place: Place) {
    let stage = Stage::open(place).await;
    // MariaDB puts 5.5.5- in front of what version() says.
    let version = Wire::greeted(stage.mysql.address()).await.greeting.version;
    stage.client().await.run("SELECT 1").await;
    eventually("the greeting has the origin's version", async || {
        Wire::greeted(stage.endpoint().address).await.greeting.version == version
    })
    .await;
}

/// FAULTS §3: the collation of the greeting is the origin's once that is known.
async fn the_greeting_says_the_origins_collation_once_it_is_known(place: Place) {
    let setup = Setup { mysql: vec!["--character-set-server=latin1"], ..Setup::default() };
    let stage = Stage::with(place, setup).await;
    let collation = Wire::greeted(stage.mysql.address()).await.greeting.collation;
    stage.client().await.run("SELECT 1").await;
    eventually("the greeting has the origin's collation", async || {
        Wire::greeted(stage.endpoint().address).await.greeting.collation == collation
    })
    .await;
}

async fn a_configured_version_is_greeted_with(place: Place) {
    let setup =
        Setup { listen: "mysql_server_version = \"8.4.0-jumpgate\"".into(), ..Setup::default() };
    let stage = Stage::with(place, setup).await;
    stage.client().await.run("SELECT 1").await;
    let greeting = Wire::greeted(stage.endpoint().address).await.greeting;
    assert_eq!(greeting.version, "8.4.0-jumpgate");
}

async fn a_login_needs_neither_database_nor_attributes(place: Place) {
    let stage = Stage::open(place).await;
    let bare = Options {
        without: capability::CONNECT_WITH_DB
            | capability::CONNECT_ATTRS
            | capability::PLUGIN_AUTH_LENENC,
        ..Options::default()
    };
    let mut wire = Wire::connect_with(&stage.endpoint(), &bare).await;
    assert_eq!(wire.value("SELECT 1").await, "1");
    wire.run("USE other").await;
    assert_eq!(wire.value("SELECT name FROM thing").await, "from other");
}

async fn both_plugins_log_in_and_any_other_is_switched(place: Place) {
    let stage = Stage::open(place).await;
    let plugins = if stage.is_direct() {
        &["", "no_such_plugin"][..]
    } else {
        &["", NATIVE, SHA2, "no_such_plugin"]
    };
    for plugin in plugins {
        let mut wire = Wire::greeted(stage.endpoint().address).await;
        let options = Options { plugin, ..Options::default() };
        let default = if *plugin == "no_such_plugin" {
            // A proof of a plugin that the server does not know is not looked at.
            wire.agree(&options);
            let body = e2e::mysql::login::response(
                wire.capabilities,
                &stage.endpoint(),
                &options,
                b"x",
                plugin,
            );
            wire.put(&body).await;
            wire.authenticate(&stage.endpoint().password, (*plugin).into()).await
        } else {
            wire.login(&stage.endpoint(), &options).await
        };
        assert!(default.is_ok(), "`{plugin}`: {default:?} after {:?}", wire.steps);
        if *plugin == "no_such_plugin" {
            assert!(
                wire.steps.first().is_some_and(|step| step.starts_with("switch to")),
                "{:?}",
                wire.steps
            );
        }
        assert_eq!(wire.value("SELECT 'in'").await, "in");
    }
}

async fn a_client_without_plugins_logs_in(place: Place) {
    let stage = Stage::open(place).await;
    let options =
        Options { without: capability::PLUGIN_AUTH, plugin: NATIVE, ..Options::default() };
    let mut wire = Wire::greeted(stage.endpoint().address).await;
    wire.agree(&options);
    let proof =
        e2e::mysql::login::proof(NATIVE, &stage.endpoint().password, &wire.greeting.scramble);
    let body =
        e2e::mysql::login::response(wire.capabilities, &stage.endpoint(), &options, &proof, "");
    wire.put(&body).await;
    let login = wire.authenticate(&stage.endpoint().password, NATIVE.into()).await;
    assert!(login.is_ok(), "{login:?} after {:?}", wire.steps);
    assert_eq!(wire.value("SELECT 'in'").await, "in");
}

async fn a_login_inside_tls_works(place: Place) {
    let stage = Stage::open(place).await;
    let plugins = if stage.is_direct() { &[""][..] } else { &["", NATIVE, SHA2] };
    for plugin in plugins {
        let options = Options { plugin, ..Options::default() };
        let endpoint = stage.endpoint();
        let config = stage.authority.client_config(None);
        let mut wire = Wire::greeted_tls(endpoint.address, &options, config).await;
        wire.login(&endpoint, &options).await.expect("a login inside TLS");
        assert_eq!(wire.value("SELECT 'encrypted'").await, "encrypted");
        let wide = wire.run("SELECT filler FROM wide ORDER BY id").await;
        assert_eq!(e2e::mysql::reply::rows(&wide).len(), 3000);
    }
}

async fn a_wrong_password_and_an_unknown_user_look_alike(place: Place) {
    let stage = Stage::open(place).await;
    let plugins = if stage.is_direct() { &[""][..] } else { &["", NATIVE, SHA2] };
    for plugin in plugins {
        for (user, password, using) in [
            ("app", "wrong", "YES"),
            ("nobody_at_all", "wrong", "YES"),
            ("app", "", "NO"),
            ("nobody_at_all", "", "NO"),
        ] {
            let endpoint = stage.endpoint().with_user(user, password);
            let options = Options { plugin, ..Options::default() };
            let refusal = try_login(&endpoint, &options).await.expect_err("a refusal");
            assert_eq!(refusal.code, 1045, "{refusal:?}");
            assert_eq!(refusal.state, "28000", "{refusal:?}");
            let start = format!("Access denied for user '{user}'@");
            // With a plugin that it only feigns MySQL cannot tell whether there was a password.
            let using = if stage.is_direct() { "" } else { using };
            let end = format!("{using})");
            assert!(refusal.message.starts_with(&start), "{refusal:?}");
            assert!(refusal.message.contains("(using password: "), "{refusal:?}");
            assert!(refusal.message.ends_with(&end), "{refusal:?}");
        }
    }
}

/// FAULTS §3: in the words of the database, and as soon as there.
async fn a_schema_that_may_not_be_used_is_refused(place: Place) {
    let stage = Stage::open(place).await;
    let too_long = "x".repeat(70);
    for name in ["nowhere", "mysql", "name ", &too_long] {
        let refused = async |endpoint: Endpoint| {
            let endpoint = endpoint.with_database(name);
            try_login(&endpoint, &Options::default()).await.expect_err(name)
        };
        let expected = refused(stage.mysql.endpoint()).await;
        for _turn in 0..2 {
            assert_eq!(refused(stage.endpoint()).await, expected, "{name}");
        }
    }
    let mut wire = stage.client().await;
    let nowhere = stage.endpoint().with_database("nowhere");
    let refusal = wire.change_user(&nowhere).await.expect_err("a refusal");
    assert!([1044, 1049].contains(&refusal.code), "{refusal:?}");
    // Once it is there it can be used, whatever was said before.
    stage.root().await.run("CREATE DATABASE nowhere").await;
    stage.root().await.run("GRANT ALL ON nowhere.* TO app@'%'").await;
    let mut wire = Wire::connect(&nowhere).await;
    assert_eq!(wire.value("SELECT database()").await, "nowhere");
    assert_eq!(stage.client().await.value("SELECT database()").await, "app");
}

async fn another_schema_of_the_origin_may_be_asked_for(place: Place) {
    let stage = Stage::open(place).await;
    let mut wire = Wire::connect(&stage.endpoint().with_database("other")).await;
    assert_eq!(wire.value("SELECT database()").await, "other");
    assert_eq!(wire.value("SELECT name FROM thing").await, "from other");
}

async fn the_session_begins_with_the_clients_collation(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    // latin1_swedish_ci, utf8mb4_general_ci, utf8mb4_unicode_ci, binary.
    let mut wires = Vec::new();
    for (collation, charset, name) in [
        (8, "latin1", "latin1_swedish_ci"),
        (45, "utf8mb4", "utf8mb4_general_ci"),
        (224, "utf8mb4", "utf8mb4_unicode_ci"),
        (63, "binary", "binary"),
    ] {
        let options = Options { collation, ..Options::default() };
        wires.push((Wire::connect_with(&stage.endpoint(), &options).await, charset, name));
    }
    for _turn in 0..2 {
        for (wire, charset, name) in &mut wires {
            assert_eq!(wire.value("SELECT @@collation_connection").await, *name);
            assert_eq!(wire.value("SELECT @@character_set_client").await, *charset);
        }
    }
}

async fn the_origin_sees_the_programs_name(place: Place) {
    let setup = Setup { mysql: vec!["--performance-schema=ON"], ..Setup::default() };
    let stage = Stage::with(place, setup).await;
    let mut client = stage.client().await;
    client.run("SELECT 1").await;
    let mut root = stage.root().await;
    // The reader of the catalog, which may be there too, says so behind the name.
    let sql = "SELECT attr_value FROM performance_schema.session_connect_attrs WHERE attr_name = 'program_name' AND attr_value LIKE 'jumpgate/%' AND attr_value NOT LIKE '% catalog'";
    assert_eq!(root.value(sql).await, "jumpgate/app");
}

/// FAULTS §3, the known difference: connections serve many clients, so the origin sees none of their attributes, and no
/// client sees another's.
async fn attributes_of_clients_are_seen_by_nobody(place: Place) {
    let setup = Setup { mysql: vec!["--performance-schema=ON"], ..Setup::pool_of(1) };
    let stage = Stage::with(place, setup).await;
    let attributes = vec![("program_name", "of a client"), ("ticket", "of a client")];
    let options = Options { attributes, ..Options::default() };
    let mut one = Wire::connect_with(&stage.endpoint(), &options).await;
    let mut other = stage.client().await;
    let own = "SELECT group_concat(attr_name ORDER BY attr_name) \
               FROM performance_schema.session_account_connect_attrs \
               WHERE attr_name IN ('program_name', 'ticket') AND attr_value LIKE 'jumpgate/app'";
    for wire in [&mut one, &mut other] {
        assert_eq!(wire.value(own).await, "program_name", "what is ours");
    }
    let seen = "SELECT count(*) FROM performance_schema.session_connect_attrs \
                WHERE attr_value = 'of a client' OR attr_name = 'ticket'";
    assert_eq!(stage.root().await.value(seen).await, "0");
}

async fn found_rows_is_a_matter_of_each_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut counts_found = stage.client_with(capability::FOUND_ROWS).await;
    let mut counts_changed = stage.client().await;
    for _turn in 0..2 {
        let sql = "UPDATE account SET balance = balance WHERE id < 3";
        assert_eq!(e2e::mysql::reply::done(&counts_found.run(sql).await).affected, 2);
        assert_eq!(e2e::mysql::reply::done(&counts_changed.run(sql).await).affected, 0);
    }
}

async fn the_cached_password_makes_the_second_login_fast(place: Place) {
    let stage = Stage::open(place).await;
    let mut first = stage.client().await;
    assert_eq!(first.value("SELECT 1").await, "1");
    let mut second = Wire::greeted(stage.endpoint().address).await;
    let options = Options { plugin: SHA2, ..Options::default() };
    second.login(&stage.endpoint(), &options).await.expect("a login");
    assert_eq!(second.steps.last().map(String::as_str), Some("fast"));
    assert_eq!(place.server, Server::MySql, "MariaDB has no caching_sha2_password");
}

e2e::mysql_scenarios! {
    everywhere: [
        a_login_inside_tls_works,
    ],
    jumpgate_both: [
        the_greeting_says_the_origins_version_once_it_is_known,
        the_greeting_says_the_origins_collation_once_it_is_known,
        the_origin_sees_the_programs_name,
        attributes_of_clients_are_seen_by_nobody,
    ],
    twice: [
        a_login_needs_neither_database_nor_attributes,
        both_plugins_log_in_and_any_other_is_switched,
        a_wrong_password_and_an_unknown_user_look_alike,
        a_schema_that_may_not_be_used_is_refused,
        another_schema_of_the_origin_may_be_asked_for,
        the_session_begins_with_the_clients_collation,
        found_rows_is_a_matter_of_each_client,
    ],
    jumpgate_twice: [
        a_configured_version_is_greeted_with,
        the_greeting_offers_what_every_origin_can_do,
    ],
    mariadb: [
        a_client_without_plugins_logs_in,
    ],
    mysql: [
        the_cached_password_makes_the_second_login_fast,
    ],
}
