//! What lives in one backend only: the session keeps that backend until the state is gone.

use e2e::{
    jumpgate::Setup,
    mysql::{
        flags::command,
        reply::{code, error, rows},
        stage::{Place, Stage},
        wire::Wire,
    },
    stage::eventually,
};

/// All `size` connections of the pool can be held at once: no session is pinned any more.
async fn the_whole_pool_is_free(stage: &Stage, size: usize) {
    let mut holders: Vec<Wire> = Vec::new();
    for _holder in 0..size {
        let mut holder = stage.client().await;
        holder.run("BEGIN").await;
        holder.run("SELECT 1 FROM digit").await;
        holders.push(holder);
    }
    for holder in &mut holders {
        holder.run("COMMIT").await;
    }
}

async fn pinned(stage: &Stage) {
    if !stage.is_direct() {
        assert!(stage.metrics().await.pins() >= 1.0, "the pin is counted");
    }
}

async fn a_user_variable_stays_with_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    for set in [
        "SET @mine = 'kept'",
        "SELECT 'kept' INTO @mine",
        "SELECT @mine := 'kept'",
        "SET @other = 1, @mine = 'kept'",
    ] {
        let (mut owner, mut other) = (stage.client().await, stage.client().await);
        owner.run(set).await;
        pinned(&stage).await;
        for _turn in 0..3 {
            assert_eq!(owner.value("SELECT @mine").await, "kept", "{set}");
            assert_eq!(other.value("SELECT @mine").await, "NULL", "{set}");
        }
        owner.run("SET @mine = NULL, @other = NULL").await;
        assert_eq!(owner.value("SELECT @mine").await, "NULL", "{set}");
        the_whole_pool_is_free(&stage, 2).await;
    }
}

/// Found by random scripts: a SET of autocommit ends a transaction, and leaves what was said of it for the next one.
async fn what_a_transaction_was_said_to_be_stays_with_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    for begin in [
        &["START TRANSACTION READ ONLY"][..],
        &["START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT"],
        &["SET TRANSACTION READ ONLY", "BEGIN"],
    ] {
        let mut owner = stage.client().await;
        owner.run("SET autocommit = 0").await;
        for sql in begin {
            owner.run(sql).await;
        }
        owner.run("SELECT balance FROM account").await;
        owner.run("SET autocommit = 1").await;
        for _other in 0..3 {
            stage.client().await.run("UPDATE account SET balance = balance + 1").await;
        }
        owner.run("COMMIT").await;
        owner.run("UPDATE account SET balance = balance + 1").await;
        the_whole_pool_is_free(&stage, 2).await;
    }
}

async fn a_user_variable_does_not_outlive_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut owner = stage.client().await;
    owner.run("SET @mine = 1").await;
    drop(owner);
    assert_eq!(stage.client().await.value("SELECT @mine").await, "NULL");
}

async fn a_reset_ends_every_pin(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut owner, mut other) = (stage.client().await, stage.client().await);
    for sql in [
        "SET @mine = 1",
        "CREATE TEMPORARY TABLE mine (a int)",
        "SELECT get_lock('mine', 1)",
        "LOCK TABLES item READ",
        "PREPARE p FROM 'SELECT 1'",
        "HANDLER item OPEN",
    ] {
        owner.run(sql).await;
        owner.ask(&[command::RESET_CONNECTION]).await;
        assert_eq!(other.value("SELECT 'served'").await, "served", "after {sql}");
    }
    let changed = owner.change_user(&stage.endpoint()).await;
    assert!(changed.is_ok());
    assert_eq!(other.value("SELECT 'served'").await, "served");
}

async fn a_temporary_table_stays_with_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    for (create, drop) in [
        ("CREATE TEMPORARY TABLE mine AS SELECT 1 AS a", "DROP TEMPORARY TABLE mine"),
        ("CREATE TEMPORARY TABLE IF NOT EXISTS `mine` (a int)", "DROP TABLE IF EXISTS mine"),
        ("CREATE TEMPORARY TABLE app.mine (a int)", "DROP TABLE app.mine"),
    ] {
        let (mut owner, mut other) = (stage.client().await, stage.client().await);
        owner.run(create).await;
        pinned(&stage).await;
        for _turn in 0..3 {
            assert_eq!(error(&owner.query("SELECT count(*) FROM mine").await), "");
            assert_eq!(code(&other.query("SELECT count(*) FROM mine").await), 1146);
        }
        owner.run(drop).await;
        assert_eq!(code(&owner.query("SELECT count(*) FROM mine").await), 1146);
        the_whole_pool_is_free(&stage, 2).await;
    }
}

