//! What a RESET goes back to: the startup packet's values, in every form and place, as on the database itself.

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage},
    wire::{Frame, Wire, error, rows, say, sqlstate, tags},
};

const STARTUP: [(&str, &str); 2] =
    [("TimeZone", "Asia/Tokyo"), ("options", "-c search_path=one -c app.name=it\\'s")];
const NOW: &str = "SELECT current_setting('TimeZone') || current_setting('search_path')";
const SET: &str = "SET TimeZone = 'America/New_York'";
const START: &str = "Asia/Tokyoone";
const AFTER_SET: &str = "America/New_Yorkone";

/// Every form of a reset of one setting, or of all.
const FORMS: [(&str, &str); 8] = [
    ("RESET TimeZone", "RESET"),
    ("reset /* -- */ \"timezone\" -- a comment", "RESET"),
    ("SET TimeZone TO DEFAULT", "SET"),
    ("SET SESSION TimeZone = DEFAULT", "SET"),
    ("SET TIME ZONE LOCAL", "SET"),
    ("SET TIME ZONE DEFAULT", "SET"),
    ("RESET TIME ZONE", "RESET"),
    ("RESET ALL", "RESET"),
];

/// Statements that complete, by their tags.
fn completed(frames: &[Frame]) -> Vec<String> {
    frames.iter().filter(|frame| frame.tag == b'C').map(Frame::text).collect()
}

/// Takes the one backend of the pool, so that the next statement of the other finds it changed.
async fn another_turn(other: &mut Wire) {
    assert_eq!(other.value(NOW).await, "UTC\"$user\", public");
    assert_eq!(other.value("SHOW application_name").await, "");
}

fn one(sql: &str) -> Vec<Vec<u8>> {
    vec![say::parse("", sql, &[]), say::bind("", "", &[], &[], &[]), say::execute("", 0)]
}

/// FAULTS row 7: the value is there for the next statement, whatever it stands in.
async fn each_reset_goes_back_to_the_startup_in_each_place(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut client = stage.client_with(&STARTUP).await;
    let mut other = stage.client().await;
    for (reset, tag) in FORMS {
        // Alone, and what is reported comes before its ReadyForQuery.
        client.run(SET).await;
        another_turn(&mut other).await;
        let reply = client.run(reset).await;
        assert_eq!(completed(&reply), [tag], "{reset}");
        assert_eq!(tags(&reply), "CSZ", "{reset}");
        assert_eq!(client.parameters["TimeZone"], "Asia/Tokyo", "{reset}");
        another_turn(&mut other).await;
        assert_eq!(client.value(NOW).await, START, "{reset}");

        // Among others.
        let reply = client.run(&format!("{SET}; {NOW}; {reset}\n; {NOW}")).await;
        assert_eq!(completed(&reply), ["SET", "SELECT 1", tag, "SELECT 1"], "{reset}");
        assert_eq!(rows(&reply)[1][0].as_deref(), Some(START), "{reset}");
        another_turn(&mut other).await;
        assert_eq!(client.value(NOW).await, START, "{reset}");

        // In a pipeline.
        let messages = [one(SET), one(reset), one(NOW), vec![say::sync()]].concat();
        let reply = client.ask(&messages).await;
        assert_eq!(tags(&reply), "12C12C12DCZ", "{reset}: {reply:?}");
        assert_eq!(completed(&reply), ["SET", tag, "SELECT 1"], "{reset}");
        assert_eq!(rows(&reply)[0][0].as_deref(), Some(START), "{reset}");
        another_turn(&mut other).await;
        assert_eq!(client.value(NOW).await, START, "{reset}");
    }
}

/// FAULTS row 7: and it comes and goes with its transaction.
async fn each_reset_is_part_of_its_transaction(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut client = stage.client_with(&STARTUP).await;
    let mut other = stage.client().await;
    for (reset, _) in FORMS {
        for extended in [false, true] {
            let reset_it = async |client: &mut Wire| {
                let reply = match extended {
                    true => client.extended(reset, &[]).await,
                    false => client.query(reset).await,
                };
                assert_eq!(error(&reply), "", "{reset}");
            };
            client.run("BEGIN").await;
            client.run(SET).await;
            reset_it(&mut client).await;
            assert_eq!(client.value(NOW).await, START, "{reset}");
            client.run("COMMIT").await;
            another_turn(&mut other).await;
            assert_eq!(client.value(NOW).await, START, "{reset}");

            client.run(SET).await;
            client.run("BEGIN").await;
            reset_it(&mut client).await;
            assert_eq!(client.value(NOW).await, START, "{reset}");
            client.run("ROLLBACK").await;
            assert_eq!(client.parameters["TimeZone"], "America/New_York", "{reset}");
            another_turn(&mut other).await;
            assert_eq!(client.value(NOW).await, AFTER_SET, "{reset}");

            client.run("BEGIN; SAVEPOINT s").await;
            reset_it(&mut client).await;
            assert_eq!(client.value(NOW).await, START, "{reset}");
            client.run("ROLLBACK TO s").await;
            assert_eq!(client.value(NOW).await, AFTER_SET, "{reset}");
            client.run("COMMIT").await;
            another_turn(&mut other).await;
            assert_eq!(client.value(NOW).await, AFTER_SET, "{reset}");

            // It fails, and takes nothing with it.
            client.run("BEGIN").await;
            client.query("SELECT 1/0").await;
            let failed = match extended {
                true => client.extended(reset, &[]).await,
                false => client.query(reset).await,
            };
            assert_eq!(sqlstate(&failed), "25P02", "{reset}");
            assert_eq!(tags(&failed), "EZ", "{reset}");
            client.run("ROLLBACK").await;
            another_turn(&mut other).await;
            assert_eq!(client.value(NOW).await, AFTER_SET, "{reset}");
        }
    }
}

