//! Single statements, each sent as a simple query and as extended queries with text and with binary results.

use e2e::wire::say;

use super::{Case, step};

/// Every statement in every form.
pub(super) fn cases() -> Vec<Case> {
    let plain = READS.iter().flat_map(|sql| {
        let forms = [
            ("simple", step(&[say::query(sql)])),
            ("text", extended(sql, &[], &[], &[], &[])),
            ("binary", extended(sql, &[], &[], &[], &[1])),
        ];
        forms.map(|(form, step)| Case {
            name: format!("{form}: {sql}"),
            steps: vec![step],
            repeatable: true,
        })
    });
    let bound = BOUND.iter().flat_map(|(sql, types, values)| {
        let values: Vec<_> = values.iter().map(|value| value.map(str::as_bytes)).collect();
        [0, 1].map(|format| Case {
            name: format!("parameters {values:?}, result format {format}: {sql}"),
            steps: vec![extended(sql, types, &[], &values, &[format])],
            repeatable: true,
        })
    });
    let binary = binary_parameters();
    plain.chain(bound).chain(binary).collect()
}

/// Name, statement, parameter types, parameters as binary, their formats.
type Binary<'a> = (&'a str, &'a str, &'a [u32], Vec<Option<&'a [u8]>>, &'a [u16]);

fn binary_parameters() -> Vec<Case> {
    let int = 7_i32.to_be_bytes();
    let float = 2.5_f64.to_be_bytes();
    let long = (-9_i64).to_be_bytes();
    let forms: [Binary<'_>; 5] = [
        ("an int", "SELECT $1::int4 + 1", &[23], vec![Some(&int)], &[1]),
        ("a float", "SELECT $1::float8 * 2", &[701], vec![Some(&float)], &[1]),
        ("a bigint", "SELECT $1::int8", &[], vec![Some(&long)], &[1]),
        ("a NULL", "SELECT $1::int4 IS NULL, $1", &[23], vec![None], &[1]),
        (
            "bytes and text",
            "SELECT $1::bytea, $2::text",
            &[17, 25],
            vec![Some(b"\0\x01\xff"), Some(b"x")],
            &[1, 0],
        ),
    ];
    let case = |(name, sql, types, values, sent): Binary<'_>| Case {
        name: format!("binary parameter, {name}: {sql}"),
        steps: vec![extended(sql, types, sent, &values, &[1])],
        repeatable: true,
    };
    forms.into_iter().map(case).collect()
}

/// Parse, Describe of the statement, Bind, Describe of the portal, Execute, Sync.
fn extended(
    sql: &str,
    types: &[u32],
    sent: &[u16],
    values: &[Option<&[u8]>],
    wanted: &[u16],
) -> super::Step {
    step(&[
        say::parse("", sql, types),
        say::describe(b'S', ""),
        say::bind("", "", sent, values, wanted),
        say::describe(b'P', ""),
        say::execute("", 0),
        say::sync(),
    ])
}