async fn a_temporary_table_does_not_outlive_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut owner = stage.client().await;
    owner.run("CREATE TEMPORARY TABLE item AS SELECT 'temporary' AS name").await;
    assert_eq!(owner.value("SELECT name FROM item").await, "temporary", "it hides the real one");
    drop(owner);
    assert_eq!(stage.client().await.value("SELECT name FROM item WHERE id = 1").await, "item 1");
}

async fn a_named_lock_is_held_until_it_is_given_back(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut owner, mut other) = (stage.client().await, stage.client().await);
    for release in
        ["SELECT release_lock('mine')", "DO release_lock('mine')", "SELECT release_all_locks()"]
    {
        assert_eq!(owner.value("SELECT get_lock('mine', 5)").await, "1");
        pinned(&stage).await;
        for _turn in 0..2 {
            assert_eq!(other.value("SELECT get_lock('mine', 0)").await, "0");
            assert_eq!(other.value("SELECT is_free_lock('mine')").await, "0");
        }
        owner.run(release).await;
        the_whole_pool_is_free(&stage, 2).await;
        assert_eq!(other.value("SELECT get_lock('mine', 0)").await, "1", "after {release}");
        assert_eq!(
            other.value("SELECT release_lock('mine')").await,
            "1",
            "on the backend that has it"
        );
    }
    let statement = owner.prepare("SELECT get_lock(?, 5)").await;
    assert_eq!(owner.executed_value(statement.id, &["mine".into()]).await, "1");
    assert_eq!(
        other.value("SELECT get_lock('mine', 0)").await,
        "0",
        "taken by the binary protocol"
    );
    owner.run("SELECT release_all_locks()").await;
    the_whole_pool_is_free(&stage, 2).await;
}

async fn a_named_lock_ends_with_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut owner = stage.client().await;
    owner.run("SELECT get_lock('mine', 5)").await;
    drop(owner);
    let mut other = stage.client().await;
    assert_eq!(other.value("SELECT get_lock('mine', 20)").await, "1");
}

async fn locked_tables_are_held_until_they_are_unlocked(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut owner, mut other) = (stage.client().await, stage.client().await);
    for (lock, unlock) in [
        ("LOCK TABLES account WRITE", "UNLOCK TABLES"),
        ("LOCK TABLE account READ, item AS i READ", "UNLOCK TABLES"),
    ] {
        owner.run(lock).await;
        pinned(&stage).await;
        for _turn in 0..2 {
            assert_eq!(
                code(&owner.query("SELECT * FROM legacy").await),
                1100,
                "only what is locked"
            );
            assert_eq!(other.value("SELECT count(*) FROM legacy").await, "2");
        }
        other.run("SET SESSION lock_wait_timeout = 1").await;
        assert_eq!(code(&other.query("UPDATE account SET balance = 1").await), 1205);
        owner.run(unlock).await;
        assert_eq!(error(&other.query("UPDATE account SET balance = 1").await), "");
        the_whole_pool_is_free(&stage, 2).await;
    }
    owner.run("LOCK TABLES account WRITE").await;
    drop(owner);
    eventually("the table is free", async || {
        let mut next = stage.client().await;
        next.run("SET SESSION lock_wait_timeout = 1").await;
        error(&next.query("UPDATE account SET balance = 2").await).is_empty()
    })
    .await;
}

async fn a_handler_stays_with_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut owner, mut other) = (stage.client().await, stage.client().await);
    owner.run("HANDLER item OPEN AS h").await;
    pinned(&stage).await;
    for expected in ["1", "2", "3"] {
        assert_eq!(owner.value("HANDLER h READ `PRIMARY` NEXT").await, expected);
        assert_eq!(code(&other.query("HANDLER h READ `PRIMARY` NEXT").await), 1109);
    }
    owner.run("HANDLER h CLOSE").await;
    the_whole_pool_is_free(&stage, 2).await;
}

