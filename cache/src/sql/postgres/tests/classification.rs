//! What may be cached, and the reason where it may not.

use std::sync::Arc;

use super::super::{Classifier, Verdicts};
use super::*;
use crate::sql::{Clock, TableName};

#[track_caller]
fn cacheable(sql: &str, catalog: &Catalog, expect: &[&str]) {
    match classify(&analyse(sql), catalog) {
        Verdict::Cacheable { tables } => {
            let tables: Vec<String> = tables.iter().map(TableName::to_string).collect();
            assert_eq!(tables, expect, "{sql}");
        }
        Verdict::Timed { reason, .. } | Verdict::Refused(reason) => panic!("{sql}: {reason}"),
    }
}

#[test]
fn reads_with_immutable_functions_are_cacheable() {
    let catalog = catalog();
    for (sql, tables) in [
        ("SELECT 1", &[][..]),
        ("VALUES (1, 'a'), (2, 'b')", &[]),
        ("TABLE only_plain", &["only_plain"]),
        ("SELECT id FROM public.only_plain WHERE id = $1", &["public.only_plain"]),
        ("SELECT count(*), sum(score), avg(score), max(name) FROM users", &["users"]),
        ("SELECT lower(name), coalesce(name, ''), length(name) FROM users", &["users"]),
        ("SELECT * FROM generate_series(1, 10) AS n", &[]),
        ("SELECT created_at + interval '1 day' FROM users WHERE created_at > $1", &["users"]),
        ("SELECT day::date FROM measurement", &["measurement", "measurement_2024"]),
        ("SELECT * FROM measurement_2024", &["measurement", "measurement_2024"]),
        ("SELECT id FROM users WHERE created_at < '2024-01-01'::timestamptz", &["users"]),
        ("SELECT total FROM orders WHERE day BETWEEN '2024-01-01' AND $1", &["orders", "users"]),
        ("SELECT n.id FROM notes n JOIN only_plain USING (id)", &["notes", "only_plain"]),
        ("SELECT id, name FROM users WHERE name ILIKE 'a%' AND id IN (1, 2)", &["users"]),
        (
            "SELECT DISTINCT name FROM users GROUP BY GROUPING SETS ((name), ()) ORDER BY 1",
            &["users"],
        ),
        ("SELECT data->>'a' FROM users WHERE data @> '{}'::jsonb LIMIT 3", &["users"]),
        ("SELECT row_number() OVER (PARTITION BY name ORDER BY id) FROM users", &["users"]),
        ("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY score) FROM users", &["users"]),
        ("SELECT id FROM only_plain UNION ALL SELECT id FROM users", &["only_plain", "users"]),
        ("WITH u AS (SELECT id FROM users) SELECT * FROM u", &["users"]),
        ("WITH RECURSIVE n AS (SELECT 1 AS i UNION SELECT i + 1 FROM n) SELECT i FROM n", &[]),
        ("SELECT user_id, sum FROM totals", &["totals"]),
        ("SELECT * FROM best_orders", &["best_orders", "orders", "user_orders", "users"]),
        ("SELECT twice(id) FROM only_plain WHERE id ==== 3", &["only_plain"]),
        ("SELECT 'sad'::mood", &[]),
        ("SELECT steady_agg(id) FROM only_plain", &["only_plain"]),
        ("SELECT EXISTS (SELECT 1 FROM users WHERE id = ANY ($1))", &["users"]),
        ("SELECT CASE id WHEN 1 THEN 'a' ELSE 'b' END FROM only_plain", &["only_plain"]),
        ("SELECT '{1,2}'::int[], ARRAY[1, 2], (ARRAY[1, 2])[1]", &[]),
    ] {
        cacheable(sql, &catalog, tables);
    }
}

