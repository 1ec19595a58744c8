//! What may be cached, and why the rest may not.

use super::*;
use crate::sql::mysql::classify;
use crate::sql::{Reason, TableName, Verdict};

/// What the reply depends on; panics when it is refused.
fn tables(sql: &str, catalog: &Catalog) -> Vec<String> {
    match classify(&analysed(sql), catalog, "app") {
        Verdict::Cacheable { tables } => tables.iter().map(TableName::to_string).collect(),
        Verdict::Timed { reason, .. } | Verdict::Refused(reason) => panic!("{sql}: {reason}"),
    }
}

fn refused(sql: &str, catalog: &Catalog) -> Reason {
    match classify(&analysed(sql), catalog, "app") {
        Verdict::Timed { reason, .. } | Verdict::Refused(reason) => reason,
        Verdict::Cacheable { tables } => panic!("{sql}: {tables:?}"),
    }
}

/// Asserts that the texts are cached, with the tables that they depend on.
pub(super) fn all_cached(cases: &[(&str, &[&str])]) {
    for (server, catalog) in catalogs() {
        for (sql, expect) in cases {
            assert_eq!(tables(sql, &catalog), *expect, "{server}: {sql}");
        }
    }
}

#[test]
fn plain_reads_are_cached_with_the_tables_they_depend_on() {
    all_cached(&[
        ("SELECT 1", &[]),
        ("SELECT 1 + 1 FROM DUAL", &[]),
        ("SELECT * FROM users", &["app.users"]),
        ("select `id`, name from app.USERS where id = ? limit 5, 10", &["app.users"]),
        ("SELECT id FROM other.users", &["other.users"]),
        ("SELECT * FROM mixed", &["app.mixed"]),
        ("SELECT COUNT(*), COUNT(DISTINCT name), MAX(score) FROM users", &["app.users"]),
        ("SELECT name FROM users GROUP BY name WITH ROLLUP HAVING COUNT(*) > 1", &["app.users"]),
        ("SELECT total FROM orders o WHERE o.total > 5", &["users", "app.orders"]),
        (
            "SELECT u.name, o.total FROM users AS u LEFT JOIN orders o ON o.user_id = u.id \
                 WHERE u.name LIKE 'a%' AND o.total BETWEEN 1 AND 2 OR u.id IN (1, 2) \
                 ORDER BY u.name DESC, o.total LIMIT 10 OFFSET 5",
            &["app.orders", "app.users"],
        ),
        (
            "SELECT * FROM users WHERE EXISTS (SELECT 1 FROM notes n WHERE n.user_id = users.id)",
            &["app.notes", "app.users"],
        ),
    ]);
}

#[test]
fn compound_queries_and_constant_expressions_are_cached() {
    all_cached(&[
        ("SELECT name FROM users UNION ALL SELECT body FROM notes", &["app.notes", "app.users"]),
        ("(SELECT 1) UNION (SELECT 2) ORDER BY 1", &[]),
        ("SELECT * FROM (SELECT id FROM users) AS x", &["app.users"]),
        ("WITH c AS (SELECT id FROM users) SELECT * FROM c", &["app.users"]),
        (
            "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5) SELECT n FROM c",
            &[],
        ),
        ("SELECT CASE WHEN id = 1 THEN 'a' ELSE \"b\" END FROM users", &["app.users"]),
        ("SELECT CAST(id AS CHAR(5) CHARSET utf8mb4), CHARSET(name) FROM users", &["app.users"]),
        ("SELECT CAST(id AS CHAR CHARACTER SET `utf8mb4`) charset FROM users", &["app.users"]),
        ("SELECT CAST(id AS CHAR), CONVERT(name USING utf8mb4) FROM users", &["app.users"]),
        (
            "SELECT name COLLATE utf8mb4_bin, _utf8mb4'x', N'y', x'1f', 0x1F FROM users",
            &["app.users"],
        ),
        ("SELECT data->'$.a', data->>'$.b', JSON_EXTRACT(data, '$.c') FROM users", &["app.users"]),
        (
            "SELECT GROUP_CONCAT(DISTINCT name ORDER BY name SEPARATOR ',') FROM users",
            &["app.users"],
        ),
        ("SELECT ROW_NUMBER() OVER (PARTITION BY name ORDER BY id) FROM users", &["app.users"]),
        (
            "SELECT id DIV 2, id MOD 2, id % 2, -id, NOT id, id <=> NULL, a.id ^ 1 FROM users a",
            &["app.users"],
        ),
        (
            "SELECT name REGEXP '^a', name RLIKE 'b', SUBSTRING(name, 1, 2), TRIM(name) FROM users",
            &["app.users"],
        ),
        ("SELECT * FROM users USE INDEX (PRIMARY) WHERE id = 1", &["app.users"]),
        ("SELECT /*+ MAX_EXECUTION_TIME(1000) */ id FROM users", &["app.users"]),
        (
            "SELECT * FROM users STRAIGHT_JOIN notes ON users.id = notes.id",
            &["app.notes", "app.users"],
        ),
        ("SELECT id FROM parts PARTITION (p0)", &["app.parts"]),
        ("SELECT doubled, greeting FROM computed", &["app.computed"]),
        ("SELECT * FROM computed_day", &["app.computed_day"]),
    ]);
}

