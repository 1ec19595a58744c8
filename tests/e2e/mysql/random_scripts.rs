//! Random transactions of two clients that share two backends: what either client sees is what it sees of the database
//! itself, and what is in the database afterwards is the same. How scripts are made and compared says `random_scripts`.
//!
//! One client is of the old framing and the other of the new one; texts, prepared statements and commands are mixed.

use std::{fmt, panic::AssertUnwindSafe};

use bytes::Bytes;
use e2e::{
    jumpgate::Setup,
    mysql::{
        Server,
        flags::{capability, command, status},
        login::Options,
        reply::{Outcome, Refusal, Reply, Rows, error},
        say,
        stage::{Place, Stage},
        wire::Wire,
    },
    wire::Endpoint,
};
use futures_util::FutureExt;

use super::{
    corpus::Step,
    differential::{Seen as Told, masked, perform},
};
use crate::random_scripts::{
    comparing::{self, Seen, World},
    shape::{Dialect, Random},
};

/// So many are run where nothing else is said: some ten seconds.
const SCRIPTS: u64 = 60;

/// What both may ask for.
const CAPABILITIES: [u32; 2] = [
    capability::MULTI_STATEMENTS,
    capability::MULTI_STATEMENTS
        | capability::DEPRECATE_EOF
        | capability::SESSION_TRACK
        | capability::QUERY_ATTRIBUTES,
];

/// Run before each script, through who is to be seen.
const FILL: [&str; 8] = [
    "DELETE FROM script",
    "INSERT INTO script VALUES (0, 0), (1, 0)",
    "DELETE FROM shape_0",
    "DELETE FROM shape_1",
    "INSERT INTO shape_0 VALUES (1)",
    "INSERT INTO shape_1 VALUES (1)",
    "DELETE FROM plain_0",
    "DELETE FROM plain_1",
];

/// Run before that where tables were made, or numbers were given, which costs MySQL a good part of a second. `PLAIN` is an
/// engine without transactions.
const MAKE: [&str; 8] = [
    "DROP TABLE IF EXISTS shape_0, shape_1, made_0, made_1, counted_0, counted_1, plain_0, plain_1",
    "DROP TABLE IF EXISTS other.made_0, other.made_1",
    "CREATE TABLE shape_0 (a int)",
    "CREATE TABLE shape_1 (a int)",
    "CREATE TABLE counted_0 (id int AUTO_INCREMENT PRIMARY KEY, a int)",
    "CREATE TABLE counted_1 LIKE counted_0",
    "CREATE TABLE plain_0 (a int) ENGINE = PLAIN",
    "CREATE TABLE plain_1 LIKE plain_0",
];

/// What a script has left.
const LEFT: [&str; 3] = [
    "SELECT client, v FROM script ORDER BY client",
    "SELECT table_schema, table_name, column_name FROM information_schema.columns \
     WHERE table_name IN ('made_0', 'made_1', 'shape_0', 'shape_1') ORDER BY 1, 2, 3",
    "SELECT (SELECT count(*) FROM counted_0), (SELECT count(*) FROM counted_1), \
     (SELECT count(*) FROM plain_0), (SELECT count(*) FROM plain_1), (SELECT count(*) FROM shape_0)",
];

