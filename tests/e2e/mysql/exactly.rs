//! What asks about the last statement, or about the session itself, answers as the database does without Jumpgate: each
//! function, in each place, after each sort of statement, and whoever used the backend between.

use e2e::{
    jumpgate::Setup,
    mysql::{
        Mysql,
        flags::capability,
        login::Options,
        reply::{Column, Outcome, Reply},
        stage::{Place, Stage},
        wire::Wire,
    },
    wire::Endpoint,
};

/// What a reply says, without what two sessions may differ in.
pub(super) fn said(reply: &Reply) -> Vec<String> {
    let said = reply.iter().map(|outcome| match outcome {
        Outcome::Ok(done) => format!("ok {} {}", done.affected, done.warnings),
        Outcome::Err(refusal) => format!("error {} {}", refusal.code, refusal.message),
        Outcome::Rows(rows) => {
            let columns: Vec<_> = rows.columns.iter().map(told).collect();
            match &rows.end {
                Ok(_) => format!("{columns:?} {:?}", rows.texts()),
                Err(refusal) => format!("{columns:?} error {}", refusal.code),
            }
        }
        other => format!("{other:?}"),
    });
    said.collect()
}

/// What a column is told with.
fn told(column: &Column) -> (&str, u8, u32, u16, u16, u8) {
    let Column { charset, length, kind, flags, decimals, .. } = *column;
    (column.name(), kind, length, charset, flags, decimals)
}

/// Does one step of a client: `ping`, `execute SQL` by the binary protocol, or a text. `{id}` is the number of its own
/// connection.
async fn step(wire: &mut Wire, step: &str) -> Vec<String> {
    let id = wire.greeting.thread.to_string();
    let said = answer(wire, &step.replace("{id}", &id)).await;
    said.into_iter().map(|said| said.replace(&format!("= {id}"), "= {id}")).collect()
}

async fn answer(wire: &mut Wire, step: &str) -> Vec<String> {
    if step == "ping" {
        // MySQL tells once more of some warnings of the statement before.
        wire.ask(&[e2e::mysql::flags::command::PING]).await;
        return vec!["pong".into()];
    }
    match step.strip_prefix("execute ") {
        Some(sql) => match wire.try_prepare(sql).await {
            Ok(prepared) => {
                let said = said(&wire.execute(prepared.id, &[]).await);
                wire.close_statement(prepared.id).await;
                said
            }
            Err(refusal) => vec![format!("refused {}", refusal.code)],
        },
        None => said(&wire.query(step).await),
    }
}

/// Two clients of one side.
struct Side {
    a: Wire,
    b: Wire,
}

impl Side {
    async fn open(endpoint: &Endpoint) -> Self {
        let several = Options::with(capability::MULTI_STATEMENTS);
        let a = Wire::connect_with(endpoint, &several).await;
        let mut side = Self { a, b: Wire::connect_with(endpoint, &several).await };
        for wire in [&mut side.a, &mut side.b] {
            wire.run("SET sql_mode = ''").await;
        }
        side
    }

    /// Does the steps of a conversation, each `a: …` or `b: …`.
    async fn converse(&mut self, steps: &[String]) -> Vec<Vec<String>> {
        let mut seen = Vec::new();
        for line in steps {
            let (who, what) = line.split_once(": ").expect("a client and what it says");
            let wire = if who == "a" { &mut self.a } else { &mut self.b };
            seen.push(step(wire, what).await);
        }
        seen
    }
}

/// Both servers get the same, one of them through Jumpgate: the differences.
pub(super) struct Pair {
    pub(super) stage: Stage,
    reference: Mysql,
    database: Side,
    jumpgate: Side,
    differences: Vec<String>,
}

impl Pair {
    pub(super) async fn open(place: Place, pool: u32) -> Self {
        let stage = Stage::with(place, Setup::pool_of(pool)).await;
        let reference = Mysql::start(place.server, &stage.authority, &[]).expect("a second server");
        let database = Side::open(&reference.endpoint()).await;
        let jumpgate = Side::open(&stage.endpoint()).await;
        Self { stage, reference, database, jumpgate, differences: Vec::new() }
    }

    /// Has `root` run a text on both servers, around Jumpgate.
    pub(super) async fn root(&self, sql: &str) {
        for server in [&self.reference, &self.stage.mysql] {
            Wire::connect(&server.root()).await.run(sql).await;
        }
    }