#[test]
fn dates_stored_functions_and_views_are_cached_where_they_are_constant() {
    all_cached(&[
        (
            "SELECT DATE_FORMAT(created_at, '%Y'), created_at + INTERVAL 1 DAY FROM users",
            &["app.users"],
        ),
        ("SELECT * FROM users WHERE created_at > '2024-01-01' AND created_at < ?", &["app.users"]),
        (
            "SELECT EXTRACT(YEAR FROM created_at), UNIX_TIMESTAMP(created_at) FROM users",
            &["app.users"],
        ),
        ("SELECT opens, opened_at FROM shifts ORDER BY opens", &["app.shifts"]),
        (
            "SELECT data->'$.a' FROM users WHERE created_at > '2020-01-01' AND id = ?",
            &["app.users"],
        ),
        ("SELECT * FROM shifts WHERE opens > '10:00'", &["app.shifts"]),
        ("SELECT * FROM shifts WHERE opened_at > '2020-01-01'", &["app.shifts"]),
        ("SELECT plus_one(id), app.plus_one(1), shout(name) FROM users", &["app.users"]),
        ("SELECT other.far_away(1)", &[]),
        ("SELECT * FROM far_view", &["app.far_view", "other.far"]),
        ("SELECT * FROM opening", &["app.opening", "app.shifts"]),
        ("SELECT * FROM counted", &["app.counted", "app.users"]),
        (
            "SELECT * FROM best_orders",
            &["app.best_orders", "app.orders", "app.user_orders", "app.users"],
        ),
        ("SELECT id FROM users -- now()", &["app.users"]),
        ("SELECT 'now()', \"@x\" /* rand() */ FROM users", &["app.users"]),
    ]);
}

#[test]
fn what_may_change_by_itself_is_volatile() {
    for (server, catalog) in catalogs() {
        for sql in [
            "SELECT RAND(), name FROM users",
            "SELECT name FROM users ORDER BY RAND()",
            "SELECT UUID()",
            "SELECT CONNECTION_ID()",
            "SELECT CURRENT_USER",
            "SELECT USER()",
            "SELECT CURRENT_ROLE()",
            "SELECT SESSION_USER()",
            "SELECT FOUND_ROWS()",
            "SELECT ROW_COUNT()",
            "SELECT LAST_INSERT_ID()",
            "SELECT SLEEP(1)",
            "SELECT IS_FREE_LOCK('a')",
            "SELECT BENCHMARK(1, 2)",
            "SELECT LOAD_FILE('a')",
            "SELECT ENCRYPT('a')",
            "SELECT liar()",
            "SELECT hides_clock()",
            "SELECT reader()",
            "SELECT undeclared(1)",
            "SELECT at_noon('10:00')",
            "SELECT writer()",
        ] {
            let status = refused(sql, &catalog).status();
            assert_eq!(status, "volatile", "{server}: {sql}");
        }
    }
}

