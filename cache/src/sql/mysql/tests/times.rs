//! What is asked of the clock, and where a TIME is turned into a date.

use super::classification::all_cached;
use super::*;
use crate::sql::mysql::classify;
use crate::sql::mysql::classify::judge;
use crate::sql::{Clock, Verdict};

/// What of the time a reply tells; panics when it is none.
fn clock(sql: &str, catalog: &Catalog) -> Clock {
    match classify(&analysed(sql), catalog, "app") {
        Verdict::Timed { clock, .. } => clock,
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn what_tells_the_time_is_kept_for_as_long_as_that_may_be_old() {
    for (server, catalog) in catalogs() {
        for (sql, expected) in [
            ("SELECT NOW()", Clock::Moment),
            ("SELECT SYSDATE(), UNIX_TIMESTAMP()", Clock::Moment),
            ("SELECT * FROM users WHERE created_at > NOW() - INTERVAL 1 DAY", Clock::Moment),
            ("SELECT TIMESTAMPDIFF(DAY, created_at, NOW()) FROM users", Clock::Moment),
            ("SELECT CAST(NOW() AS DATETIME), NOW() + INTERVAL 1 MONTH", Clock::Moment),
            ("SELECT CURRENT_TIMESTAMP", Clock::Moment),
            ("SELECT CURRENT_TIMESTAMP(6), LOCALTIME, LOCALTIMESTAMP()", Clock::Moment),
            ("SELECT utc_timestamp FROM users ORDER BY utc_time", Clock::Moment),
            ("SELECT opens FROM shifts WHERE opens < CURTIME()", Clock::Moment),
            ("SELECT * FROM recent_users", Clock::Moment),
            ("SELECT EXTRACT(HOUR FROM NOW()), MINUTE(NOW())", Clock::Moment),
            ("SELECT CURRENT_DATE FROM users", Clock::Date),
            ("SELECT id FROM orders WHERE day = CURDATE() OR day > NOW()", Clock::Date),
            ("SELECT id FROM orders ORDER BY current_date", Clock::Date),
            ("SELECT DATE(NOW()), id FROM users", Clock::Date),
            ("SELECT CAST(NOW() - INTERVAL 1 DAY AS DATE)", Clock::Date),
            ("SELECT DATEDIFF(COALESCE(created_at, NOW()), day) FROM users, orders", Clock::Date),
            ("SELECT YEAR(n) FROM (SELECT NOW() AS n) x", Clock::Date),
            ("SELECT CURTIME() > created_at FROM users", Clock::Date),
            ("SELECT UTC_DATE", Clock::UtcDate),
            ("SELECT UTC_DATE(), CURDATE()", Clock::UtcDate),
            ("SELECT DATE(UTC_TIMESTAMP())", Clock::UtcDate),
        ] {
            assert_eq!(clock(sql, &catalog), expected, "{server}: {sql}");
        }
    }
}

#[test]
fn a_time_that_is_turned_into_a_date_takes_the_current_one() {
    for (server, catalog) in catalogs() {
        for sql in [
            "SELECT id FROM shifts WHERE opens > opened_at",
            "SELECT CAST(opens AS DATETIME) FROM shifts",
            "SELECT CONVERT(opens, DATE), TIMESTAMP(opens) FROM shifts",
            "SELECT opens AS a FROM shifts HAVING a > DATE '2020-01-01'",
            "SELECT TIME '10:00' > created_at FROM users",
            "SELECT a.id FROM shifts a JOIN users b ON a.opens = b.created_at",
            "SELECT COALESCE(opens, day) FROM shifts, orders",
            "SELECT IF(id, opens, opened_at), GREATEST(opens, opened_at) FROM shifts",
            "SELECT CASE id WHEN 1 THEN opens ELSE opened_at END FROM shifts",
            "SELECT CASE opens WHEN opened_at THEN 1 END FROM shifts",
            "SELECT LAG(opens, 1, opened_at) OVER (ORDER BY id) FROM shifts",
            "SELECT id FROM shifts WHERE opens IN (opened_at, '10:00')",
            "SELECT id FROM shifts WHERE opens IN (SELECT day FROM orders)",
            "SELECT id FROM shifts WHERE opened_at BETWEEN opens AND '2020-01-01'",
            "SELECT id FROM shifts WHERE (id, opens) = (1, opened_at)",
            "SELECT id FROM shifts WHERE opens > ANY (SELECT created_at FROM users)",
            "SELECT DATE_ADD(opens, INTERVAL 1 DAY) FROM shifts",
            "SELECT opens + INTERVAL '1 1' DAY_HOUR, ADDDATE(opens, 1) FROM shifts",
            "SELECT EXTRACT(DAY FROM opens), EXTRACT(DAY_HOUR FROM opens) FROM shifts",
            "SELECT YEAR(opens), DATE_FORMAT(opens, '%Y'), DATEDIFF('2020-01-01', opens) FROM shifts",
            "SELECT DATE(MAX(opens)) FROM shifts",
            "SELECT id FROM opening WHERE starts + INTERVAL 1 DAY > 0",
            "SELECT opens FROM shifts UNION SELECT opened_at FROM shifts",
            "SELECT * FROM shifts UNION SELECT * FROM shifts",
            "SELECT a > created_at FROM (SELECT NULL AS a UNION SELECT opens FROM shifts) x, users",
            "SELECT n > created_at FROM (SELECT opens FROM shifts) AS x (n), users",
            "WITH c (n) AS (SELECT opens FROM shifts) SELECT DATE(n) FROM c",
            "SELECT DATE(`max(opens)`) FROM (SELECT max(opens) FROM shifts) x",
            "SELECT a.id FROM shifts a NATURAL JOIN users b",
            "SELECT DATE(opens) FROM (SELECT * FROM shifts) x",
            "SELECT STR_TO_DATE('10:00', '%H:%i') > created_at FROM users",
            "SELECT STR_TO_DATE(name, score) > created_at FROM users",
            "SELECT zéit > day FROM orders, shifts",
            "SELECT CAST(data->'$.a' AS DATETIME) FROM users",
            "SELECT DATE(JSON_EXTRACT(data, '$.a')) FROM users",
            "SELECT DATE(TIMEDIFF(created_at, '2020-01-01')) FROM users",
            "SELECT COALESCE(opens, '10:00') + INTERVAL 1 HOUR FROM shifts",
            "SELECT ADDTIME(name, '1:00') + INTERVAL 1 HOUR FROM users",
            "SELECT DATE(FLOOR(opens)), DATE(ROUND(opens)) FROM shifts",
            "SELECT STRCMP(opens, opened_at), DATE(+opens) FROM shifts",
            "SELECT opens = ? + INTERVAL 1 HOUR FROM shifts",
            "SELECT opens BETWEEN name AND ? FROM shifts, users",
        ] {
            assert_eq!(clock(sql, &catalog), Clock::Date, "{server}: {sql}");
        }
    }
}

#[test]
fn a_time_that_stays_one_is_as_constant_as_anything_else() {
    all_cached(&[
        ("SELECT TIME(created_at), HOUR(created_at) FROM users", &["app.users"]),
        ("SELECT EXTRACT(HOUR FROM opens), HOUR(opens), opened_at FROM shifts", &["app.shifts"]),
        ("SELECT opens + INTERVAL 1 HOUR, DATE(opened_at) FROM shifts", &["app.shifts"]),
        ("SELECT opens + INTERVAL '1:1' HOUR_MINUTE FROM shifts", &["app.shifts"]),
        (
            "SELECT id FROM shifts WHERE opens > '10:00' AND opened_at > '2020-01-01'",
            &["app.shifts"],
        ),
        ("SELECT id FROM shifts WHERE opens = ? AND opened_at = ?", &["app.shifts"]),
        (
            "SELECT SEC_TO_TIME(SUM(TIMESTAMPDIFF(SECOND, opened_at, created_at))) FROM shifts, users",
            &["app.shifts", "app.users"],
        ),
        ("SELECT TIMEDIFF(created_at, '2020-01-01') > '10:00' FROM users", &["app.users"]),
        (
            "SELECT ADDTIME(opened_at, opens), TIMESTAMP(opened_at, opens) FROM shifts",
            &["app.shifts"],
        ),
        (
            "SELECT id FROM orders WHERE STR_TO_DATE('1.2.2020', '%d.%m.%Y') < day",
            &["users", "app.orders"],
        ),
        ("SELECT id FROM shifts WHERE STR_TO_DATE(?, '%H:%i') < opens", &["app.shifts"]),
        ("SELECT id FROM (SELECT * FROM shifts) x", &["app.shifts"]),
        ("SELECT opens FROM shifts UNION SELECT '10:00'", &["app.shifts"]),
        (
            "SELECT CONCAT(opens, opened_at), opens + 0, COALESCE(opens, '') FROM shifts",
            &["app.shifts"],
        ),
        // Another table has a TIME of this name.
        ("SELECT COALESCE(opens, day) FROM orders", &["users", "app.orders"]),
    ]);
}

#[test]
fn a_time_that_is_compared_with_a_parameter_minds_that_it_is_a_date() {
    for (server, catalog) in catalogs() {
        for (sql, minds) in [
            ("SELECT id FROM shifts WHERE opens = ?", true),
            ("SELECT COALESCE(opens, ?) FROM shifts", true),
            ("SELECT opens BETWEEN ? AND ? FROM shifts", true),
            ("SELECT id FROM shifts WHERE opened_at = ?", false),
            ("SELECT opens FROM shifts WHERE id = ?", false),
        ] {
            assert_eq!(judge(&analysed(sql), &catalog, "app").1, minds, "{server}: {sql}");
        }
    }
}
