//! Random queries over columns of every type that a date or a time can be or become.

use e2e::mysql::{flags::kind, say::Value};

use crate::random_scripts::shape::Random;

/// A query, and the values of its parameters.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

/// The query of a seed.
pub(super) fn case(seed: u64) -> Case {
    let mut maker = Maker { random: Random::of(seed), values: Vec::new(), columns: &COLUMNS };
    let sql = maker.query();
    Case { sql, values: maker.values }
}

struct Maker {
    random: Random,
    values: Vec<Value>,
    /// What may stand where a column may.
    columns: &'static [&'static str],
}

impl Maker {
    fn one(&mut self, of: &[&'static str]) -> &'static str {
        self.random.one(of)
    }

    /// A query of one of several forms. What its rows are does not depend on their order.
    fn query(&mut self) -> String {
        match self.random.below(14) {
            0..=5 => format!("SELECT {} FROM t", self.any(3)),
            6 => format!("SELECT {} AS ti FROM t HAVING {} OR 1", self.any(2), self.any(2)),
            7 => format!("SELECT id FROM t WHERE {}", self.any(3)),
            8 => {
                let inner = self.any(2);
                self.columns = &RENAMED;
                format!("SELECT {} FROM (SELECT id, dt, {inner} AS a FROM t) x", self.any(2))
            }
            9 => {
                let (one, other) = (self.any(2), self.any(2));
                let inner =
                    format!("SELECT {one}, dt FROM t UNION ALL SELECT {other}, NULL FROM t");
                self.columns = &RENAMED;
                format!("WITH x (a, dt) AS ({inner}) SELECT {} FROM x", self.any(2))
            }
            10 => format!("SELECT {} FROM t UNION SELECT {} FROM t", self.any(2), self.any(2)),
            // In the other table the names hold what others do in the first.
            11 => format!("SELECT {} FROM other_way", self.any(3)),
            12 => format!("SELECT {} FROM v", self.any(2)),
            _ => {
                let condition = self.any(2);
                self.columns = &QUALIFIED;
                format!(
                    "SELECT {} FROM t JOIN other_way o ON t.id = o.id WHERE t.id OR (SELECT 1 FROM v WHERE {condition} LIMIT 1)",
                    self.any(2)
                )
            }
        }
    }

    fn any(&mut self, depth: usize) -> String {
        if depth == 0 || self.random.below(9) == 0 {
            return self.leaf();
        }
        let (one, other) = (self.any(depth - 1), self.any(depth - 1));
        match self.random.below(14) {
            0 | 1 => format!("{}({one})", self.one(&UNARY)),
            2 | 3 => format!("{}({one}, {other})", self.one(&BINARY)),
            4 => {
                let name = self.one(&["IF", "COALESCE", "FIELD", "GREATEST", "LEAST", "ELT"]);
                format!("{name}({one}, {other}, {})", self.any(depth - 1))
            }
            5 | 6 => format!("({one} {} {other})", self.one(&OPERATORS)),
            7 => format!("CAST({one} AS {})", self.one(&TYPES)),
            8 => match self.random.below(4) {
                0 => format!("EXTRACT({} FROM {one})", self.one(&UNITS)),
                1 => format!("TIMESTAMPADD({}, 1, {one})", self.one(&UNITS[..8])),
                2 => format!("TIMESTAMPDIFF({}, {one}, {other})", self.one(&UNITS[..8])),
                _ => {
                    let name = self.one(&["DATE_ADD", "DATE_SUB", "ADDDATE", "SUBDATE"]);
                    format!("{name}({one}, INTERVAL '1:1' {})", self.one(&UNITS))
                }
            },
            9 => format!("({one} {} INTERVAL 25 {})", self.one(&["+", "-"]), self.one(&UNITS[..8])),
            10 => match self.random.below(4) {
                0 => format!("({one} BETWEEN {other} AND {})", self.any(depth - 1)),
                1 => format!("({one} IN ({other}, {}))", self.any(depth - 1)),
                2 => format!("({one} IN (SELECT {} FROM t))", self.leaf()),
                _ => format!("({one} >= ALL (SELECT {} FROM t))", self.leaf()),
            },
            11 => {
                let last = self.any(depth - 1);
                format!("CASE {one} WHEN {other} THEN {last} ELSE {} END", self.leaf())
            }
            12 => match self.random.below(4) {
                0 => format!("CASE WHEN {one} THEN {other} ELSE {} END", self.leaf()),
                1 => {
                    let name = self.one(&[
                        "MAX",
                        "MIN",
                        "SUM",
                        "AVG",
                        "GROUP_CONCAT",
                        "JSON_ARRAYAGG",
                        "BIT_OR",
                    ]);
                    format!("(SELECT {name}({}) FROM t WHERE id = 1)", self.leaf())
                }
                2 => format!("LAG({one}, 1, {other}) OVER (ORDER BY id)"),
                _ => format!("STR_TO_DATE({one}, '{}')", self.one(&FORMATS)),
            },
            _ => match self.random.below(4) {
                0 => format!(
                    "{}({one}, '{}')",
                    self.one(&["DATE_FORMAT", "TIME_FORMAT"]),
                    self.one(&FORMATS)
                ),
                1 => format!("CONVERT_TZ({one}, '+00:00', '+05:00')"),
                2 => format!("MAKETIME({one}, 1, 2)"),
                _ => format!("(({one}, 1) = ({other}, 1))"),
            },
        }
    }

    fn leaf(&mut self) -> String {
        match self.random.below(20) {
            0..=11 => self.one(self.columns).to_owned(),
            12 => self.one(&["CURDATE()", "CURRENT_DATE", "UTC_DATE", "NOW()"]).to_owned(),
            13 => {
                let value = self.value();
                self.values.push(value);
                "?".to_owned()
            }
            _ => self.one(&CONSTANTS).to_owned(),
        }
    }

    fn value(&mut self) -> Value {
        match self.random.below(7) {
            0 => Value::Null,
            1 => Value::Int(101_010),
            2 => Value::Double(20_251_231.5),
            3 => Value::from("10:00:00"),
            4 => Value::from("2025-12-31 10:00:00"),
            5 => Value::Raw(kind::DATE, vec![4, 0xe9, 7, 12, 31]),
            _ => Value::Raw(kind::DATETIME, vec![7, 0xe9, 7, 11, 30, 10, 0, 0]),
        }
    }
}

/// What the queries read.
pub(super) const TABLES: [&str; 7] = [
    "CREATE TABLE t (id int PRIMARY KEY, ti time, ti6 time(6), da date, dt datetime, dt6 datetime(6), ts timestamp NULL, \
     y year, v varchar(30), n decimal(20, 6), i int, d double, j json)",
    "INSERT INTO t VALUES (1, '10:00:00', '10:00:00.5', '2025-11-30', '2025-11-30 10:00:00', '2025-11-30 10:00:00.5', \
     '2025-11-30 10:00:00', 2025, '10:00:00', 100000.5, 100000, 100000, '\"10:00:00\"')",
    "INSERT INTO t VALUES (2, '-25:00:01', '-838:59:59', '2025-12-29', '2025-12-29 10:00:00', '2026-03-29 02:30:00.25', \
     '2026-07-29 10:00:00', 1999, '2025-12-29 10:00:00', 20251229100000, 20251229, 20251229100000, '[]')",
    "INSERT INTO t VALUES (3, '33:10:11', NULL, '2026-01-01', '2025-12-31 23:59:59', NULL, NULL, 0, '-34:00:00', -1, 235959, \
     1.5, '{}')",
    "CREATE TABLE other_way (id int PRIMARY KEY, ti datetime, ti6 varchar(30), da time, dt time(3), dt6 int, ts date, y time, \
     v time, n datetime, i date, d timestamp NULL, j time)",
    "INSERT IGNORE INTO other_way SELECT id, dt, v, ti, ti6, i, da, ti, ti, dt, da, ts, ti FROM t",
    "CREATE VIEW v AS SELECT id, dt AS ti, v AS ti6, ti AS da, ti6 AS dt, i AS dt6, da AS ts, addtime(ti, '1:00') AS y, \
     timediff(dt, dt6) AS v, ts AS n, date(dt) AS i, dt + interval 1 hour AS d, ti AS j FROM t",
];

#[rustfmt::skip]
const COLUMNS: [&str; 18] = [
    "ti", "ti", "ti", "ti6", "ti6", "da", "da", "dt", "dt", "dt6", "ts", "y", "v", "n", "i", "d",
    "j", "j->'$'",
];
const RENAMED: [&str; 3] = ["a", "a", "dt"];
const QUALIFIED: [&str; 10] =
    ["t.ti", "t.dt", "o.ti", "o.dt", "o.da", "t.da", "o.v", "t.v", "o.n", "t.j"];

#[rustfmt::skip]
const CONSTANTS: [&str; 14] = [
    "NULL", "0", "1.5", "100000", "20251130101112", "'10:00:00'", "'-30:00:00.5'", "'2025-11-30'",
    "'2025-12-31 23:59:59'", "'x'", "TIME '10:00:00'", "DATE '2025-11-30'",
    "TIMESTAMP '2025-11-30 10:00:00'", "SEC_TO_TIME(40000)",
];

#[rustfmt::skip]
const UNARY: [&str; 46] = [
    "DATE", "TIME", "TIMESTAMP", "YEAR", "MONTH", "MONTHNAME", "DAY", "DAYNAME", "DAYOFWEEK",
    "DAYOFYEAR", "QUARTER", "WEEK", "WEEKDAY", "WEEKOFYEAR", "YEARWEEK", "LAST_DAY", "TO_DAYS",
    "TO_SECONDS", "UNIX_TIMESTAMP", "HOUR", "MINUTE", "SECOND", "MICROSECOND", "TIME_TO_SEC",
    "SEC_TO_TIME", "FROM_DAYS", "FROM_UNIXTIME", "ABS", "ROUND", "HEX", "LENGTH", "QUOTE",
    "ISNULL", "JSON_ARRAY", "JSON_QUOTE", "CRC32", "FLOOR", "SIGN", "NOT", "ANY_VALUE",
    "CHAR_LENGTH", "UPPER", "JSON_UNQUOTE", "-", "CEILING", "+",
];

#[rustfmt::skip]
const BINARY: [&str; 24] = [
    "TIMEDIFF", "ADDTIME", "SUBTIME", "DATEDIFF", "TIMESTAMP", "COALESCE", "IFNULL", "NULLIF",
    "LEAST", "GREATEST", "CONCAT", "STRCMP", "ADDDATE", "SUBDATE", "FIELD", "ELT", "MAKEDATE",
    "DATE_FORMAT", "TIME_FORMAT", "STR_TO_DATE", "WEEK", "INTERVAL", "ROUND", "TRUNCATE",
];

#[rustfmt::skip]
const OPERATORS: [&str; 16] = [
    "=", "<>", "<", ">=", "<=>", "+", "-", "*", "AND", "OR", "XOR", "LIKE", "|", "MOD",
    "IS NOT NULL =", "REGEXP",
];

#[rustfmt::skip]
const TYPES: [&str; 11] = [
    "DATE", "DATETIME", "DATETIME(6)", "TIME", "TIME(3)", "CHAR", "SIGNED", "DECIMAL(20, 6)",
    "DOUBLE", "BINARY", "JSON",
];

/// Single ones first.
#[rustfmt::skip]
const UNITS: [&str; 14] = [
    "MICROSECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "YEAR", "HOUR_MINUTE",
    "MINUTE_SECOND", "SECOND_MICROSECOND", "DAY_HOUR", "DAY_SECOND", "YEAR_MONTH",
];

#[rustfmt::skip]
const FORMATS: [&str; 9] = [
    "%H:%i", "%H:%i:%s", "%T", "%Y-%m-%d", "%Y-%m-%d %H:%i:%s", "%d %H", "%f", "%W %M %Y", "x",
];
