//! Settings: what becomes of them in a session, and how a backend is given them.

use super::*;

fn set(name: &str, value: &str) -> Effect {
    Effect::Set { name: name.into(), sql: format!("SET {name} TO {value}") }
}

fn reset(name: &str) -> Effect {
    Effect::Reset { name: name.into() }
}

fn after(effects: &[Effect]) -> Settings {
    let mut settings = Settings::default();
    effects.iter().for_each(|effect| settings.apply(effect, &Settings::default()));
    settings
}

fn difference(settings: &Settings, given: &Settings) -> Option<(String, bool)> {
    settings.difference(given).map(|it| (it.sql, it.touches_rights))
}

#[test]
fn a_backend_is_given_only_what_differs() {
    let session = after(&[set("a", "1"), set("b", "2")]);
    let given = after(&[set("b", "2"), set("x.y", "3")]);
    let sql = String::from("RESET \"x\".\"y\";SET a TO 1;");
    assert_eq!(difference(&session, &given), Some((sql, false)));
    assert_eq!(difference(&session, &session), None);
}

#[test]
fn a_role_is_given_after_the_user_it_belongs_to() {
    let session = after(&[set("role", "x"), set("session_authorization", "b")]);
    assert_eq!(session.get("role"), None, "a new user has no role");
    let session = after(&[set("session_authorization", "b"), set("role", "a")]);
    let sql = String::from("SET session_authorization TO b;SET role TO a;");
    assert_eq!(difference(&session, &Settings::default()), Some((sql, true)));
}

/// FAULTS row 25: a setting that needs rights is given before they are dropped.
#[test]
fn a_setting_is_given_and_taken_with_the_rights_it_was_set_with() {
    let none = Settings::default();
    let (plain, power) = (set("role", "plain"), set("role", "power"));
    let user = set("session_authorization", "b");
    let (a, b) = (set("a", "1"), set("b", "2"));
    let table: [(&[Effect], &str, &str); 5] = [
        (&[a.clone(), plain.clone()], "SET a TO 1;SET role TO plain;", "RESET ROLE;RESET \"a\";"),
        (
            &[a.clone(), user.clone()],
            "SET a TO 1;SET session_authorization TO b;",
            "RESET SESSION AUTHORIZATION;RESET \"a\";",
        ),
        (
            &[power.clone(), a.clone(), plain],
            "SET role TO power;SET a TO 1;SET role TO plain;",
            "SET role TO power;RESET \"a\";RESET ROLE;",
        ),
        (
            &[power.clone(), a.clone(), reset("role"), b],
            "SET b TO 2;SET role TO power;SET a TO 1;RESET ROLE;",
            "RESET \"b\";SET role TO power;RESET \"a\";RESET ROLE;",
        ),
        (
            &[user, power, a],
            "SET session_authorization TO b;SET role TO power;SET a TO 1;",
            "RESET \"a\";RESET SESSION AUTHORIZATION;",
        ),
    ];
    for (effects, given, taken) in table {
        let session = after(effects);
        assert_eq!(difference(&session, &none), Some((given.into(), true)), "{effects:?}");
        assert_eq!(difference(&none, &session), Some((taken.into(), true)), "{effects:?}");
    }
}

/// FAULTS row 6: half a date style lands on the server's own and not on another client's.
#[test]
fn half_a_date_style_meets_the_server_s_default() {
    let german = after(&[set("datestyle", "german")]);
    let mut french = after(&[set("datestyle", "dmy")]);
    let sql = |settings: &Settings| difference(settings, &german).map(|(sql, _)| sql);
    let expected = "RESET \"datestyle\";SET datestyle TO dmy;";
    assert_eq!(sql(&french).as_deref(), Some(expected));
    assert!(french.complete(DATE_STYLE, "SQL, DMY"));
    assert_eq!(sql(&french).as_deref(), Some("RESET \"datestyle\";SET datestyle TO 'SQL, DMY';"));
    assert_eq!(sql(&german), None);
}

#[test]
fn a_reset_goes_back_to_what_the_startup_packet_asked_for() {
    let mut base = Settings::default();
    base.set_value("TimeZone", "UTC");
    let mut session = base.clone();
    session.apply(&set("timezone", "x"), &base);
    session.apply(&set("role", "r"), &base);
    session.apply(&Effect::ResetAll, &base);
    assert_eq!(difference(&session, &base), Some(("SET role TO r;".into(), true)));
    session.apply(&Effect::DiscardAll, &base);
    assert_eq!(session, base);
}

/// FAULTS row 7: each form of a reset is followed by what the startup packet asked for.
#[test]
fn what_follows_a_reset_is_the_startup_value() {
    let mut base = Settings::default();
    base.set_value("search_path", "a, \"B\"");
    base.set_value("role", "r");
    let behind = |effect: Effect| base.behind(&effect).collect::<Vec<_>>();
    let path = "SET search_path TO 'a', 'B'";
    assert_eq!(behind(reset("search_path")), [path]);
    assert_eq!(behind(reset("work_mem")), Vec::<String>::new());
    assert_eq!(
        behind(Effect::ResetLocal { name: "search_path".into() }),
        ["SET LOCAL search_path TO 'a', 'B'"]
    );
    assert_eq!(behind(Effect::ResetAll), [path]);
    assert_eq!(behind(reset("session_authorization")), ["SET ROLE 'r'"]);
    assert_eq!(behind(Effect::DiscardAll), ["SET ROLE 'r'", path]);
}

#[test]
fn a_name_cannot_leave_its_quotes() {
    assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
}
