//! Replies for clients of other capabilities than the origin's: EOF or OK, session tracking, status flags.

use e2e::{
    jumpgate::Setup,
    mysql::{
        flags::{capability, status},
        reply::{Outcome, Rows, done, rows},
        say::{self, Execute},
        stage::{Place, Stage},
        wire::Wire,
    },
};

/// Every combination of what changes the form of a reply.
const FORMS: [u32; 8] = [
    0,
    capability::DEPRECATE_EOF,
    capability::SESSION_TRACK,
    capability::DEPRECATE_EOF | capability::SESSION_TRACK,
    capability::QUERY_ATTRIBUTES,
    capability::QUERY_ATTRIBUTES | capability::DEPRECATE_EOF,
    capability::QUERY_ATTRIBUTES | capability::SESSION_TRACK | capability::MULTI_STATEMENTS,
    capability::QUERY_ATTRIBUTES | capability::SESSION_TRACK | capability::DEPRECATE_EOF,
];

async fn every_form_of_reply_carries_the_same_rows(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut clients = Vec::new();
    for form in FORMS {
        clients.push(stage.client_with(form).await);
    }
    // Cold, then warm: a reply that one client filled is read by clients of all other forms.
    for sql in [
        "SELECT id, name, price FROM item ORDER BY id",
        "SELECT * FROM kinds ORDER BY id",
        "SELECT id FROM item WHERE id < 0",
    ] {
        let mut first: Option<[Vec<_>; 2]> = None;
        for _turn in 0..2 {
            for wire in &mut clients {
                let text = rows(&wire.run(sql).await);
                let binary = rows(&wire.binary(sql, &[]).await);
                let found = [text, binary];
                assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{sql}");
            }
        }
    }
    for wire in &mut clients {
        assert_eq!(done(&wire.run("UPDATE account SET balance = balance + 1").await).affected, 2);
        assert_eq!(wire.run("CALL two_sets()").await.len(), 3);
        let info =
            done(&wire.run("UPDATE account SET balance = balance + 1 WHERE id = 1").await).info;
        assert_eq!(info, "Rows matched: 1  Changed: 1  Warnings: 0");
        let info = done(&wire.run("INSERT INTO counter (name) VALUES ('a'), ('b')").await).info;
        assert_eq!(info, "Records: 2  Duplicates: 0  Warnings: 0");
    }
}

/// What was told of the schema and of one variable.
fn told(wire: &Wire, reply: &[Outcome]) -> Vec<(u8, Vec<String>)> {
    if wire.has(capability::SESSION_TRACK) { done(reply).changes() } else { Vec::new() }
}

async fn a_client_that_tracks_its_session_is_told_of_changes(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut plain = stage.client().await;
    let forms = [capability::SESSION_TRACK, capability::SESSION_TRACK | capability::DEPRECATE_EOF];
    for form in forms {
        let mut wire = stage.client_with(form).await;
        // 1: the schema.
        let reply = wire.run("USE other").await;
        assert!(told(&wire, &reply).contains(&(1, vec!["other".into()])), "{reply:?}");
        // What jumpgate does to give the backend to another is nobody's news.
        plain.run("SELECT 1 /* jumpgate: no-cache */").await;
        let reply = wire.run("SELECT 2 /* jumpgate: no-cache */").await;
        assert_eq!(told(&wire, &reply), [], "{reply:?}");
        // 0: a variable of those that are tracked unasked.
        let reply = wire.run("SET time_zone = '+03:00'").await;
        assert!(
            told(&wire, &reply).contains(&(0, vec!["time_zone".into(), "+03:00".into()])),
            "{reply:?}"
        );
        plain.run("SELECT 3 /* jumpgate: no-cache */").await;
        let reply = wire.run("SELECT 4 /* jumpgate: no-cache */").await;
        assert_eq!(told(&wire, &reply), [], "{reply:?}");
        let reply = wire.run("SET autocommit = 0").await;
        assert!(
            told(&wire, &reply).contains(&(0, vec!["autocommit".into(), "OFF".into()])),
            "{reply:?}"
        );
        wire.run("SET autocommit = 1").await;
        // What nobody asked to be told of is not told.
        let reply = wire.run("SET lc_time_names = 'de_DE'").await;
        assert_eq!(told(&wire, &reply), [], "{reply:?}");
    }
}