#[test]
fn what_depends_on_settings_and_the_user_is_cacheable() {
    let catalog = catalog();
    for (sql, tables) in [
        (
            "SELECT to_char(created_at, 'YYYY'), date_trunc('day', created_at) FROM users",
            &["users"][..],
        ),
        (
            "SELECT extract(year FROM created_at) FROM users GROUP BY date_part('month', created_at)",
            &["users"],
        ),
        (
            "SELECT concat(name, id), concat_ws(' ', name, 'x'), format('%s', name) FROM users",
            &["users"],
        ),
        (
            "SELECT json_agg(u), json_build_object('a', u.name), row_to_json(u), to_jsonb(u) FROM users u",
            &["users"],
        ),
        ("SELECT array_to_string(array_agg(name), ', ') FROM users", &["users"]),
        (
            "SELECT (created_at AT TIME ZONE 'UTC')::date, date_trunc('day', created_at)::date FROM users",
            &["users"],
        ),
        ("SELECT d::date FROM generate_series($1::date, $2::date, '1 day') AS d", &[]),
        (
            "SELECT d.day::date FROM generate_series('2026-01-01'::date, $2::date, '1 day') AS d(day)",
            &[],
        ),
        (
            "SELECT q.at::date FROM (SELECT coalesce(max(day), '2026-01-01') AS at FROM measurement) q",
            &["measurement", "measurement_2024"],
        ),
        ("SELECT age(created_at, created_at) FROM users WHERE id % 2 = 0", &["users"]),
        ("SELECT max(opens), opens FROM opening GROUP BY opens", &["opening"]),
        ("SELECT id FROM users WHERE name % 'x' AND id % 2 = 0", &["users"]),
        ("SELECT $1::regconfig", &["pg_catalog.*"]),
        ("SELECT id FROM users WHERE to_tsvector(name) @@ websearch_to_tsquery($1)", &["users"]),
        ("SELECT * FROM json_to_recordset('[]') AS t(a int, b text)", &[]),
        ("SELECT * FROM generate_series($1::timestamptz, $2::timestamptz, '1 day')", &[]),
        ("SELECT current_user, SESSION_USER, current_catalog, user", &[]),
        (
            "SELECT u.concat, u.json_agg, u.system FROM (SELECT id AS concat, id AS json_agg, id AS system FROM users) AS u",
            &["users"],
        ),
        ("SELECT current_setting('app.tenant', true), current_setting('TimeZone')", &[]),
        ("SELECT 'a'::citext, 'a@b'::email, 1::posint", &[]),
        ("SELECT * FROM secrets", &["secrets"]),
        ("SELECT * FROM secret_view", &["secret_view", "secrets"]),
        ("SELECT * FROM of_tenants", &["of_tenants", "users"]),
        ("SELECT * FROM of_users", &["of_users"]),
    ] {
        cacheable(sql, &catalog, tables);
    }
}

/// What a reply takes of the clock, where that is all that is wrong with it.
#[test]
fn what_depends_on_the_clock_is_told_from_what_does_otherwise() {
    let catalog = catalog();
    let clock = |sql: &str| match classify(&analyse(sql), &catalog) {
        Verdict::Timed { clock, .. } => Some(clock),
        Verdict::Cacheable { .. } | Verdict::Refused(_) => None,
    };
    for sql in [
        "SELECT now()",
        "SELECT CURRENT_TIMESTAMP, LOCALTIME(0)",
        "SELECT * FROM recent_users",
        "SELECT 1::lately",
        "SELECT date_trunc('day', now() - interval '1 day')",
    ] {
        assert_eq!(clock(sql), Some(Clock::Moment), "{sql}");
    }
    for sql in [
        "SELECT CURRENT_DATE, now()",
        "SELECT DATE 'today'",
        "SELECT name::date FROM users",
        "SELECT '12:00'::timetz",
        "SELECT * FROM of_today",
        "SELECT ('no' || 'w')::timestamptz",
        "SELECT age(created_at) FROM users",
        "SELECT timezone('UTC', $1)",
        "SELECT created_at::date FROM notes",
        "SELECT column1::date FROM (VALUES ('x')) v",
        "SELECT f1::date FROM (SELECT (ROW(name)).* FROM users) v",
        "SELECT * FROM opening WHERE opens = '12:00'",
        "SELECT * FROM opening WHERE opens IN ('12:00')",
        "SELECT coalesce(opens, closes) FROM opening",
        "SELECT opens FROM opening UNION SELECT closes FROM opening",
        "SELECT opens - interval '1 hour' < $1 FROM opening o",
        "SELECT opens > closes FROM opening",
        "SELECT offset_of(closes) FROM opening",
        "SELECT a::date FROM (SELECT name AS a FROM users UNION SELECT 'x') q",
        "SELECT day::date FROM (SELECT day FROM orders UNION SELECT name FROM users) q",
        "SELECT value::date FROM jsonb_each_text('{}')",
        "SELECT value::date FROM (SELECT (jsonb_each_text(data)).* FROM users) q",
        "SELECT day::date FROM (SELECT CASE WHEN id = 1 THEN name ELSE name END AS day FROM users) q",
        "SELECT q.total::date FROM (SELECT CASE WHEN true THEN 'x' ELSE total::text END FROM orders) q",
        "SELECT day::date FROM unnest(array_agg(ARRAY['x'])) AS day",
        "SELECT day::date FROM json_to_record('{}') AS x(day text)",
        "SELECT day::date FROM users AS x(id, day)",
        "SELECT day::date FROM unnest($1::text[]) AS day",
        "WITH x(day) AS (SELECT name FROM users) SELECT day::date FROM x",
        "SELECT a::date FROM (SELECT b AS a FROM (SELECT a AS b) x) y",
    ] {
        assert_eq!(clock(sql), Some(Clock::Date), "{sql}");
    }
    for sql in [
        "SELECT 1",
        // It may be of a transaction's number.
        "SELECT age($1)",
        "SELECT now(), random()",
        "SELECT clock_timestamp()",
        "SELECT now(), pg_backend_pid()",
        "SELECT current_setting('in_hot_standby'), now()",
        "SELECT current_setting(name) FROM users",
        "SELECT '2024-01-01'::birthday",
        "SELECT * FROM of_chance",
    ] {
        assert_eq!(clock(sql), None, "{sql}");
    }
}

