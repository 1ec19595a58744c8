//! What lives in one backend only: the session keeps that backend until the state is gone.

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage, eventually},
    wire::{Wire, error, say, sqlstate},
};

/// All `size` connections of the pool can be held at once: no session is pinned any more.
async fn the_whole_pool_is_free(stage: &Stage, size: usize) {
    let mut holders: Vec<Wire> = Vec::new();
    for _holder in 0..size {
        let mut holder = stage.client().await;
        holder.hold_a_backend().await;
        holder.run("SELECT pg_backend_pid()").await;
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

async fn listen_pins_until_unlisten(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut listener, mut speaker) = (stage.client().await, stage.client().await);
    for unlisten in ["UNLISTEN news", "UNLISTEN *", "DISCARD ALL"] {
        listener.run("LISTEN news").await;
        pinned(&stage).await;
        speaker.run("NOTIFY news, 'first'").await;
        let frame = listener.frame().await;
        assert_eq!(frame.tag, b'A', "a notification comes unasked");
        assert!(String::from_utf8_lossy(&frame.body).contains("news\0first"), "{frame:?}");
        let reply = speaker.run("SELECT 1").await;
        assert!(!reply.iter().any(|frame| frame.tag == b'A'), "nobody else is notified");
        listener.run(unlisten).await;
        the_whole_pool_is_free(&stage, 2).await;
        speaker.run("NOTIFY news, 'late'").await;
        let reply = listener.run("SELECT 1").await;
        assert!(!reply.iter().any(|frame| frame.tag == b'A'), "after {unlisten} nothing comes");
    }
}

/// FAULTS §3: a client can tell its own notifications from others'.
async fn a_notification_of_its_own_comes_from_its_own_process(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut listener, mut speaker) = (stage.client().await, stage.client().await);
    listener.run("LISTEN news").await;
    for (speaker, is_own) in [(None, true), (Some(&mut speaker), false)] {
        let frame = match speaker {
            Some(speaker) => {
                speaker.run("NOTIFY news, 'x'").await;
                listener.frame().await
            }
            None => {
                let reply = listener.run("NOTIFY news, 'x'").await;
                reply.into_iter().find(|frame| frame.tag == b'A').expect("it hears itself")
            }
        };
        let (sender, rest) = frame.body.split_at(4);
        let own = listener.key.as_ref().expect("BackendKeyData came").0;
        assert_eq!(sender == own.to_be_bytes(), is_own, "{frame:?}");
        assert_eq!(rest, b"news\0x\0");
    }
}

async fn a_listener_that_leaves_does_not_listen_on(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut listener = stage.client().await;
    listener.run("LISTEN news").await;
    drop(listener);
    let mut next = stage.client().await;
    next.run("NOTIFY news, 'to nobody'").await;
    let reply = next.run("SELECT 1").await;
    assert!(!reply.iter().any(|frame| frame.tag == b'A'), "{reply:?}");
}

async fn a_temp_table_stays_with_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    for create in ["CREATE TEMP TABLE mine AS SELECT 1 AS a", "SELECT 1 AS a INTO TEMPORARY mine"] {
        let (mut owner, mut other) = (stage.client().await, stage.client().await);
        owner.run(create).await;
        pinned(&stage).await;
        for _turn in 0..3 {
            assert_eq!(owner.value("SELECT count(*) FROM mine").await, "1");
            assert_eq!(sqlstate(&other.query("SELECT count(*) FROM mine").await), "42P01");
        }
        owner.run("DISCARD TEMP").await;
        assert_eq!(sqlstate(&owner.query("SELECT count(*) FROM mine").await), "42P01");
        the_whole_pool_is_free(&stage, 2).await;
    }
}

/// Found by PostgreSQL's regression test `temp`: the server notes that a transaction has looked at its temporary schema
/// only where it had to be made for that, which on a backend of somebody else's was done before.
async fn who_puts_pg_temp_in_front_has_a_backend_without_one(place: Place) {
    let postgres = vec!["max_prepared_transactions = 5"];
    let stage = Stage::with(place, Setup { postgres, ..Setup::pool_of(2) }).await;
    for _backend in 0..2 {
        let (mut one, mut two) = (stage.client().await, stage.client().await);
        for owner in [&mut one, &mut two] {
            owner.run("CREATE TEMP TABLE mine (a int)").await;
        }
        for owner in [one, two] {
            owner.close().await;
        }
    }
    for is_extended in [false, true] {
        let mut client = stage.client().await;
        let set = "SET search_path TO 'pg_temp'";
        if is_extended {
            client.extended(set, &[]).await
        } else {
            client.run(set).await
        };
        client.run("BEGIN").await;
        client.run("SELECT current_schema()").await;
        assert_eq!(sqlstate(&client.query("PREPARE TRANSACTION 'search'").await), "0A000");
        client.close().await;
    }
}

async fn a_temp_table_does_not_outlive_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut owner = stage.client().await;
    owner.run("CREATE TEMP TABLE item AS SELECT 'temporary' AS name").await;
    drop(owner);
    let mut next = stage.client().await;
    assert_eq!(next.value("SELECT name FROM item WHERE id = 1").await, "item 1");
}

async fn an_advisory_lock_is_held_until_it_is_given_back(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut owner, mut other) = (stage.client().await, stage.client().await);
    for release in
        ["SELECT pg_advisory_unlock(7)", "SELECT pg_advisory_unlock_all()", "DISCARD ALL"]
    {
        owner.run("SELECT pg_advisory_lock(7)").await;
        pinned(&stage).await;
        for _turn in 0..2 {
            assert_eq!(other.value("SELECT pg_try_advisory_lock(7)").await, "f");
        }
        owner.run(release).await;
        assert_eq!(other.value("SELECT pg_try_advisory_lock(7)").await, "t", "after {release}");
        assert_eq!(
            other.value("SELECT pg_advisory_unlock(7)").await,
            "t",
            "on the backend that has it"
        );
        the_whole_pool_is_free(&stage, 2).await;
    }
}

