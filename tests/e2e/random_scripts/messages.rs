//! Any messages in any order, as no driver would send them.

use e2e::wire::say;

use super::{
    shape::Random,
    turn::{Kind, Turn},
};

pub(super) const KIND: Kind = Kind {
    script,
    fill: &["DELETE FROM script", "INSERT INTO script VALUES (0, 0), (1, 0)"],
    left: "SELECT * FROM script ORDER BY client FOR UPDATE",
};

const STATEMENTS: [&str; 3] = ["", "a", "b"];
const PORTALS: [&str; 2] = ["", "p"];

const TEXTS: [&str; 26] = [
    "SELECT 1",
    "SELECT 'two'",
    "SELECT $1::int + 1",
    "SELECT $1",
    "SELECT pg_typeof($1)::text, $1::text",
    "SELECT v FROM script WHERE client = CLIENT",
    "UPDATE script SET v = v + 1 WHERE client = CLIENT RETURNING v",
    "UPDATE script SET v = v + 1 WHERE client = CLIENT",
    "SELECT generate_series(1, 3)",
    "SELECT '2020-01-01 12:00'::timestamptz",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT s",
    "ROLLBACK TO s",
    "SELECT 1/0",
    "selekt",
    "SELECT * FROM nosuch",
    "SET TimeZone TO 'Asia/Tokyo'",
    "SET LOCAL TimeZone TO 'Asia/Tokyo'",
    "RESET TimeZone",
    "EXECUTE a",
    "DEALLOCATE a",
    "DEALLOCATE ALL",
    "",
    "SHOW TimeZone",
];

const SIMPLE: [&str; 11] = [
    "SELECT 1; SELECT 2",
    "BEGIN; SELECT 1",
    "SELECT 1; SELECT 1/0; SELECT 2",
    "DEALLOCATE a; SELECT 1/0",
    "SELECT 'a'; DEALLOCATE b",
    "SET TimeZone TO 'Asia/Tokyo'; SELECT '2020-01-01 12:00'::timestamptz",
    "COMMIT; SELECT 1",
    "EXECUTE b",
    "PREPARE a AS SELECT 'by SQL'",
    "PREPARE b (int) AS SELECT $1 + 1",
    "SELECT concat(name, ': ', statement, from_sql) FROM pg_prepared_statements WHERE name IN ('a', 'b') ORDER BY name",
];

fn script(seed: u64) -> Vec<Turn> {
    let mut random = Random::of(seed);
    (0..3 + random.below(8)).map(|_turn| turn(&mut random)).collect()
}

fn turn(random: &mut Random) -> Turn {
    let (client, groups) = (random.below(2), 1 + random.below(3) * random.below(2));
    let mut turn = Turn::of(client);
    for _group in 0..groups {
        if random.below(4) == 0 {
            let texts = if random.below(2) == 0 { &TEXTS[..] } else { &SIMPLE[..] };
            let text = random.one(texts).replace("CLIENT", &client.to_string());
            turn.say(&format!("Query {text:?}"), &say::query(&text));
            continue;
        }
        for _message in 0..1 + random.below(6) {
            turn.message(random);
        }
        turn.say("Sync", &say::sync());
    }
    turn
}

impl Turn {
    fn message(&mut self, random: &mut Random) {
        let (name, portal) = (random.one(&STATEMENTS), random.one(&PORTALS));
        match random.below(12) {
            0..=2 => {
                let text = random.one(&TEXTS).replace("CLIENT", &self.client.to_string());
                self.say(&format!("Parse {name} {text:?}"), &say::parse(name, &text, &[]));
                if random.below(2) == 0 {
                    self.bind(random, name, portal);
                }
            }
            3 | 4 => self.bind(random, name, portal),
            5 => self.say(&format!("Describe S {name}"), &say::describe(b'S', name)),
            6 => self.say(&format!("Describe P {portal}"), &say::describe(b'P', portal)),
            7 | 8 => {
                let limit = [0, 0, 1][random.below(3)];
                self.say(&format!("Execute {portal} {limit}"), &say::execute(portal, limit));
            }
            9 => self.say(&format!("Close S {name}"), &say::close(b'S', name)),
            10 => self.say(&format!("Close P {portal}"), &say::close(b'P', portal)),
            _ => self.say("Flush", &say::flush()),
        }
    }

    fn bind(&mut self, random: &mut Random, name: &str, portal: &str) {
        // One value too many or too few is an error that names the statement.
        let values: &[Option<&[u8]>] = if random.below(3) == 0 { &[Some(b"7")] } else { &[] };
        let shown = format!("Bind {portal} {name} {}", values.len());
        self.say(&shown, &say::bind(portal, name, &[], values, &[]));
        self.say(&format!("Execute {portal}"), &say::execute(portal, 0));
    }
}