#[test]
fn what_drivers_ask_when_they_connect_may_be_kept() {
    all_cached(&[
        ("SELECT @@socket, @@max_allowed_packet, @@wait_timeout", &[]),
        ("SELECT @@session.sql_mode, DATABASE(), SCHEMA(), VERSION()", &[]),
        ("SHOW VARIABLES LIKE 'sql_mode'", &[]),
        ("show session variables like 'wait_timeout'", &[]),
        ("select @@session.`wait_timeout` as t, @@LOCAL.Net_Write_Timeout + 1", &[]),
        ("SELECT id FROM users WHERE id > @@net_read_timeout LIMIT 1", &["app.users"]),
    ]);
}

#[test]
fn everything_else_that_is_not_understood_is_refused() {
    for (server, catalog) in catalogs() {
        for (sql, status) in [
            ("SELECT @a", "uncacheable"),
            ("SELECT @@hostname", "uncacheable"),
            ("SELECT @@gtid_executed, 1", "uncacheable"),
            ("SHOW VARIABLES LIKE 'timestamp'", "notaquery"),
            ("SHOW VARIABLES LIKE 'sql%'", "notaquery"),
            ("SHOW GLOBAL VARIABLES LIKE 'sql_mode'", "notaquery"),
            ("SHOW VARIABLES LIKE 'sql_mode' WHERE 1", "notaquery"),
            ("SELECT @@wait_timeout, @@timestamp", "uncacheable"),
            ("SELECT @@rand_seed1", "uncacheable"),
            ("SELECT @@global.wait_timeout", "uncacheable"),
            ("SELECT @@socket.key_buffer_size", "uncacheable"),
            ("SELECT @@wait_timeout := 1", "uncacheable"),
            ("SELECT @@wait_timeout INTO @a", "uncacheable"),
            ("SELECT @@", "uncacheable"),
            ("SELECT @a := 1", "uncacheable"),
            ("SELECT 1 INTO @a", "uncacheable"),
            ("SELECT * FROM users INTO OUTFILE '/tmp/x'", "uncacheable"),
            ("SELECT * FROM users FOR UPDATE", "uncacheable"),
            ("SELECT * FROM users FOR SHARE SKIP LOCKED", "uncacheable"),
            ("SELECT * FROM users LOCK IN SHARE MODE", "uncacheable"),
            ("SELECT SQL_CALC_FOUND_ROWS * FROM users", "uncacheable"),
            ("SELECT SQL_NO_CACHE * FROM users", "uncacheable"),
            ("SELECT GET_LOCK('a', 1)", "uncacheable"),
            ("SELECT LAST_INSERT_ID(5)", "uncacheable"),
            ("SELECT * FROM information_schema.tables", "uncacheable"),
            ("SELECT * FROM mysql.user", "uncacheable"),
            ("SELECT * FROM nowhere", "uncacheable"),
            ("SELECT * FROM app.far", "uncacheable"),
            ("SELECT * FROM merged", "uncacheable"),
            // Without transactions: a write is seen before its transaction ends.
            ("SELECT id FROM only_here", "uncacheable"),
            ("SELECT nobody_knows(1)", "uncacheable"),
            ("SELECT other.now()", "uncacheable"),
            ("SELECT far_away(1)", "uncacheable"),
            ("SELECT NEXT VALUE FOR s", "uncacheable"),
            ("SELECT * FROM users FOR SYSTEM_TIME ALL", "uncacheable"),
            ("SELECT /*! 1 + */ 1", "uncacheable"),
            ("SELECT /*+ SET_VAR(sql_mode='') */ 1", "uncacheable"),
            ("SET STATEMENT sql_mode = '' FOR SELECT 1", "uncacheable"),
            ("SELECT {d '2020-01-01'}", "uncacheable"),
            ("SELECT * FROM users PROCEDURE ANALYSE()", "uncacheable"),
            ("SELECT * FROM `dual`", "uncacheable"),
            ("WITH C AS (SELECT 1) SELECT * FROM c", "uncacheable"),
            ("SELECT 1; SELECT 2", "multiplestatements"),
            ("SELECT 'a", "parseerror"),
            ("FROB", "parseerror"),
            ("", "notaquery"),
            ("UPDATE users SET id = 1", "notaquery"),
            ("INSERT INTO users VALUES (1)", "notaquery"),
            ("SHOW TABLE STATUS", "notaquery"),
            ("EXPLAIN SELECT 1", "notaquery"),
            ("CALL p()", "notaquery"),
            ("DO 1", "notaquery"),
        ] {
            assert_eq!(refused(sql, &catalog).status(), status, "{server}: {sql}");
        }
    }
}