    pub(super) async fn compare<S: Into<String>>(&mut self, steps: impl IntoIterator<Item = S>) {
        let steps: Vec<String> = steps.into_iter().map(Into::into).collect();
        let expected = self.database.converse(&steps).await;
        let found = self.jumpgate.converse(&steps).await;
        let differs = |index: &usize| expected[*index] != found[*index];
        self.differences.extend((0..steps.len()).filter(differs).map(|index| {
            let (before, step) = (&steps[..index].join("\n    "), &steps[index]);
            let (database, jumpgate) = (&expected[index], &found[index]);
            format!("{before}\n  > {step}\n    database: {database:?}\n    jumpgate: {jumpgate:?}")
        }));
    }

    /// The same with clients of their own, whose state ends with them.
    pub(super) async fn compare_anew<S: Into<String>>(
        &mut self,
        steps: impl IntoIterator<Item = S>,
    ) {
        let (database, jumpgate) = (self.reference.endpoint(), self.stage.endpoint());
        // The last ones first: the pool may be of one connection.
        for wire in [&mut self.jumpgate.a, &mut self.jumpgate.b] {
            wire.ask(&[e2e::mysql::flags::command::RESET_CONNECTION]).await;
        }
        self.database = Side::open(&database).await;
        self.jumpgate = Side::open(&jumpgate).await;
        self.compare(steps).await;
    }

    pub(super) fn end(self) {
        let count = self.differences.len();
        let shown: Vec<String> = self.differences.into_iter().take(20).collect();
        assert!(shown.is_empty(), "{count} differences:\n{}", shown.join("\n"));
    }
}

/// What may have come last.
const BEFORE: [&str; 30] = [
    "SELECT SQL_CALC_FOUND_ROWS id FROM item LIMIT 3",
    "SELECT id FROM item WHERE id < 6",
    "SELECT id FROM item WHERE id < 6 ORDER BY name LIMIT 2, 2",
    "SELECT id FROM item WHERE id < 6 LIMIT 20, 5",
    "SELECT id FROM item WHERE id < 3 UNION ALL SELECT d FROM digit LIMIT 2",
    "SELECT d, count(*) FROM digit WHERE d < 4 GROUP BY d WITH ROLLUP LIMIT 2",
    "execute SELECT id FROM item WHERE id < 6 LIMIT 20, 5",
    "execute SELECT id FROM item WHERE id < 8",
    "UPDATE account SET balance = balance + 1",
    "UPDATE account SET balance = balance",
    "UPDATE account a JOIN digit d ON a.id = d.d SET a.balance = a.balance + 1",
    "DELETE FROM account WHERE id < 0",
    "DELETE a FROM account a WHERE a.id < 0",
    "SELECT CAST('abc' AS signed), CAST('d' AS signed)",
    "SELECT CAST('abc' AS signed) FROM digit WHERE d < 2",
    "execute SELECT CAST('abc' AS signed)",
    "SELECT nothing FROM digit",
    "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'own'",
    "SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = 'own'",
    "SET time_zone = '+00:00'",
    "DO 1",
    "INSERT INTO counter (name) VALUES ('x'), ('y')",
    "INSERT INTO counter (name) SELECT name FROM item WHERE id < 4",
    "SHOW TABLES LIKE 'item'",
    "EXPLAIN SELECT d FROM digit WHERE d < 3",
    "EXPLAIN UPDATE account SET balance = 1",
    "KILL QUERY {id}",
    "SELECT 1; SELECT id FROM item LIMIT 4",
    "BEGIN; COMMIT",
    "ping",
];

const ASKED: [&str; 7] = [
    "FOUND_ROWS()",
    "ROW_COUNT()",
    "@@warning_count",
    "@@session.error_count",
    "LAST_INSERT_ID() > 0",
    "CONNECTION_ID() = {id}",
    "@@pseudo_thread_id = {id}",
];

/// Where it is asked. `{p}` is what came last, once more.
const PLACES: [&str; 12] = [
    "SELECT {f}",
    "SELECT concat( {f} , 'x' ), (SELECT {f}) + 1, {f} n",
    "SELECT hex(concat({f})), '2020-01-01' + INTERVAL {f} DAY, - {f}",
    "SELECT d FROM digit WHERE d = 1 AND {f}",
    "SELECT * FROM (SELECT {f} FROM digit LIMIT 1) x",
    "execute SELECT {f}",
    "execute SELECT hex({f})",
    "SET time_zone = '+00:00'; SELECT {f}",
    "SELECT d FROM digit LIMIT 3; SELECT {f}",
    "{p}; SELECT {f}",
    "INSERT INTO answer SELECT {f}",
    "INSERT INTO answer VALUES ({f})",
];

