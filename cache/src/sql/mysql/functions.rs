//! The built-in functions of MySQL and MariaDB, reviewed by hand. What is not here is denied.
//!
//! A function is *constant* when its result depends on its arguments and on settings alone, for every
//! setting of the session is in the key. Of a constant function it matters what it does with dates,
//! for a TIME that is turned into a date takes the current one (`Item::get_date_from_time`).
//!
//! Reviewed against the function references of MySQL 8.4 and 9, and MariaDB 10.11. Native functions win
//! over stored ones of the same name (`Create_func` look-up in sql/item_create.cc).

/// What is known of a built-in function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BuiltIn {
    /// Constant, and does not care about dates.
    Constant,
    /// Constant, and takes or makes dates.
    Date,
    /// Constant, and makes a TIME.
    Time,
    /// Constant, and takes or makes either.
    DateOrTime,
    /// Not constant, or not certainly.
    Volatile,
}

/// What is known of the function of this name, in lower case.
pub(super) fn built_in(name: &str) -> Option<BuiltIn> {
    let is_in = |list: &[&str]| list.binary_search(&name).is_ok();
    if is_in(&CONSTANT) {
        Some(BuiltIn::Constant)
    } else if is_in(&DATE) {
        Some(BuiltIn::Date)
    } else if is_in(&TIME) {
        Some(BuiltIn::Time)
    } else if is_in(&DATE_OR_TIME) {
        Some(BuiltIn::DateOrTime)
    } else if is_in(&VOLATILE) {
        Some(BuiltIn::Volatile)
    } else {
        None
    }
}

/// Whether this word, in lower case, may stand before a parenthesis without being a function.
pub(super) fn is_syntax(word: &str) -> bool {
    SYNTAX.binary_search(&word).is_ok()
}

/// Whether this word, in lower case and without quotes, means a volatile function even without
/// parentheses.
pub(super) fn is_volatile_word(word: &str) -> bool {
    VOLATILE_WORDS.binary_search(&word).is_ok()
}

#[rustfmt::skip]
const CONSTANT: [&str; 312] = [
    "abs", "acos", "aes_decrypt", "aes_encrypt", "any_value", "ascii", "asin", "atan", "atan2",
    "avg", "bin", "bin_to_uuid", "bit_and", "bit_count", "bit_length", "bit_or", "bit_xor",
    "ceil", "ceiling", "char", "char_length", "character_length", "charset", "chr", "coalesce",
    "coercibility", "collation", "column_check", "column_create", "column_exists", "column_get",
    "column_json", "column_list", "compress", "concat", "concat_operator_oracle", "concat_ws",
    "conv", "cos", "cot", "count", "crc32", "crc32c", "cume_dist", "database", "decode_oracle",
    "degrees", "dense_rank", "elt", "exp", "export_set", "extractvalue", "field", "find_in_set",
    "first_value", "floor", "format", "format_bytes", "format_pico_time", "from_base64",
    "geomcollection", "geometrycollection", "get_format", "greatest", "group_concat",
    "grouping", "gtid_subset", "gtid_subtract", "hex", "hour", "if", "ifnull", "inet6_aton",
    "inet6_ntoa", "inet_aton", "inet_ntoa", "insert", "instr", "interval", "is_ipv4",
    "is_ipv4_compat", "is_ipv4_mapped", "is_ipv6", "is_uuid", "isnull", "json_array",
    "json_array_append", "json_array_insert", "json_arrayagg", "json_compact", "json_contains",
    "json_contains_path", "json_depth", "json_detailed", "json_equals", "json_exists",
    "json_extract", "json_insert", "json_keys", "json_length", "json_loose", "json_merge",
    "json_merge_patch", "json_merge_preserve", "json_normalize", "json_object",
    "json_objectagg", "json_overlaps", "json_pretty", "json_query", "json_quote", "json_remove",
    "json_replace", "json_schema_valid", "json_schema_validation_report", "json_search",
    "json_set", "json_storage_size", "json_type", "json_unquote", "json_valid", "json_value",
    "lag", "last_value", "lcase", "lead", "least", "left", "length", "lengthb", "linestring",
    "ln", "locate", "log", "log10", "log2", "lower", "lpad", "ltrim", "make_set", "max",
    "mbrcontains", "mbrcoveredby", "mbrcovers", "mbrdisjoint", "mbrequals", "mbrintersects",
    "mbroverlaps", "mbrtouches", "mbrwithin", "md5", "median", "microsecond", "mid", "min",
    "minute", "mod", "multilinestring", "multipoint", "multipolygon", "natural_sort_key",
    "nth_value", "ntile", "nullif", "nvl", "nvl2", "oct", "octet_length", "ord", "percent_rank",
    "percentile_cont", "percentile_disc", "period_add", "period_diff", "pi", "point", "polygon",
    "position", "pow", "power", "quote", "radians", "rank", "regexp_instr", "regexp_like",
    "regexp_replace", "regexp_substr", "repeat", "replace", "reverse", "right", "round", "row",
    "row_number", "rpad", "rtrim", "schema", "second", "sformat", "sha", "sha1", "sha2", "sign",
    "sin", "soundex", "space", "sqrt", "st_area", "st_asbinary", "st_asgeojson", "st_astext",
    "st_aswkb", "st_aswkt", "st_boundary", "st_buffer", "st_buffer_strategy", "st_centroid",
    "st_collect", "st_contains", "st_convexhull", "st_crosses", "st_difference", "st_dimension",
    "st_disjoint", "st_distance", "st_distance_sphere", "st_endpoint", "st_envelope",
    "st_equals", "st_exteriorring", "st_frechetdistance", "st_geohash", "st_geomcollfromtext",
    "st_geometryn", "st_geometrytype", "st_geomfromgeojson", "st_geomfromtext",
    "st_geomfromwkb", "st_hausdorffdistance", "st_interiorringn", "st_intersection",
    "st_intersects", "st_isclosed", "st_isempty", "st_isring", "st_issimple", "st_isvalid",
    "st_latfromgeohash", "st_latitude", "st_length", "st_linefromtext", "st_linefromwkb",
    "st_lineinterpolatepoint", "st_lineinterpolatepoints", "st_longfromgeohash", "st_longitude",
    "st_makeenvelope", "st_numgeometries", "st_numinteriorring", "st_numinteriorrings",
    "st_numpoints", "st_overlaps", "st_pointatdistance", "st_pointfromgeohash",
    "st_pointfromtext", "st_pointfromwkb", "st_pointn", "st_pointonsurface", "st_polyfromtext",
    "st_polyfromwkb", "st_polygonfromtext", "st_relate", "st_simplify", "st_srid",
    "st_startpoint", "st_swapxy", "st_symdifference", "st_touches", "st_union", "st_validate",
    "st_within", "st_x", "st_y", "statement_digest", "statement_digest_text", "std", "stddev",
    "stddev_pop", "stddev_samp", "strcmp", "substr", "substring", "substring_index", "sum",
    "tan", "time_format", "time_to_sec", "to_base64", "trim", "truncate", "ucase", "uncompress",
    "uncompressed_length", "unhex", "updatexml", "upper", "uuid_to_bin", "var_pop", "var_samp",
    "variance", "version", "weight_string",
];

