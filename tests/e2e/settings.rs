//! Settings: what a client set is in force for it on every backend, and for nobody else.

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage, eventually},
    wire::{Wire, error, rows, say, sqlstate, tags},
};

async fn a_set_follows_its_client_from_backend_to_backend(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut tokyo, mut york, mut plain) =
        (stage.client().await, stage.client().await, stage.client().await);
    tokyo.run("SET TimeZone = 'Asia/Tokyo'").await;
    york.run("SET TimeZone = 'America/New_York'").await;
    for _turn in 0..3 {
        assert_eq!(tokyo.value("SHOW TimeZone").await, "Asia/Tokyo");
        assert_eq!(york.value("SHOW TimeZone").await, "America/New_York");
        assert_eq!(plain.value("SHOW TimeZone").await, "UTC");
        let noon = "SELECT '2026-01-01 12:00+00'::timestamptz::text";
        assert_eq!(tokyo.value(noon).await, "2026-01-01 21:00:00+09");
        assert_eq!(york.value(noon).await, "2026-01-01 07:00:00-05");
        assert_eq!(plain.value(noon).await, "2026-01-01 12:00:00+00");
    }
}

async fn a_parameter_status_reaches_only_the_client_that_set_it(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut german, mut plain) = (stage.client().await, stage.client().await);
    let reply = german.run("SET DateStyle = 'German'").await;
    assert!(tags(&reply).contains('S'), "the change is reported: {reply:?}");
    assert_eq!(german.parameters["DateStyle"], "German, DMY");
    for _turn in 0..3 {
        assert_eq!(
            tags(&plain.run("SELECT 1").await),
            "TDCZ",
            "nothing is reported to the other client"
        );
        assert_eq!(tags(&german.run("SELECT 1").await), "TDCZ", "nothing is reported twice");
        assert_eq!(german.value("SELECT '2026-11-23'::date::text").await, "23.11.2026");
        assert_eq!(plain.value("SELECT '2026-11-23'::date::text").await, "2026-11-23");
    }
}

async fn a_startup_parameter_is_in_force_from_the_first_statement(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let options =
        [("TimeZone", "Asia/Tokyo"), ("search_path", "two"), ("application_name", "startup test")];
    let mut client = stage.client_with(&options).await;
    let mut other = stage.client().await;
    assert_eq!(client.parameters["TimeZone"], "Asia/Tokyo");
    assert_eq!(client.parameters["application_name"], "startup test");
    for _turn in 0..2 {
        assert_eq!(client.value("SHOW TimeZone").await, "Asia/Tokyo");
        assert_eq!(client.value("SELECT name FROM thing").await, "from two");
        assert_eq!(client.value("SHOW application_name").await, "startup test");
        assert_eq!(sqlstate(&other.query("SELECT name FROM thing").await), "42P01");
    }
}

async fn the_options_of_a_startup_are_in_force(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut client =
        stage.client_with(&[("options", "-c search_path=one -c extra_float_digits=0")]).await;
    let mut other = stage.client().await;
    assert_eq!(other.value("SHOW extra_float_digits").await, "1");
    assert_eq!(client.value("SELECT name FROM thing").await, "from one");
    assert_eq!(client.value("SHOW extra_float_digits").await, "0");
}

async fn reset_returns_to_the_value_of_the_startup(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut client = stage.client_with(&[("TimeZone", "Asia/Tokyo")]).await;
    let mut other = stage.client().await;
    for reset in ["RESET TimeZone", "RESET ALL", "DISCARD ALL", "SET TimeZone TO DEFAULT"] {
        client.run("SET TimeZone = 'America/New_York'").await;
        assert_eq!(other.value("SHOW TimeZone").await, "UTC");
        client.run(reset).await;
        assert_eq!(other.value("SHOW TimeZone").await, "UTC");
        assert_eq!(client.value("SHOW TimeZone").await, "Asia/Tokyo", "after {reset}");
        assert_eq!(client.parameters["TimeZone"], "Asia/Tokyo", "after {reset}");
    }
}

async fn a_set_local_ends_with_its_transaction(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    client.run("BEGIN").await;
    client.run("SET LOCAL TimeZone = 'Asia/Tokyo'").await;
    assert_eq!(client.value("SHOW TimeZone").await, "Asia/Tokyo");
    client.run("COMMIT").await;
    assert_eq!(other.value("SHOW TimeZone").await, "UTC");
    assert_eq!(client.value("SHOW TimeZone").await, "UTC");
}