async fn a_statement_prepared_in_sql_stays_with_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut owner, mut other) = (stage.client().await, stage.client().await);
    for end in ["DEALLOCATE PREPARE mine", "DROP PREPARE mine"] {
        owner.run("PREPARE mine FROM 'SELECT 1 + 1'").await;
        pinned(&stage).await;
        for _turn in 0..2 {
            assert_eq!(owner.value("EXECUTE mine").await, "2");
            assert_eq!(code(&other.query("EXECUTE mine").await), 1243);
        }
        owner.run(end).await;
        assert_eq!(code(&owner.query("EXECUTE mine").await), 1243);
        the_whole_pool_is_free(&stage, 2).await;
    }
    owner.run("SET @sql = 'SELECT ? + 1', @n = 4").await;
    owner.run("PREPARE mine FROM @sql").await;
    assert_eq!(owner.value("EXECUTE mine USING @n").await, "5");
    owner.run("DEALLOCATE PREPARE mine").await;
    owner.run("SET @sql = NULL, @n = NULL").await;
    the_whole_pool_is_free(&stage, 2).await;
}

/// What the text does not say, the state flag of the OK packet does.
async fn what_a_procedure_leaves_behind_stays_with_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut owner, mut other) = (stage.client().await, stage.client().await);
    owner.run("CALL remember(42)").await;
    for _turn in 0..2 {
        assert_eq!(other.value("SELECT @remembered").await, "NULL");
        assert_eq!(owner.value("SELECT @remembered").await, "42");
    }
    owner.run("CALL keep_table()").await;
    for _turn in 0..2 {
        assert_eq!(code(&other.query("SELECT * FROM kept").await), 1146);
        assert_eq!(owner.value("SELECT * FROM kept").await, "1");
    }
    owner.run("CALL hold_lock()").await;
    for _turn in 0..2 {
        assert_eq!(other.value("SELECT is_free_lock('held')").await, "0");
        assert_eq!(owner.value("SELECT is_used_lock('held') IS NOT NULL").await, "1");
    }
    owner.ask(&[command::RESET_CONNECTION]).await;
    the_whole_pool_is_free(&stage, 2).await;
}

async fn a_role_that_is_set_stays_with_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut owner, mut other) = (stage.client().await, stage.client().await);
    owner.run("SET ROLE reader").await;
    for _turn in 0..2 {
        assert!(owner.value("SELECT current_role()").await.contains("reader"));
        assert!(!other.value("SELECT current_role()").await.contains("reader"));
    }
    owner.run("SET ROLE NONE").await;
    drop(owner);
    the_whole_pool_is_free(&stage, 2).await;
}

async fn a_transaction_with_a_pin_inside_keeps_both(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut owner, mut other) = (stage.client().await, stage.client().await);
    owner.run("BEGIN").await;
    owner.run("SET @mine = 1").await;
    owner.run("UPDATE account SET balance = 1 WHERE id = 1").await;
    owner.run("ROLLBACK").await;
    assert_eq!(owner.value("SELECT @mine").await, "1", "a variable is not rolled back");
    assert_eq!(
        rows(&other.run("SELECT balance FROM account WHERE id = 1").await)[0][0].as_deref(),
        Some("100")
    );
    owner.run("SET @mine = NULL").await;
    the_whole_pool_is_free(&stage, 2).await;
}

async fn in_session_mode_a_backend_is_its_clients_alone(place: Place) {
    let pool = "mode = \"session\"\ncheckout_timeout = 1";
    let stage = Stage::with(place, Setup { pool: pool.into(), ..Setup::pool_of(1) }).await;
    let mut owner = stage.client().await;
    owner.run("SET @mine = 'kept'").await;
    let mut other = stage.client().await;
    let reply = other.query("SELECT 1 /* jumpgate: no-cache */").await;
    assert_eq!(error(&reply), "Failed to acquire a connection from the pool.");
    assert_eq!(owner.value("SELECT @mine").await, "kept");
    drop(owner);
    eventually("the backend is free", async || {
        let mut next = stage.client().await;
        rows(&next.query("SELECT 1 FROM digit /* jumpgate: no-cache */").await).len() == 10
    })
    .await;
    assert_eq!(rows(&other.run("SELECT @mine").await)[0][0], None, "nothing is left behind");
}

