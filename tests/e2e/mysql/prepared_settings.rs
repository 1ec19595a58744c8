//! What a prepared statement keeps of the settings it was prepared with, and what it takes from those it runs under: as
//! at the database, whoever has prepared the same text before, and wherever it runs.

use e2e::{
    jumpgate::Setup,
    mysql::{
        stage::{Place, Stage},
        wire::Wire,
    },
    wire::Endpoint,
};

use super::exactly::said;

/// A variable, two values of it, and a text that is another one under each.
type Case = (&'static str, [&'static str; 2], &'static str);

/// The first three are bound when MySQL prepares; a server that does not know one says so in both places.
const CASES: [Case; 26] = [
    (
        "group_concat_max_len",
        ["1024", "4"],
        "SELECT GROUP_CONCAT(name ORDER BY id) FROM item WHERE id < 5",
    ),
    ("default_week_format", ["0", "2"], "SELECT WEEK('2000-01-01') FROM item LIMIT 1"),
    (
        "terminology_use_previous",
        ["BEFORE_8_0_26", "NONE"],
        "SELECT status FROM information_schema.events WHERE event_schema = 'app'",
    ),
    ("div_precision_increment", ["2", "10"], "SELECT 1 / 3, AVG(id) FROM item"),
    ("sql_mode", ["''", "'PIPES_AS_CONCAT'"], "SELECT 'a' || 'b'"),
    ("sql_mode", ["''", "'REAL_AS_FLOAT'"], "SELECT CAST(1.23456789 AS REAL)"),
    ("sql_mode", ["''", "'HIGH_NOT_PRECEDENCE'"], "SELECT NOT 1 BETWEEN -5 AND 5"),
    ("sql_mode", ["''", "'NO_UNSIGNED_SUBTRACTION'"], "SELECT CAST(0 AS UNSIGNED) - 1"),
    (
        "lc_time_names",
        ["'de_DE'", "'en_US'"],
        "SELECT DATE_FORMAT('2000-03-01', '%M'), DAYNAME('2000-03-01')",
    ),
    ("lc_time_names", ["'de_DE'", "'en_US'"], "SELECT FORMAT(1234.5, 2), MONTHNAME('2000-03-01')"),
    ("time_zone", ["'+05:00'", "'+00:00'"], "SELECT FROM_UNIXTIME(1)"),
    ("time_zone", ["'+05:00'", "'+00:00'"], "SELECT TIMESTAMP'2020-01-01 10:00:00+03:00'"),
    (
        "collation_connection",
        ["'utf8mb4_bin'", "'utf8mb4_general_ci'"],
        "SELECT 'a' = 'A', COLLATION('a')",
    ),
    ("character_set_results", ["'latin1'", "'utf8mb4'"], "SELECT 'a', HEX('\u{e9}')"),
    ("sql_select_limit", ["1", "DEFAULT"], "SELECT id FROM item ORDER BY id LIMIT 3"),
    ("sql_select_limit", ["2", "1"], "SELECT id FROM item ORDER BY id"),
    ("max_sort_length", ["4", "1024"], "SELECT name FROM item WHERE id < 5 ORDER BY name DESC"),
    (
        "cte_max_recursion_depth",
        ["2", "1000"],
        "WITH RECURSIVE q(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM q WHERE n < 10) SELECT * FROM q",
    ),
    (
        "windowing_use_high_precision",
        ["OFF", "ON"],
        "SELECT SUM(1e16 + id) OVER (ORDER BY id ROWS 1 PRECEDING) FROM item WHERE id < 6",
    ),
    (
        "block_encryption_mode",
        ["'aes-256-cbc'", "'aes-128-cbc'"],
        "SELECT HEX(AES_ENCRYPT('a', 'b', REPEAT('x', 16)))",
    ),
    ("sql_auto_is_null", ["1", "0"], "SELECT id FROM item WHERE id IS NULL"),
    ("timestamp", ["1000000000", "1"], "SELECT NOW(), CURRENT_DATE"),
    ("big_tables", ["1", "0"], "SELECT COUNT(DISTINCT name) FROM item"),
    ("show_create_table_verbosity", ["1", "0"], "SHOW CREATE TABLE item"),
    (
        "max_points_in_geometry",
        ["3", "100"],
        "SELECT ST_AsText(ST_Buffer(ST_GeomFromText('POINT(0 0)'), 1))",
    ),
    ("lc_messages", ["'de_DE'", "'en_US'"], "SELECT id FROM item WHERE id = 1 AND SLEEP(0) = 0"),
];

