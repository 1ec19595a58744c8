//! Dates and times that are kept: under each setting what the database says, cold and warm, in both protocols; and the clock
//! where it may be a little old.

use e2e::{
    jumpgate::Setup,
    mysql::{
        reply::{Outcome, Reply, code, rows},
        stage::{Place, Stage},
    },
};

use super::differential::masked;

/// What is set before the statements are asked. The zone is one in which a clock is put on by an hour.
const SETTINGS: [&str; 15] = [
    "time_zone = '+00:00'",
    "time_zone = '+09:00'",
    "time_zone = '-05:30'",
    "time_zone = 'Test/Summer'",
    "time_zone = 'Test/Summer', sql_mode = ''",
    "sql_mode = ''",
    "sql_mode = 'NO_ZERO_IN_DATE,NO_ZERO_DATE'",
    "sql_mode = 'ALLOW_INVALID_DATES,PAD_CHAR_TO_FULL_LENGTH'",
    "lc_time_names = 'de_DE'",
    "lc_time_names = 'ja_JP', character_set_results = utf8mb4",
    "character_set_results = latin1, lc_time_names = 'de_DE'",
    "collation_connection = utf8mb4_bin",
    "div_precision_increment = 9",
    "group_concat_max_len = 12",
    "default_week_format = 3",
];

/// Each with data that tells settings apart, of which one at least is another with it.
const STATEMENTS: [&str; 26] = [
    "SELECT id, ti, EXTRACT(HOUR FROM ti), HOUR(ti), MICROSECOND(ti), TIME_TO_SEC(ti) FROM kinds ORDER BY id",
    "SELECT EXTRACT(HOUR_MINUTE FROM ti), EXTRACT(SECOND_MICROSECOND FROM ti), dt FROM kinds ORDER BY id",
    "SELECT TIME(ts), TIME(dt), HOUR(ts), CAST(ts AS TIME) FROM kinds ORDER BY id",
    "SELECT id FROM kinds WHERE ti > '10:00' OR dt > '2000-01-01' OR ts > '2026-06-01 20:00:00' ORDER BY id",
    "SELECT id FROM kinds WHERE ti BETWEEN '-838:59:59' AND '00:00:00' ORDER BY ti",
    "SELECT TIMEDIFF(ts, dt), TIMEDIFF(ti, '01:00'), TIMEDIFF(ts, '2026-06-01 00:00:00') FROM kinds ORDER BY id",
    "SELECT SEC_TO_TIME(SUM(id) * 1.5), SEC_TO_TIME(AVG(id) / 7), AVG(TIME_TO_SEC(ti)) / 7 FROM kinds",
    "SELECT MAKETIME(id, 2, 3.5), MAKETIME(10, id, id / 7) FROM kinds ORDER BY id",
    "SELECT ADDTIME(ts, '01:00:00.5'), ADDTIME(dt, ti), SUBTIME(ts, SEC_TO_TIME(id)) FROM kinds ORDER BY id",
    "SELECT TIMESTAMP(da, ti), TIMESTAMP(ts, '01:00'), TIMESTAMP(dt) FROM kinds ORDER BY id",
    "SELECT ti + INTERVAL 1 HOUR, ts + INTERVAL 1 DAY, dt - INTERVAL '1:1' HOUR_MINUTE FROM kinds ORDER BY id",
    "SELECT STR_TO_DATE('1.2.2026', '%d.%m.%Y'), STR_TO_DATE('00/00/0000', '%m/%d/%Y'), STR_TO_DATE('10:11', '%H:%i')",
    "SELECT id FROM item WHERE made > STR_TO_DATE('2.1.2026', '%d.%m.%Y') ORDER BY id LIMIT 2",
    "SELECT STR_TO_DATE('31.2.2026', '%d.%m.%Y'), STR_TO_DATE('März', '%M'), STR_TO_DATE('2026-00-01', '%Y-%m-%d')",
    "SELECT DATE_FORMAT(ts, '%W %M %a %b %c %H %i'), DAYNAME(ts), MONTHNAME(da) FROM kinds ORDER BY id",
    "SELECT TIME_FORMAT(ti, '%H %k %h %i %p %f'), DATE_FORMAT(dt, '%M %D') FROM kinds ORDER BY id",
    "SELECT UNIX_TIMESTAMP(ts), UNIX_TIMESTAMP(dt), UNIX_TIMESTAMP('2026-03-29 02:30:00') FROM kinds ORDER BY id",
    "SELECT FROM_UNIXTIME(1774745999), FROM_UNIXTIME(1774746000), FROM_UNIXTIME(1774746000 + id) FROM kinds ORDER BY id",
    "SELECT CONVERT_TZ('2026-03-29 00:59:59', '+00:00', @@time_zone), CONVERT_TZ(dt, @@time_zone, '+00:00') FROM kinds ORDER BY id",
    "SELECT DATE(ts), YEAR(ts), TO_DAYS(ts), DATEDIFF(ts, dt), LAST_DAY(ts) FROM kinds ORDER BY id",
    "SELECT WEEK(da), WEEK(da, 1), YEARWEEK(ts), WEEKDAY(ts), QUARTER(ts) FROM kinds ORDER BY id",
    "SELECT TIMESTAMPDIFF(HOUR, ts, '2026-06-01 12:00:00'), TIMESTAMPADD(MINUTE, 90, ts) FROM kinds ORDER BY id",
    "SELECT GROUP_CONCAT(ti ORDER BY id), GROUP_CONCAT(ts ORDER BY id SEPARATOR '|') FROM kinds",
    "SELECT COALESCE(ti, 'none'), IF(id = 1, ti, NULL), GREATEST(ti, '01:00'), MAX(ti) OVER () FROM kinds ORDER BY id",
    "SELECT ti FROM kinds UNION SELECT c FROM kinds ORDER BY 1",
    "SELECT a, HOUR(a) FROM (SELECT TIMEDIFF(ts, '2026-01-01') AS a, id FROM kinds) x ORDER BY id",
];

