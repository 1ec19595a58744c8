//! What drivers send around transactions: one statement at a time or several in one write, as simple queries, in one go, or
//! prepared first.

use e2e::wire::say;

use super::{
    shape::{Dialect, Random},
    turn::{Kind, Turn},
};

pub(super) const KIND: Kind = Kind {
    script,
    fill: &[
        "DELETE FROM script",
        "INSERT INTO script VALUES (0, 0), (1, 0)",
        "DROP TABLE IF EXISTS shape_0, shape_1, made_0, made_1",
        "DROP SEQUENCE IF EXISTS drawn",
        "CREATE TABLE shape_0 (a int); CREATE TABLE shape_1 (a int)",
        "INSERT INTO shape_0 VALUES (1); INSERT INTO shape_1 VALUES (1)",
        "CREATE SEQUENCE drawn",
    ],
    left: "SELECT client, v, to_regclass('made_' || client), (SELECT is_called FROM drawn) \
        FROM script ORDER BY client FOR UPDATE",
};

const DIALECT: Dialect = Dialect {
    begins: &[
        "BEGIN",
        "BEGIN",
        "begin;",
        "START TRANSACTION",
        "BEGIN ISOLATION LEVEL REPEATABLE READ",
        "BEGIN ISOLATION LEVEL SERIALIZABLE",
        "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE",
        "BEGIN READ ONLY",
        "START TRANSACTION ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
        "BEGIN ISOLATION LEVEL NONE",
    ],
    reads: &[
        "SELECT v FROM script WHERE client = CLIENT",
        "SELECT v FROM script WHERE client = CLIENT",
        "SELECT count(*) FROM script",
        "SELECT * FROM shape_CLIENT",
        "SELECT 1",
        "SELECT v FROM script WHERE client = CLIENT FOR UPDATE",
        "SELECT current_setting('TimeZone')",
        "SELECT '2020-01-01 12:00'::timestamptz",
        "SHOW TimeZone",
        "SHOW transaction_isolation",
        "SHOW transaction_read_only",
        "SELECT relname FROM pg_class WHERE relname IN ('made_CLIENT', 'shape_CLIENT') ORDER BY 1",
    ],
    asks: &[
        "SHOW TimeZone",
        "SHOW work_mem",
        "SHOW transaction_isolation",
        "SHOW transaction isolation level",
        "SHOW transaction_deferrable",
        "SHOW standard_conforming_strings",
        "SELECT pg_catalog.version()",
        "SELECT current_schema()",
        "SELECT current_setting('work_mem')",
        "SHOW nosuch",
        "SELECT typname FROM pg_catalog.pg_type WHERE oid = 25",
        "SELECT count(*) FROM pg_catalog.pg_class WHERE relname = 'made_CLIENT'",
    ],
    writes: &[
        "UPDATE script SET v = v + 1 WHERE client = CLIENT",
        "UPDATE script SET v = v + 1 WHERE client = CLIENT RETURNING v",
        "UPDATE script SET v = v + 1 WHERE client = CLIENT",
        "INSERT INTO shape_CLIENT (a) VALUES (2)",
        "SELECT nextval('drawn') > 0",
        "SELECT pg_advisory_xact_lock(CLIENT)",
        "CREATE TABLE made_CLIENT (a int)",
        "ALTER TABLE shape_CLIENT ADD COLUMN b int",
        "ALTER TABLE shape_CLIENT ALTER COLUMN a TYPE text",
    ],
    errors: &["SELECT 1/0", "selekt", "SELECT * FROM nosuch", "UPDATE script SET w = 1"],
    sets: &[
        "SET work_mem TO '5MB'",
        "SET LOCAL work_mem TO '6MB'",
        "SELECT set_config('work_mem', '7MB', true)",
        "SELECT set_config('work_mem', '8MB', false)",
        "SELECT set_config('work_mem', $1, false)",
        "SELECT set_config('TimeZone', $1, false)",
        "SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE",
        "SET TimeZone TO 'Asia/Tokyo'",
        "SET TimeZone TO 'nowhere'",
        "SET LOCAL TimeZone TO 'Asia/Tokyo'",
        "RESET TimeZone",
        "RESET ALL",
        "SET DateStyle TO 'German'",
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SET TRANSACTION READ ONLY",
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SET default_transaction_read_only TO on",
        "SET search_path TO pg_catalog, public",
        "DISCARD ALL",
    ],
    points: &[
        "SAVEPOINT s",
        "SAVEPOINT s",
        "savepoint \"S\"",
        "SAVEPOINT t",
        "ROLLBACK TO s",
        "ROLLBACK TO SAVEPOINT t",
        "RELEASE s",
        "RELEASE SAVEPOINT t",
        "release \"S\"",
        "DECLARE c CURSOR FOR SELECT 1",
        "FETCH c",
    ],
    ends: &[
        "COMMIT",
        "COMMIT",
        "commit;",
        "END",
        "ROLLBACK",
        "ROLLBACK",
        "ABORT",
        "COMMIT AND CHAIN",
        "ROLLBACK AND CHAIN",
        "COMMIT; SELECT 1",
    ],
};

