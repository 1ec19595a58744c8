//! Random queries, each asked twice with the clock elsewhere in between: what is judged the same at any time must be the same,
//! and what is said to depend on the date must be the same on one day.
//!
//! They are asked of the database itself, on two connections that differ in whatever the key of the cache does not hold. A query
//! is made of its seed alone: `JUMPGATE_READ_SEED=17 JUMPGATE_READS=1`; `./run suites reads` asks 100,000.

mod expressions;

use std::sync::Arc;

use cache::sql::{
    Clock, Verdict,
    mysql::{Classifier, Modes, Verdicts, analyse},
};
use e2e::{
    certificates::Authority,
    mysql::{
        Mysql,
        reply::{Outcome, Reply},
        say::Value,
        stage::Place,
        wire::Wire,
    },
};

use self::expressions::{Case, TABLES, case};
use super::differential::masked;
use crate::{
    corpora::mysql::{connect, read},
    random_scripts::{comparing::number, shape::Random},
};

/// So many are asked where nothing else is said.
const READS: u64 = 600;

/// What the key holds, and both connections have: it is changed now and then.
const SETTINGS: [&str; 8] = [
    "time_zone = '+00:00', sql_mode = DEFAULT",
    "time_zone = '+05:00'",
    "time_zone = '-04:30', lc_time_names = 'de_DE'",
    "sql_mode = '', default_week_format = 3",
    "sql_mode = 'NO_ZERO_DATE,NO_ZERO_IN_DATE'",
    "div_precision_increment = 9",
    "character_set_results = latin1, collation_connection = utf8mb4_bin",
    "character_set_results = utf8mb4, sql_mode = 'ALLOW_INVALID_DATES'",
];

/// Moments on days of their own, in several years; a leap day, and days on which a clock is put back somewhere.
const MOMENTS: [&str; 6] =
    ["946684799.5", "1709208000", "1743296399.25", "1764500000", "1767225600", "1792893600.000001"];

/// What has another value a moment later.
const MOVING: [&str; 1] = ["NOW()"];

async fn what_is_kept_is_the_same_at_another_time(place: Place) {
    let mysql = Mysql::start(place.server, &Authority::new(), &[]).expect("a server");
    let mut one = Wire::connect(&mysql.endpoint()).await;
    for sql in TABLES {
        one.run(sql).await;
    }
    // What the other connection is another by.
    one.run("SET @@rand_seed1 = 5, @@rand_seed2 = 6, @a = 7").await;
    one.run("INSERT INTO counter (name) VALUES ('x')").await;
    let mut other = Wire::connect(&mysql.endpoint()).await;
    let verdicts = Verdicts::new(1 << 24);
    let classifier = read(&mut connect(&mysql.endpoint()).await, &verdicts).await;
    let first = number("JUMPGATE_READ_SEED").unwrap_or(1);
    let count = number("JUMPGATE_READS").unwrap_or(READS);
    let mut found = Found::default();
    for seed in first..first + count {
        if seed % 50 == first % 50 {
            let settings = SETTINGS[usize::try_from(seed / 50).expect("small") % SETTINGS.len()];
            for wire in [&mut one, &mut other] {
                wire.run(&format!("SET {settings}")).await;
            }
        }
        let case = case(seed);
        let moments = match judged(&classifier, &case) {
            Judged::Same => moments(seed),
            // Not far apart: of a TIME of more than a day MySQL 9.7 makes a date by adding the present time of day as well (WEEKDAY
            // and DATE do, CAST does not). What is kept is at most as old as the config allows, whatever it depends on.
            Judged::OnOneDay => ["1764503000".to_owned(), "1764503001.5".to_owned()],
            Judged::No => {
                found.refused += 1;
                continue;
            }
        };
        let replies = [
            asked(&mut one, &case, &moments[0]).await,
            asked(&mut other, &case, &moments[1]).await,
        ];
        found.add(seed, &case, &replies);
        assert!(found.differences.len() < 20, "{}", found.differences.join("\n\n"));
    }
    eprintln!("{}: seeds {first} to {}: {found}", place.server, first + count - 1);
    assert!(found.differences.is_empty(), "{}", found.differences.join("\n\n"));
    assert!(found.same * 4 > count, "few queries show anything: {found}");
}

/// What was found.
#[derive(Default)]
struct Found {
    same: u64,
    errors: u64,
    refused: u64,
    differences: Vec<String>,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { same, errors, refused, differences } = self;
        let differences = differences.len();
        write!(f, "{same} the same, {errors} errors, {refused} not kept, {differences} differences")
    }
}

impl Found {
    fn add(&mut self, seed: u64, case: &Case, [one, other]: &[Reply; 2]) {
        let error = |reply: &Reply| match reply.as_slice() {
            [Outcome::Err(refusal)] => Some(refusal.code),
            [Outcome::Rows(set)] => set.end.as_ref().err().map(|refusal| refusal.code),
            _ => None,
        };
        if error(one).is_some() && error(one) == error(other) {
            self.errors += 1;
        } else if one != other {
            let show = |reply: &Reply| format!("{reply:?}").chars().take(600).collect::<String>();
            let (one, other) = (show(one), show(other));
            self.differences.push(format!("seed {seed}: {case:?}\n  {one}\n  {other}"));
        } else {
            self.same += 1;
        }
    }
}

/// When the reply to a query must be the same.
enum Judged {
    Same,
    OnOneDay,
    No,
}

fn judged(classifier: &Classifier, Case { sql, values }: &Case) -> Judged {
    let analysis = Arc::new(analyse(sql, Modes::default()));
    let judged = classifier.classify(sql, &"app".into(), &analysis);
    let is_date = |value: &Value| matches!(value, Value::Raw(..));
    if judged.minds_dates() && values.iter().any(is_date) {
        return Judged::No;
    }
    match judged.verdict {
        Verdict::Cacheable { .. } => Judged::Same,
        Verdict::Timed { clock: Clock::Date | Clock::UtcDate, .. }
            if !MOVING.iter().any(|moving| sql.contains(moving)) =>
        {
            Judged::OnOneDay
        }
        Verdict::Timed { .. } | Verdict::Refused(_) => Judged::No,
    }
}

/// Two of the moments.
fn moments(seed: u64) -> [String; 2] {
    let mut random = Random::of(seed);
    let first = random.below(MOMENTS.len());
    let second = (first + 1 + random.below(MOMENTS.len() - 1)) % MOMENTS.len();
    [MOMENTS[first].to_owned(), MOMENTS[second].to_owned()]
}

/// What is answered at this moment, with the rows in an order of their own.
async fn asked(wire: &mut Wire, Case { sql, values }: &Case, moment: &str) -> Reply {
    wire.run(&format!("SET timestamp = {moment}")).await;
    let reply = if values.is_empty() && sql.len() % 2 == 0 {
        wire.query(sql).await
    } else {
        match wire.try_prepare(sql).await {
            Ok(prepared) => {
                let reply = wire.execute(prepared.id, values).await;
                wire.close_statement(prepared.id).await;
                reply
            }
            Err(refusal) => vec![Outcome::Err(refusal)],
        }
    };
    let mut reply = masked(reply);
    for outcome in &mut reply {
        if let Outcome::Rows(set) = outcome {
            set.rows.sort();
        }
    }
    reply
}

e2e::mysql_scenarios! {
    jumpgate_both: [what_is_kept_is_the_same_at_another_time],
}
