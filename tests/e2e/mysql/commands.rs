//! Every command of the protocol but the prepared statements: served, or refused with the session going on.

use e2e::{
    jumpgate::Setup,
    mysql::{
        Server,
        flags::{capability, command, status},
        reply::{Done, Outcome, code, done, error, rows},
        say,
        stage::{Place, Stage},
        wire::Wire,
    },
};

async fn a_schema_follows_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    a.run("USE other").await;
    for _turn in 0..2 {
        assert_eq!(a.value("SELECT name FROM thing").await, "from other");
        assert_eq!(b.value("SELECT name FROM thing").await, "from app");
    }
    b.ask(&say::init_db("other")).await;
    a.ask(&say::init_db("app")).await;
    for _turn in 0..2 {
        assert_eq!(a.value("SELECT database()").await, "app");
        assert_eq!(b.value("SELECT database()").await, "other");
    }
    let refused = a.ask(&say::init_db("nowhere")).await;
    assert!([1044, 1049].contains(&code(&refused)), "{refused:?}");
    assert!([1044, 1049].contains(&code(&a.query("USE nowhere").await)));
    assert_eq!(a.value("SELECT name FROM thing").await, "from app", "the schema stays");
}

async fn a_ping_is_answered_in_any_state(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    a.run("BEGIN").await;
    let pong = done(&a.ask(&[command::PING]).await);
    assert!(pong.has(status::IN_TRANS) && pong.has(status::AUTOCOMMIT), "{pong:?}");
    a.run("COMMIT").await;
    let pong = done(&b.ask(&[command::PING]).await);
    assert!(!pong.has(status::IN_TRANS) && pong.has(status::AUTOCOMMIT), "{pong:?}");
}

async fn a_reset_connection_forgets_everything(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    let zone = a.value("SELECT @@time_zone").await;
    let statement = a.prepare("SELECT ?").await;
    for sql in [
        "SET time_zone = '+09:00'",
        "SET @x = 1",
        "CREATE TEMPORARY TABLE mine (a int)",
        "BEGIN",
        "UPDATE account SET balance = 0",
    ] {
        a.run(sql).await;
    }
    let reply = a.ask(&[command::RESET_CONNECTION]).await;
    assert!(!done(&reply).has(status::IN_TRANS), "{reply:?}");
    assert_eq!(b.value("SELECT sum(balance) FROM account").await, "200", "it was rolled back");
    assert_eq!(a.value("SELECT @x IS NULL").await, "1");
    assert_eq!(a.value("SELECT @@time_zone").await, zone);
    assert_eq!(code(&a.query("SELECT * FROM mine").await), 1146);
    assert_eq!(code(&a.execute(statement.id, &["x".into()]).await), 1243);
    assert_eq!(a.value("SELECT database()").await, "app", "the schema stays");
}

async fn a_changed_user_begins_anew(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut wire = stage.client().await;
    wire.run("SET @x = 1").await;
    wire.run("USE other").await;
    let statement = wire.prepare("SELECT ?").await;
    let changed = wire.change_user(&stage.endpoint()).await;
    assert!(changed.is_ok(), "{changed:?}");
    assert_eq!(wire.value("SELECT @x IS NULL").await, "1");
    assert_eq!(wire.value("SELECT database()").await, "app");
    assert_eq!(code(&wire.execute(statement.id, &["x".into()]).await), 1243);
    assert_eq!(wire.value("SELECT current_user()").await, "app@%");

    let wrong = stage.endpoint().with_user("app", "wrong");
    let refused = wire.change_user(&wrong).await;
    assert_eq!(refused.expect_err("a refusal").code, 1045);
    if place.server == Server::MySql {
        assert!(wire.is_closed().await, "who may not be who they say is sent away");
    }
}