/// Found beside MySQL's own tests: COM_RESET_CONNECTION leaves the role, in whatever way it was set.
async fn a_role_ends_with_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut root = stage.root().await;
    for sql in [
        "CREATE ROLE secrets",
        "GRANT secrets TO app@'%'",
        "CREATE DATABASE secret",
        "CREATE TABLE secret.s (a INT)",
        "GRANT SELECT ON secret.* TO secrets",
        "GRANT EXECUTE, CREATE ROUTINE ON app.* TO app@'%'",
    ] {
        root.run(sql).await;
    }
    root.run("CREATE PROCEDURE app.becomes() SET ROLE secrets").await;
    let read = "SELECT count(*) FROM secret.s /* jumpgate: no-cache */";
    for set in [
        &["SET ROLE secrets"][..],
        &["PREPARE s FROM 'SET ROLE secrets'", "EXECUTE s"],
        &["SET @sql = 'SET ROLE secrets'", "PREPARE s FROM @sql", "EXECUTE s"],
        &["CALL app.becomes()"],
    ] {
        let (mut owner, mut other) = (stage.client().await, stage.client().await);
        let mut is_set = true;
        for sql in set {
            is_set &= error(&owner.query(sql).await).is_empty();
        }
        // Not every way is open on each server.
        if is_set && set[0].starts_with("SET ROLE") {
            assert_eq!(owner.value(read).await, "0", "{set:?}");
        }
        owner.close().await;
        assert_eq!(code(&other.query(read).await), 1142, "{set:?}");
        assert_eq!(code(&stage.client().await.query(read).await), 1142, "{set:?}");
    }
}

/// FAULTS row 17, of MariaDB: what another client drew from a sequence is nobody else's, in texts and prepared statements.
async fn a_draw_is_told_to_nobody_else(place: Place) {
    if place.server != e2e::mysql::Server::MariaDb {
        return;
    }
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    stage.root().await.run("CREATE SEQUENCE app.s").await;
    let asked = [
        "SELECT LASTVAL(s)",
        "SELECT PREVIOUS VALUE FOR s",
        "INSERT INTO drawn VALUES (LASTVAL(s))",
    ];
    let mut drawer = stage.client().await;
    drawer.run("CREATE TABLE drawn (v BIGINT)").await;
    for sql in asked {
        for is_prepared in [false, true] {
            drawer.run("SELECT NEXTVAL(s)").await;
            let mut other = stage.client().await;
            if is_prepared {
                let prepared = other.prepare(sql).await;
                other.execute(prepared.id, &[]).await;
            } else {
                other.query(sql).await;
            }
            if sql.starts_with("SELECT") {
                assert_eq!(other.value(sql).await, "NULL", "{sql}");
                other.run("SELECT NEXTVAL(s)").await;
                assert_ne!(other.value(sql).await, "NULL", "its own: {sql}");
            }
            other.close().await;
        }
    }
    assert_eq!(drawer.value("SELECT count(v) FROM drawn").await, "0");
}

/// Found beside MySQL's own tests: a server judges rights on a schema when a connection begins, and a pool's began before.
async fn rights_count_for_the_next_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut root = stage.root().await;
    root.run("GRANT ALL ON app.* TO app@'%' WITH GRANT OPTION").await;
    let read = "SELECT count(*) FROM account /* jumpgate: no-cache */";
    // Who takes a right away goes through too, and writes it as it comes.
    let (mut own, mut other) = (stage.client().await, stage.client().await);
    assert_eq!((own.value(read).await, other.value(read).await), ("2".into(), "2".into()));
    own.run("REVOKE  SELECT\nON app.* FROM app@'%'").await;
    let reply = stage.client().await.query(read).await;
    assert_eq!(code(&reply), 1142, "{}", error(&reply));
    // And who gives one.
    own.run("REVOKE DELETE ON app.* FROM app@'%'").await;
    root.run("GRANT SELECT ON app.* TO app@'%'").await;
    own.run("REVOKE UPDATE ON app.* FROM app@'%'").await;
    assert_eq!(stage.client().await.value(read).await, "2");
}

e2e::mysql_scenarios! {
    both: [
        a_user_variable_stays_with_its_client,
        what_a_transaction_was_said_to_be_stays_with_its_client,
        a_reset_ends_every_pin,
        a_temporary_table_stays_with_its_client,
        a_named_lock_is_held_until_it_is_given_back,
        locked_tables_are_held_until_they_are_unlocked,
        what_a_procedure_leaves_behind_stays_with_its_client,
        a_role_that_is_set_stays_with_its_client,
        a_role_ends_with_its_client,
        a_draw_is_told_to_nobody_else,
        rights_count_for_the_next_client,
    ],
    twice: [
        a_user_variable_does_not_outlive_its_client,
        a_temporary_table_does_not_outlive_its_client,
        a_named_lock_ends_with_its_client,
        a_handler_stays_with_its_client,
        a_statement_prepared_in_sql_stays_with_its_client,
        a_transaction_with_a_pin_inside_keeps_both,
    ],
    jumpgate_twice: [
        in_session_mode_a_backend_is_its_clients_alone,
    ],
}
