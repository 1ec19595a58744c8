//! What is shown, and what must never be.

use proptest::prelude::*;

use super::*;

const ALL: [Dialect; 3] = [Dialect::Postgres, Dialect::MySql, Dialect::MySqlWithoutEscapes];

fn postgres(sql: &str) -> String {
    shown(sql, Dialect::Postgres, true)
}

fn mysql(sql: &str) -> String {
    shown(sql, Dialect::MySql, true)
}

#[test]
fn constants_are_left_out() {
    for (sql, expected) in [
        ("SELECT v FROM t WHERE id = 4711", "SELECT v FROM t WHERE id = ?"),
        (
            "select * from \"T 1\" where n='it''s' and m = $2;",
            "select * from \"T 1\" where n=? and m = $2",
        ),
        (
            "SELECT E'a\\'b', B'101', x'1F', $$x'y$$, $a$ z $a$, 1.5e-3, .5",
            "SELECT ?, ?, ?, ?, ?, ?, ?",
        ),
        ("SELECT -5 + 0x1F_00, date '2020-01-01'", "SELECT -? + ?, date ?"),
        (
            "SELECT a /* secret /* nested */ secret */ FROM t -- secret\n WHERE b",
            "SELECT a FROM t WHERE b",
        ),
        ("  SELECT\n\t a", "SELECT a"),
        ("(SELECT 1) UNION (SELECT 2)", "(SELECT ?) UNION (SELECT ?)"),
        ("SELECT a IS NULL, b = TRUE", "SELECT a IS NULL, b = ?"),
        ("SELECT '{\"a\": 1}'::jsonb ? 'a'", "SELECT ?::jsonb ? ?"),
    ] {
        assert_eq!(postgres(sql), expected);
    }
    for (sql, expected) in [
        (
            r#"SELECT `a b`, "secret", 'it\'s', N'x', _utf8'x' FROM t # secret"#,
            "SELECT `a b`, ?, ?, ?, _utf8? FROM t",
        ),
        ("SELECT 5--6, ? -- secret\rsecret\n, 7", "SELECT ?--?, ? , ?"),
        ("SELECT 1 /*! , 'secret' */ + @a", "SELECT …"),
        ("REPLACE t SET a = 'x'", "REPLACE t SET a = ?"),
    ] {
        assert_eq!(mysql(sql), expected);
    }
}

#[test]
fn lists_and_rows_are_as_long_as_one() {
    for (sql, expected) in [
        ("SELECT a FROM t WHERE b IN (1, 2)", "SELECT a FROM t WHERE b IN (?, …)"),
        ("SELECT a FROM t WHERE b IN (1, -2, NULL, 4, 5)", "SELECT a FROM t WHERE b IN (?, …)"),
        ("SELECT a FROM t WHERE b IN ($1,$2,$3)", "SELECT a FROM t WHERE b IN ($1,…)"),
        ("INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y')", "INSERT INTO t (a, b) VALUES (?, …), …"),
        (
            "INSERT INTO t VALUES (1), (2), (3), (4) RETURNING a",
            "INSERT INTO t VALUES (?), … RETURNING a",
        ),
        ("VALUES (1, now(), 2), (1, now(), 2), (1, now(), 2)", "VALUES (?, now(), ?), …"),
        ("SELECT f(a, 1, 2), g(1)", "SELECT f(a, ?, ?), g(?)"),
    ] {
        assert_eq!(postgres(sql), expected);
    }
}

#[test]
fn where_a_value_may_stand_as_a_name_only_the_command_is_shown() {
    for (sql, expected) in [
        ("CREATE USER u PASSWORD 'secret'", "CREATE USER …"),
        ("create user u identified by 'secret'", "CREATE USER …"),
        ("ALTER ROLE u PASSWORD 'secret'", "ALTER ROLE …"),
        ("CREATE SERVER s OPTIONS (password 'secret')", "CREATE SERVER …"),
        ("CREATE secret", "CREATE …"),
        ("SET my.key TO secret", "SET …"),
        ("SET PASSWORD = 'secret'", "SET …"),
        ("COPY t FROM stdin", "COPY …"),
        ("PREPARE p AS SELECT 'secret'", "PREPARE …"),
        ("EXECUTE p('secret')", "EXECUTE …"),
        ("DO $$ secret $$", "DO …"),
        ("NOTIFY c, 'secret'", "NOTIFY …"),
        ("BEGIN", "BEGIN"),
        (" commit ;", "COMMIT"),
        ("secret", "…"),
        ("'secret'", "…"),
        ("", "…"),
    ] {
        for dialect in ALL {
            assert_eq!(shown(sql, dialect, true), expected, "{dialect:?}");
        }
    }
    assert_eq!(shown("SELECT secret secret secret", Dialect::Postgres, false), "SELECT …");
}