/// A world of two clients, one of which holds backends.
struct World {
    wire: Wire,
    other: Wire,
    holder: Wire,
}

impl World {
    async fn open(endpoint: &Endpoint) -> Self {
        let mut world = Self {
            wire: Wire::connect(endpoint).await,
            other: Wire::connect(endpoint).await,
            holder: Wire::connect(endpoint).await,
        };
        world.wire.run("SET sql_mode = ''").await;
        world
    }

    /// What is said where a text is prepared under one value, and prepared and run under another.
    async fn says(&mut self, (name, values, sql): Case) -> Vec<Vec<String>> {
        let [first, second] = values.map(|value| format!("SET {name} = {value}"));
        let mut said_by = Vec::new();
        let Self { wire, other, holder } = self;
        said_by.push(said(&wire.query(&first).await));
        let Ok(kept) = wire.try_prepare(sql).await else { return said_by };
        said_by.push(said(&wire.execute(kept.id, &[]).await));
        wire.query(&second).await;
        said_by.push(said(&wire.execute(kept.id, &[]).await));
        // Where it is not prepared yet.
        holder.run("BEGIN").await;
        holder.run("SELECT count(*) FROM counter").await;
        said_by.push(said(&wire.execute(kept.id, &[]).await));
        holder.run("ROLLBACK").await;
        said_by.push(anew(wire, sql).await);
        other.query(&second).await;
        said_by.push(anew(other, sql).await);
        other.query(&first).await;
        said_by.push(anew(other, sql).await);
        wire.close_statement(kept.id).await;
        for wire in [wire, other] {
            wire.query(&format!("SET {name} = DEFAULT")).await;
        }
        said_by
    }
}

/// The same text prepared by itself.
async fn anew(wire: &mut Wire, sql: &str) -> Vec<String> {
    match wire.try_prepare(sql).await {
        Ok(prepared) => {
            let said = said(&wire.execute(prepared.id, &[]).await);
            wire.close_statement(prepared.id).await;
            said
        }
        Err(refusal) => vec![format!("refused {}", refusal.code)],
    }
}

/// Found by MySQL's own test `func_gconcat` (wrong data): a server binds some settings when it prepares.
async fn a_prepared_statement_keeps_what_it_was_prepared_with(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(4)).await;
    let event = "CREATE EVENT app.e ON SCHEDULE EVERY 1 DAY DISABLE ON SLAVE DO SELECT 1";
    stage.root().await.run(event).await;
    let mut direct = World::open(&stage.mysql.endpoint()).await;
    let mut through = World::open(&stage.endpoint()).await;
    let mut differences = Vec::new();
    for case in CASES {
        let (expected, found) = (direct.says(case).await, through.says(case).await);
        if expected != found {
            differences.push(format!("{case:?}\n  database: {expected:?}\n  jumpgate: {found:?}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// What is said by a statement that is prepared where a transaction is open, with settings that cannot be changed in one.
async fn says_in_transaction(endpoint: &Endpoint) -> Vec<Vec<String>> {
    let (mut wire, mut holder) = (Wire::connect(endpoint).await, Wire::connect(endpoint).await);
    wire.run("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE").await;
    wire.run("SET SESSION group_concat_max_len = 5").await;
    let sql = "SELECT GROUP_CONCAT(name ORDER BY id), (SELECT balance FROM account WHERE id = 1) FROM item WHERE id < 5";
    let kept = wire.prepare(sql).await;
    let mut seen = vec![said(&wire.execute(kept.id, &[]).await)];
    wire.run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await;
    wire.run("SET SESSION group_concat_max_len = 9").await;
    holder.run("BEGIN").await;
    holder.run("SELECT count(*) FROM counter").await;
    wire.run("BEGIN").await;
    wire.run("UPDATE account SET balance = 7 WHERE id = 1").await;
    seen.push(said(&wire.execute(kept.id, &[]).await));
    holder.run("ROLLBACK").await;
    wire.run("ROLLBACK").await;
    seen.push(said(&wire.execute(kept.id, &[]).await));
    seen
}

/// And in a transaction nothing is changed that ends it, or that cannot be changed there.
async fn a_statement_is_prepared_anew_in_a_transaction(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let direct = says_in_transaction(&stage.mysql.endpoint()).await;
    assert_eq!(says_in_transaction(&stage.endpoint()).await, direct);
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        a_prepared_statement_keeps_what_it_was_prepared_with,
        a_statement_is_prepared_anew_in_a_transaction,
    ],
}
