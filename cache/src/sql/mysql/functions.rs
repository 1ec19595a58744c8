//! The built-in functions of MySQL and MariaDB, reviewed by hand. What is not here is denied.
//!
//! A function is *constant* when its result depends on its arguments and on settings alone, for every
//! setting of the session is in the key. Of a constant function it matters what it does with dates,
//! for a TIME that is turned into a date takes the current one (`times`).
//!
//! Reviewed against the function references of MySQL 8.4 and 9, and MariaDB 10.11. Native functions win
//! over stored ones of the same name (`Create_func` look-up in sql/item_create.cc).

use super::times::Kinds;
use crate::sql::common::Clock;

/// What is known of a built-in function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BuiltIn {
    /// Constant; neither takes a date nor makes a date or a TIME.
    Constant,
    /// Constant, and its arguments are compared with each other, or become of one type; its result may be any of them.
    Either,
    /// Constant, and made of JSON.
    Json,
    /// Constant, and takes the date of an argument, or makes one.
    Date,
    /// The same, but it takes the time of day too.
    Moment,
    /// Constant, and makes a TIME.
    Time,
    /// Constant, and makes either.
    TimeOrDate,
    /// Tells the time.
    Clock(Clock, Kinds),
    /// Not constant, or not certainly.
    Volatile,
}

impl BuiltIn {
    /// Whether dates or times are made or taken.
    pub(super) const fn is_of_dates(self) -> bool {
        matches!(self, Self::Date | Self::Moment | Self::Time | Self::TimeOrDate)
    }
}

/// What is known of the function of this name, in lower case.
pub(super) fn built_in(name: &str) -> Option<BuiltIn> {
    let tables: [(&[&str], BuiltIn); 8] = [
        (&CONSTANT, BuiltIn::Constant),
        (&EITHER, BuiltIn::Either),
        (&JSON, BuiltIn::Json),
        (&DATE, BuiltIn::Date),
        (&MOMENT, BuiltIn::Moment),
        (&TIME, BuiltIn::Time),
        (&TIME_OR_DATE, BuiltIn::TimeOrDate),
        (&VOLATILE, BuiltIn::Volatile),
    ];
    let found = tables.into_iter().find(|(names, _)| names.binary_search(&name).is_ok());
    found.map(|(_, what)| what).or_else(|| {
        let (_, clock, kinds) = CLOCKS.into_iter().find(|(known, ..)| *known == name)?;
        Some(BuiltIn::Clock(clock, kinds))
    })
}

/// What a word, in lower case and without quotes, tells of the time even without parentheses.
pub(super) fn clock_word(word: &str) -> Option<(&'static str, Clock, Kinds)> {
    let has_prefix = word.starts_with("current_") || word.starts_with("local");
    let is_word = has_prefix || word.starts_with("utc_");
    CLOCKS.into_iter().find(|(known, ..)| is_word && *known == word)
}

/// Whether this word, in lower case, may stand before a parenthesis without being a function.
pub(super) fn is_syntax(word: &str) -> bool {
    SYNTAX.binary_search(&word).is_ok()
}

/// Whether this word, in lower case and without quotes, means a volatile function even without
/// parentheses. Those of the clock are no such words: see [`clock_word`].
pub(super) fn is_volatile_word(word: &str) -> bool {
    VOLATILE_WORDS.binary_search(&word).is_ok()
}