#[test]
fn nothing_behind_the_first_statement_is_shown() {
    assert_eq!(postgres("SELECT 1; SET a TO secret"), "SELECT ? …");
    assert_eq!(postgres("SELECT 1; "), "SELECT ?");
}

/// Each of these shows `secret` to who reads it carelessly.
#[test]
fn hostile_texts_show_no_constant() {
    for sql in [
        // Read with `standard_conforming_strings` off, or in a mode that is not known.
        r"SELECT 'a\'secret\'b', 'c'",
        r"SELECT 'a\', 'secret'",
        r"SELECT E'a\\', E'\'secret\''",
        r"SELECT U&'\'secret'",
        "SELECT 'a\nsecret'",
        "SELECT E'a'\n'\\'secret\\''",
        "SELECT $a$ $b$ secret $a$",
        "SELECT $1secret$1",
        "SELECT 1secret",
        "SELECT 0xsecret, 1.secret, 1e5secret",
        "SELECT 'secret",
        "SELECT $a$ secret",
        "SELECT /* secret",
        "SELECT /* ' */ 'secret' /* ' */",
        "SELECT 1 -- '\n, 'secret'",
        "SELECT '''secret''', ''''",
        "SELECT '--', 'secret' --'",
        "SELECT '/*', 'secret', '*/'",
        "SELECT \0'secret'",
        "secret; SELECT 1",
        "SELECT 1; secret",
        "SET x = 'secret'; SELECT 1",
        "IDENTIFIED BY secret",
    ] {
        for dialect in ALL {
            let told = shown(sql, dialect, true);
            // In MySQL `$` is part of names, and such texts are refused before they are understood.
            let is_foreign = dialect != Dialect::Postgres && sql.contains('$');
            assert!(is_foreign || !told.contains("secret"), "{dialect:?}: {sql}\n{told}");
            assert!(!shown(sql, dialect, false).contains("secret"), "{dialect:?}: {sql}");
        }
    }
    assert!(!mysql(r#"SELECT "a\"secret\"b", '"', "secret""#).contains("secret"));
    assert!(!mysql("SELECT 1--'a\n','secret'").contains("secret"));
    // A server reads other ends of these than one would think.
    for sql in [
        "SELECT 1e-- '\n, 'secret' # '",
        "SELECT /*! 'a */ secret' -- '\n */ , 1",
        "SELECT /*M!100000 'a */ secret' -- '\n */ , 1",
        "SELECT 1 --\x7f '\n, 'secret' # '",
        r"SELECT x'\', 'secret' # '",
    ] {
        assert!(!mysql(sql).contains("secret"), "{sql}\n{}", mysql(sql));
    }
}

#[test]
fn a_long_text_is_cut() {
    let long = format!("SELECT '{}secret'", "x".repeat(1 << 20));
    assert_eq!(postgres(&long), "SELECT ? …");
    let wide = format!("SELECT {} FROM t", "column_é, ".repeat(1000));
    let told = postgres(&wide);
    assert!(told.len() <= MAX_SHOWN && told.ends_with(" …"), "{told}");
    let rows = format!("INSERT INTO t VALUES {}(1)", "(1), ".repeat(1 << 16));
    assert!(postgres(&rows).starts_with("INSERT INTO t VALUES (?), …"));
    let deep = "(".repeat(1 << 20);
    assert!(postgres(&format!("SELECT {deep}")).len() <= MAX_SHOWN);
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(sql in ".*", rest in ".*") {
        for dialect in ALL {
            for sql in [sql.clone(), format!("SELECT {sql}"), format!("{sql}{}{rest}", "x".repeat(MAX_READ))] {
                prop_assert!(shown(&sql, dialect, true).len() <= MAX_SHOWN);
            }
        }
    }

    /// What is quoted as it should be is not shown, whatever it is and whatever stands around it.
    #[test]
    fn no_quoted_value_is_shown(
        before in "[a-z ,=()]{0,10}", value in "[^\\\\]{0,20}", after in "[a-z ,=()]{0,10}",
    ) {
        let quoted = format!("'SECRET{}'", value.replace('\'', "''"));
        for dialect in ALL {
            let told = shown(&format!("SELECT {before} {quoted} {after}"), dialect, true);
            prop_assert!(!told.contains("SECRET"), "{told}");
        }
    }
}