/// FAULTS rows 11, 13 and 19e.
async fn every_question_is_answered_as_by_the_database(place: Place) {
    let mut pair = Pair::open(place, 1).await;
    pair.compare(["a: DROP TABLE IF EXISTS answer; CREATE TABLE answer (n bigint)"]).await;
    for before in BEFORE {
        for asked in ASKED {
            for form in PLACES {
                let same =
                    if before.starts_with("execute") || before == "ping" { "DO 0" } else { before };
                let question = form.replace("{p}", same).replace("{f}", asked);
                let mut steps = vec![
                    format!("a: {before}"),
                    "b: UPDATE account SET balance = balance + 1 WHERE id = 1".into(),
                    format!("a: {question}"),
                ];
                if question.starts_with("INSERT") {
                    steps
                        .extend(["a: SELECT n FROM answer".into(), "a: DELETE FROM answer".into()]);
                }
                pair.compare(steps).await;
            }
        }
    }
    pair.end();
}

/// The same where the client holds its backend.
async fn every_question_in_a_transaction_is_answered_as_by_the_database(place: Place) {
    let mut pair = Pair::open(place, 1).await;
    for before in BEFORE {
        for asked in ASKED {
            for form in ["SELECT {f}", "execute SELECT {f}", "SELECT {f}; SELECT 1"] {
                let question = form.replace("{f}", asked);
                pair.compare([
                    "a: BEGIN".into(),
                    "a: UPDATE account SET balance = balance".into(),
                    format!("a: {before}"),
                    format!("a: {question}"),
                    "a: ROLLBACK".into(),
                ])
                .await;
            }
        }
    }
    pair.end();
}

/// FAULTS rows 13 and 19d: no statement of ours stands between a client's and its diagnostics.
async fn the_diagnostics_are_those_of_the_clients_own_statement(place: Place) {
    let mut pair = Pair::open(place, 1).await;
    pair.compare([
        "a: DROP PROCEDURE IF EXISTS failing",
        "a: DROP PROCEDURE IF EXISTS warning",
        "a: CREATE PROCEDURE failing() SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'own'",
        "a: CREATE PROCEDURE warning() SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = 'own'",
    ])
    .await;
    let more = ["CALL failing()", "CALL warning()", "SET NAMES utf8mb3", "SET NAMES utf8mb4"];
    for before in BEFORE.into_iter().chain(more) {
        for between in [
            "DO 0",
            "SELECT 1",
            "SELECT d FROM digit WHERE d = 1",
            "SET time_zone = '+00:00'",
            "ping",
        ] {
            for asked in
                ["SHOW WARNINGS", "SHOW ERRORS", "SHOW COUNT(*) WARNINGS", "execute SHOW WARNINGS"]
            {
                let asked = format!("a: {asked}");
                pair.compare_anew([
                    format!("a: {before}"),
                    asked.clone(),
                    format!("a: {before}"),
                    format!("a: {between}"),
                    asked.clone(),
                    // And where the backend is held.
                    "a: SET @x = 1".into(),
                    format!("a: {before}"),
                    asked,
                ])
                .await;
            }
        }
    }
    for steps in [
        // A question of ours about the character sets.
        ["a: SET @x = 1", "a: SET NAMES utf8mb3", "a: SHOW WARNINGS", "a: SELECT ROW_COUNT()"],
        [
            "a: SELECT get_lock('a', 0)",
            "a: SELECT release_lock('b'), 'x' + 1",
            "a: SHOW WARNINGS",
            "a: SELECT FOUND_ROWS()",
        ],
        ["a: BEGIN", "a: SELECT nothing", "a: SHOW WARNINGS", "a: SELECT @@error_count"],
        ["a: BEGIN", "a: SELECT nothing", "a: SELECT ROW_COUNT()", "a: SELECT FOUND_ROWS()"],
        [
            "a: SELECT nothing",
            "b: SELECT 1",
            "a: GET DIAGNOSTICS CONDITION 1 @c = MYSQL_ERRNO, @m = MESSAGE_TEXT, @s = RETURNED_SQLSTATE",
            // To MySQL itself they are of another character set, which nobody may name without a warning.
            "a: SELECT @c, crc32(@m), crc32(@s)",
        ],
        [
            "a: UPDATE account SET balance = balance + 1",
            "b: SELECT 1",
            "a: GET DIAGNOSTICS @n = NUMBER, @r = ROW_COUNT",
            "a: SELECT @n, @r",
        ],
        ["a: SELECT nothing", "a: GET DIAGNOSTICS @n = NUMBER", "a: SHOW WARNINGS", "a: SELECT @n"],
    ] {
        pair.compare_anew(steps).await;
    }
    pair.end();
}

