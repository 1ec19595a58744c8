//! What MariaDB has beyond 32 bits of capabilities: extended metadata, and executions in bulk.

use e2e::{
    drivers::script,
    jumpgate::Setup,
    mysql::{
        flags::{capability, command, mariadb},
        login::Options,
        reply::{Outcome, Rows, code, done, rows},
        say,
        stage::{Place, Stage},
        wire::Wire,
    },
    wire::Endpoint,
};

const ALL: u32 = mariadb::STMT_BULK | mariadb::EXTENDED_METADATA;

/// A client of MariaDB's own kind.
async fn extended(endpoint: &Endpoint, form: u32, extended: u32) -> Wire {
    let options =
        Options { with: form, without: capability::LONG_PASSWORD, extended, ..Options::default() };
    Wire::connect_with(endpoint, &options).await
}

fn extensions(reply: &[Outcome]) -> Vec<Option<String>> {
    let columns = reply.iter().filter_map(|outcome| match outcome {
        Outcome::Rows(Rows { columns, .. }) => Some(columns),
        _ => None,
    });
    columns.flatten().map(|column| column.extended.clone()).collect()
}

/// FAULTS row 37: in each form and position as the database has it, also from the cache.
async fn columns_say_of_their_types_what_the_database_says(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let sql = "SELECT id, extra, name FROM item WHERE id < 3";
    for form in [0, capability::DEPRECATE_EOF] {
        for asked in [0, mariadb::EXTENDED_METADATA, ALL] {
            let mut direct = extended(&stage.mysql.endpoint(), form, asked).await;
            let mut through = extended(&stage.endpoint(), form, asked).await;
            for sql in
                [sql, "SELECT g, j FROM kinds", "SELECT 1", "SHOW WARNINGS", "CALL two_sets()"]
            {
                let expected = direct.query(sql).await;
                for _turn in 0..2 {
                    let found = through.query(sql).await;
                    assert_eq!(extensions(&found), extensions(&expected), "{sql} {asked}");
                    assert_eq!(rows(&found), rows(&expected), "{sql} {asked}");
                }
            }
            for _turn in 0..2 {
                let (there, here) = (direct.prepare(sql).await, through.prepare(sql).await);
                assert_eq!(here.columns, there.columns, "{asked}");
                let expected = direct.execute(there.id, &[]).await;
                assert_eq!(extensions(&through.execute(here.id, &[]).await), extensions(&expected));
            }
            for wire in [&mut direct, &mut through] {
                wire.command(&say::field_list("item", "")).await;
                assert_eq!(wire.until_end().await.0.len(), 6);
            }
            let status = through.run("SHOW JUMPGATE STATUS").await;
            let is_extended = asked & mariadb::EXTENDED_METADATA != 0;
            let expected = is_extended.then(String::new);
            assert_eq!(extensions(&status), [expected.clone(), expected]);
        }
    }
}

/// FAULTS row 36: as the database answers, also from another backend, and with the types of the last time.
async fn executions_in_bulk_are_the_databases_own(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    stage.direct().await.run("CREATE TABLE bulk (a BIGINT, b VARCHAR(20))").await;
    let mut wire = extended(&stage.endpoint(), capability::DEPRECATE_EOF, ALL).await;
    let insert = wire.prepare("INSERT INTO bulk VALUES (?, ?)").await.id;
    let bulk = |id: u32, flags: u16, numbers: &[i64]| {
        let types: &[u8] = if flags & 128 == 0 { b"" } else { b"\x08\0\xfd\0" };
        let head = [&[command::STMT_BULK_EXECUTE][..], &id.to_le_bytes(), &flags.to_le_bytes()];
        let row = |n: &i64| [b"\0", &n.to_le_bytes()[..], b"\0\x01x"].concat();
        [&head.concat(), types, &numbers.iter().flat_map(row).collect::<Vec<_>>()].concat()
    };
    assert_eq!(done(&wire.ask(&bulk(insert, 128, &[1, 2, 3])).await).affected, 3);
    let mut holder = stage.client().await;
    holder.run("BEGIN").await;
    holder.run("SELECT count(*) FROM bulk").await;
    assert_eq!(done(&wire.ask(&bulk(insert, 0, &[4])).await).affected, 1);
    assert_eq!(done(&wire.ask(&bulk(u32::MAX, 128, &[5, 6])).await).affected, 2);
    assert_eq!(wire.value("SELECT concat(count(*), ',', sum(a), b) FROM bulk").await, "6,21x");
    let returning = wire.prepare("INSERT INTO bulk VALUES (?, ?) RETURNING a").await.id;
    let reply = wire.ask(&bulk(returning, 128, &[7, 8])).await;
    assert_eq!(rows(&reply), [[Some("7".into())], [Some("8".into())]]);
    // No rows, cut in a value, no types yet, no such statement, not one that can.
    let select = wire.prepare("SELECT ?").await.id;
    let cut = bulk(insert, 128, &[1]);
    for (payload, expected) in [
        (bulk(insert, 128, &[]), 1210),
        (cut[..cut.len() - 6].to_vec(), 1210),
        (bulk(select, 0, &[1]), 1210),
        (bulk(99_999, 128, &[1]), 1243),
        ([&bulk(select, 128, &[])[..9], b"\0\0\x01a"].concat(), 1295),
    ] {
        assert_eq!(code(&wire.ask(&payload).await), expected, "{payload:?}");
    }
    // Who has not agreed to it cannot do it.
    let mut plain = stage.client().await;
    let id = plain.prepare("INSERT INTO bulk VALUES (?, ?)").await.id;
    assert_eq!(code(&plain.ask(&bulk(id, 128, &[1])).await), 1047);
    assert_eq!(plain.value("SELECT count(*) FROM bulk").await, "8");
}

/// FAULTS row 37.
async fn json_columns_are_objects_in_mysql2(place: Place) {
    let stage = Stage::open(place).await;
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &stage.authority.pem).expect("written");
    let endpoint = stage.endpoint();
    let run = tokio::task::spawn_blocking(move || script("node_json.js", &endpoint, &ca)).await;
    let output = run.expect("the work does not panic").unwrap_or_else(|error| panic!("{error:#}"));
    assert!(output.contains("json: ok"), "{output}");
}

e2e::mysql_scenarios! {
    both: [
        json_columns_are_objects_in_mysql2,
    ],
    mariadb: [
        executions_in_bulk_are_the_databases_own,
    ],
}

#[test]
fn columns_of_mariadb_say_of_their_types_what_the_database_says() {
    let place = Place { server: e2e::mysql::Server::MariaDb, route: e2e::stage::Route::Proxy };
    e2e::mysql::stage::run(place, columns_say_of_their_types_what_the_database_says);
}