#[test]
fn a_bare_name_means_the_sessions_schema() {
    for (_, catalog) in catalogs() {
        let analysis = analysed("SELECT * FROM users");
        let expect = [TableName::qualified("other", "users")].into();
        let verdict = classify(&analysis, &catalog, "Other");
        assert_eq!(verdict, Verdict::Cacheable { tables: expect });
        assert!(matches!(classify(&analysis, &catalog, ""), Verdict::Refused(_)));
        let function = analysed("SELECT far_away(1)");
        assert!(matches!(classify(&function, &catalog, "other"), Verdict::Cacheable { .. }));
    }
}

#[test]
fn an_empty_catalog_allows_what_reads_nothing() {
    let catalog = Catalog::default();
    assert!(tables("SELECT LOWER('A')", &catalog).is_empty());
    assert_eq!(refused("SELECT * FROM users", &catalog).status(), "uncacheable");
}

/// A catalog of one table with these columns.
fn with_columns(columns: &[[Option<&str>; 5]]) -> Catalog {
    let mut builder = CatalogBuilder::new();
    let table = [Some("app"), Some("t"), Some("BASE TABLE"), Some("InnoDB")];
    builder.row(CatalogQuery::Tables, &table).unwrap();
    for column in columns {
        builder.row(CatalogQuery::Columns, column).unwrap();
    }
    builder.build()
}

#[test]
fn a_computed_column_that_is_not_constant_forbids_its_table() {
    let column = |sort, expression| {
        let computed = [Some("app"), Some("t"), Some("c"), Some(sort), Some(expression)];
        with_columns(&[computed, [Some("app"), Some("t"), Some("opens"), Some("time"), None]])
    };
    for (sort, expression) in [
        ("int", "now()"),
        ("int", "rand() * 2"),
        ("int", "current_date"),
        ("int", "@a + 1"),
        ("int", "my_function(1)"),
        ("int", "'a"),
        ("int", "month(`opens`)"),
        ("datetime", "`opens`"),
        ("datetime", "timestamp(sec_to_time(`a`))"),
    ] {
        refused("SELECT a FROM t", &column(sort, expression));
    }
    for (sort, expression) in [
        ("int", "`a` * 2"),
        ("int", "concat(_utf8mb3\\'x\\',`a`)"),
        ("int", "date_format(a, '%Y')"),
        ("time", "`opens`"),
        ("time", "addtime(`opens`,sec_to_time(`a`))"),
    ] {
        assert_eq!(tables("SELECT a FROM t", &column(sort, expression)), ["app.t"], "{expression}");
    }
}

#[test]
fn a_time_column_beyond_ascii_may_be_meant_by_any_name() {
    let column = |name, sort| [Some("app"), Some("t"), Some(name), Some(sort), None];
    let catalog = with_columns(&[column("durée", "time"), column("day", "date")]);
    refused("SELECT 1 FROM t WHERE duree > day", &catalog);
    tables("SELECT duree, day FROM t", &catalog);
}

#[test]
fn a_row_of_the_wrong_width_is_an_error() {
    let error = CatalogBuilder::new().row(CatalogQuery::Tables, &[Some("a")]).unwrap_err();
    assert_eq!((error.query, error.column), (CatalogQuery::Tables, 1));
}