async fn a_set_that_is_rolled_back_is_forgotten(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    client.run("SET TimeZone = 'Asia/Tokyo'").await;
    client.run("BEGIN").await;
    client.run("SET TimeZone = 'America/New_York'").await;
    client.run("ROLLBACK").await;
    assert_eq!(other.value("SHOW TimeZone").await, "UTC");
    assert_eq!(client.value("SHOW TimeZone").await, "Asia/Tokyo");

    client
        .run("BEGIN; SAVEPOINT s; SET TimeZone = 'America/New_York'; ROLLBACK TO s; COMMIT")
        .await;
    assert_eq!(other.value("SHOW TimeZone").await, "UTC");
    assert_eq!(client.value("SHOW TimeZone").await, "Asia/Tokyo");
}

async fn a_set_that_fails_is_not_remembered(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    assert_eq!(sqlstate(&client.query("SET TimeZone = 'No/Where'").await), "22023");
    assert_eq!(sqlstate(&client.query("SET TimeZone = 'Asia/Tokyo'; SELECT 1/0").await), "22012");
    assert_eq!(other.value("SHOW TimeZone").await, "UTC");
    assert_eq!(client.value("SHOW TimeZone").await, "UTC");
}

async fn set_config_is_kept_like_set(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    client.run("SELECT set_config('TimeZone', 'Asia/Tokyo', false)").await;
    assert_eq!(other.value("SHOW TimeZone").await, "UTC");
    assert_eq!(client.value("SHOW TimeZone").await, "Asia/Tokyo");
}

async fn a_setting_that_a_function_changed_stays_with_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    client
        .run(
            "CREATE FUNCTION to_tokyo() RETURNS text LANGUAGE plpgsql AS \
             $$ BEGIN RETURN set_config('TimeZone', 'Asia/Tokyo', false); END $$",
        )
        .await;
    assert_eq!(client.value("SELECT to_tokyo()").await, "Asia/Tokyo");
    for _turn in 0..3 {
        assert_eq!(other.value("SHOW TimeZone").await, "UTC");
        assert_eq!(client.value("SHOW TimeZone").await, "Asia/Tokyo");
    }
}

/// Also where no replies are kept.
async fn what_a_function_leaves_is_its_clients(place: Place) {
    for caching in ["", "disabled = true"] {
        let stage = Stage::with(place, Setup { pool_size: 3, ..Setup::caching(caching) }).await;
        let (mut client, mut other) = (stage.client().await, stage.client().await);
        let body = "PERFORM set_config('work_mem', '9MB', false); CREATE TEMP TABLE hidden AS SELECT 1 AS a; \
                    PERFORM pg_advisory_lock(7); RETURN 'left';";
        let function = "CREATE FUNCTION leaves() RETURNS text LANGUAGE plpgsql";
        client.run(&format!("{function} AS $$ BEGIN {body} END $$")).await;
        eventually("what the function does is known", async || {
            let mut first = stage.client().await;
            first.run("SELECT leaves()").await;
            stage.is_direct() || stage.metrics().await.pins() > 0.0
        })
        .await;
        assert_eq!(client.value("SELECT leaves()").await, "left", "{caching}");
        for _turn in 0..3 {
            assert_eq!(other.value("SHOW work_mem").await, "4MB", "{caching}");
            assert_eq!(other.value("SELECT to_regclass('hidden')").await, "NULL", "{caching}");
            assert_eq!(other.value("SELECT pg_try_advisory_lock(7)").await, "f", "{caching}");
            assert_eq!(client.value("SHOW work_mem").await, "9MB", "{caching}");
            assert_eq!(client.value("SELECT a FROM hidden").await, "1", "{caching}");
        }
        assert_eq!(client.value("SELECT pg_advisory_unlock(7)").await, "t", "{caching}");
    }
}

async fn a_reload_of_the_server_keeps_nobody_on_its_backend(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    client.run("SELECT 1").await;
    let mut superuser = Wire::connect(&stage.postgres.superuser()).await;
    superuser.run("ALTER SYSTEM SET timezone = 'Asia/Tokyo'").await;
    superuser.run("SELECT pg_reload_conf()").await;
    eventually("the new value is in force", async || {
        let mut fresh = Wire::connect(&stage.postgres.superuser()).await;
        fresh.value("SHOW TimeZone").await == "Asia/Tokyo"
    })
    .await;
    for _turn in 0..3 {
        client.run("SELECT 1").await;
        other.run("SELECT 1").await;
    }
    assert_eq!(client.value("SHOW TimeZone").await, "Asia/Tokyo");
    assert_eq!(other.value("SHOW TimeZone").await, "Asia/Tokyo");
}

async fn a_copy_behind_a_reset_is_read(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    client.run("CREATE TABLE copied (n int)").await;
    client.send(say::query("RESET search_path; COPY copied FROM STDIN")).await;
    client.until(b'G').await;
    client.send(say::copy_data("1\n2\n")).await;
    client.send(say::copy_done()).await;
    client.until_ready().await;
    assert_eq!(other.value("SELECT count(*) FROM copied").await, "2");
}