/// Found by change_user of MariaDB's own suite: a session outlives three refusals.
async fn a_refused_change_of_user_leaves_who_was_there(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut wire = stage.client().await;
    let wrong = stage.endpoint().with_user("app", "wrong");
    let nowhere = stage.endpoint().with_database("nowhere");
    wire.run("SET @x = 1, time_zone = '+05:00', NAMES cp1251").await;
    wire.run("USE other").await;
    let expected = if place.server == Server::MySql { None } else { Some("latin1") };
    for (asked, code) in
        [(&wrong, 1045), (&nowhere, 1044), (&wrong, 1045), (&stage.endpoint(), 1047)]
    {
        assert_eq!(wire.change_user(asked).await.expect_err("a refusal").code, code);
        let Some(charset) = expected else {
            assert!(wire.is_closed().await);
            return;
        };
        let shown = rows(&wire.run("SHOW WARNINGS").await);
        assert_eq!(shown[0][1], Some(code.to_string()));
        assert_eq!(wire.value("SELECT ROW_COUNT()").await, "-1");
        assert_eq!(wire.value("SELECT database()").await, "other");
        assert_eq!(wire.value("SELECT current_user()").await, "app@%");
        assert_eq!(wire.value("SELECT @x IS NULL").await, "1");
        for variable in ["client", "connection", "results"] {
            let asked = format!("SELECT @@character_set_{variable}");
            assert_eq!(wire.value(&asked).await, charset, "{variable}");
        }
        assert_eq!(wire.value("SELECT @@time_zone = @@global.time_zone").await, "1");
        wire.run("SET @x = 1, time_zone = '+05:00', NAMES cp1251").await;
    }
}

async fn fields_of_a_table_are_listed(place: Place) {
    let stage = Stage::open(place).await;
    for flags in [0, capability::DEPRECATE_EOF] {
        let mut wire = stage.client_with(flags).await;
        wire.command(&say::field_list("account", "")).await;
        let (columns, end) = wire.until_end().await;
        assert!(end.is_ok(), "{end:?}");
        assert_eq!(columns.len(), 2);
        wire.command(&say::field_list("account", "bal%")).await;
        assert_eq!(wire.until_end().await.0.len(), 1);
        wire.command(&say::field_list("nothing", "")).await;
        assert_eq!(wire.until_end().await.1.expect_err("an error").code, 1146);
        assert_eq!(wire.value("SELECT 'goes on'").await, "goes on");
    }
}

async fn statistics_are_told_as_a_text(place: Place) {
    let stage = Stage::open(place).await;
    let mut wire = stage.client().await;
    wire.command(&[command::STATISTICS]).await;
    let text = wire.packet().await;
    assert!(text.starts_with(b"Uptime: "), "{text:?}");
    assert_eq!(wire.value("SELECT 'goes on'").await, "goes on");
}

async fn what_is_not_served_is_refused_and_the_session_goes_on(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut wire = stage.client().await;
    // COM_SLEEP, COM_CONNECT, COM_TIME, COM_DELAYED_INSERT, COM_DAEMON, and numbers that are no command.
    for number in [0x00, 0x0b, 0x0f, 0x10, 0x1d, 0x77, 0xf0] {
        let reply = wire.ask(&[number]).await;
        assert_eq!(code(&reply), 1047, "{number:#x}: {reply:?}");
        assert_eq!(wire.value("SELECT 'goes on'").await, "goes on");
    }
}

async fn replication_is_refused_and_the_session_goes_on(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut wire = stage.client().await;
    let dump =
        [&[command::BINLOG_DUMP][..], &4_u32.to_le_bytes(), &[0, 0], &1_u32.to_le_bytes()].concat();
    let register = [&[command::REGISTER_SLAVE][..], &[0; 17]].concat();
    for payload in [dump, register] {
        let reply = wire.ask(&payload).await;
        assert_ne!(code(&reply), 0, "{reply:?}");
        assert_eq!(wire.value("SELECT 'goes on'").await, "goes on");
    }
}

async fn several_statements_need_their_capability(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut one = stage.client().await;
    let mut many = stage.client_with(capability::MULTI_STATEMENTS).await;
    for _turn in 0..2 {
        let reply = many.run("SELECT 1; SELECT 2; DO 3").await;
        assert_eq!(reply.len(), 3, "{reply:?}");
        assert_eq!(code(&one.query("SELECT 1; SELECT 2").await), 1064);
    }
    // COM_SET_OPTION: 0 turns it on, 1 off.
    assert_eq!(code(&one.ask(&say::set_option(0)).await), 0);
    many.ask(&say::set_option(1)).await;
    for _turn in 0..2 {
        assert_eq!(one.run("SELECT 1; SELECT 2").await.len(), 2);
        assert_eq!(code(&many.query("SELECT 1; SELECT 2").await), 1064);
    }
    many.ask(&say::set_option(0)).await;
    assert_eq!(many.run("SELECT 1; SELECT 2").await.len(), 2);
    assert_ne!(code(&many.ask(&say::set_option(7)).await), 0, "there is no such option");
}