#[test]
fn what_applications_send_is_cached() {
    for (server, catalog) in catalogs() {
        for sql in APPLICATIONS {
            let verdict = classify(&analysed(sql), &catalog, "app");
            assert!(matches!(verdict, Verdict::Cacheable { .. }), "{server}: {sql}: {verdict:?}");
        }
    }
}

/// Read-only statements as applications and their libraries write them.
const APPLICATIONS: [&str; 52] = [
    "SELECT `users`.* FROM `users` WHERE `users`.`id` = 1 ORDER BY `users`.`id` ASC LIMIT 1",
    "SELECT `User`.`id` AS `User__id`, `User`.`name` AS `User__name` FROM `users` `User` WHERE (`User`.`id` IN (?, ?)) AND `User`.`name` IS NOT NULL",
    "select `u`.`id`, `u`.`name` from `users` as `u` inner join `orders` as `o` on `o`.`user_id` = `u`.`id` where `o`.`total` > ? group by `u`.`id`, `u`.`name` having count(`o`.`id`) > ? order by `u`.`name` asc limit ? offset ?",
    "SELECT COUNT(*) AS `count` FROM `users` AS `User` WHERE `User`.`name` LIKE '%x%' ESCAPE '!'",
    "SELECT EXISTS(SELECT 1 FROM users WHERE id = 5) AS `exists`",
    "SELECT 1 AS one FROM users LIMIT 1",
    "SELECT a.id, b.id FROM users a, orders b WHERE a.id = b.user_id AND (a.name = 'x' OR a.name IN ('y', 'z'))",
    "SELECT SQL_SMALL_RESULT DISTINCT name FROM users",
    "SELECT STRAIGHT_JOIN a.id FROM users a JOIN orders b ON a.id=b.user_id",
    "SELECT HIGH_PRIORITY id FROM users",
    "SELECT SQL_CACHE id FROM users",
    "SELECT ALL id FROM users",
    "SELECT id FROM users WHERE name NOT LIKE 'a' AND id NOT IN (1) AND id NOT BETWEEN 1 AND 2 AND name NOT REGEXP 'x'",
    "SELECT IF(id > 1, 'a', 'b'), IFNULL(name, ''), NULLIF(id, 1), LEFT(name, 2), RIGHT(name, 2), REPLACE(name, 'a', 'b'), INSERT(name, 1, 2, 'x'), CHAR(65), MOD(id, 2) FROM users",
    "SELECT TRIM(BOTH ' ' FROM name), TRIM(LEADING 'x' FROM name), SUBSTRING(name FROM 2 FOR 3), SUBSTR(name, 1), MID(name, 1, 2), POSITION('a' IN name), LOCATE('a', name) FROM users",
    "SELECT id, RANK() OVER w, LAG(id, 1) OVER (ORDER BY id), SUM(id) OVER (PARTITION BY name ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM users WINDOW w AS (ORDER BY name)",
    "SELECT * FROM users WHERE MATCH (name) AGAINST ('x' IN BOOLEAN MODE)",
    "SELECT * FROM users WHERE MATCH (name) AGAINST (? IN NATURAL LANGUAGE MODE)",
    "SELECT * FROM users WHERE (id, name) = (1, 'a') AND (id, name) IN ((1, 'a'))",
    "SELECT * FROM users WHERE id = ROW(1) OR ROW(id, name) = ROW(1, 'a')",
    "SELECT * FROM users WHERE name = BINARY 'x' AND BINARY name = 'y'",
    "SELECT * FROM users WHERE id > ALL (SELECT id FROM orders) OR id = ANY (SELECT 1) OR id = SOME (SELECT 2)",
    "SELECT * FROM users u NATURAL JOIN notes n",
    "SELECT * FROM users u LEFT OUTER JOIN (notes n CROSS JOIN orders o) ON n.user_id = u.id",
    "SELECT u.* , (SELECT COUNT(*) FROM orders WHERE user_id = u.id) cnt FROM users u",
    "SELECT id FROM users UNION DISTINCT SELECT id FROM orders INTERSECT SELECT 1 EXCEPT SELECT 2",
    "(SELECT id FROM users LIMIT 1) UNION ALL (SELECT id FROM orders ORDER BY id LIMIT 2) LIMIT 3",
    "SELECT id FROM users WHERE id = 1 XOR id = 2 || id = 3 && id = 4",
    "SELECT JSON_CONTAINS(data, '1'), 1 MEMBER OF (data), data->>'$.a' = 'x' FROM users",
    "SELECT TRUE, FALSE, NULL, UNKNOWN IS UNKNOWN",
    "SELECT id AS `select`, users.`from` FROM users WHERE users.key = 1",
    "SELECT key_, value FROM users",
    "SELECT id 'alias', name AS \"alias2\" FROM users",
    "SELECT * FROM users, LATERAL (SELECT * FROM orders WHERE user_id = users.id) x",
    "VALUES ROW(1, 2), ROW(3, 4)",
    "SELECT TIMESTAMPDIFF(DAY, created_at, '2020-01-01'), DATE_SUB(created_at, INTERVAL 1 MONTH), DATEDIFF(created_at, '2020-01-01') FROM users",
    "SELECT CAST(score AS UNSIGNED), CAST(score AS SIGNED INTEGER), CAST(score AS DECIMAL(10,2)), CONVERT(score, CHAR(5)), CAST(id AS BINARY(5)), CAST(data AS JSON), CAST(id AS DOUBLE), CAST(id AS FLOAT), CAST(created_at AS DATETIME(6)) FROM users",
    "SELECT CONVERT(id, UNSIGNED INTEGER), CONVERT(id, SIGNED) FROM users",
    "SELECT ROUND(score, 2), FLOOR(score), CEIL(score), CEILING(score), TRUNCATE(score, 1), FORMAT(score, 2) FROM users",
    "SELECT id FROM users ORDER BY FIELD(id, 3, 2, 1), ISNULL(name), name IS NULL",
    "SELECT id FROM users FORCE INDEX FOR ORDER BY (PRIMARY) IGNORE INDEX (x)",
    "SELECT BIT_COUNT(id), id << 1, id >> 1, id & 1, id | 1 FROM users",
    "SELECT GROUP_CONCAT(name), GROUP_CONCAT(name, '-', id ORDER BY id DESC SEPARATOR ' ') , JSON_ARRAYAGG(name), JSON_OBJECTAGG(name, id), STD(id), BIT_OR(id) FROM users",
    "SELECT CASE id WHEN 1 THEN 'a' WHEN 2 THEN 'b' END c FROM users",
    "SELECT id FROM users LIMIT 18446744073709551615 OFFSET 5",
    "SELECT YEAR(created_at), WEEK(created_at, 1), DAYOFWEEK(created_at), LAST_DAY(created_at), UNIX_TIMESTAMP(created_at), FROM_UNIXTIME(id) FROM users",
    "SELECT DATE(created_at) d, COUNT(*) FROM users GROUP BY d, MONTH(created_at)",
    "SELECT ADDDATE(created_at, 5), DAY(created_at), HOUR(created_at), MINUTE(created_at), SECOND(created_at), QUARTER(created_at) FROM users",
    "SELECT REGEXP_REPLACE(name, 'a', 'b'), REGEXP_LIKE(name, 'x') FROM users WHERE name RLIKE 'x'",
    "SELECT t.* FROM (SELECT 1 AS a UNION SELECT 2) t",
    "SELECT t.a FROM (VALUES ROW(1), ROW(2)) AS t (a)",
    "select `t0`.`id` as `a`, coalesce(json_arrayagg(json_object('id', `t1`.`id`)), json_array()) as `b` from `users` as `t0` left join lateral (select * from `orders` where `user_id` = `t0`.`id`) as `t1` on true group by `t0`.`id`",
];