/// Found by random scripts.
async fn what_could_not_be_prepared_is_an_error_like_any_other(place: Place) {
    let mut pair = Pair::open(place, 1).await;
    for refused in
        ["execute SELECT nothing FROM digit", "execute SELEKT", "execute SELECT 1; SELECT 2"]
    {
        for begun in
            ["BEGIN", "SELECT id FROM item WHERE id < 4", "UPDATE account SET balance = balance"]
        {
            for asked in ["execute SELECT ROW_COUNT()", "SELECT ROW_COUNT()"] {
                for before in ["a: DO 0", "a: START TRANSACTION WITH CONSISTENT SNAPSHOT"] {
                    let steps = [before, &format!("a: {begun}"), &format!("a: {refused}")]
                        .map(String::from);
                    let asked = format!("a: {asked}");
                    pair.compare_anew(steps.into_iter().chain([asked])).await;
                }
            }
        }
    }
    pair.end();
}

/// FAULTS rows 12 and 39: what is stored is stored as it was written, and a name is no call.
async fn definitions_are_stored_as_they_are_written(place: Place) {
    let mut pair = Pair::open(place, 1).await;
    let both = |create: &str, show: &str| [format!("a: {create}"), format!("a: {show}")];
    for asked in
        ["connection_id()", "row_count()", "found_rows()", "last_insert_id()", "@@warning_count"]
    {
        pair.compare(["a: DROP VIEW IF EXISTS v", "a: DROP TABLE IF EXISTS stored"]).await;
        let view = format!("CREATE VIEW v AS SELECT {asked} c, d FROM digit WHERE d < {asked}");
        pair.compare(both(&view, "SHOW CREATE VIEW v")).await;
        let view = format!("ALTER VIEW v AS SELECT {asked} c");
        pair.compare(both(&view, "SHOW CREATE VIEW v")).await;
        let table = format!("CREATE TABLE stored (a int, c bigint DEFAULT ({asked}))");
        pair.compare(both(&table, "SHOW CREATE TABLE stored")).await;
        pair.compare(["a: DROP TABLE IF EXISTS stored", "a: CREATE TABLE stored (a int)"]).await;
        let alter = format!("ALTER TABLE stored ADD c bigint DEFAULT ({asked})");
        pair.compare(both(&alter, "SHOW CREATE TABLE stored")).await;
        let trigger = format!(
            "CREATE TRIGGER fires BEFORE INSERT ON stored FOR EACH ROW SET NEW.a = {asked}"
        );
        let shown = "SELECT action_statement FROM information_schema.triggers \
                     WHERE trigger_schema = 'app' AND trigger_name = 'fires'";
        pair.compare(both(&trigger, shown)).await;
        pair.compare(["a: DROP PROCEDURE IF EXISTS asks"]).await;
        let procedure = format!("CREATE PROCEDURE asks() SELECT {asked}");
        let shown = "SELECT routine_definition FROM information_schema.routines \
                     WHERE routine_schema = 'app' AND routine_name = 'asks'";
        pair.compare(both(&procedure, shown)).await;
    }
    for name in ["connection_id", "row_count", "found_rows", "get_lock", "last_insert_id"] {
        pair.compare([
            format!("a: DROP TABLE IF EXISTS {name}"),
            format!("a: CREATE TABLE {name} (a int PRIMARY KEY DEFAULT 5)"),
            format!("a: INSERT INTO {name} () VALUES ()"),
            format!("a: INSERT INTO {name} (a) VALUES (1)"),
            format!("a: SELECT * FROM {name} ORDER BY a"),
            format!("a: DROP TABLE {name}"),
            "b: SELECT 'served'".into(),
        ])
        .await;
    }
    pair.end();
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        every_question_is_answered_as_by_the_database,
        every_question_in_a_transaction_is_answered_as_by_the_database,
        the_diagnostics_are_those_of_the_clients_own_statement,
        what_could_not_be_prepared_is_an_error_like_any_other,
        definitions_are_stored_as_they_are_written,
    ],
}
