//! What is read of bodies of code, and how long that may take.

use super::*;

fn read(text: &str) -> Code {
    code(text, Language::PlPgSql).unwrap_or_else(|| panic!("it can be read: {text}"))
}

fn written(code: &Code) -> Vec<String> {
    code.written.iter().map(ToString::to_string).collect()
}

/// FAULTS row 3: strings, comments and their apostrophes hide no statement.
#[test]
fn what_a_body_writes_is_seen_whatever_stands_around_it() {
    for (text, expect) in [
        (
            "begin -- don't lose it\nupdate audit set n = n + 1;\nreturn new; -- that's all\nend",
            "audit",
        ),
        ("begin /* it's */ insert into a.\"B c\" values (1) /* so's */; end", "a.B c"),
        ("begin x := E'it\\'s'; delete from only t; y := 'z'; end", "t"),
        (
            "begin x := $q$ it's $q$; merge into t using s on true when matched then delete; end",
            "t",
        ),
        (
            "begin merge into t using s on true when not matched then insert (a) values (1); end",
            "t",
        ),
        ("begin insert into t values (1) on conflict (a) do update set a = 2; end", "t"),
        ("begin truncate table only a.b, c restart identity; end", "c a.b"),
        ("with x as (update t set a = 1 returning a) select * from x", "t"),
        ("begin open c for update t set a = 1 returning a; end", "t"),
        ("begin for r in select * from t for no key update loop null; end loop; end", ""),
        ("begin perform 1 from t for update of t skip locked; return new; end", ""),
        ("begin if tg_op = 'INSERT' then new.delete := 'update t'; end if; return new; end", ""),
        ("begin comment := new.comment; new.updated_at = now(); return new; end", ""),
        ("begin raise notice 'execute % insert into', new.x; return new; end", ""),
        ("begin case when a then comment else create end; end", ""),
    ] {
        let code = read(text);
        assert_eq!(written(&code).join(" "), expect, "{text}");
        let is_case = text.contains("case");
        assert_eq!((code.writes_everything, code.is_opaque), (is_case, false), "{text}");
    }
}

#[test]
fn what_cannot_be_seen_through_is_said_so() {
    let trigger = "begin create trigger g after insert on t execute function a.f(); end";
    assert!(read(trigger).writes_everything && !read(trigger).is_opaque);
    for text in [
        "begin execute 'insert into t values (1)'; end",
        "begin execute function; execute procedure using (1); end",
        "begin execute procedure('a'); end",
        "begin return query execute format('select %I()', f); end",
        "begin for r in execute q loop end loop; end",
        "begin do $$ begin end $$; end",
        "begin perform query_to_xml('delete from t', true, true, ''); end",
        "begin perform pg_catalog.table_to_xml('v', true, true, ''); end",
        "begin perform pg_temp.f(); end",
        "begin deallocate all; end",
    ] {
        assert!(read(text).is_opaque, "{text}");
    }
    for text in [
        "begin x := 'a\\'; insert into t values (1); --'; end",
        "begin x := U&'\\0041'; end",
        "'",
        "\"",
        "/*",
        "$q$",
        "E'\\",
        "E'' -- \n'\\'",
    ] {
        assert_eq!(code(text, Language::PlPgSql), None, "{text}");
    }
    for text in [
        "begin create table t (a int); end",
        "begin if x then drop table t; end if; end",
        "begin <<again>> loop refresh materialized view m; end loop; end",
        "begin truncate t cascade; end",
        "begin copy t from '/x'; end",
    ] {
        assert!(read(text).writes_everything, "{text}");
    }
    assert!(
        code("select * into t from s", Language::Sql).is_some_and(|code| code.writes_everything)
    );
}

/// FAULTS row 18: what a body leaves behind in the session.
#[test]
fn what_a_body_leaves_behind_is_a_pin() {
    for (text, pin) in [
        ("begin create temp table t (a int); end", Some(Pin::TempTable)),
        ("begin create local temporary table if not exists t (a int); end", Some(Pin::TempTable)),
        ("begin create table pg_temp.t (a int); end", Some(Pin::TempTable)),
        ("begin perform set_config('a.b', 'c', false); end", Some(Pin::UnknownSetting)),
        ("begin perform set_config('a.b', f(x, true), is_local); end", Some(Pin::UnknownSetting)),
        ("begin perform set_config('a.b', f(x), true); end", None),
        ("begin set search_path to a; end", Some(Pin::UnknownSetting)),
        ("begin set local search_path to a; end", None),
        ("begin update t set a = 1; end", None),
        ("begin reset all; end", Some(Pin::UnknownSetting)),
        ("begin perform pg_advisory_lock(1); end", Some(Pin::AdvisoryLock)),
        ("begin perform pg_backup_start('nightly'); end", Some(Pin::Backup)),
        ("begin perform pg_advisory_xact_lock(1); end", None),
        ("begin listen x; end", Some(Pin::Listen)),
        ("declare temp int; begin temp := 1; end", None),
    ] {
        assert_eq!(read(text).pins.into_iter().next(), pin, "{text}");
    }
}

#[test]
fn every_name_that_may_mean_something_is_collected() {
    let code = read("declare v My_Type; begin v := s.f(a ~~> b, -1) + g (x::dom); return r.h; end");
    let called = [(None, "g"), (Some("s"), "f")];
    assert_eq!(code.called, called.map(|(s, n)| (s.map(str::to_owned), n.to_owned())).into());
    for word in ["my_type", "dom", "h", "a"] {
        assert!(code.words.contains(word), "{word}");
    }
    for operator in ["~~>", "-", "+"] {
        assert!(code.operators.contains(operator), "{operator}");
    }
    let definition = "CREATE OR REPLACE FUNCTION public.f(a integer DEFAULT g())\n RETURNS integer\n \
         LANGUAGE sql\n SET search_path TO 'x'\nBEGIN ATOMIC\n INSERT INTO t (a) VALUES (1);\nEND\n";
    let code = super::code(definition, Language::Definition).unwrap();
    assert_eq!(written(&code), ["t"]);
    assert!(!code.writes_everything && code.pins.is_empty());
}

/// FAULTS row 50: a body costs what its length costs; were it more, this would take minutes.
#[test]
fn a_hostile_body_costs_no_more_than_its_length() {
    let many = |text: &str| text.repeat(65_536 / text.len());
    let texts = [
        "/*",
        "+",
        "(",
        "'",
        "set_config(",
        "truncate a,",
        "truncate ",
        "update ",
        "e'",
        "$",
        "\"",
        "x.",
        "--",
    ];
    for text in texts {
        code(&many(text), Language::PlPgSql);
    }
    let nested = format!("{}{}", "/*".repeat(16_384), "*/".repeat(16_384));
    assert!(code(&nested, Language::Sql).is_some());
}
