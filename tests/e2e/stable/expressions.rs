//! Random statements over random types, valid often enough: calls, operators, casts, and names that mislead.

use crate::random_scripts::shape::Random;

/// A function or an operator that a server has.
#[derive(Debug)]
pub(super) struct Callable {
    pub(super) name: String,
    pub(super) takes: Vec<String>,
    pub(super) gives: String,
}

/// What shows the functions and the operators of a server: name, types of the arguments, of the result.
pub(super) const FUNCTIONS: &str = "\
    SELECT p.proname::text, coalesce(string_agg(format_type(a.t, NULL), '|' ORDER BY a.n), ''), format_type(p.prorettype, NULL)
      FROM pg_proc p LEFT JOIN LATERAL unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a(t, n) ON true
     WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND NOT p.proretset AND p.pronargs < 5
       AND p.provolatile <> 'v' AND NOT p.proargtypes::oid[] && ARRAY['internal'::regtype, 'cstring'::regtype]::oid[]
       AND p.prorettype NOT IN ('internal'::regtype, 'cstring'::regtype, 'trigger'::regtype, 'event_trigger'::regtype)
     GROUP BY p.oid ORDER BY p.oid";
pub(super) const OPERATORS: &str = "\
    SELECT o.oprname::text, format_type(o.oprleft, NULL) || '|' || format_type(o.oprright, NULL), format_type(o.oprresult, NULL)
      FROM pg_operator o WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprleft <> 0 AND o.oprcode <> 0 ORDER BY o.oid";