const READS: &[&str] = &[
    "SELECT 1",
    "SELECT 1 AS one, 'two' AS two, 3.0 AS three",
    "SELECT NULL, NULL::int, NULL::text",
    "SELECT true, false, NULL::bool",
    "SELECT 1::int2, 2::int4, 3::int8, -1::int2",
    "SELECT 1.5::float4, 2.5::float8, 'NaN'::float8, 'Infinity'::float4, 0.1::float8 + 0.2",
    "SELECT 12345678901234567890.123456789::numeric, 'NaN'::numeric, 1e-10::numeric",
    "SELECT 'text'::text, 'char'::char(10), 'varchar'::varchar(3), 'n'::name, 'c'::\"char\"",
    "SELECT ''::text, ' '::text, E'tab\\tnewline\\n', 'ü€𝄞'",
    "SELECT '\\xdeadbeef00'::bytea, ''::bytea",
    "SELECT '2026-11-23'::date, 'infinity'::date, '4713-01-01 BC'::date",
    "SELECT '2026-11-23 12:34:56.789'::timestamp, '2026-11-23 12:34:56+02'::timestamptz",
    "SELECT '12:34:56'::time, '12:34:56+02'::timetz, '1 year 2 mons 3 days 04:05:06'::interval",
    "SELECT '00112233-4455-6677-8899-aabbccddeeff'::uuid",
    "SELECT '{\"a\": [1, 2, {\"b\": null}]}'::json, '{\"b\": 1, \"a\": 2}'::jsonb",
    "SELECT '{\"a\": 1}'::jsonb -> 'a', '[1,2]'::jsonb ->> 0, jsonb_build_object('k', 1)",
    "SELECT ARRAY[1, 2, NULL], ARRAY['a', NULL, 'c d', '\"q\"'], '{}'::int[], ARRAY[[1, 2], [3, 4]]",
    "SELECT '[2:4]={1,2,3}'::int[], ARRAY[true, NULL], ARRAY['2026-01-01'::date]",
    "SELECT '10.0.0.1/8'::inet, '10.0.0.0/8'::cidr, '08:00:2b:01:02:03'::macaddr",
    "SELECT '(1,2)'::point, '[(0,0),(1,1)]'::lseg, '<(1,1),2>'::circle, '((0,0),(1,0),(1,1))'::polygon",
    "SELECT '[1,10)'::int4range, 'empty'::int4range, '(,5]'::numrange, '{[1,2),[5,6)}'::int4multirange",
    "SELECT B'1010', B'1'::bit varying(5)",
    "SELECT 'happy'::mood, ARRAY['sad', 'ok']::mood[]",
    "SELECT ROW(1, 'a'), ROW(1, NULL)::pair, (ROW(3, 'x')::pair).b",
    "SELECT 5::positive",
    "SELECT 'a fat cat'::tsvector, 'fat & cat'::tsquery",
    "SELECT '<a>1</a>'::text, '$1,000.50'::money",
    "SELECT 123::oid, 'item'::regclass::text, 'int4'::regtype",
    "SELECT * FROM item WHERE id = 1",
    "SELECT * FROM item WHERE id = -1",
    "SELECT id, name FROM item ORDER BY id",
    "SELECT id, price, made, tags, extra FROM item ORDER BY id LIMIT 10 OFFSET 5",
    "SELECT count(*), sum(price), avg(price), min(name), max(made) FROM item",
    "SELECT id % 3 AS bucket, count(*) FROM item GROUP BY 1 ORDER BY 1",
    "SELECT array_agg(id ORDER BY id), string_agg(name, ',' ORDER BY id), jsonb_agg(id ORDER BY id) FROM item WHERE id < 5",
    "SELECT id, row_number() OVER (ORDER BY id DESC) FROM item ORDER BY id LIMIT 5",
    "SELECT a.id, b.name FROM item a JOIN item b ON a.id = b.id + 1 ORDER BY 1 LIMIT 4",
    "SELECT a.id, b.id FROM item a LEFT JOIN child b ON a.id = b.id ORDER BY 1 LIMIT 3",
    "WITH small AS (SELECT * FROM item WHERE id < 4) SELECT name FROM small ORDER BY 1",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT i FROM n",
    "SELECT id FROM item WHERE id < 3 UNION ALL SELECT id FROM item WHERE id = 50 ORDER BY 1",
    "SELECT id FROM item WHERE id < 5 EXCEPT SELECT 2 ORDER BY 1",
    "VALUES (1, 'a'), (2, 'b'), (3, NULL)",
    "TABLE account",
    "SELECT * FROM cheap ORDER BY id",
    "SELECT * FROM pairs()",
    "SELECT add_one(41), stable_one(), volatile_one()",
    "SELECT stable_one(), add_one(stable_one())",
    "SELECT generate_series(1, 5), 'x'",
    "SELECT * FROM generate_series(1, 3) WITH ORDINALITY AS t(a, n)",
    "SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a', 'b']) AS u(a, b)",
    "SELECT * FROM jsonb_to_recordset('[{\"a\":1,\"b\":\"x\"}]') AS t(a int, b text)",
    "SELECT CASE WHEN 1 = 1 THEN 'yes' ELSE 'no' END, coalesce(NULL, 'z'), nullif(1, 1)",
    "SELECT 'a' || 'b', upper('x'), length('ü'), substring('hello' from 2 for 3), 'x' LIKE 'X', 'x' ILIKE 'X'",
    "SELECT 7 / 2, 7 % 2, 7.0 / 2, 2 ^ 10, |/ 16, 5 & 3, 1 << 4",
    "SELECT EXISTS (SELECT 1 FROM item), 1 IN (1, 2), ARRAY(SELECT id FROM item WHERE id < 4 ORDER BY 1)",
    "SELECT id, filler FROM wide WHERE id <= 300 ORDER BY id",
    "SELECT repeat('x', 200000)",
    "SELECT",
    "SELECT FROM item WHERE id < 4",
    "SELECT 1 /* a comment with now() in it */ -- and another",
    "SELECT 'now()', $$random()$$, \"name\" FROM item WHERE id = 2",
    "   \n\t SELECT 2 ;  ",
    "SELECT name FROM item WHERE id = 3 FOR UPDATE",
    "SHOW server_version_num",
    "SHOW search_path",
    "SHOW transaction_isolation",
    "EXPLAIN (COSTS OFF) SELECT * FROM item WHERE id = 1",
    "SELECT current_user, session_user, current_schema()",
    "SELECT relname FROM pg_class WHERE relname IN ('item', 'account') ORDER BY 1",
    "SELECT column_name FROM information_schema.columns WHERE table_name = 'item' ORDER BY ordinal_position",
    "",
    ";",
    "-- nothing but a comment",
    // Errors of all kinds.
    "SELEKT 1",
    "SELECT 1 +",
    "SELECT 'unterminated",
    "SELECT 1 / 0",
    "SELECT id, 1 / (id - 50) FROM item ORDER BY id",
    "SELECT missing FROM item",
    "SELECT * FROM missing_table",
    "SELECT missing_function(1)",
    "SELECT 'abc'::int",
    "SELECT 99999999999::int4",
    "SELECT 1 UNION SELECT 'a'",
    "SELECT fail('on purpose')",
    "SELECT complain('hello')",
    "SELECT count(*) FROM item WHERE name = 1",
    "SELECT '{bad json'::jsonb",
    "SELECT ARRAY[1, 'x']",
    "SELECT (-1)::positive",
    "SELECT 'unknown'::mood",
    "SELECT * FROM item a, item b WHERE id = 1",
    "INSERT INTO account VALUES (1, 1)",
    "INSERT INTO account VALUES (9, -5)",
    "INSERT INTO child VALUES (1, 999)",
    "INSERT INTO item (id) VALUES (1000)",
    "UPDATE account SET balance = -1 WHERE id = 1",
    "DROP TABLE missing_table",
    "ALTER ROLE postgres SUPERUSER",
    "SET no_such_setting = 1",
    "SET TimeZone = 'No/Where'",
    "ROLLBACK TO SAVEPOINT nowhere",
    "EXECUTE nowhere",
    "DEALLOCATE nowhere",
    "CLOSE nowhere",
    "FETCH 1 FROM nowhere",
    "UPDATE account SET balance = balance WHERE id = 1 RETURNING id, balance",
    "DELETE FROM account WHERE id = 404",
    "CALL touch(41)",
    "DO $$ BEGIN RAISE NOTICE 'from DO'; END $$",
    "SELECT 1; SELECT 2",
    "LISTEN somewhere",
    "UNLISTEN *",
    "ANALYZE account",
];