async fn a_failed_statement_ends_a_list(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut wire = stage.client_with(capability::MULTI_STATEMENTS).await;
    let reply = wire.query("SELECT 1; SELECT * FROM nothing; SELECT 2").await;
    assert_eq!(reply.len(), 2);
    assert_eq!(code(&reply), 1146);
    let reply =
        wire.query("SET @x = 1; SELECT @x; BEGIN; UPDATE account SET balance = 7; SELECT 1").await;
    assert!(done(&reply).has(status::IN_TRANS));
    wire.run("ROLLBACK").await;
    assert_eq!(wire.value("SELECT max(balance) FROM account").await, "100");
}

async fn a_procedure_gives_every_result_set(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut wire, mut other) = (stage.client().await, stage.client().await);
    let reply = wire.run("CALL two_sets()").await;
    assert_eq!(reply.len(), 3, "two sets and the OK of the call: {reply:?}");
    assert_eq!(rows(&reply).len(), 3);
    assert_eq!(other.value("SELECT 'served'").await, "served");
    assert_eq!(wire.run("CALL no_set()").await.len(), 1);
    let reply = wire.query("CALL fail('on purpose')").await;
    assert_eq!((code(&reply), error(&reply).as_str()), (1644, "on purpose"));
    assert_eq!(rows(&reply).len(), 1, "what came before the error");
    let statement = wire.prepare("CALL two_sets()").await;
    assert_eq!(wire.execute(statement.id, &[]).await.len(), 3);
    wire.run("SET @n = 41").await;
    wire.run("CALL touch(@n)").await;
    assert_eq!(wire.value("SELECT @n").await, "42");
}

async fn out_parameters_come_as_a_set_of_their_own(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut wire = stage.client().await;
    let statement = wire.prepare("CALL touch(?)").await;
    let reply = wire.execute(statement.id, &[41.into()]).await;
    let Some(Outcome::Rows(set)) = reply.first() else { panic!("a set: {reply:?}") };
    assert!(set.end.as_ref().is_ok_and(|end| end.has(status::PS_OUT_PARAMS)), "{reply:?}");
    assert_eq!(set.texts(), [[Some("42".to_owned())]]);
}

/// Answers to a file that the server asks for.
async fn send_file(wire: &mut Wire, sql: &str, parts: &[&[u8]]) -> Done {
    let reply = wire.query(sql).await;
    assert_eq!(reply, [Outcome::File("people.txt".into())], "the client is asked");
    for part in parts {
        wire.put(part).await;
    }
    wire.put(b"").await;
    let reply = wire.reply(false).await;
    assert_eq!(error(&reply), "");
    done(&reply)
}

async fn a_local_file_is_asked_of_the_client_and_nobody_else(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut wire = stage.client_with(capability::LOCAL_FILES).await;
    let sql = "LOAD DATA LOCAL INFILE 'people.txt' INTO TABLE legacy";
    let loaded = send_file(&mut wire, sql, &[b"10\tten\n11\tel", b"even\n"]).await;
    assert_eq!(loaded.affected, 2, "{loaded:?}");
    assert_eq!(wire.value("SELECT name FROM legacy WHERE id = 11").await, "eleven");
    assert_eq!(send_file(&mut wire, sql, &[]).await.affected, 0, "a client may send nothing");
    let large: Vec<u8> = (100..200_000).flat_map(|n| format!("{n}\tname\n").into_bytes()).collect();
    let parts: Vec<&[u8]> = large.chunks(100_000).collect();
    assert_eq!(send_file(&mut wire, sql, &parts).await.affected, 199_900);
    // A client that did not say it could is never asked.
    let mut without = stage.client().await;
    let reply = without.query(sql).await;
    assert_ne!(code(&reply), 0, "{reply:?}");
    assert_eq!(without.value("SELECT 'goes on'").await, "goes on");
    assert_eq!(wire.value("SELECT 'goes on'").await, "goes on");
}

e2e::mysql_scenarios! {
    everywhere: [
        a_local_file_is_asked_of_the_client_and_nobody_else,
    ],
    both: [
        a_changed_user_begins_anew,
        a_refused_change_of_user_leaves_who_was_there,
        a_reset_connection_forgets_everything,
        fields_of_a_table_are_listed,
        a_procedure_gives_every_result_set,
        out_parameters_come_as_a_set_of_their_own,
        several_statements_need_their_capability,
        replication_is_refused_and_the_session_goes_on,
    ],
    twice: [
        a_schema_follows_its_client,
        a_ping_is_answered_in_any_state,
        statistics_are_told_as_a_text,
        what_is_not_served_is_refused_and_the_session_goes_on,
        a_failed_statement_ends_a_list,
    ],
}