#[rustfmt::skip]
const CONSTANT: [&str; 247] = [
    "abs", "acos", "aes_decrypt", "aes_encrypt", "ascii", "asin", "atan", "atan2", "avg", "bin",
    "bin_to_uuid", "bit_and", "bit_count", "bit_length", "bit_or", "bit_xor", "char",
    "char_length", "character_length", "charset", "chr", "coercibility", "collation",
    "column_check", "column_create", "column_exists", "column_get", "column_json", "column_list",
    "compress", "concat", "concat_operator_oracle", "concat_ws", "conv", "cos", "cot", "count",
    "crc32", "crc32c", "cume_dist", "database", "decode_oracle", "degrees", "dense_rank", "elt",
    "exp", "export_set", "extractvalue", "find_in_set", "format", "format_bytes",
    "format_pico_time", "from_base64", "geomcollection", "geometrycollection", "get_format",
    "group_concat", "grouping", "gtid_subset", "gtid_subtract", "hex", "hour", "inet6_aton",
    "inet6_ntoa", "inet_aton", "inet_ntoa", "insert", "instr", "is_ipv4", "is_ipv4_compat",
    "is_ipv4_mapped", "is_ipv6", "is_uuid", "isnull", "lcase", "left", "length", "lengthb",
    "linestring", "ln", "locate", "log", "log10", "log2", "lower", "lpad", "ltrim", "make_set",
    "mbrcontains", "mbrcoveredby", "mbrcovers", "mbrdisjoint", "mbrequals", "mbrintersects",
    "mbroverlaps", "mbrtouches", "mbrwithin", "md5", "microsecond", "mid", "minute", "mod",
    "multilinestring", "multipoint", "multipolygon", "natural_sort_key", "ntile", "oct",
    "octet_length", "ord", "percent_rank", "period_add", "period_diff", "pi", "point", "polygon",
    "position", "pow", "power", "quote", "radians", "rank", "regexp_instr", "regexp_like",
    "regexp_replace", "regexp_substr", "repeat", "replace", "reverse", "right", "row_number",
    "rpad", "rtrim", "schema", "second", "sformat", "sha", "sha1", "sha2", "sign", "sin",
    "soundex", "space", "sqrt", "st_area", "st_asbinary", "st_asgeojson", "st_astext", "st_aswkb",
    "st_aswkt", "st_boundary", "st_buffer", "st_buffer_strategy", "st_centroid", "st_collect",
    "st_contains", "st_convexhull", "st_crosses", "st_difference", "st_dimension", "st_disjoint",
    "st_distance", "st_distance_sphere", "st_endpoint", "st_envelope", "st_equals",
    "st_exteriorring", "st_frechetdistance", "st_geohash", "st_geomcollfromtext", "st_geometryn",
    "st_geometrytype", "st_geomfromgeojson", "st_geomfromtext", "st_geomfromwkb",
    "st_hausdorffdistance", "st_interiorringn", "st_intersection", "st_intersects", "st_isclosed",
    "st_isempty", "st_isring", "st_issimple", "st_isvalid", "st_latfromgeohash", "st_latitude",
    "st_length", "st_linefromtext", "st_linefromwkb", "st_lineinterpolatepoint",
    "st_lineinterpolatepoints", "st_longfromgeohash", "st_longitude", "st_makeenvelope",
    "st_numgeometries", "st_numinteriorring", "st_numinteriorrings", "st_numpoints", "st_overlaps",
    "st_pointatdistance", "st_pointfromgeohash", "st_pointfromtext", "st_pointfromwkb",
    "st_pointn", "st_pointonsurface", "st_polyfromtext", "st_polyfromwkb", "st_polygonfromtext",
    "st_relate", "st_simplify", "st_srid", "st_startpoint", "st_swapxy", "st_symdifference",
    "st_touches", "st_union", "st_validate", "st_within", "st_x", "st_y", "statement_digest",
    "statement_digest_text", "std", "stddev", "stddev_pop", "stddev_samp", "substr", "substring",
    "substring_index", "sum", "tan", "time_format", "time_to_sec", "to_base64", "trim", "ucase",
    "uncompress", "uncompressed_length", "unhex", "updatexml", "upper", "uuid_to_bin", "var_pop",
    "var_samp", "variance", "version", "weight_string",
];

#[rustfmt::skip]
const EITHER: [&str; 28] = [
    "any_value", "ceil", "ceiling", "coalesce", "field", "first_value", "floor", "greatest", "if",
    "ifnull", "interval", "lag", "last_value", "lead", "least", "max", "median", "min",
    "nth_value", "nullif", "nvl", "nvl2", "percentile_cont", "percentile_disc", "round", "row",
    "strcmp", "truncate",
];

#[rustfmt::skip]
const JSON: [&str; 37] = [
    "json_array", "json_array_append", "json_array_insert", "json_arrayagg", "json_compact",
    "json_contains", "json_contains_path", "json_depth", "json_detailed", "json_equals",
    "json_exists", "json_extract", "json_insert", "json_keys", "json_length", "json_loose",
    "json_merge", "json_merge_patch", "json_merge_preserve", "json_normalize", "json_object",
    "json_objectagg", "json_overlaps", "json_pretty", "json_query", "json_quote", "json_remove",
    "json_replace", "json_schema_valid", "json_schema_validation_report", "json_search",
    "json_set", "json_storage_size", "json_type", "json_unquote", "json_valid", "json_value",
];

#[rustfmt::skip]
const DATE: [&str; 21] = [
    "date", "date_format", "datediff", "day", "dayname", "dayofmonth", "dayofweek", "dayofyear",
    "extract", "last_day", "month", "monthname", "quarter", "to_char", "to_days", "to_seconds",
    "week", "weekday", "weekofyear", "year", "yearweek",
];

#[rustfmt::skip]
const MOMENT: [&str; 13] = [
    "add_months", "adddate", "convert_tz", "date_add", "date_sub", "from_days", "from_unixtime",
    "makedate", "subdate", "timestamp", "timestampadd", "timestampdiff", "unix_timestamp",
];

#[rustfmt::skip]
const TIME: [&str; 4] = [
    "maketime", "sec_to_time", "time", "timediff",
];

#[rustfmt::skip]
const TIME_OR_DATE: [&str; 3] = [
    "addtime", "str_to_date", "subtime",
];

const NOW: Kinds = Kinds::DATE.or(Kinds::NOW);
const UTC_NOW: Kinds = NOW.or(Kinds::UTC);