const DIALECT: Dialect = Dialect {
    begins: &[
        "BEGIN",
        "BEGIN",
        "begin;",
        "BEGIN WORK",
        "START TRANSACTION",
        "START TRANSACTION READ ONLY",
        "START TRANSACTION READ WRITE",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT",
        "START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT",
        "START TRANSACTION NOW",
        "SET autocommit = 0",
        "BEGIN; SELECT 1",
    ],
    reads: &[
        "SELECT v FROM app.script WHERE client = CLIENT",
        "SELECT v FROM app.script WHERE client = CLIENT",
        "SELECT v FROM script WHERE client = CLIENT",
        "SELECT count(*) FROM app.item",
        "SELECT * FROM shape_CLIENT",
        "SELECT 1",
        "SELECT v FROM app.script WHERE client = CLIENT FOR UPDATE",
        "SELECT v FROM app.script WHERE client = CLIENT LOCK IN SHARE MODE",
        "SELECT count(*) FROM app.plain_CLIENT",
        "SELECT name FROM thing",
        "SELECT 1; SELECT v FROM app.script WHERE client = CLIENT",
    ],
    asks: &[
        "SELECT DATABASE()",
        "SELECT @@autocommit",
        "SELECT @@time_zone, @@sql_mode",
        "SELECT @@transaction_isolation, @@transaction_read_only",
        "SELECT @@tx_isolation",
        "SELECT @x = 7",
        "SELECT ROW_COUNT()",
        "SELECT LAST_INSERT_ID()",
        "SELECT CAST('abc' AS signed)",
        "SHOW WARNINGS",
        "SHOW VARIABLES LIKE 'autocommit'",
    ],
    writes: &[
        "UPDATE app.script SET v = v + 1 WHERE client = CLIENT",
        "UPDATE app.script SET v = v + 1 WHERE client = CLIENT",
        "UPDATE app.script SET v = v WHERE client = CLIENT",
        "INSERT INTO shape_CLIENT (a) VALUES (2)",
        "INSERT INTO app.counted_CLIENT (a) VALUES (2), (3)",
        "INSERT INTO app.plain_CLIENT VALUES (2)",
        "DO GET_LOCK('CLIENT', 5)",
        "DO RELEASE_LOCK('CLIENT')",
        "CALL bump(CLIENT)",
        "CREATE TABLE made_CLIENT (a int)",
        "CREATE TEMPORARY TABLE passing (a int)",
        "ALTER TABLE shape_CLIENT ADD COLUMN b int",
        "UPDATE app.script SET v = v + 1 WHERE client = CLIENT; SELECT 2",
    ],
    sets: &[
        "SET time_zone = '+05:00'",
        "SET time_zone = 'nowhere'",
        "SET NAMES utf8mb4",
        "SET NAMES latin1",
        "SET autocommit = 1",
        "SET autocommit = 0",
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SET SESSION TRANSACTION READ ONLY",
        "SET SESSION TRANSACTION READ WRITE",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SET TRANSACTION READ ONLY",
        "SET completion_type = 1",
        "SET sql_mode = 'ANSI'",
        "SET sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')",
        "SET @x = 7",
        "SET @x = NULL",
        "USE other",
        "USE app",
        "USE nowhere",
    ],
    points: &[
        "SAVEPOINT s",
        "SAVEPOINT s",
        "ROLLBACK TO s",
        "ROLLBACK TO SAVEPOINT s",
        "RELEASE SAVEPOINT s",
    ],
    errors: &[
        "SELECT * FROM nosuch",
        "selekt",
        "INSERT INTO app.script VALUES (CLIENT, 0)",
        "UPDATE app.script SET w = 1",
        "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'own'",
    ],
    ends: &[
        "COMMIT",
        "COMMIT",
        "commit;",
        "COMMIT WORK",
        "ROLLBACK",
        "ROLLBACK",
        "ROLLBACK WORK",
        "COMMIT AND CHAIN",
        "ROLLBACK AND CHAIN",
        "COMMIT AND NO CHAIN NO RELEASE",
        "SET autocommit = 1",
        "COMMIT; SELECT 1",
    ],
};

/// What a client does, and waits for.
#[derive(Clone)]
struct Turn {
    client: usize,
    act: Act,
}

#[derive(Clone)]
enum Act {
    Say(Step),
    /// Prepares what is run later.
    Keep(String),
    /// Runs it.
    Run,
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}: ", self.client)?;
        match &self.act {
            Act::Say(Step::Query(sql)) => write!(f, "{sql}"),
            Act::Say(Step::Binary(sql, _)) => write!(f, "[prepare, execute, close] {sql}"),
            Act::Say(Step::Command(payload)) => write!(f, "[command {}]", payload.escape_ascii()),
            Act::Say(step) => write!(f, "{step:?}"),
            Act::Keep(sql) => write!(f, "[prepare] {sql}"),
            Act::Run => write!(f, "[execute]"),
        }
    }
}