/// Tables whose texts are words of the clock, and whose columns' names are used for other things too.
pub(super) const SCHEMA: &str = "\
    CREATE TYPE mark AS ENUM ('today', 'b');
    CREATE TABLE thing (id int, at timestamptz, plain timestamp, day date, clock time, opens timetz, span interval, word text, code varchar(20),
        label name, number int, small int2, big int8, double float8, exact numeric, amount money, docb jsonb, yes bool, words text[], days date[],
        raw bytea, kind mark, during tstzrange);
    INSERT INTO thing
    SELECT n, t, t AT TIME ZONE 'UTC', t::date, '02:30', '02:30+05', '1 mon 2 days 03:04:05.6', w, w, w, n, n, n * 7, n / 3.0, n * 1.25, '1.5',
           jsonb_build_object('day', w, 'value', w, 'at', t), n > 2, ARRAY[w, 'x'], ARRAY[t::date], w::bytea, 'today', tstzrange(t, NULL)
      FROM (VALUES (1, '2026-03-29 00:30+00'::timestamptz, 'now'), (2, '2026-07-01 12:00:00.5+00', 'today'), (3, '2025-12-31 23:30+00', '2026-02-03'),
                   (4, '1999-10-31 00:30+00', 'yesterday'), (5, NULL, '12:30')) AS v(n, t, w);
    CREATE VIEW renamed AS SELECT id, word AS day, day AS word, at AS value FROM thing;
    CREATE FUNCTION rows_of(int) RETURNS TABLE (day text, at text) IMMUTABLE LANGUAGE sql AS 'SELECT ''today'', ''now''';
    CREATE FUNCTION day(thing) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ''now''';";

/// Values of each type: columns of `thing`, and constants.
const LEAVES: &[(&str, &[&str])] = &[
    (
        "timestamp with time zone",
        &["s.at", "at", "'2026-03-29 01:30+02'::timestamptz", "lower(s.during)"],
    ),
    ("timestamp without time zone", &["s.plain", "plain", "'2026-10-25 02:30'::timestamp"]),
    ("date", &["s.day", "day", "'2026-03-29'::date", "DATE '2024-02-29'"]),
    ("time without time zone", &["s.clock", "'02:30'::time"]),
    ("time with time zone", &["s.opens", "'12:00+02'::timetz", "s.clock::timetz"]),
    ("interval", &["s.span", "'1 day 2 hours'::interval", "interval '3 months'"]),
    (
        "text",
        &[
            "s.word",
            "word",
            "s.code",
            "'hour'",
            "'YYYY-MM-DD'",
            "'Europe/Berlin'",
            "'day'",
            "'2026-01-05'",
            "s.docb->>'day'",
            "s.label::text",
        ],
    ),
    ("name", &["s.label"]),
    ("character varying", &["s.code"]),
    ("integer", &["s.number", "number", "3", "s.id"]),
    ("smallint", &["s.small", "2::int2"]),
    ("bigint", &["s.big", "12::int8"]),
    ("double precision", &["s.double", "0.1::float8", "1.5e0"]),
    ("real", &["s.double::real"]),
    ("numeric", &["s.exact", "2.50"]),
    ("money", &["s.amount", "12::money"]),
    ("jsonb", &["s.docb", "'{\"a\": 1}'::jsonb", "to_jsonb(s.at)"]),
    ("json", &["s.docb::json", "row_to_json(s)"]),
    ("boolean", &["s.yes", "true"]),
    ("text[]", &["s.words", "ARRAY['now', 'a']"]),
    ("anyarray", &["s.words", "s.days"]),
    ("bytea", &["s.raw"]),
    ("tstzrange", &["s.during"]),
    ("tsquery", &["'cats'::tsquery"]),
    ("regclass", &["'thing'::regclass"]),
    ("oid", &["1114::oid"]),
    ("anyelement", &["s.at", "s.word", "s.double"]),
    ("\"any\"", &["s.at", "s.double", "s.span", "s"]),
    ("record", &["s"]),
];

/// Constants without a type.
const LITERALS: [&str; 6] =
    ["'2026-05-05'", "'2026-05-05 10:00'", "'10:00'", "'1 day'", "'3'", "NULL"];

/// Names for columns: those that others have, and those that the server gives by itself.
const NAMES: [&str; 18] = [
    "day",
    "at",
    "plain",
    "word",
    "value",
    "key",
    "number",
    "date",
    "text",
    "timezone",
    "upper",
    "\"case\"",
    "\"coalesce\"",
    "q",
    "thing",
    "timestamptz",
    "label",
    "code",
];

const CASTS: [&str; 14] = [
    "date",
    "timestamptz",
    "timestamp",
    "time",
    "text",
    "varchar",
    "int",
    "int8",
    "float8",
    "numeric",
    "interval",
    "date[]",
    "name",
    "timetz",
];

/// Makes statements.
pub(super) struct Maker<'s> {
    pub(super) random: Random,
    pub(super) functions: &'s [Callable],
    pub(super) operators: &'s [Callable],
}

impl Maker<'_> {
    /// A SELECT of a few expressions, in one of the shapes in which names mean something else.
    pub(super) fn statement(&mut self) -> String {
        let (x, y) = (self.random.one(&NAMES), self.random.one(&NAMES));
        let (a, b) = (self.expression(None, 3), self.expression(None, 2));
        let (cast, other) = (self.random.one(&CASTS), self.random.one(&CASTS));
        match self.random.below(14) {
            0..=3 => format!("SELECT {a}, {b} FROM thing s ORDER BY s.id"),
            4 => format!(
                "SELECT ({x})::{cast}, q.{x} FROM (SELECT {a} AS {x} FROM thing s ORDER BY s.id) q"
            ),
            5 => format!(
                "WITH r({x}, other) AS (SELECT {a}, {b} FROM thing s ORDER BY s.id) SELECT {x}::{cast}, other::{other} FROM r"
            ),
            6 => format!(
                "SELECT {x}::{cast} FROM (SELECT {a} AS {x} FROM thing s UNION ALL SELECT {b} FROM thing s) q"
            ),
            7 => {
                let rows = self.random.one(&[
                    "unnest(ARRAY['now', '2026-01-01'])",
                    "unnest(ARRAY['2026-01-01'::date])",
                    "generate_series('2026-01-01'::date, '2026-01-03', '1 day')",
                    "generate_series(1, 3)",
                    "jsonb_each_text('{\"day\": \"today\"}')",
                    "rows_of(1)",
                    "string_to_table('now,today', ',')",
                    "json_to_record('{\"day\": \"now\"}') WITH ORDINALITY",
                ]);
                match self.random.below(3) {
                    0 => format!("SELECT {x}::{cast} FROM {rows} AS {x}"),
                    1 => format!("SELECT r.{x}::{cast} FROM {rows} AS r({x})"),
                    _ => format!("SELECT {x}::{cast} FROM thing s, {rows} AS r ORDER BY s.id"),
                }
            }
            8 => format!(
                "SELECT {x}::{cast} FROM (SELECT ({a})::{other} FROM thing s ORDER BY s.id) q"
            ),
            9 => format!("SELECT r.{x}::{cast}, {y} FROM renamed r ORDER BY r.id"),
            10 => format!(
                "SELECT s.id, count(*) FROM thing s WHERE ({a}) IS NOT NULL AND {} GROUP BY s.id ORDER BY 1",
                self.expression(Some("boolean"), 2)
            ),
            11 => format!(
                "SELECT {x}::{cast} FROM (SELECT CASE WHEN yes THEN {x} ELSE {x} END FROM thing s ORDER BY s.id) q"
            ),
            12 => format!(
                "SELECT s.{x}::{cast}, age(s.{x}, s.{y}), timezone('UTC', s.{x}) FROM thing AS s(id, {x}, {y})"
            ),
            _ => format!("SELECT max({a}), min({b}), max({x})::{cast} FROM thing s"),
        }
    }

    /// An expression, of this type if that can be had.
    fn expression(&mut self, wanted: Option<&str>, depth: usize) -> String {
        let Some(depth) = depth.checked_sub(1) else { return self.leaf(wanted) };
        match self.random.below(12) {
            0..=3 => self.call(wanted, depth).unwrap_or_else(|| self.leaf(wanted)),
            4 | 5 => self.operation(wanted, depth).unwrap_or_else(|| self.leaf(wanted)),
            6 => {
                let cast = wanted.unwrap_or_else(|| self.random.one(&CASTS));
                let inner = self.expression(None, depth);
                if cast.starts_with("any") || cast.starts_with('"') || cast == "record" {
                    inner
                } else {
                    format!("({inner})::{cast}")
                }
            }
            7 => {
                let inner = self.expression(wanted.filter(|it| it.starts_with("timestamp")), depth);
                format!("(({inner}) AT TIME ZONE 'America/New_York')")
            }
            8 => {
                let (a, b) = (self.expression(wanted, depth), self.expression(wanted, depth));
                match self.random.below(4) {
                    0 => format!("coalesce({a}, {b})"),
                    1 => format!("CASE WHEN s.yes THEN {a} ELSE {b} END"),
                    2 => format!("greatest({a}, {b})"),
                    _ => format!("nullif({a}, {b})"),
                }
            }
            9 => {
                let (name, inner) = (self.random.one(&NAMES), self.expression(wanted, depth));
                format!("(SELECT {inner} AS {name})")
            }
            _ => self.leaf(wanted),
        }
    }

    fn leaf(&mut self, wanted: Option<&str>) -> String {
        let known = LEAVES.iter().find(|(of_type, _)| Some(*of_type) == wanted);
        if wanted.is_some() && self.random.below(8) == 0 {
            return self.random.one(&LITERALS).to_owned();
        }
        let (_, leaves) = known.unwrap_or_else(|| &LEAVES[self.random.below(LEAVES.len())]);
        self.random.one(leaves).to_owned()
    }

    fn call(&mut self, wanted: Option<&str>, depth: usize) -> Option<String> {
        let function = self.callable(self.functions, wanted)?;
        let takes = function.takes.iter();
        let arguments: Vec<String> = takes.map(|it| self.expression(Some(it), depth)).collect();
        Some(format!("\"{}\"({})", function.name, arguments.join(", ")))
    }

    fn operation(&mut self, wanted: Option<&str>, depth: usize) -> Option<String> {
        let operator = self.callable(self.operators, wanted)?;
        let left = self.expression(operator.takes.first().map(String::as_str), depth);
        let right = self.expression(operator.takes.get(1).map(String::as_str), depth);
        Some(format!("(({left}) {} ({right}))", operator.name))
    }

    /// One that gives this type, more often than not about dates and times.
    fn callable<'c>(&mut self, all: &'c [Callable], wanted: Option<&str>) -> Option<&'c Callable> {
        let fits = |it: &&Callable| wanted.is_none_or(|wanted| it.gives == wanted);
        let is_of_time = |it: &&Callable| {
            it.takes.iter().chain([&it.gives]).any(|it| it.contains("time") || it == "date")
        };
        let is_known = |it: &&Callable| {
            it.takes.iter().all(|taken| LEAVES.iter().any(|(of_type, _)| of_type == taken))
        };
        let only_time = self.random.below(3) > 0;
        let candidates: Vec<&Callable> = all
            .iter()
            .filter(fits)
            .filter(is_known)
            .filter(|it| !only_time || is_of_time(it))
            .collect();
        (!candidates.is_empty()).then(|| candidates[self.random.below(candidates.len())])
    }
}
