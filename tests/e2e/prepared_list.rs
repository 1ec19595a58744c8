//! Issue 11, item 2: `pg_prepared_statements` is the client's own list, by its own names, on whatever backend.

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage, Version},
    wire::{Frame, Wire, rows, say, tags},
};

async fn prepare(client: &mut Wire, name: &str, sql: &str, types: &[u32]) {
    let reply = client.ask(&[say::parse(name, sql, types), say::sync()]).await;
    assert_eq!(tags(&reply), "1Z", "{reply:?}");
}

fn lines(frames: &[Frame]) -> Vec<String> {
    let line = |row: Vec<Option<String>>| {
        let columns = row.into_iter().map(|column| column.unwrap_or_else(|| "NULL".into()));
        columns.collect::<Vec<_>>().join("|")
    };
    rows(frames).into_iter().map(line).collect()
}

async fn a_client_sees_its_own_statements(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    let odd = "it's \"odd\" \\ é";
    prepare(&mut a, "s", "SELECT id, name FROM item WHERE id = $1", &[]).await;
    prepare(&mut a, odd, "SELECT $1::text, E'it''s\\n', 'é', $2", &[0, 23]).await;
    prepare(&mut a, "w", "UPDATE item SET name = 'x' WHERE id = -1", &[]).await;
    prepare(&mut a, "", "SELECT 'unnamed'", &[]).await;
    prepare(&mut b, "s", "SELECT id, name FROM item WHERE id = $1", &[]).await;
    prepare(&mut b, "other", "SELECT 'of b'", &[]).await;
    let results = if place.version == Version::Eighteen { ", result_types" } else { "" };
    let listed = format!(
        "SELECT name, statement, parameter_types{results}, from_sql, generic_plans + custom_plans, \
            now() - prepare_time < '1 minute' AS is_new FROM pg_prepared_statements ORDER BY name COLLATE \"C\""
    );
    let mut expected = [
        (
            odd,
            "SELECT $1::text, E'it''s\\n', 'é', $2",
            "{text,integer}",
            "{text,text,text,integer}",
        ),
        ("s", "SELECT id, name FROM item WHERE id = $1", "{integer}", "{integer,text}"),
        ("w", "UPDATE item SET name = 'x' WHERE id = -1", "{}", "NULL"),
    ]
    .map(|(name, text, types, columns)| {
        let columns = if results.is_empty() { String::new() } else { format!("|{columns}") };
        format!("{name}|{text}|{types}{columns}|f|0|t")
    })
    .to_vec();
    expected.sort();
    for _backend in 0..2 {
        assert_eq!(lines(&a.run(&listed).await), expected);
        assert_eq!(lines(&a.extended(&listed, &[]).await), expected);
        assert_eq!(lines(&b.run("SELECT name FROM pg_prepared_statements ORDER BY 1").await), {
            ["other", "s"]
        });
        // a on the other one, if there is one.
        b.hold_a_backend().await;
        b.run("SELECT 1").await;
    }
    b.run("COMMIT").await;
    let counted = "SELECT p.name, (SELECT count(*) FROM pg_catalog.pg_prepared_statements) \
        FROM pg_prepared_statements AS p JOIN pg_prepared_statements q USING (name) WHERE p.name = $1";
    assert_eq!(lines(&a.extended(counted, &["w"]).await), ["w|3"]);
    let whole = "SELECT pg_prepared_statements.name, (pg_prepared_statements).from_sql FROM pg_prepared_statements WHERE name = 's'";
    assert_eq!(lines(&a.run(whole).await), ["s|f"]);
    // A named statement that asks is on the list itself, and asks anew each time.
    prepare(
        &mut a,
        "list",
        "SELECT name FROM pg_prepared_statements WHERE name IN ('s', 'list')",
        &[],
    )
    .await;
    let run = [say::bind("", "list", &[], &[], &[]), say::execute("", 0), say::sync()];
    let mut names = lines(&a.ask(&run).await);
    names.sort();
    assert_eq!(names, ["list", "s"]);
    a.run("DEALLOCATE s").await;
    assert_eq!(lines(&a.ask(&run).await), ["list"]);
    a.run("DEALLOCATE ALL").await;
    assert_eq!(lines(&a.run("SELECT name FROM pg_prepared_statements").await), [""; 0]);
}

async fn what_sql_prepared_is_on_the_list_too(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut client = stage.client().await;
    prepare(&mut client, "b", "SELECT 2", &[]).await;
    client.run("PREPARE a (int) AS SELECT $1").await;
    let listed = "SELECT name, from_sql, statement FROM pg_prepared_statements ORDER BY name";
    let expected = ["a|t|PREPARE a (int) AS SELECT $1", "b|f|SELECT 2"];
    assert_eq!(lines(&client.run(listed).await), expected);
    client.run("BEGIN").await;
    assert_eq!(lines(&client.run(listed).await), expected);
    client.query("SELECT 1/0").await;
    assert_eq!(tags(&client.query(listed).await), "EZ");
    client.run("ROLLBACK").await;
    client.run("CREATE TEMP TABLE pg_prepared_statements (name text)").await;
    assert_eq!(lines(&client.run("SELECT name FROM pg_prepared_statements").await), [""; 0]);
    assert_eq!(
        lines(&client.run("SELECT count(*) FROM pg_catalog.pg_prepared_statements").await),
        { ["2"] }
    );
}

async fn a_statement_that_can_no_longer_be_parsed_is_listed(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    a.run("CREATE TABLE gone (a int)").await;
    prepare(&mut a, "s", "SELECT * FROM gone", &[]).await;
    b.run("DROP TABLE gone").await;
    for _backend in 0..2 {
        assert_eq!(lines(&a.run("SELECT name FROM pg_prepared_statements").await), ["s"]);
        b.hold_a_backend().await;
        b.run("SELECT 1").await;
    }
}

e2e::scenarios! {
    everywhere: [
        a_client_sees_its_own_statements,
    ],
    twice: [
        what_sql_prepared_is_on_the_list_too,
        a_statement_that_can_no_longer_be_parsed_is_listed,
    ],
}