fn script(seed: u64) -> Vec<Turn> {
    let mut random = Random::of(seed);
    let mut turns = Vec::new();
    for (client, text) in DIALECT.transactions(&mut random) {
        let mut act = |act| turns.push(Turn { client, act });
        match random.below(24) {
            0 => act(Act::Say(Step::Command(vec![command::PING]))),
            1 => act(Act::Say(Step::Command(vec![command::RESET_CONNECTION]))),
            2 => act(Act::Say(Step::Command(say::init_db(
                random.one(&["app", "app", "other", "nowhere"]),
            )))),
            3 | 4 => act(Act::Run),
            _ => {}
        }
        match random.below(6) {
            0..=3 => act(Act::Say(Step::Query(text))),
            4 => act(Act::Say(Step::Binary(text, vec![Vec::new(); 1 + random.below(2)]))),
            _ => {
                act(Act::Keep(text));
                act(Act::Run);
            }
        }
    }
    turns
}

/// A client with the statement that it has prepared.
struct Client {
    wire: Wire,
    kept: Option<u32>,
}

impl Client {
    async fn does(&mut self, act: &Act) -> Told {
        match act {
            Act::Say(step) => perform(&mut self.wire, step).await,
            Act::Keep(sql) => {
                if let Some(id) = self.kept.take() {
                    self.wire.close_statement(id).await;
                }
                match self.wire.try_prepare(sql).await {
                    Ok(prepared) => {
                        self.kept = Some(prepared.id);
                        Told::prepared(prepared, Vec::new())
                    }
                    Err(refusal) => Told::Refused(refusal),
                }
            }
            Act::Run => match self.kept {
                Some(id) => Told::Reply(without_number(self.wire.execute(id, &[]).await)),
                None => Told::Reply(Vec::new()),
            },
        }
    }
}

/// The numbers of MariaDB's statements go on from one connection to the next.
fn without_number(mut reply: Reply) -> Reply {
    if let [Outcome::Err(refusal)] = reply.as_mut_slice()
        && refusal.code == 1243
    {
        refusal.message.retain(|c| !c.is_ascii_digit());
    }
    masked(reply)
}

/// What both clients see, up to where a connection has ended.
async fn play(endpoint: &Endpoint, turns: &[Turn]) -> Vec<Result<Told, String>> {
    let mut clients = Vec::new();
    for capabilities in CAPABILITIES {
        let mut wire = Wire::connect_with(endpoint, &Options::with(capabilities)).await;
        // What MariaDB tells of FOUND_ROWS() at first is another connection's.
        wire.run("SELECT 1").await;
        clients.push(Client { wire, kept: None });
    }
    let mut seen = Vec::new();
    for Turn { client, act } in turns {
        let told = AssertUnwindSafe(clients[*client].does(act)).catch_unwind().await;
        let ended = told.is_err();
        seen.push(told.map_err(|_panic| String::from("it says nothing that is understood")));
        if ended {
            return seen;
        }
    }
    for client in clients {
        client.wire.close().await;
    }
    seen
}

/// Whether one client has waited for the other.
fn has_waited(told: &Told) -> bool {
    let replies = match told {
        Told::Reply(reply) => std::slice::from_ref(reply),
        Told::Prepared { replies, .. } => replies,
        _ => return false,
    };
    let is_lock = |refusal: &Refusal| matches!(refusal.code, 1205 | 1213);
    replies.iter().flatten().any(|outcome| match outcome {
        Outcome::Err(refusal) | Outcome::Rows(Rows { end: Err(refusal), .. }) => is_lock(refusal),
        _ => false,
    })
}

/// The database, and who sees it directly and through Jumpgate.
struct MySql {
    server: Server,
    stage: Stage,
    direct: Wire,
    through: Wire,
    /// The last script.
    last: String,
    /// Whether it has left the tables as they were made.
    is_made: bool,
}