async fn an_advisory_lock_ends_with_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut owner = stage.client().await;
    owner.run("SELECT pg_advisory_lock(7)").await;
    drop(owner);
    eventually("the lock is free", async || {
        let mut other = stage.client().await;
        let locked = other.value("SELECT pg_try_advisory_lock(7)").await == "t";
        other.run("SELECT pg_advisory_unlock_all()").await;
        locked
    })
    .await;
}

async fn a_cursor_with_hold_stays_with_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut owner, mut other) = (stage.client().await, stage.client().await);
    owner.run("DECLARE kept CURSOR WITH HOLD FOR SELECT id FROM item ORDER BY id").await;
    pinned(&stage).await;
    for expected in ["1", "2", "3"] {
        assert_eq!(owner.value("FETCH kept").await, expected);
        assert_eq!(sqlstate(&other.query("FETCH kept").await), "34000");
    }
    owner.run("CLOSE kept").await;
    the_whole_pool_is_free(&stage, 2).await;
}

/// Across transactions it is not promised: a pin at every `nextval` would end pooling for most programs.
async fn the_last_value_of_a_sequence_is_ones_own_in_a_transaction(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    for _turn in 0..3 {
        a.run("BEGIN").await;
        b.hold_a_backend().await;
        let of_a = a.value("SELECT nextval('ticket')").await;
        let of_b = b.value("SELECT nextval('ticket')").await;
        assert_ne!(of_a, of_b);
        for last in ["SELECT currval('ticket')", "SELECT lastval()"] {
            assert_eq!(a.value(last).await, of_a, "{last}");
            assert_eq!(b.value(last).await, of_b, "{last}");
        }
        b.run("COMMIT").await;
        a.run("COMMIT").await;
    }
}

async fn a_pin_that_is_rolled_back_ends(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    for sql in ["CREATE TEMP TABLE mine (a int)", "LISTEN news"] {
        a.run("BEGIN").await;
        a.run(sql).await;
        a.run("ROLLBACK").await;
        assert_eq!(b.value("SELECT 'served'").await, "served", "after the rollback of {sql}");
    }
    let reply = a.query("CREATE TEMP TABLE item (a int); SELECT 1/0").await;
    assert_eq!(sqlstate(&reply), "22012");
    assert_eq!(b.value("SELECT 'served'").await, "served");
}

/// A backup is its connection's: another can neither stop it nor do anything in its place.
async fn a_backup_stays_with_its_client_and_ends_with_it(place: Place) {
    let setup = Setup { postgres: vec!["wal_level = replica"], ..Setup::pool_of(2) };
    let stage = Stage::with(place, setup).await;
    let mut superuser = stage.superuser().await;
    for function in ["pg_backup_start(text, boolean)", "pg_backup_stop(boolean)"] {
        superuser.query(&format!("GRANT EXECUTE ON FUNCTION {function} TO app")).await;
    }
    let start = "SELECT 'begun' FROM pg_backup_start('nightly', true)";
    let stop = "SELECT 'ended' FROM pg_backup_stop(false)";
    let (mut owner, mut other) = (stage.client().await, stage.client().await);
    for _ in 0..2 {
        assert_eq!(owner.value(start).await, "begun");
        pinned(&stage).await;
        for _ in 0..3 {
            assert_eq!(other.value("SELECT 'served'").await, "served");
        }
        assert_eq!(sqlstate(&other.query(stop).await), "55000", "it has begun none");
        assert_eq!(owner.value(stop).await, "ended");
    }
    owner.value(start).await;
    owner.run("DISCARD ALL").await;
    assert_eq!(owner.value(stop).await, "ended", "DISCARD ALL does not end it");
    owner.value(start).await;
    drop(owner);
    the_whole_pool_is_free(&stage, 1).await;
    let (mut one, mut another) = (stage.client().await, stage.client().await);
    for client in [&mut one, &mut another] {
        assert_eq!(client.run("BEGIN").await.len(), 2);
        assert_eq!(sqlstate(&client.query(stop).await), "55000", "nobody else is in it");
    }
}

async fn a_notification_within_a_transaction_comes_after_it(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut both = stage.client().await;
    both.run("LISTEN news").await;
    let reply = both.ask(&[say::query("BEGIN; NOTIFY news, 'own'; COMMIT")]).await;
    assert_eq!(error(&reply), "");
    assert!(
        reply.iter().any(|frame| frame.tag == b'A'),
        "one's own notification comes too: {reply:?}"
    );
}

e2e::scenarios! {
    twice: [
        a_notification_of_its_own_comes_from_its_own_process,
        listen_pins_until_unlisten,
        a_listener_that_leaves_does_not_listen_on,
        a_temp_table_stays_with_its_client,
        a_temp_table_does_not_outlive_its_client,
        who_puts_pg_temp_in_front_has_a_backend_without_one,
        an_advisory_lock_is_held_until_it_is_given_back,
        an_advisory_lock_ends_with_its_client,
        a_cursor_with_hold_stays_with_its_client,
        the_last_value_of_a_sequence_is_ones_own_in_a_transaction,
        a_pin_that_is_rolled_back_ends,
        a_notification_within_a_transaction_comes_after_it,
        a_backup_stays_with_its_client_and_ends_with_it,
    ],
}
