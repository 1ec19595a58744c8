//! What is known of the servers' variables by their names.

/// Set together: assigning one changes what another one says.
pub(crate) const CHARACTER_SETS: [&str; 4] = [
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "collation_connection",
];

/// The collation of the texts in results, which columns are told with. No variable shows it: `SET NAMES … COLLATE` and
/// a login set it to theirs, `SET character_set_results` to the default of the character set.
pub(crate) const OF_RESULTS: &str = "collation of results";

/// Asks for all of them: one may have become another without a report (`SET collation_connection`).
pub(crate) const CHARSETS_QUESTION: &str = "SELECT @@character_set_client, @@character_set_connection, \
     @@character_set_results, @@collation_connection";

/// Character sets that a client cannot have (MySQL: `is_supported_parser_charset`).
pub(super) const UNUSABLE: [&str; 4] = ["ucs2", "utf16", "utf16le", "utf32"];

/// What no statement is bound to when it is prepared, and what cannot be changed for that in the middle of a transaction,
/// or would end it. Servers bind to any other (MySQL: `group_concat_max_len`, `default_week_format`).
const NOT_OF_PARSING: [&str; 6] = [
    "autocommit",
    "explicit_defaults_for_timestamp",
    "group_replication_consistency",
    "skip_replication",
    "sql_log_bin",
    "xa_detach_on_prepare",
];

/// How the names of others begin.
const NONE_OF_PARSING: [&str; 5] = ["binlog_", "gtid_", "transaction_", "tx_", "wsrep_"];

/// Whether a prepared statement keeps this setting as it was when it was prepared.
pub(super) fn is_of_parsing(name: &str) -> bool {
    !NOT_OF_PARSING.contains(&name) && !NONE_OF_PARSING.iter().any(|part| name.starts_with(part))
}

/// Variables of sessions that may be NULL, which is reported as an empty text, and may not be that.
pub(super) const NULLABLE: [&str; 4] = [
    "character_set_results",
    "enforce_storage_engine",
    "innodb_ft_user_stopword_table",
    "innodb_tmpdir",
];

/// Variables without a global value, whose default is nobody's setting.
pub(super) const SESSION_ONLY: [&str; 8] = [
    "rbr_exec_mode",
    "resultset_metadata",
    "show_create_table_skip_secondary_engine",
    "skip_parallel_replication",
    "sql_log_bin",
    VERSIONING,
    "transaction_allow_batching",
    "use_secondary_engine",
];

/// Its default is a word that is no text (MariaDB).
pub(super) const VERSIONING: &str = "system_versioning_asof";

/// Variables that are not restored: they are read only, belong to one statement, or are followed otherwise.
/// What a schema's tables are made with goes with the schema, and pins where it was set by itself.
/// `timestamp` is reported with the clock's value even when it is set to DEFAULT; the parse pins it (`ONE_SHOT`).
/// MySQL 9 reports `statement_id` with every statement.
pub(super) const NOT_FOLLOWED: [&str; 15] = [
    "character_set_database",
    "collation_database",
    "error_count",
    "gtid_next",
    "identity",
    "insert_id",
    "last_insert_id",
    "pseudo_thread_id",
    "rand_seed1",
    "rand_seed2",
    "server_id",
    "statement_id",
    "timestamp",
    "tx_read_only_once",
    "warning_count",
];