/// What tells the time, and what that is.
const CLOCKS: [(&str, Clock, Kinds); 12] = [
    ("curdate", Clock::Date, Kinds::DATE),
    ("current_date", Clock::Date, Kinds::DATE),
    ("current_time", Clock::Moment, Kinds::TIME),
    ("current_timestamp", Clock::Moment, NOW),
    ("curtime", Clock::Moment, Kinds::TIME),
    ("localtime", Clock::Moment, NOW),
    ("localtimestamp", Clock::Moment, NOW),
    ("now", Clock::Moment, NOW),
    ("sysdate", Clock::Moment, NOW),
    ("utc_date", Clock::UtcDate, Kinds::DATE),
    ("utc_time", Clock::Moment, Kinds::TIME),
    ("utc_timestamp", Clock::Moment, UTC_NOW),
];

#[rustfmt::skip]
const VOLATILE: [&str; 78] = [
    "asymmetric_decrypt", "asymmetric_derive", "asymmetric_encrypt", "asymmetric_sign",
    "asymmetric_verify", "benchmark", "binlog_gtid_pos", "can_access_column",
    "can_access_database", "can_access_table", "can_access_view", "connection_id",
    "create_asymmetric_priv_key", "create_asymmetric_pub_key", "create_dh_parameters",
    "create_digest", "current_role", "current_user", "decode", "decode_histogram", "default",
    "des_decrypt", "des_encrypt", "encode", "encrypt", "found_rows", "gen_blacklist",
    "gen_blocklist", "gen_dictionary", "gen_range", "gen_rnd_email", "gen_rnd_pan", "gen_rnd_ssn",
    "gen_rnd_us_phone", "get_lock", "icu_version", "is_free_lock", "is_used_lock", "json_table",
    "kdf", "last_insert_id", "lastval", "load_file", "master_gtid_wait", "master_pos_wait",
    "name_const", "nextval", "old_password", "password", "ps_current_thread_id", "ps_thread_id",
    "rand", "random_bytes", "release_all_locks", "release_lock", "roles_graphml", "row_count",
    "service_get_read_locks", "service_get_write_locks", "service_release_locks", "session_user",
    "setval", "sleep", "source_pos_wait", "sys_guid", "system_user", "user", "uuid", "uuid_short",
    "uuid_v4", "uuid_v7", "validate_password_strength", "values", "wait_for_executed_gtid_set",
    "wait_until_sql_thread_after_gtids", "wsrep_last_seen_gtid", "wsrep_last_written_gtid",
    "wsrep_sync_wait_upto_gtid",
];

const VOLATILE_WORDS: [&str; 2] = ["current_role", "current_user"];

#[rustfmt::skip]
const SYNTAX: [&str; 134] = [
    "against", "all", "and", "any", "as", "between", "bigint", "binary", "bit", "blob", "by",
    "case", "cast", "char", "character", "check", "collate", "column", "columns", "comment",
    "constraint", "convert", "cross", "cube", "decimal", "delete", "desc", "distinct",
    "distinctrow", "div", "double", "else", "end", "enum", "escape", "except", "exists",
    "fields", "float", "for", "force", "foreign", "from", "fulltext", "group", "having",
    "ignore", "in", "index", "inner", "insert", "int", "integer", "intersect", "interval",
    "into", "is", "join", "json", "key", "keys", "lateral", "left", "like", "limit", "lines",
    "longblob", "longtext", "match", "mediumblob", "mediumint", "mediumtext", "mod", "natural",
    "nchar", "not", "null", "numeric", "nvarchar", "of", "offset", "on", "or", "order", "outer",
    "over", "partition", "partitions", "primary", "procedure", "range", "real", "recursive",
    "references", "regexp", "replace", "returning", "right", "rlike", "rollup", "row", "rows",
    "select", "separator", "set", "smallint", "some", "soname", "spatial", "straight_join",
    "subpartition", "table", "text", "then", "tinyblob", "tinyint", "tinytext", "to", "union",
    "unique", "unsigned", "update", "use", "using", "value", "values", "varbinary", "varchar",
    "when", "where", "while", "window", "with", "xor",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_and_no_function_is_in_two() {
        let clocks = CLOCKS.map(|(name, ..)| name);
        let tables: [&[&str]; 9] =
            [&CONSTANT, &EITHER, &JSON, &DATE, &MOMENT, &TIME, &TIME_OR_DATE, &VOLATILE, &clocks];
        let mut all: Vec<&str> = tables.concat();
        for table in tables.into_iter().chain([&VOLATILE_WORDS[..], &SYNTAX[..]]) {
            assert!(table.is_sorted_by(|one, other| one < other), "{table:?}");
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn functions_of_the_session_and_chance_are_volatile() {
        for name in ["rand", "uuid", "user", "last_insert_id", "found_rows", "sleep"] {
            assert_eq!(built_in(name), Some(BuiltIn::Volatile), "{name}");
        }
        assert_eq!(built_in("lower"), Some(BuiltIn::Constant));
        assert_eq!(built_in("my_function"), None);
    }

    #[test]
    fn the_clock_is_asked_with_parentheses_or_without() {
        assert_eq!(built_in("now"), Some(BuiltIn::Clock(Clock::Moment, NOW)));
        assert_eq!(built_in("curdate"), built_in("current_date"));
        for (word, is_clock) in [("current_date", true), ("utc_time", true), ("now", false)] {
            assert_eq!(clock_word(word).is_some(), is_clock, "{word}");
        }
    }
}
