//! A statement for each of PostgreSQL's stable functions: with columns of `sample` for arguments, by their types, where
//! nothing else is said.

/// A function as the review names it.
#[derive(Debug)]
pub(super) struct Function<'s> {
    signature: &'s str,
    pub(super) name: &'s str,
    arguments: Vec<&'s str>,
}

impl<'s> Function<'s> {
    /// From `name(type, type)`.
    pub(super) fn read(signature: &'s str) -> Self {
        let (name, arguments) = signature.split_once('(').expect("a name and arguments");
        let arguments = arguments.trim_end_matches(')').split(", ");
        let arguments = arguments.filter(|argument| !argument.is_empty()).collect();
        Self { signature, name, arguments }
    }
}

/// A statement that shows what a function gives.
pub(super) fn statement(function: &Function<'_>, is_aggregate: bool) -> String {
    let signature = |(known, _): &&(&str, &'static str)| *known == function.signature;
    if let Some((_, whole)) = WHOLE.iter().find(signature) {
        return (*whole).to_owned();
    }
    let said = SAID.iter().find(signature).map(|(_, arguments)| (*arguments).to_owned());
    let arguments = said.or_else(|| privilege(function)).unwrap_or_else(|| sampled(function));
    let call = format!("pg_catalog.\"{}\"({arguments})", function.name);
    let order = if is_aggregate { "" } else { " ORDER BY s.id" };
    format!("SELECT {call} FROM sample s{order}")
}

/// Arguments by their types, but for an object that the function is about.
fn sampled(function: &Function<'_>) -> String {
    let of_type = |argument: &str| {
        let sample = SAMPLES.iter().find(|(known, _)| *known == argument);
        sample.unwrap_or_else(|| panic!("{}: no sample", function.signature)).1
    };
    let mut arguments: Vec<&str> = function.arguments.iter().map(|it| of_type(it)).collect();
    let object = OBJECTS.iter().find(|(known, _)| *known == function.name);
    if let (Some((_, object)), Some(first)) = (object, arguments.first_mut()) {
        *first = object;
    }
    arguments.join(", ")
}

/// The arguments of `has_…_privilege` and `pg_has_role`: who, what and which.
fn privilege(function: &Function<'_>) -> Option<String> {
    let (_privilege, before) = function.arguments.split_last()?;
    let role = |of_type: &str| if of_type == "name" { "'app'" } else { "10::oid" };
    if function.name == "pg_has_role" {
        let roles: Vec<&str> = before.iter().map(|it| role(it)).collect();
        return Some(format!("{}, 'USAGE'", roles.join(", ")));
    }
    let kind = function.name.strip_prefix("has_")?.strip_suffix("_privilege")?;
    let (_, name, number, privilege) = PRIVILEGES.iter().find(|(known, ..)| *known == kind)?;
    let objects = if kind == "column" { 2 } else { 1 };
    let (roles, objects) = before.split_at_checked(before.len().checked_sub(objects)?)?;
    let mut arguments: Vec<&str> = roles.iter().map(|it| role(it)).collect();
    arguments.push(if objects.first() == Some(&"text") { name } else { number });
    arguments.extend(objects.get(1).map(|it| if *it == "text" { "'at'" } else { "2::int2" }));
    Some(format!("{}, '{privilege}'", arguments.join(", ")))
}

/// A value of each type.
const SAMPLES: &[(&str, &str)] = &[
    ("timestamp with time zone", "s.at"),
    ("timestamp without time zone", "s.plain"),
    ("date", "s.day"),
    ("time without time zone", "s.clock"),
    ("interval", "s.span"),
    ("text", "s.word"),
    ("name", "s.label"),
    ("oid", "'sample'::regclass::oid"),
    ("smallint", "s.small"),
    ("integer", "s.number"),
    ("bigint", "s.big"),
    ("real", "s.single"),
    ("double precision", "s.double"),
    ("numeric", "s.exact"),
    ("money", "s.amount"),
    ("bytea", "s.raw"),
    ("json", "s.doc"),
    ("jsonb", "s.docb"),
    ("jsonpath", "'$.at.datetime() < \"2026-07-01\".datetime()'"),
    ("tsquery", "'cats'::tsquery"),
    ("boolean", "s.yes"),
    ("regclass", "'sample'::regclass"),
    ("regtype", "'int4'::regtype"),
    ("oidvector", "'23 25'::oidvector"),
    ("anyarray", "ARRAY[s.at]"),
    ("anynonarray", "s.double"),
    ("anyelement", "s.at"),
    ("\"any\"", "s.at"),
    ("anyenum", "'b'::mark"),
    ("record", "s"),
    ("anycompatible", "s.at"),
];

/// What the first argument of a function is about.
const OBJECTS: &[(&str, &str)] = &[
    (
        "pg_get_constraintdef",
        "(SELECT min(oid) FROM pg_constraint WHERE conrelid = 'sample'::regclass)",
    ),
    ("pg_get_functiondef", "'twice(int)'::regprocedure"),
    ("pg_get_function_arguments", "'twice(int)'::regprocedure"),
    ("pg_get_function_identity_arguments", "'twice(int)'::regprocedure"),
    ("pg_get_function_result", "'twice(int)'::regprocedure"),
    ("pg_get_function_arg_default", "'twice(int)'::regprocedure"),
    ("pg_get_indexdef", "'sample_pkey'::regclass"),
    ("pg_get_partition_constraintdef", "'part_one'::regclass"),
    ("pg_get_partkeydef", "'parts'::regclass"),
    (
        "pg_get_ruledef",
        "(SELECT min(oid) FROM pg_rewrite WHERE ev_class = 'sample_view'::regclass)",
    ),
    ("pg_get_statisticsobjdef", "(SELECT min(oid) FROM pg_statistic_ext)"),
    ("pg_get_triggerdef", "(SELECT min(oid) FROM pg_trigger WHERE tgrelid = 'sample'::regclass)"),
    ("pg_get_viewdef", "'sample_view'::regclass"),
    ("pg_get_userbyid", "10::oid"),
    ("pg_function_is_visible", "'lower(text)'::regprocedure"),
    ("pg_type_is_visible", "'mark'::regtype"),
    ("pg_collation_is_visible", "'\"C\"'::regcollation"),
    ("pg_operator_is_visible", "'+(int,int)'::regoperator"),
    ("pg_ts_config_is_visible", "'simple'::regconfig"),
    ("pg_ts_dict_is_visible", "'simple'::regdictionary"),
    ("format_type", "1114::oid"),
    ("pg_conversion_is_visible", "(SELECT min(oid) FROM pg_conversion)"),
    ("pg_opclass_is_visible", "(SELECT min(oid) FROM pg_opclass)"),
    ("pg_opfamily_is_visible", "(SELECT min(oid) FROM pg_opfamily)"),
];

/// Arguments that must make sense to the function.
const SAID: &[(&str, &str)] = &[
    ("current_schemas(boolean)", "false"),
    ("to_tsquery(text)", "'cats & dogs'"),
    ("websearch_to_tsquery(text)", "'cats or dogs'"),
    ("to_number(text, text)", "'1,234.5', '9G999D9'"),
    ("to_date(text, text)", "'3 Mar 2026', 'DD Mon YYYY'"),
    ("to_timestamp(text, text)", "'3 Mar 2026 10:11', 'DD Mon YYYY HH24:MI'"),
    ("convert(bytea, name, name)", "s.raw, 'UTF8', 'LATIN1'"),
    ("convert_from(bytea, name)", "s.raw, 'UTF8'"),
    ("convert_to(text, name)", "s.word, 'LATIN1'"),
    ("length(bytea, name)", "s.raw, 'UTF8'"),
    (
        "make_timestamptz(integer, integer, integer, integer, integer, double precision)",
        "2026, 3, s.number, 2, 30, 1.5",
    ),
    (
        "make_timestamptz(integer, integer, integer, integer, integer, double precision, text)",
        "2026, 3, s.number, 2, 30, 1.5, 'Europe/Oslo'",
    ),
    ("date_trunc(text, timestamp with time zone, text)", "'day', s.at, 'Asia/Tokyo'"),
    ("format(text)", "'%%'"),
    ("format(text, \"any\")", "'%s %L', s.at, s.double"),
    (
        "generate_series(timestamp with time zone, timestamp with time zone, interval)",
        "s.at, s.at + interval '3 days', interval '1 day'",
    ),
    ("json_to_tsvector(json, jsonb)", "s.doc, '[\"all\"]'"),
    ("jsonb_to_tsvector(jsonb, jsonb)", "s.docb, '[\"all\"]'"),
    (
        "in_range(timestamp with time zone, timestamp with time zone, interval, boolean, boolean)",
        "s.at, s.at, interval '1 day', true, false",
    ),
    ("pg_get_serial_sequence(text, text)", "'sample', 'id'"),
    ("pg_get_viewdef(text)", "'sample_view'"),
    ("pg_get_viewdef(text, boolean)", "'sample_view', true"),
    ("regclass(text)", "'sample'::text"),
    ("to_regclass(text)", "'sample'"),
    ("to_regcollation(text)", "'\"C\"'"),
    ("to_regnamespace(text)", "'public'"),
    ("to_regoper(text)", "'||/'"),
    ("to_regoperator(text)", "'+(int,int)'"),
    ("to_regproc(text)", "'twice'"),
    ("to_regprocedure(text)", "'twice(int)'"),
    ("to_regtype(text)", "'mark'"),
    ("to_regtypemod(text)", "'numeric(3)'"),
    ("obj_description(oid, name)", "'sample'::regclass::oid, 'pg_class'"),
    ("pg_char_to_encoding(name)", "'LATIN1'"),
    ("pg_collation_for(\"any\")", "s.word"),
    ("pg_get_function_arg_default(oid, integer)", "'twice(int)'::regprocedure, 1"),
    ("enum_first(anyenum)", "'b'::mark"),
    ("pg_relation_is_publishable(regclass)", "'sample'::regclass"),
    ("ts_headline(json, tsquery, text)", "s.doc, 'cats'::tsquery, 'MinWords=1, MaxWords=3'"),
    ("ts_headline(jsonb, tsquery, text)", "s.docb, 'cats'::tsquery, 'MinWords=1, MaxWords=3'"),
    ("ts_headline(text, tsquery, text)", "s.word, 'cats'::tsquery, 'MinWords=1, MaxWords=3'"),
    ("to_char(timestamp with time zone, text)", "s.at, 'FMDay FMMonth YYYY HH24:MI:SS TZ OF'"),
    (
        "to_char(timestamp without time zone, text)",
        "s.plain, 'FMDay FMMonth YYYY HH24:MI:SS TZ OF'",
    ),
    ("to_char(interval, text)", "s.span, 'DD HH24:MI'"),
    ("to_char(bigint, text)", "s.big, 'L999G999D99'"),
    ("to_char(double precision, text)", "s.double, 'L999G999D99'"),
    ("to_char(integer, text)", "s.number, 'L999G999D99'"),
    ("to_char(numeric, text)", "s.exact, 'L999G999D99'"),
    ("to_char(real, text)", "s.single, 'L999G999D99'"),
    ("json_object_agg(\"any\", \"any\")", "s.id, s.at"),
    ("json_object_agg_strict(\"any\", \"any\")", "s.id, s.at"),
    ("json_object_agg_unique(\"any\", \"any\")", "s.id, s.at"),
    ("json_object_agg_unique_strict(\"any\", \"any\")", "s.id, s.at"),
    ("json_build_object(\"any\")", "'k', s.at, 'd', s.double"),
    ("jsonb_build_object(\"any\")", "'k', s.at, 'd', s.double"),
    ("concat_ws(text, \"any\")", "', ', s.at, s.double"),
    ("date_part(text, timestamp with time zone)", "'timezone_hour', s.at"),
    ("extract(text, timestamp with time zone)", "'timezone_hour', s.at"),
    ("date_trunc(text, timestamp with time zone)", "'day', s.at"),
];

/// What is more than a call.
const WHOLE: &[(&str, &str)] = &[
    (
        "json_to_record(json)",
        "SELECT r.* FROM sample s, json_to_record(s.doc) AS r(double float8, span interval, text text)",
    ),
    (
        "jsonb_to_record(jsonb)",
        "SELECT r.* FROM sample s, jsonb_to_record(s.docb) AS r(double float8, span interval, text text)",
    ),
    (
        "json_to_recordset(json)",
        "SELECT r.* FROM sample s, json_to_recordset(json_build_array(s.doc)) AS r(double float8, span interval, text text)",
    ),
    (
        "jsonb_to_recordset(jsonb)",
        "SELECT r.* FROM sample s, jsonb_to_recordset(jsonb_build_array(s.docb)) AS r(double float8, span interval, text text)",
    ),
    (
        "pg_get_expr(pg_node_tree, oid)",
        "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'sample'::regclass",
    ),
    (
        "pg_get_expr(pg_node_tree, oid, boolean)",
        "SELECT pg_get_expr(adbin, adrelid, true) FROM pg_attrdef WHERE adrelid = 'sample'::regclass",
    ),
];

/// For what there are rights: an object's name, its number, a right.
const PRIVILEGES: &[(&str, &str, &str, &str)] = &[
    ("any_column", "'sample'", "'sample'::regclass::oid", "SELECT"),
    ("column", "'sample'", "'sample'::regclass::oid", "SELECT"),
    ("function", "'lower(text)'", "'lower(text)'::regprocedure::oid", "EXECUTE"),
    ("language", "'sql'", "14::oid", "USAGE"),
    ("schema", "'public'", "'public'::regnamespace::oid", "USAGE"),
    ("sequence", "'sample_id_seq'", "'sample_id_seq'::regclass::oid", "USAGE"),
    ("table", "'sample'", "'sample'::regclass::oid", "SELECT"),
    ("type", "'mark'", "'mark'::regtype::oid", "USAGE"),
];
