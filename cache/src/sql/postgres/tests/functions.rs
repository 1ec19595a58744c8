//! What the functions of the database's own ask, and whether it may be kept.

use super::*;
use crate::sql::Clock;

#[test]
fn a_function_in_sql_that_only_asks_is_judged_like_a_view() {
    let catalog = catalog();
    for (sql, tables) in [
        ("SELECT steady(1)", &[][..]),
        ("SELECT u.full_name, (u).full_name FROM users u", &["users"]),
        ("SELECT auth.uid()", &[]),
        ("SELECT id FROM of_owners", &["of_owners"]),
        ("SELECT n FROM count_of(1)", &["users", "public.orders"]),
        ("SELECT of_two()", &["notes", "users"]),
        ("SELECT returned(1), returned(2)", &["users"]),
        ("SELECT * FROM atomic()", &["notes", "users"]),
        ("SELECT of_others()", &["notes", "orders", "user_orders", "users"]),
        ("SELECT says_constant()", &["users"]),
        ("SELECT calls_constant()", &["users"]),
        ("SELECT loops(3)", &[]),
        ("SELECT of_day()", &["orders", "users"]),
        ("SELECT defaulted('2020-01-01')", &[]),
    ] {
        let verdict = classify(&analyse(sql), &catalog);
        let Verdict::Cacheable { tables: found } = &verdict else { panic!("{sql}: {verdict:?}") };
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, tables, "{sql}");
    }
}

#[test]
fn a_function_that_takes_of_the_clock_says_so() {
    let catalog = catalog();
    for (sql, clock, reason) in [
        ("SELECT moment()", Clock::Moment, "function moment(): function now() depends on"),
        ("SELECT since('2020-01-01')", Clock::Date, "function since(): a text cast to a date"),
        ("SELECT since_first($1)", Clock::Date, "function since_first(): a text cast to a date"),
        ("SELECT since_made(name) FROM users", Clock::Date, "function since_made(): a text cast"),
        ("SELECT defaulted()", Clock::Date, "CURRENT_DATE depends on the clock"),
        ("SELECT gives_lately()", Clock::Moment, "function gives_lately(): function now()"),
    ] {
        let verdict = classify(&analyse(sql), &catalog);
        let Verdict::Timed { clock: found, reason: why, .. } = &verdict else {
            panic!("{sql}: {verdict:?}")
        };
        assert_eq!(*found, clock, "{sql}");
        assert!(why.to_string().starts_with(reason), "{sql}: {why}");
    }
}

#[test]
fn a_function_that_may_do_more_than_ask_is_refused() {
    let catalog = catalog();
    for (sql, reason) in [
        ("SELECT of_chance()", "function of_chance(): function random() is volatile"),
        ("SELECT locks()", "function locks(): locks rows (FOR UPDATE or FOR SHARE)"),
        ("SELECT odd_strings()", "function odd_strings() is stable"),
        ("SELECT unseen()", "function unseen() is stable"),
        ("SELECT hides_constant()", "function hides_constant() is stable"),
    ] {
        match classify(&analyse(sql), &catalog) {
            Verdict::Refused(why) => assert_eq!(why.to_string(), reason, "{sql}"),
            verdict => panic!("{sql}: {verdict:?}"),
        }
    }
}