#[test]
fn a_volatile_name_in_a_comment_does_not_count() {
    cacheable("SELECT 1 AS a /* now() and random() */ -- now()", &catalog(), &[]);
}

#[test]
fn everything_else_is_refused_with_its_status() {
    let catalog = catalog();
    for (sql, status) in REFUSED {
        let reason = refused(classify(&analyse(sql), &catalog));
        let reason = reason.unwrap_or_else(|| panic!("cacheable: {sql}"));
        assert_eq!(reason.status(), *status, "{sql}: {reason}");
    }
}

const REFUSED: &[(&str, &str)] = &[
    ("", "notaquery"),
    (";", "notaquery"),
    ("SELEC 1", "parseerror"),
    ("SELECT 1; SELECT 2", "multiplestatements"),
    ("INSERT INTO users VALUES (1)", "notaquery"),
    ("SHOW search_path", "notaquery"),
    ("EXPLAIN SELECT 1", "notaquery"),
    ("SELECT 1 INTO copy_of", "notaquery"),
    ("WITH d AS (DELETE FROM users RETURNING id) SELECT * FROM d", "notaquery"),
    ("SELECT now()", "volatile"),
    ("SELECT CURRENT_TIMESTAMP", "volatile"),
    ("SELECT random()", "volatile"),
    ("SELECT nextval('numbers')", "volatile"),
    ("SELECT pg_catalog.now()", "volatile"),
    ("SELECT twice(1, 2)", "volatile"),
    ("SELECT twice(VARIADIC ARRAY[1])", "volatile"),
    ("SELECT unsteady_agg(id) FROM only_plain", "volatile"),
    ("SELECT upper(name) FROM users", "volatile"),
    ("SELECT checked(1)", "volatile"),
    ("SELECT name === 'a' FROM users", "volatile"),
    ("SELECT 'a' OPERATOR(public.===) 'b'", "volatile"),
    ("SELECT 'now'::timestamptz", "volatile"),
    ("SELECT DATE 'today'", "volatile"),
    ("SELECT id FROM users WHERE created_at > ' Yesterday 04:00'", "volatile"),
    ("SELECT E'\\x6eow'::timestamptz", "volatile"),
    ("SELECT ('no' || 'w')::timestamptz", "volatile"),
    ("SELECT created_at::date FROM notes", "volatile"),
    ("SELECT day::date FROM (SELECT name AS day FROM users) AS q", "volatile"),
    ("SELECT * FROM users TABLESAMPLE system (10)", "volatile"),
    ("SELECT * FROM recent_users", "volatile"),
    ("SELECT no_such_function(1)", "uncacheable"),
    ("SELECT public.lower('a')", "uncacheable"),
    ("SELECT * FROM no_such_table", "uncacheable"),
    ("SELECT * FROM other.users", "uncacheable"),
    ("SELECT * FROM users FOR UPDATE", "uncacheable"),
    ("SELECT * FROM (SELECT * FROM users FOR SHARE) AS q", "uncacheable"),
    ("SELECT * FROM pg_catalog.pg_class", "uncacheable"),
    ("SELECT * FROM elsewhere", "uncacheable"),
    ("SELECT * FROM half_here", "uncacheable"),
    ("SELECT gen_salt('md5')", "volatile"),
    ("SELECT tsmultirange('{[no' || 'w,)}')", "volatile"),
    ("SELECT last_value FROM numbers", "uncacheable"),
    ("SELECT ctid FROM users", "uncacheable"),
    ("SELECT u.xmin FROM users u", "uncacheable"),
    ("SELECT 'x'::no_such_type", "uncacheable"),
    ("SELECT xmlelement(name a)", "uncacheable"),
    ("SELECT JSON_OBJECT('a': 1)", "uncacheable"),
];