#[rustfmt::skip]
const DATE: [&str; 34] = [
    "add_months", "adddate", "convert_tz", "date", "date_add", "date_format", "date_sub",
    "datediff", "day", "dayname", "dayofmonth", "dayofweek", "dayofyear", "extract",
    "from_days", "from_unixtime", "last_day", "makedate", "month", "monthname", "quarter",
    "subdate", "timestamp", "timestampadd", "timestampdiff", "to_char", "to_days", "to_seconds",
    "unix_timestamp", "week", "weekday", "weekofyear", "year", "yearweek",
];

#[rustfmt::skip]
const TIME: [&str; 4] = [
    "maketime", "sec_to_time", "time", "timediff",
];

#[rustfmt::skip]
const DATE_OR_TIME: [&str; 3] = [
    "addtime", "str_to_date", "subtime",
];

#[rustfmt::skip]
const VOLATILE: [&str; 90] = [
    "asymmetric_decrypt", "asymmetric_derive", "asymmetric_encrypt", "asymmetric_sign",
    "asymmetric_verify", "benchmark", "binlog_gtid_pos", "can_access_column",
    "can_access_database", "can_access_table", "can_access_view", "connection_id",
    "create_asymmetric_priv_key", "create_asymmetric_pub_key", "create_dh_parameters",
    "create_digest", "curdate", "current_date", "current_role", "current_time",
    "current_timestamp", "current_user", "curtime", "decode", "decode_histogram", "default",
    "des_decrypt", "des_encrypt", "encode", "encrypt", "found_rows", "gen_blacklist",
    "gen_blocklist", "gen_dictionary", "gen_range", "gen_rnd_email", "gen_rnd_pan",
    "gen_rnd_ssn", "gen_rnd_us_phone", "get_lock", "icu_version", "is_free_lock",
    "is_used_lock", "json_table", "kdf", "last_insert_id", "lastval", "load_file", "localtime",
    "localtimestamp", "master_gtid_wait", "master_pos_wait", "name_const", "nextval", "now",
    "old_password", "password", "ps_current_thread_id", "ps_thread_id", "rand", "random_bytes",
    "release_all_locks", "release_lock", "roles_graphml", "row_count", "service_get_read_locks",
    "service_get_write_locks", "service_release_locks", "session_user", "setval", "sleep",
    "source_pos_wait", "sys_guid", "sysdate", "system_user", "user", "utc_date", "utc_time",
    "utc_timestamp", "uuid", "uuid_short", "uuid_v4", "uuid_v7", "validate_password_strength",
    "values", "wait_for_executed_gtid_set", "wait_until_sql_thread_after_gtids",
    "wsrep_last_seen_gtid", "wsrep_last_written_gtid", "wsrep_sync_wait_upto_gtid",
];

#[rustfmt::skip]
const VOLATILE_WORDS: [&str; 10] = [
    "current_date", "current_role", "current_time", "current_timestamp", "current_user",
    "localtime", "localtimestamp", "utc_date", "utc_time", "utc_timestamp",
];

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
        let tables: [&[&str]; 5] = [&CONSTANT, &DATE, &TIME, &DATE_OR_TIME, &VOLATILE];
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
    fn functions_of_the_clock_the_session_and_chance_are_volatile() {
        for name in ["now", "rand", "uuid", "user", "last_insert_id", "found_rows", "sleep"] {
            assert_eq!(built_in(name), Some(BuiltIn::Volatile), "{name}");
        }
        assert_eq!(built_in("lower"), Some(BuiltIn::Constant));
        assert_eq!(built_in("my_function"), None);
    }
}