/// Statement, parameter types, parameters as text.
type Bound = (&'static str, &'static [u32], &'static [Option<&'static str>]);

const BOUND: &[Bound] = &[
    ("SELECT $1::int + $2::int", &[], &[Some("1"), Some("2")]),
    ("SELECT $1", &[25], &[Some("typed as text")]),
    ("SELECT $1", &[], &[Some("type unknown")]),
    ("SELECT name FROM item WHERE id = $1", &[], &[Some("7")]),
    ("SELECT name FROM item WHERE id = $1", &[23], &[Some("8")]),
    ("SELECT name FROM item WHERE id = $1", &[20], &[Some("8")]),
    ("SELECT name FROM item WHERE id = ANY($1) ORDER BY id", &[], &[Some("{1,2,3}")]),
    ("SELECT $1::text IS NULL, $1", &[], &[None]),
    ("SELECT $1::text", &[], &[Some("")]),
    (
        "SELECT $1::jsonb -> 'a', $2::timestamptz, $3::numeric",
        &[],
        &[Some("{\"a\":1}"), Some("2026-01-01"), Some("1.50")],
    ),
    (
        "SELECT name FROM item WHERE name LIKE $1 ORDER BY id LIMIT $2",
        &[],
        &[Some("item 1%"), Some("3")],
    ),
    ("SELECT name FROM item WHERE id = $1", &[], &[Some("not a number")]),
    ("SELECT $1::int", &[], &[Some("1"), Some("one too many")]),
    ("SELECT $1::int, $2::int", &[], &[Some("one missing")]),
    ("SELECT $1", &[999_999], &[Some("no such type")]),
    ("SELECT $1::int / $2::int", &[], &[Some("1"), Some("0")]),
    ("SELECT $1::date", &[], &[Some("2026-02-30")]),
    ("UPDATE account SET balance = balance WHERE id = $1", &[], &[Some("2")]),
];