async fn a_client_may_track_more(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut wire = stage.client_with(capability::SESSION_TRACK).await;
    wire.run("SET session_track_system_variables = 'lc_time_names,sql_mode'").await;
    let reply = wire.run("SET lc_time_names = 'de_DE'").await;
    assert!(
        told(&wire, &reply).contains(&(0, vec!["lc_time_names".into(), "de_DE".into()])),
        "{reply:?}"
    );
    let reply = wire.run("SET time_zone = '+03:00'").await;
    assert!(!told(&wire, &reply).iter().any(|(kind, _)| *kind == 0), "{reply:?}");
    wire.run("SET session_track_schema = OFF").await;
    let reply = wire.run("USE other").await;
    assert!(!told(&wire, &reply).iter().any(|(kind, _)| *kind == 1), "{reply:?}");
}

async fn status_flags_are_those_of_ones_own_session(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut wire = stage.client().await;
    let mut other = stage.client().await;
    let sql = "SELECT name FROM item WHERE id = 3";
    // Another fills the cache in a transaction's shadow.
    other.run(sql).await;
    other.run("BEGIN").await;
    for _turn in 0..3 {
        let end = done(&wire.run(sql).await);
        assert!(end.has(status::AUTOCOMMIT) && !end.has(status::IN_TRANS), "{end:?}");
        let end = done(&other.run(sql).await);
        assert!(end.has(status::AUTOCOMMIT) && end.has(status::IN_TRANS), "{end:?}");
    }
    other.run("COMMIT").await;
    other.run("SET autocommit = 0").await;
    for _turn in 0..3 {
        let end = done(&wire.run(sql).await);
        assert!(end.has(status::AUTOCOMMIT), "{end:?}");
        let end = done(&other.run(sql).await);
        assert!(!end.has(status::AUTOCOMMIT), "{end:?}");
    }
}

async fn a_cursor_opens_in_every_form(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    for form in FORMS {
        let mut wire = stage.client_with(form).await;
        let statement = wire.prepare("SELECT id FROM item WHERE id < 6 ORDER BY id").await;
        let (how, attributes) =
            (Execute { cursor: true, types: true }, wire.has(capability::QUERY_ATTRIBUTES));
        wire.command(&say::execute_with(statement.id, how, &[], attributes)).await;
        assert_eq!(wire.packet().await.as_ref(), [1]);
        wire.packet().await;
        let (none, end) = wire.until_end().await;
        assert!(none.is_empty() && end.is_ok_and(|end| end.has(status::CURSOR_EXISTS)));
        wire.command(&say::fetch(statement.id, 10)).await;
        let (five, end) = wire.until_end().await;
        assert_eq!(five.len(), 5);
        assert!(end.is_ok_and(|end| end.has(status::LAST_ROW_SENT)));
        assert_eq!(wire.value("SELECT 'goes on'").await, "goes on");
    }
}

async fn more_results_end_with_the_last(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut other = stage.client().await;
    for form in FORMS {
        let mut wire = stage.client_with(form | capability::MULTI_STATEMENTS).await;
        let reply = wire.run("SELECT 1; UPDATE account SET balance = 9; SELECT id FROM item WHERE id < 3; CALL two_sets()").await;
        assert_eq!(reply.len(), 6, "{reply:?}");
        assert!(!done(&reply).has(status::MORE_RESULTS));
        assert_eq!(other.value("SELECT 'served'").await, "served");
        let sets = reply
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Rows(Rows { end: Ok(_), .. })));
        assert_eq!(sets.count(), 4);
    }
}

e2e::mysql_scenarios! {
    everywhere: [
        every_form_of_reply_carries_the_same_rows,
    ],
    both: [
        a_cursor_opens_in_every_form,
        a_client_that_tracks_its_session_is_told_of_changes,
        more_results_end_with_the_last,
    ],
    twice: [
        a_client_may_track_more,
        status_flags_are_those_of_ones_own_session,
    ],
}
