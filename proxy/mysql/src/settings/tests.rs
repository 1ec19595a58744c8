//! Settings: what is reported, and how it is set again.

use super::*;

fn settings(values: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::default();
    for (name, value) in values {
        settings.report(name.as_bytes(), value.as_bytes());
    }
    settings
}

#[test]
fn a_reported_value_is_written_so_that_it_can_be_set_again() {
    for (value, sql) in [
        ("28800", "28800"),
        ("2.000000", "2.000000"),
        ("-1", "-1"),
        ("+01:00", "'+01:00'"),
        ("", "''"),
        ("ANSI_QUOTES,NO_ZERO_DATE", "'ANSI_QUOTES,NO_ZERO_DATE'"),
        ("a'b", "CONVERT(0x612762 USING utf8mb4)"),
        ("a\\b", "CONVERT(0x615c62 USING utf8mb4)"),
    ] {
        assert_eq!(literal(value.as_bytes()), sql);
    }
}

#[test]
fn only_what_differs_is_set() {
    let (none, zone) = (Settings::default(), settings(&[("time_zone", "+01:00")]));
    assert_eq!(zone.difference(&none).as_deref(), Some("@@session.time_zone='+01:00'"));
    assert_eq!(none.difference(&zone).as_deref(), Some("@@session.time_zone=@@GLOBAL.time_zone"));
    assert_eq!(zone.difference(&zone.clone()), None);
}

#[test]
fn character_sets_are_set_together_and_the_collation_last() {
    let latin = Settings::of_collation("latin1", "latin1_bin");
    let utf8 = Settings::of_collation("utf8mb4", "utf8mb4_bin");
    assert_eq!(latin.difference(&utf8).as_deref(), Some("NAMES 'latin1' COLLATE 'latin1_bin'"));
}

/// FAULTS row 34, and §3 "collation id 46 for 45": what columns are told with is set back too.
#[test]
fn each_character_set_and_collation_is_set_as_it_was() {
    let utf8 = Settings::of_collation("utf8mb4", "utf8mb4_general_ci");
    let other = Settings::of_collation("latin1", "latin1_bin");
    let with = |values: &[(&str, &str)]| {
        let mut settings = utf8.clone();
        for (name, value) in values {
            settings.report(name.as_bytes(), value.as_bytes());
        }
        settings.difference(&other).unwrap_or_default()
    };
    let names = "NAMES 'utf8mb4' COLLATE 'utf8mb4_general_ci'";
    let cases: [(&[(&str, &str)], String); 5] = [
        (&[], names.to_owned()),
        (
            &[("collation_connection", "utf8mb4_bin")],
            format!("{names}, @@session.collation_connection='utf8mb4_bin'"),
        ),
        (
            &[("collation_connection", "ucs2_bin"), ("character_set_client", "cp1251")],
            format!(
                "{names}, @@session.character_set_client='cp1251', @@session.collation_connection='ucs2_bin'"
            ),
        ),
        (
            &[(OF_RESULTS, "utf8mb4_bin"), ("collation_connection", "utf8mb4_bin")],
            String::from("NAMES 'utf8mb4' COLLATE 'utf8mb4_bin'"),
        ),
        (
            &[("character_set_results", "")],
            String::from(
                "@@session.character_set_client='utf8mb4', @@session.character_set_connection='utf8mb4', \
                 @@session.character_set_results=NULL, @@session.collation_connection='utf8mb4_general_ci'",
            ),
        ),
    ];
    for (values, expected) in cases {
        assert_eq!(with(values), expected, "{values:?}");
    }
}

/// FAULTS §3: `set @@system_versioning_asof` of one client made another's write fail.
#[test]
fn a_default_that_is_no_text_is_set_by_its_word() {
    let set = settings(&[("system_versioning_asof", "2020-01-01 00:00:00")]);
    let back = settings(&[("system_versioning_asof", "DEFAULT")]);
    let expected = Some("@@session.system_versioning_asof=DEFAULT");
    assert_eq!(Settings::default().difference(&set).as_deref(), expected);
    assert_eq!(back.difference(&set).as_deref(), expected);
}

#[test]
fn what_belongs_to_one_statement_does_not_follow() {
    let mut settings = Settings::default();
    assert_eq!(settings.report(b"insert_id", b"7"), Reported::Ignored);
    assert_eq!(settings.report(b"timestamp", b"1795476183.53"), Reported::Ignored);
    assert_eq!(settings.report(b"session_track_schema", b"ON"), Reported::Tracking);
    assert_eq!(settings, Settings::default());
}

#[test]
fn variables_assigned_without_a_scope_are_found() {
    let sql = "SET @@Time_zone = '+01:00', @@session.sql_mode='', @x=1, @@autocommit:=0";
    assert_eq!(assigned_unscoped(sql), ["time_zone", "autocommit"]);
}

#[test]
fn sql_mode_says_how_texts_are_read() {
    let ansi = settings(&[("sql_mode", "REAL_AS_FLOAT,ANSI_QUOTES,ANSI")]);
    let modes = ansi.reading(None).modes.expect("sql_mode is set");
    assert!(modes.ansi_quotes && !modes.no_backslash_escapes);
    assert!(Settings::default().reading(None).modes.is_none());
}

#[test]
fn literals_are_read_as_they_are_written() {
    let wide = [("character_set_client", "binary"), ("character_set_connection", "ucs2")];
    let modes = settings(&[("sql_mode", "ANSI"), ("wait_timeout", "5")]);
    let sql = modes.difference(&settings(&wide)).unwrap_or_default();
    assert!(sql.ends_with("@@session.sql_mode=_latin1'ANSI', @@session.wait_timeout=5"), "{sql}");
}