async fn a_custom_setting_follows_and_does_not_leak(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    client.run("SET app.tenant = '17'").await;
    let read = "SELECT coalesce(current_setting('app.tenant', true), '')";
    for _turn in 0..2 {
        assert_eq!(other.value(read).await, "");
        assert_eq!(client.value(read).await, "17");
    }
}

async fn a_role_follows_its_client_and_nobody_else_gets_its_rights(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut reader, mut owner) = (stage.client().await, stage.client().await);
    reader.run("SET ROLE reader").await;
    for _turn in 0..2 {
        assert_eq!(owner.value("SELECT current_user").await, "app");
        assert_eq!(owner.value("SELECT balance FROM account WHERE id = 1").await, "100");
        assert_eq!(reader.value("SELECT current_user").await, "reader");
        assert_eq!(
            sqlstate(&reader.query("SELECT balance FROM account WHERE id = 1").await),
            "42501"
        );
    }
}

/// Found by PostgreSQL's own tests: what a client had set with rights that are gone ends its backend, and not the next client.
async fn a_role_that_is_gone_ends_nobody(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut superuser = stage.superuser().await;
    let mut app = stage.client().await;
    for gone in ["DROP ROLE alice", "REVOKE alice FROM app"] {
        superuser.run("DROP ROLE IF EXISTS alice; CREATE ROLE alice; GRANT alice TO app").await;
        let mut owner = stage.client().await;
        for sql in ["SET ROLE alice", "SET work_mem TO '8MB'", "RESET ROLE"] {
            owner.run(sql).await;
        }
        owner.close().await;
        superuser.run(gone).await;
        assert_eq!(app.value("SHOW work_mem").await, "4MB", "{gone}");
        let mut fresh = stage.client().await;
        assert_eq!(fresh.value("SELECT 1").await, "1", "{gone}");
    }
}

async fn session_characteristics_follow_their_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut reader, mut writer) = (stage.client().await, stage.client().await);
    reader.run("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY").await;
    writer.run("UPDATE account SET balance = 100 WHERE id = 1").await;
    let refused = reader.query("UPDATE account SET balance = 0 WHERE id = 1").await;
    assert_eq!(sqlstate(&refused), "25006", "{refused:?}");
    writer.run("UPDATE account SET balance = 100 WHERE id = 1").await;
}

async fn a_set_among_other_statements_is_seen(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    let reply = client.run("SELECT 1; SET TimeZone = 'Asia/Tokyo'; SELECT 2").await;
    assert_eq!(rows(&reply).len(), 2);
    assert_eq!(other.value("SHOW TimeZone").await, "UTC");
    assert_eq!(client.value("SHOW TimeZone").await, "Asia/Tokyo");
    let reply = client.extended("SET TimeZone = 'America/New_York'", &[]).await;
    assert_eq!(error(&reply), "");
    assert_eq!(other.value("SHOW TimeZone").await, "UTC");
    assert_eq!(client.value("SHOW TimeZone").await, "America/New_York");
}

/// FAULTS §3: it names what it has opened and nobody has used; a client's name is the client's.
async fn the_proxy_names_itself_at_the_origin(place: Place) {
    let setup = Setup { pool: "min_idle = 2".into(), ..Setup::pool_of(2) };
    let stage = Stage::with(place, setup).await;
    let open = "SELECT count(*) >= 2 FROM pg_stat_activity WHERE application_name = 'jumpgate/app'";
    eventually("the connections are there", async || {
        stage.superuser().await.value(open).await == "t"
    })
    .await;
    let mut client = stage.client().await;
    assert_eq!(client.value("SELECT current_setting('application_name')").await, "");
}

e2e::scenarios! {
    everywhere: [
        a_set_follows_its_client_from_backend_to_backend,
        a_parameter_status_reaches_only_the_client_that_set_it,
    ],
    twice: [
        a_startup_parameter_is_in_force_from_the_first_statement,
        the_options_of_a_startup_are_in_force,
        reset_returns_to_the_value_of_the_startup,
        a_set_local_ends_with_its_transaction,
        a_set_that_is_rolled_back_is_forgotten,
        a_set_that_fails_is_not_remembered,
        set_config_is_kept_like_set,
        a_custom_setting_follows_and_does_not_leak,
        a_reload_of_the_server_keeps_nobody_on_its_backend,
        a_copy_behind_a_reset_is_read,
        a_setting_that_a_function_changed_stays_with_its_client,
        what_a_function_leaves_is_its_clients,
        a_role_follows_its_client_and_nobody_else_gets_its_rights,
        a_role_that_is_gone_ends_nobody,
        session_characteristics_follow_their_client,
        a_set_among_other_statements_is_seen,
    ],
    jumpgate_twice: [
        the_proxy_names_itself_at_the_origin,
    ],
}