impl MySql {
    async fn open(place: Place, round_trips: &str) -> Self {
        let round_trips = round_trips.to_owned();
        let mysql = vec!["--innodb-lock-wait-timeout=1", "--lock-wait-timeout=1"];
        let stage = Stage::with(place, Setup { round_trips, mysql, ..Setup::pool_of(2) }).await;
        let (mut direct, mut through) = (stage.direct().await, stage.client().await);
        direct.run("CREATE TABLE script (client int PRIMARY KEY, v int)").await;
        direct
            .run("CREATE PROCEDURE bump(n int) UPDATE app.script SET v = v + 1 WHERE client = n")
            .await;
        // Who has left may hold a lock for a moment.
        for wire in [&mut direct, &mut through] {
            wire.run("SET lock_wait_timeout = 30, innodb_lock_wait_timeout = 30").await;
        }
        Self { server: place.server, stage, direct, through, last: String::new(), is_made: false }
    }

    /// Has everything be as before the first script, directly or through Jumpgate.
    async fn fill(&mut self, is_through: bool) {
        // What of MySQL's was written warns the next statement of the same connection, whose ever it is.
        let plain = if self.server == Server::MariaDb { "MyISAM" } else { "InnoDB" };
        let make = if self.is_made { &[][..] } else { &MAKE };
        let client = if is_through { &mut self.through } else { &mut self.direct };
        for sql in make.iter().chain(&FILL) {
            let reply = client.query(&sql.replace("PLAIN", plain)).await;
            assert_eq!(error(&reply), "", "{sql}, where before that was said:\n{}", self.last);
        }
    }

    async fn left(&mut self) -> Result<Told, String> {
        let mut left = Vec::new();
        for sql in LEFT {
            left.extend(masked(self.direct.run(sql).await));
        }
        Ok(Told::Reply(left))
    }
}

impl World for MySql {
    type Turn = Turn;
    type Told = Result<Told, String>;

    fn script(&self, seed: u64) -> Vec<Turn> {
        script(seed)
    }

    /// Nothing is seen where one client waits for the other.
    async fn seen(&mut self, turns: &[Turn]) -> Option<Seen<Self::Told>> {
        let said = turns.iter().map(Turn::to_string).collect::<Vec<_>>().join("\n");
        let makes = said.contains("TABLE") || said.contains("counted");
        self.fill(false).await;
        self.is_made = !makes;
        let mut database = play(&self.stage.mysql.endpoint(), turns).await;
        if database.iter().flatten().any(has_waited) {
            return None;
        }
        database.push(self.left().await);
        self.fill(true).await;
        self.last = said;
        let mut jumpgate = play(&self.stage.endpoint(), turns).await;
        jumpgate.push(self.left().await);
        Some(Seen { database, jumpgate })
    }

    fn smaller(turns: &[Turn]) -> Vec<Vec<Turn>> {
        let without = |at: usize| [&turns[..at], &turns[at + 1..]].concat();
        (0..turns.len()).rev().map(without).collect()
    }

    /// MySQL tells with the next OK that an error has ended the transaction (docs/DIFFERENCES.md).
    fn is_known(seen: &Seen<Self::Told>) -> bool {
        let said = |told: &Self::Told| match told {
            Ok(Told::Reply(reply)) => match reply.as_slice() {
                [Outcome::Ok(done)] => Some(done.clone()),
                _ => None,
            },
            _ => None,
        };
        let Some(at) = seen.difference() else { return false };
        let jumpgate = seen.jumpgate.get(at).and_then(said);
        let Some((mut database, jumpgate)) = said(&seen.database[at]).zip(jumpgate) else {
            return false;
        };
        let is_told = database.changes == "(5, [\"________\"])";
        database.changes = Bytes::new();
        database.status &= !status::STATE_CHANGED;
        is_told && database == jumpgate
    }
}

async fn random_transactions_show_what_the_database_shows(place: Place) {
    comparing::compare(&mut MySql::open(place, "").await, SCRIPTS, 1).await;
}

async fn random_transactions_show_the_same_whatever_is_waited_for(place: Place) {
    for round_trips in comparing::switched_off() {
        comparing::compare(&mut MySql::open(place, &round_trips).await, SCRIPTS, 6).await;
    }
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        random_transactions_show_what_the_database_shows,
        random_transactions_show_the_same_whatever_is_waited_for,
    ],
}