/// FAULTS row 7: the five texts that it was seen with.
async fn what_follows_a_reset_in_a_transaction_lands_where_the_client_means(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut client = stage.client_with(&[("options", "-c search_path=one")]).await;
    for text in [
        "BEGIN",
        "SET search_path TO two",
        "RESET search_path",
        "INSERT INTO thing VALUES ('mine')",
        "COMMIT",
    ] {
        client.run(text).await;
    }
    let mut other = stage.client().await;
    assert_eq!(other.value("SELECT count(*) FROM one.thing WHERE name = 'mine'").await, "1");
}

async fn a_local_reset_ends_with_its_transaction(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut client = stage.client_with(&STARTUP).await;
    let mut other = stage.client().await;
    client.run(SET).await;
    for reset in ["SET LOCAL TimeZone TO DEFAULT", "SET LOCAL TIME ZONE LOCAL"] {
        client.run("BEGIN").await;
        client.run(reset).await;
        assert_eq!(client.value(NOW).await, START);
        client.run("COMMIT").await;
        another_turn(&mut other).await;
        assert_eq!(client.value(NOW).await, AFTER_SET);
        let reply = client.run(&format!("{reset}; {NOW}")).await;
        assert_eq!(rows(&reply)[0][0].as_deref(), Some(START));
        let reply = client.run(reset).await;
        assert_eq!(tags(&reply), "NCZ", "outside a transaction it warns, once");
        let reply = client.extended(reset, &[]).await;
        assert_eq!(tags(&reply), "12nNCZ", "outside a transaction it warns, once");
        assert_eq!(client.value(NOW).await, AFTER_SET);
    }
}

async fn discard_all_goes_back_to_the_startup_at_once(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut client = stage.client_with(&STARTUP).await;
    let mut other = stage.client().await;
    for extended in [false, true] {
        client.run(SET).await;
        client.run("SET search_path TO two").await;
        another_turn(&mut other).await;
        let reply = match extended {
            true => client.extended("DISCARD ALL", &[]).await,
            false => client.run("DISCARD ALL;").await,
        };
        assert_eq!(completed(&reply), ["DISCARD ALL"]);
        assert_eq!(client.parameters["TimeZone"], "Asia/Tokyo");
        assert_eq!(client.value(NOW).await, START);
        another_turn(&mut other).await;
        assert_eq!(client.value(NOW).await, START);
        client.run(SET).await;
        for text in ["DISCARD ALL; SELECT 1", "SELECT 1; DISCARD ALL"] {
            assert_eq!(sqlstate(&client.query(text).await), "25001", "{text}");
        }
        client.run("BEGIN").await;
        let reply = match extended {
            true => client.extended("DISCARD ALL", &[]).await,
            false => client.query("DISCARD ALL").await,
        };
        assert_eq!(sqlstate(&reply), "25001");
        client.run("ROLLBACK").await;
        another_turn(&mut other).await;
        assert_eq!(client.value(NOW).await, AFTER_SET);
        client.run("DISCARD ALL").await;
    }
    // What is behind it in one write is behind it.
    client.run(SET).await;
    client.send([say::query("DISCARD ALL"), say::query(NOW)].concat()).await;
    client.until_ready().await;
    assert_eq!(rows(&client.until_ready().await)[0][0].as_deref(), Some(START));
}

async fn an_error_behind_a_reset_points_into_the_client_s_text(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut client = stage.client_with(&STARTUP).await;
    let text = "RESET TimeZone; SELECT 'é', nosuch";
    let reply = client.query(text).await;
    let error = reply.iter().find(|frame| frame.tag == b'E').expect("no such column");
    assert_eq!(error.field(b'P'), "29");
    assert_eq!(tags(&reply), "CEZ");
}

/// FAULTS row 7: code is not rewritten; what it did to a reported setting is noticed and mended.
async fn a_reset_within_a_function_is_mended_behind_it(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut client = stage.client_with(&STARTUP).await;
    let mut other = stage.client().await;
    client
        .run(
            "CREATE FUNCTION public.unset() RETURNS void LANGUAGE plpgsql AS \
             $$ BEGIN RESET ALL; END $$",
        )
        .await;
    for _turn in 0..2 {
        client.run("SELECT public.unset()").await;
        assert_eq!(client.value(NOW).await, START);
        another_turn(&mut other).await;
        assert_eq!(client.value(NOW).await, START);
    }
}

/// FAULTS §3: a client without a name has none, and RESET leads back to that.
async fn a_client_without_a_name_has_none(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut plain, mut named) =
        (stage.client().await, stage.client_with(&[("application_name", "é\\'")]).await);
    assert_eq!(plain.parameters["application_name"], "");
    for _turn in 0..2 {
        let told = named.parameters["application_name"].clone();
        assert_eq!(named.value("SHOW application_name").await, told);
        for reset in ["RESET application_name", "RESET ALL", "DISCARD ALL"] {
            plain.run("SET application_name = 'mine'").await;
            assert_eq!(plain.parameters["application_name"], "mine");
            plain.run(reset).await;
            assert_eq!(plain.parameters["application_name"], "", "{reset}");
            assert_eq!(plain.value("SHOW application_name").await, "", "{reset}");
        }
    }
}

e2e::scenarios! {
    twice: [
        each_reset_goes_back_to_the_startup_in_each_place,
        each_reset_is_part_of_its_transaction,
        what_follows_a_reset_in_a_transaction_lands_where_the_client_means,
        a_local_reset_ends_with_its_transaction,
        discard_all_goes_back_to_the_startup_at_once,
        an_error_behind_a_reset_points_into_the_client_s_text,
        a_reset_within_a_function_is_mended_behind_it,
        a_client_without_a_name_has_none,
    ],
}