/// A time zone in which it is an hour later from 2026-03-29 01:00 UTC on.
const ZONE: [&str; 5] = [
    "INSERT INTO mysql.time_zone (Time_zone_id, Use_leap_seconds) VALUES (7777, 'N')",
    "INSERT INTO mysql.time_zone_name (Name, Time_zone_id) VALUES ('Test/Summer', 7777)",
    "INSERT INTO mysql.time_zone_transition_type (Time_zone_id, Transition_type_id, `Offset`, Is_DST, Abbreviation) \
     VALUES (7777, 0, 3600, 0, 'TWT'), (7777, 1, 7200, 1, 'TST')",
    "INSERT INTO mysql.time_zone_transition (Time_zone_id, Transition_time, Transition_type_id) \
     VALUES (7777, -2147483648, 0), (7777, 1774746000, 1)",
    "FLUSH TABLES",
];

/// What comes with warnings is not kept.
fn is_clean(reply: &Reply) -> bool {
    let warned = |outcome: &Outcome| matches!(outcome, Outcome::Rows(set) if set.end.as_ref().is_ok_and(|end| end.warnings == 0));
    reply.iter().all(warned)
}

async fn dates_and_times_are_what_each_setting_makes_of_them(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut root = stage.root().await;
    for sql in ZONE {
        root.run(sql).await;
    }
    for settings in SETTINGS {
        let (mut client, mut direct) = (stage.client().await, stage.direct().await);
        for wire in [&mut client, &mut direct] {
            wire.run(&format!("SET {settings}")).await;
        }
        for sql in STATEMENTS {
            let expected = [masked(direct.query(sql).await), masked(direct.binary(sql, &[]).await)];
            assert_eq!(code(&expected[0]), 0, "{sql}: {:?}", expected[0]);
            let is_clean = is_clean(&expected[0]);
            for turn in 0..2 {
                assert_eq!(
                    masked(client.query(sql).await),
                    expected[0],
                    "{settings}, {turn}: {sql}"
                );
                let found = client.cache_status().await;
                assert!(found == "hit" || turn == 0 || !is_clean, "{settings}: {sql}: {found}");
                let binary = masked(client.binary(sql, &[]).await);
                assert_eq!(binary, expected[1], "{settings}, {turn}, binary: {sql}");
            }
        }
    }
}

async fn the_clock_may_be_a_little_old_where_that_is_allowed(place: Place) {
    let stage = Stage::with(place, Setup::caching("clock_max_age = 600")).await;
    let (mut one, mut other) = (stage.client().await, stage.client().await);
    for sql in
        ["SELECT NOW(6), id FROM item WHERE id = 1", "SELECT SYSDATE(6)", "SELECT UTC_TIMESTAMP(6)"]
    {
        let first = rows(&one.query(sql).await);
        assert_eq!(rows(&other.query(sql).await), first, "{sql}");
        assert_eq!(other.cache_status().await, "hit", "{sql}");
    }
    // Not for who is elsewhere, or at another time.
    let sql = "SELECT NOW(6), id FROM item WHERE id = 1";
    let first = rows(&one.query(sql).await);
    other.run("SET time_zone = '+09:00'").await;
    assert_ne!(rows(&other.query(sql).await), first);
    other.run("SET time_zone = '+00:00', timestamp = 1000000000").await;
    assert_eq!(rows(&other.query(sql).await)[0][0].as_deref(), Some("2001-09-09 01:46:40.000000"));
    assert_eq!(rows(&one.query(sql).await), first);
    // Without an hour to spare before midnight the date is asked for again: either way it is today's.
    let mut direct = stage.direct().await;
    for sql in [
        "SELECT CURDATE()",
        "SELECT UTC_DATE",
        "SELECT DATE(NOW())",
        "SELECT DATE(TIME '10:00:00')",
    ] {
        for _turn in 0..2 {
            let before = direct.value(sql).await;
            let found = one.value(sql).await;
            assert!(found == before || found == direct.value(sql).await, "{sql}: {found}");
        }
    }
}

async fn the_clock_is_asked_each_time_where_nobody_allows_it_to_be_old(place: Place) {
    let stage = Stage::open(place).await;
    let mut client = stage.client().await;
    for sql in [
        "SELECT NOW(6)",
        "SELECT CURDATE()",
        "SELECT DATE(ti) FROM kinds WHERE id = 1",
        "SELECT seen FROM clock",
    ] {
        for _turn in 0..2 {
            client.query(sql).await;
        }
        assert_eq!(client.cache_status().await, "volatile", "{sql}");
        let hinted = format!("/* jumpgate: max_age=60 */ {sql}");
        for _turn in 0..2 {
            client.query(&hinted).await;
        }
        assert_eq!(client.cache_status().await, "hit", "{hinted}");
    }
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        dates_and_times_are_what_each_setting_makes_of_them,
        the_clock_may_be_a_little_old_where_that_is_allowed,
        the_clock_is_asked_each_time_where_nobody_allows_it_to_be_old,
    ],
}