#[test]
fn a_cte_hides_a_table_only_within_its_scope() {
    let catalog = catalog();
    cacheable("WITH users AS (SELECT id FROM users) SELECT * FROM users", &catalog, &["users"]);
    cacheable(
        "SELECT * FROM only_plain WHERE id IN (WITH only_plain AS (SELECT 1) SELECT * FROM only_plain)",
        &catalog,
        &["only_plain"],
    );
    cacheable(
        "SELECT (WITH only_plain AS (SELECT 1 AS a) SELECT a FROM only_plain), id FROM only_plain",
        &catalog,
        &["only_plain"],
    );
    cacheable("WITH secrets AS (SELECT 1 AS id) SELECT id FROM secrets", &catalog, &[]);
}

#[test]
fn refusals_are_sentences_for_a_person() {
    for (sql, expect) in [
        ("SELECT now()", "function now() depends on the clock"),
        ("SELECT * FROM of_chance", "row security of of_chance: function random() is volatile"),
        (
            "SELECT * FROM pg_roles",
            "pg_roles is of the server, and changes without DDL of this database",
        ),
        ("SELECT * FROM users FOR UPDATE", "locks rows (FOR UPDATE or FOR SHARE)"),
        (
            "SELECT * FROM recent_users",
            "view public.recent_users: function now() depends on the clock",
        ),
    ] {
        assert_eq!(refused(verdict(sql)).map(|reason| reason.to_string()).as_deref(), Some(expect));
    }
}

#[test]
fn by_an_empty_catalog_nothing_that_names_anything_is_cacheable() {
    let empty = Catalog::default();
    for sql in ["SELECT lower('A')", "SELECT 1 + 1", "SELECT * FROM users", "SELECT 1::int"] {
        assert!(refused(classify(&analyse(sql), &empty)).is_some(), "{sql}");
    }
}

#[test]
fn one_volatile_cast_of_the_database_refuses_everything() {
    let mut builder = CatalogBuilder::new();
    builder
        .row(CatalogQuery::Types, &[Some(""), Some("a to b"), Some("C"), Some("1"), None])
        .unwrap();
    let reason = refused(classify(&analyse("SELECT 1"), &builder.build())).unwrap();
    assert_eq!(reason.status(), "volatile");
}

#[test]
fn a_row_of_the_wrong_shape_is_an_error() {
    let mut builder = CatalogBuilder::new();
    assert!(builder.row(CatalogQuery::Links, &[Some("a")]).is_err());
    assert!(builder.row(CatalogQuery::Links, &[Some("a"), None]).is_err());
    let wrong = ["s", "f", "x", "1", "1", "f", "f", "1", "", "1", "", "SELECT 1", "e"].map(Some);
    assert_eq!(builder.row(CatalogQuery::Functions, &wrong).unwrap_err().column, 2);
}

/// The end of a transaction of nothing else is not waited for.
#[test]
fn what_only_reads_is_told_from_what_does_more() {
    let classifier = Classifier::new(Arc::new(catalog()), &Verdicts::new(1 << 20));
    for (sql, expected) in [
        ("SELECT 1", true),
        ("SELECT * FROM users WHERE id = $1", true),
        ("SELECT name FROM best_orders", true),
        (
            "SELECT now(), current_user, CURRENT_DATE, date_trunc('day', created_at) FROM users",
            true,
        ),
        ("SELECT 'users'::regclass, to_char(total, '9') FROM orders", true),
        ("SELECT * FROM recent_users", true),
        (
            "SELECT relname FROM pg_class JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace",
            true,
        ),
        ("SELECT * FROM users FOR UPDATE", false),
        ("SELECT nextval('numbers')", false),
        ("SELECT random()", false),
        ("SELECT steady(1)", true),
        ("SELECT moment()", true),
        ("SELECT of_chance()", false),
        ("SELECT writer(1)", false),
        ("SELECT * FROM writing_view", false),
        ("SELECT set_config('a.b', '1', false)", false),
        ("SELECT pg_advisory_xact_lock(1)", false),
        ("SELECT pg_notify('a', 'b')", false),
        ("SELECT txid_current()", false),
        ("SELECT table_to_xml('users', true, true, '')", false),
        ("SELECT * FROM elsewhere", false),
        ("SELECT * FROM secrets", true),
        ("SELECT * FROM of_chance", false),
        ("SELECT * FROM nosuch", false),
        ("SELECT * INTO x FROM users", false),
        ("WITH gone AS (DELETE FROM users RETURNING id) SELECT id FROM gone", false),
        ("INSERT INTO users VALUES (1)", false),
        ("SELECT 1; SELECT 2", false),
        ("EXPLAIN SELECT 1", false),
        ("SET LOCAL a.b TO 1", false),
    ] {
        let classified = classifier.classify(sql, &Arc::new(analyse(sql)));
        assert_eq!(classified.only_reads, expected, "{sql}");
    }
}