/// Of a client's texts several may be said in one write.
fn script(seed: u64) -> Vec<Turn> {
    let mut random = Random::of(seed);
    let (mut turns, mut turn) = (Vec::new(), Turn::of(0));
    for (who, text) in DIALECT.transactions(&mut random) {
        if who != turn.client || random.below(4) > 0 {
            turns.push(std::mem::replace(&mut turn, Turn::of(who)));
        }
        turn.asks(&mut random, &text, &mut turns);
    }
    turns.push(turn);
    turns.retain(Turn::is_answered);
    turns
}

impl Turn {
    /// One statement, in one of the ways of drivers. What is said before an answer is waited for goes to `turns`.
    fn asks(&mut self, random: &mut Random, text: &str, turns: &mut Vec<Self>) {
        // Behind a question of ours about sequences PostgreSQL 18 takes it for one of a pipeline (docs/DIFFERENCES.md).
        let is_cursor = text.starts_with("DECLARE");
        let values: &[Option<&[u8]>] = match text.contains("$1") {
            true if text.contains("TimeZone") => &[Some(b"Europe/Oslo")],
            true => &[Some(b"9MB")],
            false => &[],
        };
        match random.below(5) {
            _ if is_cursor => self.say(&format!("Query {text:?}"), &say::query(text)),
            // As pg and psycopg without parameters.
            0..=2 if values.is_empty() => self.say(&format!("Query {text:?}"), &say::query(text)),
            // As pg and psycopg with parameters, and tokio-postgres' `query_typed`.
            0..=3 => {
                self.parse("", text);
                self.runs("", values);
            }
            // As those that want to know first what it is.
            _ => {
                let name = random.one(&["", "a"]);
                if !name.is_empty() {
                    self.say("Close S a", &say::close(b'S', name));
                }
                self.parse(name, text);
                self.say(&format!("Describe S {name}"), &say::describe(b'S', name));
                match random.below(2) {
                    0 => self.say("Sync", &say::sync()),
                    _ => self.say("Flush", &say::flush()),
                }
                if random.below(3) > 0 {
                    let client = self.client;
                    turns.push(std::mem::replace(self, Self::of(client)));
                }
                self.runs(name, values);
            }
        }
    }

    fn parse(&mut self, name: &str, text: &str) {
        self.say(&format!("Parse {name} {text:?}"), &say::parse(name, text, &[]));
    }

    fn runs(&mut self, name: &str, values: &[Option<&[u8]>]) {
        self.say(&format!("Bind {name}"), &say::bind("", name, &[], values, &[]));
        self.say("Describe P", &say::describe(b'P', ""));
        self.say("Execute", &say::execute("", 0));
        self.say("Sync", &say::sync());
    }
}
